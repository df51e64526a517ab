//! The one place where the window acts: commands, what panels ask for, what the engine tells.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui;
use limpid_engine::{Destination, Event, Job, Recipe, View};

use super::background::{Answer, Background, expand_home};
use super::command::Command;
use super::engine_link::{Ask, EngineLink, Incoming, Tell, sentence};
use super::notices::Notices;
use super::panels::QueueArt;
use super::presets::{self, Preset};
use super::queue::{Notable, ended_text};
use super::state::{
    Action, Dialog, ModelWork, OpenedFile, Page, PathPurpose, Remembered, Shown, State,
};
use super::undo::History;
use super::voice::{self, StudioLink, TrackArt};
use crate::canvas::{CanvasSettings, CanvasState, Mode, ViewPort};
use crate::places;

/// Time a frame may spend on what the engine sent; the rest waits for the next frame.
const POLL_BUDGET: Duration = Duration::from_micros(2500);
/// Time between two previews while a slider is dragged: enough for some tiles to be finished.
const DRAG_PAUSE: Duration = Duration::from_millis(120);
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

    fn on_tell(&mut self, tell: Tell) {
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

    fn on_event(&mut self, event: Event) {
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

    fn on_answer(&mut self, answer: Answer) {
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

    fn chosen(&mut self, purpose: PathPurpose, paths: Vec<PathBuf>) {
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

    /// Queues these files and folders with the recipe as it is.
    fn process(&mut self, inputs: Vec<PathBuf>) {
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

    /// Asks the engine for what the canvas needs and does not have.
    pub(super) fn ask_for_view(
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
    pub(super) fn observe_recipe(&mut self, is_resting: bool) {
        self.history.observe(&self.state.recipe, is_resting);
        self.state.undo_text = self.history.undo_text();
        self.state.redo_text = self.history.redo_text();
        self.state.shows_noise = self.canvas.mode() == Mode::Removed;
    }

    /// Files that were dropped on the window.
    pub(super) fn dropped(&self, files: &[egui::DroppedFileHandle]) {
        self.open(files.iter().map(|file| file.path()).map(Path::to_owned).collect());
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
