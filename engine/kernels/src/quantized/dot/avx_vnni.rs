//! `vpdpbusd` on 256-bit vectors. 16 registers: 12 hold sums, 2 weights.

use std::arch::x86_64::*;

use super::super::micro::{Micro, micro};
use super::{Dot, DotTask, Layout, avx2};
use crate::simd::avx2::Avx2;

#[derive(Clone, Copy)]
pub(super) struct Sums(__m256i);

/// # Safety
/// The processor has AVX2, FMA and AVX-VNNI; whatever the task demands.
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) unsafe fn run<T: DotTask>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Sums>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
impl Dot for Sums {
    type Real = Avx2;
    type Quad = __m256i;
    type Weights = __m256i;
    const LAYOUT: Layout = Layout::Quads;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe { Self(avx2::load_bytes(from)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe { avx2::store_bytes(self.0, to) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> __m256i {
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    fn dot(self, quad: __m256i, weights: __m256i) -> Self {
        unsafe { Self(_mm256_dpbusd_avx_epi32(self.0, quad, weights)) }
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
        unsafe { Self(avx2::round_within(real, low, high)) }
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro<'_>) {
        unsafe {
            match nr {
                1 => micro::<Self, 6, 1>(job),
                _ => micro::<Self, 6, 2>(job),
            }
        }
    }
}
