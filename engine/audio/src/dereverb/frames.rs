//! Samples to overlapping spectra and back, as long as before and without delay.

use std::collections::VecDeque;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::Spectrum;
use crate::error::AudioError;

/// Windows that every sample is in.
pub(super) const OVERLAP: usize = 4;

/// The root of a Hann window: used twice, four of them overlapping sum to two.
fn window(size: usize) -> Vec<f32> {
    (0..size).map(|at| (std::f64::consts::PI * at as f64 / size as f64).sin() as f32).collect()
}

fn failed(error: realfft::FftError) -> AudioError {
    AudioError::internal(error.to_string())
}

/// Samples in, spectra out.
pub(super) struct Analysis {
    hop: usize,
    window: Vec<f32>,
    transform: Arc<dyn RealToComplex<f32>>,
    /// The samples of the next window so far.
    waiting: VecDeque<f32>,
    windowed: Vec<f32>,
    samples: u64,
}

impl Analysis {
    pub(super) fn new(hop: usize) -> Self {
        let size = OVERLAP * hop;
        Self {
            hop,
            window: window(size),
            transform: RealFftPlanner::new().plan_fft_forward(size),
            // The first sample is in as many windows as any other.
            waiting: std::iter::repeat_n(0.0, size - hop).collect(),
            windowed: vec![0.0; size],
            samples: 0,
        }
    }

    pub(super) fn bins(&self) -> usize {
        self.window.len() / 2 + 1
    }

    /// Samples taken so far.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    pub(super) fn push(
        &mut self,
        input: &[f32],
        spectra: &mut VecDeque<Spectrum>,
    ) -> Result<(), AudioError> {
        self.samples += input.len() as u64;
        self.waiting.extend(input);
        self.drain(spectra)
    }

    /// Fills up with silence until the last sample is in as many windows as any other.
    pub(super) fn finish(&mut self, spectra: &mut VecDeque<Spectrum>) -> Result<(), AudioError> {
        if self.samples > 0 {
            let size = self.window.len();
            self.waiting.extend(std::iter::repeat_n(0.0, size));
            self.drain(spectra)?;
        }
        Ok(())
    }

    fn drain(&mut self, spectra: &mut VecDeque<Spectrum>) -> Result<(), AudioError> {
        while self.waiting.len() >= self.window.len() {
            let samples = self.waiting.iter().zip(&self.window);
            for (out, (sample, weight)) in self.windowed.iter_mut().zip(samples) {
                *out = sample * weight;
            }
            let mut spectrum = self.transform.make_output_vec();
            self.transform.process(&mut self.windowed, &mut spectrum).map_err(failed)?;
            spectra.push_back(spectrum);
            self.waiting.drain(..self.hop);
        }
        Ok(())
    }
}

/// Spectra in, samples out.
pub(super) struct Synthesis {
    hop: usize,
    window: Vec<f32>,
    transform: Arc<dyn ComplexToReal<f32>>,
    /// The sum of the windows so far, from the first sample that is not complete on.
    sum: Vec<f32>,
    frame: Vec<f32>,
    /// Samples of the time before the first one, not to be put out.
    before: usize,
    samples: u64,
}

impl Synthesis {
    pub(super) fn new(hop: usize) -> Self {
        let size = OVERLAP * hop;
        Self {
            hop,
            window: window(size),
            transform: RealFftPlanner::new().plan_fft_inverse(size),
            sum: vec![0.0; size],
            frame: vec![0.0; size],
            before: size - hop,
            samples: 0,
        }
    }

    /// Adds a spectrum, which is used up, and appends the samples that are complete.
    pub(super) fn push(
        &mut self,
        spectrum: &mut [Complex<f32>],
        output: &mut Vec<f32>,
    ) -> Result<(), AudioError> {
        // The inverse wants these without a phase, which rounding may have given them.
        for edge in [0, spectrum.len() - 1] {
            spectrum[edge].im = 0.0;
        }
        self.transform.process(spectrum, &mut self.frame).map_err(failed)?;
        let scale = 2.0 / (OVERLAP * self.window.len()) as f32;
        for ((sum, sample), weight) in self.sum.iter_mut().zip(&self.frame).zip(&self.window) {
            *sum += sample * weight * scale;
        }
        let skipped = self.before.min(self.hop);
        self.before -= skipped;
        output.extend_from_slice(&self.sum[skipped..self.hop]);
        self.samples += (self.hop - skipped) as u64;
        self.sum.copy_within(self.hop.., 0);
        let end = self.sum.len() - self.hop;
        self.sum[end..].fill(0.0);
        Ok(())
    }

    /// Takes back what was put out beyond `samples`, all from the silence at the end.
    pub(super) fn finish(&self, samples: u64, output: &mut Vec<f32>) {
        let extra = self.samples.saturating_sub(samples) as usize;
        output.truncate(output.len().saturating_sub(extra));
    }
}
