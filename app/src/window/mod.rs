//! The window: top bar, canvas, recipe cards, queue, pages.
//!
//! | file | what it has |
//! |---|---|
//! | `state` | plain data that the panels draw |
//! | `command` | the one table of what can be asked for |
//! | `shell` | the one place that acts on commands, panels and the engine's events |
//! | `layout` | a frame: where panels stand, keys, dialogs |
//! | `engine_link` | the only place that talks to the engine |
//! | `background` | file dialogs, clipboard, small files: each on its own thread |
//! | `find` | what was dropped: pictures, recordings, folders of them |
//! | `panels` | one file a part of the window |
//! | `voice` | the page for recordings |
//! | `theme`, `icon`, `widgets` | how things look |

mod background;
mod command;
mod engine_link;
mod find;
mod icon;
mod layout;
mod measure;
mod notices;
mod panels;
#[cfg(test)]
mod picture;
mod presets;
mod queue;
mod shell;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod theme;
mod undo;
mod voice;
mod widgets;

use std::path::PathBuf;

use eframe::egui;
use limpid_engine::studio::StudioConfig;
use limpid_engine::{Budget, EngineConfig};

pub use command::{Command, Entry, Group, keys_text};

use crate::canvas::CanvasSettings;
use crate::places;
use engine_link::EngineLink;
use measure::Measure;
use shell::Shell;
use state::Remembered;
use voice::StudioLink;

/// Key of the window's own state in what eframe keeps.
const STATE_KEY: &str = "limpid";
/// Key of the canvas's state.
const CANVAS_KEY: &str = "limpid-canvas";

/// Opens the window with these files and folders and runs until it is closed.
///
/// # Errors
/// No window can be opened: no display, no OpenGL.
pub fn run(files: Vec<PathBuf>) -> anyhow::Result<()> {
    let measure = Measure::from_env();
    let mut viewport = egui::ViewportBuilder::default()
        .with_title("Limpid")
        .with_app_id("limpid")
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([900.0, 560.0])
        .with_drag_and_drop(true);
    match eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icon-128.png")) {
        Ok(icon) => viewport = viewport.with_icon(icon),
        Err(error) => tracing::warn!(%error, "the window has no icon"),
    }
    let options = eframe::NativeOptions {
        viewport,
        // Text keys are handled by the shell: a picture on the clipboard is read off this thread.
        clipboard_shortcuts: false,
        persistence_path: Some(places::home().join("window.ron")),
        ..eframe::NativeOptions::default()
    };
    let app = move |creation: &eframe::CreationContext<'_>| {
        Ok(Box::new(Window::new(creation, files, measure)) as Box<dyn eframe::App>)
    };
    eframe::run_native("limpid", options, Box::new(app))
        .map_err(|error| anyhow::anyhow!("The window cannot be opened: {error}"))
}

struct Window {
    shell: Shell,
    measure: Measure,
}

impl Window {
    fn new(creation: &eframe::CreationContext<'_>, files: Vec<PathBuf>, measure: Measure) -> Self {
        let ctx = &creation.egui_ctx;
        theme::apply(ctx);
        // Ctrl and plus change the picture's zoom; the window's scale is a setting.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let kept = creation.storage;
        let remembered: Remembered =
            kept.and_then(|kept| eframe::get_value(kept, STATE_KEY)).unwrap_or_default();
        let canvas: CanvasSettings =
            kept.and_then(|kept| eframe::get_value(kept, CANVAS_KEY)).unwrap_or_default();
        let config = EngineConfig {
            threads: remembered.settings.threads,
            budget_bytes: remembered.settings.budget_bytes.unwrap_or_else(Budget::default_bytes),
            state_dir: Some(places::queue_dir()),
            ..EngineConfig::new(places::library())
        };
        let link = EngineLink::start(config, ctx);
        let studio = StudioLink::new(StudioConfig {
            library: places::library(),
            takes_dir: places::takes_dir(),
            wake: None,
        });
        let shell = Shell::new(ctx, link, studio, remembered, canvas);
        shell.open(files);
        Self { shell, measure }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.measure.frame_begins(ctx);
        self.shell.poll(ctx);
        self.measure.pause();
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.measure.go_on();
        self.shell.ui(ui);
        self.measure.frame_ends(frame.info().cpu_usage);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, STATE_KEY, &self.shell.remembered());
        eframe::set_value(storage, CANVAS_KEY, &self.shell.canvas.settings());
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        theme::CANVAS.to_normalized_gamma_f32()
    }
}
