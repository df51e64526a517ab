//! Tiles and regions with every kind of network there is: small ones of random weights, the same
//! layers as the large.
#![allow(clippy::unwrap_used)] // in helpers of tests

use std::path::Path;

use limpid_kernels::{Cancel, Planes, Pool};
use limpid_nets::{Library, LibraryConfig};
use limpid_photo::metadata::Metadata;
use limpid_photo::settings::{Denoise, Size, StepSettings, Strength, Upscale};
use limpid_photo::synthetic::{scene, with_noise};
use limpid_photo::{
    Chain, ColorKind, Depth, ErrorKind, FileFormat, Layout, Picture, Raster, Rect, WorkContext,
};

/// Largest difference allowed between a region and the same place of the whole picture, of a full
/// range of 1. A Winograd tile at the rim of a halo sees other pixels than the whole picture's;
/// they cancel, but only to rounding.
const TOLERANCE: f32 = 1e-5;

const NETWORKS: [&str; 5] = ["ffdnet", "dn-resnet", "span-x2", "span-x4", "ct-srcnn"];

/// A library that holds the small networks, and the names they have in it.
fn library(folder: &Path) -> (Library, Vec<String>) {
    let config =
        LibraryConfig { packs_dir: folder.join("packs"), imports_dir: folder.join("imports") };
    let library = Library::open(config).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nets/tests/fixtures");
    let import = |name: &&str| {
        library.import(&fixtures.join(format!("small-{name}.safetensors"))).unwrap().name
    };
    let names = NETWORKS.iter().map(import).collect();
    (library, names)
}

fn picture(width: u32, height: u32) -> Picture {
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U16 };
    let mut raster = Raster::new(width, height, layout, 1 << 30).unwrap();
    let planes = with_noise(&scene(width as usize, height as usize, 8), 12.0, 4);
    raster.write(raster.rect(), &planes).unwrap();
    Picture { raster, metadata: Metadata::default(), format: FileFormat::Png, path: None }
}

fn denoise(model: &str, strength: Strength) -> StepSettings {
    StepSettings::Denoise(Denoise {
        strength,
        luma: 0.8,
        chroma: 1.0,
        model: model.into(),
        ..Default::default()
    })
}

fn upscale(model: &str, size: Size) -> StepSettings {
    StepSettings::Upscale(Upscale { size, model: model.into(), ..Default::default() })
}

fn worst_difference(part: &Planes, whole: &Planes, rect: Rect) -> f32 {
    let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(|v| v as usize);
    let wanted = whole.crop(x, y, width, height).unwrap();
    assert_eq!((part.channels(), part.height(), part.width()), (3, height, width));
    part.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn regions_and_tiles_are_the_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (library, names) = library(folder.path());
    let [ffdnet, dn_resnet, span_x2, span_x4, ct_srcnn] = names.as_slice() else {
        panic!("{names:?}");
    };
    let fixed = Strength::Fixed;
    let recipes = [
        vec![denoise(ffdnet, Strength::Auto)],
        vec![denoise(dn_resnet, Strength::Auto)],
        vec![denoise(dn_resnet, fixed(0.9))],
        vec![upscale(span_x2, Size::Scale(2))],
        vec![upscale(span_x2, Size::Scale(4))],
        vec![upscale(span_x4, Size::Scale(4))],
        vec![upscale(span_x4, Size::Scale(3))],
        vec![upscale(ct_srcnn, Size::LongEdge(333))],
        vec![denoise(ffdnet, fixed(0.3)), upscale(span_x2, Size::Scale(2))],
    ];
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 1 << 30 };
    // Odd sides: unshuffling networks pad the last row and column.
    let picture = picture(143, 101);
    let mut wrong = Vec::new();
    for steps in &recipes {
        let chain = Chain::build(steps, &library).unwrap();
        let measured = chain.measure(&picture, &cx).unwrap();
        let (width, height) = chain.output_size(143, 101);
        let whole = chain.render(&picture, &measured, Rect::new(0, 0, width, height), &cx).unwrap();
        let mut rects = chain.tiles(&picture, 0);
        assert!(rects.len() > 4, "{steps:?}: {rects:?}");
        rects.extend([
            Rect::new(width / 3, height / 3, 1, 1),
            Rect::new(width - 17, height - 9, 17, 9),
            Rect::new(0, height / 2, width, 3),
            Rect::new(5, 3, 31, 27),
        ]);
        for rect in rects {
            let part = chain.render(&picture, &measured, rect, &cx).unwrap();
            let worst = worst_difference(&part, &whole, rect);
            if worst > TOLERANCE || worst.is_nan() {
                wrong.push(format!("{:?} {rect:?}: {worst}", chain.models()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (library, names) = library(folder.path());
    let wrong = [
        denoise("no-such-model", Strength::Auto),
        upscale("no-such-model", Size::Scale(2)),
        // A denoiser does not enlarge, and the other way round.
        upscale(&names[0], Size::Scale(2)),
        denoise(&names[2], Strength::Auto),
    ];
    for step in wrong {
        let error = Chain::build(std::slice::from_ref(&step), &library).unwrap_err();
        let (StepSettings::Denoise(Denoise { model, .. })
        | StepSettings::Upscale(Upscale { model, .. })) = &step;
        assert_eq!(error.kind(), ErrorKind::Model, "{step:?}");
        assert!(error.to_string().contains(model.as_str()), "{error}");
    }
}
