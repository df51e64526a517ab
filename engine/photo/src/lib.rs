//! Pictures: decode, one file a step, tiles, encode. Bit depth, profile and metadata are kept.
//! Knows no queue and no window.

mod geometry;
pub mod settings;

pub use geometry::Rect;
