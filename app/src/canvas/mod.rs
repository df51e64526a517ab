//! The picture canvas: shows what the engine sends, at any zoom, before and after.
//!
//! The caller
//!
//! * calls [`CanvasState::request`] beside each `Engine::show`,
//! * hands on `Event::Opened` to [`CanvasState::begin`], `Event::Preview` to
//!   [`CanvasState::accept`], `Event::PreviewDone` and `PreviewFailed` to [`CanvasState::finish`],
//! * draws with [`CanvasState::ui`], and asks the engine again when
//!   [`CanvasResponse::view_changed`] says so.
//!
//! The canvas handles wheel, pinch, drag, double-click, and, when it or nothing is focused, Space
//! (held: the original, and dragging moves the picture); arrows when it is focused. Other keys
//! belong to the window's command table and come in through the methods.

mod compose;
mod histogram;
mod input;
mod overlay;
mod paint;
mod requests;
mod scene;
#[cfg(test)]
mod tests;
mod textures;
mod tiles;
pub mod transform;
mod view;

use std::path::{Path, PathBuf};

use eframe::egui::{self, TextureHandle};
use limpid_engine::{PictureInfo, PreviewTile, Recipe, Rect};
use serde::{Deserialize, Serialize};

pub use histogram::HistogramPlot;

use requests::Requests;
use textures::Uploader;
use tiles::Store;
use transform::Xy;
use view::View;

/// What the canvas shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The result.
    After,
    /// The original.
    Before,
    /// The original left of a line that can be dragged, the result right of it.
    #[default]
    Split,
    /// The same part of both, beside each other.
    SideBySide,
    /// What the recipe removed.
    Removed,
}

/// Form of the lens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LensShape {
    /// A disc.
    #[default]
    Round,
    /// A square.
    Square,
}

/// The magnified spot under the pointer: left half before, right half after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lens {
    /// Whether it is there.
    pub is_on: bool,
    /// Its form.
    pub shape: LensShape,
    /// Screen pixels a picture pixel: 2 or 4.
    pub zoom: f32,
}

impl Default for Lens {
    fn default() -> Self {
        Self { is_on: false, shape: LensShape::Round, zoom: 2.0 }
    }
}

/// What is remembered of the canvas from one start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CanvasSettings {
    /// What is shown.
    pub mode: Mode,
    /// Place of the split line, `0..=1` of the canvas's width.
    pub split: f32,
    /// The lens.
    pub lens: Lens,
}

impl Default for CanvasSettings {
    fn default() -> Self {
        Self { mode: Mode::default(), split: 0.5, lens: Lens::default() }
    }
}

/// The part of the picture that the engine should make first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewPort {
    /// In pixels of the original.
    pub visible: Rect,
    /// Screen pixels a pixel of the original.
    pub zoom: f32,
}

/// What came of a frame.
#[derive(Debug)]
pub struct CanvasResponse {
    /// Of the whole canvas, for menus and drops.
    pub response: egui::Response,
    /// What is looked at; none without a picture.
    pub view: Option<ViewPort>,
    /// The view came to rest somewhere else, or shows something else: ask the engine for it.
    pub view_changed: bool,
    /// Whether the engine should send what was removed instead of the result.
    pub removed: bool,
}

/// A thing to do at the next frame, when its time and size are known.
#[derive(Clone, Copy, Debug)]
enum Action {
    Fit,
    ActualSize,
    Zoom(i32),
}

/// The picture whose tiles are in the store.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    path: Option<PathBuf>,
    size: Xy,
}

/// The canvas and all it remembers. One a window.
#[derive(Default)]
pub struct CanvasState {
    settings: CanvasSettings,
    /// What a toggled mode goes back to.
    mode_before: Option<Mode>,
    requests: Requests,
    shown: Option<Shown>,
    /// Opened, but nothing of it arrived yet: the picture before stays so long.
    incoming: Option<Shown>,
    /// Newest request that was answered in full.
    finished: u64,
    /// When the canvas began to wait, in egui's seconds.
    waiting_since: Option<f64>,
    store: Store,
    uploader: Uploader,
    view: View,
    actions: Vec<Action>,
    /// The view the caller was last told of.
    reported: Option<(ViewPort, bool)>,
    is_held: bool,
    hold_button_down: bool,
    focused_by_keys: bool,
    frame: u64,
    checker: Option<TextureHandle>,
}

impl CanvasState {
    /// A canvas with settings of the last start.
    #[must_use]
    pub fn with_settings(settings: CanvasSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What is worth remembering.
    #[must_use]
    pub fn settings(&self) -> CanvasSettings {
        self.settings
    }

    /// To be called beside each `Engine::show`: what the answers to `generation` will be about.
    /// Results of the recipe before stay on screen until the new ones replace them; the picture
    /// before stays until the first piece of the new one is there.
    pub fn request(&mut self, generation: u64, path: &Path, recipe: &Recipe) {
        if generation != self.requests.newest() {
            self.store.forgot = false;
        }
        if self.requests.note(generation, path, recipe) {
            self.incoming = None;
        }
        // The same number again asks for more of the same.
        self.finished = self.finished.min(generation.saturating_sub(1));
    }

    /// `Event::Opened`: the picture of `generation` was read.
    pub fn begin(&mut self, generation: u64, info: &PictureInfo) {
        if !self.requests.is_of_this_picture(generation) {
            return;
        }
        let size = [info.width, info.height].map(f64::from);
        let opened = Shown { path: self.requests.path().map(Path::to_owned), size };
        self.incoming = (self.shown.as_ref() != Some(&opened)).then_some(opened);
    }

    /// `Event::Preview`. Stale pieces are dropped. Takes no time to speak of: textures are made by
    /// [`CanvasState::ui`], a few a frame.
    pub fn accept(&mut self, tile: &PreviewTile) {
        if !self.requests.is_of_this_picture(tile.generation) {
            return;
        }
        self.show_incoming();
        let Some(shown) = &self.shown else { return };
        let recipe = match tile.side {
            limpid_engine::Side::Before => 0,
            _ => match self.requests.recipe_of(tile.generation) {
                Some(recipe) => recipe,
                None => return,
            },
        };
        if !self.store.insert(tile, recipe, shown.size, self.frame) {
            tracing::warn!(
                "a preview tile does not fit together: {:?} of {:?}, {:?} pixels, {} bytes",
                tile.rect,
                tile.full,
                tile.size,
                tile.rgba.len()
            );
        }
    }

    /// `Event::PreviewDone` or `Event::PreviewFailed`: nothing more comes for `generation`.
    pub fn finish(&mut self, generation: u64) {
        if self.requests.is_of_this_picture(generation) {
            self.finished = self.finished.max(generation);
            if generation == self.requests.newest() {
                self.show_incoming();
            }
        }
    }

    fn show_incoming(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.store.clear();
            self.view.set_picture(incoming.size);
            self.shown = Some(incoming);
            self.reported = None;
        }
    }

    /// Shows no picture.
    pub fn clear(&mut self) {
        self.store.clear();
        self.requests = Requests::default();
        (self.shown, self.incoming, self.reported, self.waiting_since) = (None, None, None, None);
        self.finished = 0;
    }

    /// What is shown.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Shows something else.
    pub fn set_mode(&mut self, mode: Mode) {
        if self.settings.mode != mode {
            self.mode_before = Some(self.settings.mode);
            self.settings.mode = mode;
        }
    }

    /// Shows `mode`, or what was shown before it when it is shown already.
    pub fn toggle_mode(&mut self, mode: Mode) {
        if self.settings.mode == mode {
            self.set_mode(self.mode_before.filter(|before| *before != mode).unwrap_or(Mode::After));
        } else {
            self.set_mode(mode);
        }
    }

    /// The lens.
    #[must_use]
    pub fn lens(&self) -> Lens {
        self.settings.lens
    }

    /// Sets the lens.
    pub fn set_lens(&mut self, lens: Lens) {
        self.settings.lens = lens;
    }

    /// Shows the original while a button of the window is held; to be called each frame that it is.
    pub fn hold_original(&mut self) {
        self.hold_button_down = true;
    }

    /// Shows the whole picture.
    pub fn fit(&mut self) {
        self.actions.push(Action::Fit);
    }

    /// One picture pixel on one screen pixel.
    pub fn actual_size(&mut self) {
        self.actions.push(Action::ActualSize);
    }

    /// To the next zoom stop up.
    pub fn zoom_in(&mut self) {
        self.actions.push(Action::Zoom(1));
    }

    /// To the next zoom stop down.
    pub fn zoom_out(&mut self) {
        self.actions.push(Action::Zoom(-1));
    }

    /// Zoom it is at or going to, screen pixels a picture pixel; none without a picture.
    #[must_use]
    pub fn zoom(&self) -> Option<f32> {
        self.shown.as_ref().map(|_| self.view.target_zoom() as f32)
    }

    /// Whether the whole picture is shown and stays so when the window changes its size.
    #[must_use]
    pub fn is_fitted(&self) -> bool {
        self.view.is_fitted()
    }

    /// Bounds of main and graphics memory for tiles, in bytes. What is on screen stays in any case.
    pub fn set_budget(&mut self, main_bytes: usize, graphics_bytes: usize) {
        self.store.set_budget(main_bytes);
        self.uploader.set_budget(graphics_bytes);
    }

    /// Bytes of main and of graphics memory that tiles take.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        (self.store.bytes(), self.uploader.bytes())
    }

    /// Whether pieces that were sent for the newest generation were dropped to hold the memory
    /// budget: the next request needs a new generation number, so that the engine sends them again.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.store.forgot
    }

    /// Whether answers to the newest request are still coming.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.requests.newest() > self.finished
    }

    /// Draws the canvas into all of the space that `ui` has, and answers the hand on it.
    pub fn ui(&mut self, ui: &mut egui::Ui) -> CanvasResponse {
        scene::canvas_ui(self, ui)
    }
}
