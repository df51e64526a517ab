//! What the app talks to: recipes, jobs, the queue that survives a crash, the worker threads, and
//! the events they send. Knows no window.

mod board;
mod by_recipe;
mod config;
mod engine;
mod error;
mod event;
mod file_kind;
mod intake;
mod job;
pub mod journal;
mod models;
mod naming;
mod outbox;
mod pace;
mod preview;
mod processor;
mod queue;
mod recipe;
mod record;
mod recover;
mod screen;
mod shared;
mod sound;
pub mod studio;
#[cfg(test)]
mod testing;
mod threads;
mod tile_cache;
mod tile_plan;
mod tools;
mod worker;

pub use config::{Budget, EngineConfig, Wake, memory_bytes};
pub use engine::{Engine, Resumed};
pub use error::EngineError;
pub use event::{
    Event, FailureKind, Histogram, Item, ItemId, JobId, PictureInfo, PreviewTile, Side, Stage,
};
pub use file_kind::FileKind;
pub use job::{Destination, Job};
pub use limpid_audio::settings::{SoundFormat, Speech};
pub use limpid_nets::{Effort, LibraryConfig, ModelCard, Origin, Task};
pub use limpid_photo::Rect;
pub use limpid_photo::settings::{Denoise, OutputFormat, Size, StepSettings, Strength, Upscale};
pub use preview::View;
pub use recipe::{Existing, Gps, Output, Recipe, RecipeError, Step};
