//! Milliseconds a tile for each network: `cargo run --release -p limpid-nets --example net_bench
//! [SIDE…]`. Random weights, so it needs no packs. `LIMPID_PROFILE=1` adds the table of layers,
//! `LIMPID_BENCH=ffdnet` keeps to one network.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a program for developers

use std::time::{Duration, Instant};

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::{Architecture, CardText, Network, Weights};

const NETWORKS: [(&str, Architecture); 4] = [
    ("ffdnet", Architecture::FfdNet { channels: 96, layers: 12 }),
    ("span-x2", Architecture::Span { channels: 48, scale: 2 }),
    ("dn-resnet", Architecture::DnResNet { channels: 64, blocks: 6 }),
    ("ct-srcnn-x2", Architecture::CtSrcnn { channels: 48, blocks: 6, scale: 2 }),
];

/// The best of several runs is the least disturbed one.
const RUNS: usize = 5;

fn main() {
    let sides: Vec<usize> = std::env::args().skip(1).map(|side| side.parse().unwrap()).collect();
    let sides = if sides.is_empty() { vec![256, 512, 1024] } else { sides };
    let only = std::env::var("LIMPID_BENCH").unwrap_or_default();
    println!("network        tile  threads       ms   ms/MP  MB");
    for (name, architecture) in NETWORKS.into_iter().filter(|(name, _)| name.contains(&only)) {
        let network = network(name, architecture);
        for &side in &sides {
            for threads in [1, 2] {
                let best = (0..RUNS).map(|_| time(&network, side, threads)).min().unwrap();
                let ms = best.as_secs_f64() * 1e3;
                println!(
                    "{name:<14} {side:>4} {threads:>8} {ms:>8.1} {:>7.0} {:>3}",
                    ms * 1e6 / (side * side) as f64,
                    network.working_bytes(side as u32, side as u32) >> 20,
                );
            }
        }
    }
}

fn network(name: &str, architecture: Architecture) -> Network {
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

fn time(network: &Network, side: usize, threads: usize) -> Duration {
    let (pool, cancel) = (Pool::new(threads).unwrap(), Cancel::new());
    let data = (0..3 * side * side).map(|index| (index % 251) as f32 / 250.0).collect();
    let input = Planes::from_vec(3, side, side, data).unwrap();
    let sigma = network.wants_sigma().then_some(0.1);
    let start = Instant::now();
    network.run(&input, sigma, &RunContext { pool: &pool, cancel: &cancel }).unwrap();
    start.elapsed()
}
