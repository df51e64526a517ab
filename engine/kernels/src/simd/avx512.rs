//! 512-bit vectors. 32 registers: 24 hold sums, 4 weights, the rest are broadcast inputs.

use std::arch::x86_64::*;

use super::{Simd, Task, exp2_rest};
use crate::gemm::{Micro, micro, with_rows};

#[derive(Clone, Copy)]
pub(crate) struct Avx512(pub(crate) __m512);

/// # Safety
/// The processor has AVX-512F and VL; whatever the task demands.
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
pub(crate) unsafe fn run<T: Task>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Avx512>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
impl Simd for Avx512 {
    const LANES: usize = 16;
    const MAX_NR: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        unsafe { Self(_mm512_fnmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn round(self) -> Self {
        unsafe { Self(_mm512_roundscale_ps::<0>(self.0)) }
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        unsafe { Self(_mm512_scalef_ps(_mm512_set1_ps(1.0), self.0)) }
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
    fn reciprocal(self) -> Self {
        // 14 bits and a step of Newton's: a third of a division's time
        unsafe {
            let guess = _mm512_rcp14_ps(self.0);
            let error = _mm512_fnmadd_ps(self.0, guess, _mm512_set1_ps(1.0));
            Self(_mm512_fmadd_ps(guess, error, guess))
        }
    }
    #[inline(always)]
    fn exp2_negative(self) -> Self {
        // the scaling goes to zero by itself, so that nothing need be clamped
        let whole = self.round();
        unsafe { Self(_mm512_scalef_ps(exp2_rest(self.sub(whole)).0, whole.0)) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // squares of 2, then of 4, then quarters of vectors twice
        unsafe {
            let z = _mm512_setzero_ps();
            let (mut a, mut b) = ([z; 16], [z; 16]);
            for r in 0..16 {
                a[r] = _mm512_loadu_ps(from.add(r * from_stride));
            }
            for r in 0..8 {
                b[2 * r] = _mm512_unpacklo_ps(a[2 * r], a[2 * r + 1]);
                b[2 * r + 1] = _mm512_unpackhi_ps(a[2 * r], a[2 * r + 1]);
            }
            for r in 0..4 {
                // column `4 q + i` of rows `4 r..4 r + 4` is quarter `q` of `a[4 r + i]`
                a[4 * r] = _mm512_shuffle_ps::<0x44>(b[4 * r], b[4 * r + 2]);
                a[4 * r + 1] = _mm512_shuffle_ps::<0xee>(b[4 * r], b[4 * r + 2]);
                a[4 * r + 2] = _mm512_shuffle_ps::<0x44>(b[4 * r + 1], b[4 * r + 3]);
                a[4 * r + 3] = _mm512_shuffle_ps::<0xee>(b[4 * r + 1], b[4 * r + 3]);
            }
            for i in 0..4 {
                let even_low = _mm512_shuffle_f32x4::<0x88>(a[i], a[4 + i]);
                let odd_low = _mm512_shuffle_f32x4::<0xdd>(a[i], a[4 + i]);
                let even_high = _mm512_shuffle_f32x4::<0x88>(a[8 + i], a[12 + i]);
                let odd_high = _mm512_shuffle_f32x4::<0xdd>(a[8 + i], a[12 + i]);
                b[i] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
                b[8 + i] = _mm512_shuffle_f32x4::<0xdd>(even_low, even_high);
                b[4 + i] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
                b[12 + i] = _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high);
            }
            for c in 0..16 {
                _mm512_storeu_ps(to.add(c * to_stride), b[c]);
            }
        }
    }
    #[inline(always)]
    fn rows(nr: usize) -> usize {
        match nr {
            1 | 2 => 12,
            3 => 8,
            _ => 6,
        }
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro) {
        unsafe {
            match nr {
                1 => with_rows!(micro_kernel, 1, job, 1 2 3 4 5 6 7 8 9 10 11 12),
                2 => with_rows!(micro_kernel, 2, job, 1 2 3 4 5 6 7 8 9 10 11 12),
                3 => with_rows!(micro_kernel, 3, job, 1 2 3 4 5 6 7 8),
                _ => with_rows!(micro_kernel, 4, job, 1 2 3 4 5 6),
            }
        }
    }
}

/// A function of its own: inlined into a large one, its sums do not all get registers.
///
/// # Safety
/// The processor has these instructions; see [`Micro`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
unsafe fn micro_kernel<const ROWS: usize, const NR: usize>(job: &Micro) {
    // SAFETY: the caller's promise.
    unsafe { micro::<Avx512, ROWS, NR>(job) }
}
