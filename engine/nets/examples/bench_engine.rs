//! Our side of `tests/bench/peers`: one network at one size, asked over standard input.
//!
//! `bench_engine WEIGHTS.safetensors LAYERS.json|- INPUT.f32 C H W SIGMA THREADS PRECISION`
//!
//! Weights that name an architecture run as the program runs them; for others the layers come from
//! the second file. Prints `ready`, then answers `run` with the milliseconds of one run, `peak` with
//! the process's peak memory in MB, and `output PATH` with a file of the last result.
#![allow(clippy::print_stdout)] // standard output is the protocol

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::graph::{Builder, Graph, Value};
use limpid_nets::{CardText, Described, NetError, Network, Tensor, Weights};
use safetensors::SafeTensors;
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs before the first that counts.
const WARM_UPS: usize = 2;

fn main() {
    if let Err(error) = serve() {
        println!("error {error}");
        std::process::exit(1);
    }
}

fn serve() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, layers, input, channels, height, width, sigma, threads, precision] =
        arguments.as_slice()
    else {
        return Err("nine arguments are wanted".into());
    };
    let data = read_f32(Path::new(input))?;
    let input = Planes::from_vec(channels.parse()?, height.parse()?, width.parse()?, data)?;
    let sigma: f32 = sigma.parse()?;
    let bytes = std::fs::read(weights)?;
    let network = match precision.as_str() {
        "fp32" => Runner::fp32(bytes, layers)?,
        // A quantised executor joins here.
        other => return Err(format!("limpid has no {other} yet").into()),
    };
    let pool = Pool::new(threads.parse()?)?;
    let cancel = Cancel::new();
    let cx = RunContext { pool: &pool, cancel: &cancel };

    let mut result = Planes::zeros(0, 0, 0);
    for _ in 0..WARM_UPS {
        result = network.run(&input, sigma, &cx)?;
    }
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("run", _) => {
                let start = Instant::now();
                result = network.run(&input, sigma, &cx)?;
                println!("{}", start.elapsed().as_secs_f64() * 1e3);
            }
            ("peak", _) => println!("{}", peak_mb()?),
            ("output", path) => {
                write_f32(Path::new(path), result.data())?;
                println!("written");
            }
            _ => return Err(format!("\"{line}\" is no request").into()),
        }
    }
    Ok(())
}

/// What is measured.
enum Runner {
    /// A network of the program.
    Shipped(Box<Network>),
    /// Layers from a file.
    Described(Box<Described>),
}

impl Runner {
    fn fp32(bytes: Vec<u8>, layers: &str) -> Result<Self> {
        if layers == "-" {
            let weights = Weights::read(&bytes)?;
            let text = CardText {
                name: "bench".to_owned(),
                title: "bench".to_owned(),
                task: weights.architecture()?.task(),
                summary: String::new(),
                source: String::new(),
                license: String::new(),
                parameters: 0,
                quality: Vec::new(),
                limits: Vec::new(),
            };
            let network = Network::new(text.of_import(0, String::new()), &weights)?;
            return Ok(Self::Shipped(Box::new(network)));
        }
        let description: Description = serde_json::from_slice(&std::fs::read(layers)?)?;
        let tensors = tensors(&bytes)?;
        drop(bytes); // the peak counts
        let network = Described::new(&description.graph()?, tensors)?;
        Ok(Self::Described(Box::new(network)))
    }

    fn run(
        &self,
        input: &Planes,
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> std::result::Result<Planes, NetError> {
        match self {
            Self::Shipped(network) => network.run(input, Some(sigma), cx),
            Self::Described(network) => network.run(input, sigma, cx),
        }
    }
}

/// A network as `tests/bench/emit.py` writes it down.
#[derive(Deserialize)]
struct Description {
    channels: usize,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    op: String,
    name: String,
    inputs: Vec<String>,
    #[serde(default)]
    output: usize,
    #[serde(default)]
    kernel: usize,
}

impl Description {
    fn graph(&self) -> Result<Graph> {
        let (mut b, picture) = Builder::new(self.channels);
        let mut values = HashMap::from([("in".to_owned(), picture)]);
        let mut last = picture;
        for layer in &self.layers {
            let read = |at: usize| -> Result<Value> {
                let name = layer.inputs.get(at).ok_or("a layer lacks an input")?;
                Ok(*values.get(name).ok_or("a layer reads an unknown value")?)
            };
            last = match layer.op.as_str() {
                "conv" => b.conv(&layer.name, read(0)?, layer.output, layer.kernel),
                "relu" => b.relu(read(0)?),
                "silu" => b.silu(read(0)?),
                "sigmoid" => b.sigmoid(read(0)?),
                "add" => b.add(read(0)?, read(1)?),
                "mul" => b.mul(read(0)?, read(1)?),
                other => return Err(format!("limpid's graph has no {other} yet").into()),
            };
            values.insert(layer.name.clone(), last);
        }
        Ok(b.finish(last)?)
    }
}

fn tensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes)?;
    Ok(file
        .iter()
        .map(|(name, view)| {
            let data = of_bytes(view.data());
            (name.to_owned(), Tensor { shape: view.shape().to_vec(), data })
        })
        .collect())
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
