//! What the engine tells, and what the background threads found.

use std::path::PathBuf;

use eframe::egui;
use limpid_engine::Event;

use super::super::background::Answer;
use super::super::engine_link::{Ask, Tell, sentence};
use super::super::presets::{self, Preset};
use super::super::queue::{Notable, ended_text};
use super::super::state::{Dialog, ModelWork, OpenedFile, Page, PathPurpose};
use super::Shell;

impl Shell {
    pub(super) fn on_tell(&mut self, tell: Tell) {
        match tell {
            Tell::Started { is_paused, .. } => self.state.queue.is_paused = is_paused,
            Tell::NotStarted(reason) => {
                self.notices.bad(reason.clone());
                self.state.engine_failure = Some(reason);
                self.state.models.is_pending = false;
            }
            Tell::Refused(reason) => self.notices.bad(reason),
            Tell::Models(cards) => {
                self.state.models.value = Some(cards);
                self.state.models.is_pending = false;
            }
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        if let Some(Notable::AllDone(counts)) = self.state.queue.apply(&event) {
            let text = ended_text(counts);
            if counts.failed > 0 {
                self.notices.warn(text);
            } else {
                self.notices.good(text);
            }
        }
        match event {
            Event::Preview(tile) => self.canvas.accept(&tile),
            Event::Opened { generation, info } => {
                self.canvas.begin(generation, &info);
                if generation >= self.picture_since {
                    self.state.shown.info = Some(info);
                    self.state.shown.failure = None;
                }
            }
            Event::PreviewDone { generation, histogram, models } => {
                self.canvas.finish(generation);
                if generation == self.state.shown.generation {
                    self.state.shown.is_working = false;
                    self.state.shown.after = histogram;
                    self.state.shown.models = models;
                }
            }
            Event::PreviewFailed { generation, message, .. } => {
                self.canvas.finish(generation);
                if generation >= self.picture_since {
                    self.state.shown.is_working = false;
                    self.state.shown.failure = Some(sentence(&message));
                }
            }
            Event::Thumbnail { item, size, rgba } => {
                let size = size.map(|side| side as usize);
                if rgba.len() == size[0] * size[1] * 4 {
                    let picture = egui::ColorImage::from_rgba_unmultiplied(size, &rgba);
                    self.thumbnails.push((item, picture));
                }
            }
            Event::Removed { items } => {
                for item in items {
                    self.art.thumbnails.remove(&item);
                }
            }
            Event::ModelProgress { model, fraction } => {
                let work = &mut self.state.model_work;
                match work.iter_mut().find(|work| work.model == model) {
                    Some(known) => known.fraction = fraction,
                    None => work.push(ModelWork { model, fraction }),
                }
            }
            Event::ModelReady { card } => {
                self.notices.good(format!("{} is ready to use.", card.title));
                // An import is known by its file's name until its card is read.
                self.state.model_work.retain(|work| {
                    work.model != card.name && work.fraction.is_some_and(|share| share < 1.0)
                });
                self.link.ask(Ask::Models);
            }
            Event::ModelFailed { model, message } => {
                self.state.model_work.retain(|work| work.model != model);
                self.notices.bad(sentence(&message));
            }
            Event::ModelsVerified { problems } => {
                self.state.models.is_pending = false;
                self.state.models.failure = (!problems.is_empty()).then(|| problems.join("\n"));
                if problems.is_empty() {
                    self.notices.good("All models match their hashes.");
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Opened(files) => self.opened(files),
            Answer::Sound(path) => self.open_sound(path),
            Answer::Sounds(paths) => self.queue_sounds(paths),
            Answer::Chosen(purpose, paths) => self.chosen(purpose, paths),
            Answer::NoDialog(purpose, reason) => {
                let reason = Some(reason);
                let suggested = match purpose {
                    PathPurpose::SaveSound => self.state.voice.suggested_path(),
                    _ => None,
                };
                let text = suggested.map_or_else(String::new, |path| path.display().to_string());
                self.state.dialog = Some(Dialog::TypePath { purpose, text, reason });
            }
            Answer::PresetRead { name, text } => self.import_preset(&name, &text),
            Answer::SettingsText(text) => {
                match presets::from_text(&text, &self.state.recipe.output) {
                    Ok(recipe) => {
                        self.state.recipe = recipe;
                        self.notices.good("Settings pasted.");
                    }
                    Err(error) => {
                        let text = format!("The clipboard holds no settings: {error}");
                        self.notices.bad(text);
                    }
                }
            }
            Answer::Done(text) => self.notices.good(text),
            Answer::Failed(text) => {
                self.notices.bad(text);
            }
            Answer::Memory(bytes) => self.state.machine.memory_bytes = bytes,
        }
    }

    fn opened(&mut self, files: Vec<OpenedFile>) {
        let count = files.len();
        if let Some(folder) = files.first().and_then(|file| file.path.parent()) {
            self.last_folder = Some(folder.to_owned());
        }
        self.state.page = Page::Photos;
        let new = self.state.files.open(files);
        if new == 0 && count > 1 {
            self.notices.info("These pictures are open already.");
        }
    }

    pub(super) fn chosen(&mut self, purpose: PathPurpose, paths: Vec<PathBuf>) {
        let Some(first) = paths.first().cloned() else { return };
        match purpose {
            PathPurpose::OpenFiles | PathPurpose::OpenFolder | PathPurpose::OpenSounds => {
                self.open(paths);
            }
            PathPurpose::SaveSound => self.save_sound(first, true),
            PathPurpose::SoundFolder => self.state.voice.settings.output.folder = Some(first),
            PathPurpose::OutputFolder => self.state.recipe.output.folder = Some(first),
            PathPurpose::DefaultFolder => self.state.settings.output.folder = Some(first),
            PathPurpose::ImportPreset => self.background.read_preset(first),
            PathPurpose::ExportPreset => match presets::to_text(&self.state.recipe) {
                Ok(text) => self.background.write_recipe(first, text),
                Err(error) => self.notices.bad(sentence(&error)),
            },
            PathPurpose::ImportModel => self.link.ask(Ask::ImportModel(first)),
        }
    }

    fn import_preset(&mut self, name: &str, text: &str) {
        match presets::from_text(text, &self.state.recipe.output) {
            Ok(recipe) => {
                let name = presets::free_name(name, &self.state.presets);
                self.notices.good(format!("Preset \"{name}\" imported and applied."));
                let preset = Preset { name, recipe, with_output: false };
                self.state.recipe = preset.applied_to(&self.state.recipe);
                self.state.presets.push(preset);
            }
            Err(error) => {
                self.notices.bad(format!("This is no preset: {error}"));
            }
        }
    }
}
