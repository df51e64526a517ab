//! What a file says about its picture survives: depth, profile, orientation, camera, place, XMP,
//! resolution, transparency. An independent reader and writer checks it: exiftool, which `./check`
//! installs; without it these tests do nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::DynamicImage;
use image::metadata::Orientation;
use serde_json::Value;

use crate::files;
use crate::limpid::{Place, files_below};

const WIDTH: u32 = 48;
const HEIGHT: u32 = 32;

fn has_exiftool() -> bool {
    Command::new("exiftool").arg("-ver").output().is_ok_and(|output| output.status.success())
}

fn exiftool<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Vec<u8> {
    let output = Command::new("exiftool").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Writes the metadata of a photo from a camera into every file of a folder.
fn tag(place: &Place, folder: &Path, orientation: u32) {
    let profile = place.at("p3.icc");
    std::fs::write(&profile, moxcms::ColorProfile::new_display_p3().encode().unwrap()).unwrap();
    let mut args: Vec<String> = [
        "-q",
        "-n",
        "-overwrite_original",
        "-EXIF:Make=Lumen",
        "-EXIF:Model=L 1",
        "-EXIF:ISO=6400",
        "-EXIF:DateTimeOriginal=2024:02:29 18:30:00",
        "-EXIF:Artist=Zoë",
        "-EXIF:GPSLatitude=48.2",
        "-EXIF:GPSLatitudeRef=N",
        "-EXIF:GPSLongitude=16.4",
        "-EXIF:GPSLongitudeRef=E",
        "-EXIF:XResolution=240",
        "-EXIF:YResolution=240",
        "-EXIF:ResolutionUnit=2",
        "-XMP-dc:Creator=Zoë",
        "-XMP-xmp:Rating=4",
        "-XMP-exif:GPSLatitude=48.2",
    ]
    .map(str::to_owned)
    .to_vec();
    args.push(format!("-EXIF:Orientation={orientation}"));
    args.push(format!("-ICC_Profile<={}", profile.display()));
    args.push(folder.display().to_string());
    exiftool(args);
}

/// All tags of the files below a folder, by file name.
fn tags(folder: &Path) -> Vec<(PathBuf, Value)> {
    let json =
        exiftool(["-j".as_ref(), "-n".as_ref(), "-G1".as_ref(), "-r".as_ref(), folder.as_os_str()]);
    let json: Vec<Value> = serde_json::from_slice(&json).unwrap();
    json.into_iter()
        .map(|tags| (PathBuf::from(tags["SourceFile"].as_str().unwrap()), tags))
        .collect()
}

fn profile_of(path: &Path) -> Vec<u8> {
    exiftool(["-b".as_ref(), "-ICC_Profile".as_ref(), path.as_os_str()])
}

/// A picture of each kind, and the extension that it is stored under.
fn kinds() -> Vec<(&'static str, &'static str, DynamicImage)> {
    let noisy = files::noisy(WIDTH, HEIGHT, 3);
    let deep = files::deep(WIDTH, HEIGHT);
    let clear = files::see_through(WIDTH, HEIGHT);
    vec![
        ("rgb8", "jpg", noisy.clone()),
        ("grey8", "jpg", DynamicImage::ImageLuma8(noisy.to_luma8())),
        ("rgb8", "png", noisy.clone()),
        ("rgb16", "png", deep.clone()),
        ("grey16", "png", DynamicImage::ImageLuma16(deep.to_luma16())),
        ("rgba8", "png", clear.clone()),
        ("rgba16", "png", DynamicImage::ImageRgba16(clear.to_rgba16())),
        ("greya8", "png", DynamicImage::ImageLumaA8(clear.to_luma_alpha8())),
        ("rgb8", "tif", noisy.clone()),
        ("rgb16", "tif", deep),
        ("rgba8", "tif", clear.clone()),
        ("rgb8", "webp", noisy),
        ("rgba8", "webp", clear),
    ]
}

/// What must be found in a result.
fn check_tags(wrong: &mut Vec<String>, name: &str, tags: &Value, keeps_gps: bool) {
    let mut expect = |key: &str, wanted: Value| {
        if tags[key] != wanted {
            wrong.push(format!("{name}: {key} is {} instead of {wanted}", tags[key]));
        }
    };
    expect("IFD0:Make", "Lumen".into());
    expect("IFD0:Artist", "Zoë".into());
    expect("ExifIFD:ISO", 6400.into());
    expect("ExifIFD:DateTimeOriginal", "2024:02:29 18:30:00".into());
    expect("XMP-dc:Creator", "Zoë".into());
    expect("XMP-xmp:Rating", 4.into());
    expect("IFD0:XResolution", 240.into());
    expect("ICC_Profile:ProfileDescription", "Display P3".into());
    if keeps_gps {
        expect("GPS:GPSLatitude", 48.2.into());
        expect("GPS:GPSLongitude", 16.4.into());
    }
    let about_place: Vec<&String> =
        tags.as_object().unwrap().keys().filter(|k| k.contains("GPS")).collect();
    if !keeps_gps && !about_place.is_empty() {
        wrong.push(format!("{name}: the place is still there: {about_place:?}"));
    }
    if !(tags["IFD0:Orientation"].is_null() || tags["IFD0:Orientation"] == 1) {
        wrong.push(format!("{name}: turned already, yet tagged {}", tags["IFD0:Orientation"]));
    }
}

#[test]
fn every_format_keeps_what_it_holds_at_every_orientation() {
    if !has_exiftool() {
        eprintln!("exiftool is not installed: metadata is not checked");
        return;
    }
    let place = Place::new();
    let mut wrong = Vec::new();
    for orientation in 1..=8 {
        let folder = place.folder(format!("in/{orientation}"));
        for (kind, extension, picture) in kinds() {
            files::save(&picture, &folder.join(format!("{kind} {extension}.{extension}")));
        }
        tag(&place, &folder, orientation);
    }
    let line = ["denoise", "in", "-o", "out", "--recursive", "--strength", "0", "--quality", "97"];
    place.run(line).ended_with(0);

    let found = tags(&place.at("out"));
    assert_eq!(found.len(), 8 * kinds().len(), "one result each");
    for (path, tags) in &found {
        let name = path.strip_prefix(place.at("out")).unwrap().display().to_string();
        check_tags(&mut wrong, &name, tags, true);
        let orientation: u8 = name[..1].parse().unwrap();
        let original = place.at("in").join(path.strip_prefix(place.at("out")).unwrap());
        let mut upright = files::load(&original);
        upright.apply_orientation(Orientation::from_exif(orientation).unwrap());
        let result = files::load(path);
        if result.color() != upright.color() {
            wrong.push(format!("{name}: {:?} became {:?}", upright.color(), result.color()));
        } else if (result.width(), result.height()) != (upright.width(), upright.height()) {
            wrong.push(format!("{name}: {} × {}", result.width(), result.height()));
        } else if path.extension() == Some("jpg".as_ref()) {
            let distance = files::distance(&result, &upright);
            if distance > 3.0 {
                wrong.push(format!("{name}: differs by {distance:.1}"));
            }
        } else if result != upright {
            wrong.push(format!("{name}: other pixels"));
        }
        if orientation == 1 && profile_of(path) != profile_of(&original) {
            wrong.push(format!("{name}: another profile"));
        }
    }
    assert!(wrong.is_empty(), "{} faults: {wrong:#?}", wrong.len());
}

#[test]
fn another_format_keeps_it_too() {
    if !has_exiftool() {
        return;
    }
    let place = Place::new();
    let folder = place.folder("in");
    for (kind, extension, picture) in kinds() {
        if kind == "rgb8" || kind == "rgb16" {
            files::save(&picture, &folder.join(format!("{kind} {extension}.{extension}")));
        }
    }
    tag(&place, &folder, 6);
    let mut wrong = Vec::new();
    for format in ["jpeg", "png", "tiff", "webp"] {
        let line = ["denoise", "in", "-o", format, "--format", format, "--strength", "0"];
        place.run(line).ended_with(0);
        let found = tags(&place.at(format));
        assert_eq!(found.len(), files_below(&folder).len());
        for (path, tags) in &found {
            let name = path.strip_prefix(place.at("")).unwrap().display().to_string();
            check_tags(&mut wrong, &name, tags, true);
            let result = files::load(path);
            if (result.width(), result.height()) != (HEIGHT, WIDTH) {
                wrong.push(format!("{name}: not turned"));
            }
            let is_deep = result.color().bytes_per_pixel() / result.color().channel_count() == 2;
            let stays_deep = name.contains("rgb16") && matches!(format, "png" | "tiff");
            if is_deep != stays_deep {
                wrong.push(format!("{name}: {:?}", result.color()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_place_is_removed_on_request_and_nothing_else() {
    if !has_exiftool() {
        return;
    }
    let place = Place::new();
    let folder = place.folder("in");
    for (kind, extension, picture) in kinds() {
        files::save(&picture, &folder.join(format!("{kind} {extension}.{extension}")));
    }
    tag(&place, &folder, 1);
    let line = ["denoise", "in", "-o", "out", "--strength", "0", "--strip-gps"];
    place.run(line).ended_with(0);
    let mut wrong = Vec::new();
    for (path, tags) in tags(&place.at("out")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        check_tags(&mut wrong, &name, &tags, false);
        if exiftool(["-b", "-a", "-G1", "-s"].map(OsStr::new).into_iter().chain([path.as_os_str()]))
            .windows(4)
            .any(|four| four == b"48.2")
        {
            wrong.push(format!("{name}: the latitude is still in it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sizes_and_thumbnail_are_those_of_the_result() {
    if !has_exiftool() {
        return;
    }
    let place = Place::new();
    let folder = place.folder("in");
    files::save(&files::noisy(WIDTH, HEIGHT, 1), &folder.join("a.jpg"));
    files::save(&files::noisy(16, 10, 9), &place.at("thumb.jpg"));
    tag(&place, &folder, 6);
    let thumbnail = format!("-ThumbnailImage<={}", place.at("thumb.jpg").display());
    let width = format!("-ExifIFD:ExifImageWidth={WIDTH}");
    let height = format!("-ExifIFD:ExifImageHeight={HEIGHT}");
    exiftool([
        "-q".as_ref(),
        "-overwrite_original".as_ref(),
        thumbnail.as_ref(),
        width.as_ref(),
        height.as_ref(),
        folder.join("a.jpg").as_os_str(),
    ]);
    let stale =
        exiftool(["-b".as_ref(), "-ThumbnailImage".as_ref(), folder.join("a.jpg").as_os_str()]);
    assert!(!stale.is_empty(), "the test's own thumbnail is there");
    place.run(["upscale", "in/a.jpg", "-o", "b.jpg"]).ended_with(0);
    let (_, tags) = tags(&place.at("b.jpg")).remove(0);
    assert_eq!(tags["ExifIFD:ExifImageWidth"], 2 * HEIGHT, "{tags:#}");
    assert_eq!(tags["ExifIFD:ExifImageHeight"], 2 * WIDTH, "{tags:#}");
    let thumbnail =
        exiftool(["-b".as_ref(), "-ThumbnailImage".as_ref(), place.at("b.jpg").as_os_str()]);
    assert!(thumbnail != stale, "the thumbnail shows the picture before");
}
