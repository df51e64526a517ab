//! What happens to a value on its way from the sums to memory: bias, activation, residual, clamp.

use crate::aligned::AlignedBuf;
use crate::feature::{Feature, padded};
use crate::gelu::{gelu, gelu_tanh};
use crate::simd::Simd;
use crate::{KernelError, ShapeError};

/// One number a channel, padded like a [`Feature`]'s pixels: PReLU slopes, scales.
#[derive(Clone, Debug)]
pub struct ChannelVector {
    channels: usize,
    data: AlignedBuf,
}

impl ChannelVector {
    /// Packs one number a channel.
    #[must_use]
    pub fn new(values: &[f32]) -> Self {
        let mut data = AlignedBuf::zeros(padded(values.len()));
        data[..values.len()].copy_from_slice(values);
        Self { channels: values.len(), data }
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.data.as_ptr()
    }
}

/// A function of each value by itself.
#[derive(Clone, Copy, Debug, Default)]
pub enum Activation<'a> {
    /// The value as it is.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu(f32),
    /// As [`Activation::LeakyRelu`], with a slope for each channel.
    PRelu(&'a ChannelVector),
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `x * Phi(x)` with the normal distribution function: the error linear unit by the exact `erf`.
    Gelu,
    /// The same by `tanh`, as networks trained with that approximation want it (within 5e-4).
    GeluTanh,
    /// `x * sigmoid(1.702 x)`, the coarser approximation of CLIP's text encoder.
    GeluSigmoid,
}

impl Activation<'_> {
    /// Whether there is a slope for each of `channels`.
    pub(crate) fn check(&self, channels: usize) -> Result<(), ShapeError> {
        match self {
            Self::PRelu(slopes) if slopes.channels != channels => {
                Err(ShapeError(format!("{} slopes for {channels} channels", slopes.channels)))
            }
            _ => Ok(()),
        }
    }
}

/// Another feature of the output's shape, and where it joins.
#[derive(Clone, Copy, Debug, Default)]
pub enum Residual<'a> {
    /// Nothing is added.
    #[default]
    None,
    /// `activation(x + residual)`.
    BeforeActivation(&'a Feature),
    /// `activation(x) + residual`.
    AfterActivation(&'a Feature),
    /// `(x + residual) * (sigmoid(x) - 1/2)`: SPAN's attention without parameters (Wan et al.
    /// 2024, section 3.2). The activation is not applied.
    Attention(&'a Feature),
}

/// Work fused into the writing of an operator's result, in this order: bias (the operator's own),
/// residual and activation as [`Residual`] says, clamp.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Function of each value.
    pub activation: Activation<'a>,
    /// Feature to be added.
    pub residual: Residual<'a>,
    /// Limits of the result.
    pub clamp: Option<(f32, f32)>,
}

impl<'a> Epilogue<'a> {
    /// Bias only.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Bias, then an activation.
    #[must_use]
    pub fn activation(activation: Activation<'a>) -> Self {
        Self { activation, ..Self::default() }
    }

    /// Bias, then a residual and nothing else.
    #[must_use]
    pub fn residual(residual: &'a Feature) -> Self {
        Self { residual: Residual::AfterActivation(residual), ..Self::default() }
    }

    /// Checks the epilogue against the output's `[channels, height, width]`.
    pub(crate) fn writer(
        &self,
        shape: [usize; 3],
        bias: &'a AlignedBuf,
    ) -> Result<Writer<'a>, KernelError> {
        self.activation.check(shape[0])?;
        if let Residual::BeforeActivation(feature)
        | Residual::AfterActivation(feature)
        | Residual::Attention(feature) = self.residual
            && feature.shape() != shape
        {
            let message = format!("residual {:?} for output {shape:?}", feature.shape());
            return Err(ShapeError(message).into());
        }
        Ok(Writer { bias, epilogue: *self })
    }
}

/// An [`Epilogue`] that fits its output, with the operator's bias.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// One value a channel, padded.
    bias: &'a AlignedBuf,
    epilogue: Epilogue<'a>,
}

impl Writer<'_> {
    /// The finished values for output elements `offset`, `offset + step`, ... (in the padded
    /// layout), all of channel `channel`. Several at once, so that the choices are made once.
    ///
    /// # Safety
    /// All point at a whole vector inside the output's shape that the writer was made for.
    #[inline(always)]
    pub(crate) unsafe fn finish<S: Simd, const N: usize>(
        &self,
        sums: [S; N],
        channel: usize,
        offset: usize,
        step: usize,
    ) -> [S; N] {
        let mut x = sums;
        // SAFETY: the caller's promise; bias and slopes are padded like a pixel, and the residual
        // was checked to have the output's shape.
        unsafe {
            add_each(&mut x, S::load(self.bias.as_ptr().add(channel)));
            match self.epilogue.residual {
                Residual::None => activate(&mut x, &self.epilogue.activation, channel),
                Residual::BeforeActivation(feature) => {
                    add_feature(&mut x, feature, offset, step);
                    activate(&mut x, &self.epilogue.activation, channel);
                }
                Residual::AfterActivation(feature) => {
                    activate(&mut x, &self.epilogue.activation, channel);
                    add_feature(&mut x, feature, offset, step);
                }
                Residual::Attention(feature) => {
                    let mut gates = x;
                    activate(&mut gates, &Activation::Sigmoid, channel);
                    add_each(&mut gates, S::splat(-0.5));
                    add_feature(&mut x, feature, offset, step);
                    for i in 0..N {
                        x[i] = x[i].mul(gates[i]);
                    }
                }
            }
        }
        if let Some((low, high)) = self.epilogue.clamp {
            for x in &mut x {
                *x = x.max(S::splat(low)).min(S::splat(high));
            }
        }
        x
    }
}

#[inline(always)]
fn add_each<S: Simd, const N: usize>(x: &mut [S; N], addend: S) {
    for x in x {
        *x = x.add(addend);
    }
}

/// # Safety
/// Elements `offset`, `offset + step`, ... start whole vectors of the feature.
#[inline(always)]
unsafe fn add_feature<S: Simd, const N: usize>(
    x: &mut [S; N],
    feature: &Feature,
    offset: usize,
    step: usize,
) {
    for i in 0..N {
        // SAFETY: the caller's promise.
        x[i] = x[i].add(unsafe { S::load(feature.as_ptr().add(offset + i * step)) });
    }
}

#[inline(always)]
fn leak<S: Simd, const N: usize>(x: &mut [S; N], slope: S) {
    for x in x {
        *x = x.min(S::zero()).mul_add(slope, x.max(S::zero()));
    }
}

/// # Safety
/// `channel` starts a whole vector inside the shape the activation was checked against.
#[inline(always)]
pub(crate) unsafe fn activate<S: Simd, const N: usize>(
    x: &mut [S; N],
    activation: &Activation<'_>,
    channel: usize,
) {
    match activation {
        Activation::None => {}
        Activation::Relu => {
            for x in x {
                *x = x.max(S::zero());
            }
        }
        Activation::LeakyRelu(slope) => leak(x, S::splat(*slope)),
        // SAFETY: the caller's promise; slopes are padded like pixels.
        Activation::PRelu(slopes) => leak(x, unsafe { S::load(slopes.as_ptr().add(channel)) }),
        Activation::Silu => {
            for x in x {
                *x = x.mul(x.sigmoid());
            }
        }
        Activation::Sigmoid => {
            for x in x {
                *x = x.sigmoid();
            }
        }
        // tanh(x) = 2 sigmoid(2 x) - 1
        Activation::Tanh => {
            for x in x {
                *x = x.add(*x).sigmoid().mul_add(S::splat(2.0), S::splat(-1.0));
            }
        }
        Activation::Gelu => {
            for x in x {
                *x = gelu(*x);
            }
        }
        Activation::GeluTanh => {
            for x in x {
                *x = gelu_tanh(*x);
            }
        }
        Activation::GeluSigmoid => {
            for x in x {
                *x = x.mul(x.mul(S::splat(1.702)).sigmoid());
            }
        }
    }
}
