//! Makes a picture larger, by a network where it draws detail and by a filter for what is left.

use std::collections::BTreeMap;

use limpid_kernels::Planes;
use limpid_nets::{Library, LoadErrorKind, Task};

use super::ensemble::for_effort;
use super::model::{SharedModel, run_bytes, run_on, run_work, seen, shrunk};
use super::{Block, Extent, Input, Step, StepContext, area, from_rgb, with_alpha};
use crate::error::{ErrorKind, PhotoError};
use crate::geometry::Rect;
use crate::noise::NoiseLevel;
use crate::resample::{Filter, Resampler};
use crate::settings::{Effort, Size, Upscale};

/// Factors that networks are asked for.
const SCALES: [u32; 3] = [2, 3, 4];
/// Networks run one after the other at most.
const NETWORKS_MAX: usize = 2;

/// The upscale step with its networks.
#[derive(Debug)]
pub(crate) struct UpscaleStep {
    size: Size,
    effort: Effort,
    /// By factor; never empty.
    models: BTreeMap<u32, SharedModel>,
}

/// One stage on the way from a picture to the larger one.
#[derive(Clone, Debug)]
enum Stage {
    Network(SharedModel),
    Filter(Resampler),
}

/// A stage, and the size of the picture that goes into it.
#[derive(Clone, Debug)]
struct Link {
    stage: Stage,
    input: Extent,
}

impl Link {
    /// The region of its input that `rect` of its output is computed from.
    fn input_rect(&self, rect: Rect) -> Rect {
        match &self.stage {
            Stage::Network(model) => seen(model.as_ref(), shrunk(rect, model.scale()), self.input),
            Stage::Filter(resampler) => resampler.input_rect(rect),
        }
    }

    fn working_bytes(&self, rect: Rect) -> u64 {
        match &self.stage {
            Stage::Network(model) => run_bytes(model.as_ref(), rect, self.input),
            // The rows at their new width, and the result.
            Stage::Filter(_) => {
                let rows = self.input_rect(rect).height;
                12 * (u64::from(rows) * u64::from(rect.width) + area(rect))
            }
        }
    }

    fn work(&self, rect: Rect) -> f64 {
        match &self.stage {
            Stage::Network(model) => run_work(model.as_ref(), rect, self.input),
            Stage::Filter(_) => area(rect) as f64 * 36.0,
        }
    }
}

impl UpscaleStep {
    /// Finds and loads the networks that the size may need.
    ///
    /// # Errors
    /// `Model`: there is none, the named one does something else, or one cannot be loaded.
    pub(crate) fn build(settings: &Upscale, library: &Library) -> Result<Self, PhotoError> {
        let mut models = BTreeMap::<u32, SharedModel>::new();
        let mut missing = None;
        for scale in SCALES {
            match library.resolve(Task::Upscale { scale }, &settings.model) {
                Ok(name) => {
                    models.insert(scale, library.load(&name)?);
                }
                // Another factor may do: the rest is composed.
                Err(error) if error.kind() == LoadErrorKind::NoModel => missing = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        if models.is_empty() {
            return Err(match missing {
                Some(error) if settings.model != "auto" => error.into(),
                _ => PhotoError::new(
                    ErrorKind::Model,
                    "no model that can enlarge a picture is on this computer",
                ),
            });
        }
        Ok(Self::new(models, settings.size, settings.effort))
    }

    pub(crate) fn new(mut models: BTreeMap<u32, SharedModel>, size: Size, effort: Effort) -> Self {
        if let Size::Scale(scale) = size {
            let used = factors(&models, f64::from(scale));
            models.retain(|scale, _| used.contains(scale));
        }
        let models = models.into_iter().map(|(scale, m)| (scale, for_effort(m, effort)));
        Self { size, effort, models: models.collect() }
    }

    /// The stages from a picture of `size` to the output, none when it stays as it is.
    ///
    /// The networks are those whose factors multiply to the ratio, else to the next larger one
    /// that can be had; a filter then brings the result to the exact size.
    fn links(&self, size: Extent) -> Vec<Link> {
        let target = self.output_size(size);
        if target == size {
            return Vec::new();
        }
        let ratio = match self.size {
            Size::Scale(scale) => f64::from(scale),
            Size::LongEdge(edge) => f64::from(edge) / f64::from(size.0.max(size.1).max(1)),
        };
        let mut links = Vec::new();
        let mut current = size;
        for scale in factors(&self.models, ratio) {
            let Some(model) = self.models.get(&scale) else { continue };
            links.push(Link { stage: Stage::Network(model.clone()), input: current });
            current = scaled(current, scale);
        }
        if current != target {
            let resampler = Resampler::new(Filter::Lanczos3, current, target);
            links.push(Link { stage: Stage::Filter(resampler), input: current });
        }
        links
    }

    /// What each stage must produce for the output's `rect`, first stage first.
    fn stage_rects(links: &[Link], rect: Rect) -> Vec<Rect> {
        let mut rects = vec![rect];
        for link in links.iter().skip(1).rev() {
            let next = rects[rects.len() - 1];
            rects.push(link.input_rect(next));
        }
        rects.reverse();
        rects
    }

    /// The filter that enlarges alpha in one go.
    fn alpha_filter(&self, size: Extent) -> Resampler {
        Resampler::new(Filter::CatmullRom, size, self.output_size(size))
    }
}

/// The factors of the networks to run for a picture `ratio` times as large, in order.
fn factors(models: &BTreeMap<u32, SharedModel>, ratio: f64) -> Vec<u32> {
    let mut ways: Vec<Vec<u32>> = vec![Vec::new()];
    let mut all = Vec::new();
    for _ in 0..NETWORKS_MAX {
        ways = ways
            .iter()
            .flat_map(|way| {
                models
                    .keys()
                    .map(move |scale| [way.as_slice(), std::slice::from_ref(scale)].concat())
            })
            .collect();
        all.extend(ways.iter().cloned());
    }
    let product = |way: &Vec<u32>| way.iter().product::<u32>();
    // The smallest product that reaches the ratio in the fewest networks, else the largest.
    let reaching = all.iter().filter(|way| f64::from(product(way)) >= ratio);
    let best = reaching.min_by_key(|way| (product(way), way.len()));
    best.or_else(|| all.iter().max_by_key(|way| product(way))).cloned().unwrap_or_default()
}

fn scaled(size: Extent, scale: u32) -> Extent {
    (size.0.saturating_mul(scale), size.1.saturating_mul(scale))
}

/// The smallest rectangle around both.
fn around(a: Rect, b: Rect) -> Rect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let (right, bottom) = (a.right().max(b.right()), a.bottom().max(b.bottom()));
    Rect::new(x, y, right - x, bottom - y)
}

impl Step for UpscaleStep {
    fn output_size(&self, size: Extent) -> Extent {
        match self.size {
            Size::Scale(scale) => scaled(size, scale.max(1)),
            Size::LongEdge(edge) => {
                let long = size.0.max(size.1);
                if edge <= long || long == 0 {
                    return size;
                }
                let side = |length: u32| {
                    let exact = f64::from(length) * f64::from(edge) / f64::from(long);
                    (exact.round() as u32).max(1)
                };
                (side(size.0), side(size.1))
            }
        }
    }

    fn models(&self) -> Vec<String> {
        self.models.values().map(|model| model.name().to_owned()).collect()
    }

    fn needs_noise(&self) -> bool {
        false
    }

    fn input_rect(&self, rect: Rect, input: Input) -> Rect {
        let links = self.links(input.size);
        let Some(first) = links.first() else { return rect };
        let needed = first.input_rect(Self::stage_rects(&links, rect)[0]);
        if input.alpha {
            around(needed, self.alpha_filter(input.size).input_rect(rect))
        } else {
            needed
        }
    }

    fn working_bytes(&self, rect: Rect, input: Input) -> u64 {
        let links = self.links(input.size);
        let rects = Self::stage_rects(&links, rect);
        let stages = links.iter().zip(&rects).map(|(link, rect)| {
            // The stage, and the RGB picture that goes into it.
            link.working_bytes(*rect) + 12 * area(link.input_rect(*rect))
        });
        stages.max().unwrap_or(0) + 2 * input.block_bytes(rect)
    }

    fn work(&self, rect: Rect, input: Input) -> f64 {
        let links = self.links(input.size);
        let rects = Self::stage_rects(&links, rect);
        links.iter().zip(&rects).map(|(link, rect)| link.work(*rect)).sum()
    }

    fn fingerprint(&self, _noise: NoiseLevel, _input: Input) -> String {
        format!("upscale {:?} {:?} {:?}", self.models(), self.effort, self.size)
    }

    fn apply(&self, input: Block, rect: Rect, cx: &StepContext<'_>) -> Result<Planes, PhotoError> {
        let Input { size, colours, alpha } = cx.input;
        let links = self.links(size);
        if links.is_empty() {
            return input.crop(rect);
        }
        let enlarged_alpha = if alpha {
            let (height, width) = (input.planes.height(), input.planes.width());
            let plane = input.planes.plane(colours).to_vec();
            let plane = Planes::from_vec(1, height, width, plane)?;
            let filter = self.alpha_filter(size);
            Some(filter.apply(&plane, input.rect, rect, cx.work.pool)?)
        } else {
            None
        };
        let compute = || {
            let mut block = if colours == 3 && !alpha { input } else { input.to_rgb(colours)? };
            for (link, rect) in links.iter().zip(Self::stage_rects(&links, rect)) {
                let planes = match &link.stage {
                    Stage::Network(model) => {
                        run_on(model.as_ref(), &block, rect, link.input, None, cx.work)?
                    }
                    Stage::Filter(resampler) => {
                        cx.work.cancel.check()?;
                        resampler.apply(&block.planes, block.rect, rect, cx.work.pool)?
                    }
                };
                block = Block { rect, planes };
            }
            Ok(block.planes)
        };
        let rgb = match &cx.memo {
            Some(memo) => memo.recall(rect, compute)?,
            None => compute()?,
        };
        let colour = from_rgb(rgb, colours)?;
        match enlarged_alpha {
            Some(alpha) => with_alpha(colour, alpha.data()),
            None => Ok(colour),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::steps::test_models::Enlarger;

    fn step(scales: &[u32], size: Size) -> UpscaleStep {
        let models = scales
            .iter()
            .map(|scale| (*scale, Arc::new(Enlarger { scale: *scale }) as SharedModel))
            .collect();
        UpscaleStep::new(models, size, Effort::Fast)
    }

    #[test]
    fn networks_are_chosen_for_the_ratio() {
        let all: &[u32] = &[2, 3, 4];
        let cases: &[(&[u32], f64, &[u32])] = &[
            (all, 2.0, &[2]),
            (all, 3.0, &[3]),
            (all, 4.0, &[4]),
            (all, 1.2, &[2]),
            (all, 5.0, &[2, 3]),
            (all, 8.0, &[2, 4]),
            (all, 500.0, &[4, 4]),
            (&[2], 4.0, &[2, 2]),
            (&[2], 3.0, &[2, 2]),
            (&[2, 4], 3.0, &[4]),
            (&[4], 2.0, &[4]),
        ];
        let mut wrong = Vec::new();
        for (scales, ratio, wanted) in cases {
            let found = factors(&step(scales, Size::LongEdge(9)).models, *ratio);
            if found != *wanted {
                wrong.push(format!("{scales:?} for {ratio}: {found:?}, not {wanted:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn sizes_follow_the_settings() {
        let cases = [
            (Size::Scale(3), (10, 7), (30, 21)),
            (Size::LongEdge(300), (200, 100), (300, 150)),
            (Size::LongEdge(300), (100, 200), (150, 300)),
            (Size::LongEdge(100), (200, 100), (200, 100)),
            (Size::LongEdge(200), (200, 100), (200, 100)),
            (Size::LongEdge(300), (1, 250), (1, 300)),
            (Size::LongEdge(65_535), (1, 1), (65_535, 65_535)),
        ];
        for (size, input, wanted) in cases {
            assert_eq!(step(&[2, 4], size).output_size(input), wanted, "{size:?} {input:?}");
        }
    }

    #[test]
    fn only_the_networks_of_a_fixed_factor_are_named() {
        assert_eq!(step(&[2, 3, 4], Size::Scale(2)).models(), ["enlarger-2"]);
        assert_eq!(step(&[2], Size::Scale(4)).models(), ["enlarger-2"]);
    }
}
