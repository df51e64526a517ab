//! Plain Rust that compilers turn into whatever the target's baseline has.

use super::super::micro::{Micro, micro};
use super::{Dot, Layout};
use crate::simd::portable::Portable;

#[derive(Clone, Copy)]
pub(super) struct Sums([i32; 4]);

impl Dot for Sums {
    type Real = Portable;
    type Quad = [u8; 4];
    type Weights = [[i8; 4]; 4];
    const LAYOUT: Layout = Layout::Quads;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the trait's contract; the cast pointer is read without alignment.
        unsafe { Self(from.cast::<[i32; 4]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Self(from.cast::<[u8; 4]>().read().map(i32::from)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[u8; 4]>().write(self.0.map(|value| value as u8)) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> [u8; 4] {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<[u8; 4]>().read() }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> Self::Weights {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<[[i8; 4]; 4]>().read() }
    }
    #[inline(always)]
    fn dot(mut self, quad: [u8; 4], weights: Self::Weights) -> Self {
        for lane in 0..4 {
            for k in 0..4 {
                let product = i32::from(quad[k]) * i32::from(weights[lane][k]);
                self.0[lane] = self.0[lane].wrapping_add(product);
            }
        }
        self
    }
    #[inline(always)]
    fn splat(value: i32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
    #[inline(always)]
    fn to_real(self) -> Portable {
        Portable(self.0.map(|value| value as f32))
    }
    #[inline(always)]
    fn round_within(real: Portable, low: Portable, high: Portable) -> Self {
        let within = |i: usize| real.0[i].max(low.0[i]).min(high.0[i]);
        Self(std::array::from_fn(|i| within(i).round_ties_even() as i32))
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            match nr {
                1 => micro::<Self, 4, 1>(job),
                _ => micro::<Self, 4, 2>(job),
            }
        }
    }
}
