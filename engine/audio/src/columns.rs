//! A picture of sound that grows with it, column by column: for a recording under way.

use crate::error::AudioError;
use crate::peaks::MinMax;
use crate::spectrogram::{Analysis, Rows, SpectrogramSettings};

/// Makes the columns that [`peaks_of`](crate::peaks_of) and [`spectrogram`](crate::spectrogram)
/// would make of the whole, as soon as their sound is there: half a window later. Keeps no more
/// sound than one column needs.
pub struct Columns {
    rate: u64,
    a_second: u64,
    floor_db: f32,
    analysis: Analysis,
    rows: Rows,
    /// From frame `start` on; before the first one there is silence.
    samples: Vec<f32>,
    start: i64,
    /// The column that is made next.
    next: u64,
    db: Vec<f32>,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<'a> {
    /// Its lowest and highest sample.
    pub peak: MinMax,
    /// dB relative to a sine of full scale, the highest frequency first.
    pub db: &'a [f32],
}

impl Columns {
    /// Columns of `height` rows (at most 16 384), `a_second` of them each second, of one channel at
    /// `rate` Hz. A column is no longer than the window of `settings`, whose channel means nothing
    /// here.
    ///
    /// # Errors
    ///
    /// A rate, height or number of columns that is no picture's.
    pub fn new(
        rate: u32,
        a_second: u32,
        height: usize,
        settings: &SpectrogramSettings,
    ) -> Result<Self, AudioError> {
        let analysis = Analysis::new(settings.window);
        let longest = analysis.window.len() as u64 * u64::from(a_second);
        if rate == 0 || height == 0 || height > 1 << 14 || longest < u64::from(rate) {
            let what = format!("{a_second} columns of {height} rows a second of {rate} Hz");
            return Err(AudioError::internal(what));
        }
        let rows = Rows::new(rate, analysis.window.len(), height, settings.top_hz);
        Ok(Self {
            rate: rate.into(),
            a_second: a_second.into(),
            floor_db: settings.floor_db,
            analysis,
            rows,
            samples: Vec::new(),
            start: 0,
            next: 0,
            db: vec![settings.floor_db; height],
        })
    }

    /// Takes in samples, full scale ±1, and hands on the columns that they complete.
    ///
    /// # Errors
    ///
    /// A spectrum cannot be computed.
    pub fn push(
        &mut self,
        samples: &[f32],
        column: &mut dyn FnMut(Column<'_>),
    ) -> Result<(), AudioError> {
        let size = self.analysis.window.len() as i64;
        // Not all at once: a minute that comes in one piece needs no minute of memory twice.
        for part in samples.chunks(1 << 14) {
            self.samples.extend_from_slice(part);
            let end = self.start + self.samples.len() as i64;
            loop {
                let (from, to) = (self.frame(self.next), self.frame(self.next + 1));
                let window = from + (to - from) / 2 - size / 2;
                if end < to.max(window + size) {
                    break;
                }
                let peak = MinMax::of(self.slice(from, to));
                self.measure(window, size)?;
                column(Column { peak, db: &self.db });
                self.next += 1;
                let from = self.frame(self.next);
                let needed = from.min(from + (self.frame(self.next + 1) - from) / 2 - size / 2);
                let done = usize::try_from(needed - self.start).unwrap_or(0);
                self.samples.drain(..done.min(self.samples.len()));
                self.start += done as i64;
            }
        }
        Ok(())
    }

    /// The power of the window that begins at frame `from` into `db`.
    fn measure(&mut self, from: i64, size: i64) -> Result<(), AudioError> {
        self.analysis.power.fill(0.0);
        let silence = usize::try_from(-from).unwrap_or(0);
        let first = usize::try_from(from.max(0) - self.start).unwrap_or(0);
        let last = usize::try_from(from + size - self.start).unwrap_or(0);
        let heard = self.samples.get(first..last).unwrap_or_default();
        if silence == 0 {
            self.analysis.add(heard)?;
        } else {
            let mut padded = vec![0.0; silence];
            padded.extend_from_slice(heard);
            self.analysis.add(&padded)?;
        }
        for (db, bins) in self.db.iter_mut().zip(&self.rows.bins) {
            let power = self.analysis.power[bins.clone()].iter().copied().fold(0.0, f32::max);
            *db = (10.0 * power.max(1e-30).log10()).max(self.floor_db);
        }
        Ok(())
    }

    /// The first frame of a column.
    fn frame(&self, column: u64) -> i64 {
        let frame = u128::from(column) * u128::from(self.rate) / u128::from(self.a_second);
        i64::try_from(frame).unwrap_or(i64::MAX)
    }

    fn slice(&self, from: i64, to: i64) -> &[f32] {
        let at = |frame: i64| usize::try_from(frame - self.start).unwrap_or(0);
        self.samples.get(at(from)..at(to)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("rate", &self.rate).field("next", &self.next).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peaks::peaks_of;
    use crate::reader::MemoryReader;
    use crate::spectrogram::spectrogram;

    /// A sound that is nowhere the same.
    fn sound(len: usize) -> Vec<f32> {
        (0..len)
            .map(|n| {
                let t = n as f32 / 8000.0;
                0.4 * (std::f32::consts::TAU * (300.0 + 900.0 * t) * t).sin()
                    + ((n * 7919) % 10_007) as f32 / 40_000.0
            })
            .collect()
    }

    #[test]
    fn what_grows_is_what_the_whole_gives() {
        let samples = sound(9_001);
        let settings = SpectrogramSettings { window: 256, ..SpectrogramSettings::default() };
        // 8000 / 47 frames a column: not a whole number.
        for (a_second, chunk) in [(50, 1), (47, 333), (50, 9_001)] {
            let mut columns = Columns::new(8000, a_second, 40, &settings).unwrap();
            let mut grown: Vec<(MinMax, Vec<f32>)> = Vec::new();
            for part in samples.chunks(chunk) {
                let mut take = |column: Column<'_>| grown.push((column.peak, column.db.to_vec()));
                columns.push(part, &mut take).unwrap();
                assert!(columns.samples.len() <= 256 + 8000 / 47 + 1 + chunk.min(1 << 14));
            }
            let width = a_second as usize;
            assert!(grown.len() > width && grown.len() < 9_001 * width / 8000 + 1);
            let mut reader = MemoryReader::new(8000, vec![&samples]);
            let peaks = peaks_of(&mut reader, 0, 8000, width).unwrap();
            let whole = spectrogram(&mut reader, 0, 8000, (width, 40), &settings).unwrap();
            for (number, (peak, db)) in grown.iter().take(width).enumerate() {
                assert_eq!(*peak, peaks[0][number], "{a_second} {chunk} {number}");
                for (row, db) in db.iter().enumerate() {
                    let wanted = whole.db[row * width + number];
                    assert!((db - wanted).abs() < 1e-3, "{number} {row}: {db} {wanted}");
                }
            }
        }
    }

    #[test]
    fn hours_take_no_more_memory_than_a_moment() {
        let settings = SpectrogramSettings { window: 64, ..SpectrogramSettings::default() };
        let mut columns = Columns::new(1000, 50, 4, &settings).unwrap();
        let minute = vec![0.25; 60_000];
        let mut count = 0_u64;
        for _ in 0..20 {
            columns.push(&minute, &mut |_| count += 1).unwrap();
        }
        assert_eq!(count, 60_000 - 2, "the last two wait for half a window");
        assert!(columns.samples.capacity() < 1 << 16, "{}", columns.samples.capacity());
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let settings = SpectrogramSettings { window: 64, ..SpectrogramSettings::default() };
        for (rate, a_second, height) in [(0, 50, 4), (8000, 0, 4), (8000, 50, 4), (1000, 50, 0)] {
            let made = Columns::new(rate, a_second, height, &settings);
            assert!(made.is_err(), "{rate} {a_second} {height}");
        }
    }
}
