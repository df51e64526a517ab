//! Times what the window waits for, on a generated picture: noise level, reduced view, histogram,
//! colours for the screen, resampling. Each line is the least of three runs.
//!
//! ```text
//! cargo run --release -p limpid-photo --example view_bench -- [MEGAPIXELS]
//! ```
#![allow(clippy::print_stdout)] // a report for the terminal is all this program makes

use std::time::Instant;

use limpid_kernels::{Cancel, Pool};
use limpid_photo::display::{DisplayTransform, fit, histogram, reduced, rgba};
use limpid_photo::resample::{Filter, Resampler};
use limpid_photo::synthetic::{scene, with_noise};
use limpid_photo::{ColorKind, Depth, Layout, Raster, Rect, WorkContext, estimate_noise};

fn timed<T, E>(name: &str, mut work: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut least = f64::INFINITY;
    for _ in 0..2 {
        let began = Instant::now();
        work()?;
        least = least.min(began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let result = work()?;
    least = least.min(began.elapsed().as_secs_f64());
    println!("{name:28} {:8.1} ms", least * 1e3);
    Ok(result)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let megapixels: f64 = std::env::args().nth(1).map_or(Ok(24.0), |text| text.parse())?;
    let height = (megapixels * 1e6 / 1.5).sqrt() as u32;
    let width = height * 3 / 2;
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let mut raster = Raster::new(width, height, layout, 4 << 30)?;
    // One generated piece, laid side by side.
    const PIECE: u32 = 512;
    let piece = with_noise(&scene(PIECE as usize, PIECE as usize, 1), 8.0, 2);
    for y in (0..height).step_by(PIECE as usize) {
        for x in (0..width).step_by(PIECE as usize) {
            let rect = Rect::new(x, y, PIECE.min(width - x), PIECE.min(height - y));
            raster.write(rect, &piece.crop(0, 0, rect.width as usize, rect.height as usize)?)?;
        }
    }
    let (pool, cancel) = (Pool::new(0)?, Cancel::new());
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 4 << 30 };
    println!("{width} x {height}, 8 bit RGB, {} threads", pool.threads());

    let noise = timed("noise level", || estimate_noise(&raster, &cx))?;
    println!("{:28} {:8.2}", "  sigma (8 was added)", noise.sigma);
    timed("histogram", || histogram(&raster, &cx))?;
    let size = fit((width, height), 2048);
    let view = timed("reduced to 2048", || reduced(&raster, raster.rect(), size, &cx))?;
    let plain = DisplayTransform::new(None, ColorKind::Rgb);
    timed("2048 to the screen", || Ok::<_, std::convert::Infallible>(rgba(&view, &plain, &pool)))?;
    let icc = moxcms::ColorProfile::new_display_p3().encode()?;
    let p3 = DisplayTransform::new(Some(&icc), ColorKind::Rgb);
    timed("2048 to the screen, ICC", || {
        Ok::<_, std::convert::Infallible>(rgba(&view, &p3, &pool))
    })?;
    let from = Rect::new(0, 0, view.width() as u32, view.height() as u32);
    let to = Rect::new(0, 0, from.width * 3 / 4, from.height * 3 / 4);
    let resampler =
        Resampler::new(Filter::Lanczos3, (from.width, from.height), (to.width, to.height));
    timed("2048 to 1536, Lanczos", || resampler.apply(&view, from, to, &pool))?;
    Ok(())
}
