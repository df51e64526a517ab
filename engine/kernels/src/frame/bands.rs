//! Convolutions along the bands of one frame: a kernel of three bands on each channel, and what mixes
//! the channels of a band.

use super::check_activation;
use crate::aligned::AlignedBuf;
use crate::epilogue::activate;
use crate::feature::padded;
use crate::gemm::{Micro, Packed};
use crate::simd::{Isa, Simd, Task};
use crate::{Activation, Feature, ShapeError};

/// A linear layer from the channels of each band to others: a 1 x 1 convolution.
#[derive(Clone, Debug)]
pub struct BandDense {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    packed: Packed,
    /// Padded.
    bias: AlignedBuf,
    activation: Activation<'static>,
}

impl BandDense {
    /// Packs `weight`, `[outputs, inputs]`, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// [`ShapeError`] when a size is 0, weights or biases are too many or too few, or the activation
    /// has slopes.
    pub fn new(
        [inputs, outputs]: [usize; 2],
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation<'static>,
    ) -> Result<Self, ShapeError> {
        check_activation(&activation)?;
        let wanted = inputs.checked_mul(outputs).filter(|n| *n > 0);
        if wanted != Some(weight.len()) || bias.is_some_and(|bias| bias.len() != outputs) {
            let len = weight.len();
            return Err(ShapeError(format!("{len} weights for {inputs} to {outputs} channels")));
        }
        let isa = Isa::current();
        let packed =
            Packed::new(isa, 1, inputs, outputs, padded(outputs), |_, k, n| weight[n * inputs + k]);
        Ok(Self {
            isa,
            inputs,
            outputs,
            packed,
            bias: pad(bias.unwrap_or(&[]), outputs),
            activation,
        })
    }

    /// Fills `output`, which takes the shape `[outputs, h, w]` of `input`, `[inputs, h, w]`.
    ///
    /// # Errors
    /// [`ShapeError`] when the input has other channels.
    pub fn run(&self, input: &Feature, output: &mut Feature) -> Result<(), ShapeError> {
        check_channels(input, self.inputs)?;
        output.reset(self.outputs, input.height(), input.width())?;
        // SAFETY: the output has the shape for this input.
        unsafe { self.isa.run(Dense { layer: self, input, output }) }
        Ok(())
    }
}

struct Dense<'a> {
    layer: &'a BandDense,
    input: &'a Feature,
    output: &'a mut Feature,
}

impl Task for Dense<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layer, input, output } = self;
        let bands = input.height() * input.width();
        let (pixel, out_pixel) = (input.pixel_stride(), output.pixel_stride());
        let target = output.shared_mut().get();
        for &panel in &layer.packed.panels {
            let step = S::rows(panel.nr);
            for first in (0..bands).step_by(step) {
                let count = step.min(bands - first);
                // SAFETY: `count` bands from `first` on lie inside both features, whose channels are
                // padded like the panels and the bias.
                unsafe {
                    let to = target.add(first * out_pixel + panel.channel);
                    for n in 0..panel.nr {
                        let bias = layer.bias.as_ptr().add(panel.channel + n * S::LANES);
                        for m in 0..count {
                            S::load(bias).store(to.add(m * out_pixel + n * S::LANES));
                        }
                    }
                    S::micro(
                        panel.nr,
                        &Micro {
                            rows: count,
                            a: input.as_ptr().add(first * pixel),
                            row_stride: pixel,
                            taps: [1, 1],
                            tap_stride: [0, 0],
                            depth: layer.inputs,
                            last_depth: layer.inputs,
                            b: layer.packed.slice::<S>(panel, 0),
                            c: to,
                            c_row: out_pixel,
                            c_vector: S::LANES,
                            adds: true,
                        },
                    );
                    for m in 0..count {
                        for n in 0..panel.nr {
                            let at = to.add(m * out_pixel + n * S::LANES);
                            let mut x = [S::load(at)];
                            activate(&mut x, &layer.activation, 0);
                            x[0].store(at);
                        }
                    }
                }
            }
        }
    }
}

/// How many bands a [`BandConv`] gives for those it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandStep {
    /// As many: around every band.
    Same,
    /// Half, rounded up: around every second band, from the first on.
    Half,
    /// Twice as many: the transposed convolution of stride 2, padding 1 and output padding 1.
    Double,
}

/// A kernel of three bands on each channel by itself, with zeros beyond the first and the last band;
/// no bias.
#[derive(Clone, Debug)]
pub struct BandConv {
    isa: Isa,
    channels: usize,
    step: BandStep,
    /// `[3][padded channels]`.
    weight: AlignedBuf,
}

impl BandConv {
    /// Packs `weight`, `[channels, 3]`, the tap of the lowest band first.
    ///
    /// # Errors
    /// [`ShapeError`] when there are no channels, or weights are too many or too few.
    pub fn new(channels: usize, step: BandStep, weight: &[f32]) -> Result<Self, ShapeError> {
        if channels == 0 || channels.checked_mul(3) != Some(weight.len()) {
            let len = weight.len();
            return Err(ShapeError(format!("{len} weights for 3 bands of {channels} channels")));
        }
        let pixel = padded(channels);
        let mut packed = AlignedBuf::zeros(3 * pixel);
        for (channel, taps) in weight.chunks_exact(3).enumerate() {
            for (tap, value) in taps.iter().enumerate() {
                packed[tap * pixel + channel] = *value;
            }
        }
        Ok(Self { isa: Isa::current(), channels, step, weight: packed })
    }

    /// Fills `output` from `input`, `[channels, 1, bands]`; the bands become those of [`BandStep`].
    ///
    /// # Errors
    /// [`ShapeError`] when the input has other channels, not one row, or no bands.
    pub fn run(&self, input: &Feature, output: &mut Feature) -> Result<(), ShapeError> {
        check_channels(input, self.channels)?;
        if input.height() != 1 || input.width() == 0 {
            let (height, width) = (input.height(), input.width());
            return Err(ShapeError(format!("{height} frames of {width} bands, not one of some")));
        }
        let bands = match self.step {
            BandStep::Same => input.width(),
            BandStep::Half => input.width().div_ceil(2),
            BandStep::Double => 2 * input.width(),
        };
        output.reset(self.channels, 1, bands)?;
        // SAFETY: the output has the shape for this input.
        unsafe { self.isa.run(Taps { layer: self, input, output }) }
        Ok(())
    }
}

struct Taps<'a> {
    layer: &'a BandConv,
    input: &'a Feature,
    output: &'a mut Feature,
}

impl Task for Taps<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layer, input, output } = self;
        let (bands, pixel) = (input.width(), input.pixel_stride());
        let outputs = output.width();
        let target = output.shared_mut().get();
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: bands are looked up inside the input only, and written inside the output; `c`
            // starts a whole vector of the padded channels.
            unsafe {
                let weights: [S; 3] = S::load_each(layer.weight.as_ptr().add(c), pixel);
                let from = input.as_ptr().add(c);
                if layer.step == BandStep::Double {
                    let mut here = S::load(from);
                    for band in 0..bands {
                        let next = if band + 1 < bands {
                            S::load(from.add((band + 1) * pixel))
                        } else {
                            S::zero()
                        };
                        let to = target.add(2 * band * pixel + c);
                        here.mul(weights[1]).store(to);
                        next.mul_add(weights[0], here.mul(weights[2])).store(to.add(pixel));
                        here = next;
                    }
                    continue;
                }
                let step = if layer.step == BandStep::Half { 2 } else { 1 };
                for band in 0..outputs {
                    let centre = band * step;
                    let mut sum = S::load(from.add(centre * pixel)).mul(weights[1]);
                    if centre > 0 {
                        sum = S::load(from.add((centre - 1) * pixel)).mul_add(weights[0], sum);
                    }
                    if centre + 1 < bands {
                        sum = S::load(from.add((centre + 1) * pixel)).mul_add(weights[2], sum);
                    }
                    sum.store(target.add(band * pixel + c));
                }
            }
        }
    }
}

/// A factor and an offset for each channel, an activation, and another frame added to that: how a
/// decoder takes in what an encoder hands across.
#[derive(Clone, Debug)]
pub struct BandAffine {
    isa: Isa,
    channels: usize,
    /// Both padded.
    scale: AlignedBuf,
    offset: AlignedBuf,
    activation: Activation<'static>,
}

impl BandAffine {
    /// Packs one factor and one offset a channel.
    ///
    /// # Errors
    /// [`ShapeError`] when there are none, their numbers differ, or the activation has slopes.
    pub fn new(
        scale: &[f32],
        offset: &[f32],
        activation: Activation<'static>,
    ) -> Result<Self, ShapeError> {
        check_activation(&activation)?;
        let channels = scale.len();
        if channels == 0 || offset.len() != channels {
            let len = offset.len();
            return Err(ShapeError(format!("{channels} factors and {len} offsets")));
        }
        let (scale, offset) = (pad(scale, channels), pad(offset, channels));
        Ok(Self { isa: Isa::current(), channels, scale, offset, activation })
    }

    /// `output = activation(scale * input + offset) + addend`; all of one shape.
    ///
    /// # Errors
    /// [`ShapeError`] when the input has other channels, or the addend another shape.
    pub fn run(
        &self,
        input: &Feature,
        addend: &Feature,
        output: &mut Feature,
    ) -> Result<(), ShapeError> {
        check_channels(input, self.channels)?;
        if input.shape() != addend.shape() {
            let (a, b) = (input.shape(), addend.shape());
            return Err(ShapeError(format!("{a:?} and {b:?} differ")));
        }
        output.reset(self.channels, input.height(), input.width())?;
        // SAFETY: all three features have one shape.
        unsafe { self.isa.run(Affine { layer: self, input, addend, output }) }
        Ok(())
    }
}

struct Affine<'a> {
    layer: &'a BandAffine,
    input: &'a Feature,
    addend: &'a Feature,
    output: &'a mut Feature,
}

impl Task for Affine<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layer, input, addend, output } = self;
        let (pixel, len) = (input.pixel_stride(), input.data().len());
        let target = output.shared_mut().get();
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: `c` starts a whole vector of the padded channels of every band.
            unsafe {
                let scale = S::load(layer.scale.as_ptr().add(c));
                let offset = S::load(layer.offset.as_ptr().add(c));
                for at in (c..len).step_by(pixel) {
                    let mut x = [S::load(input.as_ptr().add(at)).mul_add(scale, offset)];
                    activate(&mut x, &layer.activation, 0);
                    x[0].add(S::load(addend.as_ptr().add(at))).store(target.add(at));
                }
            }
        }
    }
}

fn pad(values: &[f32], channels: usize) -> AlignedBuf {
    let mut data = AlignedBuf::zeros(padded(channels));
    data[..values.len()].copy_from_slice(values);
    data
}

fn check_channels(input: &Feature, channels: usize) -> Result<(), ShapeError> {
    if input.channels() == channels {
        return Ok(());
    }
    Err(ShapeError(format!("{} channels for a layer of {channels}", input.channels())))
}
