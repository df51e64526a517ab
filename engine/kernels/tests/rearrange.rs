//! Operators that move values or treat each by itself, against their definitions.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::{
    Activation, Cancel, ChannelVector, Feature, GroupNorm, KernelError, Planes, Pool, RunContext,
    activate, add, concat, deinterleave, interleave, multiply, pixel_shuffle, pixel_unshuffle,
    upsample_nearest,
};
use proptest::prelude::*;

/// Values that name their own place.
fn counted(channels: usize, height: usize, width: usize) -> Planes {
    let data = (0..channels * height * width).map(|i| i as f32 - 7.5).collect();
    Planes::from_vec(channels, height, width, data).unwrap()
}

fn with_context<R>(work: impl FnOnce(&RunContext<'_>) -> R) -> R {
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    work(&RunContext { pool: &pool, cancel: &cancel })
}

/// The planes whose value at `(c, y, x)` is `value(c, y, x)`.
fn build(shape: [usize; 3], value: impl Fn(usize, usize, usize) -> f32) -> Planes {
    let [channels, height, width] = shape;
    let at = |i: usize| value(i / (height * width), i / width % height, i % width);
    let data = (0..channels * height * width).map(at).collect();
    Planes::from_vec(channels, height, width, data).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn shuffle_follows_its_definition_and_unshuffle_undoes_it(
        channels in 1usize..7, height in 1usize..9, width in 1usize..9, factor in 1usize..5,
    ) {
        let planes = counted(channels * factor * factor, height, width);
        let (mut large, mut back) = (Feature::new(), Feature::new());
        with_context(|cx| {
            pixel_shuffle(&Feature::from_planes(&planes), factor, &mut large, cx).unwrap();
            pixel_unshuffle(&large, factor, &mut back, cx).unwrap();
        });
        let shape = [channels, height * factor, width * factor];
        let wanted = build(shape, |c, y, x| {
            let from = (c * factor + y % factor) * factor + x % factor;
            planes.plane(from)[y / factor * width + x / factor]
        });
        prop_assert_eq!(large.to_planes(), wanted);
        prop_assert_eq!(back.to_planes(), planes);
    }

    #[test]
    fn layouts_change_to_and_fro(
        channels in 1usize..70, height in 1usize..9, width in 1usize..70,
    ) {
        let planes = counted(channels, height, width);
        let mut feature = Feature::zeros(3, 50, 90);
        feature.data_mut().fill(f32::NAN);
        with_context(|cx| {
            interleave(&planes, &mut feature, cx).unwrap();
            prop_assert_eq!(&feature.to_planes(), &planes);
            for spare in [Planes::zeros(0, 0, 0), counted(1, 3, 2), counted(70, 9, 70)] {
                prop_assert_eq!(&deinterleave(&feature, spare, cx).unwrap(), &planes);
            }
            Ok(())
        })?;
    }

    #[test]
    fn nearest_repeats_pixels(
        channels in 1usize..20, height in 1usize..9, width in 1usize..9, factor in 1usize..5,
    ) {
        let planes = counted(channels, height, width);
        let mut large = Feature::new();
        let input = Feature::from_planes(&planes);
        with_context(|cx| upsample_nearest(&input, factor, &mut large, cx).unwrap());
        let wanted = build([channels, height * factor, width * factor], |c, y, x| {
            planes.plane(c)[y / factor * width + x / factor]
        });
        prop_assert_eq!(large.to_planes(), wanted);
    }

    #[test]
    fn concat_keeps_the_order_of_its_parts(
        counts in prop::collection::vec(1usize..20, 1..4), height in 1usize..6, width in 1usize..6,
    ) {
        let parts: Vec<Planes> = counts.iter().map(|n| counted(*n, height, width)).collect();
        let features: Vec<Feature> = parts.iter().map(Feature::from_planes).collect();
        let mut joined = Feature::new();
        with_context(|cx| concat(&features.iter().collect::<Vec<_>>(), &mut joined, cx).unwrap());
        let wanted: Vec<f32> = parts.iter().flat_map(|part| part.data().iter().copied()).collect();
        let joined = joined.to_planes();
        prop_assert_eq!(joined.channels(), counts.iter().sum::<usize>());
        prop_assert_eq!(joined.data(), wanted);
    }

    #[test]
    fn sums_products_and_activations_are_value_by_value(
        channels in 1usize..40, height in 1usize..20, width in 1usize..20, slope in 0.0f32..1.0,
    ) {
        let planes = counted(channels, height, width);
        let slopes: Vec<f32> = (0..channels).map(|c| slope * c as f32).collect();
        let packed = ChannelVector::new(&slopes);
        let feature = Feature::from_planes(&planes);
        let other = Feature::from_planes(&build([channels, height, width], |c, y, x| {
            (c + 2 * y) as f32 - x as f32
        }));
        let [mut sum, mut product, mut leaky] = [(); 3].map(|()| feature.clone());
        with_context(|cx| {
            add(&mut sum, &other, cx).unwrap();
            multiply(&mut product, &other, cx).unwrap();
            activate(&mut leaky, Activation::PRelu(&packed), cx).unwrap();
        });
        let (sum, product, leaky) = (sum.to_planes(), product.to_planes(), leaky.to_planes());
        let others = other.to_planes();
        for (i, (&a, &b)) in planes.data().iter().zip(others.data()).enumerate() {
            prop_assert_eq!(sum.data()[i], a + b);
            prop_assert_eq!(product.data()[i], a * b);
            let slope = slopes[i / (height * width)];
            prop_assert_eq!(leaky.data()[i], if a > 0.0 { a } else { slope * a });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn group_norm_matches_the_definition_with_the_same_bits_on_any_threads(
        groups in 1usize..5, in_group in 1usize..9, height in 1usize..80, width in 1usize..20,
        offset in -20.0f32..20.0,
    ) {
        let channels = groups * in_group;
        let planes = build([channels, height, width], |c, y, x| {
            offset + ((c * 31 + y * 17 + x * 7) % 23) as f32 / 5.0
        });
        let scale: Vec<f32> = (0..channels).map(|c| 0.5 + c as f32 / 8.0).collect();
        let shift: Vec<f32> = (0..channels).map(|c| 1.0 - c as f32 / 4.0).collect();
        let norm = GroupNorm::new(groups, &scale, &shift, 1e-5).unwrap();
        let cancel = Cancel::new();
        let found: Vec<Planes> = (1..=3)
            .map(|threads| {
                let mut feature = Feature::from_planes(&planes);
                let stride = feature.pixel_stride();
                for pixel in feature.data_mut().chunks_exact_mut(stride) {
                    pixel[channels..].fill(f32::NAN);
                }
                let pool = Pool::new(threads).unwrap();
                let cx = RunContext { pool: &pool, cancel: &cancel };
                norm.run(&mut feature, Activation::Relu, &cx).unwrap();
                feature.to_planes()
            })
            .collect();
        prop_assert_eq!(&found[0], &found[1]);
        prop_assert_eq!(&found[0], &found[2]);
        let area = height * width;
        for group in 0..groups {
            let part = group * in_group * area..(group + 1) * in_group * area;
            let values = || planes.data()[part.clone()].iter().map(|v| f64::from(*v));
            let count = part.len() as f64;
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            for (i, value) in part.clone().zip(values()) {
                let scale = f64::from(scale[i / area]);
                let shift = f64::from(shift[i / area]);
                let wanted = (value - mean) / (variance + 1e-5).sqrt() * scale + shift;
                // the mean is rounded to f32: with next to no variance that is what one sees
                let deviation = (variance + 1e-5).sqrt();
                let tolerance = 1e-5 + 1e-7 * (1.0 + mean.abs()) * scale / deviation;
                let error = (f64::from(found[0].data()[i]) - wanted.max(0.0)).abs();
                prop_assert!(error < tolerance, "{} for {wanted}", found[0].data()[i]);
            }
        }
    }
}

/// `(1 + erf(x / sqrt(2))) / 2`: the series (Abramowitz and Stegun 26.2.10) where it converges, the
/// continued fraction (26.2.14) for the tails.
fn normal_distribution(x: f64) -> f64 {
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x.abs() > 5.0 {
        let fraction = (1..60).rev().fold(x.abs(), |rest, n| x.abs() + f64::from(n) / rest);
        let tail = density / fraction;
        return if x > 0.0 { 1.0 - tail } else { tail };
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..100 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + density * sum
}

#[test]
fn functions_of_a_value_hold_over_the_whole_range() {
    let xs: Vec<f32> = (-3000..=3000).map(|i| i as f32 / 30.0).collect();
    let planes = Planes::from_vec(1, 1, xs.len(), xs.clone()).unwrap();
    let run = |activation| {
        let mut feature = Feature::from_planes(&planes);
        with_context(|cx| activate(&mut feature, activation, cx).unwrap());
        feature.to_planes().into_vec()
    };
    let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
    type Function<'a> = &'a dyn Fn(f32) -> f64;
    let gelu_tanh =
        |x: f64| x * 0.5 * (1.0 + (0.797_884_560_8 * (x + 0.044715 * x.powi(3))).tanh());
    let cases: [(&str, Activation<'_>, Function<'_>); 6] = [
        ("gelu", Activation::Gelu, &|x| f64::from(x) * normal_distribution(x.into())),
        ("gelu by tanh", Activation::GeluTanh, &|x| gelu_tanh(x.into())),
        ("gelu by sigmoid", Activation::GeluSigmoid, &|x| f64::from(x) * sigmoid(1.702 * x)),
        ("sigmoid", Activation::Sigmoid, &sigmoid),
        ("silu", Activation::Silu, &|x| f64::from(x) * sigmoid(x)),
        ("tanh", Activation::Tanh, &|x| f64::from(x).tanh()),
    ];
    for (name, activation, wanted) in cases {
        let found = run(activation);
        for (x, y) in xs.iter().zip(found) {
            let (y, wanted) = (f64::from(y), wanted(*x));
            let error = (y - wanted).abs() / wanted.abs().max(1.0);
            assert!(error < 3e-7, "{name}({x}) = {y}, not {wanted}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (a, b) = (Feature::zeros(3, 4, 6), Feature::zeros(3, 4, 5));
    let mut target = a.clone();
    let mut out = Feature::new();
    let refused = |result| matches!(result, Err(KernelError::Shape(_)));
    with_context(|cx| {
        assert!(refused(add(&mut target, &b, cx)));
        assert!(refused(multiply(&mut target, &b, cx)));
        assert!(refused(concat(&[&a, &b], &mut out, cx)));
        assert!(refused(concat(&[], &mut out, cx)));
        assert!(refused(pixel_shuffle(&a, 2, &mut out, cx)));
        assert!(refused(pixel_shuffle(&a, 0, &mut out, cx)));
        assert!(refused(pixel_unshuffle(&b, 2, &mut out, cx)));
        assert!(refused(upsample_nearest(&a, 0, &mut out, cx)));
        assert!(refused(upsample_nearest(&a, usize::MAX / 2, &mut out, cx)));
        assert!(refused(pixel_shuffle(&a, usize::MAX / 2, &mut out, cx)));
        let slopes = ChannelVector::new(&[0.0; 2]);
        assert!(refused(activate(&mut target, Activation::PRelu(&slopes), cx)));
    });
    assert!(target.fill_channel(3, 1.0).is_err());
    assert!(GroupNorm::new(2, &[1.0; 3], &[0.0; 3], 1e-5).is_err());
    assert!(GroupNorm::new(0, &[1.0; 3], &[0.0; 3], 1e-5).is_err());
    assert!(GroupNorm::new(1, &[1.0; 3], &[0.0; 2], 1e-5).is_err());
    let norm = GroupNorm::new(2, &[1.0; 4], &[0.0; 4], 1e-5).unwrap();
    assert!(refused(with_context(|cx| norm.run(&mut target, Activation::None, cx))));
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
