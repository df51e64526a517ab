//! A batch that is killed at random moments, again and again, and started again with the same words:
//! at the end every good file was done exactly once, and the broken ones are named.
//!
//! This program starts itself as the batch. It does without the test harness, because it must be a
//! process that can be killed.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test in all but the harness

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use limpid_engine::{
    Destination, Engine, EngineConfig, Event, Existing, Job, LibraryConfig, Recipe,
};
use limpid_kernels::{Cancel, Pool};
use limpid_photo::{
    ColorKind, Depth, EncodeOptions, FileFormat, Layout, Picture, Raster, WorkContext, decode,
    encode, synthetic,
};

const GOOD: u32 = 40;
const KILLS: u32 = 12;

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [word, dir] if word == "batch" => batch(Path::new(dir)),
        _ if arguments.iter().any(|word| word == "--list") => {}
        _ => drive(),
    }
}

/// The program that is killed.
fn batch(dir: &Path) {
    let mut recipe = Recipe::new([]);
    recipe.output.folder = Some(dir.join("out"));
    // A file that was done and is done again would be replaced, and so be noticed.
    recipe.output.existing = Existing::Overwrite;
    let inputs = vec![dir.join("in")];
    let job = Job { inputs, recursive: true, recipe, destination: Destination::Recipe };
    let library = LibraryConfig { packs_dir: dir.join("packs"), imports_dir: dir.join("imports") };
    let state_dir = Engine::batch_dir(&dir.join("state"), &job).unwrap();
    let engine = Engine::start(EngineConfig {
        threads: 1,
        state_dir: Some(state_dir),
        retry: true,
        views: false,
        ..EngineConfig::new(library)
    })
    .unwrap();
    engine.resume_or_submit(job).unwrap();
    let mut out = std::io::stdout();
    for event in engine.events() {
        match event {
            Event::Started { item } => writeln!(out, "started {}", item.index).unwrap(),
            Event::Finished { output, .. } => writeln!(out, "done {}", output.display()).unwrap(),
            Event::Failed { message, .. } => writeln!(out, "failed {message}").unwrap(),
            Event::Idle => break,
            _ => {}
        }
        out.flush().unwrap();
    }
    engine.remove_ended();
}

fn drive() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let good = make_pictures(dir);
    let mut random = 0x9E37_79B9_u32;
    let mut seen: HashMap<PathBuf, (SystemTime, u64)> = HashMap::new();
    let mut kills = 0;
    let last_words = loop {
        // Work begins anew at every start, so that each run gets further by a file or so.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let lines_to_see = 1 + (random >> 8) % 5;
        let delay = Duration::from_micros(u64::from(random >> 16) % 12_000);
        let program = std::env::current_exe().unwrap();
        let mut child =
            Command::new(program).arg("batch").arg(dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut words = Vec::new();
        if kills < KILLS {
            let mut started = 0;
            while started < lines_to_see {
                let Some(line) = lines.next() else { break };
                started += u32::from(line.starts_with("started"));
                words.push(line);
            }
            std::thread::sleep(delay);
            child.kill().unwrap();
            kills += 1;
        }
        words.extend(lines);
        let ended = child.wait().unwrap();
        check_untouched(&dir.join("out"), &mut seen);
        if ended.success() {
            break words;
        }
        assert!(kills <= KILLS && (kills < KILLS || ended.code().is_none()), "{ended}: {words:?}");
    };
    assert!(kills >= 5, "only {kills} kills came before the end");

    for (input, output) in &good {
        let [before, after] = [input, output].map(|path| pixels(path));
        assert_eq!(before, after, "{}", output.display());
    }
    let left = fs::read_dir(dir.join("out")).unwrap().count();
    assert_eq!((left, seen.len()), (good.len(), good.len()), "only results are there: {seen:#?}");
    for name in ["empty.png", "cut.png", "text.jpg"] {
        let named = |line: &&String| line.starts_with("failed") && line.ends_with(name);
        assert_eq!(last_words.iter().filter(named).count(), 1, "{name}: {last_words:#?}");
    }
    let batches = dir.join("state/batches");
    let left = fs::read_dir(&batches).map_or(0, Iterator::count);
    assert!(left == 0 || cfg!(not(unix)), "the saved queue is gone");
    println!("killed {kills} times; {} files done once each", good.len());
}

/// Notes new results and fails when one that was noted has changed or gone.
fn check_untouched(out: &Path, seen: &mut HashMap<PathBuf, (SystemTime, u64)>) {
    let mut there = HashMap::new();
    for entry in fs::read_dir(out).into_iter().flatten() {
        let path = entry.unwrap().path();
        let about = path.metadata().unwrap();
        if path.extension().is_some_and(|extension| extension == "limpid-part") {
            continue; // of a run that was killed; must be gone at the end
        }
        there.insert(path, (about.modified().unwrap(), about.len()));
    }
    for (path, stamp) in seen.iter() {
        assert_eq!(there.get(path), Some(stamp), "done twice: {}", path.display());
    }
    *seen = there;
}

/// Good and broken pictures below `dir/in`; returns inputs and outputs of the good ones.
fn make_pictures(dir: &Path) -> Vec<(PathBuf, PathBuf)> {
    fs::create_dir_all(dir.join("in")).unwrap();
    let mut made = Vec::new();
    for index in 0..GOOD {
        let mut name = OsString::from(format!("picture {index} ☃"));
        #[cfg(unix)]
        if index % 4 == 0 {
            use std::os::unix::ffi::OsStringExt;
            name.push(OsString::from_vec(b"\xff\xe9".to_vec()));
        }
        name.push(".png");
        let input = dir.join("in").join(&name);
        write_png(&input, 40 + 37 * (index % 9), 30 + 23 * (index % 7), u64::from(index));
        made.push((input, dir.join("out").join(&name)));
    }
    let whole = fs::read(&made[8].0).unwrap();
    fs::write(dir.join("in/empty.png"), b"").unwrap();
    fs::write(dir.join("in/cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(dir.join("in/text.jpg"), b"no picture").unwrap();
    made
}

fn with_context<R>(work: impl FnOnce(&WorkContext<'_>) -> R) -> R {
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    work(&WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 1 << 30 })
}

fn write_png(path: &Path, width: u32, height: u32, seed: u64) {
    let planes = synthetic::scene(width as usize, height as usize, seed);
    let layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };
    let mut raster = Raster::new(width, height, layout, 1 << 30).unwrap();
    raster.write(raster.rect(), &planes).unwrap();
    let format = FileFormat::Png;
    let picture = Picture { raster, metadata: Default::default(), format, path: None };
    let options = EncodeOptions { format, quality: 90, gps_strip: false, band_rows: height };
    with_context(|cx| {
        let mut rows = |rect| picture.raster.read(rect);
        encode(&picture, (width, height), &options, path, &mut rows, cx).unwrap()
    });
}

fn pixels(path: &Path) -> Vec<f32> {
    let picture = with_context(|cx| decode(path, cx)).unwrap();
    picture.raster.read(picture.raster.rect()).unwrap().into_vec()
}
