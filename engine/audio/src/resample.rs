//! One channel from one rate to another: streaming, aligned, of exact length.
//!
//! A windowed sinc (squared Blackman–Harris) applied by FFT, from `rubato`: the pass band reaches to
//! 98.6 % of the lower rate's half, what would fold back is below −120 dB. Its delay is taken out:
//! sample 0 stays at time 0.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use crate::error::AudioError;

/// Samples of the lower rate in one filter: the longer, the sharper its edge.
const FILTER_SAMPLES: usize = 1024;
/// Rates beyond this are not sound.
const HIGHEST_RATE: u32 = 1 << 21;

/// Changes the rate of one channel.
pub struct Resampler {
    from: u32,
    to: u32,
    /// None where the rates are equal: samples then pass as they are.
    filter: Option<Box<Filter>>,
    taken: u64,
    given: u64,
}

struct Filter {
    fft: Fft<f32>,
    pending: Vec<f32>,
    block: Vec<f32>,
    /// Samples of the filter's delay still to leave out.
    skip: usize,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("from", &self.from).field("to", &self.to).finish()
    }
}

/// How many samples at rate `to` last as long as `samples` at rate `from`: rounded to the nearest,
/// halves up.
#[must_use]
pub fn resampled_len(samples: u64, from: u32, to: u32) -> u64 {
    let (from, to) = (u128::from(from.max(1)), u128::from(to));
    u64::try_from((2 * u128::from(samples) * to + from) / (2 * from)).unwrap_or(u64::MAX)
}

impl Resampler {
    /// From `from` Hz to `to` Hz, both 1..2 097 152.
    ///
    /// # Errors
    ///
    /// A rate is out of range.
    pub fn new(from: u32, to: u32) -> Result<Self, AudioError> {
        if !(1..HIGHEST_RATE).contains(&from) || !(1..HIGHEST_RATE).contains(&to) {
            return Err(AudioError::unsupported(format!(
                "sound of {from} Hz cannot be brought to {to} Hz"
            )));
        }
        let filter = if from == to { None } else { Some(Box::new(Filter::new(from, to)?)) };
        Ok(Self { from, to, filter, taken: 0, given: 0 })
    }

    /// Whether the two rates differ.
    #[must_use]
    pub fn changes_rate(&self) -> bool {
        self.filter.is_some()
    }

    /// Takes the next samples and appends to `output` what is ready.
    ///
    /// # Errors
    ///
    /// A fault of the program only.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<(), AudioError> {
        self.taken += input.len() as u64;
        let before = output.len();
        match &mut self.filter {
            None => output.extend_from_slice(input),
            Some(filter) => filter.push(input, output)?,
        }
        self.given += (output.len() - before) as u64;
        Ok(())
    }

    /// Appends the rest, so that all that was given is [`resampled_len`] of all that was taken, and
    /// begins anew.
    ///
    /// # Errors
    ///
    /// A fault of the program only.
    pub fn finish(&mut self, output: &mut Vec<f32>) -> Result<(), AudioError> {
        if let Some(filter) = &mut self.filter {
            let wanted = resampled_len(self.taken, self.from, self.to);
            let missing = usize::try_from(wanted.saturating_sub(self.given))
                .map_err(|_| AudioError::internal("more samples than memory"))?;
            let end = output.len() + missing;
            let zeros = vec![0.0; filter.fft.input_frames_next()];
            while output.len() < end {
                filter.push(&zeros, output)?;
            }
            output.truncate(end);
        }
        self.reset();
        Ok(())
    }

    /// Forgets all that was pushed.
    pub fn reset(&mut self) {
        (self.taken, self.given) = (0, 0);
        if let Some(filter) = &mut self.filter {
            filter.fft.reset();
            filter.pending.clear();
            filter.skip = filter.fft.output_delay();
        }
    }
}

impl Filter {
    fn new(from: u32, to: u32) -> Result<Self, AudioError> {
        let step = (from / gcd(from, to)) as usize;
        let samples = FILTER_SAMPLES * (from as usize).div_ceil(from.min(to) as usize);
        // An even number of steps: the filter's middle is then a whole sample at both rates, and
        // the delay is taken out exactly.
        let steps = samples.div_ceil(step).next_multiple_of(2);
        let fft = Fft::new_custom(
            from as usize,
            to as usize,
            step * steps,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(broken)?;
        let block = vec![0.0; fft.output_frames_next()];
        let skip = fft.output_delay();
        Ok(Self { pending: Vec::with_capacity(fft.input_frames_next()), block, skip, fft })
    }

    fn push(&mut self, mut input: &[f32], output: &mut Vec<f32>) -> Result<(), AudioError> {
        let size = self.fft.input_frames_next();
        while !input.is_empty() {
            let take = input.len().min(size - self.pending.len());
            self.pending.extend_from_slice(&input[..take]);
            input = &input[take..];
            if self.pending.len() < size {
                break;
            }
            let frames = self.block.len();
            let from = SequentialSlice::new(&self.pending[..], 1, size).map_err(broken)?;
            let mut to =
                SequentialSlice::new_mut(&mut self.block[..], 1, frames).map_err(broken)?;
            self.fft.process_into_buffer(&from, &mut to, None).map_err(broken)?;
            self.pending.clear();
            let skip = self.skip.min(frames);
            self.skip -= skip;
            output.extend_from_slice(&self.block[skip..]);
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn broken(error: impl std::fmt::Display) -> AudioError {
    AudioError::internal(format!("the rate cannot be changed ({error})"))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[allow(clippy::float_cmp, clippy::cast_precision_loss)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(from: u32, to: u32, input: &[f32], chunk: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut output = Vec::new();
        for part in input.chunks(chunk) {
            resampler.push(part, &mut output).unwrap();
        }
        resampler.finish(&mut output).unwrap();
        output
    }

    fn sine(hz: f64, rate: u32, len: usize) -> Vec<f32> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..len).map(|n| (step * n as f64).sin() as f32).collect()
    }

    #[test]
    fn equal_rates_change_nothing() {
        let input = sine(440.0, 44_100, 1000);
        assert_eq!(run(44_100, 44_100, &input, 77), input);
    }

    #[test]
    fn sines_stay_where_they_are() {
        for (from, to) in [
            (44_100, 16_000),
            (48_000, 16_000),
            (16_000, 48_000),
            (8_000, 16_000),
            (192_000, 48_000),
            (16_000, 44_100),
            (11_025, 16_000),
        ] {
            let len = from as usize / 2;
            let output = run(from, to, &sine(1000.0, from, len), 1000);
            let wanted = sine(1000.0, to, output.len());
            // The sine is cut at both ends; away from them it must be itself.
            let edge = output.len() / 4;
            let worst = output[edge..output.len() - edge]
                .iter()
                .zip(&wanted[edge..])
                .map(|(a, b)| (a - b).abs())
                .fold(0.0f32, f32::max);
            assert!(worst < 1e-5, "{from} to {to}: {worst}");
        }
    }

    #[test]
    fn what_would_fold_back_is_gone() {
        for (from, to, hz) in
            [(48_000, 16_000, 8_100.0), (48_000, 16_000, 11_000.0), (44_100, 16_000, 8_100.0)]
        {
            let output = run(from, to, &sine(hz, from, from as usize), 4096);
            let edge = output.len() / 4;
            let inner = &output[edge..output.len() - edge];
            let power = inner.iter().map(|v| f64::from(v * v)).sum::<f64>() / inner.len() as f64;
            let db = 10.0 * (power * 2.0).log10();
            assert!(db < -100.0, "{hz} Hz from {from} to {to}: {db} dB");
        }
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        for (from, to) in [(0, 1), (1, 0), (u32::MAX, 48_000)] {
            assert!(Resampler::new(from, to).is_err(), "{from} to {to}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_length_is_exact(
            from in prop::sample::select(vec![8_000u32, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
            to in prop::sample::select(vec![8_000u32, 16_000, 44_100, 48_000]),
            len in 0usize..9_000,
            chunk in 1usize..5_000,
        ) {
            let output = run(from, to, &vec![0.5; len], chunk);
            let wanted = (len as f64 * f64::from(to) / f64::from(from)).round();
            // f64 and whole numbers may part at an exact half only.
            prop_assert!((output.len() as f64 - wanted).abs() < 1.0);
            prop_assert_eq!(output.len() as u64, resampled_len(len as u64, from, to));
        }

        #[test]
        fn chunks_do_not_matter(chunk in 1usize..4_000) {
            let input = sine(300.0, 44_100, 6_000);
            prop_assert_eq!(run(44_100, 16_000, &input, chunk), run(44_100, 16_000, &input, 6_000));
        }
    }
}
