//! What tiling builds on: a tile with its halo gives the whole picture's pixels, whatever the
//! number of threads; odd sizes work; a cancel is quick.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::{Library, LibraryConfig, NetError, Network, Task};

/// Largest difference allowed between a tile and the whole picture. Not zero: a Winograd tile at
/// the edge of the halo sees zeros where the whole picture goes on, which cancel only to rounding.
const TOLERANCE: f32 = 1e-5;

const SMALL: [&str; 5] = ["ffdnet", "span-x2", "span-x4", "dn-resnet", "ct-srcnn"];

/// A small network of each architecture, the built-in ones, and the packs where they are installed
/// (`LIMPID_PACKS_DIR`, or the user's own folder).
fn networks() -> Vec<Arc<Network>> {
    let mut networks = small_networks();
    let folder = tempfile::tempdir().unwrap();
    let config = LibraryConfig { imports_dir: folder.path().into(), ..LibraryConfig::for_user() };
    let library = Library::open(config).unwrap();
    let cards = library.models().into_iter();
    let installed = cards.filter(|card| card.installed && card.task != Task::Speech);
    networks.extend(installed.map(|card| library.load(&card.name).unwrap()));
    networks
}

fn small_networks() -> Vec<Arc<Network>> {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::open(LibraryConfig {
        packs_dir: folder.path().join("packs"),
        imports_dir: folder.path().join("imports"),
    })
    .unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    SMALL
        .iter()
        .map(|name| {
            let path = fixtures.join(format!("small-{name}.safetensors"));
            library.load(&library.import(&path).unwrap().name).unwrap()
        })
        .collect()
}

/// Waves and a hash for noise: the same picture wherever it is asked for.
fn picture(height: usize, width: usize) -> Planes {
    let sample = |index: usize| {
        let (y, x) = (index / width % height, index % width);
        let wave = (x as f32 * 0.21).sin() * (y as f32 * 0.13).cos();
        let noise = (index as u32).wrapping_mul(2_654_435_761) >> 8;
        0.5 + 0.3 * wave + 0.2 * (noise as f32 / (1 << 24) as f32 - 0.5)
    };
    Planes::from_vec(3, height, width, (0..3 * height * width).map(sample).collect()).unwrap()
}

fn sigma(network: &Network) -> Option<f32> {
    network.wants_sigma().then_some(0.1)
}

fn run(network: &Network, input: &Planes, threads: usize) -> Planes {
    let (pool, cancel) = (Pool::new(threads).unwrap(), Cancel::new());
    network.run(input, sigma(network), &RunContext { pool: &pool, cancel: &cancel }).unwrap()
}

#[test]
fn a_tile_equals_the_whole_picture() {
    let whole_input = picture(173, 211);
    for network in networks() {
        let name = &network.card().name;
        let whole = run(&network, &whole_input, 2);
        let (halo, align) = (network.halo() as usize, network.align() as usize);
        let s = network.scale() as usize;
        let mut worst = 0.0f32;
        // Inner, at the left and top edge, at the right and bottom edge, one step wide.
        for (x, y, width, height) in
            [(64, 56, 40, 32), (0, 0, 48, 40), (176, 136, 35, 37), (96, 88, align, align)]
        {
            assert!(x % align == 0 && y % align == 0 && halo % align == 0);
            let (left, top) = (x - halo.min(x), y - halo.min(y));
            let right = (x + width + halo).min(whole_input.width());
            let bottom = (y + height + halo).min(whole_input.height());
            let crop = whole_input.crop(left, top, right - left, bottom - top).unwrap();
            let tile = run(&network, &crop, 1);
            let inner = tile.crop((x - left) * s, (y - top) * s, width * s, height * s).unwrap();
            let wanted = whole.crop(x * s, y * s, width * s, height * s).unwrap();
            let pairs = inner.data().iter().zip(wanted.data());
            let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            worst = worst.max(difference);
        }
        println!("{name}: {worst:e}");
        assert!(worst <= TOLERANCE, "{name}: {worst:e}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let input = picture(61, 83);
    for network in networks() {
        let one = run(&network, &input, 1);
        for threads in [2, 3, 5] {
            assert_eq!(one, run(&network, &input, threads), "{}", network.card().name);
        }
    }
}

#[test]
fn any_size_gives_a_whole_result() {
    for network in networks() {
        for (height, width) in [(1, 1), (1, 300), (300, 1), (2, 3), (17, 5)] {
            let result = run(&network, &picture(height, width), 2);
            let s = network.scale() as usize;
            let found = (result.channels(), result.height(), result.width());
            assert_eq!(found, (3, height * s, width * s), "{}", network.card().name);
            assert!(result.data().iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    for network in networks() {
        let name = &network.card().name;
        // A fourth plane is a noise map, which is for networks that are told the level.
        let planes = if network.wants_sigma() { 5 } else { 4 };
        for shape in [(1, 8, 8), (planes, 8, 8), (3, 0, 8), (3, 8, 0)] {
            let input = Planes::zeros(shape.0, shape.1, shape.2);
            let result = network.run(&input, sigma(&network), &cx);
            assert!(matches!(result, Err(NetError::Input(_))), "{name} {shape:?}");
        }
        if network.wants_sigma() {
            for sigma in [None, Some(f32::NAN), Some(-0.1)] {
                let result = network.run(&picture(8, 8), sigma, &cx);
                assert!(matches!(result, Err(NetError::Input(_))), "{name} {sigma:?}");
            }
        }
    }
}

#[test]
fn a_cancel_is_answered_quickly() {
    let network = &small_networks()[2];
    let input = picture(1000, 1000);
    let pool = Pool::new(1).unwrap();
    // The best of a few: on a busy computer one measurement is mostly waiting for a core.
    let answers = (1..=5).map(|attempt| {
        let cancel = Cancel::new();
        let remote = cancel.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(15 * attempt));
            remote.cancel();
            Instant::now()
        });
        let result = network.run(&input, None, &RunContext { pool: &pool, cancel: &cancel });
        let answered = Instant::now();
        assert!(matches!(result, Err(NetError::Cancelled)), "it was done before the cancel");
        answered.saturating_duration_since(canceller.join().unwrap())
    });
    let best = answers.min().unwrap();
    assert!(best < Duration::from_millis(100), "{best:?}");
}
