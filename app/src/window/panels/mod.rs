//! The parts of the window. Each draws the state it is given, changes settings in place, and asks
//! for everything else with an [`super::state::Action`].

mod dialogs;
mod files;
mod models;
mod output;
mod palette;
mod queue;
mod recipe;
mod settings;
mod stage;
mod top;

pub(crate) use dialogs::{about_ui, path_dialog_ui, save_preset_ui, shortcuts_ui};
pub(crate) use files::files_ui;
pub(crate) use models::models_ui;
pub(crate) use output::place_rows_ui;
pub(crate) use palette::palette_ui;
pub(crate) use queue::{QueueArt, queue_bar_ui, queue_ui};
pub(crate) use recipe::{effort_row_ui, model_row_ui, process_ui, recipe_ui};
pub(crate) use settings::settings_ui;
pub(crate) use stage::{drop_hint_ui, empty_ui, failure_ui, rounded_outline, status_ui};
pub(crate) use top::top_ui;
