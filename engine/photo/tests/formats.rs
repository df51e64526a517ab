//! Reading: every kind of file that is read, every kind that is refused, and damaged ones. The
//! pictures in `data` show known patterns; `data/make.py` made them.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};

use limpid_kernels::{Cancel, Pool};
use limpid_photo::{ErrorKind, PhotoError, Picture, WorkContext, decode};

const MB: u64 = 1 << 20;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn read_within(path: &Path, budget_bytes: u64) -> Result<Picture, PhotoError> {
    let pool = Pool::new(1).unwrap();
    decode(path, &WorkContext { pool: &pool, cancel: &Cancel::new(), budget_bytes })
}

/// What a picture of `data` shows.
#[derive(Clone, Copy)]
enum Pattern {
    Color,
    Gray,
    /// Grey cut to this many bits and stretched again.
    GrayBits(u32),
    Steps,
    /// Steps with alpha 255 - entry.
    StepsAlpha,
}

/// The samples of pixel (x, y), `0..=255`, alpha last.
fn expected(pattern: Pattern, x: u32, y: u32) -> Vec<f32> {
    let gray = 2 * x + 4 * y;
    let entry = (x / 4 + y / 4) % 16;
    let steps = [16 * entry, 255 - 16 * entry, 8 * entry];
    let alpha = 255 - 4 * x;
    let values = match pattern {
        Pattern::Color => vec![5 * x, 7 * y, 3 * (x + y), alpha],
        Pattern::Gray => vec![gray, alpha],
        Pattern::GrayBits(bits) => vec![(gray >> (8 - bits)) * 255 / ((1 << bits) - 1)],
        Pattern::Steps => steps.to_vec(),
        Pattern::StepsAlpha => [steps.as_slice(), &[255 - entry]].concat(),
    };
    values.into_iter().map(|v| v as f32).collect()
}

/// Largest difference from the pattern, in steps of 8 bits.
fn farthest(picture: &Picture, pattern: Pattern) -> f32 {
    let planes = picture.raster.read(picture.raster.rect()).unwrap();
    let mut far: f32 = 0.0;
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            let wanted = expected(pattern, x, y);
            for (channel, wanted) in wanted.iter().enumerate().take(planes.channels()) {
                let at = (y * picture.width() + x) as usize;
                far = far.max((planes.plane(channel)[at] * 255.0 - wanted).abs());
            }
        }
    }
    far
}

/// File, what it is called, what it shows, and how far off (in steps of 8 bits) it may be.
const READ: [(&str, &str, Pattern, f32); 46] = {
    use Pattern::{Color, Gray, GrayBits, Steps, StepsAlpha};
    [
        ("baseline.jpg", "JPEG, 8 bit RGB", Color, 14.0),
        ("progressive.jpg", "JPEG, 8 bit RGB", Color, 7.0),
        ("restarts.jpg", "JPEG, 8 bit RGB", Color, 14.0),
        ("rgb-coded.jpg", "JPEG, 8 bit RGB", Color, 7.0),
        ("gray.jpg", "JPEG, 8 bit grey", Gray, 4.0),
        ("rgb8.png", "PNG, 8 bit RGB", Color, 0.0),
        ("rgb16-interlaced.png", "PNG, 16 bit RGB", Color, 0.0),
        ("rgba16.png", "PNG, 16 bit RGB + alpha", Color, 0.0),
        ("graya8-interlaced.png", "PNG, 8 bit grey + alpha", Gray, 0.0),
        ("gray16.png", "PNG, 16 bit grey", Gray, 0.0),
        ("gray4.png", "PNG, 8 bit grey", GrayBits(4), 0.0),
        ("gray2.png", "PNG, 8 bit grey", GrayBits(2), 0.0),
        ("gray1.png", "PNG, 8 bit grey", GrayBits(1), 0.0),
        ("palette4.png", "PNG, 8 bit RGB", Steps, 0.0),
        ("palette-alpha.png", "PNG, 8 bit RGB + alpha", StepsAlpha, 0.0),
        ("rgb8.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb16-big-endian.tif", "TIFF, 16 bit RGB", Color, 0.0),
        ("rgb8-tiles.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb16-planar.tif", "TIFF, 16 bit RGB", Color, 0.0),
        ("rgb-float.tif", "TIFF, 32 bit float RGB", Color, 1e-4),
        ("gray-half.tif", "TIFF, 32 bit float grey", Gray, 0.1),
        ("gray-double.tif", "TIFF, 32 bit float grey", Gray, 1e-4),
        ("gray16-inverted.tif", "TIFF, 16 bit grey", Gray, 0.0),
        ("gray32.tif", "TIFF, 32 bit float grey", Gray, 1e-4),
        ("rgba8.tif", "TIFF, 8 bit RGB + alpha", Color, 0.0),
        ("rgba8-associated.tif", "TIFF, 8 bit RGB + alpha", Color, 2.0),
        ("graya16.tif", "TIFF, 16 bit grey + alpha", Gray, 0.0),
        ("rgb8-bigtiff.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb8-lzw.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb8-deflate.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb8-packbits.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("rgb8-jpeg.tif", "TIFF, 8 bit RGB", Color, 14.0),
        ("gray1-fax.tif", "TIFF, 8 bit grey", GrayBits(1), 0.0),
        ("palette8.tif", "TIFF, 8 bit RGB", Steps, 0.0),
        ("with-preview.tif", "TIFF, 8 bit RGB", Color, 0.0),
        ("lossy.webp", "WebP, 8 bit RGB", Color, 20.0),
        ("lossy-alpha.webp", "WebP, 8 bit RGB + alpha", Color, 20.0),
        ("lossless-alpha.webp", "WebP, 8 bit RGB + alpha", Color, 0.0),
        ("rgb24.bmp", "BMP, 8 bit RGB", Color, 0.0),
        ("gray8.bmp", "BMP, 8 bit grey", Gray, 0.0),
        ("gray1.bmp", "BMP, 8 bit grey", GrayBits(1), 0.0),
        ("palette.bmp", "BMP, 8 bit RGB", Steps, 0.0),
        ("rgb565.bmp", "BMP, 8 bit RGB", Color, 8.0),
        ("rle8.bmp", "BMP, 8 bit RGB", Steps, 0.0),
        ("lossless.jxl", "JPEG XL, 8 bit RGB", Color, 0.0),
        ("gray16.jxl", "JPEG XL, 16 bit grey", Gray, 0.0),
    ]
};

#[test]
fn every_kind_of_file_is_read_in_memory_and_over_the_budget() {
    let mut wrong = Vec::new();
    for (name, kind, pattern, limit) in READ {
        // 8 KB is less than the pictures take: these lie in a temporary file.
        for budget in [64 * MB, 8 << 10] {
            let picture = match read_within(&data(name), budget) {
                Ok(picture) => picture,
                // What cannot be streamed says that it does not fit.
                Err(error) if budget < MB && error.kind() == ErrorKind::TooLarge => continue,
                Err(error) => {
                    wrong.push(format!("{name}, {budget}: {error}"));
                    continue;
                }
            };
            let said = format!("{}, {}", picture.format.name(), picture.raster.layout().describe());
            let far = farthest(&picture, pattern);
            if said != kind || (picture.width(), picture.height()) != (48, 32) || far > limit + 1e-3
            {
                wrong.push(format!("{name}, {budget}: {said}, {far} off"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn pictures_over_the_budget_are_streamed_where_the_format_allows() {
    for name in ["rgba16.png", "rgb16-big-endian.tif", "rgb16-planar.tif", "rgb8-tiles.tif"] {
        let whole = read_within(&data(name), 64 * MB).unwrap();
        // Room for a few rows beside the decoder's own megabyte.
        let spilled = read_within(&data(name), if name.ends_with("png") { MB } else { 8 << 10 });
        let spilled = match spilled {
            // PNG reserves a megabyte for itself, more than this picture takes.
            Err(error) if name.ends_with("png") => {
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                continue;
            }
            other => other.unwrap(),
        };
        assert_eq!(spilled.raster.memory_bytes(), 0, "{name}");
        let all = whole.raster.rect();
        assert_eq!(spilled.raster.read(all).unwrap(), whole.raster.read(all).unwrap(), "{name}");
    }
}

#[test]
fn what_is_not_read_is_answered_in_words() {
    let cases = [
        ("cmyk.jpg", "CMYK"),
        ("cmyk.tif", "CMYK"),
        ("lab.tif", "Lab"),
        ("pages.tif", "3 pages"),
        ("animated.png", "animation"),
        ("animated.webp", "animation"),
        ("picture.gif", "GIF"),
    ];
    let mut wrong = Vec::new();
    for (name, phrase) in cases {
        match read_within(&data(name), 64 * MB) {
            Err(error)
                if error.kind() == ErrorKind::Unsupported
                    && error.to_string().contains(phrase)
                    && error.to_string().ends_with(name) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_name_says_nothing_about_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [("rgb8.png", "x.jpg"), ("baseline.jpg", "é 🦀.tif"), ("rgb8.tif", "x")] {
        let path = folder.path().join(to);
        fs::copy(data(from), &path).unwrap();
        let picture = read_within(&path, 64 * MB).unwrap();
        assert_eq!(picture.width(), 48);
        assert_eq!(picture.path.as_deref(), Some(path.as_path()));
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    let mut wrong = Vec::new();
    for (name, _, pattern, limit) in READ {
        let whole = fs::read(data(name)).unwrap();
        let tenths = (0..10).map(|tenth| whole.len() * tenth / 10);
        for length in tenths.chain([whole.len() - 3]) {
            fs::write(&path, &whole[..length]).unwrap();
            match read_within(&path, 64 * MB) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported) => {}
                Err(error) => wrong.push(format!("{name} at {length}: {:?} {error}", error.kind())),
                // The last bytes of some TIFF files are padding or a preview.
                Ok(picture)
                    if length + 3 == whole.len() && farthest(&picture, pattern) <= limit + 1e-3 => {
                }
                Ok(_) => wrong.push(format!("{name} cut to {length} of {} passed", whole.len())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_jpeg_whose_end_was_glued_on_is_told_from_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("glued.jpg");
    let mut wrong = Vec::new();
    for name in ["baseline.jpg", "progressive.jpg", "restarts.jpg", "rgb-coded.jpg", "gray.jpg"] {
        let whole = fs::read(data(name)).unwrap();
        // From behind the header of the first scan to eight bytes before the end.
        let first = whole.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 16;
        for cut in (first..whole.len() - 8).step_by(7) {
            // Between two scans of a progressive file it is whole, if coarse: that may pass.
            let is_end = |at: usize| whole[at] == 0xFF && matches!(whole[at + 1], 0xC4 | 0xDA);
            if (cut - 1..cut + 3).any(is_end) {
                continue;
            }
            fs::write(&path, [&whole[..cut], &[0xFF, 0xD9]].concat()).unwrap();
            match read_within(&path, 64 * MB) {
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                other => wrong.push(format!("{name} at {cut} of {}: {other:?}", whole.len())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn flipped_bytes_are_read_or_refused_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped");
    let mut wrong = Vec::new();
    for (name, ..) in READ {
        let whole = fs::read(data(name)).unwrap();
        // A fixed scatter of places, denser at the beginning, where the headers are.
        for step in 0..60_usize {
            let at = if step < 40 { step * 3 } else { step * 7919 } % whole.len();
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (step % 8) | 0x40;
            fs::write(&path, &bytes).unwrap();
            if let Err(error) = read_within(&path, 16 * MB)
                && matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unwritable)
            {
                wrong.push(format!("{name}, byte {at}: {:?} {error}", error.kind()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Small files whose headers state enormous pictures.
fn hostile_headers() -> Vec<(&'static str, Vec<u8>)> {
    let mut jpeg = fs::read(data("baseline.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xFF);
    let mut png = fs::read(data("rgb8.png")).unwrap();
    png[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    let mut bmp = fs::read(data("rgb24.bmp")).unwrap();
    bmp[18..26].copy_from_slice(&[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]);
    let mut tiff = fs::read(data("rgb8.tif")).unwrap();
    for tag in [0x0100_u16, 0x0101] {
        let entry = (8..tiff.len() - 12)
            .find(|at| tiff[*at..*at + 2] == tag.to_le_bytes() && matches!(tiff[*at + 2], 3 | 4))
            .unwrap();
        tiff[entry + 2..entry + 12].copy_from_slice(&[4, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0, 0]);
    }
    let mut webp = fs::read(data("lossy.webp")).unwrap();
    let sync = webp.windows(3).position(|w| w == [0x9D, 0x01, 0x2A]).unwrap();
    webp[sync + 3..sync + 7].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    vec![("JPEG", jpeg), ("PNG", png), ("BMP", bmp), ("TIFF", tiff), ("WebP", webp)]
}

#[test]
fn a_header_that_states_an_enormous_picture_costs_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge");
    let mut wrong = Vec::new();
    for (name, bytes) in hostile_headers() {
        fs::write(&path, bytes).unwrap();
        match read_within(&path, 512 * MB) {
            Err(error)
                if error.kind() == ErrorKind::TooLarge
                    && (error.to_string().contains("65535 x 65535")
                        || error.to_string().contains("16383 x 16383")) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_readable_file_is_answered_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.jpg");
    fs::write(&empty, b"").unwrap();
    let text = folder.path().join("text.jpg");
    fs::write(&text, b"Dear diary, today I took a photo.").unwrap();
    let directory = folder.path().join("x.jpg");
    fs::create_dir(&directory).unwrap();
    let cases = [
        (empty, ErrorKind::Damaged, "empty"),
        (text, ErrorKind::Unsupported, "not a picture"),
        (directory, ErrorKind::Unreadable, "folder"),
        (folder.path().join("gone.jpg"), ErrorKind::Unreadable, "no such file"),
    ];
    for (path, kind, phrase) in cases {
        let error = read_within(&path, MB).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(phrase), "{error}");
    }
}

#[test]
fn a_cancelled_read_stops() {
    let pool = Pool::new(1).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 64 * MB };
    assert!(decode(&data("rgb8.png"), &cx).unwrap_err().is_cancelled());
}
