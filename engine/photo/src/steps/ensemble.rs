//! A network asked four times, of the picture and of its mirror images, and the mean taken: what
//! it is unsure of differs between the answers and averages out (geometric self-ensemble, Timofte,
//! Rothe and Van Gool 2016, section 3.5).

use std::sync::Arc;

use limpid_kernels::{Planes, RunContext};
use limpid_nets::NetError;

use super::model::{Model, SharedModel};
use crate::settings::Effort;

/// Mirrored left to right, top to bottom. Quarter turns would add four more and, measured on the
/// built-in networks, a quarter of the gain for as much work again.
const VIEWS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// `model` as `effort` wants it run.
pub(crate) fn for_effort(model: SharedModel, effort: Effort) -> SharedModel {
    match effort {
        Effort::Fast => model,
        Effort::Best => Arc::new(Ensemble { model }),
    }
}

/// The mean of a network's answers to the four mirror images of a picture, mirrored back.
#[derive(Debug)]
struct Ensemble {
    model: SharedModel,
}

impl Model for Ensemble {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn parameters(&self) -> u64 {
        VIEWS.len() as u64 * self.model.parameters()
    }

    fn scale(&self) -> u32 {
        self.model.scale()
    }

    fn halo(&self) -> u32 {
        self.model.halo()
    }

    fn align(&self) -> u32 {
        self.model.align()
    }

    fn wants_sigma(&self) -> bool {
        self.model.wants_sigma()
    }

    fn working_bytes(&self, width: u32, height: u32) -> u64 {
        let scale = u64::from(self.scale());
        let pixels = u64::from(width + self.align()) * u64::from(height + self.align());
        // A mirrored input with its noise map and the sum, beside the network at work and its answer.
        self.model.working_bytes(width, height) + pixels * (16 + 12 * scale * scale)
    }

    fn run(
        &self,
        input: &Planes,
        sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        let (height, width) = (input.height(), input.width());
        let align = self.align().max(1) as usize;
        // Mirrored, an edge that is no multiple would lie at the other side: the network's grid
        // would shift, and a tile would no longer repeat the whole picture's arithmetic.
        let fitting =
            input.with_repeated_edge(height.next_multiple_of(align), width.next_multiple_of(align));
        let scale = self.scale() as usize;
        let mut sum = Planes::zeros(3, fitting.height() * scale, fitting.width() * scale);
        for view in VIEWS {
            let answer = self.model.run(&mirrored(fitting.clone(), view), sigma, cx)?;
            add(&mut sum, &mirrored(answer, view));
        }
        sum.data_mut().iter_mut().for_each(|value| *value /= VIEWS.len() as f32);
        Ok(sum.crop(0, 0, width * scale, height * scale)?)
    }
}

fn add(sum: &mut Planes, other: &Planes) {
    for (sum, value) in sum.data_mut().iter_mut().zip(other.data()) {
        *sum += value;
    }
}

/// `x` with its columns and rows in reverse, as asked.
fn mirrored(mut x: Planes, (columns, rows): (bool, bool)) -> Planes {
    let (width, height) = (x.width(), x.height());
    for channel in 0..x.channels() {
        let plane = x.plane_mut(channel);
        if columns {
            plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        if rows {
            for y in 0..height / 2 {
                let (upper, lower) = plane.split_at_mut((height - 1 - y) * width);
                upper[y * width..][..width].swap_with_slice(&mut lower[..width]);
            }
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use limpid_kernels::{Cancel, Pool};

    use super::*;
    use crate::steps::test_models::{Enlarger, Smoother};

    #[test]
    fn a_mirrored_picture_gives_the_mirrored_result() {
        let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let data = (0..3 * 8 * 12).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let picture = Planes::from_vec(3, 8, 12, data).unwrap();
        let models: [SharedModel; 2] =
            [Arc::new(Smoother::new(2, 1, false)), Arc::new(Enlarger { scale: 2 })];
        for model in models {
            let run = |model: &SharedModel, view| {
                mirrored(model.run(&mirrored(picture.clone(), view), None, &cx).unwrap(), view)
            };
            let distance = |a: &Planes, b: &Planes| {
                let pairs = a.data().iter().zip(b.data());
                pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            let best = for_effort(model.clone(), Effort::Best);
            for view in VIEWS {
                let apart = distance(&run(&best, VIEWS[0]), &run(&best, view));
                assert!(apart < 1e-6, "{} {view:?}: {apart}", model.name());
            }
            assert!(distance(&run(&model, VIEWS[0]), &run(&model, VIEWS[1])) > 1e-3);
        }
    }
}
