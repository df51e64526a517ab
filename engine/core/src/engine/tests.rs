//! The engine's threads, with a stand-in for the pictures: it writes text and does as the input's
//! name says.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;
use crate::event::Stage;
use crate::job::Destination;
use crate::recipe::Recipe;
use crate::worker::{Control, Done, Stop, Task};
use limpid_nets::LibraryConfig;
use limpid_photo::FileFormat;

/// Works in tiles of 5 ms and counts them by input.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<HashMap<String, u32>>>);

impl Fake {
    fn tiles(&self, name: &str) -> u32 {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Processor for Fake {
    fn process(&mut self, task: &Task, control: &Control<'_>) -> Result<Done, Stop> {
        let name = task.found.input.file_stem().unwrap().to_string_lossy().into_owned();
        control.progress(Stage::Reading, 0.0);
        if name.starts_with("broken") {
            let message = format!("the file is cut off: {name}");
            return Err(Stop::Failed { kind: FailureKind::Damaged, message });
        }
        assert!(!name.starts_with("panic"), "on purpose");
        let tiles = if name.starts_with("long") { 2000 } else { 4 };
        let output = control.choose_output(FileFormat::Png)?;
        for tile in 0..tiles {
            control.between_tiles()?;
            std::thread::sleep(Duration::from_millis(5));
            *self.0.lock().unwrap().entry(name.clone()).or_default() += 1;
            let fraction = tile as f32 / tiles as f32;
            control.progress(Stage::Enhancing("Denoise".into()), fraction);
        }
        control.progress(Stage::Writing, 1.0);
        control.about_to_commit(&output)?;
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        fs::write(&output, &name).unwrap();
        Ok(Done { output, notes: vec!["a note".into()] })
    }
}

struct Bench {
    dir: tempfile::TempDir,
    fake: Fake,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), fake: Fake::default() }
    }

    fn config(&self) -> EngineConfig {
        let library = LibraryConfig {
            packs_dir: self.dir.path().join("packs"),
            imports_dir: self.dir.path().join("imports"),
        };
        EngineConfig {
            threads: 1,
            state_dir: Some(self.dir.path().join("state")),
            ..EngineConfig::new(library)
        }
    }

    fn try_start(&self, config: EngineConfig) -> Result<Engine, EngineError> {
        Engine::start_with(config, |_| Box::new(self.fake.clone()))
    }

    fn start(&self) -> Engine {
        self.try_start(self.config()).unwrap()
    }

    fn job(&self, names: &[&str]) -> Job {
        let inputs = names.iter().map(|name| {
            let path = self.dir.path().join("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"some bytes").unwrap();
            path
        });
        let inputs = inputs.collect();
        let mut recipe = Recipe::new([]);
        recipe.output.folder = Some(self.dir.path().join("out"));
        Job { inputs, recursive: false, recipe, destination: Destination::Recipe }
    }

    fn outputs(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path().join("out"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Reads events until one fits; fails after ten seconds.
fn until(engine: &Engine, mut fits: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut seen = Vec::new();
    loop {
        let event = engine.events().recv_deadline(deadline);
        let Ok(event) = event else { panic!("it did not come; before: {seen:#?}") };
        let is_last = fits(&event);
        seen.push(event);
        if is_last {
            return seen;
        }
    }
}

/// Events in short, without progress.
fn short(events: &[Event]) -> Vec<String> {
    let name = |item: &ItemId| format!("{}.{}", item.job.0, item.index);
    events
        .iter()
        .filter_map(|event| {
            Some(match event {
                Event::Queued { items, .. } => format!("queued {}", items.len()),
                Event::Started { item } => format!("started {}", name(item)),
                Event::Finished { item, .. } => format!("finished {}", name(item)),
                Event::Skipped { item, .. } => format!("skipped {}", name(item)),
                Event::Failed { item, kind, .. } => format!("failed {} {kind:?}", name(item)),
                Event::Cancelled { item } => format!("cancelled {}", name(item)),
                Event::Waiting { item } => format!("waiting {}", name(item)),
                Event::Removed { items } => format!("removed {}", items.len()),
                Event::Idle => "idle".into(),
                Event::Progress { .. } => return None,
                other => format!("{other:?}"),
            })
        })
        .collect()
}

fn is_idle(event: &Event) -> bool {
    matches!(event, Event::Idle)
}

fn is_enhancing(event: &Event) -> bool {
    matches!(event, Event::Progress { stage: Stage::Enhancing(_), .. })
}

#[test]
fn a_bad_file_and_a_panic_cost_their_own_row_alone() {
    let bench = Bench::new();
    let engine = bench.start();
    engine.submit(bench.job(&["a.png", "broken.png", "panic.png", "b.png"])).unwrap();
    let events = until(&engine, is_idle);
    assert_eq!(
        short(&events),
        [
            "queued 4",
            "started 0.0",
            "finished 0.0",
            "started 0.1",
            "failed 0.1 Damaged",
            "started 0.2",
            "failed 0.2 Internal",
            "started 0.3",
            "finished 0.3",
            "idle",
        ]
    );
    assert_eq!(bench.outputs(), ["a.png", "b.png"]);
    let message = events.iter().find_map(|event| match event {
        Event::Failed { kind: FailureKind::Internal, message, .. } => Some(message.clone()),
        _ => None,
    });
    let message = message.unwrap();
    assert!(message.contains("on purpose") && message.ends_with("panic.png"), "{message}");
}

#[test]
fn cancel_answers_within_200_ms_and_leaves_nothing() {
    let bench = Bench::new();
    let engine = bench.start();
    let job = engine.submit(bench.job(&["long.png", "b.png"])).unwrap();
    until(&engine, is_enhancing);
    let asked = Instant::now();
    engine.cancel(job);
    let events = until(&engine, is_idle);
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    let mut ended = short(&events);
    ended.sort();
    assert_eq!(ended, ["cancelled 0.0", "cancelled 0.1", "idle"]);
    assert!(bench.outputs().is_empty());
}

#[test]
fn one_file_can_be_cancelled_and_tried_again() {
    let bench = Bench::new();
    let engine = bench.start();
    let job = engine.submit(bench.job(&["long.png", "b.png"])).unwrap();
    until(&engine, is_enhancing);
    let second = ItemId { job, index: 1 };
    engine.cancel_item(second);
    engine.retry(second);
    engine.retry(ItemId { job, index: 0 }); // in work: nothing to try again
    engine.cancel_item(ItemId { job, index: 0 });
    let events = until(&engine, is_idle);
    assert_eq!(
        short(&events),
        ["cancelled 0.1", "waiting 0.1", "cancelled 0.0", "started 0.1", "finished 0.1", "idle"]
    );
}

#[test]
fn a_pause_keeps_the_place() {
    let bench = Bench::new();
    let engine = bench.start();
    let job = engine.submit(bench.job(&["long.png"])).unwrap();
    until(&engine, is_enhancing);
    engine.pause();
    assert!(engine.is_paused());
    until(&engine, is_idle);
    let held_at = bench.fake.tiles("long");
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(bench.fake.tiles("long"), held_at);
    engine.resume();
    let events = until(&engine, is_enhancing);
    assert!(short(&events).is_empty(), "the file was not started again: {events:?}");
    assert!(bench.fake.tiles("long") > held_at);
    // A file that is held can be cancelled too.
    engine.pause();
    until(&engine, is_idle);
    let asked = Instant::now();
    engine.cancel(job);
    until(&engine, |event| matches!(event, Event::Cancelled { .. }));
    assert!(asked.elapsed() < Duration::from_millis(200));
}

#[test]
fn a_dropped_engine_ends_at_once_and_the_next_goes_on() {
    let bench = Bench::new();
    let engine = bench.start();
    engine.submit(bench.job(&["a.png", "broken.png", "long.png", "b.png"])).unwrap();
    until(&engine, |event| is_enhancing(event) && bench.fake.tiles("long") > 0);
    let asked = Instant::now();
    drop(engine);
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());

    let engine = bench.start();
    let events = until(&engine, |event| matches!(event, Event::Started { .. }));
    assert_eq!(
        short(&events),
        ["queued 4", "finished 0.0", "failed 0.1 Damaged", "started 0.2"],
        "what ended is told again, and work goes on"
    );
    engine.cancel_item(ItemId { job: JobId(0), index: 2 });
    let events = until(&engine, is_idle);
    assert_eq!(short(&events), ["cancelled 0.2", "started 0.3", "finished 0.3", "idle"]);
    assert_eq!(bench.fake.tiles("a"), 4, "a.png was done once");
}

#[test]
fn an_engine_nobody_reads_can_be_dropped() {
    let bench = Bench::new();
    let engine = bench.start();
    let names: Vec<String> = (0..300).map(|index| format!("broken{index}.png")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    engine.submit(bench.job(&names)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let asked = Instant::now();
    drop(engine);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
}

#[test]
fn a_batch_given_again_goes_on_and_a_complete_one_leaves_nothing() {
    let bench = Bench::new();
    let job = bench.job(&["a.png", "broken.png", "long.png"]);
    let batch = |job: &Job| EngineConfig {
        state_dir: Some(Engine::batch_dir(bench.dir.path(), job).unwrap()),
        retry: true,
        ..bench.config()
    };
    let state_dir = batch(&job).state_dir.unwrap();
    let start = || bench.try_start(batch(&job)).unwrap();

    let engine = start();
    let resumed = engine.resume_or_submit(job.clone()).unwrap();
    assert_eq!(resumed.done_before, 0);
    until(&engine, |event| is_enhancing(event) && bench.fake.tiles("long") > 0);
    drop(engine);

    let engine = start();
    let resumed = engine.resume_or_submit(job.clone()).unwrap();
    assert_eq!(resumed, Resumed { job: JobId(0), done_before: 1 });
    let events =
        until(&engine, |event| matches!(event, Event::Started { item } if item.index == 2));
    let broken = events.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
    assert_eq!(broken, 1, "named again, and once: {events:?}");
    engine.cancel_item(ItemId { job: JobId(0), index: 2 });
    let events = short(&until(&engine, is_idle));
    assert!(events.contains(&"cancelled 0.2".into()), "{events:?}");
    assert_eq!(bench.fake.tiles("a"), 4, "a.png was done once");
    engine.remove_ended();
    drop(engine);
    assert!(cfg!(not(unix)) || !state_dir.exists());
}

#[test]
fn results_that_are_there_are_skipped() {
    let bench = Bench::new();
    let engine = bench.start();
    engine.submit(bench.job(&["a.png"])).unwrap();
    until(&engine, is_idle);
    engine.submit(bench.job(&["a.png", "b.png"])).unwrap();
    let events = short(&until(&engine, is_idle));
    assert_eq!(
        events,
        ["queued 2", "started 1.0", "skipped 1.0", "started 1.1", "finished 1.1", "idle"]
    );
    engine.remove_finished();
    let events = short(&until(&engine, |event| matches!(event, Event::Removed { .. })));
    assert_eq!(events, ["removed 3"]);
}

#[test]
fn two_engines_never_share_a_queue() {
    let bench = Bench::new();
    let _engine = bench.start();
    let second = bench.try_start(bench.config());
    assert!(matches!(second, Err(EngineError::InUse(_))));
}

#[test]
fn progress_counts_files_and_time() {
    let bench = Bench::new();
    let engine = bench.start();
    engine.submit(bench.job(&["a.png", "long.png", "b.png"])).unwrap();
    let events = until(&engine, |event| {
        matches!(event, Event::Progress { item, seconds_left: Some(_), stage, .. }
            if item.index == 1 && *stage != Stage::Reading)
    });
    let Some(Event::Progress { files_done, files_total, fraction, seconds_left, .. }) =
        events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!((*files_done, *files_total), (1, 3));
    assert!((0.0..0.5).contains(fraction) && seconds_left.unwrap() > 0.0);
}

#[test]
fn a_folder_that_was_being_read_when_the_program_was_killed_is_read_again() {
    let bench = Bench::new();
    let job = bench.job(&["a.png", "b.png", "c.png"]).settle().unwrap();
    // The journal of a program that was killed after it had noted the first file.
    let found = crate::job::expand(&job, &Cancel::new()).unwrap();
    let items = vec![crate::record::StoredItem::new(0, &found[0])];
    let mut queue = Queue::default();
    queue.apply(Record::Job { job: JobId(0), spec: StoredJob::new(&job) });
    queue.apply(Record::Items { job: JobId(0), items });
    let state_dir = StateDir::take(&bench.config().state_dir.unwrap()).unwrap();
    Journal::start(state_dir, &queue).unwrap().close(false);

    let engine = bench.start();
    let events = short(&until(&engine, is_idle));
    assert_eq!(events[0], "queued 3", "{events:?}");
    assert_eq!(bench.outputs(), ["a.png", "b.png", "c.png"]);
}
