//! The one place where the window acts.
//!
//! | file | what it has |
//! |---|---|
//! | `events` | what the engine and the background threads tell |
//! | `acts` | what panels ask for |
//! | `commands` | what commands do, and which make sense now |
//! | `preview` | what the engine is asked to show on the canvas |

mod acts;
mod commands;
mod events;
mod preview;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui;
use limpid_engine::{Event, View};

use super::background::Background;
use super::engine_link::{EngineLink, Incoming};
use super::notices::Notices;
use super::panels::QueueArt;
use super::state::{Remembered, State};
use super::undo::History;
use super::voice::{StudioLink, TrackArt};
use crate::canvas::{CanvasSettings, CanvasState};

pub(crate) use commands::is_possible;

/// Time a frame may spend on what the engine sent; the rest waits for the next frame.
const POLL_BUDGET: Duration = Duration::from_micros(2500);
/// Thumbnails that become textures in one frame.
const THUMBNAILS_A_FRAME: usize = 6;

/// Everything the window has.
pub(crate) struct Shell {
    pub(crate) state: State,
    pub(crate) canvas: CanvasState,
    pub(super) notices: Notices,
    pub(super) art: QueueArt,
    /// Textures of the page for voices.
    pub(super) tracks: TrackArt,
    pub(super) studio: StudioLink,
    /// Whether the page for voices was shown since the start.
    pub(super) has_visited_voice: bool,
    pub(super) link: EngineLink,
    pub(super) background: Background,
    history: History,
    pub(super) last_folder: Option<PathBuf>,
    /// The view that was asked for last.
    asked: Option<View>,
    asked_at: Instant,
    /// First request for the picture that is shown: older answers are for another one.
    picture_since: u64,
    thumbnails: Vec<(limpid_engine::ItemId, egui::ColorImage)>,
    /// Whether the queue of the last start was told of.
    pub(super) is_restored: bool,
    /// Last size of text and controls that was set.
    scale: f32,
}

impl Shell {
    /// The shell at start.
    pub(crate) fn new(
        ctx: &egui::Context,
        link: EngineLink,
        studio: StudioLink,
        remembered: Remembered,
        canvas: CanvasSettings,
    ) -> Self {
        let last_folder = remembered.last_folder.clone();
        let state = State::new(remembered);
        let background = Background::new(ctx);
        background.measure_memory();
        Self {
            history: History::new(state.recipe.clone()),
            canvas: CanvasState::with_settings(canvas),
            notices: Notices::default(),
            art: QueueArt::default(),
            tracks: TrackArt::default(),
            studio,
            has_visited_voice: false,
            link,
            background,
            last_folder,
            asked: None,
            asked_at: Instant::now(),
            picture_since: 0,
            thumbnails: Vec::new(),
            is_restored: false,
            scale: 1.0,
            state,
        }
    }

    /// What is kept for the next start.
    pub(crate) fn remembered(&self) -> Remembered {
        self.state.remembered(self.last_folder.as_deref())
    }

    /// Opens files and folders, as after a drop.
    pub(crate) fn open(&self, paths: Vec<PathBuf>) {
        if !paths.is_empty() {
            self.background.open(paths, self.state.page);
        }
    }

    /// Takes in what came since the last frame.
    pub(crate) fn poll(&mut self, ctx: &egui::Context) {
        let mut incoming = Vec::new();
        if self.link.poll(POLL_BUDGET, |message| incoming.push(message)) {
            ctx.request_repaint();
        }
        let told_of_queue =
            incoming.iter().any(|i| matches!(i, Incoming::Event(Event::Queued { .. })));
        for message in incoming {
            match message {
                Incoming::Tell(tell) => self.on_tell(tell),
                Incoming::Event(event) => self.on_event(event),
            }
        }
        if told_of_queue && !std::mem::replace(&mut self.is_restored, true) {
            self.state.panels.queue = true;
        }
        for answer in self.background.poll() {
            self.on_answer(answer);
        }
        self.poll_voice(ctx);
        for (id, picture) in self.thumbnails.drain(..self.thumbnails.len().min(THUMBNAILS_A_FRAME))
        {
            let name = format!("thumbnail {} {}", id.job.0, id.index);
            let texture = ctx.load_texture(name, picture, egui::TextureOptions::LINEAR);
            self.art.thumbnails.insert(id, texture);
        }
        if !self.thumbnails.is_empty() {
            ctx.request_repaint();
        }
        if self.scale != self.state.settings.scale {
            self.scale = self.state.settings.scale;
            ctx.set_zoom_factor(self.scale);
        }
    }

    /// Files that were dropped on the window.
    pub(super) fn dropped(&self, files: &[egui::DroppedFileHandle]) {
        self.open(files.iter().map(|file| file.path()).map(Path::to_owned).collect());
    }
}
