//! Layers of streaming networks, one frame at a time on the calling thread: no worker is woken, no
//! lock taken, and nothing allocated once the outputs have their size. A frame is a [`Feature`] of
//! one row, whose pixels are bands of frequencies, or a plain slice.
//!
//! [`Feature`]: crate::Feature

mod bands;
mod linear;

pub use bands::{BandAffine, BandConv, BandDense, BandStep};
pub use linear::GroupedLinear;

use crate::{Activation, ShapeError};

/// Slopes lie in another type's memory, padded for whole pixels; no layer here needs them.
fn check_activation(activation: &Activation<'_>) -> Result<(), ShapeError> {
    match activation {
        Activation::PRelu(_) => Err(ShapeError("no slopes for single frames".to_owned())),
        _ => Ok(()),
    }
}
