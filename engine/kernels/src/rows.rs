//! Operators over the channels of each pixel, that is over the rows of a matrix of tokens: softmax
//! and layer normalisation (Ba et al. 2016).

use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::feature::padded;
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, RunContext, ShapeError};

/// Values of one block of work, about.
const BLOCK: usize = 1 << 14;

/// Normalises the channels of each pixel, then scales and shifts them.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    channels: usize,
    epsilon: f32,
    /// `[2][padded channels]`: scales, shifts.
    lines: AlignedBuf,
}

impl LayerNorm {
    /// A normalisation of `scale.len()` channels; `epsilon` is added to the variance.
    ///
    /// # Errors
    /// [`ShapeError`] when scales and shifts differ in number, or there are none.
    pub fn new(scale: &[f32], shift: &[f32], epsilon: f32) -> Result<Self, ShapeError> {
        let channels = scale.len();
        if channels == 0 || shift.len() != channels {
            return Err(ShapeError(format!("{channels} scales and {} shifts", shift.len())));
        }
        let pixel = padded(channels);
        let mut lines = AlignedBuf::zeros(2 * pixel);
        lines[..channels].copy_from_slice(scale);
        lines[pixel..pixel + channels].copy_from_slice(shift);
        Ok(Self { channels, epsilon, lines })
    }

    /// Writes `(x - mean) / sqrt(variance + epsilon) * scale + shift` into `output`, which takes the
    /// shape of `input`.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the channels are others; [`KernelError::Cancelled`].
    pub fn run(
        &self,
        input: &Feature,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let [channels, height, width] = input.shape();
        if channels != self.channels {
            let message = format!("{channels} channels for {} scales", self.channels);
            return Err(ShapeError(message).into());
        }
        output.reset(channels, height, width)?;
        run(Op::Normalise { input, norm: self }, output, cx)
    }
}

/// `exp(x) / sum of exp(x)` over the channels of each pixel, in place. No value leaves `0..=1`,
/// however large the channels are.
///
/// # Errors
/// [`KernelError::Cancelled`].
pub fn softmax(target: &mut Feature, cx: &RunContext<'_>) -> Result<(), KernelError> {
    run(Op::Softmax, target, cx)
}

#[derive(Clone, Copy)]
enum Op<'a> {
    Softmax,
    Normalise { input: &'a Feature, norm: &'a LayerNorm },
}

/// Some pixels of the target.
struct Block<'a> {
    op: Op<'a>,
    target: SharedMut,
    channels: usize,
    pixels: std::ops::Range<usize>,
}

fn run(op: Op<'_>, target: &mut Feature, cx: &RunContext<'_>) -> Result<(), KernelError> {
    let [channels, height, width] = target.shape();
    let (all, at_once) = (height * width, BLOCK.div_ceil(target.pixel_stride().max(1)));
    let target = target.shared_mut();
    cx.for_each_block(all.div_ceil(at_once), 0, |block, _| {
        let pixels = block * at_once..((block + 1) * at_once).min(all);
        // SAFETY: blocks are disjoint; an input has the target's shape.
        unsafe { Isa::current().run(Block { op, target, channels, pixels }) }
    })?;
    Ok(())
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pixel = padded(self.channels);
        for i in self.pixels {
            // SAFETY: pixels of the target, and of an input of its shape.
            unsafe {
                let to = self.target.get().add(i * pixel);
                match self.op {
                    Op::Softmax => soften::<S>(to, self.channels),
                    Op::Normalise { input, norm } => {
                        normalise::<S>(input.as_ptr().add(i * pixel), to, norm);
                    }
                }
            }
        }
    }
}

/// # Safety
/// `pixel` has `channels` values with their padding.
#[inline(always)]
unsafe fn soften<S: Simd>(pixel: *mut f32, channels: usize) {
    let whole = channels - channels % S::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let mut largest = tail::<S>(pixel, whole, channels, f32::NEG_INFINITY);
        for c in (0..whole).step_by(S::LANES) {
            largest = largest.max(S::load(pixel.add(c)));
        }
        let lanes = lanes(largest);
        let largest = lanes[..S::LANES].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // all of them negative infinity: as if they were all zero
        let largest = S::splat(largest.max(f32::MIN));
        let mut sum = S::zero();
        for c in (0..channels).step_by(S::LANES) {
            let x = S::load(pixel.add(c)).max(S::splat(f32::MIN)).sub(largest);
            let weight = x.mul(S::splat(std::f32::consts::LOG2_E)).max(S::splat(-200.0));
            let weight = weight.exp2_negative();
            weight.store(pixel.add(c));
            if c < whole {
                sum = sum.add(weight);
            }
        }
        sum = sum.add(tail::<S>(pixel, whole, channels, 0.0));
        let factor = S::splat(1.0 / total(sum));
        for c in (0..channels).step_by(S::LANES) {
            S::load(pixel.add(c)).mul(factor).min(S::splat(1.0)).store(pixel.add(c));
        }
    }
}

/// # Safety
/// `from` and `to` have the channels of `norm`, with their padding.
#[inline(always)]
unsafe fn normalise<S: Simd>(from: *const f32, to: *mut f32, norm: &LayerNorm) {
    let channels = norm.channels;
    let whole = channels - channels % S::LANES;
    let (scales, shifts) = (norm.lines.as_ptr(), norm.lines[padded(channels)..].as_ptr());
    // SAFETY: the caller's promise; scales and shifts are padded likewise.
    unsafe {
        let mut sum = tail::<S>(from, whole, channels, 0.0);
        for c in (0..whole).step_by(S::LANES) {
            sum = sum.add(S::load(from.add(c)));
        }
        let mean = total(sum) / channels as f32;
        let centre = S::splat(mean);
        // a tail filled with the mean adds nothing
        let distance = tail::<S>(from, whole, channels, mean).sub(centre);
        let mut sum = distance.mul(distance);
        for c in (0..whole).step_by(S::LANES) {
            let distance = S::load(from.add(c)).sub(centre);
            sum = distance.mul_add(distance, sum);
        }
        let variance = total(sum) / channels as f32;
        let factor = S::splat(1.0 / (variance + norm.epsilon).sqrt());
        for c in (0..channels).step_by(S::LANES) {
            let scale = S::load(scales.add(c)).mul(factor);
            let x = S::load(from.add(c)).sub(centre);
            x.mul_add(scale, S::load(shifts.add(c))).store(to.add(c));
        }
    }
}

/// The channels from `whole` on, fewer than a vector, filled up: what is in the padding must not be
/// read into a sum.
///
/// # Safety
/// `pixel` has `channels` values.
#[inline(always)]
unsafe fn tail<S: Simd>(pixel: *const f32, whole: usize, channels: usize, fill: f32) -> S {
    let mut lanes = [fill; 16];
    for c in whole..channels {
        // SAFETY: the caller's promise.
        lanes[c - whole] = unsafe { *pixel.add(c) };
    }
    // SAFETY: no vector is longer than 16.
    unsafe { S::load(lanes.as_ptr()) }
}

#[inline(always)]
fn lanes<S: Simd>(vector: S) -> [f32; 16] {
    let mut lanes = [0.0; 16];
    // SAFETY: no vector is longer than 16.
    unsafe { vector.store(lanes.as_mut_ptr()) }
    lanes
}

#[inline(always)]
fn total<S: Simd>(vector: S) -> f32 {
    lanes(vector)[..S::LANES].iter().sum()
}
