//! What the steps of a recipe share: a step turns any region of its output into the region of its
//! input that it needs, and computes the one from the other.

pub(crate) mod denoise;
pub(crate) mod ensemble;
pub(crate) mod model;
#[cfg(test)]
pub(crate) mod test_models;
pub(crate) mod upscale;

use std::fmt::Debug;

use limpid_kernels::{Planes, Pool};
use rayon::prelude::*;

use crate::cache::Memo;
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::noise::NoiseLevel;

/// Rec. 709 weights of red, green and blue in brightness.
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// Columns and rows of a picture.
pub(crate) type Extent = (u32, u32);

/// Pixels at their place in a picture: `[C, rect.height, rect.width]`.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) rect: Rect,
    pub(crate) planes: Planes,
}

impl Block {
    /// The part at `rect`, which must lie inside.
    pub(crate) fn crop(&self, rect: Rect) -> Result<Planes, PhotoError> {
        if rect == self.rect {
            return Ok(self.planes.clone());
        }
        let inside = rect.intersect(self.rect) == rect;
        if !inside {
            return Err(PhotoError::internal(format!("{rect:?} is not within {:?}", self.rect)));
        }
        let (x, y) = (rect.x - self.rect.x, rect.y - self.rect.y);
        let [x, y, width, height] = [x, y, rect.width, rect.height].map(|v| v as usize);
        Ok(self.planes.crop(x, y, width, height)?)
    }

    /// The colour channels alone as red, green and blue; grey three times.
    pub(crate) fn to_rgb(&self, colours: usize) -> Result<Self, PhotoError> {
        let (height, width) = (self.planes.height(), self.planes.width());
        let mut data = Vec::with_capacity(3 * height * width);
        for channel in 0..3 {
            data.extend_from_slice(self.planes.plane(channel.min(colours - 1)));
        }
        Ok(Self { rect: self.rect, planes: Planes::from_vec(3, height, width, data)? })
    }
}

/// The picture that goes into a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) size: Extent,
    /// Colour channels: 1 or 3.
    pub(crate) colours: usize,
    pub(crate) alpha: bool,
}

impl Input {
    /// Bytes of a block of `rect`.
    pub(crate) fn block_bytes(&self, rect: Rect) -> u64 {
        area(rect) * 4 * (self.colours as u64 + u64::from(self.alpha))
    }
}

/// Pixels of `rect`.
pub(crate) fn area(rect: Rect) -> u64 {
    u64::from(rect.width) * u64::from(rect.height)
}

/// What a step is given beside its input.
pub(crate) struct StepContext<'a> {
    pub(crate) work: &'a WorkContext<'a>,
    /// The picture that `input` blocks are pieces of.
    pub(crate) input: Input,
    /// Noise measured in that picture: the level to tell a denoiser, `0..=255`.
    pub(crate) noise: NoiseLevel,
    /// Results of networks from earlier calls.
    pub(crate) memo: Option<Memo<'a>>,
}

/// One step of a recipe, with its models loaded.
pub(crate) trait Step: Debug + Send + Sync {
    /// Columns and rows that a picture of `size` has after this step.
    fn output_size(&self, size: Extent) -> Extent;

    /// Names of the models that may be used.
    fn models(&self) -> Vec<String>;

    /// Whether it must know the noise level of its input.
    fn needs_noise(&self) -> bool;

    /// The region of the input that the output's `rect` is computed from.
    fn input_rect(&self, rect: Rect, input: Input) -> Rect;

    /// Memory that [`Self::apply`] takes for the output's `rect`, its result included and its
    /// input not.
    fn working_bytes(&self, rect: Rect, input: Input) -> u64;

    /// Work of [`Self::apply`] for the output's `rect` in multiply-adds, roughly.
    fn work(&self, rect: Rect, input: Input) -> f64;

    /// What the result of the networks depends on besides the input's pixels; settings that only
    /// say how that result is used are left out.
    fn fingerprint(&self, noise: NoiseLevel, input: Input) -> String;

    /// The output's `rect` from a block that holds [`Self::input_rect`] of it.
    fn apply(&self, input: Block, rect: Rect, cx: &StepContext<'_>) -> Result<Planes, PhotoError>;
}

/// `before` changed towards `after` (both `[3, H, W]`) by `luma` of the change in brightness and
/// `chroma` of the change in colour, each `0..=1`, into `after`.
///
/// The change of each channel is split into that of the Rec. 709 brightness, equal in all three,
/// and the rest; all of both is exactly `after`.
pub(crate) fn mix(before: &Planes, after: &mut Planes, luma: f32, chroma: f32, pool: &Pool) {
    if luma == 1.0 && chroma == 1.0 {
        return;
    }
    const RUN: usize = 1 << 14;
    let area = after.height() * after.width();
    let (red, rest) = after.data_mut().split_at_mut(area);
    let (green, blue) = rest.split_at_mut(area);
    pool.install(|| {
        red.par_chunks_mut(RUN)
            .zip(green.par_chunks_mut(RUN))
            .zip(blue.par_chunks_mut(RUN))
            .enumerate()
            .for_each(|(index, ((red, green), blue))| {
                let run = index * RUN..index * RUN + red.len();
                let before = [0, 1, 2].map(|channel| &before.plane(channel)[run.clone()]);
                for i in 0..red.len() {
                    let old = before.map(|plane| plane[i]);
                    let change = [red[i] - old[0], green[i] - old[1], blue[i] - old[2]];
                    let brightness =
                        LUMA[0] * change[0] + LUMA[1] * change[1] + LUMA[2] * change[2];
                    let mixed =
                        |c: usize| old[c] + luma * brightness + chroma * (change[c] - brightness);
                    (red[i], green[i], blue[i]) = (mixed(0), mixed(1), mixed(2));
                }
            });
    });
}

/// `[3, H, W]` to `[colours, H, W]`: as it is, or the mean of the three for a grey picture.
pub(crate) fn from_rgb(rgb: Planes, colours: usize) -> Result<Planes, PhotoError> {
    if colours == 3 {
        return Ok(rgb);
    }
    let (height, width) = (rgb.height(), rgb.width());
    let [red, green, blue] = [0, 1, 2].map(|channel| rgb.plane(channel));
    let mean = red.iter().zip(green).zip(blue).map(|((r, g), b)| (r + g + b) / 3.0).collect();
    Ok(Planes::from_vec(1, height, width, mean)?)
}

/// `colour` with the one channel of `alpha` after its own.
pub(crate) fn with_alpha(colour: Planes, alpha: &[f32]) -> Result<Planes, PhotoError> {
    let (channels, height, width) = (colour.channels(), colour.height(), colour.width());
    let mut data = colour.into_vec();
    data.extend_from_slice(alpha);
    Ok(Planes::from_vec(channels + 1, height, width, data)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{scene, with_noise};

    #[test]
    fn all_of_the_change_is_the_result_and_none_is_the_original() {
        let pool = Pool::new(2).unwrap();
        let (before, after) = (scene(33, 21, 1), with_noise(&scene(33, 21, 1), 20.0, 1));
        let mut all = after.clone();
        mix(&before, &mut all, 1.0, 1.0, &pool);
        assert_eq!(all, after);
        let mut none = after.clone();
        mix(&before, &mut none, 0.0, 0.0, &pool);
        assert_eq!(none, before);
    }

    #[test]
    fn brightness_and_colour_are_changed_apart() {
        let pool = Pool::new(1).unwrap();
        let (before, after) = (scene(40, 30, 2), with_noise(&scene(40, 30, 2), 30.0, 3));
        let luma = |p: &Planes, i: usize| -> f32 { (0..3).map(|c| LUMA[c] * p.plane(c)[i]).sum() };
        let (mut bright, mut coloured) = (after.clone(), after.clone());
        mix(&before, &mut bright, 1.0, 0.0, &pool);
        mix(&before, &mut coloured, 0.0, 1.0, &pool);
        for i in 0..40 * 30 {
            assert!((luma(&bright, i) - luma(&after, i)).abs() < 1e-5);
            assert!((luma(&coloured, i) - luma(&before, i)).abs() < 1e-5);
            for channel in 1..3 {
                let difference = |p: &Planes| p.plane(channel)[i] - p.plane(0)[i];
                assert!((difference(&bright) - difference(&before)).abs() < 1e-5);
                assert!((difference(&coloured) - difference(&after)).abs() < 1e-5);
            }
        }
    }
}
