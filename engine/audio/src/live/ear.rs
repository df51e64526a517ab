//! What is heard and drawn while it is recorded: the network alone, at its own rate, as soon as it
//! has an answer. Nothing above its band, no echo removal: those need to hear what comes next.

use super::rate::StreamResampler;
use crate::error::{AudioError, ErrorKind};
use crate::speech_net::SpeechNet;

/// What is heard later than this helps nobody: on a computer that is too slow the ear leaves sound
/// out, gives silence for it, and the take gets the time.
const MOST_BEHIND_SECONDS: f64 = 1.5;

pub(crate) struct Ear {
    net: Box<dyn SpeechNet>,
    resampler: StreamResampler,
    /// At the network's rate, from `done` on not yet heard by the network.
    waiting: Vec<f32>,
    done: usize,
    cleaned: Vec<f32>,
    /// Samples that the network will never hear, still to be given as silence: what is drawn keeps
    /// its place in time.
    left_out: usize,
    /// Samples that the network still owes from before the first one.
    skip: usize,
}

impl Ear {
    /// Listens to one channel of `device_rate` Hz.
    pub(crate) fn new(mut net: Box<dyn SpeechNet>, device_rate: u32) -> Result<Self, AudioError> {
        let (rate, hop) = (net.rate(), net.hop());
        if rate == 0 || hop == 0 {
            return Err(AudioError::new(
                ErrorKind::Model,
                "the model takes no sound: its rate or its hop is zero",
            ));
        }
        net.reset();
        Ok(Self {
            resampler: StreamResampler::new(device_rate, rate, 1)?,
            waiting: Vec::with_capacity(4 * hop),
            done: 0,
            cleaned: vec![0.0; hop],
            left_out: 0,
            skip: net.delay(),
            net,
        })
    }

    /// Frames a second of what it gives, in Hz.
    pub(crate) fn rate(&self) -> u32 {
        self.net.rate()
    }

    /// Takes samples at the device's rate. Cheap: the network hears them in [`step`](Self::step).
    pub(crate) fn push(&mut self, mono: &[f32]) -> Result<(), AudioError> {
        if 2 * self.done >= self.waiting.len() {
            self.waiting.drain(..self.done);
            self.done = 0;
        }
        self.resampler.push(mono, &mut self.waiting)?;
        let most = (MOST_BEHIND_SECONDS * f64::from(self.rate())) as usize;
        if self.waiting.len() - self.done > most {
            let next = self.waiting.len() - most / 2;
            self.left_out += next - self.done;
            self.done = next;
        }
        Ok(())
    }

    /// Cleans one hop, if there is one, and returns it; or silence for one that was left out.
    pub(crate) fn step(&mut self) -> Result<Option<&[f32]>, AudioError> {
        let hop = self.cleaned.len();
        if self.left_out >= hop {
            self.left_out -= hop;
            self.cleaned.fill(0.0);
            return Ok(Some(&self.cleaned));
        }
        let Some(input) = self.waiting.get(self.done..self.done + hop) else { return Ok(None) };
        self.net.process(input, &mut self.cleaned)?;
        self.done += hop;
        let late = self.skip.min(hop);
        self.skip -= late;
        Ok(Some(&self.cleaned[late..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: usize = 256;

    /// Gives what it hears, times two.
    struct Twice;

    impl SpeechNet for Twice {
        fn rate(&self) -> u32 {
            16_000
        }
        fn hop(&self) -> usize {
            HOP
        }
        fn delay(&self) -> usize {
            0
        }
        fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
            for (output, input) in output.iter_mut().zip(input) {
                *output = 2.0 * input;
            }
            Ok(())
        }
        fn reset(&mut self) {}
    }

    #[test]
    fn sound_left_out_leaves_as_much_silence() {
        let mut ear = Ear::new(Box::new(Twice), 16_000).unwrap();
        let seconds = |count: usize, value: f32| vec![value; count * 16_000];
        // Nobody calls `step` for four seconds.
        ear.push(&seconds(3, 0.1)).unwrap();
        ear.push(&seconds(1, 0.2)).unwrap();
        let mut heard = Vec::new();
        while let Some(cleaned) = ear.step().unwrap() {
            heard.extend_from_slice(cleaned);
        }
        assert!((4 * 16_000 - heard.len() as i64).abs() < 2 * HOP as i64, "{}", heard.len());
        let silent = heard.iter().take_while(|&&value| value == 0.0).count();
        let most = (MOST_BEHIND_SECONDS * 16_000.0) as usize;
        assert!(silent >= 4 * 16_000 - most - HOP, "{silent} samples of silence");
        assert!((heard[heard.len() - HOP] - 0.4).abs() < 1e-6, "what came last is heard");
    }
}
