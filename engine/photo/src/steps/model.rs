//! A network as a step sees it, and how one is run on a region.

use std::fmt::Debug;
use std::sync::Arc;

use limpid_kernels::{Planes, RunContext};
use limpid_nets::{LoadError, LoadErrorKind, NetError, Network};

use super::{Block, Extent, area};
use crate::context::WorkContext;
use crate::error::{ErrorKind, PhotoError};
use crate::geometry::Rect;

/// What a step needs of a [`Network`]; tests put simpler ones in its place.
pub(crate) trait Model: Debug + Send + Sync {
    fn name(&self) -> &str;
    fn parameters(&self) -> u64;
    fn scale(&self) -> u32;
    fn halo(&self) -> u32;
    fn align(&self) -> u32;
    fn wants_sigma(&self) -> bool;
    fn working_bytes(&self, width: u32, height: u32) -> u64;
    fn run(
        &self,
        input: &Planes,
        sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError>;
}

/// A model shared between chains.
pub(crate) type SharedModel = Arc<dyn Model>;

impl Model for Network {
    fn name(&self) -> &str {
        &self.card().name
    }

    fn parameters(&self) -> u64 {
        self.card().parameters
    }

    fn scale(&self) -> u32 {
        Network::scale(self)
    }

    fn halo(&self) -> u32 {
        Network::halo(self)
    }

    fn align(&self) -> u32 {
        Network::align(self)
    }

    fn wants_sigma(&self) -> bool {
        Network::wants_sigma(self)
    }

    fn working_bytes(&self, width: u32, height: u32) -> u64 {
        Network::working_bytes(self, width, height)
    }

    fn run(
        &self,
        input: &Planes,
        sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        Network::run(self, input, sigma, cx)
    }
}

impl From<NetError> for PhotoError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Cancelled => limpid_kernels::Cancelled.into(),
            other => Self::internal(other.to_string()).because(other),
        }
    }
}

impl From<LoadError> for PhotoError {
    fn from(error: LoadError) -> Self {
        match error.kind() {
            LoadErrorKind::Cancelled => limpid_kernels::Cancelled.into(),
            _ => Self::new(ErrorKind::Model, error.to_string()).because(error),
        }
    }
}

/// The region of a picture of `size` that `model` must see for `rect` of it (in input pixels):
/// a halo more on every side, out to multiples of the model's alignment, cut at the picture.
pub(crate) fn seen(model: &dyn Model, rect: Rect, size: Extent) -> Rect {
    let align = model.align().max(1);
    let along = |from: u32, to: u32, length: u32| {
        let from = from.saturating_sub(model.halo()) / align * align;
        let to = to.saturating_add(model.halo()).div_ceil(align).saturating_mul(align).min(length);
        (from, to.saturating_sub(from))
    };
    let (x, width) = along(rect.x, rect.right(), size.0);
    let (y, height) = along(rect.y, rect.bottom(), size.1);
    Rect::new(x, y, width, height)
}

/// The input pixels that an enlargement by `scale` makes `rect` (in output pixels) of.
pub(crate) fn shrunk(rect: Rect, scale: u32) -> Rect {
    let scale = scale.max(1);
    let (x, y) = (rect.x / scale, rect.y / scale);
    let (right, bottom) = (rect.right().div_ceil(scale), rect.bottom().div_ceil(scale));
    Rect::new(x, y, right - x, bottom - y)
}

/// Memory that [`run_on`] takes for `rect` (in output pixels), its result included.
pub(crate) fn run_bytes(model: &dyn Model, rect: Rect, size: Extent) -> u64 {
    let seen = seen(model, shrunk(rect, model.scale()), size);
    // The cut-out input with a noise map, the network at work, the cut-out result.
    16 * area(seen) + model.working_bytes(seen.width, seen.height) + 12 * area(rect)
}

/// Multiply-adds of [`run_on`] for `rect` (in output pixels), roughly: each weight once a pixel.
pub(crate) fn run_work(model: &dyn Model, rect: Rect, size: Extent) -> f64 {
    let seen = seen(model, shrunk(rect, model.scale()), size);
    area(seen) as f64 * model.parameters().max(1) as f64
}

/// `rect` (in output pixels) of what `model` makes of a picture of `size`, of which `input`
/// (`[3, H, W]`, or 4 planes where the network is told the noise pixel by pixel) holds at least what must be seen.
pub(crate) fn run_on(
    model: &dyn Model,
    input: &Block,
    rect: Rect,
    size: Extent,
    sigma: Option<f32>,
    work: &WorkContext<'_>,
) -> Result<Planes, PhotoError> {
    work.cancel.check()?;
    let scale = model.scale();
    let seen = seen(model, shrunk(rect, scale), size);
    let cx = RunContext { pool: work.pool, cancel: work.cancel };
    let output = if seen == input.rect {
        model.run(&input.planes, sigma, &cx)?
    } else {
        model.run(&input.crop(seen)?, sigma, &cx)?
    };
    let placed =
        Rect::new(seen.x * scale, seen.y * scale, output.width() as u32, output.height() as u32);
    if placed == rect {
        return Ok(output);
    }
    Block { rect: placed, planes: output }.crop(rect)
}
