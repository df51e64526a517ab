//! Recording from a microphone: what the studio and the command line share.

use std::path::PathBuf;
use std::sync::Arc;

use limpid_audio::clean::CleanSettings;
use limpid_audio::live::{
    CleanRequest, Direction, Level, MonitorRequest, RecordRequest, Recorder, SampleKind, State,
    StreamFormat, Wanted, devices,
};
use limpid_audio::settings::Speech;
use limpid_audio::{AudioError, ErrorKind, SpeechNet};
use limpid_nets::{Effort, Library, LibraryConfig, LoadErrorKind};

use super::live::{LiveArtist, LiveCell};
use super::{Microphone, RecordingNow};
use crate::error::EngineError;
use crate::sound;

/// What to record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingRequest {
    /// The raw take, a WAV: bit for bit what the device gives. Must not exist.
    pub raw: PathBuf,
    /// A device by [`Microphone::id`] or name; none is the system's default.
    pub device: Option<String>,
    /// Makes a clean take beside the raw one, with a model that can while it hears ("auto" for the
    /// best one here). [`Speech::loudness`] has no part in it.
    pub clean: Option<Speech>,
    /// Play it on the default loudspeaker while it is recorded: cleaned if there is a clean take, as
    /// soon as the network has an answer.
    pub monitor: bool,
}

/// What a recording left.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The raw take.
    pub raw: PathBuf,
    /// The clean take.
    pub clean: Option<PathBuf>,
    /// Length in seconds.
    pub seconds: f64,
    /// Frames that the computer was too slow for.
    pub dropped_frames: u64,
    /// What went wrong, one sentence each: it ended early, frames are missing.
    pub remarks: Vec<String>,
}

/// A recording under way. Dropped, it ends properly.
pub struct Recording {
    recorder: Recorder,
    /// Who draws it, where someone looks.
    artist: Option<LiveArtist>,
}

impl Recording {
    /// Starts, with the models of `config`. Returns at once; that no microphone opens is told by
    /// [`Recording::finish`].
    ///
    /// # Errors
    /// [`EngineError::Model`]; [`EngineError::Sound`] when there is no thread.
    pub fn start(request: RecordingRequest, config: LibraryConfig) -> Result<Self, EngineError> {
        let library = Arc::new(Library::open(config).map_err(model)?);
        Self::start_with(request, &library, None)
    }

    pub(super) fn start_with(
        request: RecordingRequest,
        library: &Arc<Library>,
        drawn_into: Option<LiveCell>,
    ) -> Result<Self, EngineError> {
        let mut clean_rate = None;
        let clean = match request.clean {
            None => None,
            Some(speech) => {
                let network = library.load_live_speech(&speech.model).map_err(model)?;
                clean_rate = Some(network.rate());
                // Four hearings bring the networks that hear nothing ahead no gain.
                let settings = CleanSettings { effort: Effort::Fast, ..sound::settings(&speech) };
                let (library, mut first) = (Arc::clone(library), Some(network));
                let make_net = Box::new(move || {
                    let network = match first.take() {
                        Some(network) => network,
                        None => library.load_live_speech(&speech.model).map_err(|error| {
                            AudioError::new(ErrorKind::Model, error.to_string()).because(error)
                        })?,
                    };
                    Ok(Box::new(network) as Box<dyn SpeechNet>)
                });
                Some(CleanRequest { settings, ..CleanRequest::new(make_net) })
            }
        };
        let wanted = RecordRequest { raw: request.raw, clean, monitor: monitor(request.monitor) };
        let mut recorder =
            Recorder::start(wanted, request.device, Wanted::default()).map_err(recorder_error)?;
        let artist = drawn_into
            .zip(recorder.take_views())
            .map(|(cell, views)| LiveArtist::new(views, clean_rate, cell));
        Ok(Self { recorder, artist })
    }

    /// Pauses, or goes on right behind what was written.
    pub fn set_paused(&self, is_paused: bool) {
        if is_paused {
            self.recorder.pause();
        } else {
            self.recorder.resume();
        }
    }

    /// Plays it on the default loudspeaker from now on, or no more.
    pub fn set_monitored(&self, is_monitored: bool) {
        self.recorder.set_monitor(monitor(is_monitored));
    }

    /// Ends the recording; [`Recording::is_finished`] tells when all files are closed.
    pub fn stop(&self) {
        self.recorder.stop();
    }

    /// Whether all files are closed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.recorder.is_finished()
    }

    /// Draws what was heard since the last call. What cannot be drawn is recorded all the same.
    pub(super) fn draw(&mut self) {
        if let Some(artist) = &mut self.artist
            && artist.draw(&self.recorder.snapshot()).is_err()
        {
            self.artist = None;
        }
    }

    /// How it stands.
    #[must_use]
    pub fn now(&self) -> RecordingNow {
        let snapshot = self.recorder.snapshot();
        RecordingNow {
            is_paused: snapshot.state == State::Paused,
            seconds: snapshot.elapsed_secs(),
            peak_db: Level::db(snapshot.level.peak),
            held_peak_db: Level::db(snapshot.level.held_peak),
            rms_db: Level::db(snapshot.level.rms),
            has_clipped: snapshot.level.clipped_samples > 0,
            dropped_frames: snapshot.dropped_frames,
            seconds_left: snapshot.secs_left(),
        }
    }

    /// Ends the recording and waits until its files are closed.
    ///
    /// # Errors
    /// [`EngineError::Sound`]: nothing was recorded, and why. No file is left then.
    pub fn finish(self) -> Result<Recorded, EngineError> {
        let take = self.recorder.finish().map_err(recorder_error)?;
        let mut remarks: Vec<String> = [&take.ended_early, &take.clean_ended_early]
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        remarks.extend(
            take.monitor_failed.map(|why| format!("the recording could not be listened to: {why}")),
        );
        if take.dropped_frames > 0 || take.overruns > 0 {
            remarks.push(format!(
                "{} frames are missing: the computer was too busy",
                take.dropped_frames.max(u64::from(take.overruns))
            ));
        }
        Ok(Recorded {
            seconds: take.frames as f64 / f64::from(take.format.rate.max(1)),
            raw: take.raw,
            clean: take.clean,
            dropped_frames: take.dropped_frames,
            remarks,
        })
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

/// The microphones that open, the default one first. Each is opened for a moment.
///
/// # Errors
/// [`EngineError::Sound`]: the system's sound service cannot be reached.
pub fn microphones() -> Result<Vec<Microphone>, EngineError> {
    let found = devices(Direction::Input).map_err(recorder_error)?;
    Ok(found
        .into_iter()
        .map(|device| Microphone {
            format: describe(device.preferred),
            id: device.id,
            name: device.name,
            is_default: device.is_default,
        })
        .collect())
}

fn monitor(is_wanted: bool) -> Option<MonitorRequest> {
    is_wanted.then_some(MonitorRequest { device: None, gain: 1.0 })
}

/// "48 kHz, 2 channels, 16 bit".
fn describe(format: StreamFormat) -> String {
    let rate = f64::from(format.rate) / 1000.0;
    let channels =
        if format.channels == 1 { "mono".into() } else { format!("{} channels", format.channels) };
    let bits = match format.kind {
        SampleKind::F32 => "32 bit float".into(),
        kind => format!("{} bit", kind.bits()),
    };
    format!("{rate} kHz, {channels}, {bits}")
}

fn model(error: limpid_nets::LoadError) -> EngineError {
    EngineError::Model(error.to_string())
}

fn recorder_error(error: AudioError) -> EngineError {
    EngineError::Sound(error.to_string())
}

/// `name`, or "auto" where that model cannot clean while it hears: what was chosen for recordings
/// keeps nobody from recording.
pub(super) fn live_model(library: &Library, name: String) -> String {
    match library.load_live_speech(&name) {
        Err(error) if error.kind() == LoadErrorKind::Unsupported => "auto".into(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_for_recordings_keeps_nobody_from_recording() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let config = LibraryConfig { packs_dir: at("packs"), imports_dir: at("imports") };
        let library = Library::open(config).unwrap();
        for (name, taken) in [
            ("gsa-voice-file", "auto"),
            ("gsa-voice-live", "gsa-voice-live"),
            ("auto", "auto"),
            ("no such", "no such"),
        ] {
            assert_eq!(live_model(&library, name.into()), taken);
        }
    }

    #[test]
    fn a_microphone_is_described_as_people_say_it() {
        let format = |rate, channels, kind| describe(StreamFormat { rate, channels, kind });
        assert_eq!(format(48_000, 2, SampleKind::I16), "48 kHz, 2 channels, 16 bit");
        assert_eq!(format(44_100, 1, SampleKind::F32), "44.1 kHz, mono, 32 bit float");
    }

    #[test]
    fn a_model_that_is_not_there_is_told_before_a_microphone_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("a.wav");
        let no_such = Speech { model: "no-such".into(), ..Speech::default() };
        let request = RecordingRequest {
            raw: raw.clone(),
            device: None,
            clean: Some(no_such),
            monitor: false,
        };
        let error = Recording::start(request, crate::testing::library(dir.path())).unwrap_err();
        assert!(error.to_string().contains("no-such"), "{error}");
        assert!(!raw.exists());
    }
}
