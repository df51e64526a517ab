//! Real pictures through the queue.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use limpid_photo::settings::{Denoise, Strength};

use super::*;
use crate::config::{Budget, EngineConfig};
use crate::engine::Engine;
use crate::event::Event;
use crate::job::Job;
use crate::testing;

struct Bench {
    dir: tempfile::TempDir,
    config: EngineConfig,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = EngineConfig::new(testing::library(dir.path()));
        Self { dir, config: EngineConfig { threads: 2, views: false, ..config } }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn job(&self, inputs: Vec<PathBuf>) -> Job {
        let denoise = Denoise {
            strength: Strength::Fixed(0.3),
            model: "tiny-denoise".into(),
            ..Denoise::default()
        };
        let mut recipe = Recipe::new([StepSettings::Denoise(denoise)]);
        recipe.output.folder = Some(self.at("out"));
        Job { inputs, recursive: false, recipe, destination: Destination::Recipe }
    }

    /// Runs a job to its end: by input's file name, the result's or why there is none.
    fn run(&self, job: Job) -> BTreeMap<String, Result<String, (FailureKind, String)>> {
        let engine = Engine::start(self.config.clone()).unwrap();
        engine.submit(job).unwrap();
        let mut names = Vec::new();
        let mut ended = BTreeMap::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        let name_of = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        loop {
            match engine.events().recv_deadline(deadline).expect("the queue came to its end") {
                Event::Queued { items, .. } => {
                    names = items.iter().map(|item| name_of(&item.input)).collect();
                }
                Event::Finished { item, output, .. } => {
                    ended.insert(names[item.index as usize].clone(), Ok(name_of(&output)));
                }
                Event::Failed { item, kind, message } => {
                    ended.insert(names[item.index as usize].clone(), Err((kind, message)));
                }
                Event::Idle => return ended,
                _ => {}
            }
        }
    }
}

#[test]
fn every_bad_file_gets_its_sentence_and_the_rest_is_done() {
    let bench = Bench::new();
    let good = bench.at("good.png");
    testing::write_png(&good, 120, 80, 1);
    let whole = fs::read(&good).unwrap();
    fs::write(bench.at("empty.png"), b"").unwrap();
    fs::write(bench.at("text.jpg"), b"this is no picture at all, whatever it is called").unwrap();
    fs::write(bench.at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(bench.at("really a png.jpg"), &whole).unwrap();
    fs::create_dir(bench.at("folder.jpg")).unwrap();
    let names = [
        "good.png",
        "empty.png",
        "text.jpg",
        "cut.png",
        "really a png.jpg",
        "folder.jpg",
        "gone.png",
    ];
    let ended = bench.run(bench.job(names.iter().map(|name| bench.at(name)).collect()));
    assert_eq!(ended.len(), names.len(), "{ended:#?}");
    assert_eq!(ended["good.png"], Ok("good.png".into()));
    assert_eq!(ended["really a png.jpg"], Ok("really a png.png".into()));
    let wanted = [
        ("empty.png", vec![FailureKind::Damaged, FailureKind::Unsupported]),
        ("text.jpg", vec![FailureKind::Damaged, FailureKind::Unsupported]),
        ("cut.png", vec![FailureKind::Damaged]),
        ("folder.jpg", vec![FailureKind::Unreadable]),
        ("gone.png", vec![FailureKind::Unreadable]),
    ];
    let mut wrong = Vec::new();
    for (name, kinds) in wanted {
        match &ended[name] {
            Err((kind, message)) if kinds.contains(kind) && message.ends_with(name) => {}
            other => wrong.push((name, other.clone())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let left: Vec<_> = fs::read_dir(bench.at("out")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn threads_and_memory_do_not_change_the_result() {
    let bench = Bench::new();
    testing::write_png(&bench.at("a.png"), 1300, 900, 3);
    let mut results = Vec::new();
    for (threads, budget_bytes) in [(1, 4 << 30), (2, 4 << 30), (2, Budget::SMALLEST)] {
        let config = EngineConfig { threads, budget_bytes, ..bench.config.clone() };
        let bench = Bench { dir: tempfile::tempdir().unwrap(), config };
        let input = bench.at("a.png");
        testing::write_png(&input, 1300, 900, 3);
        assert!(bench.run(bench.job(vec![input]))["a.png"].is_ok());
        results.push(fs::read(bench.at("out/a.png")).unwrap());
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn cancel_in_the_middle_of_a_picture_answers_within_200_ms() {
    let bench = Bench::new();
    let input = bench.at("large.png");
    testing::write_png(&input, 2600, 1800, 5);
    let engine = Engine::start(bench.config.clone()).unwrap();
    let job = engine.submit(bench.job(vec![input])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let until = |fits: &dyn Fn(&Event) -> bool| {
        while !fits(&engine.events().recv_deadline(deadline).unwrap()) {}
    };
    until(&|event| {
        matches!(event, Event::Progress { stage: Stage::Enhancing(_), fraction, .. }
            if *fraction > MEASURED)
    });
    let asked = Instant::now();
    engine.cancel(job);
    until(&|event| matches!(event, Event::Cancelled { .. }));
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert_eq!(fs::read_dir(bench.at("out")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_named_file_decides_the_format_and_is_never_the_original() {
    let bench = Bench::new();
    let input = bench.at("a.png");
    testing::write_png(&input, 60, 40, 2);
    let before = fs::read(&input).unwrap();
    let mut job = bench.job(vec![input.clone()]);
    job.recipe.output.folder = None;
    job.destination = Destination::File(bench.at("b.jpg"));
    assert_eq!(bench.run(job.clone())["a.png"], Ok("b.jpg".into()));
    assert_eq!(testing::read(&bench.at("b.jpg")).format, FileFormat::Jpeg);
    job.destination = Destination::File(input.clone());
    let ended = bench.run(job);
    assert!(matches!(&ended["a.png"], Err((FailureKind::Unwritable, _))), "{ended:?}");
    assert_eq!(fs::read(&input).unwrap(), before);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let bench = Bench::new();
    let input = bench.at("a.png");
    testing::write_png(&input, 60, 40, 2);
    fs::write(bench.at("out"), b"a file where the folder is to be").unwrap();
    let ended = bench.run(bench.job(vec![input]));
    let Err((kind, message)) = &ended["a.png"] else { panic!("{ended:?}") };
    assert_eq!(*kind, FailureKind::Unwritable);
    assert!(message.contains("folder") && message.contains("out"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let bench = Bench::new();
    let pipe = bench.at("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let ended = bench.run(bench.job(vec![pipe]));
    assert!(matches!(&ended["pipe.png"], Err((FailureKind::Unreadable, _))), "{ended:?}");
}

#[test]
fn what_is_known_of_a_picture_can_be_asked() {
    let bench = Bench::new();
    let input = bench.at("a.png");
    testing::write_png(&input, 640, 480, 2);
    let engine = Engine::start(bench.config.clone()).unwrap();
    let info = engine.info(&input).unwrap();
    assert_eq!((info.width, info.height, info.format.as_str()), (640, 480, "PNG"));
    assert_eq!(info.pixels, "8 bit RGB");
    let sigma = info.noise_sigma.unwrap();
    assert!((10.0..20.0).contains(&sigma), "15 was added, {sigma} was found");
    assert!(engine.info(&bench.at("gone.png")).is_err());
}
