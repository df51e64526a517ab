//! The activation tensor that operators hand to each other.

use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::{Planes, ShapeError};

/// Channels of a pixel are padded to a multiple of this: the widest vector, in `f32`.
pub const CHANNEL_BLOCK: usize = 16;

/// Activations as `[height, width, channels]`, the channels of each pixel padded to a multiple of
/// [`CHANNEL_BLOCK`] so that every pixel starts on a cache line and no operator needs a remainder.
///
/// The padding channels hold values without meaning; no operator lets them reach a result. There is
/// no border in memory: operators put zeros around the picture where their padding asks for it.
/// [`Feature::reset`] keeps the memory, so a network that holds its features allocates once.
#[derive(Clone, Debug)]
pub struct Feature {
    channels: usize,
    height: usize,
    width: usize,
    data: AlignedBuf,
}

impl Default for Feature {
    fn default() -> Self {
        Self::new()
    }
}

impl Feature {
    /// An empty feature, to be shaped by the operator that writes it.
    #[must_use]
    pub fn new() -> Self {
        Self { channels: 0, height: 0, width: 0, data: AlignedBuf::new() }
    }

    /// Zeros of `[height, width, channels]`. As with `Vec`, a size beyond the address space is a
    /// panic; [`Feature::reset`] takes sizes that are not known to be sane.
    #[must_use]
    pub fn zeros(channels: usize, height: usize, width: usize) -> Self {
        let len = feature_len(channels, height, width).unwrap_or(usize::MAX);
        let data = AlignedBuf::zeros(len);
        Self { channels, height, width, data }
    }

    /// Takes another shape; memory is kept when it suffices, and the content has no meaning then.
    ///
    /// # Errors
    /// [`ShapeError`] when the size does not fit in the address space.
    pub fn reset(
        &mut self,
        channels: usize,
        height: usize,
        width: usize,
    ) -> Result<(), ShapeError> {
        let len = feature_len(channels, height, width).ok_or_else(|| {
            ShapeError(format!("{channels} x {height} x {width} is more than memory can hold"))
        })?;
        self.data.reserve(len);
        (self.channels, self.height, self.width) = (channels, height, width);
        Ok(())
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// `[channels, height, width]`, for comparing shapes.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Values between one pixel and the next: the channels with their padding.
    #[must_use]
    pub fn pixel_stride(&self) -> usize {
        padded(self.channels)
    }

    /// All values, `[height, width, pixel_stride]`.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data[..self.height * self.width * self.pixel_stride()]
    }

    /// All values, `[height, width, pixel_stride]`.
    pub fn data_mut(&mut self) -> &mut [f32] {
        let len = self.height * self.width * self.pixel_stride();
        &mut self.data[..len]
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.data.as_ptr()
    }

    pub(crate) fn shared_mut(&mut self) -> SharedMut {
        SharedMut(self.data.as_mut_ptr())
    }

    /// Sets one channel to `value` everywhere: a noise-level map, a constant input.
    ///
    /// # Errors
    /// [`ShapeError`] when there is no such channel.
    pub fn fill_channel(&mut self, channel: usize, value: f32) -> Result<(), ShapeError> {
        if channel >= self.channels {
            return Err(ShapeError(format!("channel {channel} of {}", self.channels)));
        }
        let stride = self.pixel_stride();
        self.data_mut().iter_mut().skip(channel).step_by(stride).for_each(|v| *v = value);
        Ok(())
    }

    /// The same values in the planar layout's order.
    #[must_use]
    pub fn from_planes(planes: &Planes) -> Self {
        let mut feature = Self::zeros(planes.channels(), planes.height(), planes.width());
        let stride = feature.pixel_stride();
        for channel in 0..planes.channels() {
            let pixels = feature.data_mut().iter_mut().skip(channel).step_by(stride);
            pixels.zip(planes.plane(channel)).for_each(|(to, from)| *to = *from);
        }
        feature
    }

    /// A planar copy, `[channels, height, width]`.
    #[must_use]
    pub fn to_planes(&self) -> Planes {
        let mut planes = Planes::zeros(self.channels, self.height, self.width);
        let stride = self.pixel_stride();
        for channel in 0..self.channels {
            let pixels = self.data().iter().skip(channel).step_by(stride);
            planes.plane_mut(channel).iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
        }
        planes
    }

    /// Bytes a feature of this shape occupies, for memory budgets.
    #[must_use]
    pub fn bytes(channels: usize, height: usize, width: usize) -> u64 {
        padded(channels) as u64 * height as u64 * width as u64 * size_of::<f32>() as u64
    }
}

/// Channels rounded up to whole vectors.
pub(crate) const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_BLOCK)
}

fn feature_len(channels: usize, height: usize, width: usize) -> Option<usize> {
    let channels = channels.checked_next_multiple_of(CHANNEL_BLOCK)?;
    let len = channels.checked_mul(height)?.checked_mul(width)?;
    (len <= isize::MAX as usize / size_of::<f32>()).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_survive_the_way_there_and_back() {
        let data = (0..3 * 5 * 7).map(|v| v as f32).collect();
        let planes = Planes::from_vec(3, 5, 7, data).unwrap();
        assert_eq!(Feature::from_planes(&planes).to_planes(), planes);
    }

    #[test]
    fn reset_keeps_memory_and_refuses_the_impossible() {
        let mut feature = Feature::zeros(64, 8, 8);
        let before = feature.data().as_ptr();
        feature.reset(16, 8, 8).unwrap();
        assert_eq!(feature.data().as_ptr(), before);
        assert_eq!(feature.data().len(), 16 * 64);
        assert!(feature.reset(usize::MAX, 2, 2).is_err());
        assert!(feature.reset(16, usize::MAX / 4, 2).is_err());
    }
}
