//! Speed of the convolutions in whole numbers: milliseconds, effective GOP/s, and the share of the
//! processor's measured peak of `vpdpbusd`.
//!
//! `cargo run --release -p limpid-kernels --example quantized_bench [FILTER]`; `LIMPID_DOT` and
//! `LIMPID_ISA` choose the instructions. Each row is the fastest of several runs, by wall clock and
//! by processor time of all threads together; on a busy machine the latter is the one to read.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for
#![allow(unsafe_code)] // the peak is measured with intrinsics

mod cpu_time;

use std::hint::black_box;
use std::time::Instant;

use limpid_kernels::{
    Cancel, ConvSpec, DotProduct, Feature, KernelError, Pool, Quantization, QuantizedActivation,
    QuantizedConv2d, QuantizedEpilogue, QuantizedFeature, QuantizedWeights, RunContext,
};

use cpu_time::cpu_seconds;

/// Seconds to spend on each row.
const BUDGET_SECS: f64 = 0.6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let dot = DotProduct::current();
    let peak = peak_gops(dot);
    println!("{}: peak {peak:.0} GOP/s a core", dot.name());
    println!(
        "{:<38} {:>7} {:>9} {:>7} {:>9} {:>11} {:>5}",
        "convolution", "threads", "ms", "GOP/s", "cpu ms", "GOP/s core", "peak"
    );
    let strided = ConvSpec { stride: [2, 2], ..ConvSpec::same(64, 64, 3) };
    let rows = [
        ("64 > 64, 3x3, 64 x 64", ConvSpec::same(64, 64, 3), 64, 64, 1),
        ("64 > 64, 3x3, 256 x 256", ConvSpec::same(64, 64, 3), 256, 256, 1),
        ("48 > 48, 3x3, 256 x 256", ConvSpec::same(48, 48, 3), 256, 256, 1),
        ("96 > 96, 3x3, 500 x 375", ConvSpec::same(96, 96, 3), 375, 500, 1),
        ("13 > 96, 3x3, 256 x 256", ConvSpec::same(13, 96, 3), 256, 256, 1),
        ("3 > 64, 3x3, 256 x 256", ConvSpec::same(3, 64, 3), 256, 256, 1),
        ("64 > 12, 3x3, 256 x 256", ConvSpec::same(64, 12, 3), 256, 256, 1),
        ("64 > 64, 3x3, stride 2, 256 x 256", strided, 256, 256, 1),
        ("64 > 64, 1x1, 256 x 256", ConvSpec::same(64, 64, 1), 256, 256, 1),
        ("640 > 640, 3x3, 32 x 32", ConvSpec::same(640, 640, 3), 32, 32, 1),
        ("16 layers of 64 > 64, 256 x 256", ConvSpec::same(64, 64, 3), 256, 256, 16),
        ("16 layers of 64 > 64, 1280 x 720", ConvSpec::same(64, 64, 3), 720, 1280, 16),
        ("16 layers of 48 > 48, 256 x 256", ConvSpec::same(48, 48, 3), 256, 256, 16),
    ];
    for (name, spec, height, width, layers) in rows.into_iter().filter(|r| r.0.contains(&filter)) {
        for threads in [1, 2] {
            let (wall, cpu) = time(&spec, [height, width], layers, threads)?;
            let (rows, columns) = spec.output_size(height, width)?;
            let ops = layers as u64 * spec.flops_per_pixel();
            let gop = ops as f64 * (rows * columns) as f64 / 1e9;
            let share = 100.0 * gop / cpu / peak;
            println!(
                "{name:<38} {threads:>7} {:>9.3} {:>7.0} {:>9.3} {:>11.0} {share:>4.0}%",
                1e3 * wall,
                gop / wall,
                1e3 * cpu,
                gop / cpu
            );
        }
    }
    Ok(())
}

/// The fastest of several runs: seconds on the wall, and of processor time.
fn time(
    spec: &ConvSpec,
    [height, width]: [usize; 2],
    layers: usize,
    threads: usize,
) -> Result<(f64, f64), KernelError> {
    let count = spec.out_channels * spec.in_channels * spec.kernel[0] * spec.kernel[1];
    let values: Vec<i8> = (0..count).map(|i| (i * 7919 % 255) as u8 as i8).collect();
    let scales = vec![2e-4; spec.out_channels];
    let weights = QuantizedWeights { values: &values, scales: &scales, bias: None };
    let steps = Quantization::of_range(0.0, 255.0)?;
    let conv = QuantizedConv2d::new(spec, &weights, steps, steps)?;
    let mut floats = Feature::zeros(spec.in_channels, height, width);
    floats.data_mut().iter_mut().enumerate().for_each(|(i, v)| *v = (i * 7919 % 256) as f32);
    let Ok(pool) = Pool::new(threads) else { return Ok((f64::NAN, f64::NAN)) };
    let cancel = Cancel::new();
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let [mut input, mut output, mut spare] = [0; 3].map(|_| QuantizedFeature::new());
    input.quantize(&floats, steps, &cx)?;
    let epilogue = QuantizedEpilogue::activation(QuantizedActivation::Relu);
    let mut best = (f64::INFINITY, f64::INFINITY);
    let started = Instant::now();
    for round in 0.. {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        conv.run(&input, &mut output, &epilogue, &cx)?;
        // further layers go to and fro between two features, as in a network
        for _ in 1..layers {
            conv.run(&output, &mut spare, &epilogue, &cx)?;
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

/// The most that one core does, in GOP/s: independent sums in registers, nothing else.
fn peak_gops(dot: DotProduct) -> f64 {
    const ROUNDS: u32 = 1_000_000;
    let measure = |work: &dyn Fn() -> f64| {
        let best = (0..20).map(|_| {
            let start = Instant::now();
            let ops = black_box(work());
            ops / start.elapsed().as_secs_f64() / 1e9
        });
        best.fold(0.0, f64::max)
    };
    match dot {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `dot` is one that this processor has.
        DotProduct::Avx512Vnni => measure(&|| unsafe { peak::avx512_vnni(ROUNDS) }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        DotProduct::AvxVnni => measure(&|| unsafe { peak::avx_vnni(ROUNDS) }),
        _ => f64::NAN,
    }
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512F and AVX512-VNNI.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn avx512_vnni(rounds: u32) -> f64 {
        let mut sums = std::hint::black_box([_mm512_set1_epi32(1); 12]);
        let (a, b) = std::hint::black_box((_mm512_set1_epi8(3), _mm512_set1_epi8(5)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        std::hint::black_box(sums);
        f64::from(rounds) * 12.0 * 128.0
    }

    /// # Safety
    /// The processor has AVX2 and AVX-VNNI.
    #[target_feature(enable = "avx2,avxvnni")]
    pub(super) unsafe fn avx_vnni(rounds: u32) -> f64 {
        let mut sums = std::hint::black_box([_mm256_set1_epi32(1); 12]);
        let (a, b) = std::hint::black_box((_mm256_set1_epi8(3), _mm256_set1_epi8(5)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
            }
        }
        std::hint::black_box(sums);
        f64::from(rounds) * 12.0 * 64.0
    }
}
