//! The tensor that crosses crate borders: planar `f32`.

/// A picture or feature map as `[channels, height, width]`, row-major, contiguous.
///
/// Samples of pictures are display-referred and nominally in `0..=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

/// A shape does not fit what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShapeError(pub String);

impl Planes {
    /// Zeros of shape `[channels, height, width]`.
    #[must_use]
    pub fn zeros(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, data: vec![0.0; channels * height * width] }
    }

    /// Wraps `data`, laid out `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ShapeError`] when the length of `data` is not `channels * height * width`.
    pub fn from_vec(
        channels: usize,
        height: usize,
        width: usize,
        data: Vec<f32>,
    ) -> Result<Self, ShapeError> {
        let wanted = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
        if wanted == Some(data.len()) {
            Ok(Self { channels, height, width, data })
        } else {
            Err(ShapeError(format!(
                "{} values do not fill {channels} x {height} x {width}",
                data.len()
            )))
        }
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

    /// All samples, `[channels, height, width]`.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All samples, `[channels, height, width]`.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The samples by themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// One channel, `[height, width]`. Panics when `channel` is out of range, as slices do.
    #[must_use]
    pub fn plane(&self, channel: usize) -> &[f32] {
        let n = self.height * self.width;
        &self.data[channel * n..(channel + 1) * n]
    }

    /// One channel, `[height, width]`. Panics when `channel` is out of range, as slices do.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [f32] {
        let n = self.height * self.width;
        &mut self.data[channel * n..(channel + 1) * n]
    }

    /// The same with its last row and column repeated out to `height` x `width`, each at least
    /// what it is now.
    ///
    /// # Panics
    /// If `height` or `width` is smaller than the planes', or these are empty.
    #[must_use]
    pub fn with_repeated_edge(&self, height: usize, width: usize) -> Self {
        assert!(height >= self.height && width >= self.width && self.height * self.width > 0);
        let mut grown = Self::zeros(self.channels, height, width);
        for channel in 0..self.channels {
            let source = self.plane(channel);
            for (y, row) in grown.plane_mut(channel).chunks_exact_mut(width).enumerate() {
                let from = &source[y.min(self.height - 1) * self.width..][..self.width];
                row[..self.width].copy_from_slice(from);
                row[self.width..].fill(from[self.width - 1]);
            }
        }
        grown
    }

    /// A copy of the rectangle at (`x`, `y`) of `width` x `height`, all channels.
    ///
    /// # Errors
    /// [`ShapeError`] when the rectangle leaves the picture.
    pub fn crop(
        &self,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
    ) -> Result<Self, ShapeError> {
        let inside = x.checked_add(width).is_some_and(|r| r <= self.width)
            && y.checked_add(height).is_some_and(|b| b <= self.height);
        if !inside {
            return Err(ShapeError(format!(
                "crop {width} x {height} at ({x}, {y}) leaves {} x {}",
                self.width, self.height
            )));
        }
        let mut data = Vec::with_capacity(self.channels * width * height);
        for channel in 0..self.channels {
            let plane = self.plane(channel);
            for row in y..y + height {
                data.extend_from_slice(&plane[row * self.width + x..row * self.width + x + width]);
            }
        }
        Ok(Self { channels: self.channels, height, width, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crop_takes_the_asked_rectangle_of_every_channel() {
        let data = (0..2 * 3 * 4).map(|v| v as f32).collect();
        let planes = Planes::from_vec(2, 3, 4, data).unwrap();
        let crop = planes.crop(1, 1, 2, 2).unwrap();
        assert_eq!(crop.data(), [5.0, 6.0, 9.0, 10.0, 17.0, 18.0, 21.0, 22.0]);
        assert!(planes.crop(3, 0, 2, 1).is_err());
    }
}
