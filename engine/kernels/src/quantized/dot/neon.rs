//! 128-bit vectors of any 64-bit ARM: bytes widened to 16 bits, multiplied into 32.

use std::arch::aarch64::*;

use super::super::micro::{Micro, micro};
use super::{Dot, DotTask, Layout};
use crate::simd::neon::Neon;

#[derive(Clone, Copy)]
pub(super) struct Sums(int32x4_t);

/// # Safety
/// Whatever the task demands; every 64-bit ARM processor has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<T: DotTask>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Sums>() }
}

// SAFETY of all blocks below: every 64-bit ARM processor has NEON; pointers are as good as the
// trait's contract says.
#[allow(unused_unsafe)] // arithmetic intrinsics are safe where NEON is part of the target
impl Dot for Sums {
    type Real = Neon;
    /// The four activations as 16-bit numbers.
    type Quad = int16x4_t;
    type Weights = [int16x4_t; 4];
    const LAYOUT: Layout = Layout::Rows;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { Self(vld1q_s32(from)) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe { Self(load_bytes(from)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe { store_bytes(self.0, to) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> int16x4_t {
        unsafe { vreinterpret_s16_u16(vget_low_u16(vmovl_u8(four_bytes(from)))) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> [int16x4_t; 4] {
        unsafe {
            let pairs: [int16x8_t; 2] = [vld1q_s16(from.cast()), vld1q_s16(from.add(16).cast())];
            let [a, b] = pairs;
            [vget_low_s16(a), vget_high_s16(a), vget_low_s16(b), vget_high_s16(b)]
        }
    }
    #[inline(always)]
    fn dot(self, quad: int16x4_t, weights: [int16x4_t; 4]) -> Self {
        unsafe {
            let sums = vmlal_lane_s16::<0>(self.0, weights[0], quad);
            let sums = vmlal_lane_s16::<1>(sums, weights[1], quad);
            let sums = vmlal_lane_s16::<2>(sums, weights[2], quad);
            Self(vmlal_lane_s16::<3>(sums, weights[3], quad))
        }
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
        unsafe { Self(round_within(real, low, high)) }
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

/// Four bytes, twice.
///
/// # Safety
/// `from` points at 4 readable bytes.
#[inline(always)]
#[allow(unused_unsafe)] // as above
pub(super) unsafe fn four_bytes(from: *const u8) -> uint8x8_t {
    // SAFETY: the caller's promise; read without alignment.
    unsafe { vreinterpret_u8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned())) }
}

/// Four bytes, widened.
///
/// # Safety
/// `from` points at 4 readable bytes.
#[inline(always)]
#[allow(unused_unsafe)] // as above
pub(super) unsafe fn load_bytes(from: *const u8) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four_bytes(from))))) }
}

/// Four values of 0..=255 as bytes.
///
/// # Safety
/// `to` points at 4 writable bytes.
#[inline(always)]
#[allow(unused_unsafe)] // as above
pub(super) unsafe fn store_bytes(values: int32x4_t, to: *mut u8) {
    // SAFETY: the caller's promise; written without alignment.
    unsafe {
        let words = vmovn_u32(vreinterpretq_u32_s32(values));
        let bytes = vmovn_u16(vcombine_u16(words, words));
        to.cast::<u32>().write_unaligned(vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)));
    }
}

/// See [`Dot::round_within`].
///
/// # Safety
/// None; every 64-bit ARM processor has NEON.
#[inline(always)]
#[allow(unused_unsafe)] // as above
pub(super) unsafe fn round_within(real: Neon, low: Neon, high: Neon) -> int32x4_t {
    // SAFETY: as above. These forms of maximum and minimum prefer a number to NaN.
    unsafe { vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(real.0, low.0), high.0)) }
}
