//! 256-bit vectors without a byte dot product that keeps all bits: activations and weights are
//! widened to 16 bits, where `vpmaddwd` sums pairs of products exactly.

use std::arch::x86_64::*;

use super::super::micro::{Micro, micro};
use super::{Dot, DotTask, Layout};
use crate::simd::avx2::Avx2;

#[derive(Clone, Copy)]
pub(super) struct Sums(__m256i);

/// # Safety
/// The processor has AVX2 and FMA; whatever the task demands.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<T: DotTask>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Sums>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
impl Dot for Sums {
    type Real = Avx2;
    /// Activations 0 and 2, and 1 and 3, as 16-bit numbers.
    type Quad = [__m256i; 2];
    type Weights = [__m256i; 2];
    const LAYOUT: Layout = Layout::Parities;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
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
    unsafe fn quad(from: *const u8) -> [__m256i; 2] {
        unsafe {
            let bytes = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
            let even = _mm256_and_si256(bytes, _mm256_set1_epi16(0xff));
            [even, _mm256_srli_epi16::<8>(bytes)]
        }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> [__m256i; 2] {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }
    #[inline(always)]
    fn dot(self, quad: [__m256i; 2], weights: [__m256i; 2]) -> Self {
        unsafe {
            let even = _mm256_madd_epi16(quad[0], weights[0]);
            let odd = _mm256_madd_epi16(quad[1], weights[1]);
            Self(_mm256_add_epi32(self.0, _mm256_add_epi32(even, odd)))
        }
    }
    #[inline(always)]
    fn splat(value: i32) -> Self {
        unsafe { Self(_mm256_set1_epi32(value)) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_epi32(self.0, other.0)) }
    }
    #[inline(always)]
    fn to_real(self) -> Avx2 {
        unsafe { Avx2(_mm256_cvtepi32_ps(self.0)) }
    }
    #[inline(always)]
    fn round_within(real: Avx2, low: Avx2, high: Avx2) -> Self {
        unsafe { Self(round_within(real, low, high)) }
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro<'_>) {
        unsafe {
            match nr {
                1 => micro::<Self, 4, 1>(job),
                _ => micro::<Self, 4, 2>(job),
            }
        }
    }
}

/// 8 bytes, widened.
///
/// # Safety
/// The processor has AVX2; `from` points at 8 readable bytes.
#[inline(always)]
pub(super) unsafe fn load_bytes(from: *const u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
}

/// 8 values of 0..=255 as bytes.
///
/// # Safety
/// The processor has AVX2; `to` points at 8 writable bytes.
#[inline(always)]
pub(super) unsafe fn store_bytes(values: __m256i, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = (_mm256_castsi256_si128(values), _mm256_extracti128_si256::<1>(values));
        let words = _mm_packs_epi32(low, high);
        _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
    }
}

/// See [`Dot::round_within`].
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn round_within(real: Avx2, low: Avx2, high: Avx2) -> __m256i {
    // SAFETY: the caller's promise. The second operand is what the instructions make of NaN.
    unsafe { _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(real.0, low.0), high.0)) }
}
