//! Pictures and a small model for tests: made here, nothing is read from outside.

use std::fs;
use std::path::Path;

use limpid_kernels::{Cancel, Pool};
use limpid_nets::{Architecture, Library, LibraryConfig};
use limpid_photo::{
    ColorKind, Depth, EncodeOptions, FileFormat, Layout, Picture, Raster, WorkContext, decode,
    encode, synthetic,
};

/// Runs `work` with two threads and a budget of 1 GiB.
pub(crate) fn with_context<R>(work: impl FnOnce(&WorkContext<'_>) -> R) -> R {
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    work(&WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 1 << 30 })
}

/// Writes a noisy scene as an 8 bit RGB PNG.
pub(crate) fn write_png(path: &Path, width: u32, height: u32, seed: u64) {
    let planes = synthetic::scene(width as usize, height as usize, seed);
    let planes = synthetic::with_noise(&planes, 15.0, seed);
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let mut raster = Raster::new(width, height, layout, 1 << 30).unwrap();
    raster.write(raster.rect(), &planes).unwrap();
    let picture =
        Picture { raster, metadata: Default::default(), format: FileFormat::Png, path: None };
    let options =
        EncodeOptions { format: FileFormat::Png, quality: 90, gps_strip: false, band_rows: height };
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    with_context(|cx| {
        let mut rows = |rect| picture.raster.read(rect);
        encode(&picture, (width, height), &options, path, &mut rows, cx).unwrap()
    });
}

/// Reads a picture back.
pub(crate) fn read(path: &Path) -> Picture {
    with_context(|cx| decode(path, cx)).unwrap()
}

/// A library in `dir` with a tiny denoiser and a tiny ×2 upscaler, both with arbitrary weights: what
/// they make of a picture is repeatable and depends on the neighbourhood, and need be no more.
pub(crate) fn library(dir: &Path) -> LibraryConfig {
    let config = LibraryConfig { packs_dir: dir.join("packs"), imports_dir: dir.join("imports") };
    let library = Library::open(config.clone()).unwrap();
    for (name, architecture) in [
        ("tiny-denoise", Architecture::DnResNet { channels: 8, blocks: 1 }),
        ("tiny-upscale", Architecture::CtSrcnn { channels: 8, blocks: 1, scale: 2 }),
    ] {
        let path = dir.join(format!("{name}.safetensors"));
        fs::write(&path, weights(architecture)).unwrap();
        library.import(&path).unwrap();
    }
    config
}

/// A weight file: the length of its header, the header, the values.
fn weights(architecture: Architecture) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::to_value(architecture.to_metadata()).unwrap());
    let mut data: Vec<u8> = Vec::new();
    for conv in architecture.graph().unwrap().convs() {
        let shapes = [("weight", conv.kernel_shape().to_vec()), ("bias", vec![conv.output])];
        for (part, shape) in shapes {
            let begin = data.len();
            for index in 0..shape.iter().product::<usize>() {
                let value = ((index * 37 + begin) % 101) as f32 / 101.0 - 0.5;
                data.extend((value * 0.1).to_le_bytes());
            }
            let entry = serde_json::json!({
                "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]
            });
            header.insert(format!("{}.{part}", conv.name), entry);
        }
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes(), &header[..], &data[..]].concat()
}
