//! What happens to a sum on its way to memory: scale, residual, activation, rounding to a byte.

use super::dot::Dot;
use super::{Quantization, QuantizedFeature};
use crate::ShapeError;
use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::feature::padded;
use crate::simd::Simd;

/// A function of each value by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum QuantizedActivation {
    /// The value as it is.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu(f32),
}

/// Another feature of the output's shape, and where it joins.
#[derive(Clone, Copy, Debug, Default)]
pub enum QuantizedResidual<'a> {
    /// Nothing is added.
    #[default]
    None,
    /// `activation(x + residual)`.
    BeforeActivation(&'a QuantizedFeature),
    /// `activation(x) + residual`.
    AfterActivation(&'a QuantizedFeature),
}

impl<'a> QuantizedResidual<'a> {
    fn feature(&self) -> Option<&'a QuantizedFeature> {
        match self {
            Self::None => None,
            Self::BeforeActivation(feature) | Self::AfterActivation(feature) => Some(feature),
        }
    }
}

/// Work fused into the writing of a quantized operator's result.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuantizedEpilogue<'a> {
    /// Function of each value.
    pub activation: QuantizedActivation,
    /// Feature to be added.
    pub residual: QuantizedResidual<'a>,
}

impl<'a> QuantizedEpilogue<'a> {
    /// Bias only.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Bias, then an activation.
    #[must_use]
    pub fn activation(activation: QuantizedActivation) -> Self {
        Self { activation, ..Self::default() }
    }

    /// Bias, then a residual and nothing else.
    #[must_use]
    pub fn residual(residual: &'a QuantizedFeature) -> Self {
        Self { residual: QuantizedResidual::AfterActivation(residual), ..Self::default() }
    }

    /// Checks the epilogue against the output's `[channels, height, width]`. `multipliers` turn
    /// sums into the output's steps, or into numbers where `target` takes floats.
    pub(super) fn finish(
        &self,
        shape: [usize; 3],
        multipliers: &'a AlignedBuf,
        target: Target,
    ) -> Result<Finish<'a>, ShapeError> {
        if let QuantizedActivation::LeakyRelu(slope) = self.activation
            && !slope.is_finite()
        {
            return Err(ShapeError(format!("a slope of {slope}")));
        }
        if let Some(feature) = self.residual.feature()
            && feature.shape() != shape
        {
            let message = format!("residual {:?} for output {shape:?}", feature.shape());
            return Err(ShapeError(message));
        }
        let (scale, mut limits, zero_point) = match target {
            Target::Bytes(_, to) => (to.scale(), to.limits(), to.zero_point()),
            Target::Floats(_) => (1.0, (f32::NEG_INFINITY, f32::INFINITY), 0),
        };
        let mut activation = self.activation;
        let is_added_last = matches!(self.residual, QuantizedResidual::AfterActivation(_));
        if activation == QuantizedActivation::Relu && !is_added_last {
            // the lower limit does it
            (activation, limits.0) = (QuantizedActivation::None, 0.0);
        }
        let residual_scale = self.residual.feature().map_or(0.0, |feature| {
            (f64::from(feature.quantization().scale()) / f64::from(scale)) as f32
        });
        Ok(Finish {
            multipliers,
            activation,
            residual: self.residual,
            residual_scale,
            limits,
            zero_point: i32::from(zero_point),
            target,
            pixel_stride: padded(shape[0]),
        })
    }
}

/// Where results go.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Bytes with this meaning.
    Bytes(SharedMut, Quantization),
    /// Numbers.
    Floats(SharedMut),
}

/// A [`QuantizedEpilogue`] that fits its output.
pub(super) struct Finish<'a> {
    /// One a channel, padded.
    multipliers: &'a AlignedBuf,
    activation: QuantizedActivation,
    residual: QuantizedResidual<'a>,
    /// Output steps (or 1) in a step of the residual.
    residual_scale: f32,
    limits: (f32, f32),
    zero_point: i32,
    target: Target,
    /// Values from one output pixel to the next.
    pub(super) pixel_stride: usize,
}

impl Finish<'_> {
    /// The output's memory from a value on, to ask for before it is written.
    pub(super) fn address(&self, offset: usize) -> *const u8 {
        match self.target {
            Target::Bytes(to, _) => to.get().cast::<u8>().wrapping_add(offset),
            Target::Floats(to) => to.get().wrapping_add(offset).cast(),
        }
    }

    /// Finishes and writes `N` vectors of neighbouring channels of one pixel.
    ///
    /// # Safety
    /// They lie inside the output that the epilogue was checked for, and no one else writes them.
    #[inline(always)]
    pub(super) unsafe fn row<D: Dot, const N: usize>(
        &self,
        sums: [D; N],
        channel: usize,
        pixel: usize,
    ) {
        let offset = pixel * self.pixel_stride + channel;
        let mut values = [D::Real::zero(); N];
        // SAFETY: the caller's promise; multipliers and the residual are padded like a pixel.
        unsafe {
            for n in 0..N {
                let factor = D::Real::load(self.multipliers.as_ptr().add(channel + n * D::LANES));
                values[n] = sums[n].to_real().mul(factor);
            }
            match self.residual {
                QuantizedResidual::None => self.activate(&mut values),
                QuantizedResidual::BeforeActivation(feature) => {
                    self.join::<D, N>(&mut values, feature, offset);
                    self.activate(&mut values);
                }
                QuantizedResidual::AfterActivation(feature) => {
                    self.activate(&mut values);
                    self.join::<D, N>(&mut values, feature, offset);
                }
            }
            let low = D::Real::splat(self.limits.0);
            match self.target {
                Target::Bytes(to, _) => {
                    let high = D::Real::splat(self.limits.1);
                    let zero = D::splat(self.zero_point);
                    let mut bytes = sums;
                    for n in 0..N {
                        bytes[n] = D::round_within(values[n], low, high).add(zero);
                    }
                    D::store_row(bytes, to.get().cast::<u8>().add(offset));
                }
                Target::Floats(to) => {
                    for n in 0..N {
                        values[n].max(low).store(to.get().add(offset + n * D::LANES));
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn activate<S: Simd, const N: usize>(&self, values: &mut [S; N]) {
        match self.activation {
            QuantizedActivation::None => {}
            QuantizedActivation::Relu => {
                for n in 0..N {
                    values[n] = values[n].max(S::zero());
                }
            }
            QuantizedActivation::LeakyRelu(slope) => {
                for n in 0..N {
                    let negative = values[n].min(S::zero()).mul(S::splat(slope));
                    values[n] = values[n].max(S::zero()).add(negative);
                }
            }
        }
    }

    /// Adds the residual.
    ///
    /// # Safety
    /// `N` vectors from `offset` on lie inside the feature.
    #[inline(always)]
    unsafe fn join<D: Dot, const N: usize>(
        &self,
        values: &mut [D::Real; N],
        feature: &QuantizedFeature,
        offset: usize,
    ) {
        let zero = D::splat(-i32::from(feature.quantization().zero_point()));
        let scale = D::Real::splat(self.residual_scale);
        for n in 0..N {
            // SAFETY: the caller's promise.
            let bytes = unsafe { D::load_bytes(feature.as_ptr().add(offset + n * D::LANES)) };
            values[n] = values[n].add(bytes.add(zero).to_real().mul(scale));
        }
    }
}
