//! Operators that change a picture's size, against their definitions and PyTorch's values.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

mod every_isa;

use limpid_kernels::{
    Alignment, Cancel, ConvTranspose2d, Feature, Filter, KernelError, Padding, Planes, Pool,
    Pooling, Resize, RunContext, TransposedSpec, Windows, pool,
};
use proptest::prelude::*;

/// Deterministic values in -1..1.
fn noise(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn planes(channels: usize, height: usize, width: usize, seed: usize) -> Planes {
    Planes::from_vec(channels, height, width, noise(channels * height * width, seed)).unwrap()
}

fn with_context<R>(work: impl FnOnce(&RunContext<'_>) -> R) -> R {
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    work(&RunContext { pool: &pool, cancel: &cancel })
}

fn resized(input: &Planes, filter: Filter, alignment: Alignment, to: [usize; 2]) -> Planes {
    let resize = Resize::new(filter, alignment, [input.height(), input.width()], to).unwrap();
    let mut output = Feature::new();
    with_context(|cx| resize.run(&Feature::from_planes(input), &mut output, cx).unwrap());
    output.to_planes()
}

fn assert_close(found: &[f32], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (i, (f, w)) in found.iter().zip(wanted).enumerate() {
        assert!((f64::from(*f) - w).abs() <= tolerance, "value {i} is {f}, not {w}");
    }
}

#[test]
fn resampling_gives_the_values_of_pytorch() {
    use Alignment::{AlignCorners, HalfPixel};
    use Filter::{Bicubic, Bilinear};
    let row = Planes::from_vec(1, 1, 5, vec![1.0, 2.0, 4.0, 8.0, -3.0]).unwrap();
    let cases: [(Filter, Alignment, &[f64]); 8] = [
        (Bilinear, HalfPixel, &[1.0, 1.4375, 2.125, 3.375, 5.25, 7.75, 1.8125, -3.0]),
        (Bilinear, HalfPixel, &[1.333333, 4.0, 0.666667]),
        (
            Bilinear,
            AlignCorners,
            &[1.0, 1.571429, 2.285714, 3.428571, 5.142857, 7.428571, 3.285714, -3.0],
        ),
        (Bilinear, AlignCorners, &[1.0, 4.0, -3.0]),
        (
            Bicubic,
            HalfPixel,
            &[0.907166, 1.268311, 2.129578, 3.022522, 5.944885, 8.259949, 2.050903, -4.021179],
        ),
        (Bicubic, HalfPixel, &[1.203704, 4.0, 0.685185]),
        (
            Bicubic,
            AlignCorners,
            &[1.0, 1.370262, 2.268222, 3.078717, 5.755102, 8.408163, 3.801749, -3.0],
        ),
        (Bicubic, AlignCorners, &[1.0, 4.0, -3.0]),
    ];
    for (filter, alignment, wanted) in cases {
        let found = resized(&row, filter, alignment, [1, wanted.len()]);
        assert_close(found.data(), wanted, 2e-6);
        // the same along the other axis
        let column = Planes::from_vec(1, 5, 1, row.data().to_vec()).unwrap();
        let found = resized(&column, filter, alignment, [wanted.len(), 1]);
        assert_close(found.data(), wanted, 2e-6);
    }
}

#[test]
fn a_transposed_convolution_gives_the_values_of_pytorch() {
    let spec = TransposedSpec {
        in_channels: 1,
        out_channels: 2,
        kernel: 3,
        stride: 2,
        padding: 1,
        output_padding: 1,
    };
    let weight: Vec<f32> = (1..19).map(|i| i as f32 * 0.1).collect();
    let conv = ConvTranspose2d::new(&spec, &weight, Some(&[0.5, -1.0])).unwrap();
    let input = Planes::from_vec(1, 2, 2, vec![1.0, 2.0, 3.0, -4.0]).unwrap();
    let (mut between, mut output) = (Feature::new(), Feature::new());
    with_context(|cx| {
        conv.run(&Feature::from_planes(&input), &mut between, &mut output, cx).unwrap();
    });
    let wanted: [f64; 32] = [
        1.0, 1.9, 1.5, 1.7, 1.9, 3.3, 1.3, 1.1, 2.0, 0.7, -1.5, -1.9, 2.9, 0.4, -2.7, -3.1, 0.4,
        3.1, 1.8, 2.0, 4.0, 3.6, -2.0, -2.2, 3.2, -1.7, -6.6, -7.0, 4.1, -2.0, -7.8, -8.2,
    ];
    assert_close(output.to_planes().data(), &wanted, 2e-6);
}

fn side() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1usize), 4 => 2usize..12]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn resampling_keeps_constants_and_sizes_and_is_the_identity_at_the_same_size(
        channels in 1usize..20, height in side(), width in side(), to in [1usize..30, 1usize..30],
        filter in prop::sample::select(vec![Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3]),
        corners in any::<bool>(),
    ) {
        let alignment = if corners { Alignment::AlignCorners } else { Alignment::HalfPixel };
        let input = planes(channels, height, width, 1);
        let same = resized(&input, filter, alignment, [height, width]);
        let wanted: Vec<f64> = input.data().iter().map(|v| f64::from(*v)).collect();
        assert_close(same.data(), &wanted, 1e-6);
        let flat = Planes::from_vec(1, height, width, vec![0.7; height * width]).unwrap();
        let found = resized(&flat, filter, alignment, to);
        assert_close(found.data(), &vec![0.7f32.into(); to[0] * to[1]], 1e-6);
    }

    #[test]
    fn transposed_matches_the_definition(
        ins in 1usize..20, outs in 1usize..20, kernel in 1usize..6, stride in 1usize..4,
        padding in 0usize..3, output_padding in 0usize..3, height in side(), width in side(),
    ) {
        let spec = TransposedSpec {
            in_channels: ins, out_channels: outs, kernel, stride, padding, output_padding,
        };
        prop_assume!(padding < kernel && output_padding < stride);
        let weight = noise(ins * outs * kernel * kernel, 3);
        let bias = noise(outs, 4);
        let conv = ConvTranspose2d::new(&spec, &weight, Some(&bias)).unwrap();
        let Ok((to_height, to_width)) = conv.output_size(height, width) else { return Ok(()) };
        let input = planes(ins, height, width, 5);
        let (mut between, mut output) = (Feature::new(), Feature::new());
        with_context(|cx| {
            conv.run(&Feature::from_planes(&input), &mut between, &mut output, cx).unwrap();
        });
        let mut wanted: Vec<f64> = (0..outs * to_height * to_width)
            .map(|i| f64::from(bias[i / (to_height * to_width)]))
            .collect();
        for i in 0..ins {
            for o in 0..outs {
                for (y, x) in (0..height * width).map(|p| (p / width, p % width)) {
                    for (ky, kx) in (0..kernel * kernel).map(|k| (k / kernel, k % kernel)) {
                        let to_y = (y * stride + ky).wrapping_sub(padding);
                        let to_x = (x * stride + kx).wrapping_sub(padding);
                        if to_y < to_height && to_x < to_width {
                            let w = weight[((i * outs + o) * kernel + ky) * kernel + kx];
                            let v = f64::from(input.plane(i)[y * width + x]);
                            wanted[(o * to_height + to_y) * to_width + to_x] += f64::from(w) * v;
                        }
                    }
                }
            }
        }
        // may run as Winograd: its bound, of values up to the number of terms
        assert_close(output.to_planes().data(), &wanted, 5e-5 * (1.0 + (ins as f64).sqrt()));
    }

    #[test]
    fn pooling_matches_the_definition(
        channels in 1usize..20, height in side(), width in side(), size in [1usize..4, 1usize..4],
        stride in [1usize..4, 1usize..4], sides in [0usize..3, 0usize..3, 0usize..3, 0usize..3],
    ) {
        let [top, bottom, left, right] = sides;
        let windows = Windows { size, stride, padding: Padding { top, bottom, left, right } };
        prop_assume!(top.max(bottom) < size[0] && left.max(right) < size[1]);
        prop_assume!(height + top + bottom >= size[0] && width + left + right >= size[1]);
        let input = planes(channels, height, width, 6);
        let to_height = (height + top + bottom - size[0]) / stride[0] + 1;
        let to_width = (width + left + right - size[1]) / stride[1] + 1;
        for pooling in [Pooling::Max, Pooling::Average] {
            let mut output = Feature::new();
            with_context(|cx| {
                pool(&Feature::from_planes(&input), pooling, &windows, &mut output, cx).unwrap();
            });
            let mut wanted = Vec::new();
            for c in 0..channels {
                for (y, x) in (0..to_height * to_width).map(|p| (p / to_width, p % to_width)) {
                    let mut values = Vec::new();
                    for (dy, dx) in (0..size[0] * size[1]).map(|k| (k / size[1], k % size[1])) {
                        let from_y = (y * stride[0] + dy).wrapping_sub(top);
                        let from_x = (x * stride[1] + dx).wrapping_sub(left);
                        if from_y < height && from_x < width {
                            values.push(f64::from(input.plane(c)[from_y * width + from_x]));
                        }
                    }
                    wanted.push(match pooling {
                        Pooling::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                        Pooling::Average => values.iter().sum::<f64>() / values.len() as f64,
                    });
                }
            }
            assert_close(output.to_planes().data(), &wanted, 1e-6);
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let refused = |result| matches!(result, Err(KernelError::Shape(_)));
    let (input, mut out, mut between) = (Feature::zeros(3, 4, 5), Feature::new(), Feature::new());
    let windows = Windows::tiled(2);
    let spec = TransposedSpec {
        in_channels: 3,
        out_channels: 1,
        kernel: 2,
        stride: 2,
        padding: 0,
        output_padding: 0,
    };
    with_context(|cx| {
        for bad in [
            Windows { stride: [0, 1], ..windows },
            Windows { size: [0, 1], ..windows },
            Windows { padding: Padding::all(2), ..windows },
            Windows { size: [9, 1], ..windows },
        ] {
            assert!(refused(pool(&input, Pooling::Max, &bad, &mut out, cx)), "{bad:?}");
        }
        let resize = Resize::new(Filter::Bilinear, Alignment::HalfPixel, [4, 4], [8, 8]).unwrap();
        assert!(refused(resize.run(&input, &mut out, cx)));
        let conv = ConvTranspose2d::new(&spec, &[0.0; 12], None).unwrap();
        assert!(refused(conv.run(&Feature::zeros(2, 4, 4), &mut between, &mut out, cx)));
        assert!(refused(conv.run(&Feature::zeros(3, 0, 4), &mut between, &mut out, cx)));
    });
    assert!(Resize::new(Filter::Bilinear, Alignment::HalfPixel, [4, 4], [0, 8]).is_err());
    assert!(ConvTranspose2d::new(&spec, &[0.0; 11], None).is_err());
    let bad = TransposedSpec { stride: 0, ..spec };
    assert!(ConvTranspose2d::new(&bad, &[0.0; 12], None).is_err());
    let bad = TransposedSpec { padding: 2, ..spec };
    assert!(ConvTranspose2d::new(&bad, &[0.0; 12], None).is_err());
}

#[test]
fn all_of_this_holds_on_every_instruction_set() {
    every_isa::rerun();
}
