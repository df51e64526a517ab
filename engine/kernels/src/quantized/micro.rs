//! The micro-kernel of the convolution in whole numbers.

use std::mem::MaybeUninit;

use super::dot::Dot;
use super::finish::Finish;

/// Output pixels `m` and channels `n` of one call: `sums[m][n] = bias[n] + sum over taps, k of
/// a[m][tap][k] * weights[tap][k][n]`, finished and written. How many there are depends on the
/// instructions ([`super::DotProduct::rows`]).
///
/// # Safety of running it
/// With `rows` and `nr` of the micro-kernel: `a + m * row_stride + (offset of the tap) + k` is
/// readable for all `m < rows` and `k < 4 * quads`; `weights` holds `nr` vectors for each quad of
/// each tap, and `bias` `nr` vectors; `count` is at most `rows`, and the output pixels from `pixel`
/// to `pixel + count` are those of `finish`'s output, and no one else writes these channels.
pub(super) struct Micro<'a> {
    pub(super) a: *const u8,
    /// Bytes from one row of `a` to the next.
    pub(super) row_stride: usize,
    /// Taps as a grid, rows of taps first.
    pub(super) taps: [usize; 2],
    /// Bytes from one row of taps to the next, and from one tap to the next.
    pub(super) tap_stride: [usize; 2],
    /// Groups of four input channels of a tap.
    pub(super) quads: usize,
    pub(super) weights: *const u8,
    pub(super) bias: *const i32,
    pub(super) finish: &'a Finish<'a>,
    /// First output channel.
    pub(super) channel: usize,
    /// First output pixel, counted through the whole feature.
    pub(super) pixel: usize,
    /// Rows that are output pixels; the rest is computed and dropped.
    pub(super) count: usize,
}

/// # Safety
/// See [`Micro`].
#[inline(always)]
pub(super) unsafe fn micro<D: Dot, const ROWS: usize, const NR: usize>(job: &Micro<'_>) {
    // SAFETY: the caller's promise bounds every pointer below.
    unsafe {
        let mut start = [D::splat(0); NR];
        for n in 0..NR {
            start[n] = D::load(job.bias.add(n * D::LANES));
        }
        let mut sums = [start; ROWS];
        let step = D::LAYOUT.bytes(D::LANES);
        let mut from = job.weights;
        for ty in 0..job.taps[0] {
            for tx in 0..job.taps[1] {
                let mut a = job.a.add(ty * job.tap_stride[0] + tx * job.tap_stride[1]);
                for _ in 0..job.quads {
                    let mut weights = [D::weights(from); NR];
                    for n in 1..NR {
                        weights[n] = D::weights(from.add(n * step));
                    }
                    for m in 0..ROWS {
                        let quad = D::quad(a.add(m * job.row_stride));
                        for n in 0..NR {
                            sums[m][n] = sums[m][n].dot(quad, weights[n]);
                        }
                    }
                    from = from.add(NR * step);
                    a = a.add(4);
                }
            }
        }
        // through memory: indexed by a variable, the sums themselves would live there all the time
        let mut done = MaybeUninit::<[[D; NR]; ROWS]>::uninit();
        let done = done.as_mut_ptr().cast::<D>();
        for m in 0..ROWS {
            for n in 0..NR {
                done.add(m * NR + n).write(sums[m][n]);
            }
        }
        for m in 0..job.count {
            let row = done.cast::<[D; NR]>().add(m).read();
            job.finish.row::<D, NR>(row, job.channel, job.pixel + m);
        }
    }
}
