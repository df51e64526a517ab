//! 256-bit vectors with fused multiply-add. 16 registers: 12 hold sums, 2 weights.

use std::arch::x86_64::*;

use super::{Simd, Task};
use crate::gemm::{Micro, micro, with_rows};

#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(crate) __m256);

/// # Safety
/// The processor has AVX2 and FMA; whatever the task demands.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn run<T: Task>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Avx2>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
impl Simd for Avx2 {
    const LANES: usize = 8;
    const MAX_NR: usize = 2;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm256_fnmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn round(self) -> Self {
        unsafe {
            Self(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
        }
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        }
    }

    #[inline(always)]
    fn prefetch(address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[inline(always)]
    fn prefetch_to_write(address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast()) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // squares of 2, then of 4, then halves of vectors
        unsafe {
            let z = _mm256_setzero_ps();
            let (mut a, mut b) = ([z; 8], [z; 8]);
            for r in 0..8 {
                a[r] = _mm256_loadu_ps(from.add(r * from_stride));
            }
            for r in 0..4 {
                b[2 * r] = _mm256_unpacklo_ps(a[2 * r], a[2 * r + 1]);
                b[2 * r + 1] = _mm256_unpackhi_ps(a[2 * r], a[2 * r + 1]);
            }
            for r in 0..2 {
                a[4 * r] = _mm256_shuffle_ps::<0x44>(b[4 * r], b[4 * r + 2]);
                a[4 * r + 1] = _mm256_shuffle_ps::<0xee>(b[4 * r], b[4 * r + 2]);
                a[4 * r + 2] = _mm256_shuffle_ps::<0x44>(b[4 * r + 1], b[4 * r + 3]);
                a[4 * r + 3] = _mm256_shuffle_ps::<0xee>(b[4 * r + 1], b[4 * r + 3]);
            }
            for i in 0..4 {
                let low = _mm256_permute2f128_ps::<0x20>(a[i], a[4 + i]);
                let high = _mm256_permute2f128_ps::<0x31>(a[i], a[4 + i]);
                _mm256_storeu_ps(to.add(i * to_stride), low);
                _mm256_storeu_ps(to.add((4 + i) * to_stride), high);
            }
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
                _ => with_rows!(micro_kernel, 2, job, 1 2 3 4 5 6),
            }
        }
    }
}

/// A function of its own: inlined into a large one, its sums do not all get registers.
///
/// # Safety
/// The processor has these instructions; see [`Micro`].
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn micro_kernel<const ROWS: usize, const NR: usize>(job: &Micro) {
    // SAFETY: the caller's promise.
    unsafe { micro::<Avx2, ROWS, NR>(job) }
}
