//! What the commands of the table do, and which of them make sense now.

use eframe::egui;
use limpid_engine::Recipe;

use super::super::command::Command;
use super::super::engine_link::{Ask, sentence};
use super::super::presets;
use super::super::state::{Action, Dialog, Page, PathPurpose, State};
use super::super::voice;
use super::Shell;
use crate::canvas::Mode;

impl Shell {
    /// Does a command.
    pub(crate) fn run(&mut self, ctx: &egui::Context, command: Command) {
        if !is_possible(command, &self.state) {
            return;
        }
        let choose = |purpose| Action::Choose(purpose);
        let is_voice = self.state.page == Page::Voice;
        match command {
            Command::ShowPhotos => self.state.page = Page::Photos,
            Command::ShowVoice => self.state.page = Page::Voice,
            Command::TogglePlay
            | Command::ToggleRecording
            | Command::HearOriginal
            | Command::HearClean
            | Command::HearRemoved
            | Command::GoToStart
            | Command::SaveSound => self.run_voice(ctx, command),
            Command::ZoomIn | Command::ZoomOut | Command::ZoomFit if is_voice => {
                self.run_voice(ctx, command);
            }
            Command::OpenFiles if is_voice => self.act(ctx, choose(PathPurpose::OpenSounds)),
            Command::OpenFiles => self.act(ctx, choose(PathPurpose::OpenFiles)),
            Command::OpenFolder => self.act(ctx, choose(PathPurpose::OpenFolder)),
            Command::OpenPath => {
                let (purpose, text) = (PathPurpose::OpenFiles, String::new());
                self.state.dialog = Some(Dialog::TypePath { purpose, text, reason: None });
            }
            Command::Paste => self.background.paste(self.state.page),
            Command::CloseFile => {
                if let Some(index) = self.state.files.current {
                    self.state.files.close(index);
                }
            }
            Command::CloseAll => self.state.files.close_all(),
            Command::NextFile => self.state.files.step(1),
            Command::PreviousFile => self.state.files.step(-1),
            Command::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            Command::Undo => {
                if let Some(recipe) = self.history.undo(&self.state.recipe) {
                    self.state.recipe = recipe;
                }
            }
            Command::Redo => {
                if let Some(recipe) = self.history.redo(&self.state.recipe) {
                    self.state.recipe = recipe;
                }
            }
            Command::CopySettings => match presets::to_text(&self.state.recipe) {
                Ok(text) => {
                    ctx.copy_text(text);
                    self.notices.good("Settings copied.");
                }
                Err(error) => self.notices.bad(sentence(&error)),
            },
            Command::PasteSettings => self.background.paste_settings(),
            Command::SavePreset => {
                self.state.dialog =
                    Some(Dialog::SavePreset { name: String::new(), with_output: false });
            }
            Command::ImportPreset => self.act(ctx, choose(PathPurpose::ImportPreset)),
            Command::ExportPreset => self.act(ctx, choose(PathPurpose::ExportPreset)),
            Command::ResetRecipe => {
                let output = self.state.settings.output.clone();
                self.state.recipe = Recipe { output, ..presets::first_recipe() };
                self.state.bypassed.clear();
            }
            Command::ZoomFit => self.canvas.fit(),
            Command::Zoom100 => self.canvas.actual_size(),
            Command::ZoomIn => self.canvas.zoom_in(),
            Command::ZoomOut => self.canvas.zoom_out(),
            Command::ToggleSplit => self.canvas.toggle_mode(Mode::Split),
            Command::ToggleSideBySide => self.canvas.toggle_mode(Mode::SideBySide),
            Command::ToggleOriginal => self.canvas.toggle_mode(Mode::Before),
            Command::ToggleNoise => self.canvas.toggle_mode(Mode::Removed),
            Command::ToggleLens => {
                let mut lens = self.canvas.lens();
                lens.is_on = !lens.is_on;
                self.canvas.set_lens(lens);
            }
            Command::ToggleHistogram => toggle(&mut self.state.panels.histogram),
            Command::ToggleFiles => toggle(&mut self.state.panels.files),
            Command::ToggleRecipe => toggle(&mut self.state.panels.recipe),
            Command::ToggleQueue => toggle(&mut self.state.panels.queue),
            Command::ProcessCurrent => {
                let path = self.state.files.shown().map(|file| file.path.clone());
                self.process(path.into_iter().collect());
            }
            Command::ProcessAll => self.process(self.state.files.inputs()),
            Command::PauseResume => {
                toggle(&mut self.state.queue.is_paused);
                self.link.ask(Ask::Pause(self.state.queue.is_paused));
            }
            Command::CancelAll => self.link.ask(Ask::CancelAll),
            Command::ClearFinished => {
                let ask = if self.state.queue.has_finished() {
                    Ask::RemoveFinished
                } else {
                    Ask::RemoveEnded
                };
                self.link.ask(ask);
            }
            Command::ShowModels => {
                self.link.ask(Ask::Models);
                self.state.dialog = Some(Dialog::Models);
            }
            Command::ImportModel => self.act(ctx, choose(PathPurpose::ImportModel)),
            Command::ShowSettings => self.state.dialog = Some(Dialog::Settings),
            Command::ShowShortcuts => self.state.dialog = Some(Dialog::Shortcuts),
            Command::ShowPalette => {
                self.state.dialog = Some(Dialog::Palette { text: String::new(), chosen: 0 });
            }
            Command::ShowAbout => self.state.dialog = Some(Dialog::About),
        }
    }
}

fn toggle(value: &mut bool) {
    *value = !*value;
}

/// Whether a command makes sense now.
pub(crate) fn is_possible(command: Command, state: &State) -> bool {
    if command.page().is_some_and(|page| page != state.page) {
        return false;
    }
    let is_own = command.page() == Some(Page::Voice);
    let zooms = matches!(command, Command::ZoomIn | Command::ZoomOut | Command::ZoomFit);
    if is_own || zooms && state.page == Page::Voice {
        return voice::is_possible(command, state);
    }
    let has_picture = state.files.shown().is_some();
    let can_process = has_picture && state.recipe_works() && state.engine_failure.is_none();
    match command {
        Command::CloseFile | Command::CloseAll => has_picture,
        Command::NextFile => {
            state.files.current.is_some_and(|current| current + 1 < state.files.list.len())
        }
        Command::PreviousFile => state.files.current.is_some_and(|current| current > 0),
        Command::ZoomFit
        | Command::Zoom100
        | Command::ZoomIn
        | Command::ZoomOut
        | Command::ToggleSplit
        | Command::ToggleSideBySide
        | Command::ToggleLens
        | Command::ToggleOriginal
        | Command::ToggleNoise => has_picture,
        Command::ProcessCurrent | Command::ProcessAll => can_process,
        Command::PauseResume => state.queue.has_work() || state.queue.is_paused,
        Command::CancelAll => state.queue.has_work(),
        Command::ClearFinished => state.queue.counts().ended > 0,
        Command::ImportModel => state.engine_failure.is_none(),
        _ => true,
    }
}
