//! Recording: what is asked for, the handle that a window or a command holds, and what came of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};
use rtrb::{Consumer, RingBuffer};

use super::capture::Capture;
use super::format::StreamFormat;
use super::level::{Level, Shared};
use super::open::Wanted;
use super::storage::{Disk, Storage};
use super::worker::{self, Command, Job, Taps};
use crate::clean::CleanSettings;
use crate::error::AudioError;
use crate::speech_net::SpeechNet;

/// Samples that a [`View`] keeps for a window that is late: 2.7 s at 48 kHz.
const VIEW_SAMPLES: usize = 1 << 17;

/// What to record.
#[derive(Default)]
pub struct RecordRequest {
    /// Where the raw take goes, a WAV: bit for bit what the device gave. Must not exist.
    pub raw: PathBuf,
    /// The clean take, if there is to be one.
    pub clean: Option<CleanRequest>,
    /// Where it is heard while it is recorded, if anywhere.
    pub monitor: Option<MonitorRequest>,
}

/// Makes the networks of a recording: each has a memory of its own.
pub type MakeLiveNet = Box<dyn FnMut() -> Result<Box<dyn SpeechNet>, AudioError> + Send>;

/// A clean take. It holds the mean of the channels, at the raw take's rate and on its time axis.
pub struct CleanRequest {
    /// Makes what cleans: once for the take (with [`Effort::Best`](limpid_nets::Effort::Best) several
    /// times), once for what is heard and drawn meanwhile.
    pub make_net: MakeLiveNet,
    /// How it is cleaned. With echo removal the take grows ten seconds late, which a crash then
    /// costs; the loudness is left as it is.
    pub settings: CleanSettings,
    /// Where it goes; [`clean_path`] of the raw take if not told. Must not exist.
    pub path: Option<PathBuf>,
}

impl CleanRequest {
    /// All noise out, beside the raw take.
    pub fn new(make_net: MakeLiveNet) -> Self {
        Self { make_net, settings: CleanSettings::default(), path: None }
    }
}

/// Where to listen along: to the cleaned sound, or to the mean of the channels without a network.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorRequest {
    /// A loudspeaker's id or name; `None` for the default one.
    pub device: Option<String>,
    /// How loud, 1 for as it is.
    pub gain: f32,
}

/// `NAME (clean).wav` beside `NAME.wav`.
#[must_use]
pub fn clean_path(raw: &Path) -> PathBuf {
    let mut name = raw.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(" (clean)");
    if let Some(extension) = raw.extension() {
        name.push(".");
        name.push(extension);
    }
    raw.with_file_name(name)
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The microphone is being opened.
    Starting,
    /// What is heard is written.
    Recording,
    /// What is heard is measured and thrown away.
    Paused,
    /// The microphone is closed; what the network still owes is being made.
    Finishing,
    /// All files are closed. [`Recorder::finish`] returns at once.
    Finished,
}

impl State {
    pub(crate) const ALL: [Self; 5] =
        [Self::Starting, Self::Recording, Self::Paused, Self::Finishing, Self::Finished];
}

/// A recording at a glance. Cheap enough for every frame of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Where it stands.
    pub state: State,
    /// Frames a second of the raw take, in Hz; 0 until the microphone is open.
    pub rate: u32,
    /// Channels of the raw take; 0 until the microphone is open.
    pub channels: u16,
    /// Frames in the raw take.
    pub frames: u64,
    /// Frames that were heard and lost, because this computer was too busy.
    pub dropped_frames: u64,
    /// How often the system lost sound before it reached Limpid; it does not say how much.
    pub overruns: u32,
    /// How loud it is.
    pub level: Level,
    /// Room on the disk, in bytes, where the system tells.
    pub bytes_left: Option<u64>,
    /// Sound that waits to be cleaned, in seconds.
    pub behind_secs: f64,
    /// Whether the clean take has ended before the raw one; [`Take::clean_ended_early`] says why.
    pub clean_has_ended: bool,
    /// Whether the loudspeaker plays along.
    pub is_monitored: bool,
    bytes_a_second: u64,
}

impl Snapshot {
    /// How long the raw take is, in seconds.
    #[must_use]
    pub fn elapsed_secs(&self) -> f64 {
        if self.rate == 0 { 0.0 } else { self.frames as f64 / f64::from(self.rate) }
    }

    /// How much longer the disk lasts, in seconds.
    #[must_use]
    pub fn secs_left(&self) -> Option<f64> {
        (self.bytes_a_second > 0).then_some(self.bytes_left? as f64 / self.bytes_a_second as f64)
    }
}

/// What a recording left.
#[derive(Debug)]
pub struct Take {
    /// The raw take.
    pub raw: PathBuf,
    /// The clean take, if there was a network.
    pub clean: Option<PathBuf>,
    /// What the device gave and the raw take holds.
    pub format: StreamFormat,
    /// Frames in the raw take.
    pub frames: u64,
    /// Frames that were heard and lost, because this computer was too busy.
    pub dropped_frames: u64,
    /// How often the system lost sound before it reached Limpid.
    pub overruns: u32,
    /// Why it ended before it was told to: the disk is full, the microphone is gone. What was
    /// recorded until then is in the files.
    pub ended_early: Option<AudioError>,
    /// Why the clean take is shorter than the raw one.
    pub clean_ended_early: Option<AudioError>,
    /// Why the loudspeaker did not play along.
    pub monitor_failed: Option<AudioError>,
}

/// Samples for a picture of what is being recorded, one channel. A reader that is seconds late
/// misses some; the takes do not.
#[derive(Debug)]
pub struct View(Consumer<f32>);

impl View {
    /// Appends what has come since the last call, full scale ±1.
    pub fn read(&mut self, samples: &mut Vec<f32>) {
        let start = samples.len();
        samples.resize(start + self.0.slots(), 0.0);
        let _ = self.0.pop_entire_slice(&mut samples[start..]);
    }
}

/// Both sides for a picture: the mean of the channels at the device's rate, and the clean sound at
/// the network's (nothing comes without one).
#[derive(Debug)]
pub struct Views {
    /// As heard.
    pub raw: View,
    /// As the network cleans it, without what lies above its band.
    pub clean: View,
}

/// A running recording. Dropped, it stops and waits until the files are closed.
pub struct Recorder {
    commands: Sender<Command>,
    shared: Arc<Shared>,
    views: Option<Views>,
    worker: Option<JoinHandle<Result<Take, AudioError>>>,
}

impl Recorder {
    /// Starts to record from a microphone by its id or name, or the default one. A network of
    /// another rate than the device's hears it resampled, up to 6 ms later: the raw take is never
    /// less than what the device gives. Returns at once: that it failed shows in
    /// [`snapshot`](Self::snapshot) and is told by [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start(
        request: RecordRequest,
        device: Option<String>,
        wanted: Wanted,
    ) -> Result<Self, AudioError> {
        Self::start_from(request, move || Capture::open(device.as_deref(), wanted))
    }

    /// Starts to record what `open` opens, on the recorder's thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start_from(
        request: RecordRequest,
        open: impl FnOnce() -> Result<Capture, AudioError> + Send + 'static,
    ) -> Result<Self, AudioError> {
        Self::start_on(request, open, Box::new(Disk))
    }

    pub(crate) fn start_on(
        request: RecordRequest,
        open: impl FnOnce() -> Result<Capture, AudioError> + Send + 'static,
        storage: Box<dyn Storage>,
    ) -> Result<Self, AudioError> {
        let (commands, received) = bounded(64);
        let shared = Arc::new(Shared::default());
        let (raw, raw_view) = RingBuffer::new(VIEW_SAMPLES);
        let (clean, clean_view) = RingBuffer::new(VIEW_SAMPLES);
        let job = Job {
            request,
            open: Box::new(open),
            storage,
            commands: received,
            shared: Arc::clone(&shared),
            taps: Taps { raw, clean },
        };
        let worker = thread::Builder::new()
            .name("limpid-recorder".to_owned())
            .spawn(move || worker::run(job))
            .map_err(|error| AudioError::internal("no thread to record on").because(error))?;
        let views = Some(Views { raw: View(raw_view), clean: View(clean_view) });
        Ok(Self { commands, shared, views, worker: Some(worker) })
    }

    /// Stops writing; what has been heard until now is in the files.
    pub fn pause(&self) {
        let _ = self.commands.send(Command::Pause);
    }

    /// Writes again, right behind what was written before the pause.
    pub fn resume(&self) {
        let _ = self.commands.send(Command::Resume);
    }

    /// Stops; [`is_finished`](Self::is_finished) tells when the files are closed.
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }

    /// Switches the loudspeaker on, off, or over.
    pub fn set_monitor(&self, monitor: Option<MonitorRequest>) {
        let _ = self.commands.send(Command::Monitor(monitor));
    }

    /// Puts the clip light out.
    pub fn clear_clip(&self) {
        self.shared.clear_clip();
    }

    /// The samples for a picture; the first caller gets them.
    pub fn take_views(&mut self) -> Option<Views> {
        self.views.take()
    }

    /// How it stands. Reads a dozen numbers; waits for nothing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.shared;
        let state = usize::from(shared.state.load(Ordering::Relaxed));
        let state = if self.is_finished() { State::Finished } else { State::ALL[state.min(3)] };
        Snapshot {
            state,
            rate: shared.rate.load(Ordering::Relaxed),
            channels: shared.channels.load(Ordering::Relaxed) as u16,
            frames: shared.frames.load(Ordering::Relaxed),
            dropped_frames: shared.dropped_frames.load(Ordering::Relaxed),
            overruns: shared.overruns.load(Ordering::Relaxed),
            level: shared.level(),
            bytes_left: shared.bytes_left(),
            behind_secs: shared.behind_micros.load(Ordering::Relaxed) as f64 / 1e6,
            clean_has_ended: shared.clean_has_ended.load(Ordering::Relaxed),
            is_monitored: shared.is_monitored.load(Ordering::Relaxed),
            bytes_a_second: shared.bytes_a_second.load(Ordering::Relaxed),
        }
    }

    /// Whether all files are closed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.worker.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops and waits until the files are closed: the time that the network takes for what waits
    /// for it, mostly none.
    ///
    /// # Errors
    ///
    /// Nothing was recorded, and why. No file is left then.
    pub fn finish(mut self) -> Result<Take, AudioError> {
        self.stop();
        let lost = || AudioError::internal("the recorder stopped unexpectedly");
        self.worker.take().ok_or_else(lost)?.join().map_err(|_| lost())?
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clean_take_is_named_after_the_raw_one() {
        for (raw, clean) in [
            ("/a/b.wav", "/a/b (clean).wav"),
            ("take", "take (clean)"),
            ("a.b/Take 1.2.wav", "a.b/Take 1.2 (clean).wav"),
        ] {
            assert_eq!(clean_path(Path::new(raw)), Path::new(clean));
        }
    }
}
