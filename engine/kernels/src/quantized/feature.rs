//! The activation tensor in bytes.

use super::Quantization;
use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::feature::padded;
use crate::{Feature, ShapeError};

/// Activations as bytes, `[height, width, channels]`, laid out as a [`Feature`]'s: the channels of
/// each pixel are padded to a multiple of [`crate::CHANNEL_BLOCK`], and the padding holds bytes
/// without meaning. What the bytes stand for is one [`Quantization`] for all of them.
#[derive(Clone, Debug)]
pub struct QuantizedFeature {
    channels: usize,
    height: usize,
    width: usize,
    quantization: Quantization,
    data: AlignedBuf,
}

impl Default for QuantizedFeature {
    fn default() -> Self {
        Self::new()
    }
}

impl QuantizedFeature {
    /// An empty feature, to be shaped by the operator that writes it.
    #[must_use]
    pub fn new() -> Self {
        let quantization = Quantization::default();
        Self { channels: 0, height: 0, width: 0, quantization, data: AlignedBuf::new() }
    }

    /// Takes another shape and meaning; memory is kept when it suffices, and the content has no
    /// meaning then.
    ///
    /// # Errors
    /// [`ShapeError`] when the size does not fit in the address space.
    pub fn reset(
        &mut self,
        channels: usize,
        height: usize,
        width: usize,
        quantization: Quantization,
    ) -> Result<(), ShapeError> {
        let len = || {
            let channels = channels.checked_next_multiple_of(crate::CHANNEL_BLOCK)?;
            let len = channels.checked_mul(height)?.checked_mul(width)?;
            (len <= isize::MAX as usize).then_some(len)
        };
        let len = len().ok_or_else(|| {
            ShapeError(format!("{channels} x {height} x {width} is more than memory can hold"))
        })?;
        self.data.reserve(len.div_ceil(size_of::<f32>()));
        (self.channels, self.height, self.width) = (channels, height, width);
        self.quantization = quantization;
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

    /// What the bytes stand for.
    #[must_use]
    pub fn quantization(&self) -> Quantization {
        self.quantization
    }

    /// Bytes between one pixel and the next: the channels with their padding.
    #[must_use]
    pub fn pixel_stride(&self) -> usize {
        padded(self.channels)
    }

    fn len(&self) -> usize {
        self.height * self.width * self.pixel_stride()
    }

    /// All bytes, `[height, width, pixel_stride]`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        // SAFETY: `reset` made room for as many bytes, and any initialised memory is bytes.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.len()) }
    }

    /// All bytes, `[height, width, pixel_stride]`.
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, `self` is borrowed mutably, and any bytes are an `f32`.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_mut_ptr().cast(), self.len()) }
    }

    pub(super) fn as_ptr(&self) -> *const u8 {
        self.data.as_ptr().cast()
    }

    /// The bytes, for workers that each write their own.
    pub(super) fn shared_mut(&mut self) -> SharedMut {
        SharedMut(self.data.as_mut_ptr())
    }

    /// Bytes a feature of this shape occupies, for memory budgets.
    #[must_use]
    pub fn bytes(channels: usize, height: usize, width: usize) -> u64 {
        Feature::bytes(channels, height, width) / size_of::<f32>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_keeps_memory_and_refuses_the_impossible() {
        let mut feature = QuantizedFeature::new();
        let steps = Quantization::default();
        feature.reset(64, 8, 8, steps).unwrap();
        let before = feature.as_ptr();
        feature.reset(17, 8, 8, steps).unwrap();
        assert_eq!(feature.as_ptr(), before);
        assert_eq!(feature.data().len(), 32 * 64);
        assert!(feature.reset(usize::MAX, 2, 2, steps).is_err());
        assert!(feature.reset(16, usize::MAX / 4, 2, steps).is_err());
    }
}
