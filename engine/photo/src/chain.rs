//! The steps of a recipe, one after the other, on any region of the result.
//!
//! A region is pulled: from the last step back, each says which region of its input it needs for
//! the region that is asked of it; then the pixels of the original flow forward through all of
//! them. Regions grow by each network's halo and snap to its alignment, so what comes out is what
//! the same place of the whole picture would hold.

use std::sync::Arc;

use limpid_kernels::Planes;
use limpid_nets::Library;

use crate::cache::{Memo, RenderCache};
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::noise::{NoiseLevel, Sampling, estimate, estimate_noise};
use crate::picture::Picture;
use crate::raster::Raster;
use crate::settings::StepSettings;
use crate::steps::denoise::DenoiseStep;
use crate::steps::upscale::UpscaleStep;
use crate::steps::{Block, Extent, Input, Step, StepContext, area};
use crate::tiles::{self, TileSize};

/// The enabled steps of a recipe with their models loaded.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    settings: StepSettings,
    step: Box<dyn Step>,
}

/// What a chain learned from looking at a whole picture once.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Noise of the original.
    pub noise: NoiseLevel,
    /// Noise in what goes into each step, where it asks for it; else that of the original.
    inputs: Vec<NoiseLevel>,
}

impl Measured {
    fn noise(&self, step: usize) -> NoiseLevel {
        self.inputs.get(step).copied().unwrap_or(self.noise)
    }
}

impl Chain {
    /// Finds and loads the models of `steps`, in order. A chain without steps is the original.
    ///
    /// # Errors
    /// `Model` when a model is missing, unknown or cannot be loaded.
    pub fn build(steps: &[StepSettings], library: &Library) -> Result<Self, PhotoError> {
        let link = |settings: &StepSettings| {
            let step: Box<dyn Step> = match settings {
                StepSettings::Denoise(denoise) => Box::new(DenoiseStep::build(denoise, library)?),
                StepSettings::Upscale(upscale) => Box::new(UpscaleStep::build(upscale, library)?),
            };
            Ok(Link { settings: settings.clone(), step })
        };
        Ok(Self { links: steps.iter().map(link).collect::<Result<_, PhotoError>>()? })
    }

    /// Columns and rows of the result for a picture of `width` x `height`.
    #[must_use]
    pub fn output_size(&self, width: u32, height: u32) -> (u32, u32) {
        self.links.iter().fold((width, height), |size, link| link.step.output_size(size))
    }

    /// Names of the models that may be used, in step order.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.links.iter().flat_map(|link| link.step.models()).collect()
    }

    /// Looks at the whole picture once.
    ///
    /// # Errors
    /// `Cancelled`, or a failure of a network or of the picture's temporary file.
    pub fn measure(&self, picture: &Picture, cx: &WorkContext<'_>) -> Result<Measured, PhotoError> {
        let noise = estimate_noise(&picture.raster, cx)?;
        self.measure_from(picture, noise, cx)
    }

    /// As [`Self::measure`] when the noise of the original is known already.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_from(
        &self,
        picture: &Picture,
        noise: NoiseLevel,
        cx: &WorkContext<'_>,
    ) -> Result<Measured, PhotoError> {
        let inputs = self.inputs(&picture.raster);
        let mut measured = Measured { noise, inputs: Vec::new() };
        for (index, link) in self.links.iter().enumerate() {
            let level = if index == 0 || !link.step.needs_noise() {
                noise
            } else {
                // What the steps before leave of the noise, seen through fewer windows, as each
                // costs a run of their networks.
                let so_far = &measured;
                estimate(inputs[index].size, Sampling::SPARSE, cx.pool, |window| {
                    self.render_steps(index, picture, so_far, window, cx, None)
                })?
            };
            measured.inputs.push(level);
        }
        Ok(measured)
    }

    /// The pixels of `rect` of the result: `[colour channels (+ 1 alpha), rect.height,
    /// rect.width]`, as the picture has them, nominally `0..=1` and not clamped.
    ///
    /// # Errors
    /// `Cancelled`; `Internal` when `rect` leaves the result; a failure of a network or of the
    /// picture's temporary file.
    pub fn render(
        &self,
        picture: &Picture,
        measured: &Measured,
        rect: Rect,
        cx: &WorkContext<'_>,
    ) -> Result<Planes, PhotoError> {
        self.render_steps(self.links.len(), picture, measured, rect, cx, None)
    }

    /// As [`Self::render`], with results of networks kept in `cache`, which must belong to this
    /// picture. A second call for the same `rect` after a change of a denoiser's luma or chroma
    /// does not run that network again.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_cached(
        &self,
        picture: &Picture,
        measured: &Measured,
        rect: Rect,
        cx: &WorkContext<'_>,
        cache: &RenderCache,
    ) -> Result<Planes, PhotoError> {
        self.render_steps(self.links.len(), picture, measured, rect, cx, Some(cache))
    }

    /// The tiles of the result: full-width bands top to bottom, each left to right, all bands but
    /// the last equally high. They are as large as pays, and small enough for `budget_bytes` to
    /// hold the picture, a tile at work and a band waiting for the encoder; should nothing be
    /// small enough, as small as it gets.
    #[must_use]
    pub fn tiles(&self, picture: &Picture, budget_bytes: u64) -> Vec<Rect> {
        let raster = &picture.raster;
        let inputs = self.inputs(raster);
        let output = self.output_size(raster.width(), raster.height());
        let scale = f64::from(output.0) / f64::from(raster.width().max(1));
        let limit = budget_bytes.saturating_sub(raster.memory_bytes());
        // A tile in the middle has its halo on every side.
        let middle = |tile: TileSize| {
            let (x, y) = ((output.0 - tile.width) / 2, (output.1 - tile.height) / 2);
            Rect::new(x, y, tile.width, tile.height)
        };
        let bytes = |tile: TileSize| {
            let band = Rect::new(0, 0, output.0, tile.height);
            // The band as planes, and once more on its way through the encoder.
            let band_bytes = 2 * area(band) * 4 * raster.layout().channels() as u64;
            self.peak_bytes(&inputs, middle(tile)).saturating_add(band_bytes)
        };
        let work = |tile: TileSize| self.work(&inputs, middle(tile));
        tiles::grid(output, tiles::choose(output, scale, limit, work, bytes))
    }

    /// The picture that goes into each step.
    fn inputs(&self, raster: &Raster) -> Vec<Input> {
        let colours = raster.color().channels();
        let mut size: Extent = (raster.width(), raster.height());
        let mut inputs = Vec::with_capacity(self.links.len());
        for link in &self.links {
            inputs.push(Input { size, colours, alpha: raster.has_alpha() });
            size = link.step.output_size(size);
        }
        inputs
    }

    /// Memory that a render of `rect` takes. Networks keep their buffers between runs, so the
    /// hungriest step counts all the time, with the largest block beside it.
    fn peak_bytes(&self, inputs: &[Input], rect: Rect) -> u64 {
        let rects = trace(&self.links, inputs, rect);
        let steps = || self.links.iter().zip(inputs).zip(rects.windows(2));
        let blocks = steps().map(|((_, input), rects)| input.block_bytes(rects[0]));
        let working =
            steps().map(|((link, input), rects)| link.step.working_bytes(rects[1], *input));
        blocks.max().unwrap_or(16 * area(rect)) + working.max().unwrap_or(0)
    }

    fn work(&self, inputs: &[Input], rect: Rect) -> f64 {
        let rects = trace(&self.links, inputs, rect);
        let steps = self.links.iter().zip(inputs).zip(&rects[1..]);
        // Reading and storing are work, too: without a network the largest tile is the best.
        let moved = area(rects[0]) as f64 + 1000.0;
        moved + steps.map(|((link, input), rect)| link.step.work(*rect, *input)).sum::<f64>()
    }

    /// `rect` of what the first `count` steps make of `picture`.
    fn render_steps(
        &self,
        count: usize,
        picture: &Picture,
        measured: &Measured,
        rect: Rect,
        cx: &WorkContext<'_>,
        cache: Option<&RenderCache>,
    ) -> Result<Planes, PhotoError> {
        cx.cancel.check()?;
        let raster = &picture.raster;
        let links = &self.links[..count];
        let inputs = &self.inputs(raster)[..count];
        let size = links
            .iter()
            .fold((raster.width(), raster.height()), |size, link| link.step.output_size(size));
        if rect.intersect(Rect::new(0, 0, size.0, size.1)) != rect || rect.is_empty() {
            return Err(PhotoError::internal(format!(
                "{rect:?} is not a part of a result of {} x {}",
                size.0, size.1
            )));
        }
        let rects = trace(links, inputs, rect);
        let mut block = Block { rect: rects[0], planes: raster.read(rects[0])? };
        let mut recipe = String::new();
        for (index, (link, input)) in links.iter().zip(inputs).enumerate() {
            let noise = measured.noise(index);
            let memo = cache.map(|cache| {
                let recipe = format!("{recipe}{}", link.step.fingerprint(noise, *input));
                Memo { cache, recipe: Arc::from(recipe) }
            });
            let context = StepContext { work: cx, input: *input, noise, memo };
            let wanted = rects[index + 1];
            let planes = link.step.apply(block, wanted, &context)?;
            block = Block { rect: wanted, planes };
            recipe.push_str(&format!("{:?} {noise:?}; ", link.settings));
        }
        Ok(block.planes)
    }
}

/// What is read of the original and then what each of `links` must produce, for `rect` of the
/// last one's output.
fn trace(links: &[Link], inputs: &[Input], rect: Rect) -> Vec<Rect> {
    let mut rects = vec![rect];
    let mut wanted = rect;
    for (link, input) in links.iter().zip(inputs).rev() {
        wanted = link.step.input_rect(wanted, *input);
        rects.push(wanted);
    }
    rects.reverse();
    rects
}

#[cfg(test)]
mod tests;
