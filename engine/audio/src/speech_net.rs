//! What a network must do to clean speech while it arrives.

use limpid_nets::SpeechNetwork;

use crate::error::{AudioError, ErrorKind};

/// A network that cleans one channel of speech, hop by hop.
pub trait SpeechNet: Send {
    /// The sample rate that it hears and gives, in Hz.
    fn rate(&self) -> u32;

    /// How many samples it takes and gives at a time.
    fn hop(&self) -> usize;

    /// How many samples its output lags behind its input.
    fn delay(&self) -> usize;

    /// Cleans the next hop: `input` and `output` hold [`hop`](Self::hop) samples, full scale ±1.
    ///
    /// # Errors
    ///
    /// A slice of another length, or a fault of the network.
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError>;

    /// Forgets what it has heard.
    fn reset(&mut self);
}

impl SpeechNet for SpeechNetwork {
    fn rate(&self) -> u32 {
        self.rate()
    }

    fn hop(&self) -> usize {
        self.hop()
    }

    fn delay(&self) -> usize {
        self.delay()
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
        self.process(input, output)
            .map_err(|error| AudioError::new(ErrorKind::Internal, error.to_string()).because(error))
    }

    fn reset(&mut self) {
        self.reset();
    }
}
