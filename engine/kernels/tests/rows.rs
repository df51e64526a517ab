//! Softmax and normalisations against their definitions in f64, on every instruction set.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::{
    Activation, Cancel, Feature, GroupNorm, KernelError, LayerNorm, Pool, RunContext, softmax,
};
use proptest::prelude::*;

/// Cases of each property; under Miri each takes a second.
const CASES: u32 = if cfg!(miri) { 2 } else { 48 };

/// Values around `offset`, with padding channels that are poison.
fn feature([channels, height, width]: [usize; 3], offset: f32, seed: usize) -> Feature {
    let mut feature = Feature::zeros(channels, height, width);
    let stride = feature.pixel_stride();
    for (p, pixel) in feature.data_mut().chunks_exact_mut(stride).enumerate() {
        for (c, value) in pixel.iter_mut().enumerate() {
            let mixed = (p * 7919 + c * 104_729 + seed * 31 + c * c * 7) % 2003;
            *value = if c < channels { offset + mixed as f32 / 400.0 } else { f32::NAN };
        }
    }
    feature
}

/// `[pixels][channels]`.
fn pixels(feature: &Feature) -> Vec<Vec<f32>> {
    let pixels = feature.data().chunks_exact(feature.pixel_stride());
    pixels.map(|pixel| pixel[..feature.channels()].to_vec()).collect()
}

/// The same work on one to three threads, which must give the same bits.
fn on_threads(work: impl Fn(&RunContext<'_>) -> Feature) -> Vec<Vec<f32>> {
    let cancel = Cancel::new();
    let mut first: Option<Vec<Vec<f32>>> = None;
    for threads in 1..=3 {
        let pool = Pool::new(threads).unwrap();
        let found = pixels(&work(&RunContext { pool: &pool, cancel: &cancel }));
        let bits = |rows: &[Vec<f32>]| -> Vec<u32> {
            rows.iter().flatten().map(|v| v.to_bits()).collect()
        };
        if let Some(first) = &first {
            assert_eq!(bits(first), bits(&found), "{threads} threads");
        }
        first.get_or_insert(found);
    }
    first.unwrap()
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    [mean, values.map(|v| (v - mean).powi(2)).sum::<f64>() / count]
}

fn shape() -> impl Strategy<Value = [usize; 3]> {
    let side: usize = if cfg!(miri) { 4 } else { 30 };
    let channels = prop_oneof![1 => Just(1usize), 4 => 2usize..24, 2 => 24usize..90];
    (channels, 1..side, 1..side).prop_map(|(c, h, w)| [c, h, w])
}

fn lines(channels: usize) -> [Vec<f32>; 2] {
    let scale = (0..channels).map(|c| 0.5 + c as f32 / 8.0).collect();
    [scale, (0..channels).map(|c| 1.0 - c as f32 / 4.0).collect()]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn softmax_matches_the_definition(
        shape in shape(), offset in -1e4f32..1e4, gain in 0.01f32..30.0, seed in 0usize..999,
    ) {
        let mut input = feature(shape, 0.0, seed);
        input.data_mut().iter_mut().for_each(|v| *v = *v * gain + offset);
        let found = on_threads(|cx| {
            let mut target = input.clone();
            softmax(&mut target, cx).unwrap();
            target
        });
        for (found, from) in found.iter().zip(pixels(&input)) {
            let largest = from.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f64> =
                from.iter().map(|v| (f64::from(*v) - f64::from(largest)).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (f, w) in found.iter().zip(&weights) {
                prop_assert!((0.0..=1.0).contains(f));
                prop_assert!((f64::from(*f) - w / sum).abs() < 1e-6, "{f}, not {}", w / sum);
            }
        }
    }

    #[test]
    fn layer_norm_matches_the_definition(
        shape in shape(), offset in -20.0f32..20.0, seed in 0usize..999,
    ) {
        let [scale, shift] = lines(shape[0]);
        let norm = LayerNorm::new(&scale, &shift, 1e-5).unwrap();
        let input = feature(shape, offset, seed);
        let found = on_threads(|cx| {
            let mut output = Feature::zeros(3, 2, 1);
            norm.run(&input, &mut output, cx).unwrap();
            output
        });
        for (found, from) in found.iter().zip(pixels(&input)) {
            let [mean, variance] = moments(from.iter().map(|v| f64::from(*v)));
            let deviation = (variance + 1e-5).sqrt();
            for c in 0..shape[0] {
                let scale = f64::from(scale[c]);
                let wanted = (f64::from(from[c]) - mean) / deviation * scale + f64::from(shift[c]);
                // the mean is rounded to f32: with next to no variance that is what one sees
                let tolerance = 1e-5 + 3e-7 * (1.0 + mean.abs()) * scale / deviation;
                let error = (f64::from(found[c]) - wanted).abs();
                prop_assert!(error < tolerance, "{} for {wanted}", found[c]);
            }
        }
    }

    #[test]
    fn instance_norm_matches_the_definition(
        shape in shape(), offset in -20.0f32..20.0, seed in 0usize..999,
    ) {
        let [scale, shift] = lines(shape[0]);
        let norm = GroupNorm::instance(&scale, &shift, 1e-5).unwrap();
        let input = feature(shape, offset, seed);
        let found = on_threads(|cx| {
            let mut target = input.clone();
            norm.run(&mut target, Activation::None, cx).unwrap();
            target
        });
        let from = pixels(&input);
        for c in 0..shape[0] {
            let [mean, variance] = moments(from.iter().map(|pixel| f64::from(pixel[c])));
            let deviation = (variance + 1e-5).sqrt();
            for (found, from) in found.iter().zip(&from) {
                let scale = f64::from(scale[c]);
                let wanted = (f64::from(from[c]) - mean) / deviation * scale + f64::from(shift[c]);
                let tolerance = 1e-5 + 3e-7 * (1.0 + mean.abs()) * scale / deviation;
                let error = (f64::from(found[c]) - wanted).abs();
                prop_assert!(error < tolerance, "{} for {wanted}", found[c]);
            }
        }
    }
}

#[test]
fn softmax_holds_at_the_ends_of_the_range() {
    let rows: [&[f32]; 4] = [
        &[f32::NEG_INFINITY, 1.0, 1.0],
        &[f32::MAX, f32::MIN, f32::MIN],
        &[f32::NEG_INFINITY; 3],
        &[-1e30, -1e30, -2e30],
    ];
    let wanted = [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.0 / 3.0; 3], [0.5, 0.5, 0.0]];
    for (row, wanted) in rows.iter().zip(wanted) {
        let mut feature = Feature::zeros(3, 1, 1);
        feature.data_mut().fill(f32::NAN);
        feature.data_mut()[..3].copy_from_slice(row);
        let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
        softmax(&mut feature, &RunContext { pool: &pool, cancel: &cancel }).unwrap();
        for (f, w) in feature.data()[..3].iter().zip(wanted) {
            assert!((f - w).abs() < 2e-7, "{row:?} gave {:?}", &feature.data()[..3]);
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(LayerNorm::new(&[1.0; 3], &[0.0; 2], 1e-5).is_err());
    assert!(LayerNorm::new(&[], &[], 1e-5).is_err());
    assert!(GroupNorm::instance(&[], &[], 1e-5).is_err());
    assert!(GroupNorm::new(1, &[], &[], 1e-5).is_err());
    let norm = LayerNorm::new(&[1.0; 3], &[0.0; 3], 1e-5).unwrap();
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let result = norm.run(&Feature::zeros(4, 1, 1), &mut Feature::new(), &cx);
    assert!(matches!(result, Err(KernelError::Shape(_))));
    // nothing is not wrong
    norm.run(&Feature::zeros(3, 0, 5), &mut Feature::new(), &cx).unwrap();
    softmax(&mut Feature::new(), &cx).unwrap();
    cancel.cancel();
    let result = norm.run(&Feature::zeros(3, 1, 1), &mut Feature::new(), &cx);
    assert!(matches!(result, Err(KernelError::Cancelled(_))));
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
