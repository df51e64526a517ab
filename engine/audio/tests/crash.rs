//! A recording that dies with its program is on the disk, up to its last second.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test program

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use limpid_audio::live::{Capture, RecordRequest, Recorder, SampleKind, StreamFormat};

const RATE: usize = 8000;
const PATH: &str = "LIMPID_TEST_CRASH_PATH";

#[test]
fn a_killed_recording_is_readable_up_to_its_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take.wav");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "records_until_it_is_killed", "--ignored"])
        .env(PATH, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let length = |path: &Path| path.metadata().map_or(0, |m| m.len() as usize);
    while length(&path) < 5 * RATE {
        assert!(started.elapsed().as_secs() < 60, "nothing was recorded");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let reader = hound::WavReader::open(&path).unwrap();
    let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
    let written = length(&path) / 2;
    assert!(samples.len() + RATE >= written, "{} of about {written}", samples.len());
    assert!(samples.iter().enumerate().all(|(i, &x)| x == i as i16));
}

#[test]
#[ignore = "the program that the other test kills"]
fn records_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let format = StreamFormat { rate: RATE as u32, channels: 1, kind: SampleKind::I16 };
    let (mut feed, capture) = Capture::fed(format, 10.0);
    let request = RecordRequest { raw: PathBuf::from(path), ..RecordRequest::default() };
    let _recorder = Recorder::start_from(request, move || Ok(capture)).unwrap();
    let started = Instant::now();
    let mut given = 0_usize;
    while started.elapsed().as_secs() < 60 {
        let due = (started.elapsed().as_secs_f64() * RATE as f64) as usize;
        let block: Vec<u8> = (given..due).flat_map(|i| (i as i16).to_ne_bytes()).collect();
        feed.push(&block);
        given = due;
        thread::sleep(Duration::from_millis(10));
    }
}
