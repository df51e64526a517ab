//! A loaded model: its card, its geometry, and a way to run it on a tile.

use std::sync::Arc;

use limpid_kernels::{Planes, RunContext};

use crate::card::ModelCard;
use crate::cpu::{self, Buffers};
use crate::device::Device;
use crate::error::{LoadError, NetError};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::quantized::QuantizedPlan;
use crate::weights::Weights;

/// A model ready to run, usable from several threads at once.
#[derive(Debug)]
pub struct Network {
    card: ModelCard,
    graph: Graph,
    executor: Executor,
}

/// The network made ready for one kind of device.
#[derive(Debug)]
enum Executor {
    Cpu {
        plan: Box<Plan>,
        buffers: Arc<Buffers>,
        profile: Option<Profile>,
    },
    Quantized(Box<QuantizedPlan>),
    #[cfg(feature = "candle")]
    Candle(crate::candle::CandleNetwork),
}

impl Network {
    /// Prepares checked weights for this computer's processor.
    ///
    /// # Errors
    /// Weights that do not fit their own architecture; reading them has checked that they do.
    pub fn new(card: ModelCard, weights: &Weights) -> Result<Self, LoadError> {
        Self::on(card, weights, &Device::Cpu, Arc::default())
    }

    /// Prepares checked weights for `device`. On the CPU, runs use the memory in `buffers` that
    /// other networks leave between theirs.
    pub(crate) fn on(
        card: ModelCard,
        weights: &Weights,
        device: &Device,
        buffers: Arc<Buffers>,
    ) -> Result<Self, LoadError> {
        let graph = weights.architecture()?.graph()?;
        let executor = match device {
            Device::Cpu => {
                let plan = Plan::new(&graph, weights)?;
                let profile = Profile::if_asked(&card.title, &plan);
                Executor::Cpu { plan: Box::new(plan), buffers, profile }
            }
            #[cfg(feature = "candle")]
            Device::Candle(device) => {
                Executor::Candle(crate::candle::CandleNetwork::new(&graph, weights, device)?)
            }
        };
        Ok(Self { card, graph, executor })
    }

    /// As [`Network::new`], with convolutions on bytes: faster where the processor multiplies
    /// bytes, and less exact. Their steps are those that hold what `pictures`, `[3, H, W]`, give
    /// rise to; `sigma` is the noise level there, 0 for networks that want none. Sides are multiples
    /// of what the network folds; a few pictures of a few hundred pixels that look like what will
    /// come are enough. The result has the same bits on every processor where all layers are on
    /// bytes, and for any number of threads always.
    ///
    /// # Errors
    /// No picture, or one that does not fit; values that are not numbers; cancelled.
    pub fn quantized(
        card: ModelCard,
        weights: &Weights,
        pictures: &[Planes],
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> Result<Self, LoadError> {
        let graph = weights.architecture()?.graph()?;
        let plan = QuantizedPlan::new(&graph, weights, pictures, sigma, cx)?;
        Ok(Self { card, graph, executor: Executor::Quantized(Box::new(plan)) })
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
    /// the input not. All but the result is kept for the next run, see
    /// [`crate::Library::trim`].
    #[must_use]
    pub fn working_bytes(&self, width: u32, height: u32) -> u64 {
        let multiple = self.graph.multiple() as usize;
        let padded = |side: u32| (side as usize).next_multiple_of(multiple);
        let (width, height) = (padded(width), padded(height));
        let buffers: u64 = match &self.executor {
            Executor::Cpu { plan, .. } => plan.buffer_bytes(width, height).sum(),
            Executor::Quantized(plan) => plan.buffer_bytes(width, height),
            #[cfg(feature = "candle")]
            Executor::Candle(_) => crate::candle::working_bytes(&self.graph, width, height),
        };
        let scale = self.scale() as usize;
        let plane = (width * height * size_of::<f32>()) as u64;
        // The result, and once more when it is cropped from a padded one; the padded input with a
        // noise map.
        buffers + plane * (6 * scale * scale + 4) as u64
    }

    /// Runs on `input` `[3, H, W]`, samples nominally 0..1, any H and W from 1. `sigma` is the
    /// noise's standard deviation on the same scale, for networks that want it; a fourth plane, which
    /// such networks alone take, is a factor on it for each pixel. The result is `[3, s H, s W]` and
    /// not clamped.
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
        let has_map = input.channels() == 4 && self.wants_sigma();
        if !(input.channels() == 3 || has_map) || height == 0 || width == 0 {
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
        let fitting = if height.is_multiple_of(multiple) && width.is_multiple_of(multiple) {
            input
        } else {
            padded = input.with_repeated_edge(
                height.next_multiple_of(multiple),
                width.next_multiple_of(multiple),
            );
            &padded
        };
        let output = match &self.executor {
            Executor::Cpu { plan, buffers, profile } => {
                cpu::run(plan, fitting, sigma, buffers, profile.as_ref(), cx)?
            }
            Executor::Quantized(plan) => plan.run(fitting, sigma, cx)?,
            #[cfg(feature = "candle")]
            Executor::Candle(network) => network.run(&self.graph, fitting, sigma, cx)?,
        };
        let scale = self.scale() as usize;
        if (output.height(), output.width()) == (height * scale, width * scale) {
            Ok(output)
        } else {
            Ok(output.crop(0, 0, width * scale, height * scale)?)
        }
    }
}
