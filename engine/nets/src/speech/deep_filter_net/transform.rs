//! Samples to spectra and back, a hop at a time.

use std::sync::Arc;

use limpid_kernels::spectrum::Window;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::{FRAME, HOP, SPECTRUM};
use crate::error::NetError;

/// The transform of half-overlapping frames under Vorbis' window, both ways, with what is left of
/// the hop before.
#[derive(Clone)]
pub(super) struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    /// The last hop of input.
    heard: Vec<f32>,
    /// The second half of the last frame, which the next one is added to.
    pending: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform").finish_non_exhaustive()
    }
}

impl Transform {
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(FRAME), planner.plan_fft_inverse(FRAME));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            forward,
            inverse,
            window: Window::Vorbis.values(FRAME),
            heard: vec![0.0; HOP],
            pending: vec![0.0; HOP],
            frame: vec![0.0; FRAME],
            spectrum: vec![Complex32::default(); SPECTRUM],
            scratch: vec![Complex32::default(); scratch],
        }
    }

    pub(super) fn reset(&mut self) {
        self.heard.fill(0.0);
        self.pending.fill(0.0);
    }

    /// The spectrum of the last hop and this one, `hop` of [`HOP`] samples, scaled so that it does
    /// not grow with the frame.
    pub(super) fn analyse(
        &mut self,
        hop: impl Iterator<Item = f32>,
        spectrum: &mut [Complex32],
    ) -> Result<(), NetError> {
        let (first, second) = self.frame.split_at_mut(HOP);
        let (rising, falling) = self.window.split_at(HOP);
        let known = first.iter_mut().zip(second).zip(rising.iter().zip(falling));
        for (((first, second), (rise, fall)), (heard, sample)) in
            known.zip(self.heard.iter_mut().zip(hop))
        {
            *first = *heard * rise;
            *second = sample * fall;
            *heard = sample;
        }
        self.forward
            .process_with_scratch(&mut self.frame, spectrum, &mut self.scratch)
            .map_err(|error| NetError::Internal(error.to_string()))?;
        for bin in spectrum {
            *bin *= 1.0 / FRAME as f32;
        }
        Ok(())
    }

    /// Adds the frame of this spectrum; the hop that it completes goes to `output`.
    pub(super) fn synthesise(
        &mut self,
        spectrum: &[Complex32],
        output: &mut [f32],
    ) -> Result<(), NetError> {
        self.spectrum.copy_from_slice(spectrum);
        // a real signal has real values there, which the filters of the lowest bin do not know
        for edge in [0, SPECTRUM - 1] {
            self.spectrum[edge].im = 0.0;
        }
        self.inverse
            .process_with_scratch(&mut self.spectrum, &mut self.frame, &mut self.scratch)
            .map_err(|error| NetError::Internal(error.to_string()))?;
        let (first, second) = self.frame.split_at(HOP);
        let (rising, falling) = self.window.split_at(HOP);
        for ((to, pending), (value, rise)) in
            output.iter_mut().zip(&self.pending).zip(first.iter().zip(rising))
        {
            *to = value * rise + pending;
        }
        for (pending, (value, fall)) in self.pending.iter_mut().zip(second.iter().zip(falling)) {
            *pending = value * fall;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_comes_back_a_hop_later() {
        let mut transform = Transform::new();
        let signal: Vec<f32> =
            (0..6 * HOP).map(|i| ((i * 37 % 101) as f32 - 50.0) / 60.0).collect();
        let mut spectrum = vec![Complex32::default(); SPECTRUM];
        let mut back = Vec::new();
        for hop in signal.chunks_exact(HOP) {
            let mut output = [f32::NAN; HOP];
            transform.analyse(hop.iter().copied(), &mut spectrum).unwrap();
            transform.synthesise(&spectrum, &mut output).unwrap();
            back.extend(output);
        }
        assert!(back[..HOP].iter().all(|v| v.abs() < 1e-6));
        for (found, wanted) in back[HOP..].iter().zip(&signal) {
            assert!((found - wanted).abs() < 2e-6, "{found}, not {wanted}");
        }
    }

    #[test]
    fn spectra_have_the_scale_of_the_signal() {
        // a full-scale cosine at bin 40: half its amplitude, times the mean of the window
        let mut transform = Transform::new();
        let mut spectrum = vec![Complex32::default(); SPECTRUM];
        let wave = |i: usize| (std::f32::consts::TAU * 40.0 * i as f32 / FRAME as f32).cos();
        for hop in 0..2 {
            let samples = (hop * HOP..(hop + 1) * HOP).map(wave);
            transform.analyse(samples, &mut spectrum).unwrap();
        }
        let mean = Window::Vorbis.values(FRAME).iter().sum::<f32>() / FRAME as f32;
        assert!((spectrum[40].norm() - mean / 2.0).abs() < 1e-5);
    }
}
