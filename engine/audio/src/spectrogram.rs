//! Magnitudes over time and frequency, as a picture of any size.

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

use crate::error::AudioError;
use crate::reader::BlockReader;

/// How a spectrogram is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectrogramSettings {
    /// Samples in a window, 64..65 536, rounded up to a power of two: longer ones part tones better,
    /// shorter ones moments.
    pub window: usize,
    /// The highest frequency shown in Hz; at most half the rate.
    pub top_hz: f32,
    /// What is quieter is shown as this, in dB below full scale.
    pub floor_db: f32,
    /// The channel shown; none for the mean of all.
    pub channel: Option<usize>,
}

impl Default for SpectrogramSettings {
    fn default() -> Self {
        Self { window: 2048, top_hz: f32::INFINITY, floor_db: -120.0, channel: None }
    }
}

/// Magnitudes in dB.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrogram {
    /// Columns, from the start to the end of the stretch.
    pub width: usize,
    /// Rows, from the highest frequency down to 0 Hz.
    pub height: usize,
    /// `[height, width]`: dB relative to a sine of full scale; the floor where there is nothing.
    pub db: Vec<f32>,
}

/// The most windows read for one column; with more sound than that behind a column, they are spread
/// over it and what lies between is not seen.
const WINDOWS_A_COLUMN: u64 = 4;
/// With gaps this long, in windows, the file is gone forward in rather than read through.
const GAP_TO_SEEK: u64 = 16;

/// The spectrogram of the frames `start..end` as a picture of `width` × `height` pixels (each at
/// most 16 384).
///
/// Each column is the mean power of up to four Hann windows, each row the loudest of the frequencies
/// behind it.
///
/// # Errors
///
/// The sound cannot be read, or the picture is too large. A stretch behind the end is the floor.
pub fn spectrogram(
    reader: &mut dyn BlockReader,
    start: u64,
    end: u64,
    (width, height): (usize, usize),
    settings: &SpectrogramSettings,
) -> Result<Spectrogram, AudioError> {
    if width > 1 << 14 || height > 1 << 14 {
        return Err(AudioError::internal(format!("a spectrogram of {width} x {height} pixels")));
    }
    let mut db = vec![settings.floor_db; width * height];
    if width == 0 || height == 0 || end <= start {
        return Ok(Spectrogram { width, height, db });
    }
    let mut analysis = Analysis::new(settings.window);
    let size = analysis.window.len();
    let rows = Rows::new(reader.rate(), size, height, settings.top_hz);
    let mut stretch = Stretch::new(reader, settings.channel);
    let span = u128::from(end - start);
    let at =
        |column: usize| start + u64::try_from(span * column as u128 / width as u128).unwrap_or(0);
    for column in 0..width {
        let (from, to) = (at(column), at(column + 1));
        let windows = ((to - from) / size as u64).clamp(1, WINDOWS_A_COLUMN);
        let mut heard = 0;
        analysis.power.fill(0.0);
        for window in 0..windows {
            // The middle of each share of the column.
            let middle = from + (to - from) * (2 * window + 1) / (2 * windows);
            if stretch.load(middle as i64 - size as i64 / 2, size)? {
                analysis.add(&stretch.samples)?;
                heard += 1;
            }
        }
        if heard > 0 {
            let scale = 1.0 / heard as f32;
            for (row, bins) in rows.bins.iter().enumerate() {
                let power =
                    analysis.power[bins.clone()].iter().copied().fold(0.0, f32::max) * scale;
                db[row * width + column] = (10.0 * power.max(1e-30).log10()).max(settings.floor_db);
            }
        }
    }
    Ok(Spectrogram { width, height, db })
}

/// One FFT and the sum of its powers.
pub(crate) struct Analysis {
    fft: Arc<dyn RealToComplex<f32>>,
    pub(crate) window: Vec<f32>,
    samples: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Power of each bin, 1 for a sine of full scale.
    pub(crate) power: Vec<f32>,
}

impl Analysis {
    pub(crate) fn new(window: usize) -> Self {
        let size = window.clamp(64, 1 << 16).next_power_of_two();
        let fft = RealFftPlanner::new().plan_fft_forward(size);
        let step = std::f64::consts::TAU / size as f64;
        // A Hann window has a mean of a half and a sine half its amplitude on each side of 0 Hz.
        let scale = 4.0 / size as f64;
        let hann = |n: usize| ((0.5 - 0.5 * (step * n as f64).cos()) * scale) as f32;
        Self {
            window: (0..size).map(hann).collect(),
            samples: vec![0.0; size],
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; size / 2 + 1],
            fft,
        }
    }

    /// Adds the power of as many samples as the window has.
    pub(crate) fn add(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        for ((to, from), weight) in self.samples.iter_mut().zip(samples).zip(&self.window) {
            *to = if from.is_finite() { from * weight } else { 0.0 };
        }
        self.fft
            .process_with_scratch(&mut self.samples, &mut self.spectrum, &mut self.scratch)
            .map_err(|error| AudioError::internal(format!("a spectrum failed ({error})")))?;
        for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
            *power += value.norm_sqr();
        }
        Ok(())
    }
}

/// The bins behind each row, the highest frequency first; at least one bin each.
pub(crate) struct Rows {
    pub(crate) bins: Vec<std::ops::Range<usize>>,
}

impl Rows {
    pub(crate) fn new(rate: u32, size: usize, height: usize, top_hz: f32) -> Self {
        let top_hz = f64::from(top_hz).clamp(1.0, f64::from(rate) / 2.0);
        let top_bin = top_hz * size as f64 / f64::from(rate);
        let edge = |row: usize| top_bin * (height - row) as f64 / height as f64;
        let bins = (0..height).map(|row| {
            let from = (edge(row + 1).round() as usize).min(size / 2);
            let to = (edge(row).round() as usize).clamp(from + 1, size / 2 + 1);
            from..to
        });
        Self { bins: bins.collect() }
    }
}

/// A window's samples, kept from one window to the next where they overlap.
struct Stretch<'a> {
    reader: &'a mut dyn BlockReader,
    channel: Option<usize>,
    block: Vec<Vec<f32>>,
    samples: Vec<f32>,
    /// The frame that `samples` begins at, and the frame that the reader gives next.
    start: i64,
    next: Option<i64>,
}

impl<'a> Stretch<'a> {
    fn new(reader: &'a mut dyn BlockReader, channel: Option<usize>) -> Self {
        let block = vec![Vec::new(); reader.channels()];
        Self { reader, channel, block, samples: Vec::new(), start: 0, next: None }
    }

    /// Loads the `size` frames from `from` on, silence before the start and behind the end. False
    /// where there is nothing at all.
    fn load(&mut self, from: i64, size: usize) -> Result<bool, AudioError> {
        let end = from + size as i64;
        let kept_end = self.start + self.samples.len() as i64;
        if self.next.is_some() && from >= self.start && from <= kept_end {
            self.samples.drain(..usize::try_from(from - self.start).unwrap_or(0));
        } else {
            self.samples.clear();
        }
        self.start = from;
        let mut position = from + self.samples.len() as i64;
        while position < 0 && position < end {
            self.samples.push(0.0);
            position += 1;
        }
        self.go_to(position, size)?;
        let mut found = !self.samples.is_empty() && position > 0;
        while position < end {
            let want = usize::try_from(end - position).unwrap_or(0);
            let frames = self.reader.read(&mut self.block, want)?;
            if frames == 0 {
                break;
            }
            found = true;
            self.append(frames);
            position += frames as i64;
            self.next = Some(position);
        }
        self.samples.resize(size, 0.0);
        Ok(found)
    }

    /// Brings the reader to a frame: by reading on where that is near, else by going there.
    fn go_to(&mut self, position: i64, size: usize) -> Result<(), AudioError> {
        if let Some(next) = self.next
            && next <= position
            && ((position - next) as u64) < GAP_TO_SEEK * size as u64
        {
            let mut left = usize::try_from(position - next).unwrap_or(0);
            while left > 0 {
                let frames = self.reader.read(&mut self.block, left)?;
                if frames == 0 {
                    break;
                }
                left -= frames;
            }
        } else if self.next != Some(position) {
            self.reader.seek(u64::try_from(position).unwrap_or(0))?;
        }
        self.next = Some(position);
        Ok(())
    }

    fn append(&mut self, frames: usize) {
        match self.channel.and_then(|channel| self.block.get(channel)) {
            Some(channel) => self.samples.extend_from_slice(channel),
            None => {
                let scale = 1.0 / self.block.len().max(1) as f32;
                for frame in 0..frames {
                    let sum: f32 = self.block.iter().map(|channel| channel[frame]).sum();
                    self.samples.push(sum * scale);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::MemoryReader;

    fn sine(hz: f32, len: usize) -> Vec<f32> {
        (0..len)
            .map(|n| (std::f32::consts::TAU * hz * (n % 16_000) as f32 / 16_000.0).sin())
            .collect()
    }

    #[test]
    fn a_sine_of_full_scale_is_0_db_in_its_row_for_any_zoom() {
        let sound = sine(2000.0, 160_000);
        for (start, end) in [(0, 160_000), (40_000, 42_000), (100_000, 100_100)] {
            let mut reader = MemoryReader::new(16_000, vec![&sound]);
            let picture =
                spectrogram(&mut reader, start, end, (12, 64), &SpectrogramSettings::default())
                    .unwrap();
            for column in 2..10 {
                let at = |row: usize| picture.db[row * 12 + column];
                let loudest = (0..64).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
                // 8 kHz over 64 rows: 2 kHz lies on the edge of rows 47 and 48 from the top.
                assert!((47..=48).contains(&loudest), "{loudest}");
                assert!(at(loudest).abs() < 0.1, "{} dB", at(loudest));
                assert!(at(10) < -90.0, "{} dB", at(10));
            }
        }
    }

    #[test]
    fn silence_and_nothing_are_the_floor() {
        let sound = vec![0.0; 4000];
        let mut reader = MemoryReader::new(16_000, vec![&sound]);
        for (start, end) in [(0, 4000), (100_000, 200_000), (5, 5)] {
            let picture =
                spectrogram(&mut reader, start, end, (5, 7), &SpectrogramSettings::default())
                    .unwrap();
            assert_eq!((picture.width, picture.height, picture.db.len()), (5, 7, 35));
            assert!(picture.db.iter().all(|db| *db == -120.0));
        }
    }

    #[test]
    fn a_channel_is_shown_alone() {
        let (left, right) = (sine(2000.0, 16_000), vec![0.0; 16_000]);
        let mut reader = MemoryReader::new(16_000, vec![&left, &right]);
        let mut peak = |channel| {
            let settings = SpectrogramSettings { channel, ..SpectrogramSettings::default() };
            let picture = spectrogram(&mut reader, 0, 16_000, (4, 32), &settings).unwrap();
            picture.db.into_iter().fold(f32::MIN, f32::max)
        };
        assert!(peak(Some(0)).abs() < 0.1);
        assert!((peak(None) + 6.02).abs() < 0.1);
        assert_eq!(peak(Some(1)), -120.0);
    }
}
