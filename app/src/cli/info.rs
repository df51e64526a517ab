//! `limpid info`: what is known of a photo.

use std::path::Path;
use std::process::ExitCode;

use limpid_engine::{Engine, EngineError, FailureKind, PictureInfo};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::args::InfoArgs;
use super::{SOME_FAILED, engine_config, json, output, units};

/// Tells about each file.
pub(super) fn run(args: &InfoArgs) -> ExitCode {
    let engine = match Engine::start(engine_config()) {
        Ok(engine) => engine,
        Err(error) => {
            output::error_line(&error.to_string());
            return ExitCode::from(SOME_FAILED);
        }
    };
    let mut has_failed = false;
    for (index, file) in args.files.iter().enumerate() {
        match engine.info(file) {
            Ok(info) if args.json => output::line(&json::text(&JsonInfo { file, info: &info })),
            Ok(info) => {
                if index > 0 {
                    output::line("");
                }
                output::line(&text(file, &info));
            }
            Err(error) => {
                has_failed = true;
                if args.json {
                    output::line(&json::text(&json::Line::Failed {
                        file,
                        kind: kind(&error),
                        message: &error.to_string(),
                    }));
                }
                output::error_line(&error.to_string());
            }
        }
    }
    if has_failed { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS }
}

fn kind(error: &EngineError) -> FailureKind {
    match error {
        EngineError::Picture { kind, .. } => *kind,
        _ => FailureKind::Internal,
    }
}

fn text(file: &Path, info: &PictureInfo) -> String {
    let megapixels = f64::from(info.width) * f64::from(info.height) / 1e6;
    let size = format!("{} × {} pixels, {megapixels:.1} MP", info.width, info.height);
    let stored =
        format!("{}, {}, {}", info.format, info.pixels, units::show_bytes(info.file_bytes));
    let profile = info.profile.as_deref().unwrap_or("none, taken as sRGB");
    let noise = info.noise_sigma.map(|sigma| format!("standard deviation {sigma:.1} of 255"));
    let rows = [
        ("Size", Some(size.as_str())),
        ("Stored as", Some(stored.as_str())),
        ("Profile", Some(profile)),
        ("Camera", info.camera.as_deref()),
        ("Noise", noise.as_deref()),
    ];
    let mut text = output::tamed(&file.display().to_string()).into_owned();
    for (name, value) in rows {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name:<10} {}", output::tamed(value)));
        }
    }
    text
}

/// A photo as a line: `file`, `width`, `height`, `format`, `pixels`, `profile`, `camera`,
/// `file_bytes`, `noise_sigma` (`0..=255`); what is not known is null.
struct JsonInfo<'a> {
    file: &'a Path,
    info: &'a PictureInfo,
}

impl Serialize for JsonInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let info = self.info;
        let mut map = serializer.serialize_map(None)?;
        json::path_entry(&mut map, "file", "file_hex", self.file)?;
        map.serialize_entry("width", &info.width)?;
        map.serialize_entry("height", &info.height)?;
        map.serialize_entry("format", &info.format)?;
        map.serialize_entry("pixels", &info.pixels)?;
        map.serialize_entry("profile", &info.profile)?;
        map.serialize_entry("camera", &info.camera)?;
        map.serialize_entry("file_bytes", &info.file_bytes)?;
        map.serialize_entry("noise_sigma", &info.noise_sigma)?;
        map.end()
    }
}
