//! Rearrangements between pixels and channels, and repetition of pixels.

use crate::{Feature, KernelError, RunContext, ShapeError};

/// Writes `output` row by row: `fill(y, row, pixel_stride)` for each of its rows.
fn by_rows(
    output: &mut Feature,
    cx: &RunContext<'_>,
    fill: impl Fn(usize, &mut [f32], usize) + Sync,
) -> Result<(), KernelError> {
    let (height, stride) = (output.height(), output.pixel_stride());
    let len = output.width() * stride;
    let shared = output.shared_mut();
    cx.for_each_block(height, 0, |y, _| {
        // SAFETY: each block borrows its own row.
        let row = unsafe { std::slice::from_raw_parts_mut(shared.get().add(y * len), len) };
        fill(y, row, stride);
    })?;
    Ok(())
}

/// `[c * r * r, h, w]` to `[c, h * r, w * r]`, channels in PyTorch's order: output channel `c` at
/// (`y`, `x`) comes from input channel `(c * r + y % r) * r + x % r`.
///
/// # Errors
/// [`KernelError::Shape`] when the channels are no multiple of `factor` squared, or `factor` is 0;
/// [`KernelError::Cancelled`].
pub fn pixel_shuffle(
    input: &Feature,
    factor: usize,
    output: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    let area = factor.saturating_mul(factor);
    if area == 0 || !input.channels().is_multiple_of(area) {
        let message = format!("{} channels shuffled by {factor}", input.channels());
        return Err(ShapeError(message).into());
    }
    let channels = input.channels() / area;
    let (height, width) = (input.height(), input.width());
    output.reset(channels, height.saturating_mul(factor), width.saturating_mul(factor))?;
    by_rows(output, cx, |y, row, stride| {
        for (x, to) in row.chunks_exact_mut(stride).enumerate() {
            let pixel = (y / factor) * input.width() + x / factor;
            let from = &input.data()[pixel * input.pixel_stride()..];
            let phase = y % factor * factor + x % factor;
            for (c, value) in to.iter_mut().enumerate().take(channels) {
                *value = from[c * area + phase];
            }
        }
    })
}

/// `[c, h * r, w * r]` to `[c * r * r, h, w]`, the inverse of [`pixel_shuffle`].
///
/// # Errors
/// [`KernelError::Shape`] when the size is no multiple of `factor`; [`KernelError::Cancelled`].
pub fn pixel_unshuffle(
    input: &Feature,
    factor: usize,
    output: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    if factor == 0
        || !input.height().is_multiple_of(factor)
        || !input.width().is_multiple_of(factor)
    {
        let message = format!("{:?} is not made of {factor} x {factor} pixels", input.shape());
        return Err(ShapeError(message).into());
    }
    let area = factor * factor;
    output.reset(input.channels() * area, input.height() / factor, input.width() / factor)?;
    by_rows(output, cx, |y, row, stride| {
        for (x, to) in row.chunks_exact_mut(stride).enumerate() {
            for phase in 0..area {
                let (dy, dx) = (phase / factor, phase % factor);
                let pixel = (y * factor + dy) * input.width() + x * factor + dx;
                let from = &input.data()[pixel * input.pixel_stride()..];
                for c in 0..input.channels() {
                    to[c * area + phase] = from[c];
                }
            }
        }
    })
}

/// `[c, h, w]` to `[c, h * factor, w * factor]`, each pixel repeated.
///
/// # Errors
/// [`KernelError::Shape`] when `factor` is 0; [`KernelError::Cancelled`].
pub fn upsample_nearest(
    input: &Feature,
    factor: usize,
    output: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    if factor == 0 {
        return Err(ShapeError("a picture cannot be enlarged 0 times".to_owned()).into());
    }
    let (height, width) = (input.height(), input.width());
    output.reset(input.channels(), height.saturating_mul(factor), width.saturating_mul(factor))?;
    by_rows(output, cx, |y, row, stride| {
        for (x, to) in row.chunks_exact_mut(stride).enumerate() {
            let pixel = (y / factor) * input.width() + x / factor;
            to.copy_from_slice(&input.data()[pixel * stride..(pixel + 1) * stride]);
        }
    })
}
