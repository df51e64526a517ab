//! The network between features and gains, which both forms share.

use super::block::Block;
use super::layers::{Linear, Norm};
use super::spectra::{FEATURES, OUTPUTS};
use super::tensors::Tensors;
use super::{BANDS, GROUPS, Sizes, sizes};
use crate::error::LoadError;
use crate::weights::metadata;

/// Layers from the features of a frame to what is done to its bins.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// One a band, from the features of its bins.
    encode: Vec<Linear>,
    pub(super) blocks: Vec<Block>,
    last_norm: Norm,
    last: Linear,
    /// One a band, to the outputs of its bins.
    decode: Vec<Linear>,
    pub(super) channels: usize,
    /// One band's scratch, twice.
    normed: Vec<f32>,
    top: Vec<f32>,
}

impl Body {
    /// Reads a weight file, which must be of the form that looks ahead or of the one that does not.
    pub(super) fn read(bytes: &[u8], looks_ahead: bool) -> Result<Self, LoadError> {
        let sizes = sizes(&metadata(bytes)?)?;
        if sizes.looks_ahead != looks_ahead {
            return Err(LoadError::unsupported(if looks_ahead {
                "the weight file is for sound that is heard as it comes"
            } else {
                "the weight file is for sound that is heard as a whole"
            }));
        }
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
        let body = Self {
            encode,
            blocks: blocks?,
            last_norm: tensors.norm("last_norm", channels)?,
            last: tensors.linear("last", channels, channels)?,
            decode,
            channels,
            normed: vec![0.0; channels],
            top: vec![0.0; channels],
        };
        tensors.finish()?;
        Ok(body)
    }

    /// The features of a frame, `[BINS][FEATURES]`, to `[BANDS][channels]`.
    pub(super) fn encode(&self, mut features: &[f32], frame: &mut [f32]) {
        for (band, encode) in self.encode.iter().enumerate() {
            let (part, rest) = features.split_at(FEATURES * width(band));
            encode.run(part, &mut frame[band * self.channels..][..self.channels]);
            features = rest;
        }
    }

    /// `[BANDS][channels]` to what is done to each bin, `[BINS][OUTPUTS]`.
    pub(super) fn decode(&mut self, frame: &[f32], mut outputs: &mut [f32]) {
        for (band, decode) in self.decode.iter().enumerate() {
            self.last_norm.run(&frame[band * self.channels..][..self.channels], &mut self.normed);
            self.last.run(&self.normed, &mut self.top);
            self.top.iter_mut().for_each(|value| *value = value.max(0.0));
            let (part, rest) = outputs.split_at_mut(OUTPUTS * width(band));
            decode.run(&self.top, part);
            outputs = rest;
        }
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
