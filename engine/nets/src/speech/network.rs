//! Any of the speech networks, as the sound engine drives them.

use super::{DeepFilterNet3, OwnSpeech};
use crate::error::NetError;

/// A speech network listening to one channel, whichever it is.
#[derive(Debug)]
pub enum SpeechNetwork {
    /// The one that is inside the program.
    Own(Box<OwnSpeech>),
    /// The pack of that name.
    DeepFilter(Box<DeepFilterNet3>),
}

impl SpeechNetwork {
    /// Samples a second that go in and come out.
    #[must_use]
    pub fn rate(&self) -> u32 {
        match self {
            Self::Own(_) => OwnSpeech::RATE,
            Self::DeepFilter(_) => DeepFilterNet3::RATE,
        }
    }

    /// Samples that [`Self::process`] takes and gives.
    #[must_use]
    pub fn hop(&self) -> usize {
        match self {
            Self::Own(_) => OwnSpeech::HOP,
            Self::DeepFilter(_) => DeepFilterNet3::HOP,
        }
    }

    /// Samples by which the output is later than the input.
    #[must_use]
    pub fn delay(&self) -> usize {
        match self {
            Self::Own(_) => OwnSpeech::DELAY,
            Self::DeepFilter(_) => DeepFilterNet3::DELAY,
        }
    }

    /// One hop of sound, full scale ±1, to one hop of cleaned sound from [`Self::delay`] samples
    /// before.
    ///
    /// # Errors
    /// [`NetError::Input`] when input or output is not [`Self::hop`] samples long.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), NetError> {
        match self {
            Self::Own(network) => network.process(input, output),
            Self::DeepFilter(network) => network.process(input, output),
        }
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        match self {
            Self::Own(network) => network.reset(),
            Self::DeepFilter(network) => network.reset(),
        }
    }
}
