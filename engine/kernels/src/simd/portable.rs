//! Plain Rust that compilers turn into whatever the target's baseline has.

use super::Simd;
use crate::gemm::{Micro, micro, with_rows};

#[derive(Clone, Copy)]
pub(crate) struct Portable(pub(crate) [f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Simd for Portable {
    const LANES: usize = 4;
    const MAX_NR: usize = 2;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract; the cast pointer is read without alignment.
        unsafe { Self(from.cast::<[f32; 4]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // not `f32::mul_add`: without the instruction that is a library call
        self.mul(factor).add(addend)
    }
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        addend.sub(self.mul(factor))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        Self(self.0.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23)))
    }

    #[inline(always)]
    fn rows(_nr: usize) -> usize {
        6
    }
    #[inline(always)]
    unsafe fn micro(nr: usize, job: &Micro) {
        // SAFETY: the caller's promise.
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
/// See [`Micro`].
#[inline(never)]
unsafe fn micro_kernel<const ROWS: usize, const NR: usize>(job: &Micro) {
    // SAFETY: the caller's promise.
    unsafe { micro::<Portable, ROWS, NR>(job) }
}
