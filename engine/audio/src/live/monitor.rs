//! The cleaned sound to a loudspeaker while it is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use super::rate::StreamResampler;
use super::recorder::MonitorRequest;
use crate::error::AudioError;
use crate::play::output::Output;

/// What is kept ahead of the loudspeaker. The two devices' clocks differ by little; where that has
/// emptied or doubled it, the sound stops or jumps for a moment and starts with this much again.
const AHEAD_SECONDS: f64 = 0.06;

/// Sound on its way to a loudspeaker.
pub(crate) struct Monitor {
    ring: Producer<f32>,
    resampler: StreamResampler,
    ready: Vec<f32>,
    gain: Arc<AtomicU32>,
    device: Option<String>,
    output: Output,
}

impl Monitor {
    /// Opens a loudspeaker for one channel at `rate` Hz.
    pub(crate) fn open(wanted: MonitorRequest, rate: u32) -> Result<Self, AudioError> {
        let MonitorRequest { device, gain } = wanted;
        let planned = Output::plan(device.as_deref(), Some(rate))?;
        let format = planned.format();
        let ahead = (f64::from(format.rate) * AHEAD_SECONDS) as usize;
        let (producer, consumer) = RingBuffer::new(8 * ahead.max(1));
        let gain = Arc::new(AtomicU32::new(gain.to_bits()));
        let mut speaker =
            Speaker { ring: consumer, ahead, playing: false, gain: Arc::clone(&gain) };
        let channels = usize::from(format.channels);
        let output = planned.start(move |frames| speaker.fill(frames, channels))?;
        let resampler = StreamResampler::new(rate, format.rate, 1)?;
        Ok(Self { ring: producer, resampler, ready: Vec::new(), gain, device, output })
    }

    /// Sends samples on. What finds no room is left out.
    pub(crate) fn push(&mut self, mono: &[f32]) -> Result<(), AudioError> {
        if let Some(fault) = self.output.fault() {
            return Err(fault);
        }
        self.ready.clear();
        self.resampler.push(mono, &mut self.ready)?;
        let _ = self.ring.push_partial_slice(&self.ready);
        Ok(())
    }

    /// The id or name that was asked for.
    pub(crate) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// How loud, 1 for as it is.
    pub(crate) fn set_gain(&self, gain: f32) {
        self.gain.store(gain.to_bits(), Ordering::Relaxed);
    }
}

/// The loudspeaker's end of the ring, on the device's thread.
struct Speaker {
    ring: Consumer<f32>,
    ahead: usize,
    playing: bool,
    gain: Arc<AtomicU32>,
}

impl Speaker {
    fn fill(&mut self, frames: &mut [f32], channels: usize) {
        let gain = f32::from_bits(self.gain.load(Ordering::Relaxed));
        let wanted = frames.len() / channels.max(1);
        let mut there = self.ring.slots();
        let most = 3 * self.ahead.max(wanted);
        if there > most {
            let late = there - self.ahead.max(wanted);
            if let Ok(chunk) = self.ring.read_chunk(late) {
                chunk.commit_all();
            }
            there -= late;
        }
        self.playing = if self.playing { there >= wanted } else { there >= self.ahead.max(wanted) };
        for frame in frames.chunks_exact_mut(channels.max(1)) {
            let sample = if self.playing { self.ring.pop().unwrap_or(0.0) } else { 0.0 };
            frame.fill(sample * gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(ahead: usize) -> (Producer<f32>, Speaker) {
        let (producer, ring) = RingBuffer::new(8 * ahead);
        let gain = Arc::new(AtomicU32::new(0.5_f32.to_bits()));
        (producer, Speaker { ring, ahead, playing: false, gain })
    }

    #[test]
    fn it_waits_until_enough_is_there_then_plays_all_channels() {
        let (mut ring, mut speaker) = speaker(8);
        let mut frames = [9.0; 8];
        ring.push_entire_slice(&[1.0; 7]).unwrap();
        speaker.fill(&mut frames, 2);
        assert_eq!(frames, [0.0; 8], "too little yet");
        ring.push_entire_slice(&[1.0; 2]).unwrap();
        speaker.fill(&mut frames, 2);
        speaker.fill(&mut frames, 2);
        assert_eq!(frames, [0.5; 8]);
        speaker.fill(&mut frames, 2);
        assert_eq!(frames, [0.0; 8], "one sample is no block: it waits again");
        assert_eq!(speaker.ring.slots(), 1);
    }

    #[test]
    fn it_catches_up_when_it_is_late() {
        let (mut ring, mut speaker) = speaker(8);
        let samples: Vec<f32> = (0..40).map(|i| i as f32).collect();
        ring.push_entire_slice(&samples).unwrap();
        let mut frames = [0.0; 4];
        speaker.fill(&mut frames, 1);
        assert_eq!(frames, [16.0, 16.5, 17.0, 17.5], "eight samples ahead of the newest");
    }
}
