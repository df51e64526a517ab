//! Networks on bytes beside the same in `f32`: milliseconds, effective GOP/s (operations of the
//! direct convolutions) of one core by processor time, and how far the results are apart.
//!
//! `cargo run --release -p limpid-nets --example quantized_networks [FILTER]`
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a program for developers

mod cpu_time;

use std::collections::HashMap;
use std::time::Instant;

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::graph::{Builder, Graph, Op};
use limpid_nets::{Described, Tensor, Weights};

use cpu_time::cpu_millis;

/// The best of several runs is the least disturbed one.
const RUNS: usize = 6;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let chain = || {
        let (mut b, mut x) = Builder::new(64);
        for layer in 0..16 {
            x = b.conv(format!("c{layer}"), x, 64, 3);
            x = b.relu(x);
        }
        b.finish(x).unwrap()
    };
    let trained = |name: &str| {
        let path =
            format!("{}/../../models/{name}/weights.safetensors", env!("CARGO_MANIFEST_DIR"));
        let weights = Weights::read(&std::fs::read(path).unwrap()).unwrap();
        let graph = weights.architecture().unwrap().graph().unwrap();
        let tensor = |name: String| (name.clone(), weights.tensor(&name).unwrap().clone());
        let names = |conv: &str| [format!("{conv}.weight"), format!("{conv}.bias")];
        let tensors = graph.convs().flat_map(|conv| names(&conv.name)).map(tensor).collect();
        (graph, tensors)
    };
    let random = |graph: Graph| {
        let tensors = random_tensors(&graph);
        (graph, tensors)
    };
    println!("network                      size  threads   f32 ms  bytes ms  GOP/s core  SNR dB");
    for (name, height, width) in [
        ("16 layers of 64", 256, 256),
        ("16 layers of 64", 720, 1280),
        ("dn-resnet", 512, 512),
        ("ct-srcnn-x2", 512, 512),
    ] {
        if !name.contains(&filter) {
            continue;
        }
        let (graph, tensors) = if name.starts_with("16") { random(chain()) } else { trained(name) };
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let channels = graph.nodes()[0].channels;
        let known = [picture(channels, 256, 256, 1.0)];
        let quantized = Described::quantized(&graph, tensors.clone(), &known, 0.1, &cx).unwrap();
        let plain = Described::new(&graph, tensors).unwrap();
        let input = picture(channels, height, width, 0.0);
        let snr = snr_db(
            plain.run(&input, 0.1, &cx).unwrap().data(),
            quantized.run(&input, 0.1, &cx).unwrap().data(),
        );
        for threads in [1, 2] {
            let pool = Pool::new(threads).unwrap();
            let cx = RunContext { pool: &pool, cancel: &cancel };
            let (f32_ms, _) = time(&plain, &input, &cx);
            let (bytes_ms, cpu) = time(&quantized, &input, &cx);
            let gop = operations(&graph) * (height * width) as f64 / 1e9;
            println!(
                "{name:<18} {width:>5} x {height:<4} {threads:>8} {f32_ms:>9.1} {bytes_ms:>9.1} \
                 {:>11.0} {snr:>7.1}",
                gop / cpu * 1e3
            );
        }
    }
}

/// Multiplications and additions for one pixel of the picture; the networks here run at half size
/// where they fold by 2.
fn operations(graph: &Graph) -> f64 {
    let folds = graph.nodes().iter().any(|node| matches!(node.op, Op::PixelUnshuffle(2)));
    let per_pixel: usize =
        graph.convs().map(|conv| 2 * conv.input * conv.output * conv.kernel * conv.kernel).sum();
    per_pixel as f64 / if folds { 4.0 } else { 1.0 }
}

/// Waves, in every channel another.
fn picture(channels: usize, height: usize, width: usize, phase: f32) -> Planes {
    let value = |i: usize| {
        let (x, y, c) = (i % width, i / width % height, i / width / height);
        let wave = (0.0007 * (x * y) as f32 + phase + c as f32).sin() * 0.4;
        0.5 + wave + 0.1 * ((i * 7919 % 997) as f32 / 997.0 - 0.5)
    };
    Planes::from_vec(channels, height, width, (0..channels * height * width).map(value).collect())
        .unwrap()
}

/// Evenly spread weights that keep the values' size.
fn random_tensors(graph: &Graph) -> HashMap<String, Tensor> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let mut tensors = HashMap::new();
    for conv in graph.convs() {
        let fan_in = conv.input * conv.kernel * conv.kernel;
        let gain = (6.0 / fan_in as f32).sqrt();
        let shape = vec![conv.output, conv.input, conv.kernel, conv.kernel];
        let data = (0..fan_in * conv.output).map(|_| next() * gain).collect();
        tensors.insert(format!("{}.weight", conv.name), Tensor { shape, data });
        let data = (0..conv.output).map(|_| next() * 0.1).collect();
        tensors.insert(format!("{}.bias", conv.name), Tensor { shape: vec![conv.output], data });
    }
    tensors
}

/// The best milliseconds: on the wall, and of processor time.
fn time(network: &Described, input: &Planes, cx: &RunContext<'_>) -> (f64, f64) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        let (start, cpu) = (Instant::now(), cpu_millis());
        network.run(input, 0.1, cx).unwrap();
        best.0 = (start.elapsed().as_secs_f64() * 1e3).min(best.0);
        best.1 = (cpu_millis() - cpu).min(best.1);
    }
    best
}

fn snr_db(wanted: &[f32], found: &[f32]) -> f64 {
    let mean = wanted.iter().map(|v| f64::from(*v)).sum::<f64>() / wanted.len() as f64;
    let signal: f64 = wanted.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
    let noise: f64 = wanted.iter().zip(found).map(|(w, f)| f64::from(w - f).powi(2)).sum();
    10.0 * (signal / noise).log10()
}
