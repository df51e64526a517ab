use std::fs;
use std::path::Path;

use limpid_kernels::Pool;

use super::*;
use crate::decode::decode;
use crate::metadata::exif::tests::camera_block;
use crate::metadata::ifd::Order;
use crate::metadata::{Density, DensityUnit, exif};
use crate::raster::tests::layouts;
use crate::raster::{Orientation, Raster};

const FORMATS: [FileFormat; 5] =
    [FileFormat::Jpeg, FileFormat::Png, FileFormat::Tiff, FileFormat::Webp, FileFormat::Bmp];

const XMP: &str = concat!(
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF ",
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description ",
    "xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" ",
    "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" tiff:Orientation=\"6\" xmp:Rating=\"4\" ",
    "exif:GPSLatitude=\"48,51.5N\"/></rdf:RDF></x:xmpmeta>"
);

pub(super) struct Bench {
    pool: Pool,
    cancel: Cancel,
    pub(super) folder: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { pool: Pool::new(2).unwrap(), cancel: Cancel::new(), folder }
    }

    pub(super) fn cx(&self) -> WorkContext<'_> {
        WorkContext { pool: &self.pool, cancel: &self.cancel, budget_bytes: 64 << 20 }
    }

    /// Writes `picture` as it is and reads it back.
    pub(super) fn through(&self, picture: &Picture, format: FileFormat, gps_strip: bool) -> Round {
        let path = self.folder.path().join("file");
        let notes = self.write(picture, format, gps_strip, &path).unwrap();
        Round { picture: decode(&path, &self.cx()).unwrap(), notes }
    }

    pub(super) fn write(
        &self,
        picture: &Picture,
        format: FileFormat,
        gps_strip: bool,
        path: &Path,
    ) -> Result<Vec<String>, PhotoError> {
        let options = EncodeOptions { format, quality: 95, gps_strip, band_rows: 7 };
        let size = (picture.width(), picture.height());
        let mut next = |rect: Rect| picture.raster.read(rect);
        encode(picture, size, &options, path, &mut next, &self.cx())
    }
}

pub(super) struct Round {
    pub(super) picture: Picture,
    pub(super) notes: Vec<String>,
}

/// A smooth picture without symmetry, 37 x 23, opaque on its left half.
fn sample(layout: Layout) -> Raster {
    let (width, height) = (37, 23);
    let mut planes = Planes::zeros(layout.channels(), height, width);
    let colors = layout.color.channels();
    for c in 0..layout.channels() {
        for y in 0..height {
            for x in 0..width {
                let value = if c == colors {
                    if x < width / 2 { 1.0 } else { 0.2 + 0.02 * y as f32 }
                } else {
                    (0.1 + 0.018 * x as f32 + 0.011 * y as f32 * (c + 1) as f32).min(0.97)
                };
                planes.plane_mut(c)[y * width + x] = value;
            }
        }
    }
    let mut raster = Raster::new(width as u32, height as u32, layout, u64::MAX).unwrap();
    raster.write(raster.rect(), &planes).unwrap();
    raster
}

fn profile(color: ColorKind) -> Vec<u8> {
    let profile = match color {
        ColorKind::Gray => moxcms::ColorProfile::new_gray_with_gamma(2.2),
        ColorKind::Rgb => moxcms::ColorProfile::new_display_p3(),
    };
    profile.encode().unwrap()
}

pub(super) fn picture(layout: Layout, order: Order, with_icc: bool) -> Picture {
    let metadata = Metadata {
        icc: with_icc.then(|| profile(layout.color)),
        exif: Some(camera_block(order)),
        xmp: Some(XMP.as_bytes().to_vec()),
        iptc: Some(b"\x1C\x02\x78\0\x05Paris".to_vec()),
        density: Some(Density { x: 300.0, y: 300.0, unit: DensityUnit::Inch }),
        ..Metadata::default()
    };
    Picture { raster: sample(layout), metadata, format: FileFormat::Png, path: None }
}

/// Largest difference of two pictures' samples.
fn difference(a: &Raster, b: &Raster) -> f32 {
    let (a, b) = (a.read(a.rect()).unwrap(), b.read(b.rect()).unwrap());
    if (a.channels(), a.height(), a.width()) != (b.channels(), b.height(), b.width()) {
        return f32::INFINITY;
    }
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn dots_an_inch(density: Density) -> f64 {
    match density.unit {
        DensityUnit::Inch => density.x,
        DensityUnit::Centimetre => density.x * 2.54,
        DensityUnit::Aspect => 0.0,
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn every_format_keeps_what_it_can_hold() {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for format in FORMATS {
        for layout in layouts() {
            for order in [Order::Little, Order::Big] {
                for (with_icc, gps_strip) in [(true, false), (false, true)] {
                    let before = picture(layout, order, with_icc);
                    let Round { picture: after, notes } = bench.through(&before, format, gps_strip);
                    let case = format!(
                        "{} {} {order:?} icc {with_icc} strip {gps_strip}",
                        format.name(),
                        layout.describe()
                    );
                    let mut check = |what: &str, right: bool| {
                        if !right {
                            wrong.push(format!("{case}: {what}; notes {notes:?}"));
                        }
                    };
                    let meta = &after.metadata;
                    let bmp = format == FileFormat::Bmp;
                    check("format", after.format == format);

                    let mut ignored = Vec::new();
                    let mut wanted = written_layout(format, layout, &mut ignored);
                    if format == FileFormat::Webp || (bmp && layout.alpha) {
                        wanted.color = ColorKind::Rgb;
                    }
                    check("layout", after.raster.layout() == wanted);
                    let step = if format == FileFormat::Jpeg { 7.0 } else { 0.51 };
                    if wanted.color == layout.color && wanted.alpha == layout.alpha {
                        let limit = match wanted.depth {
                            Depth::U8 => step / 255.0,
                            Depth::U16 => step / 65535.0,
                            Depth::F32 => 0.0,
                        };
                        let far = difference(&before.raster, &after.raster);
                        check(&format!("pixels differ by {far}"), far <= limit + 1e-6);
                    }
                    let icc_kept = !(format == FileFormat::Webp && layout.color == ColorKind::Gray);
                    let icc = before.metadata.icc.as_ref().filter(|_| icc_kept);
                    check("profile", meta.icc.as_ref() == icc);
                    let density = meta.density.map_or(0.0, dots_an_inch);
                    check(&format!("density {density}"), (density - 300.0).abs() < 0.02);
                    let iptc_kept = matches!(format, FileFormat::Jpeg | FileFormat::Tiff);
                    check("IPTC", meta.iptc == before.metadata.iptc.clone().filter(|_| iptc_kept));
                    check("IPTC note", iptc_kept || notes.iter().any(|n| n.contains("IPTC")));
                    let rounded = layout.depth != wanted.depth;
                    check("depth note", rounded == notes.iter().any(|n| n.contains("rounded")));
                    let flat = layout.alpha && !wanted.alpha;
                    check("alpha note", flat == notes.iter().any(|n| n.contains("white")));
                    if bmp {
                        check("BMP notes", notes.iter().filter(|n| n.contains("BMP")).count() >= 3);
                        continue;
                    }
                    let block = meta.exif.clone().unwrap_or_default();
                    check("orientation", exif::orientation(&block) == Some(1));
                    check("camera", exif::camera(&block) == before.metadata.camera());
                    let maker: Vec<u8> =
                        b"MAKER\0".iter().copied().chain((0..200).map(|i| i as u8)).collect();
                    check("maker note", contains(&block, &maker));
                    check("GPS", contains(&block, b"2026:11:22") != gps_strip);
                    check("thumbnail", !contains(&block, &[0xD8; 8]));
                    let xmp = meta.xmp.clone().unwrap_or_default();
                    let wanted = XMP.replace("Orientation=\"6\"", "Orientation=\"1\"");
                    let wanted = if gps_strip {
                        wanted.replace(" exif:GPSLatitude=\"48,51.5N\"", "")
                    } else {
                        wanted
                    };
                    check("XMP", xmp == wanted.as_bytes());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Sets the orientation inside a file that Limpid wrote (which always says 1).
fn turn_file(path: &Path, order: Order, value: u16) {
    let mut bytes = fs::read(path).unwrap();
    let entry = |value| {
        let mut entry = Vec::new();
        entry.extend(order.of_u16(0x0112));
        entry.extend(order.of_u16(3));
        entry.extend(order.of_u32(1));
        entry.extend(order.of_u16(value));
        entry
    };
    let (from, to) = (entry(1), entry(value));
    let places: Vec<_> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(&from)).collect();
    assert_eq!(places.len(), 1, "one orientation in {}", path.display());
    bytes[places[0]..places[0] + to.len()].copy_from_slice(&to);
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_orientation_is_applied_once_and_then_gone() {
    let bench = Bench::new();
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let path = bench.folder.path().join("turned");
    let mut wrong = Vec::new();
    for format in [FileFormat::Jpeg, FileFormat::Png, FileFormat::Tiff, FileFormat::Webp] {
        for order in [Order::Little, Order::Big] {
            for value in 1..=8 {
                bench.write(&picture(layout, order, true), format, false, &path).unwrap();
                turn_file(&path, order, value);
                let read = decode(&path, &bench.cx()).unwrap();
                let wanted = sample(layout).oriented(Orientation::from_exif(value));
                let limit = if format == FileFormat::Jpeg { 6.0 / 255.0 } else { 1e-6 };
                let far = difference(&read.raster, &wanted);
                if far > limit {
                    wrong.push(format!("{} {order:?} {value}: read {far} off", format.name()));
                }
                for next in FORMATS {
                    let again = bench.through(&read, next, false).picture;
                    let said = again.metadata.exif.as_deref().map_or(Some(1), exif::orientation);
                    let far = difference(&again.raster, &wanted);
                    if far > 12.0 / 255.0 || said != Some(1) {
                        wrong.push(format!(
                            "{} {order:?} {value} to {}: {far} off, says {said:?}",
                            format.name(),
                            next.name()
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_result_of_another_size_says_its_size() {
    let bench = Bench::new();
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let before = picture(layout, Order::Little, false);
    let path = bench.folder.path().join("larger.jpg");
    let options =
        EncodeOptions { format: FileFormat::Jpeg, quality: 80, gps_strip: false, band_rows: 64 };
    let mut asked = Vec::new();
    let mut next = |rect: Rect| {
        asked.push(rect);
        Ok(Planes::zeros(3, rect.height as usize, rect.width as usize))
    };
    encode(&before, (200, 150), &options, &path, &mut next, &bench.cx()).unwrap();
    let bands = [Rect::new(0, 0, 200, 64), Rect::new(0, 64, 200, 64), Rect::new(0, 128, 200, 22)];
    assert_eq!(asked, bands);
    let after = decode(&path, &bench.cx()).unwrap();
    assert_eq!((after.width(), after.height()), (200, 150));
    let edited = exif::edit(
        &after.metadata.exif.clone().unwrap(),
        &Edits { size: Some((200, 150)), strip_gps: false },
    );
    assert_eq!(edited.as_ref(), Ok(after.metadata.exif.as_ref().unwrap()));
}

#[test]
fn every_error_leaves_the_folder_as_it_was() {
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let before = picture(layout, Order::Little, false);
    let mut wrong = Vec::new();
    for format in FORMATS {
        // The flag that cancels stays set: each format has its own.
        let bench = Bench::new();
        let path = bench.folder.path().join("result");
        fs::write(&path, b"what was there").unwrap();
        let options = EncodeOptions { format, quality: 80, gps_strip: false, band_rows: 5 };
        let mut next = |rect: Rect| {
            if rect.y < 10 {
                before.raster.read(rect)
            } else {
                Err(PhotoError::new(ErrorKind::Model, "the model is gone"))
            }
        };
        let result = encode(&before, (37, 23), &options, &path, &mut next, &bench.cx());
        if !result.as_ref().is_err_and(|e| e.kind() == ErrorKind::Model) {
            wrong.push(format!("{}: {result:?}", format.name()));
        }
        let mut cancelling = |rect: Rect| {
            if rect.y >= 10 {
                bench.cancel.cancel();
            }
            before.raster.read(rect)
        };
        let result = encode(&before, (37, 23), &options, &path, &mut cancelling, &bench.cx());
        if !result.as_ref().is_err_and(PhotoError::is_cancelled) {
            wrong.push(format!("{}: cancelled, {result:?}", format.name()));
        }
        if fs::read(&path).unwrap() != b"what was there"
            || fs::read_dir(bench.folder.path()).unwrap().count() != 1
        {
            wrong.push(format!("{}: something was left behind", format.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
