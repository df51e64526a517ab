//! The sound studio: one recording at a time to hear, see, clean and record. What the window's page
//! for voices talks to; batches of recordings go through the queue like pictures.
//!
//! Every call returns at once. What comes of it is told by [`Studio::poll`]; what changes all the
//! time (levels, position) is read by [`Studio::now`], a recording under way drawn by
//! [`Studio::live`].

mod cleaned;
mod live;
mod names;
mod player;
mod recording;
#[cfg(test)]
mod testing;
mod views;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crossbeam_channel::{Receiver, Sender, unbounded};
use limpid_audio::settings::{SoundFormat, Speech};
use limpid_kernels::Cancel;
use limpid_nets::{Library, LibraryConfig};

pub use live::{LiveSeen, LiveTrack, LiveView};
pub use recording::{Recorded, Recording, RecordingRequest, microphones};

use crate::config::Wake;
use crate::error::EngineError;
use crate::threads::{Threads, compute_pool};

/// What is listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listening {
    /// The recording as it is.
    Original,
    /// The cleaned recording, as loud as the original on average.
    #[default]
    Clean,
    /// Only what was taken away.
    Removed,
}

/// What the studio is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum StudioCommand {
    /// Open a recording; what was open is closed.
    Open(PathBuf),
    /// Clean it (again) with these settings. A moved [`Speech::limit_db`] alone is heard at once.
    Clean(Speech),
    /// Draw this part.
    View(ViewRequest),
    /// Play from where it stands.
    Play,
    /// Stop where it is.
    Pause,
    /// Go to this second.
    Seek(f64),
    /// Hear this.
    Listen(Listening),
    /// Write the cleaned recording, as it is heard under [`Listening::Clean`].
    Save {
        /// `.wav` or `.flac`.
        path: PathBuf,
        /// How deep.
        format: SoundFormat,
        /// Whether a file that is there may be replaced, else the result is numbered: "NAME-2.wav".
        /// Never the recording itself.
        replaces: bool,
    },
    /// List the microphones.
    ListDevices,
    /// Record: the raw take into a new file of the takes folder, and a clean one beside it if asked.
    Record {
        /// A device by [`Microphone::id`]; none is the system's default.
        device: Option<String>,
        /// Write a clean take with these settings too, with the best model that can where the chosen
        /// one needs to hear what comes next. [`Speech::loudness`] has no part in it.
        clean: Option<Speech>,
        /// Play it on the default loudspeaker meanwhile.
        monitor: bool,
    },
    /// Play what is recorded on the default loudspeaker from now on, or no more.
    MonitorRecording(bool),
    /// Pause or go on recording.
    PauseRecording(bool),
    /// End the recording; its take is opened.
    StopRecording,
}

/// A part of the recording to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewRequest {
    /// Counted up by the one who asks; older requests are dropped.
    pub id: u64,
    /// First second.
    pub from: f64,
    /// Last second, after `from`.
    pub to: f64,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows of the spectrogram, at least 1.
    pub height: u32,
}

/// One recording drawn.
#[derive(Clone, Debug)]
pub struct SoundView {
    /// The request's number.
    pub id: u64,
    /// Its part, in seconds.
    pub from: f64,
    /// Its part, in seconds.
    pub to: f64,
    /// Original, and clean once it is.
    pub original: Track,
    /// The cleaned recording; none while there is none.
    pub clean: Option<Track>,
}

/// One track drawn: the waveform and the spectrogram over the same columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Lowest and highest sample of each column, `-1..=1` at full scale; all channels together.
    pub peaks: Vec<(f32, f32)>,
    /// `[height][width]`, top row is the highest frequency; power in dB below full scale, from
    /// [`Track::FLOOR_DB`] to 0.
    pub spectrogram: Arc<[f32]>,
    /// Frequency of the top row, in Hz.
    pub top_hz: f32,
}

impl Track {
    /// What is quieter is drawn as this.
    pub const FLOOR_DB: f32 = -100.0;
}

/// A recording that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The file.
    pub path: PathBuf,
    /// Length in seconds.
    pub seconds: f64,
    /// Samples a second.
    pub rate: u32,
    /// Channels.
    pub channels: usize,
    /// "WAV, 24 bit" or the like.
    pub format: String,
}

/// A microphone that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Microphone {
    /// What [`StudioCommand::Record`] takes.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is the system's default.
    pub is_default: bool,
    /// "48 kHz, 2 channels, 16 bit".
    pub format: String,
}

/// What the studio tells.
#[derive(Clone, Debug)]
pub enum StudioEvent {
    /// A recording is open; views can be asked for.
    Opened(Opened),
    /// It could not be opened: one sentence.
    OpenFailed(String),
    /// How much of it is cleaned, 0 to 1.
    Cleaning(f32),
    /// It is clean: with which model (for people), and how many seconds of work a second of sound
    /// took.
    Cleaned {
        /// Title of the model.
        model: String,
        /// Work by time of sound.
        real_time_factor: f64,
    },
    /// What was asked for failed: one sentence.
    Failed(String),
    /// A view is drawn.
    View(SoundView),
    /// It was played to its end.
    PlayedToEnd,
    /// The microphones.
    Devices(Vec<Microphone>),
    /// Recording began, into this file.
    RecordingStarted(PathBuf),
    /// Recording ended; the raw take, the clean one, and a sentence if it ended early or lost
    /// something.
    Recorded {
        /// The raw take.
        raw: PathBuf,
        /// The clean one.
        clean: Option<PathBuf>,
        /// What went wrong, in a sentence.
        remark: Option<String>,
    },
    /// How much of the result is written, 0 to 1.
    Saving(f32),
    /// The cleaned recording was written here.
    Saved(PathBuf),
    /// It was not: one sentence.
    SaveFailed(String),
}

/// What changes all the time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Now {
    /// Whether sound is playing.
    pub is_playing: bool,
    /// Where, in seconds.
    pub position: f64,
    /// The recording under way.
    pub recording: Option<RecordingNow>,
}

/// A recording under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordingNow {
    /// Whether it is paused.
    pub is_paused: bool,
    /// Seconds recorded.
    pub seconds: f64,
    /// Highest sample of the last moment, in dB of full scale; -120 is silence.
    pub peak_db: f32,
    /// The highest of the last seconds.
    pub held_peak_db: f32,
    /// Average of the last moment.
    pub rms_db: f32,
    /// Whether samples reached full scale since the start.
    pub has_clipped: bool,
    /// Frames that the computer was too slow for.
    pub dropped_frames: u64,
    /// Seconds that fit on the disk.
    pub seconds_left: Option<f64>,
}

/// Where the studio finds and puts things.
#[derive(Clone)]
pub struct StudioConfig {
    /// The models.
    pub library: LibraryConfig,
    /// Folder for takes; made when first written to.
    pub takes_dir: PathBuf,
    /// Called when there is something to poll.
    pub wake: Option<Wake>,
}

impl std::fmt::Debug for StudioConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StudioConfig").field("takes_dir", &self.takes_dir).finish_non_exhaustive()
    }
}

/// The sound studio. Dropping it ends a recording properly and joins its threads.
pub struct Studio {
    commands: Sender<StudioCommand>,
    events: Receiver<StudioEvent>,
    now: Arc<RwLock<Now>>,
    live: live::LiveCell,
    closing: Cancel,
    threads: Threads,
}

impl Studio {
    /// Starts the studio's thread; no device is opened and no model loaded yet.
    ///
    /// # Errors
    /// [`EngineError::Model`] when the table of models is faulty, [`EngineError::Threads`].
    pub fn start(config: StudioConfig) -> Result<Self, EngineError> {
        let library = Library::open(config.library.clone())
            .map_err(|error| EngineError::Model(error.to_string()))?;
        let (commands, inbox) = unbounded();
        let (outbox, events) = unbounded();
        let now = Arc::new(RwLock::new(Now::default()));
        let live = live::LiveCell::default();
        let closing = Cancel::new();
        let mut threads = Threads::default();
        let worker = worker::Worker::new(
            (library, compute_pool(0)?),
            config.takes_dir,
            worker::Outbox::new(outbox, config.wake),
            (Arc::clone(&now), live.clone()),
            closing.clone(),
        );
        threads.spawn("studio", move || worker.run(&inbox))?;
        Ok(Self { commands, events, now, live, closing, threads })
    }

    /// Asks for something.
    pub fn send(&self, command: StudioCommand) {
        // The worker ends with the studio alone.
        let _ = self.commands.send(command);
    }

    /// What happened since the last call.
    #[must_use]
    pub fn poll(&self) -> Vec<StudioEvent> {
        self.events.try_iter().collect()
    }

    /// Levels and position of this moment.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is new of the recording under way, for one who has `seen` so much of it; at most
    /// [`LiveTrack::KEPT_SECONDS`]. None while nothing is recorded.
    #[must_use]
    pub fn live(&self, seen: LiveSeen) -> Option<LiveView> {
        self.live.since(seen)
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.closing.cancel();
        self.threads.join();
    }
}

impl std::fmt::Debug for Studio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Studio").finish_non_exhaustive()
    }
}
