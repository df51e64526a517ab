//! A loaded model: its card, its geometry, and a way to run it on a tile.

use limpid_kernels::{Planes, RunContext};

use crate::card::ModelCard;
use crate::error::{LoadError, NetError};
use crate::graph::Graph;
use crate::reference;
use crate::weights::Weights;

/// A model ready to run, usable from several threads at once.
#[derive(Debug)]
pub struct Network {
    card: ModelCard,
    graph: Graph,
    weights: Weights,
}

impl Network {
    /// Prepares checked weights for this computer's processor.
    ///
    /// # Errors
    /// Weights that do not fit their own architecture; reading them has checked that they do.
    pub fn new(card: ModelCard, weights: Weights) -> Result<Self, LoadError> {
        let graph = weights.architecture().graph()?;
        Ok(Self { card, graph, weights })
    }

    /// What is said of this model.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// How many times wider and higher the result is; 1 for a denoiser.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.graph.scale()
    }

    /// How far around a tile its result can depend on, in input pixels, rounded up to
    /// [`Network::align`].
    #[must_use]
    pub fn halo(&self) -> u32 {
        self.graph.halo()
    }

    /// Left and top of a tile, halo included, must be multiples of this many input pixels for the
    /// tile to repeat the whole picture's arithmetic.
    #[must_use]
    pub fn align(&self) -> u32 {
        self.graph.align()
    }

    /// Whether [`Network::run`] needs the noise level.
    #[must_use]
    pub fn wants_sigma(&self) -> bool {
        self.graph.wants_sigma()
    }

    /// Peak memory in bytes of one run on `width` x `height` input pixels, the result included,
    /// the input not.
    #[must_use]
    pub fn working_bytes(&self, width: u32, height: u32) -> u64 {
        let multiple = u64::from(self.graph.multiple());
        let padded = |side: u32| u64::from(side).next_multiple_of(multiple);
        reference::peak_samples(&self.graph, padded(width), padded(height)).saturating_mul(4)
    }

    /// Runs on `input` `[3, H, W]`, samples nominally 0..1, any H and W from 1. `sigma` is the
    /// noise's standard deviation on the same scale, for networks that want it. The result is
    /// `[3, s H, s W]` and not clamped.
    ///
    /// # Errors
    /// [`NetError::Cancelled`] within some tens of milliseconds of a cancel;
    /// [`NetError::Input`] for another shape, or without a finite `sigma` where one is wanted.
    pub fn run(
        &self,
        input: &Planes,
        sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        let (height, width) = (input.height(), input.width());
        if input.channels() != 3 || height == 0 || width == 0 {
            return Err(NetError::Input(format!(
                "{} takes a picture of 3 channels, not {} x {height} x {width}",
                self.card.title,
                input.channels(),
            )));
        }
        let sigma = match (self.wants_sigma(), sigma) {
            (false, _) => 0.0,
            (true, Some(sigma)) if sigma.is_finite() && sigma >= 0.0 => sigma,
            (true, _) => {
                return Err(NetError::Input(format!("{} needs a noise level", self.card.title)));
            }
        };
        cx.cancel.check()?;
        let multiple = self.graph.multiple() as usize;
        let padded;
        let fitting = if height % multiple == 0 && width % multiple == 0 {
            input
        } else {
            padded = replicate(
                input,
                height.next_multiple_of(multiple),
                width.next_multiple_of(multiple),
            );
            &padded
        };
        let output = reference::run(&self.graph, &self.weights, fitting, sigma, cx)?;
        let scale = self.scale() as usize;
        if (output.height(), output.width()) == (height * scale, width * scale) {
            Ok(output)
        } else {
            Ok(output.crop(0, 0, width * scale, height * scale)?)
        }
    }
}

/// `x` grown to `height` x `width` by repeating its last row and column.
fn replicate(x: &Planes, height: usize, width: usize) -> Planes {
    let mut grown = Planes::zeros(x.channels(), height, width);
    for channel in 0..x.channels() {
        let source = x.plane(channel);
        for (y, row) in grown.plane_mut(channel).chunks_exact_mut(width).enumerate() {
            let from = &source[y.min(x.height() - 1) * x.width()..][..x.width()];
            row[..x.width()].copy_from_slice(from);
            row[x.width()..].fill(from[x.width() - 1]);
        }
    }
    grown
}
