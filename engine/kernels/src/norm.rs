//! Group normalisation (Wu and He 2018); with as many groups as channels it is instance
//! normalisation.

use crate::context::SharedMut;
use crate::epilogue::activate;
use crate::simd::{Isa, Simd, Task};
use crate::{Activation, ChannelVector, Feature, KernelError, RunContext, ShapeError};

/// Strips of rows that are summed apart: fixed, so that sums do not depend on the workers.
const STRIPS: usize = 64;

/// Normalises groups of channels over the whole picture, then scales and shifts each channel.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    epsilon: f32,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Sums of each channel over some rows.
struct Sums<'a> {
    feature: &'a Feature,
    rows: std::ops::Range<usize>,
    /// Where given, squares of the distance to it are summed instead; one value a channel, padded.
    centre: Option<&'a ChannelVector>,
    /// One sum a channel.
    sums: &'a mut [f64],
}

/// `activation((x - centre) * scale + shift)` over some rows.
struct Apply<'a> {
    target: SharedMut,
    values: std::ops::Range<usize>,
    pixel: usize,
    /// Centre, scale and shift.
    line: [&'a ChannelVector; 3],
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
        if groups == 0 || scale.len() != shift.len() || !scale.len().is_multiple_of(groups) {
            let (scales, shifts) = (scale.len(), shift.len());
            return Err(ShapeError(format!(
                "{scales} scales and {shifts} shifts in {groups} groups"
            )));
        }
        Ok(Self { groups, epsilon, scale: scale.to_vec(), shift: shift.to_vec() })
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
        let in_group = channels / self.groups;
        let count = (in_group * target.height() * target.width()) as f64;
        let by_group = |sums: &[f64]| -> Vec<f64> {
            sums.chunks_exact(in_group).map(|group| group.iter().sum::<f64>() / count).collect()
        };
        let means = by_group(&sum(target, None, cx)?);
        let centre: Vec<f32> = (0..channels).map(|c| means[c / in_group] as f32).collect();
        let variances = by_group(&sum(target, Some(&ChannelVector::new(&centre)), cx)?);
        let scale: Vec<f32> = (0..channels)
            .map(|c| {
                let deviation = (variances[c / in_group] + f64::from(self.epsilon)).sqrt();
                (f64::from(self.scale[c]) / deviation) as f32
            })
            .collect();
        let [centre, scale, shift] = [&centre, &scale, &self.shift].map(|v| ChannelVector::new(v));
        let (pixel, height) = (target.pixel_stride(), target.height());
        let row = target.width() * pixel;
        let target = target.shared_mut();
        cx.for_each_block(height, 0, |y, _| {
            let values = y * row..(y + 1) * row;
            let line = [&centre, &scale, &shift];
            let apply = Apply { target, values, pixel, line, activation };
            // SAFETY: each block writes its own row.
            unsafe { Isa::current().run(apply) }
        })?;
        Ok(())
    }
}

/// Sums of each channel over the whole picture, of values or of squared distances to `centre`.
fn sum(
    feature: &Feature,
    centre: Option<&ChannelVector>,
    cx: &RunContext<'_>,
) -> Result<Vec<f64>, KernelError> {
    let (channels, height) = (feature.channels(), feature.height());
    let partial = std::sync::Mutex::new(vec![vec![0.0; channels]; STRIPS]);
    cx.for_each_block(STRIPS, 0, |strip, _| {
        let rows = strip * height / STRIPS..(strip + 1) * height / STRIPS;
        let mut sums = vec![0.0; channels];
        // SAFETY: only reads, inside the feature.
        unsafe { Isa::current().run(Sums { feature, rows, centre, sums: &mut sums }) }
        let mut partial = partial.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        partial[strip] = sums;
    })?;
    let partial = partial.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((0..channels).map(|c| partial.iter().map(|sums| sums[c]).sum()).collect())
}

impl Task for Sums<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { feature, rows, centre, sums } = self;
        let (pixel, width) = (feature.pixel_stride(), feature.width());
        for y in rows {
            for c in (0..feature.channels()).step_by(S::LANES) {
                // f32 along a row, f64 from row to row
                let mut lanes = [0.0f32; 16];
                // SAFETY: pixels of the feature, whole vectors of its padded channels; no vector
                // is longer than 16.
                unsafe {
                    let from = feature.as_ptr().add(y * width * pixel + c);
                    let mut sum = S::zero();
                    if let Some(centre) = centre {
                        let centre = S::load(centre.as_ptr().add(c));
                        for x in 0..width {
                            let distance = S::load(from.add(x * pixel)).sub(centre);
                            sum = distance.mul_add(distance, sum);
                        }
                    } else {
                        for x in 0..width {
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
            // SAFETY: whole vectors of this block's row; scales, shifts and the activation have a
            // value for each padded channel.
            unsafe {
                let to = self.target.get().add(i);
                let centre = S::load(self.line[0].as_ptr().add(c));
                let scale = S::load(self.line[1].as_ptr().add(c));
                let shift = S::load(self.line[2].as_ptr().add(c));
                let mut x = [S::load(to).sub(centre).mul_add(scale, shift)];
                activate(&mut x, &self.activation, c);
                x[0].store(to);
            }
        }
    }
}
