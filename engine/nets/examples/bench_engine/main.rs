//! Our side of `tests/bench/peers`: one network or attention at one size, asked over standard input.
//!
//! ```text
//! bench_engine WEIGHTS.safetensors LAYERS.json|- INPUT.f32 C H W SIGMA THREADS PRECISION
//! bench_engine attention INPUT.f32 HEADS TOKENS DIM THREADS
//! ```
//!
//! Weights that name an architecture run as the program runs them; for others the layers come from
//! the second file. Prints `ready`, then answers `run` with the milliseconds of one run, `peak` with
//! the process's peak memory in MB, and `output PATH` with a file of the last result.
#![allow(clippy::print_stdout)] // standard output is the protocol

mod attention;
mod network;

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use limpid_kernels::{Cancel, Pool, RunContext};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs before the first that counts.
const WARM_UPS: usize = 2;

fn main() {
    if let Err(error) = serve() {
        println!("error {error}");
        std::process::exit(1);
    }
}

/// What is measured.
trait Runner {
    /// One run, its result kept.
    fn run(&mut self, cx: &RunContext<'_>) -> Result<()>;

    /// The last result, planar.
    fn result(&self) -> Vec<f32>;
}

fn serve() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cancel = Cancel::new();
    let (mut runner, pool): (Box<dyn Runner>, Pool) = match words.as_slice() {
        ["attention", input, heads, tokens, dim, threads] => {
            let shape = [heads.parse()?, tokens.parse()?, dim.parse()?];
            let runner = attention::load(Path::new(input), shape)?;
            (Box::new(runner), Pool::new(threads.parse()?)?)
        }
        [weights, layers, input, channels, height, width, sigma, threads, precision] => {
            let shape = [channels.parse()?, height.parse()?, width.parse()?];
            let (input, sigma) = (Path::new(input), sigma.parse()?);
            let pool = Pool::new(threads.parse()?)?;
            let cx = RunContext { pool: &pool, cancel: &cancel };
            let on_bytes = match *precision {
                "fp32" => None,
                "int8" => Some(&cx),
                other => return Err(format!("limpid has no {other}").into()),
            };
            let runner = network::load(weights, layers, input, shape, sigma, on_bytes)?;
            (Box::new(runner), pool)
        }
        [..] => return Err("the arguments fit nothing".into()),
    };
    let cx = RunContext { pool: &pool, cancel: &cancel };
    for _ in 0..WARM_UPS {
        runner.run(&cx)?;
    }
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("run", _) => {
                let start = Instant::now();
                runner.run(&cx)?;
                println!("{}", start.elapsed().as_secs_f64() * 1e3);
            }
            ("peak", _) => println!("{}", peak_mb()?),
            ("output", path) => {
                write_f32(Path::new(path), &runner.result())?;
                println!("written");
            }
            _ => return Err(format!("\"{line}\" is no request").into()),
        }
    }
    Ok(())
}

fn read_f32(path: &Path) -> Result<Vec<f32>> {
    Ok(of_bytes(&std::fs::read(path)?))
}

fn of_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

fn write_f32(path: &Path, values: &[f32]) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for value in values {
        file.write_all(&value.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// The most memory this process has had at once, as Linux counts it.
fn peak_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}
