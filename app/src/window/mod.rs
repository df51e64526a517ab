//! The window.

mod command;
mod icon;
pub(crate) mod theme;

use std::path::PathBuf;

use eframe::egui;

pub use command::{Command, Entry, Group, keys_text};

/// Opens the window with these files and folders and runs until it is closed.
///
/// # Errors
/// No window can be opened: no display, no OpenGL.
pub fn run(files: Vec<PathBuf>) -> anyhow::Result<()> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Limpid")
            .with_app_id("limpid")
            .with_inner_size([1440.0, 900.0])
            .with_min_inner_size([880.0, 560.0])
            .with_drag_and_drop(true),
        // Text keys are handled by the shell: a picture on the clipboard is read off this thread.
        clipboard_shortcuts: false,
        ..eframe::NativeOptions::default()
    };
    let app = move |creation: &eframe::CreationContext<'_>| {
        theme::apply(&creation.egui_ctx);
        Ok(Box::new(Window { files }) as Box<dyn eframe::App>)
    };
    eframe::run_native("limpid", options, Box::new(app))
        .map_err(|error| anyhow::anyhow!("The window cannot be opened: {error}"))
}

struct Window {
    files: Vec<PathBuf>,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        egui::CentralPanel::default().show(ui, |ui| {
            for command in Command::ALL {
                let entry = command.entry();
                ui.label(format!("{}  {}", entry.icon, entry.text));
            }
            ui.label(self.files.len().to_string());
        });
    }
}
