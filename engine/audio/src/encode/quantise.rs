//! `f32` samples to whole numbers.

/// Rounds samples to 16 or 24 bits; to 16 with triangular noise of ±1 step before it (TPDF dither:
/// Lipshitz, Wannamaker, Vanderkooy, JAES 40, 1992), so that what is quieter than a step is not
/// turned into crackle.
#[derive(Clone, Debug)]
pub(super) struct Quantiser {
    scale: f64,
    dithers: bool,
    state: u64,
}

impl Quantiser {
    /// For samples of `bits`; `seed` is where the noise begins.
    pub(super) fn new(bits: u32, seed: u64) -> Self {
        // An `f32` has 24 bits itself: noise at that depth would only cost the exact round trip.
        Self { scale: f64::from(1 << (bits - 1)), dithers: bits <= 16, state: seed }
    }

    /// The whole number for a sample with full scale at ±1.
    #[allow(clippy::cast_possible_truncation)] // clamped to the range
    pub(super) fn round(&mut self, sample: f32) -> i32 {
        let scaled = f64::from(sample) * self.scale;
        if scaled.is_nan() {
            return 0;
        }
        let on_a_step = scaled.fract() == 0.0;
        let noise = if self.dithers && !on_a_step { self.uniform() - self.uniform() } else { 0.0 };
        (scaled + noise).round_ties_even().clamp(-self.scale, self.scale - 1.0) as i32
    }

    /// 0..1, by `SplitMix64`.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_and_extremes_are_cut() {
        let mut to_16 = Quantiser::new(16, 1);
        for step in [-32_768i16, -1, 0, 1, 32_767] {
            assert_eq!(to_16.round(f32::from(step) / 32_768.0), i32::from(step));
        }
        for (sample, wanted) in [(1.0, 32_767), (9.0, 32_767), (-9.0, -32_768), (f32::NAN, 0)] {
            assert_eq!(to_16.round(sample), wanted, "{sample}");
        }
        assert_eq!(Quantiser::new(24, 1).round(-1.0), -8_388_608);
    }

    #[test]
    fn noise_keeps_the_mean_of_what_is_quieter_than_a_step() {
        let mut to_16 = Quantiser::new(16, 7);
        let values: Vec<i32> = (0..20_000).map(|_| to_16.round(0.3 / 32_768.0)).collect();
        let mean = f64::from(values.iter().sum::<i32>()) / 20_000.0;
        assert!((mean - 0.3).abs() < 0.02, "{mean}");
        assert!(values.iter().all(|value| (-1..=1).contains(value)));
        let mut again = Quantiser::new(16, 7);
        assert!(values.iter().all(|value| *value == again.round(0.3 / 32_768.0)));
    }
}
