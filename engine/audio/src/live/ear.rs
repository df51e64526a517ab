//! What is heard and drawn while it is recorded: the network alone, at its own rate, as soon as it
//! has an answer. Nothing above its band, no echo removal: those need to hear what comes next.

use super::rate::StreamResampler;
use crate::error::{AudioError, ErrorKind};
use crate::speech_net::SpeechNet;

/// What is heard later than this helps nobody: on a computer that is too slow the ear leaves sound
/// out, and the take gets the time.
const MOST_BEHIND_SECONDS: f64 = 1.5;

pub(crate) struct Ear {
    net: Box<dyn SpeechNet>,
    resampler: StreamResampler,
    /// At the network's rate, from `done` on not yet heard by the network.
    waiting: Vec<f32>,
    done: usize,
    cleaned: Vec<f32>,
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
            self.done = self.waiting.len() - most / 2;
        }
        Ok(())
    }

    /// Cleans one hop, if there is one, and returns it.
    pub(crate) fn step(&mut self) -> Result<Option<&[f32]>, AudioError> {
        let hop = self.cleaned.len();
        let Some(input) = self.waiting.get(self.done..self.done + hop) else { return Ok(None) };
        self.net.process(input, &mut self.cleaned)?;
        self.done += hop;
        let late = self.skip.min(hop);
        self.skip -= late;
        Ok(Some(&self.cleaned[late..]))
    }
}
