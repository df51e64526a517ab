//! The form for sound that is heard as it comes: causal, without any look-ahead.

use super::block::Block;
use super::body::Body;
use super::spectra::{self, BINS, FEATURES, OUTPUTS, Spectra};
use super::{BANDS, check_hop};
use crate::error::{LoadError, NetError};

/// The network with the state of one stream.
///
/// [`OwnSpeech::process`] neither allocates nor waits. A stream's state is 64 KB or so; the weights
/// are not shared between streams.
#[derive(Clone, Debug)]
pub struct OwnSpeech {
    spectra: Spectra,
    body: Body,
    floor: f32,
    /// `[BANDS][channels]`.
    frame: Vec<f32>,
    /// `[BINS][FEATURES]` and `[BINS][OUTPUTS]`.
    features: Vec<f32>,
    outputs: Vec<f32>,
}

impl OwnSpeech {
    /// Samples a second that go in and come out.
    pub const RATE: u32 = 16_000;

    /// Samples that [`OwnSpeech::process`] takes and gives.
    pub const HOP: usize = spectra::HOP;

    /// Samples by which the output is later than the input: sample `n` of what came in is sample
    /// `n + DELAY` of what comes out. With the wait for a hop to fill, the algorithmic latency is
    /// `HOP + DELAY` samples, 32 ms.
    pub const DELAY: usize = spectra::WINDOW - spectra::HOP;

    /// Reads a weight file, safetensors with `limpid.arch = gsa-voice`, in F16 or F32.
    ///
    /// # Errors
    /// Not a weight file, one for another network or form, sizes out of bounds, or a tensor missing,
    /// left over, of another shape or type, or with values that are not numbers.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let body = Body::read(bytes, false)?;
        Ok(Self {
            spectra: Spectra::new()?,
            frame: vec![0.0; BANDS * body.channels],
            body,
            floor: 0.0,
            features: vec![0.0; BINS * FEATURES],
            outputs: vec![0.0; BINS * OUTPUTS],
        })
    }

    /// How much of the noisy sound stays at least, as a factor 0..1: `10^(-limit_db / 20)` for an
    /// attenuation limit in dB, 0 for none.
    pub fn set_floor(&mut self, floor: f32) {
        self.floor = if floor.is_finite() { floor.clamp(0.0, 1.0) } else { 0.0 };
    }

    /// Forgets the stream: as after [`OwnSpeech::read`], but for the floor.
    pub fn reset(&mut self) {
        self.spectra.reset();
        self.body.blocks.iter_mut().for_each(Block::reset);
    }

    /// One hop of sound, -1..1 and mono, to one hop of cleaned sound from [`OwnSpeech::DELAY`]
    /// samples before. Values that are not numbers are taken for silence.
    ///
    /// # Errors
    /// [`NetError::Input`] when input or output is not [`OwnSpeech::HOP`] samples long.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), NetError> {
        check_hop(input, output)?;
        self.spectra.take(input, &mut self.features)?;
        self.body.encode(&self.features, &mut self.frame);
        for block in &mut self.body.blocks {
            block.run(&mut self.frame)?;
        }
        self.body.decode(&self.frame, &mut self.outputs);
        self.spectra.give(&self.outputs, self.floor, output)?;
        Ok(())
    }
}
