//! One kernel for each channel: vectors run over the channels of a pixel.

use super::ConvSpec;
use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::epilogue::Writer;
use crate::feature::padded;
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, RunContext};

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// `[taps][channels]`, padded like a pixel.
    data: AlignedBuf,
}

struct Row<'a> {
    spec: &'a ConvSpec,
    weights: &'a [f32],
    input: &'a Feature,
    writer: Writer<'a>,
    output: SharedMut,
    width: usize,
    row: usize,
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32]) -> Self {
        let taps = spec.kernel[0] * spec.kernel[1];
        let pixel = padded(spec.in_channels);
        let mut data = AlignedBuf::zeros(taps * pixel);
        for (channel, kernel) in weight.chunks_exact(taps).enumerate() {
            for (tap, value) in kernel.iter().enumerate() {
                data[tap * pixel + channel] = *value;
            }
        }
        Self { data }
    }

    pub(super) fn run(
        &self,
        spec: &ConvSpec,
        isa: Isa,
        input: &Feature,
        output: &mut Feature,
        writer: Writer<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let (height, width) = (output.height(), output.width());
        let output = output.shared_mut();
        cx.for_each_block(height, 0, |row, _| {
            let row = Row { spec, weights: &self.data, input, writer, output, width, row };
            // SAFETY: each block writes its own row.
            unsafe { isa.run(row) }
        })?;
        Ok(())
    }
}

/// Taps `k` for which `start + k * dilation` lies in `0..size`.
#[inline(always)]
fn taps_inside(
    start: isize,
    dilation: usize,
    kernel: usize,
    size: usize,
) -> std::ops::Range<usize> {
    let step = dilation as isize;
    let first = if start < 0 { (-start + step - 1) / step } else { 0 };
    let end = if size as isize > start { (size as isize - start + step - 1) / step } else { 0 };
    let end = (end as usize).min(kernel);
    (first as usize).min(end)..end
}

/// Neighbouring outputs computed together: each input vector serves as many of them as it can.
const GROUP: usize = 4;

impl Task for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let spec = self.spec;
        let plain = spec.stride == [1, 1] && spec.dilation == [1, 1];
        // outputs whose taps all lie inside the input's columns
        let inner = spec.padding.left
            ..(spec.padding.left + self.input.width() + 1)
                .saturating_sub(spec.kernel[1])
                .min(self.width);
        let mut x = 0;
        while x < self.width {
            let fits = plain && x >= inner.start && x + GROUP <= inner.end;
            // SAFETY: the columns are in the row; groups only where all their taps are inside.
            unsafe {
                match spec.kernel[1] {
                    3 if fits => self.group::<S, 3>(x),
                    5 if fits => self.group::<S, 5>(x),
                    _ => self.pixel::<S>(x),
                }
            }
            x += if fits && matches!(spec.kernel[1], 3 | 5) { GROUP } else { 1 };
        }
    }
}

impl Row<'_> {
    /// First input row of the taps, and the taps that lie inside.
    #[inline(always)]
    fn rows(&self) -> (isize, std::ops::Range<usize>) {
        let spec = self.spec;
        let top = (self.row * spec.stride[0]) as isize - spec.padding.top as isize;
        (top, taps_inside(top, spec.dilation[0], spec.kernel[0], self.input.height()))
    }

    /// Outputs `x..x + GROUP` of a kernel with `WIDTH` columns.
    ///
    /// # Safety
    /// Stride and dilation are 1, and the taps of all these outputs lie inside the input's columns.
    #[inline(always)]
    unsafe fn group<S: Simd, const WIDTH: usize>(&self, x: usize) {
        let pixel = self.input.pixel_stride();
        let (top, rows) = self.rows();
        let left = x - self.spec.padding.left;
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: rows by `rows`, columns by the caller's promise; `c` starts a whole vector of
            // the padded channels; the outputs lie in this block's row.
            unsafe {
                let mut sums = [S::zero(); GROUP];
                for ky in rows.clone() {
                    let y = (top + ky as isize) as usize;
                    let from = (y * self.input.width() + left) * pixel + c;
                    let from = self.input.as_ptr().add(from);
                    let weights = self.weights.as_ptr().add(ky * WIDTH * pixel + c);
                    let weights: [S; WIDTH] = S::load_each(weights, pixel);
                    for i in 0..WIDTH + GROUP - 1 {
                        let value = S::load(from.add(i * pixel));
                        S::prefetch(from.wrapping_add((i + 4 * GROUP) * pixel));
                        for kx in i.saturating_sub(GROUP - 1)..WIDTH.min(i + 1) {
                            sums[i - kx] = value.mul_add(weights[kx], sums[i - kx]);
                        }
                    }
                }
                let offset = (self.row * self.width + x) * pixel + c;
                let values = self.writer.finish(sums, c, offset, pixel);
                for i in 0..GROUP {
                    values[i].store(self.output.get().add(offset + i * pixel));
                }
            }
        }
    }

    /// Output `x` of any kernel.
    ///
    /// # Safety
    /// `x` is less than the output's width.
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, x: usize) {
        let spec = self.spec;
        let pixel = self.input.pixel_stride();
        let (top, rows) = self.rows();
        let left = (x * spec.stride[1]) as isize - spec.padding.left as isize;
        let columns = taps_inside(left, spec.dilation[1], spec.kernel[1], self.input.width());
        for c in (0..pixel).step_by(S::LANES) {
            let mut sum = S::zero();
            for ky in rows.clone() {
                let y = (top + (ky * spec.dilation[0]) as isize) as usize;
                for kx in columns.clone() {
                    let x = (left + (kx * spec.dilation[1]) as isize) as usize;
                    // SAFETY: `taps_inside` keeps pixel and tap in range; `c` starts a whole
                    // vector of the padded channels.
                    unsafe {
                        let from = (y * self.input.width() + x) * pixel + c;
                        let value = S::load(self.input.as_ptr().add(from));
                        let tap = (ky * spec.kernel[1] + kx) * pixel + c;
                        sum = value.mul_add(S::load(self.weights.as_ptr().add(tap)), sum);
                    }
                }
            }
            // SAFETY: the pixel lies in this block's row of the output.
            unsafe {
                let offset = (self.row * self.width + x) * pixel + c;
                let [value] = self.writer.finish([sum], c, offset, 0);
                value.store(self.output.get().add(offset));
            }
        }
    }
}
