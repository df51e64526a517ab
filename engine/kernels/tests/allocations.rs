//! Once its features and the workers' scratch have grown, a run allocates nothing.
#![allow(clippy::unwrap_used)] // a test program

#[path = "../../../tests/support/allocator.rs"]
mod allocator;

use std::sync::{Mutex, PoisonError};

use limpid_kernels::{
    Activation, Attention, AttentionInput, Cancel, Conv2d, ConvSpec, Epilogue, Feature, GroupNorm,
    Gru, LayerNorm, Mask, Pool, Quantization, QuantizedConv2d, QuantizedEpilogue, QuantizedFeature,
    QuantizedWeights, RunContext, pixel_shuffle, softmax,
};

use allocator::calls_on_all_threads;

#[test]
fn a_warm_run_allocates_nothing() {
    let layers: Vec<Conv2d> = [
        ConvSpec::same(3, 64, 3),
        ConvSpec::same(64, 64, 3),
        ConvSpec::depthwise(64, 3),
        ConvSpec::same(64, 48, 1),
        ConvSpec::same(48, 12, 3),
    ]
    .iter()
    .map(|spec| {
        let taps = spec.kernel[0] * spec.kernel[1];
        let weights = spec.out_channels * spec.in_channels / spec.groups * taps;
        Conv2d::new(spec, &vec![0.01; weights], None).unwrap()
    })
    .collect();
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    let mut features = vec![Feature::zeros(3, 61, 83)];
    features.resize(layers.len() + 1, Feature::new());
    let mut picture = Feature::new();
    let steps = Quantization::default();
    let spec = ConvSpec::same(64, 64, 3);
    let weights = QuantizedWeights { values: &[1; 64 * 64 * 9], scales: &[1.0; 64], bias: None };
    let quantized = QuantizedConv2d::new(&spec, &weights, steps, steps).unwrap();
    let [mut bytes, mut out] = [QuantizedFeature::new(), QuantizedFeature::new()];
    let mut floats = Feature::new();
    // inside the pool, as a whole network runs: entering it from outside may allocate
    let mut run = || {
        let cx = RunContext { pool: &pool, cancel: &cancel };
        for (i, layer) in layers.iter().enumerate() {
            let (done, rest) = features.split_at_mut(i + 1);
            let epilogue = Epilogue::activation(Activation::Silu);
            layer.run(&done[i], &mut rest[0], &epilogue, &cx).unwrap();
        }
        pixel_shuffle(&features[layers.len()], 2, &mut picture, &cx).unwrap();
        bytes.quantize(&features[1], steps, &cx).unwrap();
        quantized.run(&bytes, &mut out, &QuantizedEpilogue::residual(&bytes), &cx).unwrap();
        quantized.run_to_float(&out, &mut floats, &QuantizedEpilogue::none(), &cx).unwrap();
        out.dequantize(&mut floats, &cx).unwrap();
    };
    assert_quiet(&pool, &mut run);
}

#[test]
fn warm_tokens_and_recurrences_allocate_nothing() {
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    let attention = Attention::new(2, 20);
    let layer_norm = LayerNorm::new(&[1.0; 40], &[0.0; 40], 1e-5).unwrap();
    let group_norm = GroupNorm::new(4, &[1.0; 40], &[0.0; 40], 1e-5).unwrap();
    let weights = vec![0.1; 3 * 40 * 40];
    let gru = Gru::new([40, 40], [&weights, &weights], None).unwrap();
    let mut state = gru.state();
    let mut tokens = Feature::zeros(40, 9, 31);
    let [mut normed, mut packed, mut products, mut mixed] = [(); 4].map(|()| Feature::new());
    assert_quiet(&pool.clone(), &mut || {
        let cx = RunContext { pool: &pool, cancel: &cancel };
        layer_norm.run(&tokens, &mut normed, &cx).unwrap();
        let heads = (&normed).into();
        let input =
            AttentionInput { queries: heads, keys: heads, values: heads, mask: Mask::Causal };
        attention.run(&input, &mut packed, &mut mixed, &cx).unwrap();
        gru.run(&mixed, &mut state, &mut products, &mut normed, &cx).unwrap();
        gru.step(&[0.5; 40], &mut state).unwrap();
        group_norm.run(&mut normed, Activation::Gelu, &cx).unwrap();
        softmax(&mut normed, &cx).unwrap();
        std::mem::swap(&mut tokens, &mut normed);
    });
}

/// One test counts at a time.
static COUNTING: Mutex<()> = Mutex::new(());

fn assert_quiet(pool: &Pool, run: &mut (dyn FnMut() + Send)) {
    let _guard = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    // a worker that comes late grows its scratch then; a run that allocates by itself always does
    let quiet = pool.install(|| {
        (0..50).any(|_| {
            let before = calls_on_all_threads();
            for _ in 0..5 {
                run();
            }
            calls_on_all_threads() == before
        })
    });
    assert!(quiet, "every run allocated");
}
