//! Limpid's own speech network: 16 kHz, frames of 32 ms every 16 ms. Described and trained by
//! `models/train/speech/`, where the same network stands in PyTorch; T-GSA's attention
//! (arXiv 1910.06762) in a band-split network. Two forms: *live* hears nothing of what comes, *file*
//! looks both ways.

mod attention;
mod block;
mod body;
mod file;
mod layers;
mod live;
mod spectra;
mod tensors;

use std::collections::BTreeMap;

use crate::error::{LoadError, NetError};
use crate::weights::metadata;

pub use file::OwnFileSpeech;
pub use live::OwnSpeech;

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
    looks_ahead: bool,
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
        looks_ahead: looks_ahead(metadata),
    };
    if !matches!(attention, Some("gaussian" | "none"))
        || !sizes.channels.is_multiple_of(2)
        || !sizes.token.is_multiple_of(sizes.heads)
    {
        return Err(LoadError::unsupported("the weight file's sizes do not fit each other"));
    }
    Ok(sizes)
}

fn looks_ahead(metadata: &BTreeMap<String, String>) -> bool {
    metadata.get("limpid.looks_ahead").is_some_and(|text| text == "true")
}

/// Whether a weight file is of the form for whole recordings.
///
/// # Errors
/// Not a weight file.
pub(crate) fn is_for_files(bytes: &[u8]) -> Result<bool, LoadError> {
    Ok(looks_ahead(&metadata(bytes)?))
}

/// A hop in and a hop out must be of this length.
fn check_hop(input: &[f32], output: &[f32]) -> Result<(), NetError> {
    let hop = spectra::HOP;
    if input.len() == hop && output.len() == hop {
        return Ok(());
    }
    let (input, output) = (input.len(), output.len());
    Err(NetError::Input(format!("{input} samples in and {output} out, where both must be {hop}")))
}

#[cfg(test)]
mod tests;
