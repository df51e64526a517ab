//! How loud it is, and what else a meter shows, as numbers that any thread reads at any time.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::format::StreamFormat;

/// A peak falls this fast, in dB a second, so that an eye can follow it.
const FALL_DB_A_SECOND: f32 = 30.0;

/// How long a peak is held.
const HOLD_SECONDS: f32 = 1.5;

/// The time over which loudness is averaged: 63 % of a change is shown after it.
const AVERAGE_SECONDS: f32 = 0.3;

/// What 16 bits cannot exceed; a float at it is at the end of its scale as well.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;

/// Levels of the loudest channel, 0 for silence, 1 for full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The highest sample of late; falls by 30 dB a second.
    pub peak: f32,
    /// The highest peak of the last second and a half.
    pub held_peak: f32,
    /// The root of the mean square over about 0.3 s.
    pub rms: f32,
    /// Samples at full scale since the start or [`clear_clip`](super::Recorder::clear_clip): the
    /// clip light is on where there is one.
    pub clipped_samples: u64,
}

impl Level {
    /// A level in dB below full scale, for a scale; silence is −120.
    #[must_use]
    pub fn db(level: f32) -> f32 {
        20.0 * level.max(1e-6).log10()
    }
}

/// Measures levels, block by block, on the recorder's thread.
#[derive(Debug)]
pub(crate) struct LevelMeter {
    format: StreamFormat,
    level: Level,
    mean_squares: Vec<f32>,
    held_for: f32,
}

impl LevelMeter {
    pub(crate) fn new(format: StreamFormat) -> Self {
        let channels = usize::from(format.channels.max(1));
        Self { format, level: Level::default(), mean_squares: vec![0.0; channels], held_for: 0.0 }
    }

    /// Takes in interleaved frames. Returns the levels, with the clipped samples of these alone.
    pub(crate) fn measure(&mut self, frames: &[f32]) -> Level {
        let channels = self.mean_squares.len();
        let count = frames.len() / channels;
        if count == 0 {
            return Level { clipped_samples: 0, ..self.level };
        }
        let seconds = count as f32 / self.format.rate.max(1) as f32;
        let peak = frames.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        let keep = (-seconds / AVERAGE_SECONDS).exp();
        for (channel, mean) in self.mean_squares.iter_mut().enumerate() {
            let sum: f32 = frames.iter().skip(channel).step_by(channels).map(|x| x * x).sum();
            *mean = *mean * keep + sum / count as f32 * (1.0 - keep);
        }
        let level = &mut self.level;
        let fallen = level.peak * 10.0_f32.powf(-FALL_DB_A_SECOND * seconds / 20.0);
        level.peak = peak.max(fallen);
        self.held_for += seconds;
        if peak >= level.held_peak || self.held_for > HOLD_SECONDS {
            level.held_peak = level.peak;
            self.held_for = 0.0;
        }
        level.rms = self.mean_squares.iter().copied().fold(0.0, f32::max).sqrt();
        level.clipped_samples = frames.iter().filter(|x| x.abs() >= FULL_SCALE).count() as u64;
        *level
    }
}

/// What the recorder's thread tells and any other reads. Each number is true by itself; two of
/// them may be a block apart.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) state: AtomicU8,
    pub(crate) rate: AtomicU32,
    pub(crate) channels: AtomicU32,
    pub(crate) frames: AtomicU64,
    pub(crate) dropped_frames: AtomicU64,
    pub(crate) overruns: AtomicU32,
    /// Microseconds of sound that wait for the network.
    pub(crate) behind_micros: AtomicU64,
    pub(crate) bytes_a_second: AtomicU64,
    pub(crate) clean_has_ended: AtomicBool,
    pub(crate) is_monitored: AtomicBool,
    /// One more than the bytes, 0 where they are not known.
    bytes_left: AtomicU64,
    peak: AtomicU32,
    held_peak: AtomicU32,
    rms: AtomicU32,
    clipped: AtomicU64,
}

impl Shared {
    pub(crate) fn set_level(&self, level: Level) {
        self.peak.store(level.peak.to_bits(), Ordering::Relaxed);
        self.held_peak.store(level.held_peak.to_bits(), Ordering::Relaxed);
        self.rms.store(level.rms.to_bits(), Ordering::Relaxed);
        self.clipped.fetch_add(level.clipped_samples, Ordering::Relaxed);
    }

    pub(crate) fn level(&self) -> Level {
        let float = |bits: &AtomicU32| f32::from_bits(bits.load(Ordering::Relaxed));
        Level {
            peak: float(&self.peak),
            held_peak: float(&self.held_peak),
            rms: float(&self.rms),
            clipped_samples: self.clipped.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn clear_clip(&self) {
        self.clipped.store(0, Ordering::Relaxed);
    }

    pub(crate) fn set_bytes_left(&self, bytes: Option<u64>) {
        let told = bytes.map_or(0, |bytes| bytes.saturating_add(1));
        self.bytes_left.store(told, Ordering::Relaxed);
    }

    pub(crate) fn bytes_left(&self) -> Option<u64> {
        self.bytes_left.load(Ordering::Relaxed).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::SampleKind;

    #[test]
    fn a_peak_is_held_then_let_go_and_falls() {
        let mut meter =
            LevelMeter::new(StreamFormat { rate: 1000, channels: 2, kind: SampleKind::F32 });
        let mut shout = vec![0.0; 200];
        shout[101] = -1.0;
        let level = meter.measure(&shout);
        assert_eq!((level.peak, level.held_peak, level.clipped_samples), (1.0, 1.0, 1));

        let silence = vec![0.0; 200]; // a tenth of a second
        let after: Vec<Level> = (0..20).map(|_| meter.measure(&silence)).collect();
        assert!((Level::db(after[0].peak) + 3.0).abs() < 0.01, "3 dB in a tenth of a second");
        assert_eq!(after[14].held_peak, 1.0);
        assert!(after[16].held_peak < 0.01, "{:?}", after[16]);
        assert_eq!(after[19].clipped_samples, 0, "counted once");
    }

    #[test]
    fn the_loudest_channel_counts() {
        let mut meter =
            LevelMeter::new(StreamFormat { rate: 1000, channels: 2, kind: SampleKind::F32 });
        let frames: Vec<f32> = (0..4000).flat_map(|_| [0.0, 0.5]).collect();
        let level = meter.measure(&frames);
        assert!((level.rms - 0.5).abs() < 1e-3, "{level:?}");
    }
}
