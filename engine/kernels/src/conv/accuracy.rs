//! How coarsely Winograd rounds with given weights, tried out when they are packed.

use super::ConvSpec;
use super::winograd::{transform_input, transform_kernel, transform_output};
use crate::simd::Simd;
use crate::simd::portable::Portable;

/// What Winograd may lose, relative to the largest output: half of what is promised, because a
/// picture has more outputs than are tried here.
const BOUND: f64 = 2.5e-5;

/// Whether tiles of `tile` x `tile` outputs round finely enough with these weights.
pub(super) fn is_enough(spec: &ConvSpec, weight: &[f32], tile: usize) -> bool {
    probed_error(spec, weight, tile) <= BOUND
}

/// The error of Winograd's arithmetic with these weights, relative to the largest output, on a lively
/// patch (values spread evenly over 0..1, as activations are) and on a calm one (almost the same value
/// everywhere, as a sky is: where all kernels are edge filters, little but rounding is left of it).
fn probed_error(spec: &ConvSpec, weight: &[f32], tile: usize) -> f64 {
    let lively = error_on(spec, weight, tile, |noise| noise);
    lively.max(error_on(spec, weight, tile, |noise| 0.75 + noise / 64.0))
}

/// At most 8 output channels spread evenly, f32 against f64; the same on every processor.
fn error_on(spec: &ConvSpec, weight: &[f32], tile: usize, value: impl Fn(f32) -> f32) -> f64 {
    const CHANNELS: usize = 8;
    let (ins, patch) = (spec.in_channels, tile + 2);
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        value((state >> 8) as f32 / (1 << 24) as f32)
    };
    let inputs: Vec<Vec<f32>> =
        (0..ins).map(|_| (0..patch * patch).map(|_| next()).collect()).collect();
    let count = CHANNELS.min(spec.out_channels);
    let (mut largest, mut worst) = (0.0f64, 0.0f64);
    for channel in (0..count).map(|i| i * spec.out_channels / count) {
        let kernels = weight[channel * ins * 9..].chunks_exact(9).take(ins);
        let mut wanted = vec![0.0f64; tile * tile];
        let mut sums = vec![0.0f32; patch * patch];
        for (kernel, input) in kernels.zip(&inputs) {
            for (i, wanted) in wanted.iter_mut().enumerate() {
                for (t, w) in kernel.iter().enumerate() {
                    let at = (i / tile + t / 3) * patch + i % tile + t % 3;
                    *wanted += f64::from(*w) * f64::from(input[at]);
                }
            }
            let points = transform_kernel(kernel, patch);
            for ((sum, x), w) in sums.iter_mut().zip(probe_input(input, patch)).zip(points) {
                *sum += x * w;
            }
        }
        for (wanted, found) in wanted.iter().zip(probe_output(&sums, tile)) {
            largest = largest.max(wanted.abs());
            worst = worst.max((f64::from(found) - wanted).abs());
        }
    }
    if largest > 0.0 { worst / largest } else { 0.0 }
}

/// The input transform of a patch, on numbers.
fn probe_input(input: &[f32], patch: usize) -> Vec<f32> {
    both_ways(input, patch, |line| match patch {
        4 => one_by_one(line, transform_input::<Portable, 4>).to_vec(),
        _ => one_by_one(line, transform_input::<Portable, 6>).to_vec(),
    })
}

/// The output transform of a tile, on numbers.
fn probe_output(sums: &[f32], tile: usize) -> Vec<f32> {
    both_ways(sums, tile + 2, |line| match tile {
        2 => one_by_one(line, transform_output::<Portable, 2, 4>).to_vec(),
        _ => one_by_one(line, transform_output::<Portable, 4, 6>).to_vec(),
    })
}

/// A transform of the columns and then the rows of a square.
fn both_ways(square: &[f32], side: usize, transform: impl Fn(&[f32]) -> Vec<f32>) -> Vec<f32> {
    let columns: Vec<Vec<f32>> = (0..side)
        .map(|x| transform(&(0..side).map(|y| square[y * side + x]).collect::<Vec<_>>()))
        .collect();
    let heights = 0..columns[0].len();
    heights
        .flat_map(|y| transform(&columns.iter().map(|column| column[y]).collect::<Vec<_>>()))
        .collect()
}

/// A transform of vectors, on numbers.
fn one_by_one<const N: usize, const M: usize>(
    line: &[f32],
    transform: impl Fn([Portable; N]) -> [Portable; M],
) -> [f32; M] {
    transform(std::array::from_fn(|i| Portable::splat(line[i]))).map(|v| {
        let mut lanes = [0.0; Portable::LANES];
        // SAFETY: the array has room for a vector.
        unsafe { v.store(lanes.as_mut_ptr()) };
        lanes[0]
    })
}

#[cfg(test)]
mod tests {
    use super::super::Algorithm;
    use super::*;

    #[test]
    fn the_smaller_tile_rounds_less_and_cancelling_weights_are_noticed() {
        let spec = ConvSpec::same(16, 4, 3);
        let even: Vec<f32> = (0..16 * 4 * 9).map(|i| (i * 7919 % 1000) as f32 - 500.0).collect();
        let (large, small) = (probed_error(&spec, &even, 4), probed_error(&spec, &even, 2));
        assert!(small < large && large < 5e-6, "{small:e} {large:e}");
        // edge filters: on a calm picture little but rounding is left
        let edges: Vec<f32> =
            (0..16 * 4 * 9).map(|i| if i % 9 == 4 { 8.0 } else { -1.0 }).collect();
        assert!(!is_enough(&spec, &edges, 4));
        assert_eq!(spec.algorithm(&edges), Algorithm::WinogradSmall);
        assert_eq!(spec.algorithm(&even), Algorithm::Winograd);
    }
}
