//! Limpid's own speech network, live form: causal, 16 kHz, frames of 32 ms every 16 ms, no
//! look-ahead. Described and trained by `models/train/speech/`, where the same network stands in
//! PyTorch; T-GSA's attention (arXiv 1910.06762) in a band-split network.

mod attention;
mod block;
mod layers;
mod spectra;
mod tensors;

use std::collections::BTreeMap;

use block::Block;
use layers::{Linear, Norm};
use spectra::{BINS, FEATURES, OUTPUTS, Spectra};
use tensors::Tensors;

use crate::built_in::SPEECH;
use crate::card::ModelCard;
use crate::error::{LoadError, NetError};
use crate::weights::metadata;

/// What a weight file for this network says under `limpid.arch`.
const ARCH: &str = "gsa-voice";

/// Groups of bands: how many, and how many bins each has.
const GROUPS: [(usize, usize); 3] = [(16, 4), (8, 8), (8, 16)];
const BANDS: usize = 32;

/// Hyper-parameters of a weight file.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    channels: usize,
    blocks: usize,
    token: usize,
    heads: usize,
    squeezed: usize,
    has_attention: bool,
}

/// The network with the state of one stream.
///
/// [`OwnSpeech::process`] neither allocates nor waits. A stream's state is 64 KB or so; the weights
/// are not shared between streams.
#[derive(Clone, Debug)]
pub struct OwnSpeech {
    spectra: Spectra,
    /// One a band, from the features of its bins.
    encode: Vec<Linear>,
    blocks: Vec<Block>,
    last_norm: Norm,
    last: Linear,
    /// One a band, to the outputs of its bins.
    decode: Vec<Linear>,
    floor: f32,
    channels: usize,
    /// `[BANDS][channels]`.
    frame: Vec<f32>,
    /// One band's scratch, twice.
    normed: Vec<f32>,
    top: Vec<f32>,
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

    /// The network that is inside the program, and its card.
    ///
    /// # Errors
    /// The weights or the card are faulty, which the tests of this crate exclude.
    pub fn built_in() -> Result<(ModelCard, Self), LoadError> {
        let model =
            SPEECH.first().ok_or_else(|| LoadError::damaged("no speech model is built in"))?;
        Ok((model.card()?, Self::read(model.weights)?))
    }

    /// Reads a weight file, safetensors with `limpid.arch = gsa-voice`, in F16 or F32.
    ///
    /// # Errors
    /// Not a weight file, one for another network, sizes out of bounds, or a tensor missing, left
    /// over, of another shape or type, or with values that are not numbers.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let sizes = sizes(&metadata(bytes)?)?;
        let Sizes { channels, blocks, .. } = sizes;
        let tensors = Tensors::read(bytes)?;
        let encode_bias = tensors.take("encode_bias", &[BANDS, channels])?;
        let (mut encode, mut decode) = (Vec::new(), Vec::new());
        for (group, (count, width)) in GROUPS.into_iter().enumerate() {
            let (inputs, outputs) = (FEATURES * width, OUTPUTS * width);
            let weights = tensors.take(&format!("encode.{group}"), &[count, inputs, channels])?;
            for weights in weights.chunks_exact(inputs * channels) {
                let bias = &encode_bias[encode.len() * channels..][..channels];
                encode.push(Linear::from_columns(weights, bias));
            }
            let weights = tensors.take(&format!("decode.{group}"), &[count, channels, outputs])?;
            let biases = tensors.take(&format!("decode_bias.{group}"), &[count, outputs])?;
            let bands = weights.chunks_exact(channels * outputs).zip(biases.chunks_exact(outputs));
            decode.extend(bands.map(|(weights, bias)| Linear::from_columns(weights, bias)));
        }
        let blocks: Result<_, _> =
            (0..blocks).map(|i| Block::read(&tensors, &format!("blocks.{i}"), &sizes)).collect();
        let network = Self {
            spectra: Spectra::new()?,
            encode,
            blocks: blocks?,
            last_norm: tensors.norm("last_norm", channels)?,
            last: tensors.linear("last", channels, channels)?,
            decode,
            floor: 0.0,
            channels,
            frame: vec![0.0; BANDS * channels],
            normed: vec![0.0; channels],
            top: vec![0.0; channels],
            features: vec![0.0; BINS * FEATURES],
            outputs: vec![0.0; BINS * OUTPUTS],
        };
        tensors.finish()?;
        Ok(network)
    }

    /// How much of the noisy sound stays at least, as a factor 0..1: `10^(-limit_db / 20)` for an
    /// attenuation limit in dB, 0 for none.
    pub fn set_floor(&mut self, floor: f32) {
        self.floor = if floor.is_finite() { floor.clamp(0.0, 1.0) } else { 0.0 };
    }

    /// Forgets the stream: as after [`OwnSpeech::read`], but for the floor.
    pub fn reset(&mut self) {
        self.spectra.reset();
        self.blocks.iter_mut().for_each(Block::reset);
    }

    /// One hop of sound, -1..1 and mono, to one hop of cleaned sound from [`OwnSpeech::DELAY`]
    /// samples before. Values that are not numbers are taken for silence.
    ///
    /// # Errors
    /// [`NetError::Input`] when input or output is not [`OwnSpeech::HOP`] samples long.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), NetError> {
        if input.len() != Self::HOP || output.len() != Self::HOP {
            let (input, output) = (input.len(), output.len());
            let hop = Self::HOP;
            return Err(NetError::Input(format!(
                "{input} samples in and {output} out, where both must be {hop}"
            )));
        }
        self.spectra.take(input, &mut self.features)?;
        let mut features = &self.features[..];
        for (band, encode) in self.encode.iter().enumerate() {
            let (part, rest) = features.split_at(FEATURES * width(band));
            encode.run(part, &mut self.frame[band * self.channels..][..self.channels]);
            features = rest;
        }
        for block in &mut self.blocks {
            block.run(&mut self.frame)?;
        }
        let mut outputs = &mut self.outputs[..];
        for (band, decode) in self.decode.iter().enumerate() {
            self.last_norm
                .run(&self.frame[band * self.channels..][..self.channels], &mut self.normed);
            self.last.run(&self.normed, &mut self.top);
            self.top.iter_mut().for_each(|value| *value = value.max(0.0));
            let (part, rest) = outputs.split_at_mut(OUTPUTS * width(band));
            decode.run(&self.top, part);
            outputs = rest;
        }
        self.spectra.give(&self.outputs, self.floor, output)?;
        Ok(())
    }
}

/// Bins of a band.
fn width(band: usize) -> usize {
    let mut first = 0;
    for (count, width) in GROUPS {
        first += count;
        if band < first {
            return width;
        }
    }
    0
}

/// Reads the hyper-parameters; out of these bounds a file is refused before anything is allocated.
fn sizes(metadata: &BTreeMap<String, String>) -> Result<Sizes, LoadError> {
    if metadata.get("limpid.arch").map(String::as_str) != Some(ARCH) {
        return Err(LoadError::unsupported("the weight file is not for this speech network"));
    }
    let number = |key: &str, largest: usize| {
        let value = metadata.get(&format!("limpid.{key}")).and_then(|text| text.parse().ok());
        value.filter(|value| (1..=largest).contains(value)).ok_or_else(|| {
            LoadError::unsupported(format!(
                "limpid.{key} in the weight file is not a number from 1 to {largest}"
            ))
        })
    };
    let attention = metadata.get("limpid.attention").map(String::as_str);
    let sizes = Sizes {
        channels: number("channels", 256)?,
        blocks: number("blocks", 8)?,
        token: number("token", 512)?,
        heads: number("heads", 16)?,
        squeezed: number("squeezed", 64)?,
        has_attention: attention == Some("gaussian"),
    };
    if !matches!(attention, Some("gaussian" | "none"))
        || !sizes.channels.is_multiple_of(2)
        || !sizes.token.is_multiple_of(sizes.heads)
    {
        return Err(LoadError::unsupported("the weight file's sizes do not fit each other"));
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests;
