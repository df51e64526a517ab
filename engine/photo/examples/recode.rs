//! Reads a picture and writes it again, nothing else done to it: the time and memory of both ends.
//!
//! `cargo run --release -p limpid-photo --example recode -- IN OUT [BUDGET_MB] [strip]`
#![allow(clippy::print_stdout)] // it prints figures

use std::path::Path;
use std::time::Instant;

use limpid_kernels::{Cancel, Pool};
use limpid_photo::{EncodeOptions, FileFormat, Rect, WorkContext, decode, encode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rest @ ..] = arguments.as_slice() else {
        return Err("usage: recode IN OUT [BUDGET_MB] [strip]".into());
    };
    let megabytes: u64 = rest.first().map_or(Ok(1024), |text| text.parse())?;
    let pool = Pool::new(0)?;
    let cancel = Cancel::new();
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: megabytes << 20 };
    let begin = Instant::now();
    let picture = decode(Path::new(input), &cx)?;
    println!(
        "{} {}, {} x {}, profile {:?}, camera {:?}: read in {:.2} s, peak {} MB",
        picture.format.name(),
        picture.raster.layout().describe(),
        picture.width(),
        picture.height(),
        picture.metadata.profile_name(),
        picture.metadata.camera(),
        begin.elapsed().as_secs_f32(),
        peak_megabytes()
    );
    let extension = Path::new(output).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let all =
        [FileFormat::Jpeg, FileFormat::Png, FileFormat::Tiff, FileFormat::Webp, FileFormat::Bmp];
    let format = all.into_iter().find(|format| format.has_extension(extension));
    let format = format.ok_or("the output's extension is of no format that is written")?;
    let gps_strip = rest.get(1).is_some_and(|word| word == "strip");
    let options = EncodeOptions { format, quality: 92, gps_strip, band_rows: 256 };
    let begin = Instant::now();
    let size = (picture.width(), picture.height());
    let mut next = |rect: Rect| picture.raster.read(rect);
    let notes = encode(&picture, size, &options, Path::new(output), &mut next, &cx)?;
    println!(
        "{} written in {:.2} s, peak {} MB, notes {notes:?}",
        format.name(),
        begin.elapsed().as_secs_f32(),
        peak_megabytes()
    );
    Ok(())
}

/// The most memory this process had, in MB; 0 where the system does not say.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
