//! The settings of each photo step: plain data, what a recipe stores.

use serde::{Deserialize, Serialize};

pub use limpid_nets::Effort;

/// How much noise the denoiser is told to expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StrengthText", into = "StrengthText")]
pub enum Strength {
    /// The level measured in the picture.
    #[default]
    Auto,
    /// `0..=1`, where 1 is a noise of standard deviation 75 on the 8-bit scale and 0 leaves the
    /// picture as it is.
    Fixed(f32),
}

impl Strength {
    /// Noise standard deviation on the `0..=255` scale that strength 1 stands for.
    pub const FULL_SIGMA: f32 = 75.0;
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StrengthText {
    Word(String),
    Number(f32),
}

impl TryFrom<StrengthText> for Strength {
    type Error = String;
    fn try_from(text: StrengthText) -> Result<Self, String> {
        match text {
            StrengthText::Word(word) => word.parse(),
            StrengthText::Number(value) => unit(value, "strength").map(Self::Fixed),
        }
    }
}

impl From<Strength> for StrengthText {
    fn from(strength: Strength) -> Self {
        match strength {
            Strength::Auto => Self::Word("auto".into()),
            Strength::Fixed(value) => Self::Number(value),
        }
    }
}

impl std::str::FromStr for Strength {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let value = text.parse::<f32>().map_err(|_| wrong_strength(text))?;
        unit(value, "strength").map(Self::Fixed).map_err(|_| wrong_strength(text))
    }
}

fn wrong_strength(text: &str) -> String {
    format!("strength is \"auto\" or a number from 0 to 1, not \"{text}\"")
}

fn unit(value: f32, what: &str) -> Result<f32, String> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{what} is a number from 0 to 1, not {value}"))
    }
}

/// Settings of the denoise step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Denoise {
    /// How much noise to expect.
    pub strength: Strength,
    /// Share of the brightness noise to remove, `0..=1`.
    pub luma: f32,
    /// Share of the colour noise to remove, `0..=1`.
    pub chroma: f32,
    /// How much work the result is worth.
    pub effort: Effort,
    /// Model name, or "auto" for the best one on this computer.
    pub model: String,
}

impl Default for Denoise {
    fn default() -> Self {
        Self {
            strength: Strength::Auto,
            luma: 1.0,
            chroma: 1.0,
            effort: Effort::Fast,
            model: "auto".into(),
        }
    }
}

/// How large the result is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// 2, 3 or 4 times as wide and high.
    Scale(u32),
    /// The longer side in pixels; the aspect is kept. Never smaller than the input.
    LongEdge(u32),
}

/// Settings of the upscale step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upscale {
    /// How large the result is to be.
    pub size: Size,
    /// How much work the result is worth.
    pub effort: Effort,
    /// Model name, or "auto" for the best one on this computer.
    pub model: String,
}

impl Default for Upscale {
    fn default() -> Self {
        Self { size: Size::Scale(2), effort: Effort::Fast, model: "auto".into() }
    }
}

/// A step of a recipe with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepSettings {
    /// Remove noise.
    Denoise(Denoise),
    /// Make larger.
    Upscale(Upscale),
}

impl StepSettings {
    /// The step's name for people.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::Denoise(_) => "Denoise",
            Self::Upscale(_) => "Upscale",
        }
    }

    /// Checks ranges that the types alone do not hold.
    ///
    /// # Errors
    /// A sentence naming the setting, its range and the value found.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Self::Denoise(denoise) => {
                if let Strength::Fixed(value) = denoise.strength {
                    unit(value, "strength")?;
                }
                unit(denoise.luma, "luma")?;
                unit(denoise.chroma, "chroma").map(drop)
            }
            Self::Upscale(upscale) => match upscale.size {
                Size::Scale(2..=4) => Ok(()),
                Size::Scale(other) => Err(format!("scale is 2, 3 or 4, not {other}")),
                Size::LongEdge(1..=65_535) => Ok(()),
                Size::LongEdge(other) => {
                    Err(format!("long_edge is from 1 to 65535 pixels, not {other}"))
                }
            },
        }
    }
}

/// File format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// The input's own format (PNG where the input's cannot be written).
    #[default]
    Same,
    /// PNG, 8 or 16 bit.
    Png,
    /// JPEG, 8 bit.
    Jpeg,
    /// TIFF, 8, 16 or 32 bit.
    Tiff,
    /// WebP, lossless, 8 bit.
    Webp,
}
