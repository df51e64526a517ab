//! Speed of the convolutions: milliseconds, effective GF/s (counted as a direct convolution's
//! operations, whatever the algorithm) and the share of the processor's measured multiply-add peak.
//!
//! `cargo run --release -p limpid-kernels --example conv_bench [FILTER]`; `LIMPID_ISA` chooses the
//! instruction set. Each row is the fastest of several runs, by wall clock and by processor time of
//! all threads together; on a busy machine the latter is the one to read.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for
#![allow(unsafe_code)] // the peak is measured with intrinsics

mod cpu_time;

use std::hint::black_box;
use std::time::Instant;

use limpid_kernels::{
    Activation, Cancel, Conv2d, ConvSpec, Epilogue, Feature, Isa, KernelError, Padding, Pool,
    RunContext, SeparableConv2d,
};

use cpu_time::cpu_seconds;

/// Seconds to spend on each row.
const BUDGET_SECS: f64 = 0.6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let isa = Isa::current();
    let peak = fma_peak_gflops(isa);
    println!("{}: multiply-add peak {peak:.0} GF/s a core", isa.name());
    println!(
        "{:<38} {:>7} {:>9} {:>7} {:>9} {:>10} {:>5}",
        "convolution", "threads", "ms", "GF/s", "cpu ms", "GF/s core", "peak"
    );
    let strided = ConvSpec { stride: [2, 2], ..ConvSpec::same(64, 64, 3) };
    let unpadded = ConvSpec { padding: Padding::default(), ..ConvSpec::same(96, 96, 3) };
    let rows = [
        ("64 > 64, 3x3, 64 x 64", ConvSpec::same(64, 64, 3), 64, 64),
        ("64 > 64, 3x3, 256 x 256", ConvSpec::same(64, 64, 3), 256, 256),
        ("64 > 64, 3x3, 1280 x 720", ConvSpec::same(64, 64, 3), 720, 1280),
        ("48 > 48, 3x3, 256 x 256", ConvSpec::same(48, 48, 3), 256, 256),
        ("96 > 96, 3x3, 500 x 375", ConvSpec::same(96, 96, 3), 375, 500),
        ("96 > 96, 3x3, unpadded, 260 x 260", unpadded, 260, 260),
        ("13 > 96, 3x3, 256 x 256", ConvSpec::same(13, 96, 3), 256, 256),
        ("3 > 64, 3x3, 256 x 256", ConvSpec::same(3, 64, 3), 256, 256),
        ("3 > 48, 3x3, 256 x 256", ConvSpec::same(3, 48, 3), 256, 256),
        ("64 > 12, 3x3, 256 x 256", ConvSpec::same(64, 12, 3), 256, 256),
        ("96 > 12, 3x3, 256 x 256", ConvSpec::same(96, 12, 3), 256, 256),
        ("64 > 64, 3x3, stride 2, 256 x 256", strided, 256, 256),
        ("64 > 64, 1x1, 32 x 32", ConvSpec::same(64, 64, 1), 32, 32),
        ("64 > 64, 1x1, 256 x 256", ConvSpec::same(64, 64, 1), 256, 256),
        ("192 > 48, 1x1, 256 x 256", ConvSpec::same(192, 48, 1), 256, 256),
        ("64 depthwise, 3x3, 32 x 32", ConvSpec::depthwise(64, 3), 32, 32),
        ("64 depthwise, 5x5, 32 x 32", ConvSpec::depthwise(64, 5), 32, 32),
        ("64 depthwise, 3x3, 256 x 256", ConvSpec::depthwise(64, 3), 256, 256),
        ("320 > 320, 3x3, 64 x 64", ConvSpec::same(320, 320, 3), 64, 64),
        ("640 > 640, 3x3, 32 x 32", ConvSpec::same(640, 640, 3), 32, 32),
        ("1280 > 1280, 3x3, 16 x 16", ConvSpec::same(1280, 1280, 3), 16, 16),
        ("1280 > 1280, 3x3, 8 x 8", ConvSpec::same(1280, 1280, 3), 8, 8),
        ("1280 > 1280, 1x1, 32 x 32", ConvSpec::same(1280, 1280, 1), 32, 32),
    ];
    let chains = [
        ("16 layers of 64 > 64, 256 x 256", ConvSpec::same(64, 64, 3), 256, 256),
        ("16 layers of 64 > 64, 1280 x 720", ConvSpec::same(64, 64, 3), 720, 1280),
        ("16 layers of 96 > 96, 500 x 375", ConvSpec::same(96, 96, 3), 375, 500),
        ("16 layers of 48 > 48, SiLU, 256 x 256", ConvSpec::same(48, 48, 3), 256, 256),
    ];
    let separable = [
        ("separable 64 > 64, 3x3, 32 x 32", 3, 32, 32, 1),
        ("separable 64 > 64, 3x3, 256 x 256", 3, 256, 256, 1),
        ("separable 64 > 64, 5x5, 256 x 256", 5, 256, 256, 1),
        ("16 layers, separable 64, 256 x 256", 3, 256, 256, 16),
        ("16 layers, separable 64, 1280 x 720", 3, 720, 1280, 16),
    ];
    let rows = rows.map(|row| (row, 1)).into_iter().chain(chains.map(|row| (row, 16)));
    for ((name, spec, height, width), layers) in rows.filter(|row| row.0.0.contains(&filter)) {
        let is_silu = name.contains("SiLU");
        let activation = if is_silu { Activation::Silu } else { Activation::Relu };
        let conv = make(&spec)?;
        let epilogue = Epilogue::activation(activation);
        let layer = |input: &Feature, output: &mut Feature, cx: &RunContext<'_>| {
            conv.run(input, output, &epilogue, cx)
        };
        let (rows, columns) = spec.output_size(height, width)?;
        let gflop = layers as f64 * spec.flops_per_pixel() as f64 * (rows * columns) as f64 / 1e9;
        let input = [spec.in_channels, height, width];
        for threads in [1, 2] {
            report(name, gflop, peak, threads, time(&layer, input, layers, threads)?);
        }
    }
    for (name, kernel, height, width, layers) in
        separable.into_iter().filter(|row| row.0.contains(&filter))
    {
        let depthwise = make(&ConvSpec::depthwise(64, kernel))?;
        let pair = SeparableConv2d::new(depthwise, make(&ConvSpec::same(64, 64, 1))?)?;
        let epilogue = Epilogue::activation(Activation::Relu);
        let layer = |input: &Feature, output: &mut Feature, cx: &RunContext<'_>| {
            pair.run(input, output, Activation::Relu, &epilogue, cx)
        };
        let flops = layers as u64 * pair.flops_per_pixel();
        let gflop = flops as f64 * (height * width) as f64 / 1e9;
        for threads in [1, 2] {
            report(name, gflop, peak, threads, time(&layer, [64, height, width], layers, threads)?);
        }
    }
    Ok(())
}

fn report(name: &str, gflop: f64, peak: f64, threads: usize, (wall, cpu): (f64, f64)) {
    println!(
        "{name:<38} {threads:>7} {:>9.3} {:>7.0} {:>9.3} {:>10.0} {:>4.0}%",
        1e3 * wall,
        gflop / wall,
        1e3 * cpu,
        gflop / cpu,
        100.0 * gflop / cpu / peak
    );
}

fn make(spec: &ConvSpec) -> Result<Conv2d, KernelError> {
    let taps = spec.kernel[0] * spec.kernel[1];
    let weights = spec.out_channels * spec.in_channels / spec.groups * taps;
    Ok(Conv2d::new(spec, &values(weights), Some(&values(spec.out_channels)))?)
}

type Layer<'a> = dyn Fn(&Feature, &mut Feature, &RunContext<'_>) -> Result<(), KernelError> + 'a;

/// The fastest of several runs: seconds on the wall, and of processor time.
fn time(
    layer: &Layer<'_>,
    [channels, height, width]: [usize; 3],
    layers: usize,
    threads: usize,
) -> Result<(f64, f64), KernelError> {
    let mut input = Feature::zeros(channels, height, width);
    let len = input.data().len();
    input.data_mut().copy_from_slice(&values(len));
    let (mut output, mut spare) = (Feature::new(), Feature::new());
    let Ok(pool) = Pool::new(threads) else { return Ok((f64::NAN, f64::NAN)) };
    let cancel = Cancel::new();
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let mut best = (f64::INFINITY, f64::INFINITY);
    let started = Instant::now();
    for round in 0.. {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        layer(&input, &mut output, &cx)?;
        // further layers go to and fro between two features, as in a network
        for _ in 1..layers {
            layer(&output, &mut spare, &cx)?;
            std::mem::swap(&mut output, &mut spare);
        }
        best.0 = start.elapsed().as_secs_f64().min(best.0);
        best.1 = (cpu_seconds() - cpu).min(best.1);
        black_box(&output);
        if round >= 3 && started.elapsed().as_secs_f64() > BUDGET_SECS {
            break;
        }
    }
    Ok(best)
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5).collect()
}

/// The most multiply-adds one core does, in GF/s: independent sums in registers, nothing else.
fn fma_peak_gflops(isa: Isa) -> f64 {
    const ROUNDS: u32 = 2_000_000;
    let measure = |work: &dyn Fn() -> f64| {
        let best = (0..20).map(|_| {
            let start = Instant::now();
            let flops = black_box(work());
            flops / start.elapsed().as_secs_f64() / 1e9
        });
        best.fold(0.0, f64::max)
    };
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `isa` is one that this processor has.
        Isa::Avx512 => measure(&|| unsafe { peak::avx512(ROUNDS) }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => measure(&|| unsafe { peak::avx2(ROUNDS) }),
        _ => f64::NAN,
    }
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(rounds: u32) -> f64 {
        let mut sums = std::hint::black_box([_mm512_set1_ps(1.0); 12]);
        let (a, b) = std::hint::black_box((_mm512_set1_ps(0.999), _mm512_set1_ps(1e-3)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        std::hint::black_box(sums);
        f64::from(rounds) * 12.0 * 32.0
    }

    /// # Safety
    /// The processor has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(rounds: u32) -> f64 {
        let mut sums = std::hint::black_box([_mm256_set1_ps(1.0); 12]);
        let (a, b) = std::hint::black_box((_mm256_set1_ps(0.999), _mm256_set1_ps(1e-3)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        std::hint::black_box(sums);
        f64::from(rounds) * 12.0 * 16.0
    }
}
