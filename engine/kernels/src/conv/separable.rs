//! A depthwise convolution and the 1 x 1 convolution behind it in one pass: what the first gives
//! for a few pixels is in the first-level cache when the second reads it, and never in memory.

use super::depthwise::{Tile, patch_len};
use super::pointwise::{self, MAX_ROWS};
use super::{Conv2d, Weights};
use crate::context::{SharedMut, cost};
use crate::epilogue::Writer;
use crate::simd::{Simd, Task};
use crate::{Activation, Epilogue, Feature, KernelError, RunContext, ShapeError};

/// Output rows of one block of work.
const ROWS: usize = 2;
/// Output columns of one block: a multiple of every micro-kernel's rows, and few enough that 64
/// channels of a block stay in the first-level cache beside the weights.
const COLUMNS: usize = 48;

/// A depthwise convolution followed by a dense 1 x 1 convolution.
#[derive(Clone, Debug)]
pub struct SeparableConv2d {
    depthwise: Conv2d,
    pointwise: Conv2d,
}

struct Block<'a> {
    depthwise: Tile<'a>,
    pointwise: &'a pointwise::Weights,
    writer: Writer<'a>,
    output: SharedMut,
    out_pixel: usize,
    /// Where the sums of a micro-kernel go.
    sums: &'a mut [f32],
}

impl SeparableConv2d {
    /// Joins two convolutions that were made for the same instruction set.
    ///
    /// # Errors
    /// [`ShapeError`] when the first is not depthwise, the second not 1 x 1 without groups and
    /// padding, or their channels differ.
    pub fn new(depthwise: Conv2d, pointwise: Conv2d) -> Result<Self, ShapeError> {
        let (first, second) = (depthwise.spec(), pointwise.spec());
        let is_pair = matches!(depthwise.weights, Weights::Depthwise(_))
            && matches!(pointwise.weights, Weights::Pointwise(_));
        if !is_pair || first.out_channels != second.in_channels || depthwise.isa != pointwise.isa {
            return Err(ShapeError(format!("{first:?} and {second:?} are not separable")));
        }
        Ok(Self { depthwise, pointwise })
    }

    /// Multiplications and additions for one output pixel.
    #[must_use]
    pub fn flops_per_pixel(&self) -> u64 {
        self.depthwise.spec().flops_per_pixel() + self.pointwise.spec().flops_per_pixel()
    }

    /// As the depthwise convolution with the activation `between` and the 1 x 1 convolution with
    /// `epilogue`, one after the other: the same bits.
    ///
    /// # Errors
    /// As [`Conv2d::run`].
    pub fn run(
        &self,
        input: &Feature,
        output: &mut Feature,
        between: Activation<'_>,
        epilogue: &Epilogue<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let (Weights::Depthwise(first), Weights::Pointwise(second)) =
            (&self.depthwise.weights, &self.pointwise.weights)
        else {
            return Err(ShapeError("the convolutions are not separable".to_owned()).into());
        };
        let spec = self.depthwise.spec();
        self.depthwise.check_channels(input.channels())?;
        let (height, width) = spec.output_size(input.height(), input.width())?;
        let inner = Epilogue::activation(between);
        let inner = inner.writer([spec.out_channels, height, width], &self.depthwise.bias)?;
        let out_channels = self.pointwise.spec().out_channels;
        let writer = epilogue.writer([out_channels, height, width], &self.pointwise.bias)?;
        output.reset(out_channels, height, width)?;

        let (pixel, out_pixel) = (input.pixel_stride(), output.pixel_stride());
        let to_row = COLUMNS * pixel;
        let sums_len = MAX_ROWS * second.widest(self.pointwise.isa);
        let between_len = ROWS * COLUMNS * pixel;
        let patch_len = patch_len(spec, pixel);
        let chunks = width.div_ceil(COLUMNS);
        let pixels = height * width;
        let operations = self.flops_per_pixel() as usize / 2;
        let crew = cx.crew(cost(pixels * operations, pixels * (pixel + out_pixel)));
        let output = output.shared_mut();
        let blocks = height.div_ceil(ROWS) * chunks;
        let scratch_len = sums_len + between_len + patch_len;
        crew.for_each_block(blocks, scratch_len, |block, scratch| {
            let (y, x) = (block / chunks * ROWS, block % chunks * COLUMNS);
            let (sums, rest) = scratch.split_at_mut(sums_len);
            let (between, patch) = rest.split_at_mut(between_len);
            let depthwise = Tile {
                spec,
                weights: first,
                input,
                writer: inner,
                rows: y..(y + ROWS).min(height),
                columns: x..(x + COLUMNS).min(width),
                width,
                to: SharedMut(between.as_mut_ptr()),
                to_row,
                patch,
            };
            let block = Block { depthwise, pointwise: second, writer, output, out_pixel, sums };
            // SAFETY: blocks are disjoint rectangles of output pixels.
            unsafe { self.pointwise.isa.run(block) }
        })?;
        Ok(())
    }
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { depthwise, pointwise, writer, output, out_pixel, sums } = self;
        let (rows, columns) = (depthwise.rows.clone(), depthwise.columns.clone());
        let (width, pixel) = (depthwise.width, depthwise.input.pixel_stride());
        let (between, to_row) = (depthwise.to, depthwise.to_row);
        let channels = depthwise.spec.out_channels;
        // SAFETY: the scratch holds the rectangle and the sums of `MAX_ROWS` pixels; the pixels
        // written are this block's own.
        unsafe {
            depthwise.run::<S>();
            let sink = pointwise::Sink { writer, output, out_pixel };
            for y in rows.clone() {
                let row = between.get().add((y - rows.start) * to_row);
                for &panel in pointwise.panels() {
                    let step = S::rows(panel.nr);
                    for x in columns.clone().step_by(step) {
                        let a = row.add((x - columns.start) * pixel);
                        let count = step.min(columns.end - x);
                        sink.prefetch::<S>(panel, y * width + x, count);
                        pointwise.sums::<S>(panel, a, pixel, count, 0..channels, sums);
                        sink.write::<S>(panel, sums, y * width + x, count);
                    }
                }
            }
        }
    }
}
