//! What the shell does for the page: it takes in what the studio tells, does the page's commands,
//! and sorts the files that come in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eframe::egui;
use limpid_engine::studio::{Listening, StudioCommand};
use limpid_engine::{Destination, Job};

use super::super::command::Command;
use super::super::engine_link::Ask;
use super::super::shell::Shell;
use super::super::state::{Page, PathPurpose, State};
use super::state::Notable;
use super::timeline;

/// Time between two frames while the play head moves.
const MOVING: Duration = Duration::from_millis(33);
/// The same while a recording grows, where the studio does not wake the window sooner.
const GROWING: Duration = Duration::from_millis(250);

/// Whether a command of the page makes sense now.
pub(crate) fn is_possible(command: Command, state: &State) -> bool {
    let voice = &state.voice;
    match command {
        Command::TogglePlay => voice.can_play() || voice.recording().is_some(),
        Command::HearOriginal
        | Command::HearClean
        | Command::HearRemoved
        | Command::GoToStart
        | Command::ZoomIn
        | Command::ZoomOut
        | Command::ZoomFit => voice.can_play(),
        Command::SaveSound => voice.can_save(),
        _ => true,
    }
}

impl Shell {
    /// Takes in what the studio told since the last frame.
    pub(in super::super) fn poll_voice(&mut self, ctx: &egui::Context) {
        let is_shown = self.state.page == Page::Voice;
        if is_shown && !std::mem::replace(&mut self.has_visited_voice, true) {
            match self.studio.wake(ctx) {
                Ok(()) => self.studio.send(StudioCommand::ListDevices),
                Err(reason) => self.studio_absent(&reason),
            }
        }
        match self.studio.poll() {
            Ok(events) => {
                if !events.is_empty() {
                    ctx.request_repaint();
                }
                for event in events {
                    for notable in self.state.voice.apply(event) {
                        self.take_notable(notable);
                    }
                }
            }
            Err(reason) => self.studio_absent(&reason),
        }
        self.state.voice.now = self.studio.now();
        if !is_shown {
            return;
        }
        let voice = &mut self.state.voice;
        if voice.now.recording.is_some() {
            if let Some(view) = self.studio.live(voice.live.seen()) {
                voice.live.take_in(&view);
            }
            ctx.request_repaint_after(GROWING);
        } else if voice.now.is_playing {
            ctx.request_repaint_after(MOVING);
        }
    }

    fn take_notable(&mut self, notable: Notable) {
        match notable {
            Notable::Good(text) => self.notices.good(text),
            Notable::Warn(text) => self.notices.warn(text),
            Notable::Bad(text) => self.notices.bad(text),
            Notable::Ask(command) => self.studio.send(command),
        }
    }

    fn studio_absent(&mut self, reason: &str) {
        self.state.voice.devices = Some(Vec::new());
        self.state.voice.opening = None;
        self.notices.bad(format!("Sound does not work: {}", reason.trim_end_matches('.')));
    }

    /// Does a command of the page.
    pub(in super::super) fn run_voice(&mut self, ctx: &egui::Context, command: Command) {
        let voice = &mut self.state.voice;
        match command {
            Command::TogglePlay => {
                let ask = match (voice.recording(), voice.now.is_playing) {
                    (Some(recording), _) => StudioCommand::PauseRecording(!recording.is_paused),
                    (None, true) => StudioCommand::Pause,
                    (None, false) => StudioCommand::Play,
                };
                self.studio.send(ask);
                ctx.request_repaint_after(MOVING);
            }
            Command::ToggleRecording => {
                let ask = if voice.recording().is_some() {
                    StudioCommand::StopRecording
                } else {
                    voice.failure = None;
                    voice.record_command()
                };
                self.studio.send(ask);
                ctx.request_repaint_after(MOVING);
            }
            Command::HearOriginal => self.hear(Listening::Original),
            Command::HearClean => self.hear(Listening::Clean),
            Command::HearRemoved => self.hear(Listening::Removed),
            Command::GoToStart => {
                let span = voice.axis.span();
                voice.axis.scroll(-voice.axis.from() - span);
                voice.now.position = 0.0;
                self.studio.send(StudioCommand::Seek(0.0));
            }
            Command::ZoomIn => timeline::zoom_step(voice, true),
            Command::ZoomOut => timeline::zoom_step(voice, false),
            Command::ZoomFit => voice.axis.fit(),
            Command::SaveSound => {
                if let Some(path) = voice.suggested_path() {
                    self.choose_sound_target(&path);
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, listening: Listening) {
        self.state.voice.listening = listening;
        self.studio.send(StudioCommand::Listen(listening));
    }

    /// Several recordings came in, or folders of them: they go to the queue.
    pub(in super::super) fn queue_sounds(&mut self, paths: Vec<PathBuf>) {
        self.state.page = Page::Voice;
        self.remember_folder(paths.first());
        let recipe = self.state.voice.settings.recipe();
        let text = match paths.as_slice() {
            [_] => "The recordings of the folder go to the queue.".to_owned(),
            several => format!("{} recordings go to the queue.", several.len()),
        };
        self.notices.info(text);
        let destination = Destination::Recipe;
        self.link.ask(Ask::Submit(Job { inputs: paths, recursive: true, recipe, destination }));
        self.state.panels.queue = true;
        self.is_restored = true;
    }

    fn remember_folder(&mut self, path: Option<&PathBuf>) {
        if let Some(folder) = path.and_then(|path| path.parent()) {
            self.last_folder = Some(folder.to_owned());
        }
    }

    /// One recording came in: it is shown.
    pub(in super::super) fn open_sound(&mut self, path: PathBuf) {
        self.state.page = Page::Voice;
        self.remember_folder(Some(&path));
        if self.state.voice.recording().is_some() {
            self.notices.warn("Stop the recording first, then open another.");
            return;
        }
        if self.studio.is_absent() {
            let reason = "Sound does not work on this computer.".to_owned();
            self.state.voice.failure = Some((path, reason));
            return;
        }
        self.state.voice.failure = None;
        self.state.voice.opening = Some(path.clone());
        self.studio.send(StudioCommand::Open(path));
    }

    /// A place for the cleaned recording was chosen, which `is_confirmed` where it is taken, or typed.
    pub(in super::super) fn save_sound(&mut self, path: PathBuf, is_confirmed: bool) {
        match self.state.voice.save_command(path.clone(), is_confirmed) {
            Ok(command) => {
                self.state.voice.saving = Some(0.0);
                self.studio.send(command);
            }
            Err(reason) => self.notices.bad(format!("{reason}: {}", path.display())),
        }
    }

    fn choose_sound_target(&mut self, suggested: &Path) {
        let folder = suggested.parent().map(Path::to_owned);
        let name = suggested.file_name().map(|name| name.to_string_lossy().into_owned());
        self.background.choose_named(PathPurpose::SaveSound, folder, name);
    }
}

/// Extensions of recordings, and of films for their sound: what the engine reads.
pub(crate) const SOUNDS: [&str; 17] = [
    "aac", "aif", "aiff", "caf", "flac", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp3", "mp4",
    "oga", "ogg", "opus", "wav",
];

/// Whether a file is a recording by its name.
pub(crate) fn is_sound_name(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| SOUNDS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}
