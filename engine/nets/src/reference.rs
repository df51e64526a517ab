//! The plain executor: each layer by its definition, on planar tensors. Slow, short, and what the
//! fast executors are tested against.

use limpid_kernels::{Planes, RunContext, ShapeError};
use rayon::prelude::*;

use crate::error::NetError;
use crate::graph::{Activation, Conv, Graph, Op};
use crate::picture::noise_map;
use crate::weights::Weights;

/// Runs `graph` on `input` `[3, H, W]`, whose sides are multiples of [`Graph::multiple`].
///
/// # Errors
/// Cancelled between layers, or a tensor missing that the container's check should have found.
pub(crate) fn run(
    graph: &Graph,
    weights: &Weights,
    input: &Planes,
    sigma: f32,
    cx: &RunContext<'_>,
) -> Result<Planes, NetError> {
    let mut uses = graph.uses();
    let mut values: Vec<Option<Planes>> = vec![None; graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate() {
        cx.cancel.check()?;
        let value = {
            let inputs: Vec<&Planes> =
                node.inputs.iter().filter_map(|value| values[value.0].as_ref()).collect();
            cx.pool.install(|| compute(&node.op, &inputs, weights, input, sigma))?
        };
        values[index] = Some(value);
        for read in &node.inputs {
            uses[read.0] -= 1;
            if uses[read.0] == 0 {
                values[read.0] = None;
            }
        }
    }
    values[graph.output().0]
        .take()
        .ok_or_else(|| NetError::Internal("the result was dropped".to_owned()))
}

fn compute(
    op: &Op,
    inputs: &[&Planes],
    weights: &Weights,
    picture: &Planes,
    sigma: f32,
) -> Result<Planes, NetError> {
    Ok(match (op, inputs) {
        (Op::Input, _) if picture.channels() > 3 => {
            let colours = picture.data()[..3 * picture.height() * picture.width()].to_vec();
            Planes::from_vec(3, picture.height(), picture.width(), colours)?
        }
        (Op::Input, _) => picture.clone(),
        (Op::SigmaMap, [like]) => {
            let (height, width) = (like.height(), like.width());
            Planes::from_vec(1, height, width, noise_map(picture, sigma, height, width))?
        }
        (Op::Conv(conv), [x]) => convolve(conv, weights, x)?,
        (Op::Activate(activation), [x]) => map(x, |_, value| activate(*activation, value)),
        (Op::Affine { offset, scale }, [x]) => {
            map(x, |channel, value| (value + offset[channel % offset.len()]) * scale)
        }
        (Op::Add, [a, b]) => zip(a, b, |a, b| a + b)?,
        (Op::Mul, [a, b]) => zip(a, b, |a, b| a * b)?,
        (Op::Concat, [first, ..]) => {
            let channels = inputs.iter().map(|part| part.channels()).sum();
            let data = inputs.iter().flat_map(|part| part.data()).copied().collect();
            Planes::from_vec(channels, first.height(), first.width(), data)?
        }
        (Op::PixelUnshuffle(s), [x]) => unshuffle(x, *s),
        (Op::PixelShuffle(s), [x]) => shuffle(x, *s),
        (Op::NearestUpsample(s), [x]) => gather(
            (x.channels(), x.height() * s, x.width() * s),
            |channel, row, column| (channel, row / s, column / s),
            x,
        ),
        _ => return Err(NetError::Internal(format!("{op:?} lacks an input"))),
    })
}

pub(crate) fn activate(activation: Activation, x: f32) -> f32 {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
    }
}

fn map(x: &Planes, function: impl Fn(usize, f32) -> f32) -> Planes {
    let mut out = x.clone();
    for channel in 0..x.channels() {
        for value in out.plane_mut(channel) {
            *value = function(channel, *value);
        }
    }
    out
}

fn zip(a: &Planes, b: &Planes, function: fn(f32, f32) -> f32) -> Result<Planes, ShapeError> {
    let data = a.data().iter().zip(b.data()).map(|(a, b)| function(*a, *b)).collect();
    Planes::from_vec(a.channels(), a.height(), a.width(), data)
}

/// Fills `[channels, height, width]` with the sample of `x` that `source` names for each place.
fn gather(
    (channels, height, width): (usize, usize, usize),
    source: impl Fn(usize, usize, usize) -> (usize, usize, usize),
    x: &Planes,
) -> Planes {
    let mut out = Planes::zeros(channels, height, width);
    for channel in 0..channels {
        let plane = out.plane_mut(channel);
        for row in 0..height {
            for column in 0..width {
                let (c, y, x_) = source(channel, row, column);
                plane[row * width + column] = x.plane(c)[y * x.width() + x_];
            }
        }
    }
    out
}

fn unshuffle(x: &Planes, s: usize) -> Planes {
    gather(
        (x.channels() * s * s, x.height() / s, x.width() / s),
        |channel, row, column| {
            let (dy, dx) = (channel % (s * s) / s, channel % s);
            (channel / (s * s), row * s + dy, column * s + dx)
        },
        x,
    )
}

fn shuffle(x: &Planes, s: usize) -> Planes {
    gather(
        (x.channels() / (s * s), x.height() * s, x.width() * s),
        |channel, row, column| (channel * s * s + row % s * s + column % s, row / s, column / s),
        x,
    )
}

fn convolve(conv: &Conv, weights: &Weights, x: &Planes) -> Result<Planes, NetError> {
    let missing = || NetError::Internal(format!("no tensor for {}", conv.name));
    let kernel = &weights.kernel(&conv.name).ok_or_else(missing)?.data;
    let bias = &weights.bias(&conv.name).ok_or_else(missing)?.data;
    let (height, width, k) = (x.height(), x.width(), conv.kernel);
    let (ins, outs) = (conv.input / conv.groups, conv.output / conv.groups);
    let taps = ins * k * k;
    let mut out = Planes::zeros(conv.output, height, width);
    if height * width == 0 {
        return Ok(out);
    }
    out.data_mut().par_chunks_mut(height * width).enumerate().for_each(|(channel, plane)| {
        plane.fill(bias[channel]);
        for (tap, weight) in kernel[channel * taps..(channel + 1) * taps].iter().enumerate() {
            let source = x.plane(channel / outs * ins + tap / (k * k));
            let dy = (tap % (k * k) / k) as isize - (k / 2) as isize;
            let dx = (tap % k) as isize - (k / 2) as isize;
            let columns = (-dx).max(0) as usize..(width as isize - dx.max(0)).max(0) as usize;
            for row in (-dy).max(0) as usize..(height as isize - dy.max(0)).max(0) as usize {
                let from = row.wrapping_add_signed(dy) * width;
                for column in columns.clone() {
                    plane[row * width + column] +=
                        weight * source[from + column.wrapping_add_signed(dx)];
                }
            }
        }
    });
    Ok(out)
}
