//! Every convolution path, on every instruction set of this processor, against a plain f64
//! reference, on random shapes.

#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod random;

use limpid_kernels::{
    Activation, Algorithm, Cancel, ChannelVector, Conv2d, ConvSpec, Epilogue, Feature, Isa,
    KernelError, Padding, Planes, Pool, Residual, RunContext, SeparableConv2d, concat,
};
use proptest::prelude::*;

use random::{bits, padding};

/// Largest error relative to the output's largest value.
const DIRECT_TOLERANCE: f64 = 1e-6;
const WINOGRAD_TOLERANCE: f64 = 5e-5;

/// Deterministic values in -1..1.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    bits(seed).take(len).map(|bits| (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

fn planes(channels: usize, height: usize, width: usize, seed: u64) -> Planes {
    Planes::from_vec(channels, height, width, noise(channels * height * width, seed)).unwrap()
}

/// The definition of convolution, in f64.
fn reference(spec: &ConvSpec, weight: &[f32], bias: &[f32], input: &Planes) -> Vec<f64> {
    let (height, width) = spec.output_size(input.height(), input.width()).unwrap();
    let (ins, outs) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
    let [kh, kw] = spec.kernel;
    let mut out = Vec::with_capacity(spec.out_channels * height * width);
    for o in 0..spec.out_channels {
        for y in 0..height {
            for x in 0..width {
                let mut sum = f64::from(bias[o]);
                for i in 0..ins {
                    let plane = input.plane(o / outs * ins + i);
                    for ky in 0..kh {
                        let sy = (y * spec.stride[0] + ky * spec.dilation[0])
                            .wrapping_sub(spec.padding.top);
                        for kx in 0..kw {
                            let sx = (x * spec.stride[1] + kx * spec.dilation[1])
                                .wrapping_sub(spec.padding.left);
                            if sy < input.height() && sx < input.width() {
                                let w = weight[((o * ins + i) * kh + ky) * kw + kx];
                                sum += f64::from(w) * f64::from(plane[sy * input.width() + sx]);
                            }
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

/// The largest error relative to the largest output, or to `typical` where all of a few outputs
/// happen to be small.
fn error(found: &Planes, wanted: &[f64], typical: f64) -> f64 {
    assert_eq!(found.data().len(), wanted.len());
    let worst = found.data().iter().zip(wanted).map(|(f, w)| (f64::from(*f) - w).abs());
    let worst = worst.fold(0.0, |m: f64, e| if e.is_nan() { f64::INFINITY } else { m.max(e) });
    worst / largest(wanted).max(typical)
}

fn available() -> Vec<Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
}

/// Runs on one to three threads, demands the same bits, and hands back the result.
fn run(conv: &Conv2d, input: &Feature, epilogue: &Epilogue<'_>) -> Planes {
    let cancel = Cancel::new();
    let mut first: Option<Planes> = None;
    for threads in 1..=3 {
        let pool = Pool::new(threads).unwrap();
        // left-over content of a reused output must not matter
        let mut output = Feature::zeros(5, 40, 40);
        output.data_mut().fill(f32::NAN);
        let cx = RunContext { pool: &pool, cancel: &cancel };
        conv.run(input, &mut output, epilogue, &cx).unwrap();
        let found = output.to_planes();
        if let Some(first) = &first {
            let same =
                first.data().iter().zip(found.data()).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{threads} threads gave other bits than one");
        }
        first.get_or_insert(found);
    }
    first.unwrap()
}

/// A feature whose padding channels are poison: no operator may let them reach a result.
fn poisoned(planes: &Planes) -> Feature {
    let mut feature = Feature::from_planes(planes);
    let (channels, stride) = (feature.channels(), feature.pixel_stride());
    for pixel in feature.data_mut().chunks_exact_mut(stride) {
        pixel[channels..].fill(f32::NAN);
    }
    feature
}

fn check(spec: &ConvSpec, height: usize, width: usize, algorithm: Algorithm, seed: u64) {
    let depth = spec.in_channels / spec.groups * spec.kernel[0] * spec.kernel[1];
    let weight = noise(spec.out_channels * depth, seed);
    let bias = noise(spec.out_channels, seed + 1);
    let input = planes(spec.in_channels, height, width, seed + 2);
    let wanted = reference(spec, &weight, &bias, &input);
    let tolerance = match algorithm {
        Algorithm::Winograd | Algorithm::WinogradSmall => WINOGRAD_TOLERANCE,
        // a sum of n rounded products errs like a random walk of n steps of 2^-24
        _ => DIRECT_TOLERANCE * (depth as f64 / 256.0).sqrt().max(1.0),
    };
    for isa in available() {
        let conv = Conv2d::with(spec, &weight, Some(&bias), algorithm, isa).unwrap();
        let found = run(&conv, &poisoned(&input), &Epilogue::none());
        // the deviation of a sum of products of values spread evenly over -1..1
        let error = error(&found, &wanted, (depth as f64).sqrt() / 3.0);
        assert!(
            error <= tolerance,
            "{algorithm:?} on {isa:?}: {error:.2e} for {spec:?}, input {height} x {width}"
        );
    }
}

fn side() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1usize), 3 => 2usize..14, 2 => 14usize..40]
}

fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1usize), 4 => 2usize..20, 2 => 20usize..100]
}

fn pair(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

fn fits(spec: &ConvSpec, height: usize, width: usize) -> bool {
    spec.output_size(height, width).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn winograd_matches_the_definition(
        ins in channels(), outs in channels(), height in side(), width in side(),
        padding in padding(2), seed in any::<u32>(),
    ) {
        let spec = ConvSpec { padding, ..ConvSpec::same(ins, outs, 3) };
        prop_assume!(fits(&spec, height, width));
        check(&spec, height, width, Algorithm::Winograd, seed.into());
        check(&spec, height, width, Algorithm::WinogradSmall, seed.into());
    }

    #[test]
    fn direct_matches_the_definition(
        ins in 1usize..24, outs in 1usize..70, groups in prop_oneof![4 => Just(1usize), 1 => 2usize..4],
        kernel in pair(1..=5), stride in pair(1..=3), dilation in pair(1..=3),
        padding in padding(4), height in side(), width in side(), seed in any::<u32>(),
    ) {
        let (in_channels, out_channels) = (ins * groups, outs * groups);
        let spec = ConvSpec { in_channels, out_channels, kernel, stride, padding, dilation, groups };
        prop_assume!(fits(&spec, height, width));
        check(&spec, height, width, Algorithm::Direct, seed.into());
    }

    #[test]
    fn pointwise_matches_the_definition(
        ins in channels(), outs in channels(), height in side(), width in side(),
        seed in any::<u32>(),
    ) {
        check(&ConvSpec::same(ins, outs, 1), height, width, Algorithm::Pointwise, seed.into());
    }

    #[test]
    fn depthwise_matches_the_definition(
        channels in channels(), kernel in pair(1..=5), stride in pair(1..=2),
        dilation in pair(1..=2), padding in padding(4), height in side(), width in side(),
        seed in any::<u32>(),
    ) {
        let spec = ConvSpec { kernel, stride, dilation, padding, ..ConvSpec::depthwise(channels, 3) };
        prop_assume!(fits(&spec, height, width));
        check(&spec, height, width, Algorithm::Depthwise, seed.into());
        if channels < 20 {
            check(&spec, height, width, Algorithm::Direct, seed.into());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_input_in_parts_gives_the_bits_of_the_joined_one(
        counts in prop::collection::vec(1usize..40, 1..5), outs in 1usize..70,
        height in side(), width in side(), seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        let parts: Vec<Feature> = counts
            .iter()
            .map(|n| poisoned(&planes(*n, height, width, seed + *n as u64)))
            .collect();
        let parts: Vec<&Feature> = parts.iter().collect();
        let ins = counts.iter().sum();
        let weight = noise(ins * outs, seed);
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let mut joined = Feature::new();
        concat(&parts, &mut joined, &cx).unwrap();
        for isa in available() {
            let spec = ConvSpec::same(ins, outs, 1);
            let conv = Conv2d::with(&spec, &weight, None, Algorithm::Pointwise, isa).unwrap();
            let (mut one, mut many) = (Feature::new(), Feature::new());
            conv.run(&joined, &mut one, &Epilogue::none(), &cx).unwrap();
            conv.run_joined(&parts, &mut many, &Epilogue::none(), &cx).unwrap();
            prop_assert_eq!(one.to_planes(), many.to_planes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_separable_convolution_gives_the_bits_of_its_two_halves(
        ins in channels(), outs in channels(), kernel in pair(1..=5), stride in pair(1..=2),
        padding in padding(2), height in side(), width in prop_oneof![side(), 47usize..102],
        seed in any::<u32>(),
    ) {
        // square kernels of 3 and 5 have a path of their own
        let square = seed % 3 > 0;
        let kernel = if square { [3 + 2 * (seed as usize % 2); 2] } else { kernel };
        let stride = if square { [1, 1] } else { stride };
        let first = ConvSpec { kernel, stride, padding, ..ConvSpec::depthwise(ins, 3) };
        prop_assume!(fits(&first, height, width));
        let (rows, columns) = first.output_size(height, width).unwrap();
        let second = ConvSpec::same(ins, outs, 1);
        let seed = u64::from(seed);
        let (kernels, bias) = (noise(ins * kernel[0] * kernel[1], seed), noise(ins, seed + 1));
        let (matrix, shift) = (noise(ins * outs, seed + 2), noise(outs, seed + 3));
        let input = poisoned(&planes(ins, height, width, seed + 4));
        let residual = poisoned(&planes(outs, rows, columns, seed + 5));
        let epilogue = Epilogue::residual(&residual);
        let between = Activation::LeakyRelu(0.2);
        for isa in available() {
            let make = |spec: &ConvSpec, weight: &[f32], bias: &[f32], algorithm| {
                Conv2d::with(spec, weight, Some(bias), algorithm, isa).unwrap()
            };
            let depthwise = make(&first, &kernels, &bias, Algorithm::Depthwise);
            let pointwise = make(&second, &matrix, &shift, Algorithm::Pointwise);
            let middle = run(&depthwise, &input, &Epilogue::activation(between));
            let wanted = run(&pointwise, &poisoned(&middle), &epilogue);
            let pair = SeparableConv2d::new(depthwise, pointwise).unwrap();
            for threads in 1..=3 {
                let (pool, cancel) = (Pool::new(threads).unwrap(), Cancel::new());
                let cx = RunContext { pool: &pool, cancel: &cancel };
                let mut found = Feature::zeros(3, 20, 20);
                found.data_mut().fill(f32::NAN);
                pair.run(&input, &mut found, between, &epilogue, &cx).unwrap();
                prop_assert_eq!(&found.to_planes(), &wanted, "{:?}, {} threads", isa, threads);
            }
        }
    }
}

#[test]
fn sides_equal_to_the_channels_do_not_confuse_the_layout() {
    for n in [1, 4, 16, 17] {
        check(&ConvSpec::same(n, n, 3), n, n, Algorithm::Winograd, 7);
        check(&ConvSpec::same(n, n, 3), n, n, Algorithm::WinogradSmall, 7);
        check(&ConvSpec::same(n, n, 3), n, n, Algorithm::Direct, 7);
    }
}

#[test]
fn deep_layers_stay_exact() {
    check(&ConvSpec::same(640, 48, 3), 9, 7, Algorithm::Winograd, 3);
    check(&ConvSpec::same(640, 48, 3), 9, 7, Algorithm::Direct, 3);
    check(&ConvSpec::same(1280, 80, 1), 5, 5, Algorithm::Direct, 3);
    check(&ConvSpec::same(1280, 80, 1), 5, 5, Algorithm::Pointwise, 3);
}

#[test]
fn few_pixels_of_many_channels_stay_exact() {
    let direct = |ins, outs, kernel, stride| ConvSpec {
        stride: [stride; 2],
        padding: Padding::default(),
        ..ConvSpec::same(ins, outs, kernel)
    };
    // every number of rows a micro-kernel can have, and one more
    for pixels in 1..=13 {
        check(&ConvSpec::same(300, 70, 1), 1, pixels, Algorithm::Pointwise, 11);
        check(&direct(40, 70, 2, 1), 2, pixels + 1, Algorithm::Direct, 12);
    }
    check(&ConvSpec::same(512, 512, 1), 1, 1, Algorithm::Pointwise, 13);
    check(&direct(64, 64, 3, 1), 3, 3, Algorithm::Direct, 14);
    check(&direct(2, 32, 3, 3), 16, 48, Algorithm::Direct, 15);
    check(&ConvSpec::same(256, 100, 3), 2, 2, Algorithm::Winograd, 16);
    check(&ConvSpec::same(256, 100, 3), 2, 2, Algorithm::WinogradSmall, 16);
}

#[test]
fn work_that_is_worth_sharing_gives_the_same_bits_on_any_number_of_threads() {
    // `check` compares threads; most random shapes are done by the caller alone
    check(&ConvSpec::same(64, 70, 3), 30, 31, Algorithm::Winograd, 21);
    check(&ConvSpec::same(64, 70, 3), 30, 31, Algorithm::WinogradSmall, 21);
    check(&ConvSpec::same(24, 70, 5), 40, 39, Algorithm::Direct, 22);
    check(&ConvSpec::same(96, 64, 1), 40, 39, Algorithm::Pointwise, 23);
    check(&ConvSpec::same(3, 64, 1), 50, 100, Algorithm::Pointwise, 24);
    check(&ConvSpec::depthwise(100, 5), 40, 39, Algorithm::Depthwise, 25);
    // one block of pixels, its channels in parts
    check(&ConvSpec::same(1280, 320, 1), 3, 3, Algorithm::Pointwise, 26);
    check(&ConvSpec::same(320, 320, 3), 5, 5, Algorithm::Winograd, 27);
    check(&ConvSpec::same(320, 320, 3), 1, 5, Algorithm::Direct, 28);
}

#[test]
fn a_pixel_has_the_same_bits_in_a_picture_of_any_size() {
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let (height, width) = (5, 41);
    for (ins, outs) in [(1, 1), (3, 64), (4, 5), (5, 16), (200, 33), (64, 48), (70, 64)] {
        let weight = noise(ins * outs, 1);
        let input = planes(ins, height, width, 2);
        let spec = ConvSpec::same(ins, outs, 1);
        for (isa, algorithm) in available()
            .into_iter()
            .flat_map(|isa| [(isa, Algorithm::Pointwise), (isa, Algorithm::Direct)])
        {
            let conv = Conv2d::with(&spec, &weight, None, algorithm, isa).unwrap();
            let mut whole = Feature::new();
            conv.run(&poisoned(&input), &mut whole, &Epilogue::none(), &cx).unwrap();
            let whole = whole.to_planes();
            for at in 0..height * width {
                let values = (0..ins).map(|c| input.plane(c)[at]).collect();
                let pixel = Planes::from_vec(ins, 1, 1, values).unwrap();
                let mut found = Feature::new();
                conv.run(&poisoned(&pixel), &mut found, &Epilogue::none(), &cx).unwrap();
                for (c, value) in found.to_planes().data().iter().enumerate() {
                    let same = value.to_bits() == whole.plane(c)[at].to_bits();
                    assert!(same, "{algorithm:?} on {isa:?}, {ins} > {outs}, pixel {at}");
                }
            }
        }
    }
}

#[test]
fn the_epilogue_adds_activates_and_clamps_in_its_order() {
    let spec = ConvSpec::same(9, 21, 3);
    let weight = noise(spec.out_channels * 81, 1);
    let bias = noise(spec.out_channels, 2);
    let input = planes(9, 11, 13, 3);
    let other = planes(21, 11, 13, 4);
    let slopes = noise(21, 5);
    let packed_slopes = ChannelVector::new(&slopes);
    let residual = poisoned(&other);
    let plain = reference(&spec, &weight, &bias, &input);
    type Function<'a> = Box<dyn Fn(f64, usize) -> f64 + 'a>;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let activations: Vec<(Activation<'_>, Function<'_>)> = vec![
        (Activation::None, Box::new(|x, _| x)),
        (Activation::Relu, Box::new(|x, _| x.max(0.0))),
        (Activation::LeakyRelu(0.1), Box::new(|x, _| if x > 0.0 { x } else { 0.1 * x })),
        (
            Activation::PRelu(&packed_slopes),
            Box::new(|x, c| if x > 0.0 { x } else { f64::from(slopes[c]) * x }),
        ),
        (Activation::Silu, Box::new(|x, _| x * sigmoid(x))),
        (Activation::Sigmoid, Box::new(|x, _| sigmoid(x))),
        (Activation::Tanh, Box::new(|x, _| x.tanh())),
    ];
    for isa in available() {
        for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::WinogradSmall] {
            let conv = Conv2d::with(&spec, &weight, Some(&bias), algorithm, isa).unwrap();
            for (activation, function) in &activations {
                for place in 0..4 {
                    for clamp in [None, Some((-0.5, 0.75))] {
                        let epilogue = Epilogue {
                            activation: *activation,
                            residual: match place {
                                0 => Residual::None,
                                1 => Residual::BeforeActivation(&residual),
                                2 => Residual::AfterActivation(&residual),
                                _ => Residual::Attention(&residual),
                            },
                            clamp,
                        };
                        let wanted: Vec<f64> = plain
                            .iter()
                            .enumerate()
                            .map(|(i, &x)| {
                                let r = f64::from(other.data()[i]);
                                let before = if place == 1 { r } else { 0.0 };
                                let after = if place == 2 { r } else { 0.0 };
                                let y = match place {
                                    3 => (x + r) * (sigmoid(x) - 0.5),
                                    _ => function(x + before, i / (11 * 13)) + after,
                                };
                                clamp.map_or(y, |(low, high)| y.clamp(low.into(), high.into()))
                            })
                            .collect();
                        let found = run(&conv, &poisoned(&input), &epilogue);
                        let error = error(&found, &wanted, 0.1);
                        assert!(error < 1e-5, "{isa:?} {algorithm:?} {epilogue:?}: {error:.2e}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_not_a_panic() {
    let weight = noise(4 * 3 * 9, 1);
    let spec = ConvSpec::same(3, 4, 3);
    let bad = |spec: ConvSpec, bias: Option<&[f32]>| Conv2d::new(&spec, &weight, bias).is_err();
    assert!(bad(ConvSpec::same(3, 5, 3), None), "too few weights");
    assert!(bad(spec, Some(&[0.0; 3])), "too few biases");
    assert!(bad(ConvSpec { stride: [0, 1], ..spec }, None), "no stride");
    assert!(bad(ConvSpec { groups: 2, ..spec }, None), "channels not divisible");
    assert!(bad(ConvSpec { out_channels: usize::MAX, ..spec }, None), "sizes that overflow");
    for bad in [
        ConvSpec { kernel: [0, 3], ..spec },
        ConvSpec { stride: [1, 0], ..spec },
        ConvSpec { dilation: [usize::MAX, 1], ..spec },
        ConvSpec { padding: Padding::all(usize::MAX), ..spec },
    ] {
        assert!(bad.output_size(8, 8).is_err(), "{bad:?}");
    }
    let strided = ConvSpec { stride: [2, 2], ..spec };
    for algorithm in [Algorithm::Winograd, Algorithm::WinogradSmall] {
        let forced = Conv2d::with(&strided, &weight, None, algorithm, Isa::Portable);
        assert!(forced.is_err(), "Winograd with a stride");
    }

    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let conv = Conv2d::new(&spec, &weight, None).unwrap();
    let unpadded = ConvSpec { padding: Padding::default(), ..spec };
    let unpadded = Conv2d::new(&unpadded, &weight, None).unwrap();
    let mut out = Feature::new();
    let mut attempt = |conv: &Conv2d, input: Feature, epilogue: Epilogue<'_>| {
        matches!(conv.run(&input, &mut out, &epilogue, &cx), Err(KernelError::Shape(_)))
    };
    assert!(attempt(&conv, Feature::zeros(2, 8, 8), Epilogue::none()), "wrong channels");
    assert!(attempt(&conv, Feature::zeros(3, 0, 8), Epilogue::none()), "empty picture");
    assert!(attempt(&unpadded, Feature::zeros(3, 2, 8), Epilogue::none()), "below the kernel");
    let (a, b) = (Feature::zeros(2, 4, 4), Feature::zeros(1, 4, 5));
    let pointwise = Conv2d::new(&ConvSpec::same(3, 36, 1), &weight, None).unwrap();
    for (conv, parts) in
        [(&pointwise, &[&a, &b][..]), (&pointwise, &[&a]), (&pointwise, &[]), (&conv, &[&a])]
    {
        let result = conv.run_joined(parts, &mut Feature::new(), &Epilogue::none(), &cx);
        assert!(matches!(result, Err(KernelError::Shape(_))), "parts that do not fit");
    }
    let deep = Conv2d::new(&ConvSpec::depthwise(3, 3), &weight[..27], None).unwrap();
    let mix = Conv2d::new(&ConvSpec::same(3, 4, 1), &weight[..12], None).unwrap();
    let wide = Conv2d::new(&ConvSpec::same(4, 3, 1), &weight[..12], None).unwrap();
    for (first, second) in [(&mix, &mix), (&deep, &deep), (&deep, &wide), (&deep, &conv)] {
        assert!(SeparableConv2d::new(first.clone(), second.clone()).is_err(), "no pair");
    }
    let pair = SeparableConv2d::new(deep, mix).unwrap();
    for (channels, side) in [(4, 8), (3, 0)] {
        let (input, mut out) = (Feature::zeros(channels, side, side), Feature::new());
        let result = pair.run(&input, &mut out, Activation::Relu, &Epilogue::none(), &cx);
        assert!(matches!(result, Err(KernelError::Shape(_))), "{channels} channels, {side}");
    }

    let residual = Feature::zeros(4, 8, 7);
    assert!(attempt(&conv, Feature::zeros(3, 8, 8), Epilogue::residual(&residual)), "residual");
    let slopes = ChannelVector::new(&[0.1; 3]);
    let prelu = Epilogue::activation(Activation::PRelu(&slopes));
    assert!(attempt(&conv, Feature::zeros(3, 8, 8), prelu), "slopes");
}

#[test]
fn a_set_flag_stops_the_run() {
    let spec = ConvSpec::same(8, 8, 3);
    let conv = Conv2d::new(&spec, &noise(8 * 8 * 9, 1), None).unwrap();
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    cancel.cancel();
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let result = conv.run(&Feature::zeros(8, 64, 64), &mut Feature::new(), &Epilogue::none(), &cx);
    assert!(matches!(result, Err(KernelError::Cancelled(_))));
}
