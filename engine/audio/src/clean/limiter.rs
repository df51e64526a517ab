//! Keeps true peaks below a ceiling: a gain that goes down before a peak comes and slowly up again.

use std::collections::VecDeque;

/// Seconds by which the gain begins to go down before a peak.
const LOOK_AHEAD_SECONDS: f64 = 0.005;
/// Seconds in which most of the gain comes back.
const RELEASE_SECONDS: f64 = 0.1;
/// Samples that a value between two samples is computed from.
const TAPS: usize = 12;
/// Values computed between two samples: with them a peak is found to 0.3 dB (ITU-R BS.1770).
const BETWEEN: usize = 3;

/// Limits sound of several channels with one gain, so that left stays left.
pub(super) struct Limiter {
    ceiling: f32,
    filters: [[f32; TAPS]; BETWEEN],
    /// The samples that wait for their gain, one queue a channel, the newest `TAPS` among them.
    waiting: Vec<VecDeque<f32>>,
    look_ahead: usize,
    release: f32,
    /// The gain that the sound needs by now, coming back slowly.
    needed: f32,
    /// Gains that are or will be the lowest of the window, with their frames; the first is it now.
    lowest: VecDeque<(u64, f32)>,
    /// The last `look_ahead` lowest gains and their sum.
    recent: VecDeque<f32>,
    sum: f64,
    frame: u64,
    /// The lowest gain that was applied.
    deepest: f32,
}

impl Limiter {
    /// For sound at `rate` whose peaks shall not exceed `ceiling` (1 is full scale).
    pub(super) fn new(rate: u32, channels: usize, ceiling: f32) -> Self {
        let samples = |seconds: f64| seconds * f64::from(rate);
        let look_ahead = (samples(LOOK_AHEAD_SECONDS) as usize).max(TAPS);
        Self {
            ceiling,
            filters: std::array::from_fn(|at| filter((at + 1) as f64 / (BETWEEN + 1) as f64)),
            waiting: vec![VecDeque::new(); channels],
            look_ahead,
            release: (1.0 - (-1.0 / samples(RELEASE_SECONDS)).exp()) as f32,
            needed: 1.0,
            lowest: VecDeque::new(),
            recent: VecDeque::from(vec![1.0; look_ahead]),
            sum: look_ahead as f64,
            frame: 0,
            deepest: 1.0,
        }
    }

    /// Frames by which the result lags behind.
    fn delay(&self) -> usize {
        self.look_ahead + TAPS / 2
    }

    /// The lowest gain so far.
    pub(super) fn deepest(&self) -> f32 {
        self.deepest
    }

    /// Takes the frames in `block` and puts those in their place that are ready.
    pub(super) fn process(&mut self, block: &mut [Vec<f32>]) {
        let frames = block.first().map_or(0, Vec::len);
        let mut ready = 0;
        for frame in 0..frames {
            for (waiting, samples) in self.waiting.iter_mut().zip(block.iter()) {
                waiting.push_back(samples[frame]);
            }
            ready = self.step(block, ready);
        }
        block.iter_mut().for_each(|samples| samples.truncate(ready));
    }

    /// Puts the frames that still wait into `block`.
    pub(super) fn finish(&mut self, block: &mut [Vec<f32>]) {
        let frames = self.waiting.first().map_or(0, VecDeque::len).min(self.delay());
        block.iter_mut().for_each(|samples| {
            samples.clear();
            samples.resize(frames, 0.0);
        });
        let mut ready = 0;
        // The queue is shorter than the delay where the sound is: silence until its first frame.
        while ready < frames {
            self.waiting.iter_mut().for_each(|waiting| waiting.push_back(0.0));
            ready = self.step(block, ready);
        }
    }

    /// Hears the newest frame; gives out the oldest with its gain once it has waited long enough.
    fn step(&mut self, block: &mut [Vec<f32>], ready: usize) -> usize {
        let peak = self.peak();
        let need = if peak > self.ceiling { self.ceiling / peak } else { 1.0 };
        self.needed = need.min(self.needed + (1.0 - self.needed) * self.release);
        while self.lowest.back().is_some_and(|(_, gain)| *gain >= self.needed) {
            self.lowest.pop_back();
        }
        self.lowest.push_back((self.frame, self.needed));
        // The mean over the look-ahead of lowest gains over a little more than that: at the peak
        // itself all of them know of it.
        let window = self.delay() as u64 + 2;
        while self.lowest.front().is_some_and(|(frame, _)| frame + window <= self.frame) {
            self.lowest.pop_front();
        }
        let low = self.lowest.front().map_or(1.0, |(_, gain)| *gain);
        self.recent.push_back(low);
        self.sum += f64::from(low) - f64::from(self.recent.pop_front().unwrap_or(1.0));
        self.frame += 1;
        if self.waiting.first().is_none_or(|waiting| waiting.len() <= self.delay()) {
            return ready;
        }
        let gain = ((self.sum / self.look_ahead as f64) as f32).min(1.0);
        self.deepest = self.deepest.min(gain);
        for (waiting, samples) in self.waiting.iter_mut().zip(block) {
            if let (Some(sample), Some(to)) = (waiting.pop_front(), samples.get_mut(ready)) {
                *to = sample * gain;
            }
        }
        ready + 1
    }

    /// The highest of the newest samples and of the values between the middle two.
    fn peak(&self) -> f32 {
        let mut peak = 0f32;
        for waiting in &self.waiting {
            let newest = waiting.iter().rev();
            peak = peak.max(newest.clone().next().map_or(0.0, |sample| sample.abs()));
            for filter in &self.filters {
                let sum: f32 = newest.clone().zip(filter).map(|(sample, tap)| sample * tap).sum();
                peak = peak.max(sum.abs());
            }
        }
        peak
    }
}

/// A windowed sinc for the value `at` of the way between the middle two of `TAPS` samples.
fn filter(at: f64) -> [f32; TAPS] {
    let half = TAPS as f64 / 2.0;
    std::array::from_fn(|tap| {
        let x = tap as f64 - (half - 1.0) - at;
        let sinc = if x == 0.0 {
            1.0
        } else {
            (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
        };
        (sinc * (std::f64::consts::FRAC_PI_2 * x / half).cos().powi(2)) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::LoudnessMeter;

    fn limited(channels: &[Vec<f32>], chunk: usize) -> Vec<Vec<f32>> {
        let mut limiter = Limiter::new(48_000, channels.len(), 0.5);
        let mut all = vec![Vec::new(); channels.len()];
        let frames = channels[0].len();
        let mut take = |block: &[Vec<f32>]| {
            for (all, block) in all.iter_mut().zip(block) {
                all.extend_from_slice(block);
            }
        };
        let mut block = vec![Vec::new(); channels.len()];
        for start in (0..frames).step_by(chunk) {
            for (block, channel) in block.iter_mut().zip(channels) {
                block.clear();
                block.extend_from_slice(&channel[start..frames.min(start + chunk)]);
            }
            limiter.process(&mut block);
            take(&block);
        }
        limiter.finish(&mut block);
        take(&block);
        all
    }

    #[test]
    fn what_is_below_the_ceiling_is_not_touched() {
        for frames in [1, 100, 5_000] {
            let quiet: Vec<f32> = (0..frames).map(|n| 0.3 * (n as f32 * 0.1).sin()).collect();
            for chunk in [1, 64, 10_000] {
                assert_eq!(
                    limited(std::slice::from_ref(&quiet), chunk)[0],
                    quiet,
                    "{frames} {chunk}"
                );
            }
        }
    }

    #[test]
    fn peaks_between_the_samples_stay_below_too_and_both_sides_get_one_gain() {
        // A tone near a quarter of the rate, whose samples miss its peaks, in bursts.
        let tone = |n: usize| (n as f32 * 1.57 + 0.8).sin();
        let loud: Vec<f32> = (0..40_000)
            .map(|n| if n / 3000 % 2 == 0 { 1.4 * tone(n) } else { 0.1 * tone(n) })
            .collect();
        let left: Vec<f32> = loud.iter().map(|sample| sample * 0.5).collect();
        let both = limited(&[loud.clone(), left], 777);
        assert_eq!(both[0].len(), 40_000);
        let mut meter = LoudnessMeter::new(48_000, 2).unwrap();
        meter.hear(&both).unwrap();
        let ceiling_db = 20.0 * 0.5f64.log10();
        assert!(meter.peak_dbtp().unwrap() < ceiling_db + 0.3, "{}", meter.peak_dbtp().unwrap());
        assert!(meter.peak_dbtp().unwrap() > ceiling_db - 0.5);
        for (a, b) in both[0].iter().zip(&both[1]) {
            assert!((a * 0.5 - b).abs() < 1e-6);
        }
    }
}
