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

impl Task for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { spec, weights, input, writer, output, width, row } = self;
        let pixel = input.pixel_stride();
        let top = (row * spec.stride[0]) as isize - spec.padding.top as isize;
        let rows = taps_inside(top, spec.dilation[0], spec.kernel[0], input.height());
        for x in 0..width {
            let left = (x * spec.stride[1]) as isize - spec.padding.left as isize;
            let columns = taps_inside(left, spec.dilation[1], spec.kernel[1], input.width());
            for c in (0..pixel).step_by(S::LANES) {
                let mut sum = S::zero();
                for ky in rows.clone() {
                    let y = (top + (ky * spec.dilation[0]) as isize) as usize;
                    for kx in columns.clone() {
                        let x = (left + (kx * spec.dilation[1]) as isize) as usize;
                        // SAFETY: `taps_inside` keeps pixel and tap in range; `c` starts a whole
                        // vector of the padded channels.
                        unsafe {
                            let from = (y * input.width() + x) * pixel + c;
                            let value = S::load(input.as_ptr().add(from));
                            let tap = (ky * spec.kernel[1] + kx) * pixel + c;
                            sum = value.mul_add(S::load(weights.as_ptr().add(tap)), sum);
                        }
                    }
                }
                // SAFETY: the pixel lies in this block's row of the output.
                unsafe {
                    let offset = (row * width + x) * pixel + c;
                    let [value] = writer.finish([sum], c, offset, 0);
                    value.store(output.get().add(offset));
                }
            }
        }
    }
}
