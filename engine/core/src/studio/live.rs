//! The last seconds of a recording under way, drawn: made on the studio's thread, kept in a cell
//! that the window reads from when it likes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use limpid_audio::live::{Snapshot, View, Views};
use limpid_audio::{AudioError, Column, Columns, MinMax, SpectrogramSettings};

use super::Track;
use super::views::{TOP_HZ, WINDOW_SECS};

/// The columns that are kept: the last 20 seconds.
const KEPT: usize = 20 * LiveTrack::COLUMNS_A_SECOND as usize;
/// What a picture may lag behind its take, in seconds, before something is taken to be lost: more
/// than a block of the recorder and the delay of a network.
const LAG_SECS: f64 = 2.0;

/// A recording under way drawn, as far as it is new.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveView {
    /// Which recording, counted from 1.
    pub take: u64,
    /// Frequency of the top row of both tracks, in Hz.
    pub top_hz: f32,
    /// As heard.
    pub raw: LiveTrack,
    /// As cleaned, some moments later; none without a clean take.
    pub clean: Option<LiveTrack>,
}

/// Columns of one track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveTrack {
    /// The number of the first column here: it begins `first / COLUMNS_A_SECOND` seconds into the
    /// take.
    pub first: u64,
    /// Lowest and highest sample of each column, `-1..=1` at full scale.
    pub peaks: Vec<(f32, f32)>,
    /// `[columns][ROWS]`, the highest frequency first; power in dB below full scale, from
    /// [`Track::FLOOR_DB`] to 0.
    pub spectrogram: Vec<f32>,
}

impl LiveTrack {
    /// Columns drawn for a second of sound.
    pub const COLUMNS_A_SECOND: u32 = 50;
    /// Rows of the spectrogram.
    pub const ROWS: usize = 96;
    /// Seconds that are kept for one who looks late.
    pub const KEPT_SECONDS: f64 = KEPT as f64 / Self::COLUMNS_A_SECOND as f64;

    /// The number of the column behind the last one here.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.peaks.len() as u64
    }
}

/// What one who looks has: columns from there on are new to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveSeen {
    /// [`LiveView::take`]; another one means that nothing was seen.
    pub take: u64,
    /// [`LiveTrack::end`] of the raw track.
    pub raw: u64,
    /// [`LiveTrack::end`] of the clean track.
    pub clean: u64,
}

/// Where the studio's thread leaves what the window takes. Of one size however long it is recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveCell(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    take: u64,
    top_hz: f32,
    is_on: bool,
    raw: Strip,
    clean: Option<Strip>,
}

/// The last columns of a track.
#[derive(Debug, Default)]
struct Strip {
    /// Columns so far.
    end: u64,
    peaks: VecDeque<(f32, f32)>,
    /// [`LiveTrack::ROWS`] for each.
    db: VecDeque<f32>,
}

impl Strip {
    fn push(&mut self, column: Column<'_>) {
        if self.peaks.len() >= KEPT {
            self.peaks.pop_front();
            self.db.drain(..LiveTrack::ROWS);
        }
        let MinMax { min, max } = column.peak;
        self.peaks.push_back(if column.peak.is_empty() { (0.0, 0.0) } else { (min, max) });
        self.db.extend(column.db);
        self.end += 1;
    }

    /// The columns from `seen` on, as far as they are kept.
    fn since(&self, seen: u64) -> LiveTrack {
        let first = seen.clamp(self.end - self.peaks.len() as u64, self.end);
        let count = usize::try_from(self.end - first).unwrap_or(0);
        let from = self.peaks.len() - count;
        LiveTrack {
            first,
            peaks: self.peaks.range(from..).copied().collect(),
            spectrogram: self.db.range(from * LiveTrack::ROWS..).copied().collect(),
        }
    }
}

impl LiveCell {
    /// What is new to one who has `seen` so much; none while nothing is recorded.
    pub(super) fn since(&self, seen: LiveSeen) -> Option<LiveView> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = if seen.take == kept.take { seen } else { LiveSeen::default() };
        kept.is_on.then(|| LiveView {
            take: kept.take,
            top_hz: kept.top_hz,
            raw: kept.raw.since(seen.raw),
            clean: kept.clean.as_ref().map(|clean| clean.since(seen.clean)),
        })
    }

    fn begin(&self, top_hz: f32, has_clean: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let take = kept.take + 1;
        let clean = has_clean.then(Strip::default);
        *kept = Kept { take, top_hz, is_on: true, raw: Strip::default(), clean };
    }

    /// Nothing is recorded any more; the memory is given back.
    fn end(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Kept { take: kept.take, ..Kept::default() };
    }
}

/// Draws a recording under way.
pub(super) struct LiveArtist {
    views: Views,
    /// Rate of the clean track, if there is one.
    clean_rate: Option<u32>,
    cell: LiveCell,
    tracks: Option<Tracks>,
}

struct Tracks {
    raw: Growing,
    clean: Option<Growing>,
}

/// A track and the sound on its way to it.
struct Growing {
    columns: Columns,
    rate: u32,
    frames: u64,
    samples: Vec<f32>,
}

impl LiveArtist {
    /// Draws what comes in `views` into `cell`.
    pub(super) fn new(views: Views, clean_rate: Option<u32>, cell: LiveCell) -> Self {
        Self { views, clean_rate, cell, tracks: None }
    }

    /// Draws what came since the last call; `now` is from before it.
    ///
    /// # Errors
    /// It cannot be drawn; what is recorded is not concerned.
    pub(super) fn draw(&mut self, now: &Snapshot) -> Result<(), AudioError> {
        if now.rate == 0 {
            return Ok(());
        }
        if self.tracks.is_none() {
            let lowest = self.clean_rate.unwrap_or(now.rate).min(now.rate);
            let top_hz = (lowest as f32 / 2.0).min(TOP_HZ);
            let clean = self.clean_rate.map(|rate| Growing::new(rate, top_hz)).transpose()?;
            self.tracks = Some(Tracks { raw: Growing::new(now.rate, top_hz)?, clean });
            self.cell.begin(top_hz, self.clean_rate.is_some());
        }
        let Some(tracks) = &mut self.tracks else { return Ok(()) };
        let seconds = now.elapsed_secs();
        let raw = tracks.raw.read(&mut self.views.raw, seconds)?;
        let clean = match &mut tracks.clean {
            Some(clean) if !now.clean_has_ended => {
                clean.read(&mut self.views.clean, seconds - now.behind_secs)?
            }
            _ => Fresh::default(),
        };
        if raw.is_empty() && clean.is_empty() {
            return Ok(());
        }
        let mut kept = self.cell.0.lock().unwrap_or_else(PoisonError::into_inner);
        raw.move_to(&mut kept.raw);
        if let Some(strip) = &mut kept.clean {
            clean.move_to(strip);
        }
        Ok(())
    }
}

impl Drop for LiveArtist {
    fn drop(&mut self) {
        self.cell.end();
    }
}

/// Columns that were made outside the cell, so that nobody waits for a spectrum.
#[derive(Default)]
struct Fresh {
    peaks: Vec<MinMax>,
    db: Vec<f32>,
}

impl Fresh {
    fn is_empty(&self) -> bool {
        self.peaks.is_empty()
    }

    fn move_to(&self, strip: &mut Strip) {
        for (peak, db) in self.peaks.iter().zip(self.db.chunks_exact(LiveTrack::ROWS)) {
            strip.push(Column { peak: *peak, db });
        }
    }
}

impl Growing {
    fn new(rate: u32, top_hz: f32) -> Result<Self, AudioError> {
        let settings = SpectrogramSettings {
            window: ((f64::from(rate) * WINDOW_SECS) as usize).next_power_of_two(),
            top_hz,
            floor_db: Track::FLOOR_DB,
            channel: None,
        };
        let columns = Columns::new(rate, LiveTrack::COLUMNS_A_SECOND, LiveTrack::ROWS, &settings)?;
        Ok(Self { columns, rate, frames: 0, samples: Vec::new() })
    }

    /// Draws what came. The take is `seconds` long by now: what this thread was too late for is
    /// drawn as silence, so that what follows stands at its own time.
    fn read(&mut self, view: &mut View, seconds: f64) -> Result<Fresh, AudioError> {
        self.samples.clear();
        view.read(&mut self.samples);
        self.take_in(seconds)
    }

    fn take_in(&mut self, seconds: f64) -> Result<Fresh, AudioError> {
        let mut fresh = Fresh::default();
        let mut draw = |column: Column<'_>| {
            fresh.peaks.push(column.peak);
            fresh.db.extend_from_slice(column.db);
        };
        self.columns.push(&self.samples, &mut draw)?;
        self.frames += self.samples.len() as u64;
        let due = ((seconds - LAG_SECS).max(0.0) * f64::from(self.rate)) as u64;
        if due > self.frames {
            let silence = vec![0.0; self.rate as usize];
            while due > self.frames {
                self.columns.push(&silence, &mut draw)?;
                self.frames += silence.len() as u64;
            }
        }
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use limpid_audio::live::{Capture, RecordRequest, Recorder, SampleKind, StreamFormat};

    use super::*;

    fn columns(count: usize, value: f32) -> Fresh {
        let peak = MinMax { min: -value, max: value };
        Fresh { peaks: vec![peak; count], db: vec![-value; count * LiveTrack::ROWS] }
    }

    #[test]
    fn only_what_is_new_is_handed_out_and_hours_are_not_kept() {
        let cell = LiveCell::default();
        assert_eq!(cell.since(LiveSeen::default()), None);
        cell.begin(8000.0, false);
        for _ in 0..3 {
            columns(KEPT, 0.5).move_to(&mut cell.0.lock().unwrap().raw);
        }
        columns(3, 0.25).move_to(&mut cell.0.lock().unwrap().raw);
        let view = cell.since(LiveSeen::default()).unwrap();
        assert_eq!((view.raw.first, view.raw.peaks.len()), (2 * KEPT as u64 + 3, KEPT));
        assert_eq!(view.raw.spectrogram.len(), KEPT * LiveTrack::ROWS);
        assert_eq!(view.clean, None);
        let seen = LiveSeen { take: 1, raw: view.raw.end() - 3, clean: 0 };
        let view = cell.since(seen).unwrap();
        assert_eq!(view.raw.peaks, [(-0.25, 0.25); 3]);
        assert_eq!(view.raw.spectrogram[..], [-0.25; 3 * LiveTrack::ROWS]);
        let later = LiveSeen { raw: u64::MAX, ..seen };
        assert!(cell.since(later).unwrap().raw.peaks.is_empty());

        // Of the next recording nothing was seen.
        cell.end();
        assert_eq!(cell.since(seen), None);
        cell.begin(8000.0, true);
        columns(1, 0.1).move_to(&mut cell.0.lock().unwrap().raw);
        let view = cell.since(seen).unwrap();
        assert_eq!((view.take, view.raw.first, view.raw.peaks.len()), (2, 0, 1));
        assert_eq!(view.clean, Some(LiveTrack::default()));
    }

    #[test]
    fn a_recording_is_drawn_while_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let format = StreamFormat { rate: 8000, channels: 1, kind: SampleKind::I16 };
        let (mut feed, capture) = Capture::fed(format, 10.0);
        let request =
            RecordRequest { raw: dir.path().join("take.wav"), ..RecordRequest::default() };
        let mut recorder = Recorder::start_from(request, move || Ok(capture)).unwrap();
        let cell = LiveCell::default();
        let mut artist = LiveArtist::new(recorder.take_views().unwrap(), None, cell.clone());
        // A second of 1 kHz at half of full scale.
        let tone = |n: u32| (16_384.0 * (n as f32 * std::f32::consts::FRAC_PI_4).sin()) as i16;
        let wire: Vec<u8> = (0..8000).flat_map(|n| tone(n).to_ne_bytes()).collect();
        feed.push(&wire);
        let began = std::time::Instant::now();
        let view = loop {
            artist.draw(&recorder.snapshot()).unwrap();
            match cell.since(LiveSeen::default()) {
                // The last column waits for half a window.
                Some(view) if view.raw.end() >= 49 => break view,
                _ => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
            assert!(began.elapsed().as_secs() < 30, "it never came");
        };
        assert_eq!((view.take, view.top_hz, view.clean), (1, 4000.0, None));
        let (low, high) = view.raw.peaks[20];
        assert!((low + 0.5).abs() < 0.01 && (high - 0.5).abs() < 0.01, "{low} {high}");
        let column = &view.raw.spectrogram[20 * LiveTrack::ROWS..21 * LiveTrack::ROWS];
        let loudest = (0..LiveTrack::ROWS).max_by(|a, b| column[*a].total_cmp(&column[*b]));
        // 4 kHz over 96 rows: 1 kHz lies three quarters down.
        assert!(matches!(loudest, Some(71 | 72)), "{loudest:?}");
        drop(artist);
        assert_eq!(cell.since(LiveSeen::default()), None, "nothing is left of it");
    }

    #[test]
    fn what_was_missed_is_silence_and_the_rest_stands_at_its_time() {
        let mut track = Growing::new(8000, 4000.0).unwrap();
        track.samples = vec![0.5; 8000];
        let first = track.take_in(1.0).unwrap();
        assert!(!first.is_empty() && first.peaks.iter().all(|peak| peak.max == 0.5));
        // Ten seconds went by that nobody saw.
        track.samples.clear();
        track.take_in(11.0).unwrap();
        assert_eq!(track.frames, 9 * 8000, "as far as it may lag");
        track.samples = vec![0.25; 8000];
        let last = track.take_in(11.0).unwrap();
        assert_eq!(last.peaks.last().unwrap().max, 0.25);
    }
}
