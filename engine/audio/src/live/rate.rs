//! Another sample rate, a few milliseconds at a time.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use crate::error::AudioError;

/// Half of it is the delay: 2.7 ms at 48 kHz, for a band of 90 % of the lower rate's.
const TAPS: usize = 256;

/// How many frames it takes at a time.
const CHUNK: usize = 128;

/// Resamples interleaved frames as they come. What it gives starts with the first frame that it was
/// given: its own delay is taken off.
pub(crate) struct StreamResampler {
    inner: Option<Async<f32>>,
    channels: usize,
    pending: Vec<f32>,
    made: Vec<f32>,
    skip: usize,
    delay_seconds: f64,
}

impl StreamResampler {
    /// From one rate to another, in Hz. Equal ones pass everything on untouched.
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Result<Self, AudioError> {
        let channels = channels.max(1);
        if from == to {
            return Ok(Self {
                inner: None,
                channels,
                pending: Vec::new(),
                made: Vec::new(),
                skip: 0,
                delay_seconds: 0.0,
            });
        }
        let taps = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
            .interpolation(SincInterpolationType::Quadratic);
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, 1.0, &taps, CHUNK, channels, FixedAsync::Input)
            .map_err(|error| {
                AudioError::internal(format!("{from} Hz cannot become {to} Hz")).because(error)
            })?;
        let skip = inner.output_delay();
        Ok(Self {
            made: vec![0.0; inner.output_frames_max() * channels],
            inner: Some(inner),
            channels,
            pending: Vec::with_capacity(2 * CHUNK * channels),
            skip,
            delay_seconds: (TAPS / 2 + CHUNK) as f64 / f64::from(from),
        })
    }

    /// How much later at most a frame comes out than it went in.
    pub(crate) fn delay_seconds(&self) -> f64 {
        self.delay_seconds
    }

    /// Takes interleaved frames and appends what they make.
    pub(crate) fn push(&mut self, frames: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(inner) = &mut self.inner else {
            out.extend_from_slice(frames);
            return Ok(());
        };
        let fault = |_| AudioError::internal("the resampler does not take its own buffers");
        self.pending.extend_from_slice(frames);
        let chunk = CHUNK * self.channels;
        let mut done = 0;
        while self.pending.len() - done >= chunk {
            let input =
                InterleavedSlice::new(&self.pending[done..done + chunk], self.channels, CHUNK)
                    .map_err(fault)?;
            let room = self.made.len() / self.channels;
            let mut output =
                InterleavedSlice::new_mut(&mut self.made, self.channels, room).map_err(fault)?;
            let (_, frames) = inner
                .process_into_buffer(&input, &mut output, None)
                .map_err(|error| AudioError::internal("the resampler failed").because(error))?;
            let late = self.skip.min(frames);
            self.skip -= late;
            out.extend_from_slice(&self.made[late * self.channels..frames * self.channels]);
            done += chunk;
        }
        self.pending.drain(..done);
        Ok(())
    }

    /// Forgets what it has heard.
    pub(crate) fn reset(&mut self) {
        self.pending.clear();
        if let Some(inner) = &mut self.inner {
            inner.reset();
            self.skip = inner.output_delay();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone at another rate is the same tone, in place, however its pieces were cut.
    #[test]
    fn a_tone_stays_in_place() {
        for (from, to) in [(44_100, 48_000), (48_000, 16_000), (16_000, 48_000), (48_000, 48_000)] {
            let tone = |rate: u32, n: usize| {
                (0..n)
                    .map(|i| (std::f32::consts::TAU * 1000.0 * i as f32 / rate as f32).sin())
                    .collect::<Vec<f32>>()
            };
            let input = tone(from, from as usize / 2);
            let stereo: Vec<f32> = input.iter().flat_map(|&x| [x, -x]).collect();
            let mut resampler = StreamResampler::new(from, to, 2).unwrap();
            let mut out = Vec::new();
            for piece in stereo.chunks(2 * 97) {
                resampler.push(piece, &mut out).unwrap();
            }
            let expected = tone(to, to as usize / 2);
            let made = out.len() / 2;
            let missing = expected.len() - made;
            assert!(missing as f64 / f64::from(to) <= resampler.delay_seconds() + 1e-3);
            let worst = (to as usize / 100..made)
                .map(|i| (out[2 * i] - expected[i]).abs().max((out[2 * i + 1] + expected[i]).abs()))
                .fold(0.0, f32::max);
            assert!(worst < 2e-3, "{from} to {to}: {worst}");
        }
    }
}
