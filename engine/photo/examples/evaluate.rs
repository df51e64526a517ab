//! Scores noise measurement, denoising and upscaling on a folder of clean PNG pictures.
//!
//! ```text
//! cargo run --release -p limpid-photo --example evaluate -- --data FOLDER [--only noise|denoise|upscale]
//! ```
//!
//! White Gaussian noise of standard deviation 5, 15, 25 and 50 is added from a fixed seed and
//! rounded to 8 bit, as a file would hold it. Every figure is a mean over the pictures. PSNR is
//! over all three channels of the 8-bit result; for upscaling without a border of `scale` pixels.
#![allow(clippy::print_stdout)] // a report for the terminal is all this program makes

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use limpid_kernels::{Cancel, Planes, Pool};
use limpid_nets::{Library, LibraryConfig, Task};
use limpid_photo::metadata::Metadata;
use limpid_photo::resample::{Filter, Resampler};
use limpid_photo::settings::{Denoise, Size, StepSettings, Strength, Upscale};
use limpid_photo::synthetic::{in_8_bit, psnr_db, with_noise};
use limpid_photo::{
    Chain, ColorKind, Depth, FileFormat, Layout, Picture, Raster, Rect, WorkContext, estimate_noise,
};

type Failure = Box<dyn std::error::Error>;

const LAYOUT: Layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
const BUDGET_BYTES: u64 = 2 << 30;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let folder = option("--data").ok_or("usage: evaluate --data FOLDER [--only PART]")?;
    let only = option("--only");
    let wants = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let pictures = read_folder(Path::new(&folder))?;
    println!("{} pictures", pictures.len());

    let (pool, cancel) = (Pool::new(0)?, Cancel::new());
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: BUDGET_BYTES };
    let library = Library::open(LibraryConfig::for_user())?;
    if wants("noise") {
        noise(&pictures, &cx)?;
    }
    if wants("denoise") {
        denoise(&pictures, &library, &cx)?;
    }
    if wants("upscale") {
        upscale(&pictures, &library, &cx)?;
    }
    Ok(())
}

fn read_folder(folder: &Path) -> Result<Vec<Planes>, Failure> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, Failure>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    paths.sort();
    let read = |path: &PathBuf| {
        let rgb = image::open(path)?.into_rgb8();
        let (width, height) = (rgb.width() as usize, rgb.height() as usize);
        let samples = rgb.into_raw();
        let channel = |c: usize| samples[c..].iter().step_by(3).map(|v| f32::from(*v) / 255.0);
        let data = (0..3).flat_map(channel).collect();
        Ok(Planes::from_vec(3, height, width, data)?)
    };
    paths.iter().map(read).collect()
}

fn picture(planes: &Planes) -> Result<Picture, Failure> {
    let (width, height) = (planes.width() as u32, planes.height() as u32);
    let mut raster = Raster::new(width, height, LAYOUT, BUDGET_BYTES)?;
    raster.write(raster.rect(), planes)?;
    Ok(Picture { raster, metadata: Metadata::default(), format: FileFormat::Png, path: None })
}

fn noisy(clean: &Planes, sigma: f32, index: usize) -> Planes {
    in_8_bit(with_noise(clean, sigma, 1000 * sigma as u64 + index as u64))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn noise(pictures: &[Planes], cx: &WorkContext<'_>) -> Result<(), Failure> {
    println!(
        "\nnoise measured blind\nsigma   mean error   mean |error|   worst   worst told to a denoiser"
    );
    for sigma in [0.0_f32, 5.0, 15.0, 25.0, 50.0] {
        let (mut errors, mut told) = (Vec::new(), Vec::new());
        for (index, clean) in pictures.iter().enumerate() {
            let found = estimate_noise(&picture(&noisy(clean, sigma, index))?.raster, cx)?;
            errors.push(f64::from(found.sigma - sigma));
            told.push(f64::from(found.for_denoiser() - sigma));
        }
        let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        let worst = |errors: &[f64]| {
            let largest = errors.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            largest.unwrap_or_default()
        };
        println!(
            "{sigma:5}   {:10.2}   {:12.2}   {:5.2}   {:23.2}",
            mean(&errors),
            mean(&sizes),
            worst(&errors),
            worst(&told)
        );
    }
    Ok(())
}

fn run_chain(
    step: StepSettings,
    library: &Library,
    input: &Planes,
    cx: &WorkContext<'_>,
) -> Result<Planes, Failure> {
    let chain = Chain::build(&[step], library)?;
    let picture = picture(input)?;
    let measured = chain.measure(&picture, cx)?;
    let (width, height) = chain.output_size(picture.width(), picture.height());
    let mut result = Raster::new(width, height, LAYOUT, BUDGET_BYTES)?;
    for tile in chain.tiles(&picture, cx.budget_bytes) {
        result.write(tile, &chain.render(&picture, &measured, tile, cx)?)?;
    }
    Ok(result.read(result.rect())?)
}

fn denoise(pictures: &[Planes], library: &Library, cx: &WorkContext<'_>) -> Result<(), Failure> {
    println!("\ndenoise, PSNR in dB\nmodel              sigma   noisy   known level   auto");
    let models = library.models().into_iter();
    for card in models.filter(|card| card.installed && card.task == Task::Denoise) {
        let is_told = library.load(&card.name)?.wants_sigma();
        for sigma in [15.0_f32, 25.0, 50.0] {
            let (mut before, mut known, mut auto) = (Vec::new(), Vec::new(), Vec::new());
            for (index, clean) in pictures.iter().enumerate() {
                let noisy = noisy(clean, sigma, index);
                let score = |strength| -> Result<f64, Failure> {
                    let settings =
                        Denoise { strength, model: card.name.clone(), ..Denoise::default() };
                    let step = StepSettings::Denoise(settings);
                    Ok(psnr_db(&run_chain(step, library, &noisy, cx)?, clean))
                };
                before.push(psnr_db(&noisy, clean));
                if is_told {
                    known.push(score(Strength::Fixed(sigma / Strength::FULL_SIGMA))?);
                }
                auto.push(score(Strength::Auto)?);
            }
            let told =
                if is_told { format!("{:11.2}", mean(&known)) } else { "          -".into() };
            println!(
                "{:18} {sigma:5}   {:5.2}   {told}   {:4.2}",
                card.name,
                mean(&before),
                mean(&auto)
            );
        }
    }
    Ok(())
}

fn upscale(pictures: &[Planes], library: &Library, cx: &WorkContext<'_>) -> Result<(), Failure> {
    println!("\nupscale, PSNR in dB\nscale   bicubic   auto   models");
    for scale in [2_u32, 3, 4] {
        let (mut bicubic, mut network) = (Vec::new(), Vec::new());
        let step =
            StepSettings::Upscale(Upscale { size: Size::Scale(scale), ..Upscale::default() });
        let models = match Chain::build(std::slice::from_ref(&step), library) {
            Ok(chain) => chain.models(),
            Err(error) => {
                println!("{scale:5}   {error}");
                continue;
            }
        };
        for clean in pictures {
            let size = |planes: &Planes| (planes.width() as u32, planes.height() as u32);
            let resize = |planes: &Planes, to: (u32, u32)| -> Result<Planes, Failure> {
                let resampler = Resampler::new(Filter::CatmullRom, size(planes), to);
                let (w, h) = size(planes);
                let (source, target) = (Rect::new(0, 0, w, h), Rect::new(0, 0, to.0, to.1));
                Ok(in_8_bit(resampler.apply(planes, source, target, cx.pool)?))
            };
            let small_size = (size(clean).0 / scale, size(clean).1 / scale);
            let large_size = (small_size.0 * scale, small_size.1 * scale);
            let clean = clean.crop(0, 0, large_size.0 as usize, large_size.1 as usize)?;
            let small = resize(&clean, small_size)?;
            let score = |large: &Planes| -> Result<f64, Failure> {
                let border = scale as usize;
                let inner = |planes: &Planes| {
                    let (w, h) = (planes.width() - 2 * border, planes.height() - 2 * border);
                    planes.crop(border, border, w, h)
                };
                Ok(psnr_db(&inner(large)?, &inner(&clean)?))
            };
            bicubic.push(score(&resize(&small, large_size)?)?);
            network.push(score(&run_chain(step.clone(), library, &small, cx)?)?);
        }
        println!(
            "{scale:5}   {:7.2}   {:5.2}   {}",
            mean(&bicubic),
            mean(&network),
            models.join(", ")
        );
    }
    Ok(())
}
