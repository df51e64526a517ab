//! Samples to features and back: the ends of the speech network.

use std::sync::Arc;

use limpid_kernels::ShapeError;
use limpid_kernels::spectrum::Window;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::layers::sigmoid;
use crate::error::{LoadError, NetError};

pub(super) const WINDOW: usize = 512;
pub(super) const HOP: usize = 256;
/// Bins that the network sees and steers; the one at half the rate goes with the last of them.
pub(super) const BINS: usize = WINDOW / 2;
/// Values of a bin that go in: log power, compressed real and imaginary part.
pub(super) const FEATURES: usize = 3;
/// Frames that a bin's filter looks at.
const TAPS: usize = 3;
/// Values of a bin that come out: a gain, and a complex tap for each frame.
pub(super) const OUTPUTS: usize = 1 + 2 * TAPS;
/// Frames in which the running level forgets.
const LEVEL_FRAMES: f32 = 62.5;
const EPSILON: f32 = 1e-9;

#[derive(Clone)]
pub(super) struct Spectra {
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
    window: Vec<f32>,
    /// The last [`WINDOW`] samples.
    samples: Vec<f32>,
    frame: Vec<f32>,
    /// The spectra of this frame and those before it, the latest first.
    spectra: [Vec<Complex32>; TAPS],
    result: Vec<Complex32>,
    /// The second half of the frame before, windowed.
    overlap: Vec<f32>,
    level: Level,
}

/// Running mean over frames of the mean log10 power over bins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    pub(super) value: f32,
    frames: u16,
}

impl Level {
    /// The mean of all frames so far, then one that forgets.
    pub(super) fn hear(&mut self, mean: f32) {
        let new = (1.0 / (f32::from(self.frames) + 1.0)).max(1.0 - (-1.0 / LEVEL_FRAMES).exp());
        self.frames = self.frames.saturating_add(1);
        self.value += new * (mean - self.value);
    }
}

fn power(bin: &Complex32) -> f32 {
    bin.norm_sqr() + EPSILON
}

impl std::fmt::Debug for Spectra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spectra").field("level", &self.level).finish_non_exhaustive()
    }
}

fn transform_failed(error: realfft::FftError) -> ShapeError {
    ShapeError(error.to_string())
}

impl Spectra {
    pub(super) fn new() -> Result<Self, LoadError> {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(WINDOW);
        let backward = planner.plan_fft_inverse(WINDOW);
        let scratch = forward.get_scratch_len().max(backward.get_scratch_len());
        let bins = || vec![Complex32::default(); BINS + 1];
        Ok(Self {
            scratch: vec![Complex32::default(); scratch],
            forward,
            backward,
            window: Window::SqrtHann.values(WINDOW),
            samples: vec![0.0; WINDOW],
            frame: vec![0.0; WINDOW],
            spectra: [bins(), bins(), bins()],
            result: bins(),
            overlap: vec![0.0; HOP],
            level: Level::default(),
        })
    }

    pub(super) fn reset(&mut self) {
        self.samples.fill(0.0);
        self.overlap.fill(0.0);
        self.spectra.iter_mut().for_each(|spectrum| spectrum.fill(Complex32::default()));
        self.level = Level::default();
    }

    /// Takes a hop in, and writes the features of the frame that it completes.
    pub(super) fn take(&mut self, input: &[f32], features: &mut [f32]) -> Result<(), NetError> {
        self.hear(input)?;
        self.level.hear(self.mean());
        self.features(self.level.value, features);
        Ok(())
    }

    /// Takes a hop in: the frame that it completes is the one that the others mean.
    pub(super) fn hear(&mut self, input: &[f32]) -> Result<(), NetError> {
        self.samples.copy_within(HOP.., 0);
        for (to, from) in self.samples[WINDOW - HOP..].iter_mut().zip(input) {
            *to = if from.is_finite() { from.clamp(-64.0, 64.0) } else { 0.0 };
        }
        for ((to, sample), window) in self.frame.iter_mut().zip(&self.samples).zip(&self.window) {
            *to = sample * window;
        }
        self.spectra.rotate_right(1);
        let scratch = &mut self.scratch[..self.forward.get_scratch_len()];
        self.forward
            .process_with_scratch(&mut self.frame, &mut self.spectra[0], scratch)
            .map_err(transform_failed)?;
        Ok(())
    }

    /// Mean log10 power of the frame.
    pub(super) fn mean(&self) -> f32 {
        self.spectra[0][..BINS].iter().map(|bin| power(bin).log10()).sum::<f32>() / BINS as f32
    }

    /// Features of the frame, related to a level: log power, compressed real and imaginary part.
    pub(super) fn features(&self, level: f32, features: &mut [f32]) {
        let scale = 10f32.powf(-0.15 * level);
        let features = features.as_chunks_mut::<FEATURES>().0;
        for (bin, to) in self.spectra[0][..BINS].iter().zip(features) {
            let power = power(bin);
            let compressed = power.powf(-0.35) * scale;
            *to = [(power.log10() - level) * 0.5, bin.re * compressed, bin.im * compressed];
        }
    }

    /// Whether the frame taken last holds nothing but zeros.
    pub(super) fn is_silent(&self) -> bool {
        self.samples.iter().all(|sample| *sample == 0.0)
    }

    /// Does to the spectrum what the network says, keeps `floor` of what was there, and completes
    /// a hop of samples.
    pub(super) fn give(
        &mut self,
        outputs: &[f32],
        floor: f32,
        samples: &mut [f32],
    ) -> Result<(), NetError> {
        let outputs = outputs.as_chunks::<OUTPUTS>().0;
        for (bin, result) in self.result.iter_mut().enumerate() {
            let values = &outputs[bin.min(BINS - 1)];
            let noisy = self.spectra[0][bin];
            let mut sum = noisy * sigmoid(values[0]);
            for (tap, spectrum) in values[1..].as_chunks::<2>().0.iter().zip(&self.spectra) {
                sum += Complex32::new(tap[0].tanh(), tap[1].tanh()) * spectrum[bin];
            }
            *result = sum * (1.0 - floor) + noisy * floor;
        }
        // A real signal has none, and the transform refuses them.
        self.result[0].im = 0.0;
        self.result[BINS].im = 0.0;
        let backward = &self.backward;
        let scratch = &mut self.scratch[..backward.get_scratch_len()];
        backward
            .process_with_scratch(&mut self.result, &mut self.frame, scratch)
            .map_err(transform_failed)?;
        for (value, window) in self.frame.iter_mut().zip(&self.window) {
            *value *= window / WINDOW as f32;
        }
        for ((to, now), before) in samples.iter_mut().zip(&self.frame).zip(&self.overlap) {
            *to = now + before;
        }
        self.overlap.copy_from_slice(&self.frame[WINDOW - HOP..]);
        Ok(())
    }
}
