//! Speed of recurrent layers: milliseconds of 1000 steps on one thread, as a sequence and one by one.
//!
//! `cargo run --release -p limpid-kernels --example recurrent_bench`; `LIMPID_ISA` chooses the
//! instruction set.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for

use std::hint::black_box;
use std::time::Instant;

use limpid_kernels::{Cancel, Feature, Gru, Isa, KernelError, Lstm, Pool, RunContext};

const STEPS: usize = 1000;
const RUNS: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", Isa::current().name());
    println!("{:<20} {:>12} {:>12}", "1000 steps", "sequence ms", "steps ms");
    let (pool, cancel) = (Pool::new(1)?, Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    for units in [128, 256, 512] {
        let weights = |gates: usize| values(gates * units * units);
        let input = {
            let mut input = Feature::zeros(units, 1, STEPS);
            let len = input.data().len();
            input.data_mut().copy_from_slice(&values(len));
            input
        };
        let (mut between, mut output) = (Feature::new(), Feature::new());
        let w = weights(3);
        let gru = Gru::new([units, units], [&w, &w], None)?;
        let mut state = gru.state();
        let whole = best(|| gru.run(&input, &mut state, &mut between, &mut output, &cx))?;
        let steps = best(|| {
            input.data().chunks_exact(units).try_for_each(|x| Ok(gru.step(x, &mut state)?))
        })?;
        println!("{:<20} {whole:>12.3} {steps:>12.3}", format!("GRU {units}"));
        let w = weights(4);
        let lstm = Lstm::new([units, units], [&w, &w], None)?;
        let mut state = lstm.state();
        let whole = best(|| lstm.run(&input, &mut state, &mut between, &mut output, &cx))?;
        let steps = best(|| {
            input.data().chunks_exact(units).try_for_each(|x| Ok(lstm.step(x, &mut state)?))
        })?;
        println!("{:<20} {whole:>12.3} {steps:>12.3}", format!("LSTM {units}"));
        black_box(&output);
    }
    Ok(())
}

/// Milliseconds of the fastest of several runs.
fn best(mut work: impl FnMut() -> Result<(), KernelError>) -> Result<f64, KernelError> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        best = start.elapsed().as_secs_f64().min(best);
    }
    Ok(1e3 * best)
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 % 1000) as f32 / 1000.0 - 0.5) / 8.0).collect()
}
