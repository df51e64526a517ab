//! The matrix micro-kernel that all dense operators end in, and the packing of weights for it.

use crate::aligned::AlignedBuf;
use crate::simd::{Isa, Simd};

/// `c[m][n] = sum over taps, k of a[m][tap][k] * b[tap][k][n]` for a block of rows `m` and of
/// output channels `n`. The sums over `k` are the same to the bit for any number of rows.
///
/// # Safety of running it
/// With `nr` of the micro-kernel: `a + m * row_stride + (offset of the tap) + k` is
/// readable for all `m < rows`, `b` holds `nr` vectors for each `k` of each tap, and
/// `c + m * c_row + n * c_vector` has room for a vector for all `m < rows` and `n < nr`.
pub(crate) struct Micro {
    /// Rows to compute, from 1 to [`Simd::rows`].
    pub(crate) rows: usize,
    pub(crate) a: *const f32,
    /// Values from one row of `a` to the next.
    pub(crate) row_stride: usize,
    /// Taps as a grid, rows of taps first.
    pub(crate) taps: [usize; 2],
    /// Values from one row of taps to the next, and from one tap to the next.
    pub(crate) tap_stride: [usize; 2],
    /// Input channels of a tap.
    pub(crate) depth: usize,
    /// Input channels of the last tap.
    pub(crate) last_depth: usize,
    pub(crate) b: *const f32,
    pub(crate) c: *mut f32,
    /// Values from one row of `c` to the next.
    pub(crate) c_row: usize,
    /// Values from one vector of output channels to the next.
    pub(crate) c_vector: usize,
    /// Whether the products are added to what is in `c`.
    pub(crate) adds: bool,
}

/// Calls the micro-kernel of `$nr` vectors that has just the rows of `$job`; there is one for each
/// number, so that no one computes or reads rows past the last pixel.
macro_rules! with_rows {
    ($kernel:ident, $nr:literal, $job:expr, $($rows:literal)+) => {
        match $job.rows {
            $($rows => $kernel::<$rows, $nr>($job),)+
            rows => debug_assert!(false, "no micro-kernel has {rows} rows"),
        }
    };
}
pub(crate) use with_rows;

/// # Safety
/// See [`Micro`]; `ROWS` is its number of rows.
#[inline(always)]
pub(crate) unsafe fn micro<S: Simd, const ROWS: usize, const NR: usize>(job: &Micro) {
    // SAFETY: the caller's promise bounds every pointer below.
    unsafe {
        let mut sums = [[S::zero(); NR]; ROWS];
        if job.adds {
            for m in 0..ROWS {
                sums[m] = S::load_each(job.c.add(m * job.c_row), job.c_vector);
            }
        }
        let mut b = job.b;
        for ty in 0..job.taps[0] {
            for tx in 0..job.taps[1] {
                let is_last = ty + 1 == job.taps[0] && tx + 1 == job.taps[1];
                let depth = if is_last { job.last_depth } else { job.depth };
                let a = job.a.add(ty * job.tap_stride[0] + tx * job.tap_stride[1]);
                for k in 0..depth {
                    let weights: [S; NR] = S::load_each(b, S::LANES);
                    for m in 0..ROWS {
                        let value = S::splat(*a.add(m * job.row_stride + k));
                        for n in 0..NR {
                            sums[m][n] = value.mul_add(weights[n], sums[m][n]);
                        }
                    }
                    b = b.add(NR * S::LANES);
                }
            }
        }
        for m in 0..ROWS {
            for n in 0..NR {
                sums[m][n].store(job.c.add(m * job.c_row + n * job.c_vector));
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

    /// One row times all panels of one slice: `out[n] = start[n] + sum over k of a[k] * weight[k][n]`.
    /// The micro-kernels would compute six rows or more; here several depths at once keep as many
    /// sums going, which is what hides the time from one multiply-add to the next.
    ///
    /// # Safety
    /// `a` has `depth` values; `start` and `out` a value for each padded output channel.
    #[inline(always)]
    pub(crate) unsafe fn row<S: Simd>(&self, a: *const f32, start: *const f32, out: *mut f32) {
        for i in 0..self.panels.len() {
            let panel = self.panels[i];
            // SAFETY: the caller's promise.
            unsafe {
                let (start, out) = (start.add(panel.channel), out.add(panel.channel));
                self.panel_row::<S>(panel, 0, a, start, out);
            }
        }
    }

    /// As [`Packed::row`] for one panel of any slice; `start` and `out` are those of its channels.
    ///
    /// # Safety
    /// As there, for the channels of the panel, which is one of this packing; `slice` is less than
    /// `slices`.
    #[inline(always)]
    pub(crate) unsafe fn panel_row<S: Simd>(
        &self,
        panel: Panel,
        slice: usize,
        a: *const f32,
        start: *const f32,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise; a panel's weights are as `new` packed them.
        unsafe {
            let b = self.slice::<S>(panel, slice);
            match panel.nr {
                1 => row::<S, 1, 8>(self.depth, a, b, start, out),
                2 => row::<S, 2, 4>(self.depth, a, b, start, out),
                3 => row::<S, 3, 3>(self.depth, a, b, start, out),
                _ => row::<S, 4, 2>(self.depth, a, b, start, out),
            }
        }
    }
}

/// # Safety
/// See [`Packed::row`], for one panel of `NR` vectors.
#[inline(always)]
unsafe fn row<S: Simd, const NR: usize, const AT_ONCE: usize>(
    depth: usize,
    a: *const f32,
    b: *const f32,
    start: *const f32,
    out: *mut f32,
) {
    // SAFETY: the caller's promise bounds every pointer below.
    unsafe {
        let mut sums = [[S::zero(); NR]; AT_ONCE];
        sums[0] = S::load_each(start, S::LANES);
        let whole = depth - depth % AT_ONCE;
        for k in (0..whole).step_by(AT_ONCE) {
            for i in 0..AT_ONCE {
                let value = S::splat(*a.add(k + i));
                let weights: [S; NR] = S::load_each(b.add((k + i) * NR * S::LANES), S::LANES);
                for n in 0..NR {
                    sums[i][n] = value.mul_add(weights[n], sums[i][n]);
                }
            }
        }
        for k in whole..depth {
            let value = S::splat(*a.add(k));
            let weights: [S; NR] = S::load_each(b.add(k * NR * S::LANES), S::LANES);
            for n in 0..NR {
                sums[0][n] = value.mul_add(weights[n], sums[0][n]);
            }
        }
        for n in 0..NR {
            let mut sum = sums[0][n];
            for i in 1..AT_ONCE {
                sum = sum.add(sums[i][n]);
            }
            sum.store(out.add(n * S::LANES));
        }
    }
}
