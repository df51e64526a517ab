//! Transposed convolution: an ordinary convolution that computes all pixels between two inputs as
//! channels, then a shuffle of channels into pixels.

use super::{Conv2d, ConvSpec, Padding};
use crate::aligned::AlignedBuf;
use crate::context::cost;
use crate::{Epilogue, Feature, KernelError, RunContext, ShapeError};

/// The shape of a transposed convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransposedSpec {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Outputs between two inputs.
    pub stride: usize,
    /// Rows and columns taken off each side of the result.
    pub padding: usize,
    /// Rows and columns added below and to the right.
    pub output_padding: usize,
}

/// A transposed convolution with its weights packed.
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    spec: TransposedSpec,
    /// From the input to `[shown * shown * out_channels]`: the pixels between two inputs one after
    /// the other, each with its channels side by side.
    phases: Conv2d,
    /// Outputs between two inputs that see one, each way; with a stride beyond the kernel there are
    /// others, which are the bias.
    shown: usize,
    /// One value an output channel.
    bias: AlignedBuf,
}

impl ConvTranspose2d {
    /// Packs `weight`, laid out `[in_channels, out_channels, kernel, kernel]` as in PyTorch, and
    /// `bias`, `[out_channels]`.
    ///
    /// # Errors
    /// [`ShapeError`] when the numbers of weights do not fit `spec`, or `spec` makes no sense.
    pub fn new(
        spec: &TransposedSpec,
        weight: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self, ShapeError> {
        let TransposedSpec { in_channels, out_channels, kernel, stride, .. } = *spec;
        let wanted = [out_channels, kernel, kernel]
            .into_iter()
            .try_fold(in_channels, |n, m| n.checked_mul(m));
        let fits = wanted == Some(weight.len())
            && wanted > Some(0)
            && stride > 0
            && spec.padding < kernel
            && spec.output_padding < stride
            && bias.is_none_or(|bias| bias.len() == out_channels);
        if !fits {
            return Err(ShapeError(format!("{} weights do not fill {spec:?}", weight.len())));
        }
        // Output `stride * q + r` is the sum over j of input `q - j` and weight `r + stride * j`.
        let taps = kernel.div_ceil(stride);
        let shown = stride.min(kernel);
        let area = shown * shown;
        let tap = |phase: usize, t: usize| phase + stride * (taps - 1 - t);
        let mut phases = Vec::with_capacity(out_channels * area * in_channels * taps * taps);
        for (phase_y, phase_x) in (0..area).map(|phase| (phase / shown, phase % shown)) {
            for out in 0..out_channels {
                for input in 0..in_channels {
                    for (y, x) in (0..taps * taps).map(|t| (t / taps, t % taps)) {
                        let (y, x) = (tap(phase_y, y), tap(phase_x, x));
                        let inside = y < kernel && x < kernel;
                        let at = ((input * out_channels + out) * kernel + y) * kernel + x;
                        phases.push(if inside { weight[at] } else { 0.0 });
                    }
                }
            }
        }
        let mut values = AlignedBuf::zeros(out_channels);
        if let Some(bias) = bias {
            values.copy_from_slice(bias);
        }
        let bias = values.repeat(area);
        // with output padding the last outputs may lie past all inputs
        let beyond = taps - 1 + usize::from(spec.output_padding > 0);
        let padding = Padding { top: taps - 1, left: taps - 1, bottom: beyond, right: beyond };
        let conv = ConvSpec { padding, ..ConvSpec::same(in_channels, out_channels * area, taps) };
        let phases = Conv2d::new(&conv, &phases, Some(&bias))?;
        Ok(Self { spec: *spec, phases, shown, bias: values })
    }

    /// Output rows and columns for an input of `height` x `width`.
    ///
    /// # Errors
    /// [`ShapeError`] when nothing is left after the padding is taken off.
    pub fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize), ShapeError> {
        let TransposedSpec { kernel, stride, padding, output_padding, .. } = self.spec;
        let size = |n: usize| {
            let whole =
                n.checked_sub(1)?.checked_mul(stride)?.checked_add(kernel + output_padding)?;
            whole.checked_sub(2 * padding).filter(|n| *n > 0)
        };
        size(height).zip(size(width)).ok_or_else(|| {
            ShapeError(format!("nothing is left of {height} x {width} by {:?}", self.spec))
        })
    }

    /// Convolves `input` into `output`. `between` is room for the values before the shuffle.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the input does not fit; [`KernelError::Cancelled`].
    pub fn run(
        &self,
        input: &Feature,
        between: &mut Feature,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let (height, width) = self.output_size(input.height(), input.width())?;
        self.phases.run(input, between, &Epilogue::none(), cx)?;
        let TransposedSpec { stride, padding, out_channels, .. } = self.spec;
        let shown = self.shown;
        output.reset(out_channels, height, width)?;
        let (from_stride, to_stride) = (between.pixel_stride(), output.pixel_stride());
        let row_len = width * to_stride;
        let shared = output.shared_mut();
        let between = &*between;
        let crew = cx.crew(cost(0, 2 * height * row_len));
        crew.for_each_block(height, 0, |y, _| {
            // SAFETY: each block borrows its own row.
            let row =
                unsafe { std::slice::from_raw_parts_mut(shared.get().add(y * row_len), row_len) };
            let (from_y, phase_y) = ((y + padding) / stride, (y + padding) % stride);
            for (x, to) in row.chunks_exact_mut(to_stride).enumerate() {
                let (from_x, phase_x) = ((x + padding) / stride, (x + padding) % stride);
                let from = if phase_y < shown && phase_x < shown {
                    let pixel = (from_y * between.width() + from_x) * from_stride;
                    let phase = phase_y * shown + phase_x;
                    &between.data()[pixel + phase * out_channels..]
                } else {
                    &self.bias
                };
                to[..out_channels].copy_from_slice(&from[..out_channels]);
            }
        })?;
        Ok(())
    }
}
