//! What the engine is asked to show on the canvas, and what of the recipe undo remembers.

use std::time::{Duration, Instant};

use eframe::egui;
use limpid_engine::View;

use super::super::engine_link::Ask;
use super::super::state::Shown;
use super::Shell;
use crate::canvas::{Mode, ViewPort};

/// Time between two previews while a slider is dragged: enough for some tiles to be finished.
const DRAG_PAUSE: Duration = Duration::from_millis(120);

impl Shell {
    /// Asks the engine for what the canvas needs and does not have.
    pub(in super::super) fn ask_for_view(
        &mut self,
        ctx: &egui::Context,
        view: Option<ViewPort>,
        view_changed: bool,
    ) {
        let Some(path) = self.state.files.shown().map(|file| file.path.clone()) else {
            if self.asked.take().is_some() {
                self.canvas.clear();
                self.state.shown =
                    Shown { generation: self.state.shown.generation, ..Shown::default() };
                self.link.ask(Ask::CloseView);
            }
            return;
        };
        let recipe = self.state.preview_recipe();
        let removed = self.canvas.mode() == Mode::Removed;
        let last = self.asked.as_ref();
        let is_other_picture = last.is_none_or(|last| last.path != path);
        let is_other_recipe =
            last.is_none_or(|last| !last.recipe.enabled_steps().eq(recipe.enabled_steps()));
        let is_other_side = last.is_none_or(|last| last.removed != removed);
        if !(is_other_picture || is_other_recipe || is_other_side || view_changed) {
            return;
        }
        let since = self.asked_at.elapsed();
        if is_other_recipe && !is_other_picture && ctx.egui_is_using_pointer() && since < DRAG_PAUSE
        {
            ctx.request_repaint_after(DRAG_PAUSE - since);
            return;
        }
        // Until the picture is known its visible part is not: the engine cuts to the picture.
        let everything = limpid_engine::Rect::new(0, 0, u32::MAX, u32::MAX);
        let view = view.unwrap_or(ViewPort { visible: everything, zoom: 0.25 });
        let only_moved = !(is_other_picture || is_other_recipe || is_other_side)
            && last.is_some_and(|last| last.zoom == view.zoom)
            // Pieces dropped to hold the memory budget are sent again for a new generation only.
            && !self.canvas.has_forgotten();
        if last.is_some_and(|last| only_moved && last.visible == view.visible) {
            return;
        }
        let shown = &mut self.state.shown;
        if !only_moved {
            shown.generation += 1;
            shown.is_working = true;
        }
        let generation = shown.generation;
        if is_other_picture {
            self.picture_since = generation;
            self.state.shown = Shown { generation, is_working: true, ..Shown::default() };
        }
        if is_other_recipe {
            self.state.shown.after = None;
        }
        self.canvas.request(generation, &path, &recipe);
        let view =
            View { generation, path, recipe, visible: view.visible, zoom: view.zoom, removed };
        self.asked = Some(view.clone());
        self.asked_at = Instant::now();
        self.link.ask(Ask::Show(view));
    }

    /// Notes a settled change of the recipe for undo.
    pub(in super::super) fn observe_recipe(&mut self, is_resting: bool) {
        self.history.observe(&self.state.recipe, is_resting);
        self.state.undo_text = self.history.undo_text();
        self.state.redo_text = self.history.redo_text();
        self.state.shows_noise = self.canvas.mode() == Mode::Removed;
    }
}
