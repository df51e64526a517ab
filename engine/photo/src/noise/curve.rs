//! How noise depends on brightness, and the map of it that a denoiser is told.
//!
//! A sensor's noise grows with the light; the tone curve then stretches shadows and squeezes lights.
//! What is stored is noisiest in the shadows, mostly, and one level for a whole picture leaves grain
//! there and takes detail elsewhere.

use limpid_kernels::Planes;

/// Bins of equal width that the range of brightness is cut into.
pub(crate) const BINS: usize = 8;

/// Levels in the bins may differ by this much from each other and still count as one: what the
/// measurement itself scatters by.
const UNEVEN: f32 = 1.3;
/// How far a bin's level may be from the whole picture's.
const RANGE: std::ops::RangeInclusive<f32> = 0.4..=2.5;

/// The noise level over the brightness, as a factor on that of the whole picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseCurve([f32; BINS]);

impl Default for NoiseCurve {
    fn default() -> Self {
        Self::FLAT
    }
}

impl NoiseCurve {
    /// The same at any brightness.
    pub const FLAT: Self = Self([1.0; BINS]);

    /// From the levels measured in each bin, none where too little was seen, and that of the whole
    /// picture. Flat where the bins agree, or nearly nothing is known.
    pub(crate) fn from_levels(levels: [Option<f32>; BINS], whole: f32) -> Self {
        let known: Vec<(usize, f32)> = levels
            .iter()
            .enumerate()
            .filter_map(|(bin, level)| level.map(|level| (bin, level)))
            .filter(|(_, level)| level.is_finite() && *level > 0.0)
            .collect();
        let (least, most) = known
            .iter()
            .fold((f32::INFINITY, 0.0_f32), |(a, b), (_, level)| (a.min(*level), b.max(*level)));
        if known.len() < 2 || whole <= 0.0 || most < UNEVEN * least {
            return Self::FLAT;
        }
        Self(std::array::from_fn(|bin| {
            let after = known.iter().position(|(at, _)| *at >= bin);
            let level = match after {
                Some(0) => known[0].1,
                None => known[known.len() - 1].1,
                Some(next) => {
                    let ((left, a), (right, b)) = (known[next - 1], known[next]);
                    a + (b - a) * (bin - left) as f32 / (right - left) as f32
                }
            };
            (level / whole).clamp(*RANGE.start(), *RANGE.end())
        }))
    }

    /// Whether the brightness plays no part.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        *self == Self::FLAT
    }

    /// The factor at `brightness`, the mean of the channels, `0..=1`.
    #[must_use]
    pub fn at(&self, brightness: f32) -> f32 {
        let place = (brightness * BINS as f32 - 0.5).clamp(0.0, (BINS - 1) as f32);
        let bin = (place as usize).min(BINS - 2);
        self.0[bin] + (self.0[bin + 1] - self.0[bin]) * (place - bin as f32)
    }

    /// `rgb` with the factor at each pixel's brightness, `most` at most, as a fourth plane.
    pub(crate) fn with_map(&self, rgb: &Planes, most: f32) -> Planes {
        let (height, width) = (rgb.height(), rgb.width());
        let mut both = Planes::zeros(4, height, width);
        let area = height * width;
        let (colours, map) = both.data_mut().split_at_mut(3 * area);
        colours.copy_from_slice(&rgb.data()[..3 * area]);
        let [red, green, blue] = [0, 1, 2].map(|channel| rgb.plane(channel));
        for ((map, red), (green, blue)) in map.iter_mut().zip(red).zip(green.iter().zip(blue)) {
            *map = self.at((red + green + blue) / 3.0).min(most);
        }
        both
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_lies_between_its_neighbours() {
        let mut levels = [None; BINS];
        (levels[1], levels[3], levels[6]) = (Some(8.0), Some(4.0), Some(2.0));
        let NoiseCurve(factors) = NoiseCurve::from_levels(levels, 4.0);
        let wanted = [2.0, 2.0, 1.5, 1.0, 5.0 / 6.0, 4.0 / 6.0, 0.5, 0.5];
        for (found, wanted) in factors.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-6, "{factors:?}");
        }
    }

    #[test]
    fn levels_that_agree_and_single_ones_make_no_curve() {
        let flat = [Some(5.0), Some(5.5), None, Some(4.8), None, None, Some(5.9), None];
        assert!(NoiseCurve::from_levels(flat, 5.0).is_flat());
        let mut single = [None; BINS];
        single[4] = Some(9.0);
        assert!(NoiseCurve::from_levels(single, 3.0).is_flat());
        assert!(NoiseCurve::from_levels([Some(f32::NAN); BINS], 3.0).is_flat());
        assert!(NoiseCurve::from_levels([Some(1.0); BINS], 0.0).is_flat());
    }

    #[test]
    fn the_map_follows_the_brightness() {
        let mut levels = [None; BINS];
        (levels[0], levels[7]) = (Some(9.0), Some(2.0));
        let curve = NoiseCurve::from_levels(levels, 4.0);
        assert!((curve.at(-1.0) - 2.25).abs() < 1e-6 && (curve.at(2.0) - 0.5).abs() < 1e-6);
        assert!((curve.at(0.5) - 1.375).abs() < 1e-6, "{}", curve.at(0.5));
        let rgb = Planes::from_vec(3, 1, 2, vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let both = curve.with_map(&rgb, 9.0);
        assert_eq!(&both.data()[..6], rgb.data());
        assert_eq!(both.plane(3), [curve.at(0.0), curve.at(1.0)]);
        assert_eq!(curve.with_map(&rgb, 1.5).plane(3), [1.5, curve.at(1.0)]);
    }
}
