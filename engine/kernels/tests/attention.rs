//! Attention against its definition in f64, on random shapes and every instruction set.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::{
    Attention, AttentionInput, Cancel, Feature, Heads, KernelError, Mask, Pool, RunContext,
};
use proptest::prelude::*;

/// Cases of each property; under Miri each takes a second.
const CASES: u32 = if cfg!(miri) { 1 } else { 48 };

/// Deterministic values in -1..1.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    let mix = |i: usize| (i * 7919 + seed * 104_729 + i * i % 977) % 2003;
    (0..len).map(|i| mix(i) as f32 / 1001.5 - 1.0).collect()
}

/// Tokens in an `[h, w]` picture, with padding channels that are poison.
fn tokens(channels: usize, [height, width]: [usize; 2], gain: f32, seed: usize) -> Feature {
    let mut feature = Feature::zeros(channels, height, width);
    let (stride, values) = (feature.pixel_stride(), noise(channels * height * width, seed));
    for (pixel, from) in feature.data_mut().chunks_exact_mut(stride).zip(values.chunks(channels)) {
        pixel[channels..].fill(f32::NAN);
        pixel.iter_mut().zip(from).for_each(|(to, from)| *to = gain * from);
    }
    feature
}

fn value(heads: Heads<'_>, token: usize, channel: usize) -> f64 {
    let stride = heads.tokens.pixel_stride();
    heads.tokens.data()[token * stride + heads.first_channel + channel].into()
}

/// `[n_q, heads * head_dim]`.
fn reference(attention: &Attention, input: &AttentionInput<'_>) -> Vec<f64> {
    let count = |heads: Heads<'_>| heads.tokens.height() * heads.tokens.width();
    let (queries, keys, dim) = (count(input.queries), count(input.keys), attention.head_dim);
    let mut out = Vec::new();
    for q in 0..queries {
        for head in 0..attention.heads {
            let channels = head * dim..(head + 1) * dim;
            let score = |k: usize| {
                let product = |c| value(input.queries, q, c) * value(input.keys, k, c);
                let score = f64::from(attention.scale) * channels.clone().map(product).sum::<f64>();
                match input.mask {
                    Mask::None => score,
                    Mask::Causal if k > q => f64::NEG_INFINITY,
                    Mask::Causal => score,
                    Mask::Additive(mask) => {
                        score + f64::from(mask.data()[q * mask.pixel_stride() + k])
                    }
                }
            };
            let scores: Vec<f64> = (0..keys).map(score).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            out.extend(channels.clone().map(|c| {
                let weighted =
                    weights.iter().enumerate().map(|(k, w)| w * value(input.values, k, c));
                weighted.sum::<f64>() / sum
            }));
        }
    }
    out
}

/// Runs on one to three threads with memory left over from other shapes, and demands the same bits.
fn run(attention: &Attention, input: &AttentionInput<'_>) -> Vec<f32> {
    let cancel = Cancel::new();
    let results: Vec<Vec<f32>> = (1..=3)
        .map(|threads| {
            let pool = Pool::new(threads).unwrap();
            let cx = RunContext { pool: &pool, cancel: &cancel };
            let [mut between, mut output] = [(); 2].map(|()| Feature::zeros(7, 9, 11));
            between.data_mut().fill(f32::NAN);
            output.data_mut().fill(f32::NAN);
            attention.run(input, &mut between, &mut output, &cx).unwrap();
            let queries = input.queries.tokens;
            let channels = attention.heads * attention.head_dim;
            assert_eq!(output.shape(), [channels, queries.height(), queries.width()]);
            let pixels = output.data().chunks_exact(output.pixel_stride());
            pixels.flat_map(|pixel| pixel[..channels].to_vec()).collect()
        })
        .collect();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&results[0]), bits(&results[1]));
    assert_eq!(bits(&results[0]), bits(&results[2]));
    results[0].clone()
}

fn check(attention: &Attention, input: &AttentionInput<'_>, tolerance: f64) {
    let wanted = reference(attention, input);
    let found = run(attention, input);
    assert_eq!(found.len(), wanted.len());
    for (i, (f, w)) in found.iter().zip(&wanted).enumerate() {
        let error = (f64::from(*f) - w).abs();
        assert!(error <= tolerance, "{attention:?}, value {i}: {f}, not {w}");
    }
}

fn side() -> impl Strategy<Value = usize> {
    let largest: usize = if cfg!(miri) { 4 } else { 20 };
    prop_oneof![1 => Just(1usize), 4 => 2..largest]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn attention_matches_the_definition(
        heads in 1usize..if cfg!(miri) { 2 } else { 4 },
        dim in prop_oneof![3 => 1usize..if cfg!(miri) { 10 } else { 24 }, 1 => Just(40)], q in [side(), side()],
        k in [side(), side()], masked in 0usize..3, first in [0usize..5, 0usize..5, 0usize..5],
        seed in 0usize..1000,
    ) {
        let channels = heads * dim;
        let queries = tokens(first[0] + channels, q, 2.0, seed);
        let keys = tokens(first[1] + channels + 3, k, 2.0, seed + 1);
        let values = tokens(first[2] + channels, k, 1.0, seed + 2);
        let mut additive = tokens(k[0] * k[1], q, 3.0, seed + 3);
        // no first key is hidden, so that each query sees one
        let stride = additive.pixel_stride();
        for (i, value) in additive.data_mut().iter_mut().enumerate() {
            if *value > 2.0 && i % stride > 0 {
                *value = f32::NEG_INFINITY;
            }
        }
        let input = AttentionInput {
            queries: Heads { tokens: &queries, first_channel: first[0] },
            keys: Heads { tokens: &keys, first_channel: first[1] },
            values: Heads { tokens: &values, first_channel: first[2] },
            mask: [Mask::None, Mask::Causal, Mask::Additive(&additive)][masked],
        };
        check(&Attention::new(heads, dim), &input, 3e-6);
    }
}

#[test]
fn the_shapes_of_diffusion_networks_hold() {
    let shapes = [([5, 40], [15, 20], 2, 40), ([2, 33], [7, 11], 1, 64), ([1, 3], [1, 150], 2, 80)];
    let small = [([1, 3], [1, 140], 1, 9)];
    let shapes: &[_] = if cfg!(miri) { &small } else { &shapes };
    for &(q, k, heads, dim) in shapes {
        let queries = tokens(heads * dim, q, 1.0, 1);
        let (keys, values) = (tokens(heads * dim, k, 1.0, 2), tokens(heads * dim, k, 1.0, 3));
        for mask in [Mask::None, Mask::Causal] {
            let input = AttentionInput {
                queries: (&queries).into(),
                keys: (&keys).into(),
                values: (&values).into(),
                mask,
            };
            check(&Attention::new(heads, dim), &input, 2e-6);
        }
    }
}

/// Scores far beyond what `exp` can take, rising and falling from tile to tile.
#[test]
fn large_scores_neither_overflow_nor_lose_the_result() {
    let (dim, count) = (8, if cfg!(miri) { 140 } else { 500 });
    let queries = tokens(dim, [1, 5], 30.0, 1);
    let mut keys = tokens(dim, [1, count], 30.0, 2);
    for (i, pixel) in keys.data_mut().chunks_exact_mut(16).enumerate() {
        pixel[..dim].iter_mut().for_each(|v| *v *= (i % 200) as f32 / 100.0);
    }
    let values = tokens(dim, [1, count], 1.0, 3);
    let input = AttentionInput {
        queries: (&queries).into(),
        keys: (&keys).into(),
        values: (&values).into(),
        mask: Mask::None,
    };
    // scores of thousands carry rounding errors of 1e-3, and weights err by as much
    let attention = Attention::new(1, dim);
    let (found, wanted) = (run(&attention, &input), reference(&attention, &input));
    for (f, w) in found.iter().zip(wanted) {
        assert!((f64::from(*f) - w).abs() < 5e-3, "{f}, not {w}");
    }
}

#[test]
fn a_query_that_sees_nothing_gets_the_mean_of_the_values() {
    let (queries, keys) = (tokens(4, [1, 3], 1.0, 1), tokens(4, [1, 9], 1.0, 2));
    let mut mask = Feature::zeros(9, 1, 3);
    mask.data_mut()[16..32].fill(f32::NEG_INFINITY);
    let input = AttentionInput {
        queries: (&queries).into(),
        keys: (&keys).into(),
        values: (&keys).into(),
        mask: Mask::Additive(&mask),
    };
    let found = run(&Attention::new(1, 4), &input);
    for c in 0..4 {
        let mean = (0..9).map(|k| value(input.values, k, c)).sum::<f64>() / 9.0;
        assert!((f64::from(found[4 + c]) - mean).abs() < 1e-6);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (q, kv, short) =
        (tokens(12, [2, 3], 1.0, 1), tokens(12, [2, 4], 1.0, 2), tokens(12, [1, 4], 1.0, 3));
    let (empty, mask) = (Feature::zeros(12, 0, 3), Feature::zeros(8, 3, 3));
    let good = AttentionInput {
        queries: (&q).into(),
        keys: (&kv).into(),
        values: (&kv).into(),
        mask: Mask::None,
    };
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let attempt = |heads, dim, input: AttentionInput<'_>| {
        Attention::new(heads, dim).run(&input, &mut Feature::new(), &mut Feature::new(), &cx)
    };
    assert!(attempt(3, 4, good).is_ok());
    let shifted = Heads { tokens: &kv, first_channel: 1 };
    let far = Heads { tokens: &kv, first_channel: usize::MAX };
    let cases = [
        (4, 4, good),
        (0, 4, good),
        (3, 0, good),
        (usize::MAX, 2, good),
        (3, 4, AttentionInput { keys: shifted, ..good }),
        (3, 4, AttentionInput { queries: far, ..good }),
        (3, 4, AttentionInput { values: (&short).into(), ..good }),
        (3, 4, AttentionInput { keys: (&empty).into(), values: (&empty).into(), ..good }),
        (3, 4, AttentionInput { mask: Mask::Additive(&mask), ..good }),
    ];
    for (i, (heads, dim, input)) in cases.into_iter().enumerate() {
        let result = attempt(heads, dim, input);
        assert!(matches!(result, Err(KernelError::Shape(_))), "case {i}");
    }
    // no queries is no work
    assert!(attempt(3, 4, AttentionInput { queries: (&empty).into(), ..good }).is_ok());
    cancel.cancel();
    assert!(matches!(attempt(3, 4, good), Err(KernelError::Cancelled(_))));
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
