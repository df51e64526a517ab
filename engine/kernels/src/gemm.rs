//! The matrix micro-kernel that all dense operators end in, and the packing of weights for it.

use crate::aligned::AlignedBuf;
use crate::simd::{Isa, Simd};

/// `c[m][n] = sum over taps, k of a[m][tap + k] * b[tap][k][n]` for a block of rows `m` and of
/// output channels `n`; how many of each depends on the vector type (`Simd::rows`).
///
/// # Safety of running it
/// With `rows` and `nr` of the micro-kernel: `a + m * row_stride + tap + k` is readable for all
/// `m < rows`, `b` holds `taps.len() * depth * nr` vectors, and `c + m * c_stride` has room for
/// `nr` vectors.
pub(crate) struct Micro<'a> {
    pub(crate) a: *const f32,
    /// Values from one row of `a` to the next.
    pub(crate) row_stride: usize,
    /// Where each tap starts, relative to its row.
    pub(crate) taps: &'a [usize],
    /// Input channels.
    pub(crate) depth: usize,
    pub(crate) b: *const f32,
    pub(crate) c: *mut f32,
    /// Values from one row of `c` to the next.
    pub(crate) c_stride: usize,
}

/// # Safety
/// See [`Micro`].
#[inline(always)]
pub(crate) unsafe fn micro<S: Simd, const ROWS: usize, const NR: usize>(job: &Micro<'_>) {
    // SAFETY: the caller's promise bounds every pointer below.
    unsafe {
        let mut sums = [[S::zero(); NR]; ROWS];
        let mut b = job.b;
        for &tap in job.taps {
            let a = job.a.add(tap);
            for k in 0..job.depth {
                let weights: [S; NR] = std::array::from_fn(|n| S::load(b.add(n * S::LANES)));
                for m in 0..ROWS {
                    let value = S::splat(*a.add(m * job.row_stride + k));
                    for n in 0..NR {
                        sums[m][n] = value.mul_add(weights[n], sums[m][n]);
                    }
                }
                b = b.add(NR * S::LANES);
            }
        }
        for m in 0..ROWS {
            for n in 0..NR {
                sums[m][n].store(job.c.add(m * job.c_stride + n * S::LANES));
            }
        }
    }
}

/// Output channels of one micro-kernel call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// First output channel.
    pub(crate) channel: usize,
    /// Vectors of output channels.
    pub(crate) nr: usize,
    /// Where its weights start.
    pub(crate) offset: usize,
}

/// Weights as the micro-kernel reads them: panels of output channels, each `[slices][depth][n]`.
/// A slice is a kernel tap, or one of the 36 points of the Winograd domain.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) panels: Vec<Panel>,
    pub(crate) data: AlignedBuf,
    /// Slices in a panel.
    pub(crate) slices: usize,
    /// Input channels.
    pub(crate) depth: usize,
}

impl Packed {
    /// Packs `weight(slice, input_channel, output_channel)`. `out_padded` is a multiple of the
    /// vector; channels from `out_channels` on get zeros.
    pub(crate) fn new(
        isa: Isa,
        slices: usize,
        depth: usize,
        out_channels: usize,
        out_padded: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let lanes = isa.lanes();
        let vectors = out_padded / lanes;
        let count = vectors.div_ceil(isa.max_nr());
        let mut data = AlignedBuf::zeros(slices * depth * out_padded);
        let mut panels = Vec::with_capacity(count);
        let (mut first, mut offset) = (0, 0);
        for panel in 0..count {
            // as equal as can be: 5 vectors are 3 + 2, not 4 + 1
            let nr = (vectors - first).div_ceil(count - panel);
            panels.push(Panel { channel: first * lanes, nr, offset });
            for slice in 0..slices {
                for k in 0..depth {
                    for n in 0..nr * lanes {
                        let channel = first * lanes + n;
                        if channel < out_channels {
                            data[offset] = weight(slice, k, channel);
                        }
                        offset += 1;
                    }
                }
            }
            first += nr;
        }
        Self { panels, data, slices, depth }
    }

    /// The weights of one slice of a panel, `[depth][n]`.
    ///
    /// # Safety
    /// `slice` is less than `slices`, and the panel is one of this packing.
    #[inline(always)]
    pub(crate) unsafe fn slice<S: Simd>(&self, panel: Panel, slice: usize) -> *const f32 {
        debug_assert!(slice < self.slices);
        // SAFETY: inside `data`, as packed by `new`.
        unsafe { self.data.as_ptr().add(panel.offset + slice * self.depth * panel.nr * S::LANES) }
    }
}
