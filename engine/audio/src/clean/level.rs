//! Loudness by EBU R 128 and the gain to a target.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use ebur128::{EbuR128, Mode};
use serde::{Deserialize, Serialize};

use crate::error::AudioError;

/// The loudness that a result is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoudnessTarget {
    /// Integrated loudness in LUFS. EBU R 128: −23; spoken word on the web: −16 to −19.
    pub lufs: f64,
    /// The highest true peak in dBTP. The gain stays low enough for it: peaks are not squeezed, so a
    /// sound of high peaks may stay quieter than the target.
    pub peak_dbtp: f64,
}

impl Default for LoudnessTarget {
    fn default() -> Self {
        Self { lufs: -23.0, peak_dbtp: -1.0 }
    }
}

/// What was measured and done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelReport {
    /// Integrated loudness before the gain in LUFS; minus infinity for silence.
    pub lufs: f64,
    /// The true peak before the gain in dBTP; minus infinity for silence.
    pub peak_dbtp: f64,
    /// The gain in dB.
    pub gain_db: f64,
}

/// Measures loudness and true peak, in fixed memory.
pub struct LoudnessMeter {
    meter: EbuR128,
    channels: u32,
}

impl std::fmt::Debug for LoudnessMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoudnessMeter").field("channels", &self.channels).finish()
    }
}

impl LoudnessMeter {
    /// For sound of this rate in Hz and this many channels.
    ///
    /// # Errors
    ///
    /// Rate or channels are beyond what is measured (64 channels, 2.8 MHz).
    pub fn new(rate: u32, channels: usize) -> Result<Self, AudioError> {
        let channels = u32::try_from(channels).map_err(|_| broken("channels"))?;
        let meter = EbuR128::new(channels, rate, Mode::I | Mode::TRUE_PEAK | Mode::HISTOGRAM)
            .map_err(broken)?;
        Ok(Self { meter, channels })
    }

    /// Hears frames, one vector a channel.
    ///
    /// # Errors
    ///
    /// Another number of channels.
    pub fn hear(&mut self, block: &[Vec<f32>]) -> Result<(), AudioError> {
        let planes: Vec<&[f32]> = block.iter().map(Vec::as_slice).collect();
        self.meter.add_frames_planar_f32(&planes).map_err(broken)
    }

    /// Integrated loudness so far in LUFS; minus infinity for silence and less than 0.4 seconds.
    ///
    /// # Errors
    ///
    /// A fault of the program only.
    pub fn lufs(&self) -> Result<f64, AudioError> {
        self.meter.loudness_global().map_err(broken)
    }

    /// The highest true peak of any channel so far in dBTP.
    ///
    /// # Errors
    ///
    /// A fault of the program only.
    pub fn peak_dbtp(&self) -> Result<f64, AudioError> {
        let mut peak = 0f64;
        for channel in 0..self.channels {
            peak = peak.max(self.meter.true_peak(channel).map_err(broken)?);
        }
        Ok(20.0 * peak.log10())
    }

    /// The gain to `target`, none for silence.
    ///
    /// # Errors
    ///
    /// A fault of the program only.
    pub fn gain_to(&self, target: LoudnessTarget) -> Result<LevelReport, AudioError> {
        let (lufs, peak_dbtp) = (self.lufs()?, self.peak_dbtp()?);
        let gain_db = if lufs.is_finite() && peak_dbtp.is_finite() {
            (target.lufs - lufs).min(target.peak_dbtp - peak_dbtp)
        } else {
            0.0
        };
        Ok(LevelReport { lufs, peak_dbtp, gain_db })
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn broken(error: impl std::fmt::Display) -> AudioError {
    AudioError::internal(format!("the loudness cannot be measured ({error})"))
}

/// Samples on the disk, between measuring them and writing them with their gain. The file has no
/// name: it is gone whatever happens.
pub(super) struct Shelf {
    file: BufWriter<File>,
    bytes: Vec<u8>,
}

impl Shelf {
    /// In the folder of the result, whose disk must hold it anyway.
    pub(super) fn beside(destination: &Path) -> Result<Self, AudioError> {
        let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file =
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map_err(AudioError::writing)?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), bytes: Vec::new() })
    }

    pub(super) fn put(&mut self, block: &[Vec<f32>]) -> Result<(), AudioError> {
        self.bytes.clear();
        for frame in 0..block.first().map_or(0, Vec::len) {
            for channel in block {
                self.bytes.extend_from_slice(&channel[frame].to_le_bytes());
            }
        }
        self.file.write_all(&self.bytes).map_err(AudioError::writing)
    }

    /// Gives all back in order, `frames_at_once` at a time.
    pub(super) fn empty(
        self,
        frames: u64,
        block: &mut [Vec<f32>],
        frames_at_once: usize,
        each: &mut dyn FnMut(&mut [Vec<f32>]) -> Result<(), AudioError>,
    ) -> Result<(), AudioError> {
        let mut file = self.file.into_inner().map_err(|e| AudioError::writing(e.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(AudioError::reading)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut left = frames;
        let mut sample = [0; 4];
        while left > 0 {
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(frames_at_once);
            block.iter_mut().for_each(Vec::clear);
            for _ in 0..take {
                for channel in block.iter_mut() {
                    file.read_exact(&mut sample).map_err(AudioError::reading)?;
                    channel.push(f32::from_le_bytes(sample));
                }
            }
            each(block)?;
            left -= take as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_of_known_loudness() {
        // EBU Tech 3341, case 1: 1 kHz at −23 dBFS in both channels is −23 LUFS.
        let amplitude = 10f32.powf(-23.0 / 20.0);
        let step = std::f32::consts::TAU * 1000.0 / 48_000.0;
        let sine: Vec<f32> =
            (0..48_000 * 3).map(|n| amplitude * ((n % 48) as f32 * step).sin()).collect();
        let mut meter = LoudnessMeter::new(48_000, 2).unwrap();
        meter.hear(&[sine.clone(), sine]).unwrap();
        let report = meter.gain_to(LoudnessTarget { lufs: -16.0, peak_dbtp: -1.0 }).unwrap();
        assert!((report.lufs + 23.0).abs() < 0.1, "{report:?}");
        assert!((report.peak_dbtp + 23.0).abs() < 0.1, "{report:?}");
        assert!((report.gain_db - 7.0).abs() < 0.1, "{report:?}");
        // The peak allows no more.
        let report = meter.gain_to(LoudnessTarget { lufs: 10.0, peak_dbtp: -1.0 }).unwrap();
        assert!((report.gain_db - 22.0).abs() < 0.1, "{report:?}");
    }

    #[test]
    fn silence_gets_no_gain() {
        let mut meter = LoudnessMeter::new(48_000, 1).unwrap();
        meter.hear(&[vec![0.0; 48_000]]).unwrap();
        assert!(meter.gain_to(LoudnessTarget::default()).unwrap().gain_db == 0.0);
    }
}
