//! What a byte stands for.

use crate::ShapeError;

/// Smallest and largest scale: far from where products of scales leave the range of `f32`.
pub(super) const SCALES: std::ops::RangeInclusive<f32> = 1e-9..=1e9;

/// The numbers that bytes stand for: `(byte - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    scale: f32,
    zero_point: u8,
}

impl Default for Quantization {
    /// Bytes as whole numbers, 0 to 255.
    fn default() -> Self {
        Self { scale: 1.0, zero_point: 0 }
    }
}

impl Quantization {
    /// A step of `scale`, from 1e-9 to 1e9, and the byte that stands for 0.
    ///
    /// # Errors
    /// [`ShapeError`] for any other scale.
    pub fn new(scale: f32, zero_point: u8) -> Result<Self, ShapeError> {
        if SCALES.contains(&scale) {
            Ok(Self { scale, zero_point })
        } else {
            Err(ShapeError(format!("a quantization step of {scale:e}")))
        }
    }

    /// The finest steps that hold all numbers from `low` to `high`, and 0 exactly.
    ///
    /// # Errors
    /// [`ShapeError`] for limits that are not numbers, or too large.
    pub fn of_range(low: f32, high: f32) -> Result<Self, ShapeError> {
        let (low, high) = (f64::from(low).min(0.0), f64::from(high).max(0.0));
        if !(low.is_finite() && high.is_finite()) {
            return Err(ShapeError(format!("no steps reach from {low:e} to {high:e}")));
        }
        let scale = ((high - low) / 255.0).max(f64::from(*SCALES.start()));
        Self::new(scale as f32, (-low / scale).round_ties_even().clamp(0.0, 255.0) as u8)
    }

    /// Distance between the numbers of neighbouring bytes.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The byte that stands for 0.
    #[must_use]
    pub fn zero_point(&self) -> u8 {
        self.zero_point
    }

    /// The byte for a number: `clamp(round(value * (1 / scale)) + zero_point, 0, 255)`, ties to
    /// even; 0 for what is not a number.
    #[must_use]
    pub fn quantize(&self, value: f32) -> u8 {
        let (low, high) = self.limits();
        let steps = (value * (1.0 / self.scale)).max(low).min(high).round_ties_even();
        (steps as i32 + i32::from(self.zero_point)) as u8
    }

    /// The number a byte stands for.
    #[must_use]
    pub fn dequantize(&self, byte: u8) -> f32 {
        (i32::from(byte) - i32::from(self.zero_point)) as f32 * self.scale
    }

    /// The least and greatest multiples of the step that a byte can stand for.
    pub(super) fn limits(&self) -> (f32, f32) {
        let zero = f32::from(self.zero_point);
        (-zero, 255.0 - zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_held_with_zero_in_it() {
        let rows = [(0.0, 1.0, 0), (-1.0, 1.0, 128), (-2.0, -1.0, 255), (3.0, 4.0, 0)];
        for (low, high, zero) in rows {
            let found = Quantization::of_range(low, high).unwrap();
            assert_eq!(found.zero_point(), zero, "{low} to {high}");
            assert_eq!(found.dequantize(zero), 0.0);
            for value in [low, high] {
                let back = found.dequantize(found.quantize(value));
                assert!((back - value).abs() <= found.scale(), "{value} became {back}");
            }
        }
        assert!(Quantization::of_range(0.0, 0.0).is_ok(), "a value that is always 0");
        assert!(Quantization::of_range(f32::NAN, f32::INFINITY).is_err());
        assert!(Quantization::new(0.0, 0).is_err() && Quantization::new(f32::NAN, 0).is_err());
    }

    #[test]
    fn bytes_survive_the_way_there_and_back() {
        let steps = Quantization::new(0.37, 77).unwrap();
        assert!((0..=255).all(|byte| steps.quantize(steps.dequantize(byte)) == byte));
        assert_eq!(
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|v| steps.quantize(v)),
            [0, 255, 0]
        );
    }
}
