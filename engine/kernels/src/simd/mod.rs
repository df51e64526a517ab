//! One kernel source for all instruction sets: the vector type, and the one place that chooses it.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;

use std::sync::OnceLock;

use crate::gemm::Micro;

/// A vector of `f32`. The types behind it are named only inside [`Isa::run`], after the processor
/// was asked, which is why the arithmetic can be safe to call.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Values in a vector: 4, 8 or 16.
    const LANES: usize;
    /// Most vectors of output channels the matrix micro-kernel holds at once.
    const MAX_NR: usize;

    fn splat(value: f32) -> Self;
    /// # Safety
    /// `from` points at `LANES` readable values.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` points at `LANES` writable values.
    unsafe fn store(self, to: *mut f32);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once where the processor can.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `addend - self * factor`, likewise.
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self;
    /// To the nearest whole number.
    fn round(self) -> Self;
    /// 2 to the power of a whole number in -126..=127.
    fn exp2_whole(self) -> Self;

    /// Asks for the cache line at `address`, which may lie anywhere.
    #[inline(always)]
    fn prefetch(_address: *const f32) {}
    /// Likewise, for a line that will be written whole.
    #[inline(always)]
    fn prefetch_to_write(_address: *const f32) {}

    /// `to[c][r] = from[r][c]` for a block of `LANES` rows and columns, whose rows are `from_stride`
    /// and `to_stride` values apart.
    ///
    /// # Safety
    /// All of these values are readable and writable, and the two blocks do not overlap.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for r in 0..Self::LANES {
            for c in 0..Self::LANES {
                // SAFETY: the caller's promise.
                unsafe { *to.add(c * to_stride + r) = *from.add(r * from_stride + c) }
            }
        }
    }

    /// Most rows of a micro-kernel that holds `nr` vectors of output channels.
    fn rows(nr: usize) -> usize;
    /// Runs the micro-kernel for `nr` vectors and the rows of `job`.
    ///
    /// # Safety
    /// See [`Micro`].
    unsafe fn micro(nr: usize, job: &Micro);

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }

    /// Vectors `step` values apart. A loop, as everywhere in the kernels: a closure is a function
    /// of its own, compiled without the vector instructions, and where the compiler does not inline
    /// it every operation in it is a call.
    ///
    /// # Safety
    /// `from`, `from + step`, ... each point at `LANES` readable values.
    #[inline(always)]
    unsafe fn load_each<const N: usize>(from: *const f32, step: usize) -> [Self; N] {
        let mut vectors = [Self::zero(); N];
        for i in 0..N {
            // SAFETY: the caller's promise.
            vectors[i] = unsafe { Self::load(from.add(i * step)) };
        }
        vectors
    }

    /// 1 divided by this, within 2 units in the last place.
    #[inline(always)]
    fn reciprocal(self) -> Self {
        Self::splat(1.0).div(self)
    }

    /// 2 to the power of this, within 2 units in the last place, clamped to -126..=126: a polynomial
    /// for what is left beside the whole part (at the Chebyshev points of -1/2..=1/2, error 3e-9).
    #[inline(always)]
    fn exp2(self) -> Self {
        let x = self.max(Self::splat(-126.0)).min(Self::splat(126.0));
        let whole = x.round();
        let rest = x.sub(whole);
        let mut p = Self::splat(1.546_144_5e-4);
        for c in [1.340_042_8e-3, 9.618_057e-3, 5.550_327e-2, 2.402_265e-1, 6.931_472e-1, 1.0] {
            p = p.mul_add(rest, Self::splat(c));
        }
        p.mul(whole.exp2_whole())
    }

    /// 2 to the power of this, which is 0 or less and finite, within 2 units in the last place; what
    /// is below -126 may count as -126. A polynomial at the Chebyshev points, error 9e-8: one term
    /// less than [`Simd::exp2`], for softmax, which does little else.
    #[inline(always)]
    fn exp2_negative(self) -> Self {
        let x = self.max(Self::splat(-126.0));
        let whole = x.round();
        exp2_rest(x.sub(whole)).mul(whole.exp2_whole())
    }

    /// `1 / (1 + exp(-self))`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        self.mul(Self::splat(-std::f32::consts::LOG2_E)).exp2().add(Self::splat(1.0)).reciprocal()
    }
}

/// The polynomial of [`Simd::exp2_negative`] for what is left beside the whole part.
#[allow(clippy::approx_constant)] // fitted with the others, and not quite the logarithm of 2
#[inline(always)]
fn exp2_rest<S: Simd>(rest: S) -> S {
    let mut p = S::splat(1.326_472_8e-3);
    for c in [9.671_513e-3, 5.550_733_6e-2, 2.402_224_2e-1, 6.931_47e-1, 1.0] {
        p = p.mul_add(rest, S::splat(c));
    }
    p
}

/// Work that is compiled once for each instruction set. `run` must be `#[inline(always)]`, so that
/// it is compiled with the instructions of the function it lands in.
pub(crate) trait Task {
    /// # Safety
    /// The processor has the instructions of `S`; whatever else the task itself demands.
    unsafe fn run<S: Simd>(self);
}

/// An instruction set the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, any processor.
    Portable,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

impl Isa {
    /// All instruction sets, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The set in use: the one named by the environment variable `LIMPID_ISA` (`avx512`, `avx2`,
    /// `neon`, `portable`) if this processor has it, else the best it has. Decided once a process.
    #[must_use]
    pub fn current() -> Self {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let wanted = std::env::var("LIMPID_ISA").unwrap_or_default();
            let named = Self::ALL.into_iter().find(|isa| isa.name() == wanted);
            named.filter(|isa| isa.is_available()).unwrap_or_else(Self::best)
        })
    }

    /// The name that `LIMPID_ISA` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    fn best() -> Self {
        let best = Self::ALL.into_iter().rev().find(|isa| isa.is_available());
        best.unwrap_or(Self::Portable)
    }

    /// Values in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Neon => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Most vectors of output channels its micro-kernel holds.
    pub(crate) fn max_nr(self) -> usize {
        match self {
            Self::Portable => portable::Portable::MAX_NR,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::Neon::MAX_NR,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::MAX_NR,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::MAX_NR,
            #[allow(unreachable_patterns)] // the sets of other processors
            _ => portable::Portable::MAX_NR,
        }
    }

    /// Rows of its micro-kernel for `nr` vectors of output channels: [`Simd::rows`].
    pub(crate) fn rows(self, nr: usize) -> usize {
        match self {
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::Neon::rows(nr),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::rows(nr),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::rows(nr),
            _ => portable::Portable::rows(nr),
        }
    }

    /// Runs `task` with this instruction set, or with the portable one where it is missing.
    ///
    /// # Safety
    /// Whatever the task itself demands.
    pub(crate) unsafe fn run<T: Task>(self, task: T) {
        // SAFETY: every arm names instructions that an `Isa` value which passed `is_available`
        // stands for; `checked` lets no other value through.
        unsafe {
            match self.checked() {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => avx512::run(task),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => avx2::run(task),
                #[cfg(target_arch = "aarch64")]
                Self::Neon => neon::run(task),
                _ => task.run::<portable::Portable>(),
            }
        }
    }

    /// This set if the processor has it, else the portable one.
    pub(crate) fn checked(self) -> Self {
        if self.is_available() { self } else { Self::Portable }
    }
}
