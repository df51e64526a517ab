//! What the network hears: the loudness of bands and the lowest bins, each relative to its recent
//! mean.

use limpid_kernels::ShapeError;
use limpid_kernels::spectrum::{Bands, erb_widths};
use realfft::num_complex::Complex32;

use super::tensors::{BANDS, BINS};
use super::{FRAME, RATE, SPECTRUM};

/// What a mean keeps of itself from hop to hop: `exp(-10 ms / 1 s)` to three digits, as in training.
const KEEP: f32 = 0.99;
/// Where the means start, at the first and the last band or bin: loudness in dB, and magnitudes.
const FIRST_LOUDNESS: [f32; 2] = [-60.0, -90.0];
const FIRST_MAGNITUDE: [f32; 2] = [0.001, 0.0001];

/// Features of one frame after the other.
#[derive(Clone, Debug)]
pub(super) struct Features {
    bands: Bands,
    power: Vec<f32>,
    loudness: [f32; BANDS],
    magnitude: [f32; BINS],
    /// Loudness of each band less its mean, in units of 40 dB.
    pub(super) by_band: [f32; BANDS],
    /// Bins divided by the root of their mean magnitude: all real parts, then all imaginary ones.
    pub(super) by_bin: [[f32; BINS]; 2],
}

impl Features {
    pub(super) fn new() -> Result<Self, ShapeError> {
        let mut features = Self {
            bands: bands()?,
            power: vec![0.0; SPECTRUM],
            loudness: [0.0; BANDS],
            magnitude: [0.0; BINS],
            by_band: [0.0; BANDS],
            by_bin: [[0.0; BINS]; 2],
        };
        features.reset();
        Ok(features)
    }

    pub(super) fn reset(&mut self) {
        ramp(&mut self.loudness, FIRST_LOUDNESS);
        ramp(&mut self.magnitude, FIRST_MAGNITUDE);
        self.by_band.fill(0.0);
        self.by_bin = [[0.0; BINS]; 2];
    }

    /// Takes in the next frame's spectrum.
    pub(super) fn take(&mut self, spectrum: &[Complex32]) -> Result<(), ShapeError> {
        for (power, bin) in self.power.iter_mut().zip(spectrum) {
            *power = bin.norm_sqr();
        }
        self.bands.group(&self.power, &mut self.by_band)?;
        for (value, mean) in self.by_band.iter_mut().zip(&mut self.loudness) {
            let loudness = (*value + 1e-10).log10() * 10.0;
            *mean = loudness * (1.0 - KEEP) + *mean * KEEP;
            *value = (loudness - *mean) / 40.0;
        }
        let [real, imaginary] = &mut self.by_bin;
        let parts = real.iter_mut().zip(imaginary);
        for ((bin, mean), (re, im)) in spectrum.iter().zip(&mut self.magnitude).zip(parts) {
            *mean = bin.norm() * (1.0 - KEEP) + *mean * KEEP;
            // after minutes of digital silence the mean itself would be zero
            let root = mean.max(1e-20).sqrt();
            (*re, *im) = (bin.re / root, bin.im / root);
        }
        Ok(())
    }
}

/// The bands of the spectrum.
pub(super) fn bands() -> Result<Bands, ShapeError> {
    Bands::adjacent(&erb_widths(RATE as usize, FRAME, BANDS, 2)?)
}

/// Equal steps from the first value to the last.
fn ramp(values: &mut [f32], [first, last]: [f32; 2]) {
    let step = (last - first) / (values.len() - 1) as f32;
    for (at, value) in values.iter_mut().enumerate() {
        *value = first + at as f32 * step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_the_spectrum() {
        assert_eq!((bands().unwrap().bins(), bands().unwrap().bands()), (SPECTRUM, BANDS));
    }

    #[test]
    fn silence_and_a_steady_sound_become_quiet_features() {
        let mut features = Features::new().unwrap();
        features.take(&[Complex32::default(); SPECTRUM]).unwrap();
        // -100 dB where -60 was expected, a hundredth of which is believed at once
        assert!((features.by_band[0] - (-40.0 * 0.99) / 40.0).abs() < 1e-5);
        assert!((features.loudness[BANDS - 1] - (-90.0 * 0.99 - 1.0)).abs() < 1e-4);
        assert_eq!(features.by_bin, [[0.0; BINS]; 2]);
        let steady = vec![Complex32::new(0.03, -0.04); SPECTRUM];
        for _ in 0..2000 {
            features.take(&steady).unwrap();
        }
        assert!(features.by_band.iter().all(|v| v.abs() < 1e-3));
        let root = 0.05_f32.sqrt();
        assert!((features.by_bin[0][7] - 0.03 / root).abs() < 1e-4);
        assert!((features.by_bin[1][95] + 0.04 / root).abs() < 1e-4);
        features.magnitude.fill(0.0);
        features.take(&[Complex32::default(); SPECTRUM]).unwrap();
        assert_eq!(features.by_bin, [[0.0; BINS]; 2]);
        features.reset();
        assert_eq!((features.loudness[0], features.magnitude[0]), (-60.0, 0.001));
        assert!((features.magnitude[BINS - 1] - 0.0001).abs() < 1e-9);
    }
}
