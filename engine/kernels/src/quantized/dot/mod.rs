//! Sums of products of bytes: one kernel source for all the instructions that compute them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dot;
mod portable;

use std::sync::OnceLock;

use super::micro::Micro;
use crate::Isa;
use crate::simd::Simd;

/// A vector of `i32` sums, as many as [`Dot::Real`] has values. Named only inside
/// [`DotProduct::run`], after the processor was asked, which is why arithmetic is safe to call.
///
/// All types give the same bits: sums wrap around and never saturate, whole numbers become `f32`
/// rounded to the nearest, ties to even, and back likewise.
pub(super) trait Dot: Copy + Send + Sync + 'static {
    /// The vector of `f32` with as many values.
    type Real: Simd;
    /// Four neighbouring activations, ready to meet any lane's weights.
    type Quad: Copy;
    /// Four weights for each lane, laid out as [`Dot::LAYOUT`] says.
    type Weights: Copy;

    /// Values in a vector.
    const LANES: usize = Self::Real::LANES;
    /// How weights lie in memory.
    const LAYOUT: Layout;

    /// # Safety
    /// `from` points at `LANES` readable values.
    unsafe fn load(from: *const i32) -> Self;
    /// `LANES` bytes, each made a sum.
    /// # Safety
    /// `from` points at `LANES` readable bytes.
    unsafe fn load_bytes(from: *const u8) -> Self;
    /// Writes values that lie in 0..=255 as bytes.
    /// # Safety
    /// `to` points at `LANES` writable bytes.
    unsafe fn store_bytes(self, to: *mut u8);
    /// # Safety
    /// `from` points at 4 readable bytes.
    unsafe fn quad(from: *const u8) -> Self::Quad;
    /// # Safety
    /// `from` points at `LAYOUT.bytes(LANES)` readable bytes.
    unsafe fn weights(from: *const u8) -> Self::Weights;
    /// Adds, in each lane, the products of the activations with its weights.
    fn dot(self, quad: Self::Quad, weights: Self::Weights) -> Self;
    fn splat(value: i32) -> Self;
    fn add(self, other: Self) -> Self;
    fn to_real(self) -> Self::Real;
    /// To the nearest whole numbers between `low` and `high`, which are whole; NaN becomes `low`.
    fn round_within(real: Self::Real, low: Self::Real, high: Self::Real) -> Self;

    /// Writes neighbouring vectors, as [`Dot::store_bytes`].
    /// # Safety
    /// `to` points at `N * LANES` writable bytes.
    #[inline(always)]
    unsafe fn store_row<const N: usize>(values: [Self; N], to: *mut u8) {
        for n in 0..N {
            // SAFETY: the caller's promise.
            unsafe { values[n].store_bytes(to.add(n * Self::LANES)) }
        }
    }

    /// Runs the micro-kernel that holds `nr` vectors of output channels.
    ///
    /// # Safety
    /// See [`Micro`].
    unsafe fn micro(nr: usize, job: &Micro<'_>);
}

/// How the four weights of each lane lie in memory, for one vector of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Bytes `[lane][4]`.
    Quads,
    /// 16-bit numbers `[parity][lane][2]`: weights 0 and 2 of every lane, then 1 and 3.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    Parities,
    /// 16-bit numbers `[4][lane]`.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    Rows,
}

impl Layout {
    /// Bytes of one vector's weights for four activations.
    pub(super) const fn bytes(self, lanes: usize) -> usize {
        match self {
            Self::Quads => 4 * lanes,
            Self::Parities | Self::Rows => 8 * lanes,
        }
    }

    /// Writes weight `k`, below 4, of a lane.
    pub(super) fn place(self, to: &mut [u8], lanes: usize, lane: usize, k: usize, weight: i8) {
        let number = match self {
            Self::Quads => {
                to[4 * lane + k] = weight as u8;
                return;
            }
            Self::Parities => (k % 2 * lanes + lane) * 2 + k / 2,
            Self::Rows => k * lanes + lane,
        };
        to[2 * number..2 * number + 2].copy_from_slice(&i16::from(weight).to_ne_bytes());
    }
}

/// Work that is compiled once for each way to sum products. `run` must be `#[inline(always)]`, so
/// that it is compiled with the instructions of the function it lands in.
pub(super) trait DotTask {
    /// # Safety
    /// The processor has the instructions of `D`; whatever else the task itself demands.
    unsafe fn run<D: Dot>(self);
}

/// Instructions that sum products of bytes. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotProduct {
    /// Plain Rust, any processor.
    Portable,
    /// Widening multiply-add of any 64-bit ARM.
    Neon,
    /// `sdot` of ARMv8.2 with the dot-product extension.
    NeonDot,
    /// 256-bit vectors, bytes widened to 16 bits first (`vpmaddwd`): the byte instruction of AVX2
    /// saturates.
    Avx2,
    /// `vpdpbusd` on 256-bit vectors.
    AvxVnni,
    /// `vpdpbusd` on 512-bit vectors.
    Avx512Vnni,
}

impl DotProduct {
    /// All of them, slowest first.
    pub const ALL: [Self; 6] =
        [Self::Portable, Self::Neon, Self::NeonDot, Self::Avx2, Self::AvxVnni, Self::Avx512Vnni];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => self.isa().is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => self.isa().is_available() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                self.isa().is_available()
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[allow(unreachable_patterns)] // those of other processors
            _ => false,
        }
    }

    /// The instruction set it is part of.
    #[must_use]
    pub fn isa(self) -> Isa {
        match self {
            Self::Portable => Isa::Portable,
            Self::Neon | Self::NeonDot => Isa::Neon,
            Self::Avx2 | Self::AvxVnni => Isa::Avx2,
            Self::Avx512Vnni => Isa::Avx512,
        }
    }

    /// The one in use: what the environment variable `LIMPID_DOT` names (`avx512-vnni`,
    /// `avx-vnni`, `avx2`, `neon-dot`, `neon`, `portable`) if this processor has it, else the best
    /// that needs no more than [`Isa::current`]. Decided once a process.
    #[must_use]
    pub fn current() -> Self {
        static CURRENT: OnceLock<DotProduct> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let wanted = std::env::var("LIMPID_DOT").unwrap_or_default();
            let named = Self::ALL.into_iter().find(|dot| dot.name() == wanted);
            named.filter(|dot| dot.is_available()).unwrap_or_else(|| Self::best(Isa::current()))
        })
    }

    /// The best that this processor has and that needs no more than `isa`.
    #[must_use]
    pub fn best(isa: Isa) -> Self {
        let within = |dot: &Self| match isa {
            Isa::Portable => *dot == Self::Portable,
            Isa::Avx2 => dot.isa() != Isa::Avx512,
            Isa::Neon | Isa::Avx512 => true,
        };
        let best = Self::ALL.into_iter().rev().find(|dot| within(dot) && dot.is_available());
        best.unwrap_or(Self::Portable)
    }

    /// The name that `LIMPID_DOT` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dot",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avx-vnni",
            Self::Avx512Vnni => "avx512-vnni",
        }
    }

    /// What every activation has subtracted before it is multiplied; the bias makes up for it.
    pub(super) fn offset(self) -> i32 {
        // `sdot` takes signed bytes only
        if self == Self::NeonDot { 128 } else { 0 }
    }

    pub(super) fn layout(self) -> Layout {
        match self {
            Self::Portable | Self::NeonDot | Self::AvxVnni | Self::Avx512Vnni => Layout::Quads,
            Self::Avx2 => Layout::Parities,
            Self::Neon => Layout::Rows,
        }
    }

    /// Sums in a vector.
    pub(super) fn lanes(self) -> usize {
        self.isa().lanes()
    }

    /// Most vectors of output channels its micro-kernel holds.
    pub(super) fn max_nr(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 | Self::AvxVnni => 2,
            Self::Neon | Self::NeonDot | Self::Avx512Vnni => 4,
        }
    }

    /// Rows (output pixels) of the micro-kernel that holds `nr` vectors of output channels.
    pub(super) fn rows(self, nr: usize) -> usize {
        match (self, nr) {
            (Self::Portable | Self::Avx2, _) => 4,
            (Self::Neon | Self::NeonDot | Self::AvxVnni, _) => 6,
            (Self::Avx512Vnni, 1 | 2) => 12,
            (Self::Avx512Vnni, 3) => 8,
            (Self::Avx512Vnni, _) => 6,
        }
    }

    /// Runs `task` with these instructions, or with the portable code where they are missing.
    ///
    /// # Safety
    /// Whatever the task itself demands.
    pub(super) unsafe fn run<T: DotTask>(self, task: T) {
        let checked = if self.is_available() { self } else { Self::Portable };
        // SAFETY: every arm needs the instructions that `is_available` asked for.
        unsafe {
            match checked {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512Vnni => avx512_vnni::run(task),
                #[cfg(target_arch = "x86_64")]
                Self::AvxVnni => avx_vnni::run(task),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => avx2::run(task),
                #[cfg(target_arch = "aarch64")]
                Self::NeonDot => neon_dot::run(task),
                #[cfg(target_arch = "aarch64")]
                Self::Neon => neon::run(task),
                _ => task.run::<portable::Sums>(),
            }
        }
    }
}
