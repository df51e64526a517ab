//! Pictures: decode, one file a step, tiles, encode. Bit depth, profile and metadata are kept.
//! Knows no queue and no window.

mod cache;
mod chain;
mod context;
mod decode;
pub mod display;
mod encode;
mod error;
mod format;
mod geometry;
pub mod metadata;
mod noise;
mod picture;
mod raster;
pub mod resample;
pub mod settings;
mod steps;
pub mod synthetic;
mod tiles;

pub use cache::RenderCache;
pub use chain::{Chain, Measured};
pub use context::WorkContext;
pub use decode::decode;
pub use encode::{EncodeOptions, encode};
pub use error::{ErrorKind, PhotoError};
pub use format::FileFormat;
pub use geometry::Rect;
pub use metadata::Metadata;
pub use noise::{NoiseCurve, NoiseLevel, estimate_noise};
pub use picture::Picture;
pub use raster::{ColorKind, Depth, Layout, Orientation, Raster};
