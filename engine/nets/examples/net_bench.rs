//! Milliseconds a tile for each network: `cargo run --release -p limpid-nets --example net_bench
//! [SIDE…]`. With the packs where they are installed, else with random weights. `LIMPID_PROFILE=1` adds the table of layers,
//! `LIMPID_BENCH=span` keeps to one network.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a program for developers

mod cpu_time;

use std::sync::Arc;
use std::time::Instant;

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::{Architecture, CardText, Library, LibraryConfig, Network, Weights};

use cpu_time::cpu_millis;

const NETWORKS: [(&str, Architecture); 4] = [
    ("ffdnet-color", Architecture::FfdNet { channels: 96, layers: 12 }),
    ("span-x2", Architecture::Span { channels: 48, scale: 2 }),
    ("dn-resnet", Architecture::DnResNet { channels: 64, blocks: 6 }),
    ("ct-srcnn-x2", Architecture::CtSrcnn { channels: 48, blocks: 6, scale: 2 }),
];

/// The best of several runs is the least disturbed one.
const RUNS: usize = 6;

fn main() {
    let sides: Vec<usize> = std::env::args().skip(1).map(|side| side.parse().unwrap()).collect();
    let sides = if sides.is_empty() { vec![256, 512, 1024] } else { sides };
    let only = std::env::var("LIMPID_BENCH").unwrap_or_default();
    println!("network        tile  threads       ms   cpu ms  cpu/MP   MB");
    let library = Library::open(LibraryConfig::for_user()).unwrap();
    for (name, architecture) in NETWORKS.into_iter().filter(|(name, _)| name.contains(&only)) {
        let network =
            library.load(name).unwrap_or_else(|_| Arc::new(random_network(name, architecture)));
        for &side in &sides {
            for threads in [1, 2] {
                let pool = Pool::new(threads).unwrap();
                let (wall, cpu) = (0..RUNS)
                    .map(|_| time(&network, side, &pool))
                    .skip(1) // takes the memory that later runs keep
                    .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
                    .unwrap();
                println!(
                    "{name:<14} {side:>4} {threads:>8} {wall:>8.1} {cpu:>8.1} {:>7.0} {:>4}",
                    cpu * 1e6 / (side * side) as f64,
                    network.working_bytes(side as u32, side as u32) >> 20,
                );
            }
        }
    }
}

fn random_network(name: &str, architecture: Architecture) -> Network {
    let mut state = 1u32;
    let weights = Weights::from_fn(architecture, |_, shape| {
        let fan_in: usize = shape[1..].iter().product();
        let gain = (6.0 / fan_in as f32).sqrt();
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1u32 << 23) as f32 - 1.0) * gain
        };
        std::iter::repeat_with(next).take(shape.iter().product()).collect()
    });
    let text = CardText {
        name: name.to_owned(),
        title: name.to_owned(),
        task: architecture.task(),
        summary: String::new(),
        source: String::new(),
        license: String::new(),
        parameters: 0,
        quality: Vec::new(),
        limits: Vec::new(),
    };
    Network::new(text.of_import(0, String::new()), &weights.unwrap()).unwrap()
}

/// Milliseconds of one run: on the wall, and of processor time, which a busy computer disturbs
/// less.
fn time(network: &Network, side: usize, pool: &Pool) -> (f64, f64) {
    let cancel = Cancel::new();
    let data = (0..3 * side * side).map(|index| (index % 251) as f32 / 250.0).collect();
    let input = Planes::from_vec(3, side, side, data).unwrap();
    let sigma = network.wants_sigma().then_some(0.1);
    let (start, cpu) = (Instant::now(), cpu_millis());
    network.run(&input, sigma, &RunContext { pool, cancel: &cancel }).unwrap();
    (start.elapsed().as_secs_f64() * 1e3, cpu_millis() - cpu)
}
