//! Speed of attention: milliseconds of a run, the fastest and the median of several, and processor
//! time of all threads, which is the one to read on a busy machine.
//!
//! `cargo run --release -p limpid-kernels --example attention_bench [FILTER]`; `LIMPID_ISA` chooses
//! the instruction set.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for

mod cpu_time;

use std::hint::black_box;
use std::time::Instant;

use limpid_kernels::{Attention, AttentionInput, Cancel, Feature, Isa, Mask, Pool, RunContext};

use cpu_time::cpu_seconds;

/// Seconds to spend on each row.
const BUDGET_SECS: f64 = 1.5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    println!("{}", Isa::current().name());
    println!(
        "{:<40} {:>7} {:>9} {:>9} {:>9}",
        "attention", "threads", "best ms", "median", "cpu ms"
    );
    // tokens of the queries and the keys, heads, channels of a head
    let rows = [
        ("4096 x 4096, 8 heads of 40", [4096, 4096, 8, 40]),
        ("4096 x 4096, 8 heads of 64", [4096, 4096, 8, 64]),
        ("1024 x 1024, 8 heads of 80", [1024, 1024, 8, 80]),
        ("256 x 256, 8 heads of 160", [256, 256, 8, 160]),
        ("4096 x 77, 8 heads of 40", [4096, 77, 8, 40]),
        ("1024 x 77, 8 heads of 80", [1024, 77, 8, 80]),
        ("77 x 77, causal, 12 heads of 64", [77, 77, 12, 64]),
        ("1024 x 1024, causal, 12 heads of 64", [1024, 1024, 12, 64]),
    ];
    for (name, [queries, keys, heads, dim]) in rows.into_iter().filter(|r| r.0.contains(&filter)) {
        let q = feature(heads * dim, queries, 1);
        let (k, v) = (feature(heads * dim, keys, 2), feature(heads * dim, keys, 3));
        let mask = if name.contains("causal") { Mask::Causal } else { Mask::None };
        let input =
            AttentionInput { queries: (&q).into(), keys: (&k).into(), values: (&v).into(), mask };
        let attention = Attention::new(heads, dim);
        let (mut between, mut output) = (Feature::new(), Feature::new());
        for threads in [1, 2] {
            let (pool, cancel) = (Pool::new(threads)?, Cancel::new());
            let cx = RunContext { pool: &pool, cancel: &cancel };
            let (mut times, mut cpu) = (Vec::new(), f64::INFINITY);
            let started = Instant::now();
            while times.len() < 5 || started.elapsed().as_secs_f64() < BUDGET_SECS {
                let (start, cpu_start) = (Instant::now(), cpu_seconds());
                attention.run(&input, &mut between, &mut output, &cx)?;
                times.push(start.elapsed().as_secs_f64());
                cpu = cpu.min(cpu_seconds() - cpu_start);
                black_box(&output);
            }
            times.sort_by(f64::total_cmp);
            let (best, median) = (times[0], times[times.len() / 2]);
            println!(
                "{name:<40} {threads:>7} {:>9.3} {:>9.3} {:>9.3}",
                1e3 * best,
                1e3 * median,
                1e3 * cpu
            );
        }
    }
    Ok(())
}

/// `tokens` in a row with values in -1..1.
fn feature(channels: usize, tokens: usize, seed: usize) -> Feature {
    let mut feature = Feature::zeros(channels, 1, tokens);
    for (i, value) in feature.data_mut().iter_mut().enumerate() {
        *value = ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
    }
    feature
}
