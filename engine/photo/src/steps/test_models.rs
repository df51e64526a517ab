//! Small stand-ins for networks, with exact arithmetic on a neighbourhood, so that a wrong halo,
//! alignment or border shows.

use std::sync::atomic::{AtomicUsize, Ordering};

use limpid_kernels::{Planes, RunContext};
use limpid_nets::NetError;

use super::model::Model;

/// Weighted sum over a neighbourhood of `radius`, zero outside the picture, as a convolution
/// would; blends with the input by sigma when it wants one.
#[derive(Debug)]
pub(crate) struct Smoother {
    pub(crate) radius: u32,
    pub(crate) align: u32,
    pub(crate) wants_sigma: bool,
    pub(crate) runs: AtomicUsize,
}

impl Smoother {
    pub(crate) fn new(radius: u32, align: u32, wants_sigma: bool) -> Self {
        Self { radius, align, wants_sigma, runs: AtomicUsize::new(0) }
    }
}

/// The weight of a neighbour, different for each and not symmetric.
fn weight(dx: i64, dy: i64) -> f32 {
    1.0 / (1.0 + (dx * dx + dy * dy) as f32) + 0.01 * (dx as f32) - 0.007 * (dy as f32)
}

fn neighbourhood(input: &Planes, channel: usize, x: usize, y: usize, radius: i64) -> f32 {
    let (mut sum, mut total) = (0.0, 0.0);
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            let (nx, ny) = (x as i64 + dx, y as i64 + dy);
            let inside =
                nx >= 0 && ny >= 0 && nx < input.width() as i64 && ny < input.height() as i64;
            total += weight(dx, dy);
            if inside {
                let sample = input.plane(channel)[ny as usize * input.width() + nx as usize];
                sum += weight(dx, dy) * sample;
            }
        }
    }
    sum / total
}

impl Model for Smoother {
    fn name(&self) -> &str {
        "smoother"
    }

    fn parameters(&self) -> u64 {
        1000
    }

    fn scale(&self) -> u32 {
        1
    }

    fn halo(&self) -> u32 {
        self.radius.next_multiple_of(self.align)
    }

    fn align(&self) -> u32 {
        self.align
    }

    fn wants_sigma(&self) -> bool {
        self.wants_sigma
    }

    fn working_bytes(&self, width: u32, height: u32) -> u64 {
        400 * u64::from(width) * u64::from(height)
    }

    fn run(
        &self,
        input: &Planes,
        sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        cx.cancel.check()?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        assert_eq!(sigma.is_some(), self.wants_sigma);
        let share = sigma.map_or(1.0, |sigma| (sigma * 255.0 / 50.0).min(1.0));
        let mut output = Planes::zeros(3, input.height(), input.width());
        for channel in 0..3 {
            for y in 0..input.height() {
                for x in 0..input.width() {
                    let old = input.plane(channel)[y * input.width() + x];
                    let new = neighbourhood(input, channel, x, y, i64::from(self.radius));
                    output.plane_mut(channel)[y * input.width() + x] = old + share * (new - old);
                }
            }
        }
        Ok(output)
    }
}

/// Enlarges by `scale`, each output pixel from the 3 x 3 around its input pixel.
#[derive(Debug)]
pub(crate) struct Enlarger {
    pub(crate) scale: u32,
}

impl Model for Enlarger {
    fn name(&self) -> &str {
        ["", "", "enlarger-2", "enlarger-3", "enlarger-4"][self.scale as usize]
    }

    fn parameters(&self) -> u64 {
        1000
    }

    fn scale(&self) -> u32 {
        self.scale
    }

    fn halo(&self) -> u32 {
        4
    }

    fn align(&self) -> u32 {
        4
    }

    fn wants_sigma(&self) -> bool {
        false
    }

    fn working_bytes(&self, width: u32, height: u32) -> u64 {
        400 * u64::from(width) * u64::from(height) * u64::from(self.scale * self.scale)
    }

    fn run(
        &self,
        input: &Planes,
        _sigma: Option<f32>,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        cx.cancel.check()?;
        let scale = self.scale as usize;
        let (height, width) = (input.height() * scale, input.width() * scale);
        let mut output = Planes::zeros(3, height, width);
        for channel in 0..3 {
            for y in 0..height {
                for x in 0..width {
                    let phase = ((x % scale) * scale + y % scale) as f32;
                    let value = neighbourhood(input, channel, x / scale, y / scale, 1);
                    output.plane_mut(channel)[y * width + x] = value * (1.0 - 0.01 * phase);
                }
            }
        }
        Ok(output)
    }
}
