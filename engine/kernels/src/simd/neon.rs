//! 128-bit vectors of 64-bit ARM. 32 registers: 24 hold sums, 4 weights.

use std::arch::aarch64::*;

use super::{Simd, Task};
use crate::gemm::{Micro, micro, with_rows};

#[derive(Clone, Copy)]
pub(crate) struct Neon(pub(crate) float32x4_t);

/// # Safety
/// Whatever the task demands; every 64-bit ARM processor has NEON.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn run<T: Task>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Neon>() }
}

// SAFETY of all blocks below: every 64-bit ARM processor has NEON; pointers are as good as the
// trait's contract says.
#[allow(unused_unsafe)] // arithmetic intrinsics are safe where NEON is part of the target
impl Simd for Neon {
    const LANES: usize = 4;
    const MAX_NR: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(vsubq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(vmulq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(vdivq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(vmaxq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(vminq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(vfmaq_f32(addend.0, self.0, factor.0)) }
    }
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(vfmsq_f32(addend.0, self.0, factor.0)) }
    }
    #[inline(always)]
    fn round(self) -> Self {
        unsafe { Self(vrndnq_f32(self.0)) }
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        unsafe {
            let biased = vaddq_s32(vcvtnq_s32_f32(self.0), vdupq_n_s32(127));
            Self(vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased)))
        }
    }

    #[inline(always)]
    fn rows(_nr: usize) -> usize {
        6
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro) {
        unsafe {
            match nr {
                1 => with_rows!(micro_kernel, 1, job, 1 2 3 4 5 6),
                2 => with_rows!(micro_kernel, 2, job, 1 2 3 4 5 6),
                3 => with_rows!(micro_kernel, 3, job, 1 2 3 4 5 6),
                _ => with_rows!(micro_kernel, 4, job, 1 2 3 4 5 6),
            }
        }
    }
}

/// A function of its own: inlined into a large one, its sums do not all get registers.
///
/// # Safety
/// See [`Micro`].
#[inline(never)]
unsafe fn micro_kernel<const ROWS: usize, const NR: usize>(job: &Micro) {
    // SAFETY: the caller's promise.
    unsafe { micro::<Neon, ROWS, NR>(job) }
}
