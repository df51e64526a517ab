//! What is said of a model: the same card in the file, on the command line and in the window.

use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Removes noise; same size out as in.
    Denoise,
    /// Makes the picture `scale` times wider and higher.
    Upscale {
        /// 2, 3 or 4.
        scale: u32,
    },
    /// Takes noise out of speech.
    Speech,
}

impl std::fmt::Display for Task {
    /// Completes "a model that can …".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denoise => f.write_str("denoise"),
            Self::Upscale { scale } => write!(f, "upscale \u{d7}{scale}"),
            Self::Speech => f.write_str("clean speech"),
        }
    }
}

/// Where a model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Trained by this project and inside the program.
    BuiltIn,
    /// A pack named in `models/packs.toml`.
    Pack,
    /// A file the user brought.
    Imported,
}

/// A model's card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Short unique name, as typed after `--model`: `ffdnet-color`.
    pub name: String,
    /// Name for people: "FFDNet colour".
    pub title: String,
    /// What it is for.
    pub task: Task,
    /// Where it came from.
    pub origin: Origin,
    /// Whether the weights are on this computer.
    pub installed: bool,
    /// What it does, in a sentence.
    pub summary: String,
    /// Where the weights were published.
    pub source: String,
    /// SPDX expression of the weights' licence.
    pub license: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Size of the weight file in bytes.
    pub bytes: u64,
    /// SHA-256 of the weight file, lower-case hexadecimal; empty when not installed.
    pub sha256: String,
    /// Measured quality, one line a data set: "Kodak24, sigma 25: 31.72 dB".
    pub quality: Vec<String>,
    /// What it does badly, one line each.
    pub limits: Vec<String>,
}

/// The part of a card that is written by hand: `card.toml`, or `[pack.card]` in `packs.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardText {
    /// See [`ModelCard::name`].
    pub name: String,
    /// See [`ModelCard::title`].
    pub title: String,
    /// See [`ModelCard::task`].
    pub task: Task,
    /// See [`ModelCard::summary`].
    pub summary: String,
    /// See [`ModelCard::source`].
    pub source: String,
    /// See [`ModelCard::license`].
    pub license: String,
    /// See [`ModelCard::parameters`].
    pub parameters: u64,
    /// See [`ModelCard::quality`].
    pub quality: Vec<String>,
    /// See [`ModelCard::limits`].
    pub limits: Vec<String>,
}

impl CardText {
    /// The card of weights that are here and came from neither the program nor a pack.
    #[must_use]
    pub fn of_import(self, bytes: u64, sha256: String) -> ModelCard {
        self.into_card(Origin::Imported, true, bytes, sha256)
    }

    pub(crate) fn into_card(
        self,
        origin: Origin,
        installed: bool,
        bytes: u64,
        sha256: String,
    ) -> ModelCard {
        let Self { name, title, task, summary, source, license, parameters, quality, limits } =
            self;
        ModelCard {
            name,
            title,
            task,
            origin,
            installed,
            summary,
            source,
            license,
            parameters,
            bytes,
            sha256,
            quality,
            limits,
        }
    }
}
