//! Speed of linear layers over tokens: milliseconds of a run, the fastest of several.
//!
//! `cargo run --release -p limpid-kernels --example linear_bench [FILTER]`; `LIMPID_ISA` chooses
//! the instruction set.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for

use std::hint::black_box;
use std::time::Instant;

use limpid_kernels::{Cancel, Conv2d, ConvSpec, Epilogue, Feature, Isa, Pool, RunContext};

/// Seconds to spend on each row.
const BUDGET_SECS: f64 = 0.7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    println!("{}", Isa::current().name());
    println!("{:<28} {:>7} {:>9} {:>7}", "linear", "threads", "ms", "GF/s");
    let rows = [
        [4096, 320, 320],
        [4096, 320, 1280],
        [4096, 320, 2560],
        [4096, 1280, 320],
        [4096, 1280, 1280],
        [1024, 640, 5120],
        [256, 5120, 1280],
        [77, 768, 768],
    ];
    for [tokens, ins, outs] in rows {
        let name = format!("{tokens} x {ins} > {outs}");
        if !name.contains(&filter) {
            continue;
        }
        let linear = Conv2d::new(&ConvSpec::same(ins, outs, 1), &values(ins * outs), None)?;
        let mut input = Feature::zeros(ins, 1, tokens);
        let len = input.data().len();
        input.data_mut().copy_from_slice(&values(len));
        let mut output = Feature::new();
        for threads in [1, 2] {
            let (pool, cancel) = (Pool::new(threads)?, Cancel::new());
            let cx = RunContext { pool: &pool, cancel: &cancel };
            let (mut best, started) = (f64::INFINITY, Instant::now());
            for round in 0.. {
                let start = Instant::now();
                linear.run(&input, &mut output, &Epilogue::none(), &cx)?;
                best = start.elapsed().as_secs_f64().min(best);
                black_box(&output);
                if round >= 3 && started.elapsed().as_secs_f64() > BUDGET_SECS {
                    break;
                }
            }
            let gflop = 2.0 * (tokens * ins * outs) as f64 / 1e9;
            println!("{name:<28} {threads:>7} {:>9.3} {:>7.0}", 1e3 * best, gflop / best);
        }
    }
    Ok(())
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5).collect()
}
