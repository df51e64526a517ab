//! What the page for voices knows: plain data, changed by the studio's events and drawn as it is.

use std::path::{Path, PathBuf};

use limpid_engine::studio::{
    Listening, Microphone, Now, Opened, RecordingNow, StudioCommand, StudioEvent,
};
use limpid_engine::{Existing, SoundFormat};

use super::super::engine_link::sentence;
use super::axis::Axis;
use super::live::LiveSound;
use super::settings::VoiceSettings;
use super::views::Views;

/// How far the cleaning is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Cleaning {
    /// Not asked for.
    #[default]
    None,
    /// This share is done, `0..=1`.
    Working(f32),
    /// Done.
    Done {
        /// The model, for people.
        model: String,
        /// Work by time of sound.
        real_time_factor: f64,
    },
    /// It failed, which was told.
    Failed,
}

/// Something an event leads to beside the change of state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notable {
    /// Went well.
    Good(String),
    /// Went well, not all of it.
    Warn(String),
    /// Did not go well.
    Bad(String),
    /// Is to be asked of the studio.
    Ask(StudioCommand),
}

/// Everything the page draws.
#[derive(Clone, Debug, Default)]
pub(crate) struct VoiceState {
    /// What is set. Remembered.
    pub(crate) settings: VoiceSettings,
    /// The file that is being opened.
    pub(crate) opening: Option<PathBuf>,
    /// The recording that is open.
    pub(crate) opened: Option<Opened>,
    /// The file that could not be opened, and why.
    pub(crate) failure: Option<(PathBuf, String)>,
    /// The part in sight.
    pub(crate) axis: Axis,
    /// What is drawn of it.
    pub(crate) views: Views,
    /// How far the cleaning is.
    pub(crate) cleaning: Cleaning,
    /// How much of a result is written, `0..=1`; none while nothing is.
    pub(crate) saving: Option<f32>,
    /// What is listened to.
    pub(crate) listening: Listening,
    /// Levels and position.
    pub(crate) now: Now,
    /// Where the play head was in the frame before, in seconds.
    pub(super) last_position: f64,
    /// Where the pointer holds the play head, in seconds.
    pub(crate) scrub: Option<f64>,
    /// The microphones, once they are listed.
    pub(crate) devices: Option<Vec<Microphone>>,
    /// The file that is recorded into.
    pub(crate) take: Option<PathBuf>,
    /// The last seconds of the recording under way.
    pub(super) live: LiveSound,
}

impl VoiceState {
    /// The state at start.
    pub(crate) fn new(settings: VoiceSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The recording under way.
    pub(crate) fn recording(&self) -> Option<&RecordingNow> {
        self.now.recording.as_ref()
    }

    /// Whether there is something to play.
    pub(crate) fn can_play(&self) -> bool {
        self.opened.is_some() && self.recording().is_none()
    }

    /// Whether there is something to write.
    pub(crate) fn can_save(&self) -> bool {
        let is_clean = matches!(self.cleaning, Cleaning::Done { .. });
        self.can_play() && is_clean && self.saving.is_none()
    }

    /// Where the play head is, in seconds.
    pub(crate) fn position(&self) -> f64 {
        let length = self.opened.as_ref().map_or(0.0, |opened| opened.seconds);
        self.scrub.unwrap_or(self.now.position).clamp(0.0, length.max(0.0))
    }

    /// The microphone that will be recorded from.
    pub(crate) fn microphone(&self) -> Option<&Microphone> {
        let devices = self.devices.as_deref()?;
        let wanted = self.settings.device.as_deref();
        let chosen = wanted.and_then(|id| devices.iter().find(|device| device.id == id));
        chosen.or_else(|| devices.iter().find(|device| device.is_default)).or(devices.first())
    }

    /// The request that starts a recording. A microphone that was unplugged is not asked for.
    pub(crate) fn record_command(&self) -> StudioCommand {
        let chosen = self.settings.device.as_ref();
        let device = chosen.filter(|id| self.microphone().is_none_or(|found| found.id == **id));
        StudioCommand::Record {
            device: device.cloned(),
            clean: self.settings.records_clean.then(|| self.settings.speech()),
            monitor: self.settings.monitors,
        }
    }

    /// Where the cleaned recording would be written, as the queue would name it.
    pub(crate) fn suggested_path(&self) -> Option<PathBuf> {
        let path = &self.opened.as_ref()?.path;
        let output = &self.settings.output;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut name = output.name.replace("{n}", "1").replace("{name}", &stem);
        let folder = output.folder.as_deref().or(path.parent()).unwrap_or(Path::new(""));
        let extension = self.extension()?;
        let is_plain_beside = output.folder.is_none() && output.name == "{name}";
        if is_plain_beside || folder.join(format!("{name}.{extension}")) == *path {
            name += "-limpid";
        }
        Some(folder.join(format!("{name}.{extension}")))
    }

    /// The extension of a result of the recording that is open.
    fn extension(&self) -> Option<&'static str> {
        let path = &self.opened.as_ref()?.path;
        let is_flac = path.extension().is_some_and(|own| own.eq_ignore_ascii_case("flac"));
        Some(match self.settings.output.sound {
            SoundFormat::Flac => "flac",
            SoundFormat::Same if is_flac => "flac",
            _ => "wav",
        })
    }

    /// The request that writes the cleaned recording; a sentence where it must not be written so.
    /// `is_confirmed` says that the user wants what is there replaced.
    pub(super) fn save_command(
        &self,
        mut path: PathBuf,
        is_confirmed: bool,
    ) -> Result<StudioCommand, &'static str> {
        let output = &self.settings.output;
        let mut replaces = is_confirmed || output.existing == Existing::Overwrite;
        if path.extension().is_none() {
            path.set_extension(self.extension().unwrap_or("wav"));
            // Another name than the one that was confirmed.
            replaces = output.existing == Existing::Overwrite;
        }
        if self.opened.as_ref().is_some_and(|opened| opened.path == path) {
            return Err("The original is never written over; choose another name");
        }
        Ok(StudioCommand::Save { path, format: output.sound, replaces })
    }

    /// Takes in what the studio tells.
    pub(crate) fn apply(&mut self, event: StudioEvent) -> Vec<Notable> {
        match event {
            StudioEvent::Opened(opened) => {
                self.axis = Axis::new(opened.seconds);
                self.views.reset();
                self.opening = None;
                self.failure = None;
                self.scrub = None;
                self.cleaning = Cleaning::Working(0.0);
                self.opened = Some(opened);
                return vec![
                    Notable::Ask(StudioCommand::Listen(self.listening)),
                    Notable::Ask(StudioCommand::Clean(self.settings.speech())),
                ];
            }
            StudioEvent::OpenFailed(reason) => {
                let path = self.opening.take().unwrap_or_default();
                self.opened = None;
                self.cleaning = Cleaning::None;
                self.views.reset();
                self.failure = Some((path, sentence(&reason)));
            }
            StudioEvent::Cleaning(share) => self.cleaning = Cleaning::Working(share),
            StudioEvent::Cleaned { model, real_time_factor } => {
                self.cleaning = Cleaning::Done { model, real_time_factor };
                self.views.outdate();
            }
            StudioEvent::Failed(reason) => {
                self.views.give_up();
                if matches!(self.cleaning, Cleaning::Working(_)) {
                    self.cleaning = Cleaning::Failed;
                }
                return vec![Notable::Bad(sentence(&reason))];
            }
            StudioEvent::View(view) => self.views.accept(view),
            StudioEvent::PlayedToEnd => self.now.is_playing = false,
            StudioEvent::Devices(devices) => self.devices = Some(devices),
            StudioEvent::RecordingStarted(path) => {
                self.take = Some(path);
                // One that failed may have left some.
                self.live = LiveSound::default();
            }
            StudioEvent::Recorded { raw, clean, remark } => {
                self.take = None;
                self.live = LiveSound::default();
                self.now.recording = None;
                return vec![recorded(&raw, clean.as_deref(), remark)];
            }
            StudioEvent::Saving(share) => self.saving = Some(share),
            StudioEvent::SaveFailed(reason) => {
                self.saving = None;
                return vec![Notable::Bad(sentence(&reason))];
            }
            StudioEvent::Saved(path) => {
                self.saving = None;
                return vec![Notable::Good(format!("Saved: {}", path.display()))];
            }
        }
        Vec::new()
    }
}

fn recorded(raw: &Path, clean: Option<&Path>, remark: Option<String>) -> Notable {
    match (remark, clean) {
        (Some(remark), _) => Notable::Warn(sentence(&remark)),
        (None, Some(_)) => {
            Notable::Good(format!("Recorded, as it was and clean: {}", raw.display()))
        }
        (None, None) => Notable::Good(format!("Recorded: {}", raw.display())),
    }
}

/// The name of a file for people.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use limpid_engine::{Output, Speech};

    use super::*;

    fn opened(path: &str) -> Opened {
        Opened {
            path: path.into(),
            seconds: 12.0,
            rate: 48_000,
            channels: 1,
            format: "WAV, 16 bit".into(),
        }
    }

    #[test]
    fn an_opened_recording_is_cleaned_with_the_settings_of_the_page() {
        let settings = VoiceSettings { has_limit: true, limit_db: 12.0, ..Default::default() };
        let mut state = VoiceState::new(settings);
        let asks = state.apply(StudioEvent::Opened(opened("/in/a.wav")));
        let wanted = Speech { limit_db: Some(12.0), ..Speech::default() };
        assert!(asks.contains(&Notable::Ask(StudioCommand::Clean(wanted))), "{asks:?}");
        assert_eq!(state.axis.to(), 12.0);
        assert!(!state.can_save(), "not clean yet");
        state.apply(StudioEvent::Cleaned { model: "Net".into(), real_time_factor: 0.1 });
        assert!(state.can_save());
    }

    #[test]
    fn a_microphone_that_is_gone_is_not_asked_for() {
        let mut state = VoiceState::default();
        state.settings.device = Some("usb".into());
        let device = |state: &VoiceState| match state.record_command() {
            StudioCommand::Record { device, .. } => device,
            other => panic!("{other:?}"),
        };
        assert_eq!(device(&state).as_deref(), Some("usb"), "not listed yet: asked as remembered");
        let microphone = |id: &str, is_default| Microphone {
            id: id.into(),
            name: id.to_uppercase(),
            is_default,
            format: String::new(),
        };
        state.devices = Some(vec![microphone("a", false), microphone("b", true)]);
        assert_eq!(device(&state), None);
        assert_eq!(state.microphone().unwrap().id, "b");
        state.devices = Some(vec![microphone("usb", false), microphone("b", true)]);
        assert_eq!(device(&state).as_deref(), Some("usb"));
    }

    #[test]
    fn a_recording_that_lost_something_says_so() {
        let mut state = VoiceState::default();
        let told = state.apply(StudioEvent::Recorded {
            raw: "/takes/1.wav".into(),
            clean: None,
            remark: Some("the microphone was unplugged".into()),
        });
        assert_eq!(told, [Notable::Warn("The microphone was unplugged".into())]);
    }

    #[test]
    fn a_file_that_does_not_open_is_named_and_nothing_of_the_last_one_stays() {
        let mut state = VoiceState::default();
        state.apply(StudioEvent::Opened(opened("/in/a.wav")));
        state.opening = Some("/in/b.wav".into());
        state.apply(StudioEvent::OpenFailed("this is no recording: /in/b.wav".into()));
        let (path, reason) = state.failure.clone().unwrap();
        assert_eq!(path, PathBuf::from("/in/b.wav"));
        assert_eq!(reason, "This is no recording: /in/b.wav");
        assert!(!state.can_play());
    }

    #[test]
    fn the_suggested_name_is_not_the_original() {
        let mut state = VoiceState::default();
        assert_eq!(state.suggested_path(), None);
        state.apply(StudioEvent::Opened(opened("/in/my.talk.wav")));
        let mut wrong = Vec::new();
        for (folder, name, sound, wanted) in [
            (None, "{name}", SoundFormat::Same, "/in/my.talk-limpid.wav"),
            (None, "{name}", SoundFormat::Flac, "/in/my.talk-limpid.flac"),
            (None, "{name} clear", SoundFormat::Wav24, "/in/my.talk clear.wav"),
            (Some("/out"), "{name}", SoundFormat::Wav32, "/out/my.talk.wav"),
            (Some("/in"), "{name}", SoundFormat::Wav16, "/in/my.talk-limpid.wav"),
            (Some("/out"), "{n} {name}", SoundFormat::Flac, "/out/1 my.talk.flac"),
        ] {
            let output = Output { sound, name: name.into(), ..Output::default() };
            state.settings.output = Output { folder: folder.map(PathBuf::from), ..output };
            let path = state.suggested_path().unwrap();
            if path != *wanted {
                wrong.push(format!("{}, not {wanted}", path.display()));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        state.apply(StudioEvent::Opened(opened("/in/my.talk.FLAC")));
        state.settings.output = Output::default();
        assert_eq!(state.suggested_path(), Some("/in/my.talk-limpid.flac".into()));
    }

    #[test]
    fn only_what_was_confirmed_is_replaced() {
        let mut state = VoiceState::default();
        state.apply(StudioEvent::Opened(opened("/in/a.wav")));
        state.settings.output.sound = SoundFormat::Wav24;
        let saved = |state: &VoiceState, path: &str, is_confirmed| match state
            .save_command(path.into(), is_confirmed)
        {
            Ok(StudioCommand::Save { path, format, replaces }) => {
                assert_eq!(format, SoundFormat::Wav24);
                Some((path, replaces))
            }
            _ => None,
        };
        assert_eq!(saved(&state, "/in/b.wav", true), Some(("/in/b.wav".into(), true)));
        assert_eq!(saved(&state, "/in/b.wav", false), Some(("/in/b.wav".into(), false)));
        assert_eq!(saved(&state, "/in/b", true), Some(("/in/b.wav".into(), false)));
        assert_eq!(saved(&state, "/in/a.wav", true), None, "the original");
        assert_eq!(saved(&state, "/in/a", true), None, "the original");
    }

    #[test]
    fn saving_takes_nothing_away_from_what_was_cleaned() {
        let mut state = VoiceState::default();
        state.apply(StudioEvent::Opened(opened("/in/a.wav")));
        state.apply(StudioEvent::Cleaned { model: "Net".into(), real_time_factor: 0.1 });
        state.apply(StudioEvent::Saving(0.5));
        assert!(!state.can_save(), "one at a time");
        assert!(matches!(state.cleaning, Cleaning::Done { .. }));
        state.apply(StudioEvent::Saved("/in/a-limpid.wav".into()));
        assert!(state.can_save());
        state.apply(StudioEvent::Saving(0.5));
        let told = state.apply(StudioEvent::SaveFailed("the disk is full: /in/a.wav".into()));
        assert_eq!(told, [Notable::Bad("The disk is full: /in/a.wav".into())]);
        assert!(state.can_save());
    }
}
