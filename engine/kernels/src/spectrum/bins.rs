//! Complex bins as magnitude and phase, or power.

use crate::ShapeError;

fn check(bins: usize, others: &[usize]) -> Result<(), ShapeError> {
    if others.iter().all(|len| 2 * len == bins) {
        Ok(())
    } else {
        Err(ShapeError(format!("{others:?} values for {bins} of [re, im]")))
    }
}

/// Splits `bins`, `[re, im]` each, into magnitudes and phases in radians.
///
/// # Errors
/// [`ShapeError`] when the lengths do not fit.
pub fn magnitude_phase(
    bins: &[f32],
    magnitude: &mut [f32],
    phase: &mut [f32],
) -> Result<(), ShapeError> {
    check(bins.len(), &[magnitude.len(), phase.len()])?;
    for ((bin, magnitude), phase) in bins.chunks_exact(2).zip(magnitude).zip(phase) {
        *magnitude = bin[0].hypot(bin[1]);
        *phase = bin[1].atan2(bin[0]);
    }
    Ok(())
}

/// The inverse of [`magnitude_phase`].
///
/// # Errors
/// [`ShapeError`] when the lengths do not fit.
pub fn from_polar(magnitude: &[f32], phase: &[f32], bins: &mut [f32]) -> Result<(), ShapeError> {
    check(bins.len(), &[magnitude.len(), phase.len()])?;
    for ((bin, magnitude), phase) in bins.chunks_exact_mut(2).zip(magnitude).zip(phase) {
        let (sin, cos) = phase.sin_cos();
        bin[0] = magnitude * cos;
        bin[1] = magnitude * sin;
    }
    Ok(())
}

/// Squared magnitudes of `bins`, `[re, im]` each.
///
/// # Errors
/// [`ShapeError`] when the lengths do not fit.
pub fn power(bins: &[f32], power: &mut [f32]) -> Result<(), ShapeError> {
    check(bins.len(), &[power.len()])?;
    for (bin, power) in bins.chunks_exact(2).zip(power) {
        *power = bin[0] * bin[0] + bin[1] * bin[1];
    }
    Ok(())
}
