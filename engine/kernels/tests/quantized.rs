//! The convolution in whole numbers, with all instructions of this processor, bit by bit against
//! its definition in plain integers, on random shapes.

#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod random;

use limpid_kernels::{
    Cancel, ConvSpec, DotProduct, Feature, Isa, KernelError, Planes, Pool, Quantization,
    QuantizedActivation, QuantizedConv2d, QuantizedEpilogue, QuantizedFeature, QuantizedResidual,
    QuantizedWeights, RunContext,
};
use proptest::prelude::*;

use random::{bits, padding};

/// Deterministic numbers of 40 bits.
fn noise(len: usize, seed: u64) -> impl Iterator<Item = u64> {
    bits(seed).take(len).map(|bits| bits >> 24)
}

/// What values a test's tensors hold.
#[derive(Clone, Copy, Debug)]
enum Values {
    Random,
    /// 255 everywhere against weights of -128 or 127 by channel: where 16-bit sums saturate.
    Extreme,
}

/// A layer with all its numbers.
#[derive(Clone, Debug)]
struct Case {
    spec: ConvSpec,
    weight: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<i32>,
    input: QuantizedFeature,
    output: Quantization,
    residual: QuantizedFeature,
}

/// A feature of random bytes whose padding channels are poison.
fn feature(shape: [usize; 3], steps: Quantization, values: Values, seed: u64) -> QuantizedFeature {
    let mut feature = QuantizedFeature::new();
    feature.reset(shape[0], shape[1], shape[2], steps).unwrap();
    let stride = feature.pixel_stride();
    let mut bytes = noise(feature.data().len(), seed);
    for (i, byte) in feature.data_mut().iter_mut().enumerate() {
        let random = bytes.next().unwrap() as u8;
        let is_padding = i % stride >= shape[0];
        *byte = if is_padding || matches!(values, Values::Random) { random } else { 255 };
    }
    feature
}

fn steps(seed: u64) -> Quantization {
    let random: Vec<u64> = noise(2, seed).collect();
    let zero = match random[0] % 4 {
        0 => 0,
        1 => 255,
        _ => random[0] as u8,
    };
    Quantization::new(0.001 + (random[1] % 1000) as f32 / 3e4, zero).unwrap()
}

impl Case {
    fn new(spec: ConvSpec, height: usize, width: usize, values: Values, seed: u64) -> Self {
        let depth = spec.in_channels * spec.kernel[0] * spec.kernel[1];
        let (rows, columns) = spec.output_size(height, width).unwrap();
        let weight = match values {
            Values::Random => noise(depth * spec.out_channels, seed).map(|v| v as i8).collect(),
            Values::Extreme => {
                let row = |n: usize| if n.is_multiple_of(2) { -128i8 } else { 127 };
                (0..spec.out_channels).flat_map(|n| vec![row(n); depth]).collect()
            }
        };
        let scale = |v: u64| 0.4 / (depth as f32).sqrt() * (1.0 + (v % 100) as f32) / 4000.0;
        let shape = [spec.in_channels, height, width];
        Self {
            spec,
            weight,
            scales: noise(spec.out_channels, seed + 1).map(scale).collect(),
            bias: noise(spec.out_channels, seed + 2).map(|v| v as i16 as i32 / 4).collect(),
            input: feature(shape, steps(seed + 3), values, seed + 4),
            output: steps(seed + 5),
            residual: feature([spec.out_channels, rows, columns], steps(seed + 6), values, seed),
        }
    }

    fn conv(&self, dot: DotProduct) -> QuantizedConv2d {
        let weights =
            QuantizedWeights { values: &self.weight, scales: &self.scales, bias: Some(&self.bias) };
        let input = self.input.quantization();
        QuantizedConv2d::with(&self.spec, &weights, input, self.output, dot).unwrap()
    }

    /// The definition's sums, `[height, width, out_channels]`.
    fn sums(&self) -> Vec<i64> {
        let Self { spec, input, .. } = self;
        let (height, width) = spec.output_size(input.height(), input.width()).unwrap();
        let (zero, stride) = (i64::from(input.quantization().zero_point()), input.pixel_stride());
        let [kh, kw] = spec.kernel;
        let mut sums = Vec::with_capacity(height * width * spec.out_channels);
        for y in 0..height {
            for x in 0..width {
                for o in 0..spec.out_channels {
                    let mut sum = i64::from(self.bias[o]);
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let sy = (y * spec.stride[0] + ky * spec.dilation[0])
                                .wrapping_sub(spec.padding.top);
                            let sx = (x * spec.stride[1] + kx * spec.dilation[1])
                                .wrapping_sub(spec.padding.left);
                            if sy >= input.height() || sx >= input.width() {
                                continue;
                            }
                            let pixel = &input.data()[(sy * input.width() + sx) * stride..];
                            for (i, x) in pixel[..spec.in_channels].iter().enumerate() {
                                let at = ((o * spec.in_channels + i) * kh + ky) * kw + kx;
                                sum += (i64::from(*x) - zero) * i64::from(self.weight[at]);
                            }
                        }
                    }
                    sums.push(sum);
                }
            }
        }
        sums
    }

    /// The definition's values before rounding, in steps of `scale`, in the order of the sums.
    fn values(&self, sums: &[i64], scale: f32, epilogue: &QuantizedEpilogue<'_>) -> Vec<f32> {
        let outs = self.spec.out_channels;
        let stride = self.residual.pixel_stride();
        let activate = |t: f32| match epilogue.activation {
            QuantizedActivation::None => t,
            QuantizedActivation::Relu => t.max(0.0),
            QuantizedActivation::LeakyRelu(slope) if t < 0.0 => t * slope,
            QuantizedActivation::LeakyRelu(_) => t,
        };
        let value = |(i, sum): (usize, &i64)| {
            let (pixel, o) = (i / outs, i % outs);
            let step = f64::from(self.input.quantization().scale()) * f64::from(self.scales[o]);
            let t = i32::try_from(*sum).unwrap() as f32 * (step / f64::from(scale)) as f32;
            let steps = self.residual.quantization();
            let r =
                i32::from(self.residual.data()[pixel * stride + o]) - i32::from(steps.zero_point());
            let r = r as f32 * (f64::from(steps.scale()) / f64::from(scale)) as f32;
            match epilogue.residual {
                QuantizedResidual::None => activate(t),
                QuantizedResidual::BeforeActivation(_) => activate(t + r),
                QuantizedResidual::AfterActivation(_) => activate(t) + r,
            }
        };
        sums.iter().enumerate().map(value).collect()
    }

    /// Runs with all instructions on one to three threads, and demands the bits of the definition.
    fn check(&self, epilogue: &QuantizedEpilogue<'_>) {
        let sums = self.sums();
        let zero = f32::from(self.output.zero_point());
        let values = self.values(&sums, self.output.scale(), epilogue);
        let round = |v: &f32| (v.clamp(-zero, 255.0 - zero).round_ties_even() + zero) as u8;
        let bytes: Vec<u8> = values.iter().map(round).collect();
        let floats = self.values(&sums, 1.0, epilogue);
        for dot in available() {
            let conv = self.conv(dot);
            for threads in 1..=3 {
                let (pool, cancel) = (Pool::new(threads).unwrap(), Cancel::new());
                let cx = RunContext { pool: &pool, cancel: &cancel };
                // left-over content of a reused output must not matter
                let mut output = feature([5, 40, 40], Quantization::default(), Values::Random, 1);
                conv.run(&self.input, &mut output, epilogue, &cx).unwrap();
                assert_eq!(output.quantization(), self.output);
                let found = output.data().chunks_exact(output.pixel_stride());
                let found = found.flat_map(|pixel| pixel[..output.channels()].iter());
                assert!(found.eq(&bytes), "{dot:?}, {threads} threads, {epilogue:?}: {self:?}");

                let mut output = Feature::new();
                conv.run_to_float(&self.input, &mut output, epilogue, &cx).unwrap();
                let found = output.data().chunks_exact(output.pixel_stride());
                let found = found.flat_map(|pixel| pixel[..output.channels()].iter());
                assert!(found.eq(&floats), "{dot:?}, {threads} threads, floats: {self:?}");
            }
        }
    }
}

fn available() -> Vec<DotProduct> {
    DotProduct::ALL.into_iter().filter(|dot| dot.is_available()).collect()
}

fn side() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1usize), 3 => 2usize..14, 1 => 14usize..30]
}

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1usize), 4 => 2usize..20, 2 => 20usize..100]
}

fn pair(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

fn values() -> impl Strategy<Value = Values> {
    prop_oneof![4 => Just(Values::Random), 1 => Just(Values::Extreme)]
}

fn activation() -> impl Strategy<Value = QuantizedActivation> {
    use QuantizedActivation::{LeakyRelu, None, Relu};
    prop_oneof![Just(None), Just(Relu), (-0.5f32..0.5).prop_map(LeakyRelu)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn layers_of_networks_match_the_definition(
        ins in channels(), outs in channels(), kernel in prop_oneof![Just(1usize), Just(3)],
        height in side(), width in side(), values in values(), activation in activation(),
        place in 0..3, seed in any::<u32>(),
    ) {
        let spec = ConvSpec::same(ins, outs, kernel);
        let case = Case::new(spec, height, width, values, seed.into());
        let residual = match place {
            0 => QuantizedResidual::None,
            1 => QuantizedResidual::BeforeActivation(&case.residual),
            _ => QuantizedResidual::AfterActivation(&case.residual),
        };
        case.check(&QuantizedEpilogue { activation, residual });
    }

    #[test]
    fn any_shape_matches_the_definition(
        ins in 1usize..24, outs in 1usize..70, kernel in pair(1..=5), stride in pair(1..=3),
        dilation in pair(1..=3), padding in padding(4), height in side(), width in side(),
        values in values(), activation in activation(), seed in any::<u32>(),
    ) {
        let spec =
            ConvSpec { kernel, stride, dilation, padding, ..ConvSpec::same(ins, outs, 3) };
        prop_assume!(spec.output_size(height, width).is_ok());
        let case = Case::new(spec, height, width, values, seed.into());
        case.check(&QuantizedEpilogue::activation(activation));
    }

    #[test]
    fn bytes_and_numbers_become_each_other_as_defined(
        channels in channels(), height in side(), width in side(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        let value = |v: u64| match v % 50 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            3 => 1e30,
            _ => (v % 10_007) as f32 / 5e3 - 1.0,
        };
        let numbers: Vec<f32> = noise(channels * height * width, seed).map(value).collect();
        let planes = Planes::from_vec(channels, height, width, numbers).unwrap();
        let steps = steps(seed + 1);
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let mut bytes = QuantizedFeature::new();
        bytes.quantize(&Feature::from_planes(&planes), steps, &cx).unwrap();
        let mut back = Feature::new();
        bytes.dequantize(&mut back, &cx).unwrap();
        let wanted = planes.data().iter().map(|v| steps.dequantize(steps.quantize(*v)));
        prop_assert!(back.to_planes().data().iter().copied().eq(wanted));
    }
}

#[test]
fn sides_equal_to_the_channels_do_not_confuse_the_layout() {
    for n in [1, 4, 16, 17] {
        let case = Case::new(ConvSpec::same(n, n, 3), n, n, Values::Random, 7);
        case.check(&QuantizedEpilogue::none());
    }
}

#[test]
fn deep_layers_stay_exact() {
    for values in [Values::Random, Values::Extreme] {
        for (spec, size) in [(ConvSpec::same(640, 48, 3), 7), (ConvSpec::same(1280, 80, 1), 5)] {
            Case::new(spec, size, size + 1, values, 3).check(&QuantizedEpilogue::none());
        }
    }
}

#[test]
fn numbers_become_weights_within_half_a_step() {
    let spec = ConvSpec::same(8, 6, 3);
    // one channel of zeros with a bias, one with a large bias beside small weights
    let mut weight: Vec<f32> =
        noise(8 * 6 * 9, 5).map(|v| (v % 1000) as f32 / 500.0 - 1.0).collect();
    weight[..72].fill(0.0);
    weight[72..144].iter_mut().for_each(|w| *w *= 1e-7);
    let bias = [0.25, 1e4, -0.5, 0.0, 1.0, -1.0];
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let steps = Quantization::new(0.01, 100).unwrap();
    let input = feature([8, 5, 7], steps, Values::Random, 3);
    let conv = QuantizedConv2d::from_floats(&spec, &weight, Some(&bias), steps, steps).unwrap();
    let mut found = Feature::new();
    conv.run_to_float(&input, &mut found, &QuantizedEpilogue::none(), &cx).unwrap();

    let mut numbers = Feature::new();
    input.dequantize(&mut numbers, &cx).unwrap();
    let mut wanted = Feature::new();
    let exact = limpid_kernels::Conv2d::new(&spec, &weight, Some(&bias)).unwrap();
    exact.run(&numbers, &mut wanted, &limpid_kernels::Epilogue::none(), &cx).unwrap();
    let (found, wanted) = (found.to_planes(), wanted.to_planes());
    for (channel, bias) in bias.into_iter().enumerate() {
        // 72 products of up to 1.55 with weights that are off by half of 1/127 each, and the bias
        let tolerance = 72.0 * 1.55 * 0.5 / 127.0 + bias.abs() * 1e-5;
        let pairs = found.plane(channel).iter().zip(wanted.plane(channel));
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance, "channel {channel}: {worst}");
    }
    weight[0] = f32::NAN;
    assert!(QuantizedConv2d::from_floats(&spec, &weight, None, steps, steps).is_err());
}

#[test]
fn rounding_takes_ties_to_the_even_side() {
    // sums of 1, 2, 3, ... halves of a step
    let input = Quantization::new(1.0, 0).unwrap();
    let weights = QuantizedWeights { values: &[1], scales: &[0.5], bias: None };
    let mut bytes = QuantizedFeature::new();
    bytes.reset(1, 1, 8, input).unwrap();
    let stride = bytes.pixel_stride();
    bytes.data_mut().iter_mut().step_by(stride).zip(0..).for_each(|(byte, i)| *byte = i);
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    for dot in available() {
        let spec = ConvSpec::same(1, 1, 1);
        let conv = QuantizedConv2d::with(&spec, &weights, input, input, dot).unwrap();
        let mut output = QuantizedFeature::new();
        conv.run(&bytes, &mut output, &QuantizedEpilogue::none(), &cx).unwrap();
        let found: Vec<u8> = output.data().iter().copied().step_by(stride).collect();
        assert_eq!(found, [0, 0, 1, 2, 2, 2, 3, 4], "{dot:?}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_not_a_panic() {
    let spec = ConvSpec::same(3, 4, 3);
    let values = [1i8; 4 * 3 * 9];
    let weights = QuantizedWeights { values: &values, scales: &[0.1; 4], bias: None };
    let steps = Quantization::new(0.1, 5).unwrap();
    let bad = |spec: ConvSpec, weights: QuantizedWeights<'_>| {
        QuantizedConv2d::new(&spec, &weights, steps, steps).is_err()
    };
    assert!(!bad(spec, weights));
    assert!(bad(ConvSpec::same(3, 5, 3), weights), "too few weights");
    assert!(bad(ConvSpec { stride: [0, 1], ..spec }, weights), "no stride");
    assert!(bad(ConvSpec { groups: 2, ..ConvSpec::same(6, 4, 3) }, weights), "groups");
    assert!(bad(ConvSpec { out_channels: usize::MAX, ..spec }, weights), "sizes that overflow");
    assert!(bad(spec, QuantizedWeights { scales: &[0.1; 3], ..weights }), "too few scales");
    assert!(bad(spec, QuantizedWeights { bias: Some(&[0; 3]), ..weights }), "too few biases");
    for scale in [0.0, -0.1, f32::NAN, f32::INFINITY] {
        assert!(bad(spec, QuantizedWeights { scales: &[scale; 4], ..weights }), "{scale}");
    }
    for bias in [i32::MAX, i32::MIN] {
        assert!(bad(spec, QuantizedWeights { bias: Some(&[bias; 4]), ..weights }), "{bias}");
    }
    for dot in DotProduct::ALL.into_iter().filter(|dot| !dot.is_available()) {
        assert!(QuantizedConv2d::with(&spec, &weights, steps, steps, dot).is_err(), "{dot:?}");
    }

    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let conv = QuantizedConv2d::new(&spec, &weights, steps, steps).unwrap();
    let input = |shape, steps| feature(shape, steps, Values::Random, 1);
    let attempt = |input: QuantizedFeature, epilogue: QuantizedEpilogue<'_>| {
        let bytes = conv.run(&input, &mut QuantizedFeature::new(), &epilogue, &cx);
        let floats = conv.run_to_float(&input, &mut Feature::new(), &epilogue, &cx);
        matches!(bytes, Err(KernelError::Shape(_))) && matches!(floats, Err(KernelError::Shape(_)))
    };
    assert!(attempt(input([2, 8, 8], steps), QuantizedEpilogue::none()), "wrong channels");
    assert!(attempt(input([3, 0, 8], steps), QuantizedEpilogue::none()), "empty picture");
    let other = Quantization::new(0.1, 6).unwrap();
    assert!(attempt(input([3, 8, 8], other), QuantizedEpilogue::none()), "another meaning");
    let residual = input([4, 8, 7], steps);
    assert!(attempt(input([3, 8, 8], steps), QuantizedEpilogue::residual(&residual)), "residual");
    let slope = QuantizedEpilogue::activation(QuantizedActivation::LeakyRelu(f32::NAN));
    assert!(attempt(input([3, 8, 8], steps), slope), "slope");
}

#[test]
fn a_set_flag_stops_the_run() {
    let case = Case::new(ConvSpec::same(8, 8, 3), 40, 40, Values::Random, 1);
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    cancel.cancel();
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let conv = case.conv(DotProduct::current());
    let (mut output, epilogue) = (QuantizedFeature::new(), QuantizedEpilogue::none());
    let result = conv.run(&case.input, &mut output, &epilogue, &cx);
    assert!(matches!(result, Err(KernelError::Cancelled(_))));
}

/// Each inner run does all tests of this program, so that what always uses the instructions in use
/// is checked with all of them.
#[test]
fn the_environment_chooses_the_instructions() {
    const INNER: &str = "LIMPID_TEST_INNER";
    if let Ok(wanted) = std::env::var(INNER) {
        assert_eq!(DotProduct::current().name(), wanted);
        return;
    }
    let run = |variable: &str, value: &str, wanted: DotProduct| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .env_remove("LIMPID_ISA")
            .env_remove("LIMPID_DOT")
            .env(variable, value)
            .env(INNER, wanted.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "with {variable}={value}:\n{text}");
    };
    for dot in available() {
        run("LIMPID_DOT", dot.name(), dot);
    }
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        run("LIMPID_ISA", isa.name(), DotProduct::best(isa));
    }
    let best = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap();
    run("LIMPID_DOT", "nonsense", DotProduct::best(best));
}
