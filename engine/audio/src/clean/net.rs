//! A network driven over sound of any length.

use crate::error::{AudioError, ErrorKind};
use crate::speech_net::SpeechNet;

/// Drives a network over any number of samples: as many out as in, at their own time.
pub(super) struct NetRunner {
    net: Box<dyn SpeechNet>,
    pending: Vec<f32>,
    block: Vec<f32>,
    hop: usize,
    skip: usize,
    taken: u64,
    given: u64,
}

impl NetRunner {
    pub(super) fn new(net: Box<dyn SpeechNet>) -> Result<Self, AudioError> {
        let (hop, delay) = (net.hop(), net.delay());
        if hop == 0 || net.rate() == 0 {
            return Err(AudioError::new(ErrorKind::Model, "the network has no rate or no hop"));
        }
        Ok(Self {
            net,
            pending: Vec::with_capacity(hop),
            block: vec![0.0; hop],
            hop,
            skip: delay,
            taken: 0,
            given: 0,
        })
    }

    /// Takes samples and appends to `output` what is ready.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<(), AudioError> {
        self.taken += input.len() as u64;
        self.feed(input, output)
    }

    fn feed(&mut self, mut input: &[f32], output: &mut Vec<f32>) -> Result<(), AudioError> {
        while !input.is_empty() {
            let take = input.len().min(self.hop - self.pending.len());
            self.pending.extend_from_slice(&input[..take]);
            input = &input[take..];
            if self.pending.len() < self.hop {
                break;
            }
            self.net.process(&self.pending, &mut self.block)?;
            self.pending.clear();
            if !self.block.iter().all(|sample| sample.is_finite()) {
                return Err(AudioError::new(
                    ErrorKind::Model,
                    "the network gave samples that are no numbers",
                ));
            }
            let skip = self.skip.min(self.hop);
            self.skip -= skip;
            output.extend_from_slice(&self.block[skip..]);
            self.given += (self.hop - skip) as u64;
        }
        Ok(())
    }

    /// Appends the rest, and begins anew.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) -> Result<(), AudioError> {
        let before = self.given;
        let start = output.len();
        let zeros = vec![0.0; self.hop];
        while self.given < self.taken {
            self.feed(&zeros, output)?;
        }
        let missing = usize::try_from(self.taken - before.min(self.taken))
            .map_err(|_| AudioError::internal("more samples than memory"))?;
        output.truncate(start + missing);
        self.net.reset();
        self.pending.clear();
        self.skip = self.net.delay();
        (self.taken, self.given) = (0, 0);
        Ok(())
    }
}
