//! From the planar layout to the channels-last one and back.

use crate::aligned::large;
use crate::context::SharedMut;
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, Planes, RunContext};

/// One row of pixels, in both layouts.
struct Row<'a> {
    direction: Direction<'a>,
    /// `[channels, height, width]`.
    shape: [usize; 3],
    y: usize,
    /// Values from one pixel of the feature to the next.
    pixel: usize,
}

enum Direction<'a> {
    Interleave { planes: &'a Planes, feature: SharedMut },
    Deinterleave { feature: &'a Feature, planes: SharedMut },
}

/// Writes `planes` `[channels, height, width]` into `feature`, which takes their shape: what
/// [`Feature::from_planes`] makes, on all workers.
///
/// # Errors
/// [`KernelError::Cancelled`].
pub fn interleave(
    planes: &Planes,
    feature: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), KernelError> {
    let shape = [planes.channels(), planes.height(), planes.width()];
    feature.reset(shape[0], shape[1], shape[2])?;
    let (pixel, feature) = (feature.pixel_stride(), feature.shared_mut());
    cx.for_each_block(shape[1], 0, |y, _| {
        let direction = Direction::Interleave { planes, feature };
        // SAFETY: each block writes its own row of the feature.
        unsafe { Isa::current().run(Row { direction, shape, y, pixel }) }
    })?;
    Ok(())
}

/// A planar copy of `feature`: what [`Feature::to_planes`] makes, on all workers, in the memory of
/// `spare` where that suffices.
///
/// # Errors
/// [`KernelError::Cancelled`].
pub fn deinterleave(
    feature: &Feature,
    spare: Planes,
    cx: &RunContext<'_>,
) -> Result<Planes, KernelError> {
    let shape = feature.shape();
    let [channels, height, width] = shape;
    let len = channels * height * width;
    let mut data = spare.into_vec();
    data.clear();
    if data.capacity() < len {
        data = Vec::with_capacity(len);
        large::advise(data.as_mut_ptr().cast(), len * size_of::<f32>());
    }
    let (pixel, planes) = (feature.pixel_stride(), SharedMut(data.as_mut_ptr()));
    cx.for_each_block(height, 0, |y, _| {
        let direction = Direction::Deinterleave { feature, planes };
        // SAFETY: each block writes its own row of every plane.
        unsafe { Isa::current().run(Row { direction, shape, y, pixel }) }
    })?;
    // SAFETY: the run was not stopped, so all rows of all planes are written.
    unsafe { data.set_len(len) }
    Ok(Planes::from_vec(channels, height, width, data)?)
}

impl Task for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let [channels, height, width] = self.shape;
        let plane = height * width;
        for x in (0..width).step_by(S::LANES) {
            for c in (0..channels).step_by(S::LANES) {
                let (planar, interleaved) =
                    (c * plane + self.y * width + x, (self.y * width + x) * self.pixel + c);
                let whole = x + S::LANES <= width && c + S::LANES <= channels;
                // SAFETY: a block of whole vectors lies inside both tensors, and `transfer` keeps
                // to the channels and columns that are left.
                unsafe {
                    match &self.direction {
                        Direction::Interleave { planes, feature } => {
                            let from = planes.data().as_ptr().add(planar);
                            let to = feature.get().add(interleaved);
                            if whole {
                                for i in 0..S::LANES {
                                    S::prefetch(from.wrapping_add(i * plane + 4 * S::LANES));
                                }
                                S::transpose(from, plane, to, self.pixel);
                            } else {
                                let count = [channels - c, width - x].map(|n| n.min(S::LANES));
                                transfer(from, [plane, 1], to, [1, self.pixel], count);
                            }
                        }
                        Direction::Deinterleave { feature, planes } => {
                            let from = feature.as_ptr().add(interleaved);
                            let to = planes.get().add(planar);
                            if whole {
                                for i in 0..S::LANES {
                                    S::prefetch_to_write(to.wrapping_add(i * plane + 4 * S::LANES));
                                }
                                S::transpose(from, self.pixel, to, plane);
                            } else {
                                let count = [channels - c, width - x].map(|n| n.min(S::LANES));
                                transfer(from, [1, self.pixel], to, [plane, 1], count);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Copies channels x pixels, one by one; strides in the same order.
///
/// # Safety
/// All of these values are readable in `from` and writable in `to`.
#[inline(always)]
unsafe fn transfer(
    from: *const f32,
    from_strides: [usize; 2],
    to: *mut f32,
    to_strides: [usize; 2],
    count: [usize; 2],
) {
    for pixel in 0..count[1] {
        for channel in 0..count[0] {
            // SAFETY: the caller's promise.
            unsafe {
                let value = *from.add(channel * from_strides[0] + pixel * from_strides[1]);
                *to.add(channel * to_strides[0] + pixel * to_strides[1]) = value;
            }
        }
    }
}
