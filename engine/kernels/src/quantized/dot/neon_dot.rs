//! `sdot` of 64-bit ARM. It takes signed bytes alone, so that activations lose 128 on the way; the
//! bias makes up for it ([`super::DotProduct::offset`]).

use std::arch::aarch64::*;
use std::arch::asm;

use super::super::micro::{Micro, micro};
use super::{Dot, DotTask, Layout, neon};
use crate::simd::neon::Neon;

#[derive(Clone, Copy)]
pub(super) struct Sums(int32x4_t);

/// # Safety
/// The processor has the dot-product extension; whatever the task demands.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn run<T: DotTask>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Sums>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
#[allow(unused_unsafe)] // arithmetic intrinsics are safe where NEON is part of the target
impl Dot for Sums {
    type Real = Neon;
    /// The four activations less 128, in every lane.
    type Quad = int8x16_t;
    type Weights = int8x16_t;
    const LAYOUT: Layout = Layout::Quads;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { Self(vld1q_s32(from)) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe { Self(neon::load_bytes(from)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe { neon::store_bytes(self.0, to) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> int8x16_t {
        unsafe {
            let bytes = vreinterpretq_u8_u32(vdupq_n_u32(from.cast::<u32>().read_unaligned()));
            vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)))
        }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> int8x16_t {
        unsafe { vld1q_s8(from.cast()) }
    }
    #[inline(always)]
    fn dot(self, quad: int8x16_t, weights: int8x16_t) -> Self {
        let mut sums = self.0;
        // the intrinsic is not stable yet (rust-lang/rust#117224)
        unsafe {
            asm!(
                "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums,
                in(vreg) quad,
                in(vreg) weights,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        Self(sums)
    }
    #[inline(always)]
    fn splat(value: i32) -> Self {
        unsafe { Self(vdupq_n_s32(value)) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(vaddq_s32(self.0, other.0)) }
    }
    #[inline(always)]
    fn to_real(self) -> Neon {
        unsafe { Neon(vcvtq_f32_s32(self.0)) }
    }
    #[inline(always)]
    fn round_within(real: Neon, low: Neon, high: Neon) -> Self {
        unsafe { Self(neon::round_within(real, low, high)) }
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro<'_>) {
        unsafe {
            match nr {
                1 => micro::<Self, 6, 1>(job),
                2 => micro::<Self, 6, 2>(job),
                3 => micro::<Self, 6, 3>(job),
                _ => micro::<Self, 6, 4>(job),
            }
        }
    }
}
