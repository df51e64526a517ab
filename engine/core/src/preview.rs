//! What the canvas looks at.

use std::path::PathBuf;

use limpid_photo::Rect;

use crate::recipe::Recipe;

/// A request to show a picture and what a recipe makes of it; see [`crate::Engine::show`].
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Number of the request; every event that answers it carries it. A view that differs from the
    /// last one in `visible` alone may keep the number: what the app was sent stays good, and only
    /// what it does not have yet is sent, in the new order. With a new number everything is sent
    /// again, from memory where it was computed before.
    pub generation: u64,
    /// The picture.
    pub path: PathBuf,
    /// What is done to it; only the steps that are on count.
    pub recipe: Recipe,
    /// The part that can be seen, in pixels of the original.
    pub visible: Rect,
    /// Screen pixels for one pixel of the original.
    pub zoom: f32,
    /// Whether to send [`crate::Side::Removed`] instead of [`crate::Side::After`].
    pub removed: bool,
}
