//! What panels ask for.

use std::path::PathBuf;

use eframe::egui;
use limpid_engine::{Destination, Job};

use super::super::background::expand_home;
use super::super::engine_link::Ask;
use super::super::presets::{self, Preset};
use super::super::state::{Action, ModelWork, PathPurpose};
use super::Shell;
use crate::places;

impl Shell {
    /// Acts on what a panel asked for.
    pub(crate) fn act(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::Run(command) => self.run(ctx, command),
            Action::Studio(command) => self.studio.send(command),
            Action::ShowFile(index) => self.state.files.show(index),
            Action::CloseFile(index) => self.state.files.close(index),
            Action::CancelItem(item) => self.link.ask(Ask::CancelItem(item)),
            Action::Retry(item) => self.link.ask(Ask::Retry(item)),
            Action::Reveal(path) => self.background.reveal(path),
            Action::OpenPaths(paths) => self.open(paths),
            Action::Choose(purpose) => {
                self.background.choose(purpose, self.last_folder.clone());
            }
            Action::Typed(PathPurpose::SaveSound, text) => {
                self.save_sound(expand_home(&text), false);
            }
            Action::Typed(purpose, text) => self.chosen(purpose, vec![expand_home(&text)]),
            Action::ApplyPreset(preset) => {
                self.state.recipe = preset.applied_to(&self.state.recipe);
                self.state.bypassed.clear();
            }
            Action::DeletePreset(index) => {
                if index < self.state.presets.len() {
                    let preset = self.state.presets.remove(index);
                    self.notices.info(format!("Preset \"{}\" deleted.", preset.name));
                }
            }
            Action::SavePreset { name, with_output } => {
                let name = presets::free_name(&name, &self.state.presets);
                self.notices.good(format!("Preset \"{name}\" saved."));
                let recipe = self.state.recipe.clone();
                self.state.presets.push(Preset { name, recipe, with_output });
            }
            Action::ToggleBypass(index) => {
                if !self.state.bypassed.remove(&index) {
                    self.state.bypassed.insert(index);
                }
            }
            Action::FetchModel(name) => {
                self.state.model_work.push(ModelWork { model: name.clone(), fraction: None });
                self.link.ask(Ask::FetchModel(name));
            }
            Action::VerifyModels => {
                self.state.models.is_pending = true;
                self.link.ask(Ask::VerifyModels);
            }
            Action::SettingsChanged => {
                let settings = &self.state.settings;
                let half = self.state.machine.memory_bytes.map_or(2 << 30, |bytes| bytes / 2);
                let budget_bytes = settings.budget_bytes.unwrap_or(half);
                self.link.ask(Ask::Resources { budget_bytes, threads: settings.threads });
            }
            Action::CopyText(text) => ctx.copy_text(text),
            Action::CloseDialog => self.state.dialog = None,
        }
    }

    /// Queues these files and folders with the recipe as it is.
    pub(super) fn process(&mut self, inputs: Vec<PathBuf>) {
        // Pasted pictures lie in a temporary folder; a result beside them would be lost.
        let pasted_dir = places::pasted_dir();
        let (pasted, own): (Vec<PathBuf>, Vec<PathBuf>) =
            inputs.into_iter().partition(|path| path.starts_with(&pasted_dir));
        let mut recipe = self.state.recipe.clone();
        let destination = || Destination::Recipe;
        if !own.is_empty() {
            let recipe = recipe.clone();
            let job = Job { inputs: own, recursive: true, recipe, destination: destination() };
            self.link.ask(Ask::Submit(job));
        }
        if !pasted.is_empty() {
            let folder = recipe.output.folder.get_or_insert_with(places::pictures_dir);
            self.notices.info(format!("Results of pasted pictures: {}", folder.display()));
            let job = Job { inputs: pasted, recursive: false, recipe, destination: destination() };
            self.link.ask(Ask::Submit(job));
        }
        self.state.panels.queue = true;
        self.is_restored = true;
    }
}
