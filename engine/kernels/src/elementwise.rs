//! Operators that treat each value by itself, and the joining of channels.

use crate::context::SharedMut;
use crate::epilogue::activate as activate_vector;
use crate::simd::{Isa, Simd, Task};
use crate::{Activation, Feature, KernelError, RunContext, ShapeError};

/// Values of one block of work.
const CHUNK: usize = 1 << 14;

#[derive(Clone, Copy)]
enum Op<'a> {
    Add(&'a Feature),
    Multiply(&'a Feature),
    Activate(Activation<'a>),
}

struct Chunk<'a> {
    op: Op<'a>,
    target: SharedMut,
    range: std::ops::Range<usize>,
    pixel: usize,
}

impl Task for Chunk<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for i in self.range.step_by(S::LANES) {
            // SAFETY: chunks are whole vectors of the target, disjoint; operands have its shape.
            unsafe {
                let to = self.target.get().add(i);
                let x = S::load(to);
                let y = match &self.op {
                    Op::Add(other) => x.add(S::load(other.as_ptr().add(i))),
                    Op::Multiply(other) => x.mul(S::load(other.as_ptr().add(i))),
                    Op::Activate(activation) => {
                        let mut x = [x];
                        activate_vector(&mut x, activation, i % self.pixel);
                        x[0]
                    }
                };
                y.store(to);
            }
        }
    }
}

fn run(target: &mut Feature, op: Op<'_>, cx: &RunContext<'_>) -> Result<(), KernelError> {
    let pixel = target.pixel_stride();
    let len = target.data().len();
    let target = target.shared_mut();
    cx.for_each_block(len.div_ceil(CHUNK), 0, |block, _| {
        let range = block * CHUNK..((block + 1) * CHUNK).min(len);
        // SAFETY: the ranges are disjoint.
        unsafe { Isa::current().run(Chunk { op, target, range, pixel }) }
    })?;
    Ok(())
}

fn same_shape(a: &Feature, b: &Feature) -> Result<(), ShapeError> {
    if a.shape() == b.shape() {
        Ok(())
    } else {
        Err(ShapeError(format!("{:?} and {:?} differ", a.shape(), b.shape())))
    }
}

/// `target += other`.
///
/// # Errors
/// [`KernelError::Shape`] when the shapes differ; [`KernelError::Cancelled`].
pub fn add(target: &mut Feature, other: &Feature, cx: &RunContext<'_>) -> Result<(), KernelError> {
    same_shape(target, other)?;
    run(target, Op::Add(other), cx)
}

/// `target *= other`, value by value.
///
/// # Errors
/// [`KernelError::Shape`] when the shapes differ; [`KernelError::Cancelled`].
pub fn multiply(
    target: &mut Feature,
    other: &Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    same_shape(target, other)?;
    run(target, Op::Multiply(other), cx)
}

/// Applies `activation` in place.
///
/// # Errors
/// [`KernelError::Shape`] when there is not a slope for each channel; [`KernelError::Cancelled`].
pub fn activate(
    target: &mut Feature,
    activation: Activation<'_>,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    activation.check(target.channels())?;
    run(target, Op::Activate(activation), cx)
}

/// Joins the channels of `parts`, in order, into `output`.
///
/// # Errors
/// [`KernelError::Shape`] when there are no parts or their sizes differ;
/// [`KernelError::Cancelled`].
pub fn concat(
    parts: &[&Feature],
    output: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    let Some(first) = parts.first() else {
        return Err(ShapeError("nothing to join".to_owned()).into());
    };
    let (height, width) = (first.height(), first.width());
    for part in parts {
        if (part.height(), part.width()) != (height, width) {
            let message = format!("{:?} and {:?} differ in size", first.shape(), part.shape());
            return Err(ShapeError(message).into());
        }
    }
    output.reset(parts.iter().map(|part| part.channels()).sum(), height, width)?;
    let stride = output.pixel_stride();
    let shared = output.shared_mut();
    cx.for_each_block(height, 0, |y, _| {
        // SAFETY: each block writes its own row.
        let row = unsafe {
            std::slice::from_raw_parts_mut(shared.get().add(y * width * stride), width * stride)
        };
        for (x, to) in row.chunks_exact_mut(stride).enumerate() {
            let mut at = 0;
            for part in parts {
                let from = (y * width + x) * part.pixel_stride();
                let channels = part.channels();
                to[at..at + channels].copy_from_slice(&part.data()[from..from + channels]);
                at += channels;
            }
        }
    })?;
    Ok(())
}
