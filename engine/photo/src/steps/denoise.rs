//! Removes noise, brightness and colour apart.

use limpid_kernels::Planes;
use limpid_nets::{Library, Task};

use super::model::{SharedModel, run_bytes, run_on, run_work, seen};
use super::{Block, Extent, Input, Step, StepContext, area, from_rgb, mix, with_alpha};
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::noise::NoiseLevel;
use crate::settings::{Denoise, Strength};

/// The denoise step with its network.
#[derive(Debug)]
pub(crate) struct DenoiseStep {
    model: SharedModel,
    settings: Denoise,
}

/// What is to be done, settled from the settings and the network's kind.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    /// How often the network runs: 0 leaves the picture as it is, bit for bit.
    passes: u32,
    /// Share of the last pass, above 0 and up to 1.
    share: f32,
    /// The noise level given to the network, `0..=1`; none for one that judges by itself.
    sigma: Option<f32>,
}

impl Plan {
    const NOTHING: Self = Self { passes: 0, share: 0.0, sigma: None };

    /// One pass for noise of `sigma`, `0..=255`.
    fn told(sigma: f32) -> Self {
        let sigma = sigma.min(Strength::FULL_SIGMA) / 255.0;
        Self { passes: 1, share: 1.0, sigma: Some(sigma) }
    }
}

impl DenoiseStep {
    /// Finds and loads the network.
    ///
    /// # Errors
    /// `Model`: there is none, or it cannot be loaded.
    pub(crate) fn build(settings: &Denoise, library: &Library) -> Result<Self, PhotoError> {
        let name = library.resolve(Task::Denoise, &settings.model)?;
        Ok(Self::new(library.load(&name)?, settings.clone()))
    }

    pub(crate) fn new(model: SharedModel, settings: Denoise) -> Self {
        Self { model, settings }
    }

    /// A network that wants the noise level gets the measured one, or for a fixed strength that
    /// share of [`Strength::FULL_SIGMA`], for a grey picture as [`NoiseLevel::for_denoiser`]
    /// says; never more than the full level, which is as far as such networks are trained.
    ///
    /// A network that judges the noise by itself runs once for "auto". A fixed strength up to 0.5
    /// takes that much of its change, all of it at 0.5; above, the network runs again on its own
    /// result and more and more of that second change is added, all of it at 1.
    fn plan(&self, measured_sigma: f32, colours: usize) -> Plan {
        let Denoise { strength, luma, chroma, .. } = self.settings;
        let untouched = luma == 0.0 && (chroma == 0.0 || colours == 1);
        if untouched || strength == Strength::Fixed(0.0) {
            return Plan::NOTHING;
        }
        match (self.model.wants_sigma(), strength) {
            (true, Strength::Auto) if measured_sigma <= 0.0 => Plan::NOTHING,
            (true, Strength::Auto) => Plan::told(measured_sigma),
            (true, Strength::Fixed(value)) => {
                let shared = if colours == 1 { NoiseLevel::INDEPENDENT } else { 1.0 };
                Plan::told(value * Strength::FULL_SIGMA * shared)
            }
            (false, Strength::Auto) => Plan { passes: 1, share: 1.0, sigma: None },
            (false, Strength::Fixed(value)) if value <= 0.5 => {
                Plan { passes: 1, share: 2.0 * value, sigma: None }
            }
            (false, Strength::Fixed(value)) => {
                Plan { passes: 2, share: 2.0 * value - 1.0, sigma: None }
            }
        }
    }

    /// The most passes that any measured level leads to.
    fn passes(&self, input: Input) -> u32 {
        self.plan(1.0, input.colours).passes
    }

    /// What each pass must produce for the output's `rect`, last pass first; one entry a pass.
    fn pass_rects(&self, rect: Rect, input: Input) -> Vec<Rect> {
        let grow = |inner: &Rect| Some(seen(self.model.as_ref(), *inner, input.size));
        std::iter::successors(Some(rect), grow).take(self.passes(input) as usize).collect()
    }

    /// What the network makes of `rgb` in `rect`, `[3, H, W]`.
    fn network_output(
        &self,
        rgb: Block,
        rect: Rect,
        plan: Plan,
        cx: &StepContext<'_>,
    ) -> Result<Planes, PhotoError> {
        let (size, work) = (cx.input.size, cx.work);
        let mut block = rgb;
        let rects = self.pass_rects(rect, cx.input);
        for (index, pass_rect) in rects.iter().rev().enumerate() {
            let model = self.model.as_ref();
            let mut output = run_on(model, &block, *pass_rect, size, plan.sigma, work)?;
            let is_last = index + 1 == rects.len();
            if is_last && plan.share < 1.0 {
                let before = block.crop(*pass_rect)?;
                mix(&before, &mut output, plan.share, plan.share, work.pool);
            }
            block = Block { rect: *pass_rect, planes: output };
        }
        Ok(block.planes)
    }
}

impl Step for DenoiseStep {
    fn output_size(&self, size: Extent) -> Extent {
        size
    }

    fn models(&self) -> Vec<String> {
        vec![self.model.name().to_owned()]
    }

    fn needs_noise(&self) -> bool {
        self.settings.strength == Strength::Auto && self.model.wants_sigma()
    }

    fn input_rect(&self, rect: Rect, input: Input) -> Rect {
        let outermost = self.pass_rects(rect, input).last().copied();
        outermost.map_or(rect, |pass| seen(self.model.as_ref(), pass, input.size))
    }

    fn working_bytes(&self, rect: Rect, input: Input) -> u64 {
        let pass = |pass: &Rect| run_bytes(self.model.as_ref(), *pass, input.size);
        let largest = self.pass_rects(rect, input).iter().map(pass).max().unwrap_or(0);
        // Beside the running pass: the input as RGB, the original of the region, the result.
        largest + 12 * area(self.input_rect(rect, input)) + 2 * input.block_bytes(rect)
    }

    fn work(&self, rect: Rect, input: Input) -> f64 {
        let pass = |pass: &Rect| run_work(self.model.as_ref(), *pass, input.size);
        self.pass_rects(rect, input).iter().map(pass).sum()
    }

    fn fingerprint(&self, sigma: f32, input: Input) -> String {
        // Luma and chroma say how the network's result is used, not what it is.
        format!("denoise {} {:?}", self.model.name(), self.plan(sigma, input.colours))
    }

    fn apply(&self, input: Block, rect: Rect, cx: &StepContext<'_>) -> Result<Planes, PhotoError> {
        let Input { colours, alpha, .. } = cx.input;
        let plan = self.plan(cx.sigma, colours);
        let original = input.crop(rect)?;
        if plan.passes == 0 {
            return Ok(original);
        }
        let compute = || {
            let rgb = if colours == 3 && !alpha { input } else { input.to_rgb(colours)? };
            self.network_output(rgb, rect, plan, cx)
        };
        let mut result = match &cx.memo {
            Some(memo) => memo.recall(rect, compute)?,
            None => compute()?,
        };
        let before = Block { rect, planes: original };
        let Denoise { luma, chroma, .. } = self.settings;
        if colours == 1 {
            // A grey picture has no colour of its own: what the network adds is dropped.
            let mut grey = from_rgb(result, 1)?;
            if luma < 1.0 {
                for (new, old) in grey.data_mut().iter_mut().zip(before.planes.plane(0)) {
                    *new = old + luma * (*new - old);
                }
            }
            result = grey;
        } else {
            mix(&before.planes, &mut result, luma, chroma, cx.work.pool);
        }
        if alpha { with_alpha(result, before.planes.plane(colours)) } else { Ok(result) }
    }
}
