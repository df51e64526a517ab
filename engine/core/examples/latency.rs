//! How soon the engine answers while it works with all threads on a large picture: the first pixels
//! of a view, a moved slider, a cancel, the end.
//!
//! `cargo run --release -p limpid-engine --example latency [PICTURE]`; without a picture a noisy one
//! of 24 megapixels is made. Uses the best models on this computer.
#![allow(clippy::print_stdout)] // a program that prints what it measured

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use limpid_engine::{
    Denoise, Destination, Engine, EngineConfig, EngineError, Event, Job, LibraryConfig, Recipe,
    Rect, Side, Stage, StepSettings, Strength, View,
};
use limpid_kernels::{Cancel, Pool};
use limpid_photo::{
    ColorKind, Depth, EncodeOptions, FileFormat, Layout, Picture, Raster, WorkContext, encode,
};

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let dir = tempfile::tempdir()?;
    let picture = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => make_picture(dir.path())?,
    };
    let engine = Engine::start(EngineConfig::new(LibraryConfig::for_user()))?;
    let view = |generation, strength: Strength, zoom| {
        let recipe = Recipe::new([denoise(strength, 1.0)]);
        let visible = match zoom {
            1.0 => Rect::new(2000, 1200, 1280, 800),
            _ => Rect::new(0, 0, u32::MAX, u32::MAX),
        };
        View { generation, path: picture.clone(), recipe, visible, zoom, removed: false }
    };
    time_view(&engine, "open at 100 %", view(1, Strength::Auto, 1.0))?;
    time_view(&engine, "moved strength", view(2, Strength::Fixed(0.3), 1.0))?;
    let mut mixed = view(3, Strength::Fixed(0.3), 1.0);
    mixed.recipe = Recipe::new([denoise(Strength::Fixed(0.3), 0.5)]);
    time_view(&engine, "moved luma", mixed)?;

    let submit = || -> Result<_, EngineError> {
        let (inputs, recipe) = (vec![picture.clone()], Recipe::new([denoise(Strength::Auto, 1.0)]));
        let destination = Destination::File(dir.path().join("out.jpg"));
        engine.submit(Job { inputs, recursive: false, recipe, destination })
    };
    let mut slowest = Duration::ZERO;
    for round in 0..5 {
        let job = submit()?;
        wait(&engine, |event| {
            matches!(event, Event::Progress { stage: Stage::Enhancing(_), fraction, .. }
                if *fraction > 0.06)
        })?;
        std::thread::sleep(Duration::from_millis(37 * round));
        let asked = Instant::now();
        engine.cancel(job);
        wait(&engine, |event| matches!(event, Event::Cancelled { .. }))?;
        slowest = slowest.max(asked.elapsed());
    }
    println!("cancel, slowest of 5: {:.0} ms", slowest.as_secs_f64() * 1e3);

    submit()?;
    wait(&engine, |event| matches!(event, Event::Progress { stage: Stage::Enhancing(_), .. }))?;
    time_view(&engine, "moved strength while the queue works", view(4, Strength::Fixed(0.2), 1.0))?;
    let asked = Instant::now();
    drop(engine);
    println!("end of the engine: {:.0} ms", asked.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn denoise(strength: Strength, luma: f32) -> StepSettings {
    StepSettings::Denoise(Denoise { strength, luma, ..Denoise::default() })
}

/// Waits for the event that `fits`.
fn wait(engine: &Engine, fits: impl Fn(&Event) -> bool) -> Result<Event, Fault> {
    loop {
        let event = engine.events().recv_timeout(Duration::from_secs(120))?;
        match &event {
            Event::Failed { message, .. } | Event::PreviewFailed { message, .. } => {
                return Err(message.clone().into());
            }
            _ if fits(&event) => return Ok(event),
            _ => {}
        }
    }
}

/// Shows `view` and tells when its first pieces came.
fn time_view(engine: &Engine, what: &str, view: View) -> Result<(), Fault> {
    let of = view.generation;
    let asked = Instant::now();
    engine.show(view);
    let is_tile = move |event: &Event, side| matches!(event, Event::Preview(tile) if tile.generation == of && tile.side == side);
    wait(engine, |event| is_tile(event, Side::Before))?;
    let before = asked.elapsed();
    wait(engine, |event| is_tile(event, Side::After))?;
    let first = asked.elapsed();
    // 1280 x 800 pixels touch 4 x 3 tiles at most.
    for _ in 1..12 {
        wait(engine, |event| is_tile(event, Side::After))?;
    }
    let all = asked.elapsed();
    let [before, first, all] = [before, first, all].map(|time| time.as_secs_f64() * 1e3);
    println!("{what}: original {before:.0} ms, first result {first:.0} ms, 12 tiles {all:.0} ms");
    Ok(())
}

/// 6000 x 4000 pixels of gradient and noise, as JPEG.
fn make_picture(dir: &Path) -> Result<PathBuf, Fault> {
    let (width, height) = (6000_u32, 4000_u32);
    let mut bits = 1_u32;
    let samples = (0..width as usize * height as usize * 3).map(|index| {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = ((bits >> 24) + (bits >> 16 & 255)) / 16;
        (index / 3 / width as usize * 200 / height as usize) as u8 + noise as u8
    });
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let raster = Raster::from_bytes(width, height, layout, samples.collect(), u64::MAX)?;
    let format = FileFormat::Jpeg;
    let picture = Picture { raster, metadata: Default::default(), format, path: None };
    let options = EncodeOptions { format, quality: 95, gps_strip: false, band_rows: 256 };
    let path = dir.join("picture.jpg");
    let (pool, cancel) = (Pool::new(0)?, Cancel::new());
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: u64::MAX };
    encode(&picture, (width, height), &options, &path, &mut |rect| picture.raster.read(rect), &cx)?;
    Ok(path)
}
