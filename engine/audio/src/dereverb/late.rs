//! Turns down what is no louder than the echo of the moment before.

use realfft::num_complex::Complex;

/// The time in seconds in which the rooms meant lose 60 dB.
const DECAY_SECONDS: f64 = 0.6;
/// Spectra between a sound and what counts as its echo: 16 milliseconds.
const DELAY: usize = 2;
/// The least that a bin is multiplied by.
const FLOOR: f32 = 0.1;
/// Of the power so far, in the running mean.
const POWER_MEMORY: f32 = 0.6;
/// Of the gain before, in the next one: jumps would be heard as chirps.
const GAIN_MEMORY: f32 = 0.5;

/// Spectral subtraction of the late echo (Lebart et al. 2001), one spectrum after the other.
pub(super) struct LateSuppressor {
    decay: f32,
    /// The running mean of the power of the last spectra, oldest first.
    power: [Vec<f32>; DELAY],
    gain: Vec<f32>,
    has_heard: bool,
}

impl LateSuppressor {
    pub(super) fn new(bins: usize, hop_seconds: f64) -> Self {
        let decay = 10_f64.powf(-6.0 * DELAY as f64 * hop_seconds / DECAY_SECONDS);
        Self {
            decay: decay as f32,
            power: std::array::from_fn(|_| vec![0.0; bins]),
            gain: vec![1.0; bins],
            has_heard: false,
        }
    }

    pub(super) fn turn_down(&mut self, spectrum: &mut [Complex<f32>]) {
        let (oldest, newest) = (0, DELAY - 1);
        for (bin, value) in spectrum.iter_mut().enumerate() {
            let power = value.norm_sqr();
            let late = self.decay * self.power[oldest][bin];
            let kept = (1.0 - late / power.max(1e-20)).max(FLOOR * FLOOR).sqrt();
            let gain = GAIN_MEMORY * self.gain[bin] + (1.0 - GAIN_MEMORY) * kept;
            self.gain[bin] = gain;
            let mean = if self.has_heard {
                POWER_MEMORY * self.power[newest][bin] + (1.0 - POWER_MEMORY) * power
            } else {
                power
            };
            // The oldest has served: its place is for the newest, after the rotation below.
            self.power[oldest][bin] = mean;
            *value *= gain;
        }
        self.power.rotate_left(1);
        self.has_heard = true;
    }
}
