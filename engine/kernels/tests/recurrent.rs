//! Recurrent layers against their formulas in f64 and PyTorch's values, on every instruction set.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::{Cancel, Feature, Gru, KernelError, Lstm, Pool, RecurrentState, RunContext};
use proptest::prelude::*;

/// Cases of each property; under Miri each takes a second.
const CASES: u32 = if cfg!(miri) { 1 } else { 32 };

/// Deterministic values in -gain..gain.
fn noise(len: usize, gain: f32, seed: usize) -> Vec<f32> {
    (0..len).map(|i| gain * (((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0)).collect()
}

struct Weights {
    inputs: usize,
    units: usize,
    weights: [Vec<f32>; 2],
    biases: [Vec<f32>; 2],
}

impl Weights {
    fn noise(gates: usize, inputs: usize, units: usize, seed: usize) -> Self {
        // as PyTorch starts them
        let gain = 1.0 / (units as f32).sqrt();
        let make = |len, more| noise(gates * units * len, gain, seed + more);
        let (weights, biases) = ([make(inputs, 1), make(units, 2)], [make(1, 3), make(1, 4)]);
        Self { inputs, units, weights, biases }
    }

    /// `W x + b` for both, `[gates * units]` each.
    fn products(&self, x: &[f64], h: &[f64]) -> [Vec<f64>; 2] {
        let product = |weight: &[f32], bias: &[f32], x: &[f64]| -> Vec<f64> {
            let rows = weight.chunks_exact(x.len()).zip(bias);
            rows.map(|(row, b)| {
                f64::from(*b) + row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
            })
            .collect()
        };
        [
            product(&self.weights[0], &self.biases[0], x),
            product(&self.weights[1], &self.biases[1], h),
        ]
    }

    fn gru(&self, x: &[f64], h: &mut [f64]) {
        let [a, b] = self.products(x, h);
        let n = self.units;
        for u in 0..n {
            let reset = sigmoid(a[u] + b[u]);
            let keep = sigmoid(a[n + u] + b[n + u]);
            let candidate = (a[2 * n + u] + reset * b[2 * n + u]).tanh();
            h[u] = (1.0 - keep) * candidate + keep * h[u];
        }
    }

    fn lstm(&self, x: &[f64], h: &mut [f64], c: &mut [f64]) {
        let [a, b] = self.products(x, h);
        let n = self.units;
        for u in 0..n {
            let sum = |gate: usize| a[gate * n + u] + b[gate * n + u];
            c[u] = sigmoid(sum(1)) * c[u] + sigmoid(sum(0)) * sum(2).tanh();
            h[u] = sigmoid(sum(3)) * c[u].tanh();
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `[inputs, 1, steps]`, the padding channels poisoned.
fn sequence(values: &[f32], inputs: usize) -> Feature {
    let mut feature = Feature::zeros(inputs, 1, values.len() / inputs);
    let stride = feature.pixel_stride();
    for (pixel, from) in feature.data_mut().chunks_exact_mut(stride).zip(values.chunks(inputs)) {
        pixel[inputs..].fill(f32::NAN);
        pixel[..inputs].copy_from_slice(from);
    }
    feature
}

/// Either layer behind one face.
enum Layer {
    Gru(Gru),
    Lstm(Lstm),
}

impl Layer {
    fn new(is_gru: bool, w: &Weights) -> Self {
        let size = [w.inputs, w.units];
        let (weights, biases) =
            ([&*w.weights[0], &*w.weights[1]], Some([&*w.biases[0], &*w.biases[1]]));
        if is_gru {
            Self::Gru(Gru::new(size, weights, biases).unwrap())
        } else {
            Self::Lstm(Lstm::new(size, weights, biases).unwrap())
        }
    }

    fn state(&self) -> RecurrentState {
        match self {
            Self::Gru(layer) => layer.state(),
            Self::Lstm(layer) => layer.state(),
        }
    }

    fn step(&self, x: &[f32], state: &mut RecurrentState) {
        match self {
            Self::Gru(layer) => layer.step(x, state).unwrap(),
            Self::Lstm(layer) => layer.step(x, state).unwrap(),
        }
    }

    /// The outputs of all steps, on one to three threads with the same bits.
    fn run(&self, input: &Feature, state: &mut RecurrentState) -> Vec<f32> {
        let (cancel, start) = (Cancel::new(), state.clone());
        let results: Vec<Vec<f32>> = (1..=3)
            .map(|threads| {
                let pool = Pool::new(threads).unwrap();
                let cx = RunContext { pool: &pool, cancel: &cancel };
                let [mut between, mut output] = [(); 2].map(|()| Feature::zeros(5, 3, 3));
                between.data_mut().fill(f32::NAN);
                *state = start.clone();
                match self {
                    Self::Gru(layer) => layer.run(input, state, &mut between, &mut output, &cx),
                    Self::Lstm(layer) => layer.run(input, state, &mut between, &mut output, &cx),
                }
                .unwrap();
                let pixels = output.data().chunks_exact(output.pixel_stride());
                pixels.flat_map(|pixel| pixel[..output.channels()].to_vec()).collect()
            })
            .collect();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&results[0]), bits(&results[1]));
        assert_eq!(bits(&results[0]), bits(&results[2]));
        results[0].clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn steps_and_sequences_match_the_formulas(
        inputs in 1usize..if cfg!(miri) { 6 } else { 40 }, units in 1usize..if cfg!(miri) { 6 } else { 50 },
        steps in 1usize..if cfg!(miri) { 4 } else { 30 }, is_gru in any::<bool>(),
        seed in 0usize..999,
    ) {
        let weights = Weights::noise(if is_gru { 3 } else { 4 }, inputs, units, seed);
        let layer = Layer::new(is_gru, &weights);
        let values = noise(inputs * steps, 2.0, seed + 5);
        let mut state = layer.state();
        let sequence = layer.run(&sequence(&values, inputs), &mut state);
        let mut stepped = layer.state();
        let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
        for (x, outputs) in values.chunks(inputs).zip(sequence.chunks(units)) {
            layer.step(x, &mut stepped);
            let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
            if is_gru { weights.gru(&x, &mut h) } else { weights.lstm(&x, &mut h, &mut c) }
            for u in 0..units {
                let [whole, single] = [outputs[u], stepped.hidden()[u]].map(f64::from);
                prop_assert!((whole - h[u]).abs() < 3e-6, "{whole}, not {}", h[u]);
                prop_assert!((single - h[u]).abs() < 3e-6, "{single}, not {}", h[u]);
            }
        }
        prop_assert_eq!(state.hidden(), &sequence[sequence.len() - units..]);
        for (found, wanted) in state.cell().iter().zip(&c) {
            prop_assert!((f64::from(*found) - wanted).abs() < 5e-6);
        }
        prop_assert_eq!(state.cell().is_empty(), is_gru);
        state.reset();
        prop_assert!(state.hidden().iter().chain(state.cell()).all(|v| *v == 0.0));
    }
}

#[test]
fn both_give_the_values_of_pytorch() {
    let wanted: [&[f64]; 2] = [
        &[-0.1204403, 0.0711578, -0.2146521, 0.134469, -0.2922238, 0.1885094, 0.0296223, 0.6457239],
        &[
            -0.0471008, 0.1309718, -0.0801703, 0.1913356, -0.1066167, 0.2163213, -0.0739865,
            0.1918825,
        ],
    ];
    let values = |len: usize, seed: usize| -> Vec<f32> {
        (0..len).map(|i| (((i * 7 + seed * 5) % 19) as f32 - 9.0) / 10.0).collect()
    };
    for (is_gru, gates, wanted) in [(true, 3, wanted[0]), (false, 4, wanted[1])] {
        let weights = Weights {
            inputs: 3,
            units: 2,
            weights: [values(gates * 2 * 3, 1), values(gates * 2 * 2, 2)],
            biases: [values(gates * 2, 3), values(gates * 2, 4)],
        };
        let layer = Layer::new(is_gru, &weights);
        let found = layer.run(&sequence(&values(12, 5), 3), &mut layer.state());
        for (f, w) in found.iter().zip(wanted) {
            assert!((f64::from(*f) - w).abs() < 1e-6, "{found:?}");
        }
    }
}

/// Longer than what runs between two looks at the cancel flag, and cut where it pleases.
#[test]
fn a_sequence_in_parts_is_the_whole_sequence() {
    let (inputs, units, steps) = (9, 20, if cfg!(miri) { 6 } else { 700 });
    let layer = Layer::new(true, &Weights::noise(3, inputs, units, 7));
    let values = noise(inputs * steps, 1.0, 8);
    let whole = layer.run(&sequence(&values, inputs), &mut layer.state());
    let mut state = layer.state();
    let mut parts = Vec::new();
    for part in values.chunks(inputs * (steps / 3)) {
        parts.extend(layer.run(&sequence(part, inputs), &mut state));
    }
    assert_eq!(whole.len(), parts.len());
    assert!(whole.iter().zip(&parts).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let w = Weights::noise(3, 4, 5, 1);
    let weights = [&*w.weights[0], &*w.weights[1]];
    let short = [&w.weights[0][1..], &*w.weights[1]];
    assert!(Gru::new([4, 5], short, None).is_err());
    assert!(Gru::new([4, 6], weights, None).is_err());
    assert!(Gru::new([0, 5], [&[], &*w.weights[1]], None).is_err());
    assert!(Gru::new([usize::MAX, usize::MAX], weights, None).is_err());
    assert!(Gru::new([4, 5], weights, Some([&w.biases[0][1..], &*w.biases[1]])).is_err());
    assert!(Lstm::new([4, 5], weights, None).is_err());
    let gru = Gru::new([4, 5], weights, None).unwrap();
    let other = Weights::noise(4, 4, 5, 1);
    let lstm = Lstm::new([4, 5], [&*other.weights[0], &*other.weights[1]], None).unwrap();
    assert!(gru.step(&[0.0; 3], &mut gru.state()).is_err());
    assert!(gru.step(&[0.0; 4], &mut lstm.state()).is_err());
    assert!(lstm.step(&[0.0; 4], &mut gru.state()).is_err());
    let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
    let cx = RunContext { pool: &pool, cancel: &cancel };
    let (mut between, mut output) = (Feature::new(), Feature::new());
    let mut attempt =
        |input: &Feature| gru.run(input, &mut gru.state(), &mut between, &mut output, &cx);
    assert!(matches!(attempt(&Feature::zeros(3, 1, 9)), Err(KernelError::Shape(_))));
    attempt(&Feature::zeros(4, 1, 0)).unwrap();
    cancel.cancel();
    assert!(matches!(attempt(&Feature::zeros(4, 1, 9)), Err(KernelError::Cancelled(_))));
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
