//! What happens above the network's band, when the file has a higher rate.
//!
//! The file is split with the resampler itself: `low = up(down(x))`, `high = x − low`, so that
//! `low + high` is the file again. The network cleans `low`. The `high` band has no network; under
//! [`HighBand::Follow`] it gets the gain that the network gave the top third of an octave of its own
//! band, where the fricatives and the hiss are the same ones that go on above.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What happens to what lies above the network's band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HighBand {
    /// It is made as quiet as the network made the top of its band, within 10 ms.
    #[default]
    Follow,
    /// It is left as it is, noise included.
    Keep,
    /// It is left out; the voice sounds as over a telephone.
    Drop,
}

/// Seconds over which the power of the top is averaged, and by which the gain looks ahead.
const SECONDS: f64 = 0.01;
/// Where the top of a band begins, as a share of its width. A whole octave would hold so much of a
/// vowel that the hiss above it came and went with the voice.
const TOP: f64 = 0.794;
/// Power below which there is nothing to compare, −100 dB.
const FLOOR: f64 = 1e-10;

/// The gain that the network applied to the top of its band, for each sample.
pub(super) struct TopGain {
    noisy: HighPass,
    clean: HighPass,
    noisy_power: f64,
    clean_power: f64,
    forget: f64,
    look_ahead: usize,
    gains: VecDeque<f32>,
    last: f32,
}

impl TopGain {
    /// For sound at `rate` whose band ends at half of `net_rate`.
    pub(super) fn new(rate: u32, net_rate: u32) -> Self {
        let corner = TOP * f64::from(net_rate) / 2.0 / f64::from(rate);
        let samples = SECONDS * f64::from(rate);
        Self {
            noisy: HighPass::new(corner),
            clean: HighPass::new(corner),
            noisy_power: 0.0,
            clean_power: 0.0,
            forget: 1.0 - (-1.0 / samples).exp(),
            look_ahead: samples as usize,
            gains: VecDeque::new(),
            last: 1.0,
        }
    }

    /// Hears one sample of the low band before and after the network.
    pub(super) fn hear(&mut self, noisy: f32, clean: f32) {
        let noisy = self.noisy.next(f64::from(noisy)).powi(2);
        let clean = self.clean.next(f64::from(clean)).powi(2);
        self.noisy_power += self.forget * (noisy - self.noisy_power);
        self.clean_power += self.forget * (clean - self.clean_power);
        let gain = ((self.clean_power + FLOOR) / (self.noisy_power + FLOOR)).sqrt().min(1.0);
        self.gains.push_back(gain as f32);
    }

    /// How many samples were heard and not yet given out.
    pub(super) fn heard(&self) -> usize {
        self.gains.len()
    }

    /// How many samples have a gain by now; all that were heard once the sound is over.
    pub(super) fn ready(&self, over: bool) -> usize {
        if over { usize::MAX } else { self.gains.len().saturating_sub(self.look_ahead) }
    }

    /// The gain for the next sample.
    pub(super) fn next(&mut self) -> f32 {
        if let Some(gain) = self.gains.get(self.look_ahead) {
            self.last = *gain;
        } else if let Some(gain) = self.gains.back() {
            self.last = *gain;
        }
        self.gains.pop_front();
        self.last
    }
}

/// Butterworth high pass of second order, twice.
struct HighPass {
    b: [f64; 3],
    a: [f64; 2],
    state: [[f64; 2]; 2],
}

impl HighPass {
    /// `corner` as a share of the rate.
    fn new(corner: f64) -> Self {
        let w = std::f64::consts::TAU * corner.clamp(1e-4, 0.49);
        let alpha = w.sin() / std::f64::consts::SQRT_2;
        let scale = 1.0 / (1.0 + alpha);
        let edge = (1.0 + w.cos()) / 2.0 * scale;
        Self {
            b: [edge, -2.0 * edge, edge],
            a: [-2.0 * w.cos() * scale, (1.0 - alpha) * scale],
            state: [[0.0; 2]; 2],
        }
    }

    fn next(&mut self, mut sample: f64) -> f64 {
        for state in &mut self.state {
            let out = self.b[0] * sample + state[0];
            state[0] = self.b[1] * sample - self.a[0] * out + state[1];
            state[1] = self.b[2] * sample - self.a[1] * out;
            sample = out;
        }
        sample
    }
}
