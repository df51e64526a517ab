use std::collections::BTreeMap;

use limpid_kernels::{Cancel, Pool};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::format::FileFormat;
use crate::metadata::Metadata;
use crate::raster::{ColorKind, Depth, Layout};
use crate::settings::{Denoise, Effort, Size, Strength, Upscale};
use crate::steps::model::SharedModel;
use crate::steps::test_models::{Enlarger, Smoother};
use crate::synthetic::{scene, with_noise};

const BUDGET: u64 = 1 << 30;

/// A picture of the given kind with noise in it; alpha falls from left to right.
fn picture(width: u32, height: u32, color: ColorKind, alpha: bool) -> Picture {
    let layout = Layout { color, alpha, depth: Depth::U8 };
    let noisy = with_noise(&scene(width as usize, height as usize, 3), 15.0, 9);
    let area = (width * height) as usize;
    let mut data = noisy.data()[..area * color.channels()].to_vec();
    if alpha {
        data.extend((0..area).map(|i| 1.0 - (i % width as usize) as f32 / width as f32));
    }
    let planes =
        Planes::from_vec(layout.channels(), height as usize, width as usize, data).unwrap();
    let mut raster = Raster::new(width, height, layout, BUDGET).unwrap();
    raster.write(raster.rect(), &planes).unwrap();
    Picture { raster, metadata: Metadata::default(), format: FileFormat::Png, path: None }
}

fn settings(strength: Strength, luma: f32, chroma: f32) -> Denoise {
    Denoise { strength, luma, chroma, model: "smoother".into(), ..Denoise::default() }
}

fn denoise(strength: Strength, luma: f32, chroma: f32, blind: bool) -> Link {
    let settings = settings(strength, luma, chroma);
    let model = Arc::new(Smoother::new(3, 4, !blind));
    denoise_with(model, settings)
}

fn denoise_with(model: SharedModel, settings: Denoise) -> Link {
    let step = Box::new(DenoiseStep::new(model, settings.clone()));
    Link { settings: StepSettings::Denoise(settings), step }
}

fn best(align: u32) -> Link {
    let settings = Denoise { effort: Effort::Best, ..settings(Strength::Auto, 1.0, 1.0) };
    denoise_with(Arc::new(Smoother::new(3, align, true)), settings)
}

fn upscale(scales: &[u32], size: Size) -> Link {
    let models: BTreeMap<u32, SharedModel> =
        scales.iter().map(|s| (*s, Arc::new(Enlarger { scale: *s }) as SharedModel)).collect();
    let step = Box::new(UpscaleStep::new(models, size, Effort::Fast));
    Link { settings: StepSettings::Upscale(Upscale { size, ..Upscale::default() }), step }
}

fn chains() -> Vec<(&'static str, Chain)> {
    let half = Strength::Fixed(0.5);
    let all = |links| Chain { links };
    vec![
        ("nothing", all(vec![])),
        ("denoise auto", all(vec![denoise(Strength::Auto, 1.0, 1.0, false)])),
        ("denoise mixed", all(vec![denoise(half, 0.4, 0.8, false)])),
        ("denoise blind, twice", all(vec![denoise(Strength::Fixed(0.8), 0.7, 1.0, true)])),
        ("denoise best", all(vec![best(4)])),
        ("upscale 2", all(vec![upscale(&[2], Size::Scale(2))])),
        ("upscale 4 from 2", all(vec![upscale(&[2], Size::Scale(4))])),
        ("upscale 3 from 4", all(vec![upscale(&[2, 4], Size::Scale(3))])),
        ("upscale to a size", all(vec![upscale(&[2], Size::LongEdge(131))])),
        (
            "denoise, upscale, denoise",
            all(vec![
                denoise(Strength::Auto, 1.0, 0.5, false),
                upscale(&[3], Size::Scale(3)),
                denoise(half, 0.9, 0.9, true),
            ]),
        ),
    ]
}

struct Bench {
    pool: Pool,
    cancel: Cancel,
}

impl Bench {
    fn new(threads: usize) -> Self {
        Self { pool: Pool::new(threads).unwrap(), cancel: Cancel::new() }
    }

    fn cx(&self) -> WorkContext<'_> {
        WorkContext { pool: &self.pool, cancel: &self.cancel, budget_bytes: BUDGET }
    }
}

fn whole(chain: &Chain, picture: &Picture) -> Rect {
    let (width, height) = chain.output_size(picture.width(), picture.height());
    Rect::new(0, 0, width, height)
}

fn cut(planes: &Planes, rect: Rect) -> Planes {
    let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(|v| v as usize);
    planes.crop(x, y, width, height).unwrap()
}

const KINDS: [(ColorKind, bool); 4] = [
    (ColorKind::Rgb, false),
    (ColorKind::Rgb, true),
    (ColorKind::Gray, false),
    (ColorKind::Gray, true),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_region_is_bit_for_bit_the_same_place_of_the_whole(
        size in (1_u32..70, 1_u32..50),
        corner in (0.0_f64..1.0, 0.0_f64..1.0),
        extent in (0.0_f64..1.0, 0.0_f64..1.0),
        kind in 0_usize..4,
    ) {
        let picture = picture(size.0, size.1, KINDS[kind].0, KINDS[kind].1);
        let bench = Bench::new(2);
        for (name, chain) in chains() {
            let measured = chain.measure(&picture, &bench.cx()).unwrap();
            let all = whole(&chain, &picture);
            let x = (f64::from(all.width) * corner.0) as u32;
            let y = (f64::from(all.height) * corner.1) as u32;
            let width = 1 + (f64::from(all.width - x - 1) * extent.0) as u32;
            let height = 1 + (f64::from(all.height - y - 1) * extent.1) as u32;
            let rect = Rect::new(x, y, width, height);
            let expected = chain.render(&picture, &measured, all, &bench.cx()).unwrap();
            let region = chain.render(&picture, &measured, rect, &bench.cx()).unwrap();
            prop_assert_eq!(region, cut(&expected, rect), "{} {:?}", name, rect);
        }
    }
}

#[test]
fn tiles_at_any_budget_make_the_whole_picture() {
    let picture = picture(150, 90, ColorKind::Rgb, true);
    let bench = Bench::new(2);
    for (name, chain) in chains() {
        let measured = chain.measure(&picture, &bench.cx()).unwrap();
        let all = whole(&chain, &picture);
        let expected = chain.render(&picture, &measured, all, &bench.cx()).unwrap();
        let mut counts = Vec::new();
        for budget in [0, 4 << 20, 16 << 20, 1 << 30] {
            let tiles = chain.tiles(&picture, budget);
            counts.push(tiles.len());
            for tile in tiles {
                let part = chain.render(&picture, &measured, tile, &bench.cx()).unwrap();
                assert_eq!(part, cut(&expected, tile), "{name}: {tile:?}");
            }
        }
        assert!(counts.is_sorted_by(|a, b| a >= b), "{name}: {counts:?}");
        assert!(counts[0] > 1, "{name}: {counts:?}");
    }
}

#[test]
fn nothing_asked_is_nothing_changed() {
    let bench = Bench::new(1);
    let untouched = [
        denoise(Strength::Fixed(0.0), 1.0, 1.0, false),
        denoise(Strength::Fixed(0.0), 1.0, 1.0, true),
        denoise(Strength::Auto, 0.0, 0.0, false),
        denoise(Strength::Fixed(0.9), 0.0, 0.0, true),
        upscale(&[2], Size::LongEdge(40)),
        upscale(&[2], Size::LongEdge(10)),
    ];
    for (color, alpha) in KINDS {
        let picture = picture(40, 30, color, alpha);
        let original = picture.raster.read(picture.raster.rect()).unwrap();
        for link in &untouched {
            // A link cannot be cloned, its model must not run either: a chain of one, borrowed.
            let input = Input { size: (40, 30), colours: color.channels(), alpha };
            let rect = picture.raster.rect();
            assert_eq!(link.step.input_rect(rect, input), rect);
            let cx = bench.cx();
            let context = StepContext {
                work: &cx,
                input,
                noise: NoiseLevel { sigma: 9.0, ..NoiseLevel::default() },
                memo: None,
            };
            let block = Block { rect, planes: original.clone() };
            assert_eq!(link.step.apply(block, rect, &context).unwrap(), original);
        }
    }
}

#[test]
fn a_drawn_picture_is_left_alone_by_auto() {
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let raster = Raster::from_bytes(60, 60, layout, vec![90; 60 * 60 * 3], BUDGET).unwrap();
    let picture =
        Picture { raster, metadata: Metadata::default(), format: FileFormat::Png, path: None };
    let bench = Bench::new(1);
    let chain = Chain { links: vec![denoise(Strength::Auto, 1.0, 1.0, false)] };
    let measured = chain.measure(&picture, &bench.cx()).unwrap();
    assert_eq!(measured.noise.sigma, 0.0);
    let rect = picture.raster.rect();
    let result = chain.render(&picture, &measured, rect, &bench.cx()).unwrap();
    assert_eq!(result, picture.raster.read(rect).unwrap());
}

#[test]
fn alpha_is_untouched_by_the_denoiser_and_stays_in_range_when_enlarged() {
    let picture = picture(48, 20, ColorKind::Rgb, true);
    let original = picture.raster.read(picture.raster.rect()).unwrap();
    let bench = Bench::new(1);
    for (name, chain) in chains() {
        let measured = chain.measure(&picture, &bench.cx()).unwrap();
        let all = whole(&chain, &picture);
        let result = chain.render(&picture, &measured, all, &bench.cx()).unwrap();
        assert_eq!(result.channels(), 4, "{name}");
        if (all.width, all.height) == (48, 20) {
            assert_eq!(result.plane(3), original.plane(3), "{name}");
        } else {
            let row = &result.plane(3)[..all.width as usize];
            assert!(row.is_sorted_by(|a, b| a >= b), "{name}: {row:?}");
        }
    }
}

#[test]
fn more_strength_changes_more() {
    let picture = picture(60, 40, ColorKind::Rgb, false);
    let bench = Bench::new(1);
    let rect = picture.raster.rect();
    let original = picture.raster.read(rect).unwrap();
    for blind in [false, true] {
        let mut changes = Vec::new();
        for tenth in 0..=10 {
            let strength = Strength::Fixed(tenth as f32 / 10.0);
            let chain = Chain { links: vec![denoise(strength, 1.0, 1.0, blind)] };
            let measured = chain.measure(&picture, &bench.cx()).unwrap();
            let result = chain.render(&picture, &measured, rect, &bench.cx()).unwrap();
            let pairs = result.data().iter().zip(original.data());
            changes.push(pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>());
        }
        assert_eq!(changes[0], 0.0);
        assert!(changes.is_sorted_by(|a, b| a <= b), "blind {blind}: {changes:?}");
        // A network that judges by itself is at its end at twice the measured noise.
        let (less, more) = if blind { (1, 2) } else { (5, 9) };
        assert!(changes[more] > 1.05 * changes[less], "blind {blind}: {changes:?}");
    }
}

#[test]
fn the_measured_level_by_hand_is_what_auto_does() {
    let bench = Bench::new(1);
    for color in [ColorKind::Rgb, ColorKind::Gray] {
        let picture = picture(200, 160, color, false);
        for blind in [false, true] {
            let render = |strength| {
                let chain = Chain { links: vec![denoise(strength, 1.0, 1.0, blind)] };
                let measured = chain.measure(&picture, &bench.cx()).unwrap();
                let rect = picture.raster.rect();
                (chain.render(&picture, &measured, rect, &bench.cx()).unwrap(), measured.noise)
            };
            let (auto, noise) = render(Strength::Auto);
            assert!(noise.sigma > 5.0, "{color:?}: {noise:?}");
            let (by_hand, _) = render(Strength::Fixed(noise.sigma / Strength::FULL_SIGMA));
            let pairs = auto.data().iter().zip(by_hand.data());
            let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{color:?}, blind {blind}: {apart}");
        }
    }
}

#[test]
fn a_moved_slider_does_not_run_the_network_again() {
    let picture = picture(64, 48, ColorKind::Rgb, false);
    let bench = Bench::new(1);
    let model = Arc::new(Smoother::new(3, 4, true));
    let cache = RenderCache::new(BUDGET);
    let rect = Rect::new(8, 8, 30, 20);
    let runs = || model.runs.load(std::sync::atomic::Ordering::Relaxed);
    let noise = NoiseLevel { sigma: 15.0, ..NoiseLevel::default() };
    let render = |strength, luma, chroma| {
        let settings = settings(strength, luma, chroma);
        let links = vec![denoise_with(model.clone(), settings), upscale(&[2], Size::Scale(2))];
        let chain = Chain { links };
        let measured = chain.measure_from(&picture, noise, &bench.cx()).unwrap();
        let cached = chain.render_cached(&picture, &measured, rect, &bench.cx(), &cache).unwrap();
        let count = runs();
        let fresh = chain.render(&picture, &measured, rect, &bench.cx()).unwrap();
        assert_eq!(cached, fresh);
        model.runs.store(count, std::sync::atomic::Ordering::Relaxed);
    };
    render(Strength::Auto, 1.0, 1.0);
    assert_eq!(runs(), 1);
    render(Strength::Auto, 0.3, 1.0);
    render(Strength::Auto, 0.3, 0.6);
    assert_eq!(runs(), 1);
    render(Strength::Fixed(0.4), 0.3, 0.6);
    assert_eq!(runs(), 2);
    render(Strength::Auto, 0.9, 0.1);
    assert_eq!(runs(), 2);
}

#[test]
fn one_thread_or_many_give_the_same() {
    let picture = picture(80, 60, ColorKind::Rgb, false);
    for (name, chain) in chains() {
        let render = |threads| {
            let bench = Bench::new(threads);
            let measured = chain.measure(&picture, &bench.cx()).unwrap();
            chain.render(&picture, &measured, whole(&chain, &picture), &bench.cx()).unwrap()
        };
        assert_eq!(render(1), render(3), "{name}");
    }
}

#[test]
fn cancel_and_a_wrong_region_are_errors() {
    let picture = picture(20, 20, ColorKind::Rgb, false);
    let bench = Bench::new(1);
    let chain = Chain { links: vec![denoise(Strength::Auto, 1.0, 1.0, false)] };
    let measured = chain.measure(&picture, &bench.cx()).unwrap();
    for rect in [Rect::new(10, 10, 11, 5), Rect::new(0, 0, 0, 5)] {
        let error = chain.render(&picture, &measured, rect, &bench.cx()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    bench.cancel.cancel();
    let rect = Rect::new(0, 0, 5, 5);
    assert!(chain.render(&picture, &measured, rect, &bench.cx()).unwrap_err().is_cancelled());
    assert!(chain.measure(&picture, &bench.cx()).unwrap_err().is_cancelled());
}
