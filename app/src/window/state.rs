//! What the window knows: plain data, changed by the shell, drawn by the panels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use limpid_engine::studio::StudioCommand;
use limpid_engine::{Histogram, ItemId, ModelCard, Output, PictureInfo, Recipe};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::presets::{self, Preset};
use super::queue::Queue;
use super::voice::{VoiceSettings, VoiceState};

/// Something that is asked of a worker: not yet, on its way (the last value is kept), there, or
/// refused (the last value is kept).
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting<T> {
    /// The last value that came.
    pub(crate) value: Option<T>,
    /// Whether an answer is on its way.
    pub(crate) is_pending: bool,
    /// Why the last request was refused.
    pub(crate) failure: Option<String>,
}

/// A picture in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenedFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its name for people.
    pub(crate) name: String,
    /// The folder that was opened, for pictures found in one: the queue mirrors what lies below.
    pub(crate) root: Option<PathBuf>,
}

impl OpenedFile {
    /// A file that was opened by itself, or found below `root`.
    pub(crate) fn new(path: PathBuf, root: Option<PathBuf>) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { path, name, root }
    }
}

/// The opened pictures and which of them is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// In the order they were opened.
    pub(crate) list: Vec<OpenedFile>,
    /// The one that is shown.
    pub(crate) current: Option<usize>,
    /// Whether the list is to scroll to the current one.
    pub(crate) reveal: bool,
    /// Folders of which a picture was closed: they are queued file by file.
    trimmed: BTreeSet<PathBuf>,
}

impl Files {
    /// The picture that is shown.
    pub(crate) fn shown(&self) -> Option<&OpenedFile> {
        self.list.get(self.current?)
    }

    /// Adds files, each once, and shows the first of them. Returns how many were new.
    pub(crate) fn open(&mut self, files: Vec<OpenedFile>) -> usize {
        let known: std::collections::HashMap<PathBuf, usize> =
            self.list.iter().enumerate().map(|(index, f)| (f.path.clone(), index)).collect();
        let Some(first) = files.first().map(|file| file.path.clone()) else { return 0 };
        let before = self.list.len();
        let mut seen = BTreeSet::new();
        for file in files {
            if !known.contains_key(&file.path) && seen.insert(file.path.clone()) {
                self.list.push(file);
            }
        }
        let first = known.get(&first).copied().unwrap_or(before);
        self.show(first);
        self.list.len() - before
    }

    /// Shows the picture at `index`.
    pub(crate) fn show(&mut self, index: usize) {
        self.current = Some(index.min(self.list.len().saturating_sub(1)));
        self.reveal = true;
    }

    /// Shows the picture `by` places on; stays at the ends.
    pub(crate) fn step(&mut self, by: isize) {
        if let Some(current) = self.current {
            self.show(current.saturating_add_signed(by));
        }
    }

    /// Takes a picture from the list; its neighbour is shown.
    pub(crate) fn close(&mut self, index: usize) {
        if index >= self.list.len() {
            return;
        }
        let file = self.list.remove(index);
        self.trimmed.extend(file.root);
        self.current = match self.current {
            _ if self.list.is_empty() => None,
            Some(current) if current > index => Some(current - 1),
            other => other.map(|current| current.min(self.list.len() - 1)),
        };
    }

    /// Empties the list.
    pub(crate) fn close_all(&mut self) {
        *self = Self::default();
    }

    /// What to hand to the queue for all pictures: whole folders as folders, so that their
    /// subfolders can be mirrored, the rest file by file.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        let mut inputs: Vec<PathBuf> = Vec::new();
        for file in &self.list {
            match &file.root {
                Some(root) if !self.trimmed.contains(root) => {
                    if inputs.last() != Some(root) && !inputs.contains(root) {
                        inputs.push(root.clone());
                    }
                }
                _ => inputs.push(file.path.clone()),
            }
        }
        inputs
    }
}

/// The picture on the canvas, as far as the engine answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The newest request.
    pub(crate) generation: u64,
    /// Size, format, camera.
    pub(crate) info: Option<PictureInfo>,
    /// Why it cannot be shown.
    pub(crate) failure: Option<String>,
    /// Whether tiles are still to come.
    pub(crate) is_working: bool,
    /// Histogram of the result, once all of it was computed.
    pub(crate) after: Option<Arc<Histogram>>,
    /// Models that were used, in step order.
    pub(crate) models: Vec<String>,
}

/// What the window is about at the moment. Remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Page {
    /// Pictures.
    #[default]
    Photos,
    /// Recordings.
    Voice,
}

/// Which parts of the window are open. Remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Panels {
    /// The list on the left.
    pub(crate) files: bool,
    /// The cards on the right.
    pub(crate) recipe: bool,
    /// The rows at the bottom.
    pub(crate) queue: bool,
    /// The histogram in the recipe panel.
    pub(crate) histogram: bool,
}

impl Default for Panels {
    fn default() -> Self {
        Self { files: true, recipe: true, queue: false, histogram: true }
    }
}

/// Settings of the program. Remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Memory the engine may use, in bytes; none is half of the computer's.
    pub(crate) budget_bytes: Option<u64>,
    /// Threads that compute; 0 is one for each core.
    pub(crate) threads: usize,
    /// What the output of a reset recipe is.
    pub(crate) output: Output,
    /// Size of the whole window's text and controls.
    pub(crate) scale: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { budget_bytes: None, threads: 0, output: Output::default(), scale: 1.0 }
    }
}

/// What this computer has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Cores this process may use.
    pub(crate) cores: usize,
    /// Memory in bytes, where it is known.
    pub(crate) memory_bytes: Option<u64>,
}

/// A page or question in front of the window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dialog {
    /// The models.
    Models,
    /// The settings.
    Settings,
    /// All keys.
    Shortcuts,
    /// Find a command: the text so far and the chosen row.
    Palette {
        /// What was typed.
        text: String,
        /// Row under the cursor.
        chosen: usize,
    },
    /// Name a preset.
    SavePreset {
        /// What was typed.
        name: String,
        /// Whether output settings are part of it.
        with_output: bool,
    },
    /// Type a path instead of a file dialog.
    TypePath {
        /// What it is for.
        purpose: PathPurpose,
        /// What was typed.
        text: String,
        /// Why there is no file dialog, when that is so.
        reason: Option<String>,
    },
    /// Name, version, licence.
    About,
}

/// What a chosen path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathPurpose {
    /// Pictures to open.
    OpenFiles,
    /// A folder of pictures to open.
    OpenFolder,
    /// The folder for results of this recipe.
    OutputFolder,
    /// The folder for results of new recipes.
    DefaultFolder,
    /// A preset file to read.
    ImportPreset,
    /// A recipe file to write.
    ExportPreset,
    /// A model file to take in.
    ImportModel,
    /// Recordings to open.
    OpenSounds,
    /// The file for the cleaned recording.
    SaveSound,
    /// The folder for cleaned recordings.
    SoundFolder,
}

impl PathPurpose {
    /// The heading of a dialog for it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OpenFiles => "Open path",
            Self::OpenFolder => "Open folder",
            Self::OutputFolder | Self::DefaultFolder | Self::SoundFolder => "Folder for results",
            Self::ImportPreset => "Import preset",
            Self::ExportPreset => "Export recipe",
            Self::ImportModel => "Import model",
            Self::OpenSounds => "Open recording",
            Self::SaveSound => "Save clean recording",
        }
    }
}

/// How a model's fetch or import goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelWork {
    /// The model, or the file of an import.
    pub(crate) model: String,
    /// Share that is done, where it is known.
    pub(crate) fraction: Option<f32>,
}

/// Something a panel asks the shell to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// A command of the table.
    Run(Command),
    /// Something for the sound studio.
    Studio(StudioCommand),
    /// Show the picture at this place of the list.
    ShowFile(usize),
    /// Take the picture at this place from the list.
    CloseFile(usize),
    /// Cancel a row.
    CancelItem(ItemId),
    /// Do a row again.
    Retry(ItemId),
    /// Show a file in the system's file manager.
    Reveal(PathBuf),
    /// Open a picture by path (a result, an original).
    OpenPaths(Vec<PathBuf>),
    /// Show a file chooser.
    Choose(PathPurpose),
    /// A path was typed.
    Typed(PathPurpose, String),
    /// Set the recipe to a preset's.
    ApplyPreset(Preset),
    /// Delete the user's preset at this place.
    DeletePreset(usize),
    /// Keep the recipe as a preset.
    SavePreset {
        /// Its name.
        name: String,
        /// Whether output settings are part of it.
        with_output: bool,
    },
    /// Leave a step out of the preview, or take it in again.
    ToggleBypass(usize),
    /// Fetch a model of the packs.
    FetchModel(String),
    /// Look at the models' hashes.
    VerifyModels,
    /// The settings changed: tell the engine.
    SettingsChanged,
    /// Put text on the clipboard.
    CopyText(String),
    /// Close the page or question.
    CloseDialog,
}

/// Everything the panels draw.
pub(crate) struct State {
    /// The page that is shown. Remembered.
    pub(crate) page: Page,
    /// The page for voices. Its settings are remembered.
    pub(crate) voice: VoiceState,
    /// What is done to pictures. Remembered.
    pub(crate) recipe: Recipe,
    /// Steps that the preview leaves out.
    pub(crate) bypassed: BTreeSet<usize>,
    /// Opened pictures.
    pub(crate) files: Files,
    /// The picture on the canvas.
    pub(crate) shown: Shown,
    /// Whether the canvas shows what is removed.
    pub(crate) shows_noise: bool,
    /// The queue.
    pub(crate) queue: Queue,
    /// The models.
    pub(crate) models: Waiting<Vec<ModelCard>>,
    /// Fetches and imports under way.
    pub(crate) model_work: Vec<ModelWork>,
    /// Why the engine did not start.
    pub(crate) engine_failure: Option<String>,
    /// The user's presets. Remembered.
    pub(crate) presets: Vec<Preset>,
    /// Settings of the program. Remembered.
    pub(crate) settings: Settings,
    /// Open parts of the window. Remembered.
    pub(crate) panels: Panels,
    /// Page or question in front.
    pub(crate) dialog: Option<Dialog>,
    /// What this computer has.
    pub(crate) machine: Machine,
    /// What undo takes back, in words.
    pub(crate) undo_text: Option<String>,
    /// What redo makes again, in words.
    pub(crate) redo_text: Option<String>,
    /// Whether files are held over the window.
    pub(crate) is_dropping: bool,
}

/// What is kept from one start to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remembered {
    /// [`State::page`].
    pub(crate) page: Page,
    /// Settings of the page for voices.
    pub(crate) voice: VoiceSettings,
    /// [`State::recipe`].
    pub(crate) recipe: Recipe,
    /// [`State::presets`].
    pub(crate) presets: Vec<Preset>,
    /// [`State::settings`].
    pub(crate) settings: Settings,
    /// [`State::panels`].
    pub(crate) panels: Panels,
    /// Folder of the last open dialog.
    pub(crate) last_folder: Option<PathBuf>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            page: Page::default(),
            voice: VoiceSettings::default(),
            recipe: presets::first_recipe(),
            presets: Vec::new(),
            settings: Settings::default(),
            panels: Panels::default(),
            last_folder: None,
        }
    }
}

impl State {
    /// The state at start.
    pub(crate) fn new(remembered: Remembered) -> Self {
        let recipe = presets::complete(remembered.recipe);
        // A recipe of a newer version, or edited by hand, must not stop the start.
        let recipe = if recipe.validate().is_ok() { recipe } else { presets::first_recipe() };
        Self {
            page: remembered.page,
            voice: VoiceState::new(remembered.voice),
            recipe,
            bypassed: BTreeSet::new(),
            files: Files::default(),
            shown: Shown::default(),
            shows_noise: false,
            queue: Queue::default(),
            models: Waiting { value: None, is_pending: true, failure: None },
            model_work: Vec::new(),
            engine_failure: None,
            presets: remembered.presets,
            settings: remembered.settings,
            panels: remembered.panels,
            dialog: None,
            machine: Machine {
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                memory_bytes: None,
            },
            undo_text: None,
            redo_text: None,
            is_dropping: false,
        }
    }

    /// What is to be kept.
    pub(crate) fn remembered(&self, last_folder: Option<&Path>) -> Remembered {
        Remembered {
            page: self.page,
            voice: self.voice.settings.clone(),
            recipe: self.recipe.clone(),
            presets: self.presets.clone(),
            settings: self.settings.clone(),
            panels: self.panels.clone(),
            last_folder: last_folder.map(Path::to_owned),
        }
    }

    /// The recipe of the preview: without the bypassed steps.
    pub(crate) fn preview_recipe(&self) -> Recipe {
        let mut recipe = self.recipe.clone();
        for (index, step) in recipe.steps.iter_mut().enumerate() {
            step.enabled &= !self.bypassed.contains(&index);
        }
        recipe
    }

    /// Whether the recipe does anything.
    pub(crate) fn recipe_works(&self) -> bool {
        self.recipe.enabled_steps().next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, root: Option<&str>) -> OpenedFile {
        OpenedFile::new(path.into(), root.map(PathBuf::from))
    }

    #[test]
    fn a_picture_is_opened_once_and_the_first_new_one_is_shown() {
        let mut files = Files::default();
        assert_eq!(files.open(vec![file("/a.jpg", None), file("/b.jpg", None)]), 2);
        assert_eq!(files.open(vec![file("/c.jpg", None), file("/a.jpg", None)]), 1);
        assert_eq!(files.shown().unwrap().name, "c.jpg");
        assert_eq!(files.open(vec![file("/b.jpg", None)]), 0);
        assert_eq!(files.shown().unwrap().name, "b.jpg");
    }

    #[test]
    fn closing_keeps_a_neighbour_shown() {
        let mut files = Files::default();
        files.open(vec![file("/a", None), file("/b", None), file("/c", None)]);
        files.show(2);
        files.close(2);
        assert_eq!(files.shown().unwrap().name, "b");
        files.close(0);
        assert_eq!(files.shown().unwrap().name, "b");
        files.close(0);
        assert!(files.shown().is_none());
        files.step(1);
        assert!(files.shown().is_none());
    }

    #[test]
    fn whole_folders_are_queued_as_folders() {
        let mut files = Files::default();
        files.open(vec![
            file("/in/a.jpg", Some("/in")),
            file("/x.jpg", None),
            file("/in/sub/b.jpg", Some("/in")),
        ]);
        assert_eq!(files.inputs(), [PathBuf::from("/in"), "/x.jpg".into()]);
        files.close(0);
        assert_eq!(files.inputs(), [PathBuf::from("/x.jpg"), "/in/sub/b.jpg".into()]);
    }
}
