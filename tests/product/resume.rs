//! Killed at any moment and given again, the same command goes on: every good file is done exactly
//! once, the broken ones are named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::files;
use crate::limpid::{Place, Ran, end_of, files_below, signal, wait_until};

const LIMIT: Duration = Duration::from_secs(600);

/// How many files the test works on; more by hand.
fn file_count() -> usize {
    std::env::var("LIMPID_TEST_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(50)
}

/// Pictures of several formats and sizes, every tenth of them broken. Returns the broken ones.
fn mixed_files(folder: &Path, count: usize) -> Vec<PathBuf> {
    let mut broken = Vec::new();
    for number in 0..count {
        let extension = ["jpg", "png", "tif", "webp", "bmp"][number % 5];
        let path = folder.join(format!("{number:04}.{extension}"));
        let (width, height) = (40 + 13 * (number as u32 % 11), 30 + 17 * (number as u32 % 7));
        files::save(&files::noisy(width, height, number as u32), &path);
        if number % 10 == 7 {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            broken.push(path);
        }
    }
    broken
}

/// When each result was written: a file that is done twice is written twice.
fn written(out: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let results = files_below(out)
        .into_iter()
        .filter(|path| !path.as_os_str().as_encoded_bytes().ends_with(b".limpid-part"));
    results
        .map(|path| {
            let metadata = path.metadata().unwrap();
            (path, (inode(&metadata), metadata.modified().unwrap()))
        })
        .collect()
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

/// Kills the command three times at different moments, runs it to its end, and checks all of it.
fn kill_three_times_and_finish(extra: &[&str]) {
    let place = Place::new();
    let count = file_count();
    let broken = mixed_files(&place.folder("in"), count);
    let good = count - broken.len();
    let out = place.at("out");
    let line = [&["denoise", "in", "-o", "out", "--sigma", "12"], extra].concat();

    let mut before: BTreeMap<PathBuf, (u64, SystemTime)> = BTreeMap::new();
    for quarter in 1..=3 {
        let mut child = place.start(&line);
        let mut is_reached = false;
        wait_until(LIMIT, || {
            is_reached = written(&out).len() >= good * quarter / 4;
            is_reached || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        let killed = end_of(child, LIMIT);
        assert!(is_reached, "the work does not go on: {}", killed.stderr);
        assert_eq!(killed.code, None, "it ended before it could be killed: {}", killed.stderr);
        let now = written(&out);
        for (path, stamp) in &before {
            assert_eq!(now.get(path), Some(stamp), "done twice: {}", path.display());
        }
        before = now;
    }

    let ran: Ran = place.run([&line[..], &["--json"]].concat()).ended_with(1);
    let now = written(&out);
    for (path, stamp) in &before {
        assert_eq!(now.get(path), Some(stamp), "done twice: {}", path.display());
    }
    assert_eq!(now.len(), good, "every good file has one result");
    for path in &broken {
        let named = ran
            .failures()
            .iter()
            .filter(|line| line.ends_with(&path.display().to_string()))
            .count();
        assert_eq!(named, 1, "{} in\n{}", path.display(), ran.stderr);
    }
    assert_eq!(ran.failures().len(), broken.len(), "{}", ran.stderr);
    let done = ran.json().pop().unwrap();
    let told = done["finished"].as_u64().unwrap() + done["skipped"].as_u64().unwrap();
    assert_eq!((told, &done["failed"]), (good as u64, &broken.len().into()), "{done}");
    assert!(place.part_files().is_empty(), "{:?}", place.part_files());

    // The results are those of a run that nobody killed.
    let whole = [&["denoise", "in", "-o", "whole", "--sigma", "12"], extra].concat();
    place.run(whole).ended_with(1);
    for path in now.keys() {
        let twin = place.at("whole").join(path.file_name().unwrap());
        assert!(
            std::fs::read(path).unwrap() == std::fs::read(twin).unwrap(),
            "{} differs",
            path.display()
        );
    }
    println!("{count} files, {} broken, killed 3 times: each of {good} done once", broken.len());
}

#[test]
fn a_killed_batch_goes_on() {
    kill_three_times_and_finish(&[]);
}

#[test]
fn a_killed_batch_that_replaces_results_does_none_twice() {
    kill_three_times_and_finish(&["--overwrite"]);
}

#[test]
fn a_batch_that_ended_is_forgotten() {
    let place = Place::new();
    mixed_files(&place.folder("in"), 8);
    let line = ["denoise", "in", "-o", "out", "--overwrite"];
    place.run(line).ended_with(1);
    let first = written(&place.at("out"));
    place.run(line).ended_with(1);
    let second = written(&place.at("out"));
    assert!(first.keys().eq(second.keys()));
    assert!(first.values().zip(second.values()).all(|(a, b)| a != b), "--overwrite replaces");
    let saved = files_below(&place.at("home"));
    let journals: Vec<_> = saved.iter().filter(|path| path.ends_with("queue.journal")).collect();
    assert!(journals.is_empty(), "{journals:?}");
}

#[test]
fn a_cancelled_batch_goes_on_too() {
    let place = Place::new();
    mixed_files(&place.folder("in"), 20);
    let line = ["denoise", "in", "-o", "out", "--overwrite", "--sigma", "12"];
    let out = place.at("out");
    let mut child = place.start(line);
    let has_ended = |child: &mut std::process::Child| child.try_wait().unwrap().is_some();
    wait_until(LIMIT, || written(&out).len() >= 4 || has_ended(&mut child));
    assert!(!has_ended(&mut child), "it ended before it could be cancelled");
    signal(&child, "INT");
    let cancelled = end_of(child, LIMIT);
    let before = written(&out);
    if cancelled.code == Some(130) {
        assert!(place.part_files().is_empty(), "{:?}", place.part_files());
        assert!(before.len() < 18, "something was left to do");
    }
    place.run(line).ended_with(1);
    let now = written(&out);
    assert_eq!(now.len(), 18);
    for (path, stamp) in &before {
        assert_eq!(now.get(path), Some(stamp), "done twice: {}", path.display());
    }
}
