//! Removes noise, brightness and colour apart.

use limpid_kernels::Planes;
use limpid_nets::{Library, Task};

use super::ensemble::for_effort;
use super::model::{SharedModel, run_bytes, run_on, run_work, seen};
use super::{Block, Extent, Input, Step, StepContext, area, from_rgb, mix, with_alpha};
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::noise::{NoiseCurve, NoiseLevel};
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
    /// How that level depends on the brightness.
    curve: NoiseCurve,
}

impl Plan {
    const NOTHING: Self = Self { passes: 0, share: 0.0, sigma: None, curve: NoiseCurve::FLAT };

    /// One pass for noise of `sigma`, `0..=255`, that depends on the brightness as `curve` says.
    fn told(sigma: f32, curve: NoiseCurve) -> Self {
        let sigma = sigma.min(Strength::FULL_SIGMA) / 255.0;
        Self { passes: 1, share: 1.0, sigma: Some(sigma), curve }
    }

    /// As many passes by a network that judges the noise by itself.
    fn blind(passes: u32, share: f32) -> Self {
        Self { passes, share, sigma: None, curve: NoiseCurve::FLAT }
    }
}

/// What a picture without any measurable noise counts as, where a level is a divisor.
const LEAST_SIGMA: f32 = 1.0;

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
        Self { model: for_effort(model, settings.effort), settings }
    }

    /// A network that wants the noise level gets the measured one, or for a fixed strength that
    /// share of [`Strength::FULL_SIGMA`], both as [`NoiseLevel::for_denoiser`] says; never more
    /// than the full level, which is as far as such networks are trained. Where the noise depends on
    /// the brightness it gets a map: that level times [`NoiseLevel::curve`] at each pixel.
    ///
    /// A network that judges the noise by itself runs once for "auto". A fixed strength is
    /// compared with the measured level, so that it means the same to every network: of less noise
    /// than measured, that share of the network's change is taken; of more, the network runs again
    /// on its own result and more and more of that second change is added, all of it at twice the
    /// measured level and beyond.
    fn plan(&self, measured: NoiseLevel, colours: usize) -> Plan {
        let Denoise { strength, luma, chroma, .. } = self.settings;
        let untouched = luma == 0.0 && (chroma == 0.0 || colours == 1);
        if untouched || strength == Strength::Fixed(0.0) {
            return Plan::NOTHING;
        }
        match (self.model.wants_sigma(), strength) {
            (true, Strength::Auto) if measured.sigma <= 0.0 => Plan::NOTHING,
            (true, Strength::Auto) => Plan::told(measured.for_denoiser(), measured.curve),
            (true, Strength::Fixed(value)) => {
                Plan::told(measured.told(value * Strength::FULL_SIGMA), measured.curve)
            }
            (false, Strength::Auto) => Plan::blind(1, 1.0),
            (false, Strength::Fixed(value)) => {
                let ratio = value * Strength::FULL_SIGMA / measured.sigma.max(LEAST_SIGMA);
                let passes = if ratio <= 1.0 { 1 } else { 2 };
                let share = if ratio <= 1.0 { ratio } else { (ratio - 1.0).min(1.0) };
                Plan::blind(passes, share)
            }
        }
    }

    /// The most passes that any measured level leads to.
    fn passes(&self, input: Input) -> u32 {
        let barely = NoiseLevel { sigma: LEAST_SIGMA, ..NoiseLevel::default() };
        self.plan(barely, input.colours).passes
    }

    /// What each pass must produce for the output's `rect`, last pass first; one entry a pass.
    fn pass_rects(&self, rect: Rect, input: Input, passes: u32) -> Vec<Rect> {
        let grow = |inner: &Rect| Some(seen(self.model.as_ref(), *inner, input.size));
        std::iter::successors(Some(rect), grow).take(passes as usize).collect()
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
        let mut block = match plan.sigma {
            Some(sigma) if !plan.curve.is_flat() => {
                let most = Strength::FULL_SIGMA / 255.0 / sigma.max(f32::MIN_POSITIVE);
                Block { rect: rgb.rect, planes: plan.curve.with_map(&rgb.planes, most) }
            }
            _ => rgb,
        };
        let rects = self.pass_rects(rect, cx.input, plan.passes);
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
        self.settings.strength != Strength::Auto || self.model.wants_sigma()
    }

    fn input_rect(&self, rect: Rect, input: Input) -> Rect {
        let outermost = self.pass_rects(rect, input, self.passes(input)).last().copied();
        outermost.map_or(rect, |pass| seen(self.model.as_ref(), pass, input.size))
    }

    fn working_bytes(&self, rect: Rect, input: Input) -> u64 {
        let pass = |pass: &Rect| run_bytes(self.model.as_ref(), *pass, input.size);
        let largest =
            self.pass_rects(rect, input, self.passes(input)).iter().map(pass).max().unwrap_or(0);
        // Beside the running pass: the input as RGB with a map, the original of the region, the result.
        largest + 16 * area(self.input_rect(rect, input)) + 2 * input.block_bytes(rect)
    }

    fn work(&self, rect: Rect, input: Input) -> f64 {
        let pass = |pass: &Rect| run_work(self.model.as_ref(), *pass, input.size);
        self.pass_rects(rect, input, self.passes(input)).iter().map(pass).sum()
    }

    fn fingerprint(&self, noise: NoiseLevel, input: Input) -> String {
        // Luma and chroma say how the network's result is used, not what it is.
        let (name, effort) = (self.model.name(), self.settings.effort);
        format!("denoise {name} {effort:?} {:?}", self.plan(noise, input.colours))
    }

    fn apply(&self, input: Block, rect: Rect, cx: &StepContext<'_>) -> Result<Planes, PhotoError> {
        let Input { colours, alpha, .. } = cx.input;
        let plan = self.plan(cx.noise, colours);
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
