//! Group normalisation (Wu and He 2018); with as many groups as channels it is instance
//! normalisation.

use crate::context::{Shared, SharedMut};
use crate::epilogue::activate;
use crate::feature::padded;
use crate::simd::{Isa, Simd, Task};
use crate::{Activation, Feature, KernelError, RunContext, ShapeError};

/// Strips of pixels that are summed apart: fixed, so that sums do not depend on the workers.
const STRIPS: usize = 64;
/// Pixels that are summed in f32 before their sum joins that of the strip, in f64.
const RUN: usize = 32;

/// Normalises groups of channels over the whole picture, then scales and shifts each channel.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    epsilon: f32,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Sums of each channel over some pixels.
struct Sums<'a> {
    feature: &'a Feature,
    pixels: std::ops::Range<usize>,
    /// Where given, squares of the distance to it are summed instead; one value a channel, padded.
    centre: Option<&'a [f32]>,
    /// One sum a channel.
    sums: &'a mut [f64],
}

/// `activation((x - centre) * scale + shift)` over some pixels.
struct Apply<'a> {
    target: SharedMut,
    values: std::ops::Range<usize>,
    pixel: usize,
    /// Centre, scale and shift, `[3][pixel]`.
    lines: &'a [f32],
    activation: Activation<'a>,
}

impl GroupNorm {
    /// A normalisation of `scale.len()` channels in `groups`; `epsilon` is added to the variance.
    ///
    /// # Errors
    /// [`ShapeError`] when scales and shifts differ in number or do not divide into groups.
    pub fn new(
        groups: usize,
        scale: &[f32],
        shift: &[f32],
        epsilon: f32,
    ) -> Result<Self, ShapeError> {
        if groups == 0
            || scale.is_empty()
            || scale.len() != shift.len()
            || !scale.len().is_multiple_of(groups)
        {
            let (scales, shifts) = (scale.len(), shift.len());
            return Err(ShapeError(format!(
                "{scales} scales and {shifts} shifts in {groups} groups"
            )));
        }
        Ok(Self { groups, epsilon, scale: scale.to_vec(), shift: shift.to_vec() })
    }

    /// Instance normalisation (Ulyanov et al. 2016): each channel by itself.
    ///
    /// # Errors
    /// [`ShapeError`] when scales and shifts differ in number, or there are none.
    pub fn instance(scale: &[f32], shift: &[f32], epsilon: f32) -> Result<Self, ShapeError> {
        Self::new(scale.len(), scale, shift, epsilon)
    }

    /// Normalises `target` in place and applies `activation`. Means and variances are summed in
    /// f64, in the same order for any number of threads.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the channels are others; [`KernelError::Cancelled`].
    pub fn run(
        &self,
        target: &mut Feature,
        activation: Activation<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let channels = self.scale.len();
        activation.check(target.channels())?;
        if target.channels() != channels {
            let message = format!("{} channels for {channels} scales", target.channels());
            return Err(ShapeError(message).into());
        }
        let pixel = padded(channels);
        Shared::with(STRIPS * channels, 3 * pixel, |Shared { sums, lines }| {
            let (sums, lines) = (&mut sums[..STRIPS * channels], &mut lines[..3 * pixel]);
            self.coefficients(target, sums, lines, cx)?;
            let pixels = target.height() * target.width();
            let target = target.shared_mut();
            cx.for_each_block(STRIPS, 0, |strip, _| {
                let [first, end] = strip_of(strip, pixels);
                let values = first * pixel..end * pixel;
                let apply = Apply { target, values, pixel, lines, activation };
                // SAFETY: each block writes its own pixels.
                unsafe { Isa::current().run(apply) }
            })?;
            Ok(())
        })
    }

    /// Computes centre, scale and shift of each channel of `target`, `[3][pixel]`.
    fn coefficients(
        &self,
        target: &Feature,
        sums: &mut [f64],
        lines: &mut [f32],
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let in_group = self.scale.len() / self.groups;
        let count = (in_group * target.height() * target.width()) as f64;
        let (centre, rest) = lines.split_at_mut(target.pixel_stride());
        let (scale, shift) = rest.split_at_mut(target.pixel_stride());
        sum(target, None, sums, cx)?;
        for (centre, group) in
            centre.chunks_mut(in_group).zip(sums.chunks(in_group)).take(self.groups)
        {
            let mean = (group.iter().sum::<f64>() / count) as f32;
            centre.iter_mut().take(in_group).for_each(|c| *c = mean);
        }
        sum(target, Some(centre), sums, cx)?;
        for (c, group) in sums.chunks(in_group).take(self.groups).enumerate() {
            let variance = group.iter().sum::<f64>() / count;
            let deviation = (variance + f64::from(self.epsilon)).sqrt();
            for c in c * in_group..(c + 1) * in_group {
                scale[c] = (f64::from(self.scale[c]) / deviation) as f32;
            }
        }
        shift[..self.shift.len()].copy_from_slice(&self.shift);
        Ok(())
    }
}

/// First and end of a strip's pixels.
fn strip_of(strip: usize, pixels: usize) -> [usize; 2] {
    [strip, strip + 1].map(|s| s * (pixels / STRIPS) + s * (pixels % STRIPS) / STRIPS)
}

/// Sums of each channel over the whole picture, of values or of squared distances to `centre`, into
/// the first `channels` of `sums`, `[STRIPS][channels]`.
fn sum(
    feature: &Feature,
    centre: Option<&[f32]>,
    sums: &mut [f64],
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    let (channels, pixels) = (feature.channels(), feature.height() * feature.width());
    sums.fill(0.0);
    let shared = SharedMut(sums.as_mut_ptr());
    cx.for_each_block(STRIPS, 0, |strip, _| {
        let [first, end] = strip_of(strip, pixels);
        // SAFETY: each strip has its own sums; the feature is only read.
        unsafe {
            let sums = shared.get().add(strip * channels);
            let sums = std::slice::from_raw_parts_mut(sums, channels);
            Isa::current().run(Sums { feature, pixels: first..end, centre, sums });
        }
    })?;
    let (total, parts) = sums.split_at_mut(channels);
    for part in parts.chunks_exact(channels) {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
    Ok(())
}

impl Task for Sums<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { feature, pixels, centre, sums } = self;
        let pixel = feature.pixel_stride();
        for first in pixels.clone().step_by(RUN) {
            let count = RUN.min(pixels.end - first);
            for c in (0..feature.channels()).step_by(S::LANES) {
                let mut lanes = [0.0f32; 16];
                // SAFETY: pixels of the feature, whole vectors of its padded channels; no vector
                // is longer than 16.
                unsafe {
                    let from = feature.as_ptr().add(first * pixel + c);
                    let mut sum = S::zero();
                    if let Some(centre) = centre {
                        let centre = S::load(centre.as_ptr().add(c));
                        for x in 0..count {
                            let distance = S::load(from.add(x * pixel)).sub(centre);
                            sum = distance.mul_add(distance, sum);
                        }
                    } else {
                        for x in 0..count {
                            sum = sum.add(S::load(from.add(x * pixel)));
                        }
                    }
                    sum.store(lanes.as_mut_ptr());
                }
                for (to, lane) in sums.iter_mut().skip(c).zip(&lanes[..S::LANES]) {
                    *to += f64::from(*lane);
                }
            }
        }
    }
}

impl Task for Apply<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in self.values.step_by(S::LANES) {
            let c = i % self.pixel;
            // SAFETY: whole vectors of this block's pixels; scales, shifts and the activation have a
            // value for each padded channel.
            unsafe {
                let (to, lines) = (self.target.get().add(i), self.lines.as_ptr());
                let centre = S::load(lines.add(c));
                let scale = S::load(lines.add(self.pixel + c));
                let shift = S::load(lines.add(2 * self.pixel + c));
                let mut x = [S::load(to).sub(centre).mul_add(scale, shift)];
                activate(&mut x, &self.activation, c);
                x[0].store(to);
            }
        }
    }
}
