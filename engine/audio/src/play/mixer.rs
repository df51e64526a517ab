//! The device's thread: one frame of each source, added up.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use rtrb::Consumer;

/// How long a change of weights takes: too short to notice, too long to click.
const FADE_SECONDS: f32 = 0.005;

/// What the player turns and the device's thread reads, or the other way round.
#[derive(Debug)]
pub(crate) struct Dials {
    pub(crate) is_playing: AtomicBool,
    /// A weight for each source, as bits.
    weights: Vec<AtomicU32>,
    /// Frames that have left the ring.
    pub(crate) read: AtomicU64,
    /// Frames before this one are not to be heard: there was a jump.
    pub(crate) skip_to: AtomicU64,
    /// Frames that were due and not there.
    pub(crate) starved: AtomicU64,
    /// Where the sources end, in frames of the ring; `u64::MAX` while that is not known.
    pub(crate) ends_at: AtomicU64,
}

impl Dials {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            is_playing: AtomicBool::new(false),
            weights: (0..sources).map(|_| AtomicU32::new(0)).collect(),
            read: AtomicU64::new(0),
            skip_to: AtomicU64::new(0),
            starved: AtomicU64::new(0),
            ends_at: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn set_weights(&self, weights: &[f32]) {
        for (dial, weight) in self.weights.iter().zip(weights) {
            dial.store(weight.to_bits(), Ordering::Relaxed);
        }
    }
}

/// Never allocates, locks or waits.
pub(crate) struct Mixer {
    ring: Consumer<f32>,
    channels: usize,
    device_channels: usize,
    step: f32,
    weights: Vec<f32>,
    read: u64,
}

impl Mixer {
    /// For a ring of frames that hold `channels` samples of each of the sources.
    pub(crate) fn new(
        ring: Consumer<f32>,
        sources: usize,
        channels: usize,
        device_channels: u16,
        rate: u32,
    ) -> Self {
        Self {
            ring,
            channels,
            device_channels: usize::from(device_channels).max(1),
            step: 1.0 / (FADE_SECONDS * rate.max(1) as f32),
            weights: vec![0.0; sources],
            read: 0,
        }
    }

    /// Writes the device's next interleaved frames.
    pub(crate) fn fill(&mut self, dials: &Dials, out: &mut [f32]) {
        let width = self.weights.len() * self.channels;
        let is_playing = dials.is_playing.load(Ordering::Acquire);
        let late = dials.skip_to.load(Ordering::Acquire).saturating_sub(self.read);
        let late = usize::try_from(late).unwrap_or(usize::MAX).min(self.ring.slots() / width);
        if late > 0
            && let Ok(chunk) = self.ring.read_chunk(late * width)
        {
            chunk.commit_all();
            self.read += late as u64;
        }
        let ends_at = dials.ends_at.load(Ordering::Acquire);
        let mut there = self.ring.slots() / width;
        let mut starved = 0;
        for frame in out.chunks_exact_mut(self.device_channels) {
            frame.fill(0.0);
            if !is_playing && self.weights.iter().all(|&w| w == 0.0) {
                continue;
            }
            for (weight, dial) in self.weights.iter_mut().zip(&dials.weights) {
                let target =
                    if is_playing { f32::from_bits(dial.load(Ordering::Relaxed)) } else { 0.0 };
                *weight += (target - *weight).clamp(-self.step, self.step);
            }
            if there == 0 {
                starved += u64::from(is_playing && self.read < ends_at);
                continue;
            }
            let mut sum = [0.0_f32; 2];
            for &weight in &self.weights {
                for channel in 0..self.channels {
                    sum[channel.min(1)] += weight * self.ring.pop().unwrap_or(0.0);
                }
            }
            there -= 1;
            self.read += 1;
            match (self.channels, frame) {
                (1, frame) => frame.fill(sum[0]),
                (_, [one]) => *one = (sum[0] + sum[1]) / 2.0,
                (_, [left, right, ..]) => (*left, *right) = (sum[0], sum[1]),
                (_, []) => {}
            }
        }
        dials.starved.fetch_add(starved, Ordering::Relaxed);
        dials.read.store(self.read, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::{Producer, RingBuffer};

    /// Two mono sources at 1000 Hz, where a fade takes five frames.
    fn mixer(device_channels: u16) -> (Producer<f32>, Mixer, Dials) {
        let (producer, consumer) = RingBuffer::new(4096);
        (producer, Mixer::new(consumer, 2, 1, device_channels, 1000), Dials::new(2))
    }

    #[test]
    fn a_switch_fades_and_stays_in_step() {
        let (mut ring, mut mixer, dials) = mixer(2);
        for i in 0..40 {
            ring.push_entire_slice(&[i as f32, -i as f32]).unwrap();
        }
        let mut out = [7.0; 20];
        mixer.fill(&dials, &mut out);
        assert_eq!(out, [0.0; 20], "not playing");
        dials.is_playing.store(true, Ordering::Release);
        dials.set_weights(&[1.0, 0.0]);
        mixer.fill(&dials, &mut out);
        assert!((out[2] - 0.4).abs() < 1e-6 && out[2] == out[3], "fading in: {out:?}");
        assert_eq!(out[18], 9.0);
        dials.set_weights(&[0.0, 1.0]);
        mixer.fill(&dials, &mut out);
        assert_eq!(out[18], -19.0, "the other source, at the same frame");
        dials.set_weights(&[1.0, -1.0]);
        mixer.fill(&dials, &mut out);
        assert_eq!(dials.read.load(Ordering::Acquire), 30);
    }

    #[test]
    fn a_jump_leaves_out_what_was_before_it() {
        let (mut ring, mut mixer, dials) = mixer(1);
        dials.is_playing.store(true, Ordering::Release);
        dials.set_weights(&[1.0, 0.0]);
        ring.push_entire_slice(&[1.0; 20]).unwrap();
        let mut out = [0.0; 5];
        mixer.fill(&dials, &mut out);
        dials.skip_to.store(10, Ordering::Release);
        ring.push_entire_slice(&[2.0; 20]).unwrap();
        mixer.fill(&dials, &mut out);
        assert_eq!(out, [2.0; 5]);
        assert_eq!(dials.read.load(Ordering::Acquire), 15);
        mixer.fill(&dials, &mut [0.0; 9]);
        assert_eq!(dials.starved.load(Ordering::Relaxed), 4);
    }
}
