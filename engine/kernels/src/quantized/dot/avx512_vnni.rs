//! `vpdpbusd` on 512-bit vectors. 32 registers: 24 hold sums, 4 weights, the rest activations (the
//! instruction's memory operand is the signed one, so those cannot be broadcast inside it).

use std::arch::x86_64::*;

use super::super::micro::{Micro, micro};
use super::{Dot, DotTask, Layout};
use crate::simd::avx512::Avx512;

#[derive(Clone, Copy)]
pub(super) struct Sums(__m512i);

/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI; whatever the task demands.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
pub(super) unsafe fn run<T: DotTask>(task: T) {
    // SAFETY: the caller's promise.
    unsafe { task.run::<Sums>() }
}

// SAFETY of all blocks below: values of this type are made only inside `run`, so the processor has
// the instructions; pointers are as good as the trait's contract says.
impl Dot for Sums {
    type Real = Avx512;
    type Quad = __m512i;
    type Weights = __m512i;
    const LAYOUT: Layout = Layout::Quads;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        unsafe { Self(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(self.0)) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    fn dot(self, quad: __m512i, weights: __m512i) -> Self {
        unsafe { Self(_mm512_dpbusd_epi32(self.0, quad, weights)) }
    }
    #[inline(always)]
    fn splat(value: i32) -> Self {
        unsafe { Self(_mm512_set1_epi32(value)) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm512_add_epi32(self.0, other.0)) }
    }
    #[inline(always)]
    fn to_real(self) -> Avx512 {
        unsafe { Avx512(_mm512_cvtepi32_ps(self.0)) }
    }
    #[inline(always)]
    fn round_within(real: Avx512, low: Avx512, high: Avx512) -> Self {
        // the second operand is what the instructions make of NaN
        unsafe {
            let within = _mm512_min_ps(_mm512_max_ps(real.0, low.0), high.0);
            Self(_mm512_cvtps_epi32(within))
        }
    }
    #[inline(always)]
    unsafe fn store_row<const N: usize>(values: [Self; N], to: *mut u8) {
        unsafe {
            if N == 4 {
                // packing joins the quarters of its operands: [a0 b0 c0 d0 a1 b1 ...]
                let low = _mm512_packs_epi32(values[0].0, values[1].0);
                let high = _mm512_packs_epi32(values[2].0, values[3].0);
                let bytes = _mm512_packus_epi16(low, high);
                let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                _mm512_storeu_si512(to.cast(), _mm512_permutexvar_epi32(order, bytes));
            } else {
                for n in 0..N {
                    values[n].store_bytes(to.add(n * Self::LANES));
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro<'_>) {
        unsafe {
            match nr {
                1 => micro::<Self, 12, 1>(job),
                2 => micro::<Self, 12, 2>(job),
                3 => micro::<Self, 8, 3>(job),
                _ => micro::<Self, 6, 4>(job),
            }
        }
    }
}
