//! Whether any shape of convolution is slower in our kernels than in candle on the processor.
//!
//! `cargo run --release -p limpid-nets --features candle --example candle_shapes [SECONDS [THREADS]]`
//!
//! A fixed list of odd shapes and 60 seeded random ones. Both take turns in this process, each in
//! the layout that is its own, ours with a bias, candle without. Prints a JSON object a
//! shape, with the medians; `tests/bench/peers --only candle-shapes` reads them. candle's threads
//! are those of `RAYON_NUM_THREADS`.
#![allow(clippy::print_stdout)] // standard output is the report

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use limpid_kernels::{
    Cancel, Conv2d, ConvSpec, ConvTranspose2d, Epilogue, Feature, Padding, Planes, Pool,
    RunContext, TransposedSpec,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Random shapes beside the fixed ones.
const RANDOM_SHAPES: usize = 60;

/// A timing shorter than this repeats the call within.
const SHORTEST: Duration = Duration::from_micros(300);

/// Operations of the largest random shape.
const MOST_FLOPS: usize = 1_200_000_000;

/// A convolution that both can do: square kernels, the same on both axes.
#[derive(Clone, Debug)]
struct Shape {
    input: usize,
    output: usize,
    height: usize,
    width: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
    transposed: bool,
}

impl Shape {
    fn same(input: usize, output: usize, kernel: usize, height: usize, width: usize) -> Self {
        Self {
            input,
            output,
            height,
            width,
            kernel,
            stride: 1,
            padding: kernel / 2,
            dilation: 1,
            groups: 1,
            transposed: false,
        }
    }

    fn spec(&self) -> ConvSpec {
        ConvSpec {
            in_channels: self.input,
            out_channels: self.output,
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding: Padding::all(self.padding),
            dilation: [self.dilation; 2],
            groups: self.groups,
        }
    }

    fn transposed_spec(&self) -> TransposedSpec {
        TransposedSpec {
            in_channels: self.input,
            out_channels: self.output,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            output_padding: 0,
        }
    }

    fn flops(&self) -> usize {
        if self.transposed {
            let taps = self.kernel * self.kernel;
            return 2 * self.height * self.width * self.input * self.output * taps;
        }
        let pixels = self.spec().output_size(self.height, self.width).map_or(0, |(h, w)| h * w);
        self.spec().flops_per_pixel() as usize * pixels
    }

    /// Numbers in the kernel, and its shape for candle.
    fn kernel_shape(&self) -> [usize; 4] {
        let k = self.kernel;
        if self.transposed {
            [self.input, self.output, k, k]
        } else {
            [self.output, self.input / self.groups, k, k]
        }
    }

    fn name(&self) -> String {
        let Self {
            input, output, height, width, kernel, stride, dilation, groups, padding, ..
        } = self;
        let mut name =
            format!("{input}>{output} {kernel}x{kernel} {width}x{height} padding {padding}");
        for (what, value) in [("stride", stride), ("dilation", dilation), ("groups", groups)] {
            if *value != 1 {
                name += &format!(" {what} {value}");
            }
        }
        if self.transposed { name + " transposed" } else { name }
    }
}

/// Shapes at which fast convolutions tend to be slow.
fn fixed() -> Vec<Shape> {
    let same = Shape::same;
    let mut shapes = vec![
        same(64, 64, 1, 64, 64),
        same(64, 64, 3, 64, 64),
        same(64, 64, 5, 64, 64),
        same(64, 64, 7, 64, 64),
        same(3, 64, 3, 128, 128),
        same(3, 64, 7, 128, 128),
        same(64, 3, 3, 128, 128),
        same(1, 1, 3, 64, 64),
        same(1, 1, 1, 1, 1),
        same(1, 1, 7, 7, 7),
        same(1, 64, 3, 64, 64),
        same(64, 1, 3, 64, 64),
        same(64, 1, 1, 64, 64),
        same(1, 64, 1, 64, 64),
        same(1, 1, 1, 256, 256),
        same(2, 2, 1, 3, 3),
        same(3, 3, 3, 2, 2),
        same(3, 5, 3, 5, 3),
        same(512, 512, 1, 1, 1),
        same(512, 512, 3, 1, 1),
        same(2048, 1000, 1, 1, 1),
        same(256, 256, 3, 4, 4),
        same(64, 64, 3, 1, 256),
        same(64, 64, 3, 256, 1),
        same(64, 64, 1, 1, 256),
        same(16, 16, 3, 1, 1000),
        same(17, 33, 3, 31, 29),
        same(8, 8, 3, 8, 8),
        same(16, 16, 3, 16, 16),
        same(32, 32, 3, 32, 32),
        same(64, 64, 1, 7, 7),
        same(128, 128, 3, 128, 128),
        same(320, 320, 3, 32, 32),
        same(1280, 1280, 1, 8, 8),
    ];
    let variants: [fn(&mut Shape); 6] = [
        |s| s.stride = 2,
        |s| (s.dilation, s.padding) = (2, 2),
        |s| s.groups = 4,
        |s| s.groups = 64,
        |s| s.padding = 0,
        |s| (s.stride, s.groups) = (2, 64),
    ];
    for side in [1, 8, 64] {
        for change in variants {
            let mut shape = same(64, 64, 3, side.max(3), side.max(3));
            change(&mut shape);
            if shape.spec().output_size(shape.height, shape.width).is_ok() {
                shapes.push(shape);
            }
        }
    }
    for (kernel, side) in [(5, 32), (7, 32), (3, 1), (3, 256)] {
        shapes.push(Shape { groups: 32, ..same(32, 32, kernel, side, side) });
    }
    for (groups, kernel) in [(2, 1), (8, 1), (16, 5), (3, 3)] {
        shapes.push(Shape { groups, ..same(48, 48, kernel, 32, 32) });
    }
    shapes.push(Shape { groups: 32, ..same(32, 64, 3, 32, 32) });
    shapes.push(Shape { stride: 2, padding: 0, ..same(64, 128, 1, 64, 64) });
    shapes.push(Shape { stride: 16, padding: 0, ..same(3, 192, 16, 224, 224) });
    shapes.push(Shape { stride: 4, padding: 0, ..same(3, 32, 4, 128, 128) });
    for (kernel, stride, padding, side) in
        [(2, 2, 0, 32), (4, 2, 1, 32), (3, 1, 1, 32), (3, 2, 1, 1), (4, 4, 0, 16), (8, 4, 2, 16)]
    {
        let transposed = Shape { stride, padding, ..same(32, 16, kernel, side, side) };
        shapes.push(Shape { transposed: true, ..transposed });
    }
    shapes.push(Shape { transposed: true, stride: 2, padding: 1, ..same(1, 1, 4, 32, 32) });
    shapes.push(Shape { transposed: true, stride: 2, padding: 1, ..same(128, 64, 4, 32, 32) });
    shapes
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    fn of(&mut self, choices: &[usize]) -> usize {
        choices[self.below(choices.len())]
    }

    fn shape(&mut self) -> Shape {
        loop {
            let kernel = self.of(&[1, 1, 2, 3, 3, 3, 4, 5, 7]);
            let sides = [1, 2, 3, 5, 8, 13, 16, 24, 31, 48, 64, 100, 128, 200];
            let channels = [1, 2, 3, 4, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256];
            let groups = self.of(&[1, 1, 1, 1, 2, 4]);
            let width = self.of(&channels);
            let is_depthwise = self.below(6) == 0;
            let shape = Shape {
                input: if is_depthwise { width } else { width * groups },
                output: if is_depthwise { width } else { self.of(&channels) * groups },
                height: self.of(&sides),
                width: self.of(&sides),
                kernel,
                stride: self.of(&[1, 1, 1, 2, 3]),
                padding: self.below(kernel / 2 + 1),
                dilation: self.of(&[1, 1, 1, 2]),
                groups: if is_depthwise { width } else { groups },
                transposed: false,
            };
            let transposed = self.below(8) == 0;
            let shape = if transposed {
                Shape { transposed, dilation: 1, groups: 1, ..shape }
            } else {
                shape
            };
            let fits = if shape.transposed {
                shape.padding < shape.kernel
                    && (shape.height.min(shape.width) - 1) * shape.stride + shape.kernel
                        > 2 * shape.padding
            } else {
                shape.spec().output_size(shape.height, shape.width).is_ok()
            };
            if fits && shape.flops() < MOST_FLOPS {
                return shape;
            }
        }
    }
}

enum Ours {
    Plain(Conv2d),
    Transposed(ConvTranspose2d),
}

fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..count).map(|_| random.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0).collect()
}

/// Milliseconds of ours and of candle (medians), and their largest difference as a part of the
/// largest value.
fn compare(shape: &Shape, budget: Duration, cx: &RunContext<'_>) -> Result<[f64; 3]> {
    let kernel_shape = shape.kernel_shape();
    let weight = values(kernel_shape.iter().product(), 1);
    let bias = vec![0.0; shape.output];
    let (channels, height, width) = (shape.input, shape.height, shape.width);
    let data = values(channels * height * width, 2);

    let ours = if shape.transposed {
        Ours::Transposed(ConvTranspose2d::new(&shape.transposed_spec(), &weight, Some(&bias))?)
    } else {
        Ours::Plain(Conv2d::new(&shape.spec(), &weight, Some(&bias))?)
    };
    let feature = Feature::from_planes(&Planes::from_vec(channels, height, width, data.clone())?);
    let (mut result, mut scratch) = (Feature::new(), Feature::new());
    let epilogue = Epilogue::none();
    let mut run_ours = || -> Result<()> {
        match &ours {
            Ours::Plain(conv) => conv.run(&feature, &mut result, &epilogue, cx)?,
            Ours::Transposed(conv) => conv.run(&feature, &mut scratch, &mut result, cx)?,
        }
        Ok(())
    };

    let kernel = Tensor::from_vec(weight, &kernel_shape, &Device::Cpu)?;
    let picture = Tensor::from_vec(data, (1, channels, height, width), &Device::Cpu)?;
    let run_candle = || -> Result<Tensor> {
        let Shape { padding, stride, dilation, groups, .. } = *shape;
        Ok(if shape.transposed {
            picture.conv_transpose2d(&kernel, padding, 0, stride, dilation)?
        } else {
            picture.conv2d(&kernel, padding, stride, dilation, groups)?
        })
    };

    // Both warm up; how many calls make a timing long enough.
    let (mut times_ours, mut times_candle) = (Vec::new(), Vec::new());
    let calls_ours = calls(&mut run_ours)?;
    let calls_candle = calls(&mut || run_candle().map(|result| drop(black_box(result))))?;
    let started = Instant::now();
    while times_ours.len() < 5 || (started.elapsed() < budget && times_ours.len() < 101) {
        times_ours.push(time(calls_ours, &mut run_ours)?);
        times_candle.push(time(calls_candle, &mut || {
            black_box(run_candle()?);
            Ok(())
        })?);
    }
    let expected = run_candle()?.flatten_all()?.to_vec1::<f32>()?;
    let found = result.to_planes();
    if expected.len() != found.data().len() {
        return Err(format!("{} results for {}", found.data().len(), expected.len()).into());
    }
    let largest = expected.iter().fold(1e-30, |most: f32, value| most.max(value.abs()));
    let pairs = expected.iter().zip(found.data());
    let difference = pairs.map(|(a, b)| (a - b).abs() / largest).fold(0.0, f32::max);
    Ok([median(times_ours), median(times_candle), f64::from(difference)])
}

/// Calls that take at least [`SHORTEST`] together.
fn calls(run: &mut impl FnMut() -> Result<()>) -> Result<u32> {
    run()?;
    let mut calls = 1;
    while calls < 1 << 16 {
        let took = time(calls, run)? * f64::from(calls) / 1e3;
        if took >= SHORTEST.as_secs_f64() {
            break;
        }
        calls *= 2;
    }
    Ok(calls)
}

/// Milliseconds of one call.
fn time(calls: u32, run: &mut impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..calls {
        run()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(calls))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(0.3), |text| text.parse())?;
    let threads: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let pool = Pool::new(threads)?;
    let cancel = Cancel::new();
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let mut random = Random(2026);
    let random_shapes = (0..RANDOM_SHAPES).map(|_| random.shape());
    for shape in fixed().into_iter().chain(random_shapes) {
        let mut row = serde_json::json!({ "shape": shape.name(), "flops": shape.flops() });
        match compare(&shape, Duration::from_secs_f64(seconds), &cx) {
            Ok([ours, candle, difference]) => {
                row["limpid"] = ours.into();
                row["candle"] = candle.into();
                row["difference"] = difference.into();
            }
            Err(error) => row["error"] = error.to_string().into(),
        }
        println!("{row}");
    }
    Ok(())
}
