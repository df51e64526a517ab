//! The shape of a convolution.

use super::{Algorithm, accuracy};
use crate::ShapeError;

/// Pairs of channels from which on reading Winograd's weights takes longer than the multiplications
/// that the larger tile saves: such layers lie deep in a network, on pictures of a few tiles.
const DEEP: usize = 1 << 20;

/// Rows and columns of zeros around the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same on all sides.
    #[must_use]
    pub const fn all(size: usize) -> Self {
        Self { top: size, bottom: size, left: size, right: size }
    }
}

/// The shape of a convolution; pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step between outputs, in input pixels.
    pub stride: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
    /// Distance between kernel taps, in input pixels.
    pub dilation: [usize; 2],
    /// Blocks of channels that do not see each other.
    pub groups: usize,
}

impl ConvSpec {
    /// A square odd kernel that keeps the picture's size.
    #[must_use]
    pub const fn same(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding: Padding::all(kernel / 2),
            dilation: [1, 1],
            groups: 1,
        }
    }

    /// A square odd kernel on each channel by itself that keeps the picture's size.
    #[must_use]
    pub const fn depthwise(channels: usize, kernel: usize) -> Self {
        let mut spec = Self::same(channels, channels, kernel);
        spec.groups = channels;
        spec
    }

    /// Output rows and columns for an input of `height` x `width`.
    ///
    /// # Errors
    /// [`ShapeError`] when the kernel is larger than the padded input, or has no size or stride.
    pub fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize), ShapeError> {
        let padding = &self.padding;
        let size = |axis: usize, input: usize, padding: usize| {
            let reach = self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?;
            let room = input.checked_add(padding)?.checked_sub(reach)?.checked_sub(1)?;
            let steps = room.checked_div(self.stride[axis])?;
            (input > 0).then_some(steps + 1)
        };
        let rows = size(0, height, padding.top.saturating_add(padding.bottom));
        let columns = size(1, width, padding.left.saturating_add(padding.right));
        rows.zip(columns)
            .ok_or_else(|| ShapeError(format!("{height} x {width} is no input for {self:?}")))
    }

    /// Multiplications and additions for one output pixel, computed directly.
    #[must_use]
    pub fn flops_per_pixel(&self) -> u64 {
        let taps = self.kernel[0] * self.kernel[1];
        2 * (taps * self.in_channels / self.groups.max(1) * self.out_channels) as u64
    }

    /// The fastest algorithm for this shape that computes finely enough with these weights.
    pub(super) fn algorithm(&self, weight: &[f32]) -> Algorithm {
        // with few input channels Winograd's transforms outweigh what it saves
        let pays = self.in_channels >= 8 && self.allows(Algorithm::Winograd);
        let is_deep = self.in_channels.saturating_mul(self.out_channels) > DEEP;
        // one channel to one: both are allowed, and a matrix product has no taps to look for
        [Algorithm::Pointwise, Algorithm::Depthwise]
            .into_iter()
            .find(|algorithm| self.allows(*algorithm))
            .or_else(|| {
                (pays && !is_deep && accuracy::is_enough(self, weight, 4))
                    .then_some(Algorithm::Winograd)
            })
            .or_else(|| {
                (pays && accuracy::is_enough(self, weight, 2)).then_some(Algorithm::WinogradSmall)
            })
            .unwrap_or(Algorithm::Direct)
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        let plain = self.stride == [1, 1] && self.dilation == [1, 1];
        match algorithm {
            Algorithm::Direct => true,
            Algorithm::Winograd | Algorithm::WinogradSmall => {
                plain && self.groups == 1 && self.kernel == [3, 3]
            }
            Algorithm::Pointwise => {
                plain
                    && self.groups == 1
                    && self.kernel == [1, 1]
                    && self.padding == Padding::default()
            }
            Algorithm::Depthwise => {
                self.groups == self.in_channels && self.groups == self.out_channels
            }
        }
    }

    pub(crate) fn check(&self, weights: usize, biases: Option<usize>) -> Result<(), ShapeError> {
        let no_zero = [self.in_channels, self.out_channels, self.groups]
            .into_iter()
            .chain(self.kernel.into_iter().chain(self.stride).chain(self.dilation))
            .all(|n| n > 0);
        if !no_zero
            || !self.in_channels.is_multiple_of(self.groups)
            || !self.out_channels.is_multiple_of(self.groups)
        {
            return Err(ShapeError(format!("no convolution has the shape {self:?}")));
        }
        let wanted = [self.in_channels / self.groups, self.kernel[0], self.kernel[1]]
            .into_iter()
            .try_fold(self.out_channels, usize::checked_mul);
        if wanted != Some(weights) {
            return Err(ShapeError(format!("{weights} weights do not fill {self:?}")));
        }
        if biases.is_some_and(|n| n != self.out_channels) {
            return Err(ShapeError(format!(
                "{} biases for {} output channels",
                biases.unwrap_or(0),
                self.out_channels
            )));
        }
        Ok(())
    }
}
