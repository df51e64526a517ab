//! Waveform and spectrogram of a part of a recording.

use std::path::Path;
use std::sync::Arc;

use limpid_audio::clean::{LoudnessMeter, LoudnessTarget};
use limpid_audio::{
    AudioError, BlockReader, MinMax, Peaks, SoundFile, SpectrogramSettings, peaks_of, spectrogram,
};
use limpid_kernels::Cancel;

use super::{Track, ViewRequest};

/// Finest bins of a whole recording's waveform: enough for any window without reading again.
const BINS: usize = 1 << 16;
/// Frames read at a time.
const BLOCK: usize = 1 << 14;
/// Frequencies above this hold little of a voice.
pub(super) const TOP_HZ: f32 = 12_000.0;
/// A spectrogram wants windows this long, in seconds.
pub(super) const WINDOW_SECS: f64 = 0.032;

/// What is kept of a recording to draw it quickly, and how loud it is.
pub(super) struct Drawable {
    peaks: Peaks,
    /// Integrated loudness in LUFS; minus infinity for silence.
    pub(super) loudness: f64,
}

impl Drawable {
    /// Reads the whole recording once.
    ///
    /// # Errors
    /// It cannot be read, or `cancel` was set.
    pub(super) fn read(path: &Path, cancel: &Cancel) -> Result<Self, AudioError> {
        let mut file = SoundFile::open(path)?;
        let (rate, channels) = (file.info().rate, file.info().channels);
        let mut peaks = Peaks::new(rate, channels, BINS);
        let mut meter = LoudnessMeter::new(rate, channels)?;
        let mut block = vec![Vec::new(); channels];
        while file.read(&mut block, BLOCK)? > 0 {
            cancel.check()?;
            peaks.push(&block);
            meter.hear(&block)?;
        }
        let loudness = meter.gain_to(LoudnessTarget::default())?.lufs;
        Ok(Self { peaks, loudness })
    }

    /// Frames in all.
    pub(super) fn frames(&self) -> u64 {
        self.peaks.frames()
    }

    /// Length in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.peaks.rate().max(1))
    }

    /// Draws a part of the recording in `path`, which is the one that was read.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub(super) fn track(&self, path: &Path, request: &ViewRequest) -> Result<Track, AudioError> {
        let mut file = SoundFile::open(path)?;
        let rate = f64::from(file.info().rate);
        let frame = |second: f64| (second.max(0.0) * rate).round() as u64;
        let (start, end) = (frame(request.from), frame(request.to));
        let (width, height) = (request.width.max(1) as usize, request.height.max(1) as usize);
        let is_fine = end.saturating_sub(start) / (width as u64) < self.peaks.bin_frames();
        let rows = if is_fine {
            peaks_of(&mut file, start, end, width)?
        } else {
            (0..file.info().channels)
                .map(|channel| self.peaks.view(channel, start, end, width))
                .collect()
        };
        let mut peaks = vec![MinMax::EMPTY; width];
        for row in rows {
            for (all, one) in peaks.iter_mut().zip(row) {
                *all = all.and(one);
            }
        }
        let top_hz = (rate as f32 / 2.0).min(TOP_HZ);
        let settings = SpectrogramSettings {
            window: ((rate * WINDOW_SECS) as usize).next_power_of_two(),
            top_hz,
            floor_db: Track::FLOOR_DB,
            channel: None,
        };
        let picture = spectrogram(&mut file, start, end, (width, height), &settings)?;
        let peaks =
            peaks.into_iter().map(|p| if p.is_empty() { (0.0, 0.0) } else { (p.min, p.max) });
        Ok(Track { peaks: peaks.collect(), spectrogram: Arc::from(picture.db), top_hz })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::testing::write_tone;

    #[test]
    fn a_tone_is_drawn_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tone.wav");
        // Silence for a second, then a second of 1 kHz at half of full scale.
        write_tone(&path, 16_000, &[(1.0, 0.0), (1.0, 0.5)], 1000.0);
        let drawable = Drawable::read(&path, &Cancel::new()).unwrap();
        assert!((drawable.seconds() - 2.0).abs() < 1e-9);
        let request = ViewRequest { id: 1, from: 0.0, to: 2.0, width: 200, height: 64 };
        let track = drawable.track(&path, &request).unwrap();
        assert_eq!(track.top_hz, 8000.0);
        assert!(track.peaks[50].1 < 1e-3 && (track.peaks[150].1 - 0.5).abs() < 0.02);
        let rows = &track.spectrogram;
        let column = |x: usize| (0..64).map(move |y| (y, rows[y * 200 + x]));
        let (loudest, level) = column(150).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        // Row 0 is 8 kHz, row 63 silence's 0 Hz: 1 kHz lies an eighth from the bottom.
        assert!((54..=57).contains(&loudest), "{loudest}");
        assert!((-9.0..=-3.0).contains(&level), "{level}");
        assert!(column(50).all(|(_, level)| level < -80.0));
    }
}
