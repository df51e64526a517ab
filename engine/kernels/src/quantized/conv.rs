//! Dense convolution of bytes.

use super::dot::{Dot, DotProduct, DotTask};
use super::finish::{Finish, Target};
use super::micro::Micro;
use super::packed::Packed;
use super::quantization::SCALES;
use super::{Quantization, QuantizedEpilogue, QuantizedFeature};
use crate::aligned::AlignedBuf;
use crate::context::channel_parts;
use crate::feature::padded;
use crate::gemm::Panel;
use crate::simd::Simd;
use crate::{ConvSpec, Feature, KernelError, RunContext, ShapeError};

/// Output pixels of one block of work.
const CHUNK: usize = 192;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Weights in whole numbers, and what they stand for.
#[derive(Clone, Copy, Debug)]
pub struct QuantizedWeights<'a> {
    /// `[out_channels, in_channels, kernel_h, kernel_w]`.
    pub values: &'a [i8],
    /// What 1 stands for in each output channel, from 1e-9 to 1e9.
    pub scales: &'a [f32],
    /// Added to the sums: in steps of the input's scale times the channel's.
    pub bias: Option<&'a [i32]>,
}

/// A dense convolution from bytes to bytes, or to numbers, with its weights packed for this
/// processor.
///
/// A byte `q` stands for the number `(q - zero_point) * scale` ([`Quantization`]), a weight `w` of
/// output channel `n` for `w * weight_scale[n]`. Each output is
///
/// ```text
/// sum = bias[n] + Σ (x - x.zero_point) * w                   exact
/// t   = f32(sum) * m[n]                    with m[n] = x.scale * weight_scale[n] / y.scale
/// r   = f32(q_r - r.zero_point) * (r.scale / y.scale)        for a residual r, else 0
/// v   = a(t + r)   or   a(t) + r           with a(t) = t, max(t, 0), or slope * t below 0
/// y   = clamp(round(v), -y.zero_point, 255 - y.zero_point) + y.zero_point
/// ```
///
/// where every operation on `f32` rounds once, to the nearest, ties to even; none is fused with
/// another; `round` is to the nearest whole number, ties to even; and `m[n]` and the quotient of
/// scales are computed in `f64` and rounded once. The float output is `v` with 1 for `y.scale`. What
/// lies outside the picture counts as 0, that is as `x.zero_point`. So the result is defined to the
/// bit: it is the same on every instruction set and for any number of threads.
#[derive(Clone, Debug)]
pub struct QuantizedConv2d {
    spec: ConvSpec,
    dot: DotProduct,
    input: Quantization,
    output: Quantization,
    packed: Packed,
    /// Where sums start: the bias, less what zero points add to every sum. One `i32` a channel,
    /// padded, as bits.
    start: AlignedBuf,
    /// Steps of the output, and numbers, in a sum's step: one a channel, padded.
    output_multipliers: AlignedBuf,
    float_multipliers: AlignedBuf,
}

impl QuantizedConv2d {
    /// Packs `weights` for inputs that mean `input` and results that shall mean `output`.
    ///
    /// # Errors
    /// [`ShapeError`] when the numbers of weights do not fit `spec`, `spec` makes no sense or has
    /// groups, a scale is out of its range, or a sum could leave the range of `i32`.
    pub fn new(
        spec: &ConvSpec,
        weights: &QuantizedWeights<'_>,
        input: Quantization,
        output: Quantization,
    ) -> Result<Self, ShapeError> {
        Self::with(spec, weights, input, output, DotProduct::current())
    }

    /// As [`QuantizedConv2d::new`] with chosen instructions, for tests and measurements.
    ///
    /// # Errors
    /// As [`QuantizedConv2d::new`], and when the processor lacks `dot`.
    pub fn with(
        spec: &ConvSpec,
        weights: &QuantizedWeights<'_>,
        input: Quantization,
        output: Quantization,
        dot: DotProduct,
    ) -> Result<Self, ShapeError> {
        let QuantizedWeights { values, scales, bias } = *weights;
        spec.check(values.len(), bias.map(<[i32]>::len))?;
        if spec.groups != 1 {
            return Err(ShapeError(format!("{} groups of a quantized kernel", spec.groups)));
        }
        if !dot.is_available() {
            return Err(ShapeError(format!("this processor has no {}", dot.name())));
        }
        if scales.len() != spec.out_channels {
            let message = format!("{} scales for {} channels", scales.len(), spec.out_channels);
            return Err(ShapeError(message));
        }
        let taps = spec.kernel[0] * spec.kernel[1];
        let depth = taps * spec.in_channels;
        let mut start = AlignedBuf::zeros(padded(spec.out_channels));
        let mut output_multipliers = AlignedBuf::zeros(padded(spec.out_channels));
        let mut float_multipliers = AlignedBuf::zeros(padded(spec.out_channels));
        for (n, row) in values.chunks_exact(depth).enumerate() {
            let bias = bias.map_or(0, |bias| bias[n]);
            start[n] = f32::from_bits(start_of_sum(row, bias, input, dot)? as u32);
            let scale = f64::from(Quantization::new(scales[n], 0)?.scale());
            let step = f64::from(input.scale()) * scale;
            output_multipliers[n] = (step / f64::from(output.scale())) as f32;
            float_multipliers[n] = step as f32;
        }
        let packed = Packed::new(dot, taps, spec.in_channels, spec.out_channels, values);
        let spec = *spec;
        Ok(Self { spec, dot, input, output, packed, start, output_multipliers, float_multipliers })
    }

    /// Rounds numbers to weights, `[out_channels, in_channels, kernel_h, kernel_w]`, with the finest
    /// steps that hold each output channel's from -127 to 127, and `bias` to steps of the sums.
    ///
    /// # Errors
    /// As [`QuantizedConv2d::new`], and for values that are not finite or beyond 1e9.
    pub fn from_floats(
        spec: &ConvSpec,
        weight: &[f32],
        bias: Option<&[f32]>,
        input: Quantization,
        output: Quantization,
    ) -> Result<Self, ShapeError> {
        /// Sums and the bias each take half of the range of `i32`.
        const MAX_BIAS: f32 = (1 << 30) as f32;
        spec.check(weight.len(), bias.map(<[f32]>::len))?;
        if weight.iter().chain(bias.unwrap_or_default()).any(|value| !value.is_finite()) {
            return Err(ShapeError("a weight is not a number".to_owned()));
        }
        let rows = weight.chunks_exact(weight.len() / spec.out_channels);
        let bias = |n: usize| bias.map_or(0.0, |bias| bias[n]);
        let mut values = Vec::with_capacity(weight.len());
        let (mut scales, mut biases) = (Vec::new(), Vec::new());
        for (n, row) in rows.enumerate() {
            let largest = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
            // a large bias on small weights asks for larger steps
            let for_bias = bias(n).abs() / (MAX_BIAS * input.scale());
            let scale = (largest / 127.0).max(for_bias).max(*SCALES.start());
            values.extend(row.iter().map(|w| (w / scale).round_ties_even() as i8));
            let step = f64::from(scale) * f64::from(input.scale());
            biases.push((f64::from(bias(n)) / step).round_ties_even() as i32);
            scales.push(scale);
        }
        let weights = QuantizedWeights { values: &values, scales: &scales, bias: Some(&biases) };
        Self::new(spec, &weights, input, output)
    }

    /// The shape it was made for.
    #[must_use]
    pub fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// What its input's bytes mean.
    #[must_use]
    pub fn input(&self) -> Quantization {
        self.input
    }

    /// What its output's bytes mean.
    #[must_use]
    pub fn output(&self) -> Quantization {
        self.output
    }

    /// Convolves `input`, `[in_channels, h, w]`, into `output`, which takes the shape
    /// `[out_channels, h', w']` of [`ConvSpec::output_size`] and the meaning
    /// [`QuantizedConv2d::output`].
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the input has other channels or another meaning than the weights
    /// were packed for, is smaller than the kernel, or the epilogue does not fit;
    /// [`KernelError::Cancelled`] when the run was stopped.
    pub fn run(
        &self,
        input: &QuantizedFeature,
        output: &mut QuantizedFeature,
        epilogue: &QuantizedEpilogue<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let [channels, height, width] = self.output_shape(input)?;
        output.reset(channels, height, width, self.output)?;
        let target = Target::Bytes(output.shared_mut(), self.output);
        let shape = [channels, height, width];
        let finish = epilogue.finish(shape, &self.output_multipliers, target)?;
        self.run_blocks(input, shape, &finish, cx)
    }

    /// As [`QuantizedConv2d::run`], into numbers that are not rounded to steps.
    ///
    /// # Errors
    /// As [`QuantizedConv2d::run`].
    pub fn run_to_float(
        &self,
        input: &QuantizedFeature,
        output: &mut Feature,
        epilogue: &QuantizedEpilogue<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let [channels, height, width] = self.output_shape(input)?;
        output.reset(channels, height, width)?;
        let target = Target::Floats(output.shared_mut());
        let shape = [channels, height, width];
        let finish = epilogue.finish(shape, &self.float_multipliers, target)?;
        self.run_blocks(input, shape, &finish, cx)
    }

    fn output_shape(&self, input: &QuantizedFeature) -> Result<[usize; 3], ShapeError> {
        if input.channels() != self.spec.in_channels {
            let wanted = self.spec.in_channels;
            return Err(ShapeError(format!("{} channels for {wanted}", input.channels())));
        }
        if input.quantization() != self.input {
            let message =
                format!("{:?} for weights made for {:?}", input.quantization(), self.input);
            return Err(ShapeError(message));
        }
        let (height, width) = self.spec.output_size(input.height(), input.width())?;
        Ok([self.spec.out_channels, height, width])
    }

    fn run_blocks(
        &self,
        input: &QuantizedFeature,
        [_, mut height, mut width]: [usize; 3],
        finish: &Finish<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let spec = &self.spec;
        let pixel = input.pixel_stride();
        let mut in_size = [input.height(), input.width()];
        if spec.kernel == [1, 1] && [height, width] == in_size && spec.stride == [1, 1] {
            // nothing looks beyond its own pixel: one long row
            (in_size, height, width) = ([1, height * width], 1, height * width);
        }
        let panels = &self.packed.panels;
        let rows = panels.iter().map(|panel| self.dot.rows(panel.nr)).max().unwrap_or(1);
        let span = (rows - 1) * spec.stride[1] + (spec.kernel[1] - 1) * spec.dilation[1] + 1;
        // neighbouring taps without padding between them are one long tap
        let is_joined = spec.dilation[1] == 1 && pixel == 4 * self.packed.quads;
        let joined = if is_joined { spec.kernel[1] } else { 1 };
        let taps = |row: usize| [row * pixel, spec.dilation[1] * pixel];
        let plan = Plan {
            conv: self,
            input,
            in_size,
            width,
            pixel,
            taps: [spec.kernel[0], spec.kernel[1] / joined],
            quads: self.packed.quads * joined,
            input_taps: taps(spec.dilation[0] * in_size[1]),
            patch_taps: taps(span),
            span,
            finish,
        };
        let chunks = width.div_ceil(CHUNK);
        let blocks = height * chunks;
        let parts = channel_parts(blocks, panels.len());
        let scratch_len = (spec.kernel[0] * span * pixel).div_ceil(size_of::<f32>());
        cx.for_each_block(blocks * parts, scratch_len, |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let first = block % chunks * CHUNK;
            let block = Block {
                plan: &plan,
                row: block / chunks,
                columns: first..(first + CHUNK).min(width),
                panels: &panels[part * panels.len() / parts..(part + 1) * panels.len() / parts],
                scratch,
            };
            // SAFETY: blocks are disjoint ranges of output pixels or channels.
            unsafe { self.dot.run(block) }
        })?;
        Ok(())
    }
}

/// The bias, less what zero points and the instructions' own offset add to a sum of these weights.
fn start_of_sum(
    weights: &[i8],
    bias: i32,
    input: Quantization,
    dot: DotProduct,
) -> Result<i32, ShapeError> {
    let zero = i64::from(input.zero_point());
    let bias = i64::from(bias);
    let (mut sum, mut least, mut most) = (0, bias, bias);
    for weight in weights {
        let weight = i64::from(*weight);
        sum += weight;
        let ends = [-zero * weight, (255 - zero) * weight];
        least += ends[0].min(ends[1]);
        most += ends[0].max(ends[1]);
    }
    if least < i64::from(i32::MIN) || most > i64::from(i32::MAX) {
        return Err(ShapeError(format!("sums from {least} to {most} do not fit in 32 bits")));
    }
    // on the way there, sums may wrap around and back
    Ok((bias + (i64::from(dot.offset()) - zero) * sum) as i32)
}

/// Sizes that all blocks share.
struct Plan<'a> {
    conv: &'a QuantizedConv2d,
    input: &'a QuantizedFeature,
    /// Rows and columns of the input, and columns of the output.
    in_size: [usize; 2],
    width: usize,
    /// Bytes of an input pixel.
    pixel: usize,
    /// Taps as the micro-kernel is to walk them, and groups of four channels in each.
    taps: [usize; 2],
    quads: usize,
    /// Bytes from one row of taps to the next and from one tap to the next, in the input and in a
    /// patch.
    input_taps: [usize; 2],
    patch_taps: [usize; 2],
    /// Columns of a patch.
    span: usize,
    finish: &'a Finish<'a>,
}

/// A run of pixels of an output row, some panels of channels.
struct Block<'a> {
    plan: &'a Plan<'a>,
    row: usize,
    columns: std::ops::Range<usize>,
    panels: &'a [Panel],
    scratch: &'a mut [f32],
}

impl DotTask for Block<'_> {
    #[inline(always)]
    unsafe fn run<D: Dot>(self) {
        let Self { plan, row, columns, panels, scratch } = self;
        let len = size_of_val(scratch);
        // SAFETY: the scratch's own memory, borrowed mutably; any bytes are an `f32`.
        let patch =
            unsafe { std::slice::from_raw_parts_mut(scratch.as_mut_ptr().cast::<u8>(), len) };
        // one panel's weights stay in the first-level cache while all pixels pass
        for panel in panels {
            let mut x = columns.start;
            while x < columns.end {
                let rows = plan.conv.dot.rows(panel.nr);
                let count = rows.min(columns.end - x);
                // SAFETY: the pixels are this block's own, and these channels of them.
                unsafe { plan.pixels::<D>(*panel, row, x, rows, count, patch) }
                x += count;
            }
        }
    }
}

impl Plan<'_> {
    /// Computes `count` output pixels from column `x` on for one panel of channels.
    ///
    /// # Safety
    /// The processor has the instructions of `D`, which are those of the convolution; the pixels
    /// lie inside the output, `count` is at most `rows`, and no one else writes these channels.
    #[inline(always)]
    unsafe fn pixels<D: Dot>(
        &self,
        panel: Panel,
        row: usize,
        x: usize,
        rows: usize,
        count: usize,
        patch: &mut [u8],
    ) {
        let (spec, pixel) = (&self.conv.spec, self.pixel);
        let [in_height, in_width] = self.in_size;
        let reach = [0, 1].map(|axis| (spec.kernel[axis] - 1) * spec.dilation[axis]);
        let top = (row * spec.stride[0]) as isize - spec.padding.top as isize;
        let left = (x * spec.stride[1]) as isize - spec.padding.left as isize;
        let last = left + ((rows - 1) * spec.stride[1] + reach[1]) as isize;
        let inside = top >= 0
            && top as usize + reach[0] < in_height
            && left >= 0
            && last < in_width as isize;
        let out = row * self.width + x;
        // what this call writes comes while the sums are computed
        for m in 0..count {
            let to = self.finish.address((out + m) * self.finish.pixel_stride + panel.channel);
            for line in (0..panel.nr * D::LANES).step_by(LINE) {
                D::Real::prefetch_to_write(to.wrapping_add(line).cast());
            }
        }
        let (a, tap_stride) = if inside {
            let start = (top as usize * in_width + left as usize) * pixel;
            let ahead = rows * spec.stride[1] * pixel;
            let next = start + 3 * ahead + (reach[1] + 1) * pixel;
            for ky in 0..spec.kernel[0] {
                let next = next + ky * self.input_taps[0];
                for line in (next..next + ahead).step_by(LINE) {
                    D::Real::prefetch(self.input.as_ptr().wrapping_add(line).cast());
                }
            }
            (self.input.as_ptr().wrapping_add(start), self.input_taps)
        } else {
            self.copy_patch(patch, top, left);
            (patch.as_ptr(), self.patch_taps)
        };
        // SAFETY: `rows` pixels and all taps lie inside the input or the patch, whose pixels have
        // room for whole quads; weights and biases are padded to the panel's vectors; the output is
        // the caller's promise.
        unsafe {
            D::micro(
                panel.nr,
                &Micro {
                    a,
                    row_stride: spec.stride[1] * pixel,
                    taps: self.taps,
                    tap_stride,
                    quads: self.quads,
                    weights: self.conv.packed.panel(panel),
                    bias: self.conv.start.as_ptr().cast::<i32>().add(panel.channel),
                    finish: self.finish,
                    channel: panel.channel,
                    pixel: out,
                    count,
                },
            );
        }
    }

    /// Copies what a micro-kernel's pixels see, with the zero point where that lies outside.
    fn copy_patch(&self, patch: &mut [u8], top: isize, left: isize) {
        let (spec, pixel, [in_height, in_width]) = (&self.conv.spec, self.pixel, self.in_size);
        let zero = self.conv.input.zero_point();
        let data = self.input.data();
        let rows = patch.chunks_exact_mut(self.span * pixel).take(spec.kernel[0]);
        for (ky, row) in rows.enumerate() {
            let y = top + (ky * spec.dilation[0]) as isize;
            if y < 0 || y >= in_height as isize {
                row.fill(zero);
                continue;
            }
            for (kx, to) in row.chunks_exact_mut(pixel).enumerate() {
                let x = left + kx as isize;
                if x < 0 || x >= in_width as isize {
                    to.fill(zero);
                } else {
                    let from = (y as usize * in_width + x as usize) * pixel;
                    to.copy_from_slice(&data[from..from + pixel]);
                }
            }
        }
    }
}
