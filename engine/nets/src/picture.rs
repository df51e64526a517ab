//! The two ends of a network on the CPU: from the planar picture to the first feature and back.
//! Unshuffles, offsets and noise maps in front of the first layer, and the shuffle and the
//! enlarged picture behind the last, are done on the way instead of as passes of their own.

use limpid_kernels::{Feature, Planes, RunContext, deinterleave, interleave};
use rayon::prelude::*;

use crate::error::NetError;
use crate::graph::{Graph, Op, Value};

/// Pixels of a feature that are filled or read for all channels before the next ones: few enough to
/// stay in the first-level cache meanwhile.
const RUN: usize = 32;

/// Where one channel of a value made from the picture alone comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    /// A plane of the picture, at `dy`, `dx` inside the block of pixels that folds into one.
    Plane { plane: usize, dy: usize, dx: usize },
    /// The noise level.
    Sigma,
}

/// One channel: its source, then `(x + offset) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    source: Source,
    offset: f32,
    scale: f32,
}

/// A value that depends on the picture by rearrangement and scaling only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps {
    channels: Vec<Tap>,
    /// Side of the block of picture pixels that folds into one pixel of this value.
    fold: usize,
    /// Side of the block of this value's pixels that repeats one such.
    repeat: usize,
}

impl Taps {
    /// For each node that is made from the picture alone, how.
    pub(crate) fn of(graph: &Graph) -> Vec<Option<Self>> {
        let mut all: Vec<Option<Self>> = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            let inputs: Option<Vec<&Self>> =
                node.inputs.iter().map(|value| all[value.0].as_ref()).collect();
            let taps = match inputs {
                Some(inputs) => Self::derive(&node.op, node.channels, &inputs),
                None => None,
            };
            all.push(taps);
        }
        all
    }

    fn derive(op: &Op, channels: usize, inputs: &[&Self]) -> Option<Self> {
        let with = |like: &Self, channels| Self { channels, ..*like };
        match (op, inputs) {
            (Op::Input, []) => {
                let tap = |plane| Tap {
                    source: Source::Plane { plane, dy: 0, dx: 0 },
                    offset: 0.0,
                    scale: 1.0,
                };
                Some(Self { channels: (0..channels).map(tap).collect(), fold: 1, repeat: 1 })
            }
            (Op::SigmaMap, [like]) => {
                Some(with(like, vec![Tap { source: Source::Sigma, offset: 0.0, scale: 1.0 }]))
            }
            (Op::Affine { offset, scale }, [x])
                if x.channels.iter().all(|tap| (tap.offset, tap.scale) == (0.0, 1.0)) =>
            {
                let scaled = x.channels.iter().enumerate().map(|(channel, tap)| Tap {
                    offset: offset[channel % offset.len()],
                    scale: *scale,
                    ..*tap
                });
                Some(with(x, scaled.collect()))
            }
            (Op::PixelUnshuffle(s), [x]) if x.repeat == 1 => {
                let mut folded = Vec::with_capacity(channels);
                for tap in &x.channels {
                    for phase in 0..s * s {
                        let source = match tap.source {
                            Source::Plane { plane, dy, dx } => Source::Plane {
                                plane,
                                dy: phase / s * x.fold + dy,
                                dx: phase % s * x.fold + dx,
                            },
                            Source::Sigma => Source::Sigma,
                        };
                        folded.push(Tap { source, ..*tap });
                    }
                }
                Some(Self { channels: folded, fold: x.fold * s, repeat: 1 })
            }
            (Op::NearestUpsample(s), [x]) => Some(Self { repeat: x.repeat * s, ..(*x).clone() }),
            (Op::Concat, [first, ..])
                if inputs.iter().all(|x| (x.fold, x.repeat) == (first.fold, first.repeat)) =>
            {
                let joined = inputs.iter().flat_map(|x| &x.channels).copied();
                Some(with(first, joined.collect()))
            }
            _ => None,
        }
    }

    /// Computes the value from `picture` into `output`.
    pub(crate) fn load(
        &self,
        picture: &Planes,
        sigma: f32,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), NetError> {
        if self.is_picture(picture.channels()) {
            return Ok(interleave(picture, output, cx)?);
        }
        let (rows, columns) = (picture.height() / self.fold, picture.width() / self.fold);
        let (height, width) = (rows * self.repeat, columns * self.repeat);
        output.reset(self.channels.len(), height, width)?;
        let stride = output.pixel_stride();
        let row_len = (width * stride).max(1);
        cx.pool.install(|| {
            output.data_mut().par_chunks_mut(row_len).enumerate().for_each(|(y, row)| {
                if cx.cancel.is_cancelled() {
                    return; // told below
                }
                for (run, pixels) in row.chunks_mut(RUN * stride).enumerate() {
                    for (channel, tap) in self.channels.iter().enumerate() {
                        let pixels = pixels.iter_mut().skip(channel).step_by(stride);
                        self.fill(tap, picture, sigma, [run * RUN, y], pixels);
                    }
                }
            });
        });
        Ok(cx.cancel.check()?)
    }

    /// Whether this is a picture of `channels` itself.
    fn is_picture(&self, channels: usize) -> bool {
        let is_plane = |(plane, tap): (usize, &Tap)| {
            let source = Source::Plane { plane, dy: 0, dx: 0 };
            *tap == Tap { source, offset: 0.0, scale: 1.0 }
        };
        (self.fold, self.repeat, self.channels.len()) == (1, 1, channels)
            && self.channels.iter().enumerate().all(is_plane)
    }

    /// Pixels of one channel, from (`x`, `y`) to the right.
    fn fill<'a>(
        &self,
        tap: &Tap,
        picture: &Planes,
        sigma: f32,
        [x, y]: [usize; 2],
        pixels: impl Iterator<Item = &'a mut f32>,
    ) {
        let finish = |x: f32| (x + tap.offset) * tap.scale;
        match tap.source {
            Source::Sigma if picture.channels() <= NOISE_PLANE => {
                pixels.for_each(|to| *to = finish(sigma));
            }
            Source::Sigma => {
                for (i, to) in pixels.enumerate() {
                    let at = [(x + i) / self.repeat, y / self.repeat];
                    *to = finish(sigma * noise_factor(picture, self.fold, at));
                }
            }
            Source::Plane { plane, dy, dx } => {
                let from = row(picture, plane, y / self.repeat * self.fold + dy);
                if self.repeat == 1 {
                    let from = from[x * self.fold + dx..].iter().step_by(self.fold);
                    pixels.zip(from).for_each(|(to, from)| *to = finish(*from));
                } else {
                    for (i, to) in pixels.enumerate() {
                        *to = finish(from[(x + i) / self.repeat * self.fold + dx]);
                    }
                }
            }
        }
    }
}

/// The plane of a picture that has the noise level's factor at each pixel, where it has one.
const NOISE_PLANE: usize = 3;

/// The mean factor on the noise level over the pixels that fold into the one at `x`, `y`; 1 for a
/// picture that says nothing of it.
fn noise_factor(picture: &Planes, fold: usize, [x, y]: [usize; 2]) -> f32 {
    if picture.channels() <= NOISE_PLANE {
        return 1.0;
    }
    let rows = (y * fold..(y + 1) * fold).map(|y| row(picture, NOISE_PLANE, y));
    let sum: f32 = rows.map(|row| row[x * fold..(x + 1) * fold].iter().sum::<f32>()).sum();
    sum / (fold * fold) as f32
}

/// For tests and the candle executor: the noise level for each of `width` x `height` values made from `picture`: `sigma`, or what its
/// noise plane makes of it.
#[cfg(any(test, feature = "candle"))]
pub(crate) fn noise_map(picture: &Planes, sigma: f32, height: usize, width: usize) -> Vec<f32> {
    let fold = (picture.width() / width.max(1)).max(1);
    let repeat = (width / picture.width().max(1)).max(1);
    let row = |y: usize| (0..width).map(move |x| [x / repeat, y / repeat]);
    (0..height).flat_map(row).map(|at| sigma * noise_factor(picture, fold, at)).collect()
}

fn row(picture: &Planes, plane: usize, y: usize) -> &[f32] {
    &picture.plane(plane)[y * picture.width()..][..picture.width()]
}

/// How the last feature becomes the picture: shuffled, then something made from the input added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Store {
    shuffle: usize,
    plus: Option<Taps>,
}

impl Store {
    /// The value that the last layer must compute, and what is left to do with it.
    pub(crate) fn of(graph: &Graph, taps: &[Option<Taps>], uses: &[usize]) -> (Value, Self) {
        let shuffled = |value: Value| match graph.node(value) {
            node if uses[value.0] > 1 || taps[value.0].is_some() => (node, None),
            node => match node.op {
                Op::PixelShuffle(s) => (node, Some((node.inputs[0], s))),
                _ => (node, None),
            },
        };
        let output = graph.output();
        if let (_, Some((value, shuffle))) = shuffled(output) {
            return (value, Self { shuffle, plus: None });
        }
        let node = graph.node(output);
        if node.op == Op::Add && uses[output.0] == 1 {
            for (a, b) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] {
                if let ((_, Some((value, shuffle))), Some(plus)) = (shuffled(a), &taps[b.0]) {
                    return (value, Self { shuffle, plus: Some(plus.clone()) });
                }
            }
        }
        (output, Self { shuffle: 1, plus: None })
    }

    /// Writes the result `[3, s H, s W]`, in the memory of `spare` where it can.
    pub(crate) fn run(
        &self,
        input: &Feature,
        picture: &Planes,
        sigma: f32,
        spare: Planes,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        let s = self.shuffle;
        if s == 1 && self.plus.is_none() {
            return Ok(deinterleave(input, spare, cx)?);
        }
        let channels = input.channels() / (s * s);
        let (height, width) = (input.height() * s, input.width() * s);
        let mut output = Planes::zeros(channels, height, width);
        let stride = input.pixel_stride();
        // the rows of all channels at one height together
        let mut by_height: Vec<Vec<&mut [f32]>> = Vec::new();
        by_height.resize_with(height, || Vec::with_capacity(channels));
        for (index, row) in output.data_mut().chunks_exact_mut(width.max(1)).enumerate() {
            by_height[index % height].push(row);
        }
        cx.pool.install(|| {
            by_height.into_par_iter().enumerate().for_each(|(y, mut rows)| {
                if cx.cancel.is_cancelled() {
                    return; // told below
                }
                let from = &input.data()[y / s * input.width() * stride..];
                let from = &from[..input.width() * stride];
                for (run, from) in from.chunks(RUN * stride).enumerate() {
                    let columns = run * RUN * s..(run * RUN + from.len() / stride) * s;
                    for (channel, row) in rows.iter_mut().enumerate() {
                        let to = &mut row[columns.clone()];
                        if let Some(plus) = &self.plus {
                            let tap = &plus.channels[channel];
                            plus.fill(tap, picture, sigma, [columns.start, y], to.iter_mut());
                        }
                        let first = channel * s * s + y % s * s;
                        for (pixels, from) in to.chunks_exact_mut(s).zip(from.chunks_exact(stride))
                        {
                            for (to, from) in pixels.iter_mut().zip(&from[first..first + s]) {
                                *to += from;
                            }
                        }
                    }
                }
            });
        });
        cx.cancel.check()?;
        Ok(output)
    }
}
