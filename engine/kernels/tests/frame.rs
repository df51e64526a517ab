//! Layers of single frames against their formulas in f64, on every instruction set.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::frame::{BandAffine, BandConv, BandDense, BandStep, GroupedLinear};
use limpid_kernels::{Activation, ChannelVector, Feature};
use proptest::prelude::*;

/// Cases of each property; under Miri each takes a second.
const CASES: u32 = if cfg!(miri) { 2 } else { 64 };

/// Deterministic values in -1..1.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// One row of bands from `[bands][channels]`, the padding channels poisoned.
fn frame(values: &[f32], channels: usize) -> Feature {
    let mut frame = Feature::zeros(channels, 1, values.len() / channels);
    let pixel = frame.pixel_stride();
    for (to, from) in frame.data_mut().chunks_exact_mut(pixel).zip(values.chunks(channels)) {
        to.fill(f32::NAN);
        to[..channels].copy_from_slice(from);
    }
    frame
}

/// `[bands][channels]` without the padding.
fn values(frame: &Feature) -> Vec<f32> {
    let pixels = frame.data().chunks_exact(frame.pixel_stride());
    pixels.flat_map(|pixel| pixel[..frame.channels()].to_vec()).collect()
}

/// An output of another shape with poison in it.
fn stale() -> Feature {
    let mut frame = Feature::zeros(7, 3, 40);
    frame.data_mut().fill(f32::NAN);
    frame
}

type Function = fn(f64) -> f64;

const ACTIVATIONS: [(Activation<'static>, Function); 4] = [
    (Activation::None, |x| x),
    (Activation::Relu, |x| x.max(0.0)),
    (Activation::Tanh, f64::tanh),
    (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
];

fn close(found: &[f32], wanted: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), wanted.len());
    for (f, w) in found.iter().zip(wanted) {
        prop_assert!((f64::from(*f) - w).abs() < 2e-5, "{f}, not {w}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn groups_of_linear_layers_match_the_formula(
        groups in 1usize..6, inputs in 1usize..40, outputs in 1usize..90,
        activation in 0usize..4, has_bias in any::<bool>(), seed in 0usize..999,
    ) {
        let weight = noise(groups * inputs * outputs, seed);
        let bias = noise(groups * outputs, seed + 1);
        let (activation, function) = ACTIVATIONS[activation];
        let layer = GroupedLinear::new(
            [groups, inputs, outputs], &weight, has_bias.then_some(&bias[..]), activation,
        ).unwrap();
        prop_assert_eq!((layer.inputs(), layer.outputs()), (groups * inputs, groups * outputs));
        let x = noise(groups * inputs, seed + 2);
        let mut found = vec![f32::NAN; groups * outputs];
        layer.run(&x, &mut found).unwrap();
        let wanted: Vec<f64> = (0..groups * outputs).map(|at| {
            let (group, n) = (at / outputs, at % outputs);
            let sum: f64 = (0..inputs).map(|k| {
                let weight = weight[(group * inputs + k) * outputs + n];
                f64::from(weight) * f64::from(x[group * inputs + k])
            }).sum();
            function(sum + if has_bias { f64::from(bias[at]) } else { 0.0 })
        }).collect();
        close(&found, &wanted)?;
    }

    #[test]
    fn dense_layers_match_the_formula(
        inputs in 1usize..70, outputs in 1usize..70, bands in 1usize..30,
        activation in 0usize..4, has_bias in any::<bool>(), seed in 0usize..999,
    ) {
        let weight = noise(inputs * outputs, seed);
        let bias = noise(outputs, seed + 1);
        let (activation, function) = ACTIVATIONS[activation];
        let layer =
            BandDense::new([inputs, outputs], &weight, has_bias.then_some(&bias[..]), activation)
                .unwrap();
        let x = noise(inputs * bands, seed + 2);
        let mut output = stale();
        layer.run(&frame(&x, inputs), &mut output).unwrap();
        prop_assert_eq!(output.shape(), [outputs, 1, bands]);
        let wanted: Vec<f64> = (0..bands * outputs).map(|at| {
            let (band, n) = (at / outputs, at % outputs);
            let row = weight[n * inputs..][..inputs].iter().zip(&x[band * inputs..]);
            let sum: f64 = row.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            function(sum + if has_bias { f64::from(bias[n]) } else { 0.0 })
        }).collect();
        close(&values(&output), &wanted)?;
    }

    #[test]
    fn kernels_of_three_bands_match_the_formula(
        channels in 1usize..40, bands in 1usize..30, step in 0usize..3, seed in 0usize..999,
    ) {
        let step = [BandStep::Same, BandStep::Half, BandStep::Double][step];
        let weight = noise(channels * 3, seed);
        let x = noise(channels * bands, seed + 1);
        let mut output = stale();
        let layer = BandConv::new(channels, step, &weight).unwrap();
        layer.run(&frame(&x, channels), &mut output).unwrap();
        let outputs = match step {
            BandStep::Same => bands,
            BandStep::Half => bands.div_ceil(2),
            BandStep::Double => 2 * bands,
        };
        let mut wanted = vec![0.0; outputs * channels];
        // each input band reaches the outputs that the definition says, tap by tap
        for (band, tap, c) in (0..bands * 3 * channels)
            .map(|i| (i / channels / 3, i / channels % 3, i % channels))
        {
            let to = match step {
                BandStep::Same => (band + 1).checked_sub(tap),
                BandStep::Half => {
                    (band + 1).checked_sub(tap).filter(|to| to % 2 == 0).map(|to| to / 2)
                }
                BandStep::Double => (2 * band + tap).checked_sub(1),
            };
            if let Some(to) = to.filter(|to| *to < outputs) {
                let product = f64::from(x[band * channels + c]) * f64::from(weight[c * 3 + tap]);
                wanted[to * channels + c] += product;
            }
        }
        prop_assert_eq!(output.shape(), [channels, 1, outputs]);
        close(&values(&output), &wanted)?;
    }

    #[test]
    fn affine_layers_match_the_formula(
        channels in 1usize..40, bands in 1usize..20, activation in 0usize..4, seed in 0usize..999,
    ) {
        let (scale, offset) = (noise(channels, seed), noise(channels, seed + 1));
        let [x, y] = [2, 3].map(|more| noise(channels * bands, seed + more));
        let (activation, function) = ACTIVATIONS[activation];
        let layer = BandAffine::new(&scale, &offset, activation).unwrap();
        let mut output = stale();
        layer.run(&frame(&x, channels), &frame(&y, channels), &mut output).unwrap();
        let wanted: Vec<f64> = (0..channels * bands).map(|at| {
            let (scale, offset) = (scale[at % channels], offset[at % channels]);
            function(f64::from(scale) * f64::from(x[at]) + f64::from(offset)) + f64::from(y[at])
        }).collect();
        close(&values(&output), &wanted)?;
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let none = Activation::None;
    let linear = |shape, weights: usize, bias: Option<&[f32]>| {
        GroupedLinear::new(shape, &vec![0.5; weights], bias, none)
    };
    assert!(linear([2, 3, 4], 23, None).is_err());
    assert!(linear([2, 3, 4], 24, Some(&[0.0; 7])).is_err());
    assert!(linear([0, 3, 4], 0, None).is_err());
    assert!(linear([usize::MAX, usize::MAX, 4], 0, None).is_err());
    let layer = linear([2, 3, 4], 24, None).unwrap();
    assert!(layer.run(&[0.0; 5], &mut [0.0; 8]).is_err());
    assert!(layer.run(&[0.0; 6], &mut [0.0; 9]).is_err());

    let slopes = Box::leak(Box::new(ChannelVector::new(&[0.1; 4])));
    assert!(GroupedLinear::new([2, 3, 4], &[0.5; 24], None, Activation::PRelu(slopes)).is_err());

    assert!(BandDense::new([3, 4], &[0.5; 11], None, none).is_err());
    assert!(BandDense::new([3, 4], &[0.5; 12], Some(&[0.0; 3]), none).is_err());
    assert!(BandDense::new([0, 4], &[], None, none).is_err());
    let dense = BandDense::new([3, 4], &[0.5; 12], None, none).unwrap();
    let mut output = Feature::new();
    assert!(dense.run(&Feature::zeros(4, 1, 5), &mut output).is_err());
    dense.run(&Feature::zeros(3, 1, 0), &mut output).unwrap();

    assert!(BandConv::new(0, BandStep::Same, &[]).is_err());
    assert!(BandConv::new(4, BandStep::Same, &[0.5; 11]).is_err());
    let conv = BandConv::new(4, BandStep::Double, &[0.5; 12]).unwrap();
    assert!(conv.run(&Feature::zeros(3, 1, 5), &mut output).is_err());
    assert!(conv.run(&Feature::zeros(4, 2, 5), &mut output).is_err());
    assert!(conv.run(&Feature::zeros(4, 1, 0), &mut output).is_err());

    assert!(BandAffine::new(&[1.0; 3], &[0.0; 2], none).is_err());
    assert!(BandAffine::new(&[], &[], none).is_err());
    let affine = BandAffine::new(&[1.0; 3], &[0.0; 3], none).unwrap();
    let (input, other) = (Feature::zeros(3, 1, 5), Feature::zeros(3, 1, 6));
    assert!(affine.run(&input, &other, &mut output).is_err());
    assert!(affine.run(&Feature::zeros(2, 1, 5), &input, &mut output).is_err());
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
