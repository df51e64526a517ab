//! Memory stays under the budget at any picture size. By hand, in a release build:
//! `cargo test --release --test product memory -- --ignored --nocapture`.

#![cfg(target_os = "linux")]

use std::process::Child;
use std::time::{Duration, Instant};

use crate::files;
use crate::limpid::{Place, end_of};

/// The most memory that a running process has held so far, in bytes.
fn peak_bytes(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Runs a command on a picture of this size; returns the peak of its memory in bytes.
fn measure(width: u32, height: u32, budget: &str, command: &[&str]) -> u64 {
    let place = Place::new();
    let picture = files::noisy(width, height, 1);
    files::save(&picture, &place.at("a.jpg"));
    drop(picture);
    let line = [command, &["a.jpg", "-o", "b.jpg", "--quiet", "--memory", budget]].concat();
    let began = Instant::now();
    let mut child = place.start(line);
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak_bytes(&child).unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    end_of(child, Duration::from_secs(1)).ended_with(0);
    let megapixels = f64::from(width) * f64::from(height) / 1e6;
    println!(
        "{megapixels:.1} MP under {budget}: peak {} MB, {:.1} s",
        peak / 1_000_000,
        began.elapsed().as_secs_f32()
    );
    peak
}

#[test]
fn a_picture_stays_under_a_small_budget() {
    let peak = measure(1800, 1500, "300MB", &["denoise", "--sigma", "10"]);
    assert!(peak < 300_000_000, "{peak} bytes");
}

#[test]
#[ignore = "minutes of work: run it by hand in a release build"]
fn a_hundred_megapixels_stay_under_one_gigabyte() {
    let peak = measure(11_600, 8_700, "1GB", &["denoise", "--sigma", "10"]);
    assert!(peak < 1_000_000_000, "{peak} bytes");
}
