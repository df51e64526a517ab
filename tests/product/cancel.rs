//! Ctrl-C: the work stops at once and leaves nothing half done.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::files;
use crate::limpid::{Place, end_of, files_below, signal};

/// Far above the 200 ms promised for a release build on a free computer, far below the minutes that
/// the picture takes in a test build.
const AT_MOST: Duration = Duration::from_secs(5);

#[test]
fn an_interrupt_stops_the_work_at_once() {
    let place = Place::new();
    files::save(&files::noisy(3000, 2000, 1), &place.at("a.png"));
    let mut child = place.start(["upscale", "a.png", "-o", "out/b.png", "--scale", "4", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_enhancing = |line: &str| line.contains("\"enhancing\"");
    assert!(lines.by_ref().any(|line| is_enhancing(&line.unwrap())), "it never began");
    signal(&child, "INT");
    let interrupted = Instant::now();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let ran = end_of(child, Duration::from_secs(60)).ended_with(130);
    let took = interrupted.elapsed();
    println!("interrupt to end of the process: {took:?}");
    assert!(took < AT_MOST, "it took {took:?}: {}", ran.stderr);
    assert!(rest.iter().any(|line| line.contains("\"cancelled\"")), "{rest:#?}");
    assert!(files_below(&place.at("out")).is_empty(), "no result, and no half of one");
    assert!(place.part_files().is_empty());
}
