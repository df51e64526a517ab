//! Any of the speech networks, as the sound engine drives them.

use super::own::is_for_files;
use super::{DeepFilterNet3, OwnFileSpeech, OwnSpeech};
use crate::error::{LoadError, NetError};

/// A speech network listening to one channel, whichever it is.
#[derive(Debug)]
pub enum SpeechNetwork {
    /// Our own for sound that is heard as it comes.
    Own(Box<OwnSpeech>),
    /// Our own for whole recordings.
    OwnFile(Box<OwnFileSpeech>),
    /// The pack of that name.
    DeepFilter(Box<DeepFilterNet3>),
}

impl SpeechNetwork {
    /// Reads a weight file of our own network, of either form.
    ///
    /// # Errors
    /// As [`OwnSpeech::read`].
    pub fn read_own(bytes: &[u8]) -> Result<Self, LoadError> {
        Ok(if is_for_files(bytes)? {
            Self::OwnFile(Box::new(OwnFileSpeech::read(bytes)?))
        } else {
            Self::Own(Box::new(OwnSpeech::read(bytes)?))
        })
    }

    /// Whether it can clean while sound arrives: what comes out is not seconds late.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::OwnFile(_))
    }

    /// Samples a second that go in and come out.
    #[must_use]
    pub fn rate(&self) -> u32 {
        match self {
            Self::Own(_) => OwnSpeech::RATE,
            Self::OwnFile(_) => OwnFileSpeech::RATE,
            Self::DeepFilter(_) => DeepFilterNet3::RATE,
        }
    }

    /// Samples that [`Self::process`] takes and gives.
    #[must_use]
    pub fn hop(&self) -> usize {
        match self {
            Self::Own(_) => OwnSpeech::HOP,
            Self::OwnFile(_) => OwnFileSpeech::HOP,
            Self::DeepFilter(_) => DeepFilterNet3::HOP,
        }
    }

    /// Samples by which the output is later than the input.
    #[must_use]
    pub fn delay(&self) -> usize {
        match self {
            Self::Own(_) => OwnSpeech::DELAY,
            Self::OwnFile(_) => OwnFileSpeech::DELAY,
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
            Self::OwnFile(network) => network.process(input, output),
            Self::DeepFilter(network) => network.process(input, output),
        }
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        match self {
            Self::Own(network) => network.reset(),
            Self::OwnFile(network) => network.reset(),
            Self::DeepFilter(network) => network.reset(),
        }
    }
}
