//! What the app talks to: recipes, jobs, the queue that survives a crash, the worker threads, and
//! the events they send. Knows no window.

mod event;
mod recipe;

pub use event::{
    Event, FailureKind, Histogram, Item, ItemId, JobId, PictureInfo, PreviewTile, Side, Stage,
};
pub use limpid_nets::{ModelCard, Origin, Task};
pub use limpid_photo::Rect;
pub use limpid_photo::settings::{Denoise, OutputFormat, Size, StepSettings, Strength, Upscale};
pub use recipe::{Existing, Gps, Output, Recipe, RecipeError, Step};
