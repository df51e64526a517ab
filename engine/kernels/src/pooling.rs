//! Pooling: the largest or the mean value of each window.

use crate::context::SharedMut;
use crate::feature::Feature;
use crate::simd::{Isa, Simd, Task};
use crate::{ConvSpec, KernelError, Padding, RunContext, ShapeError};

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Its largest value.
    Max,
    /// The mean of its pixels that lie inside the picture.
    Average,
}

/// Windows of a pooling; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows and columns of a window.
    pub size: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// How far windows may reach over the picture's sides; what lies outside does not count. A size
    /// rounded up ("ceil mode") is padding below and to the right.
    pub padding: Padding,
}

impl Windows {
    /// Square windows side by side.
    #[must_use]
    pub const fn tiled(size: usize) -> Self {
        Self { size: [size, size], stride: [size, size], padding: Padding::all(0) }
    }

    fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize), ShapeError> {
        let Padding { top, bottom, left, right } = self.padding;
        let no_zero = self.size.into_iter().chain(self.stride).all(|n| n > 0);
        // a window that saw only padding would have no value
        let sees = top.max(bottom) < self.size[0] && left.max(right) < self.size[1];
        if !no_zero || !sees {
            return Err(ShapeError(format!("no pooling has the shape {self:?}")));
        }
        let spec = ConvSpec {
            kernel: self.size,
            stride: self.stride,
            padding: self.padding,
            ..ConvSpec::same(1, 1, 1)
        };
        spec.output_size(height, width)
    }
}

struct Row<'a> {
    pooling: Pooling,
    windows: &'a Windows,
    input: &'a Feature,
    output: SharedMut,
    width: usize,
    row: usize,
}

/// Pools `input`, `[c, h, w]`, into `output`, `[c, h', w']`.
///
/// # Errors
/// [`KernelError::Shape`] when a window is empty, larger than the padded input, or could lie in the
/// padding alone; [`KernelError::Cancelled`].
pub fn pool(
    input: &Feature,
    pooling: Pooling,
    windows: &Windows,
    output: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    let (height, width) = windows.output_size(input.height(), input.width())?;
    output.reset(input.channels(), height, width)?;
    let output = output.shared_mut();
    cx.for_each_block(height, 0, |row, _| {
        let row = Row { pooling, windows, input, output, width, row };
        // SAFETY: each block writes its own row.
        unsafe { Isa::current().run(row) }
    })?;
    Ok(())
}

/// The part of a window that lies in `0..size`.
#[inline(always)]
fn inside(start: usize, length: usize, padding: usize, size: usize) -> std::ops::Range<usize> {
    start.saturating_sub(padding)..(start + length - padding.min(start + length)).min(size)
}

impl Task for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { pooling, windows, input, output, width, row } = self;
        let pixel = input.pixel_stride();
        let Windows { size, stride, padding } = windows;
        let rows = inside(row * stride[0], size[0], padding.top, input.height());
        for x in 0..width {
            let columns = inside(x * stride[1], size[1], padding.left, input.width());
            let share = S::splat(1.0 / (rows.len() * columns.len()) as f32);
            for c in (0..pixel).step_by(S::LANES) {
                let mut sum = S::zero();
                let mut most = S::splat(f32::NEG_INFINITY);
                for y in rows.clone() {
                    for x in columns.clone() {
                        let from = (y * input.width() + x) * pixel + c;
                        // SAFETY: a pixel of the input, and a whole vector of its channels.
                        let value = unsafe { S::load(input.as_ptr().add(from)) };
                        match pooling {
                            Pooling::Max => most = most.max(value),
                            Pooling::Average => sum = sum.add(value),
                        }
                    }
                }
                let value = match pooling {
                    Pooling::Max => most,
                    Pooling::Average => sum.mul(share),
                };
                // SAFETY: a pixel of this block's row.
                unsafe { value.store(output.get().add((row * width + x) * pixel + c)) }
            }
        }
    }
}
