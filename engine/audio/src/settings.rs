//! The settings of speech cleaning and of its results: plain data, what a recipe stores.

use std::path::Path;

use limpid_nets::Effort;
use serde::{Deserialize, Serialize};

use crate::encode::{Container, EncodeSettings};
use crate::error::AudioError;
use crate::info::{SampleFormat, SoundInfo};

/// How a cleaned recording is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoundFormat {
    /// FLAC where the recording is FLAC, else WAV; as deep as the recording.
    #[default]
    Same,
    /// WAV, 16 bit.
    Wav16,
    /// WAV, 24 bit.
    Wav24,
    /// WAV, 32 bit floating point.
    Wav32,
    /// FLAC, as deep as the recording up to 24 bit.
    Flac,
}

impl SoundFormat {
    /// The kind of file; none where it follows from the recording.
    #[must_use]
    pub fn container(self) -> Option<Container> {
        match self {
            Self::Same => None,
            Self::Wav16 | Self::Wav24 | Self::Wav32 => Some(Container::Wav),
            Self::Flac => Some(Container::Flac),
        }
    }

    /// How a result called `path` is written. Its extension has the last word about the kind of
    /// file; the depth is the one that is set, as far as that kind has it.
    ///
    /// # Errors
    /// The name ends with another extension than `wav`, `wave` or `flac`.
    pub fn encode(self, path: &Path, info: &SoundInfo) -> Result<EncodeSettings, AudioError> {
        let named = EncodeSettings::for_path(path, info)?;
        let format = match (self, named.container) {
            (Self::Same | Self::Flac, _) => named.format,
            (Self::Wav16, _) => SampleFormat::Int16,
            (Self::Wav32, Container::Wav) => SampleFormat::Float32,
            (Self::Wav24 | Self::Wav32, _) => SampleFormat::Int24,
        };
        Ok(EncodeSettings { format, ..named })
    }
}

/// Settings of the speech step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// The most that noise is turned down, in dB, above 0; none means as much as the network wants.
    pub limit_db: Option<f32>,
    /// How much of the room's echo is taken out, from 0 (none) to 1.
    pub dereverb: f32,
    /// Loudness that the result is brought to, in LUFS (EBU R128), `-40..=-5`; none leaves it.
    pub loudness: Option<f32>,
    /// How often the network hears everything.
    pub effort: Effort,
    /// Model name, or "auto" for the best one on this computer.
    pub model: String,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            limit_db: None,
            dereverb: 0.0,
            loudness: None,
            effort: Effort::Fast,
            model: "auto".into(),
        }
    }
}

impl Speech {
    /// The loudness of podcasts and of most platforms, in LUFS.
    pub const USUAL_LOUDNESS: f32 = -16.0;

    /// Checks the ranges.
    ///
    /// # Errors
    /// A clause naming the first setting that is out of range.
    pub fn validate(&self) -> Result<(), String> {
        match (self.limit_db, self.loudness) {
            (Some(limit), _) if !(limit > 0.0 && limit <= 200.0) => {
                Err(format!("limit_db is above 0 and up to 200, not {limit}"))
            }
            _ if !(0.0..=1.0).contains(&self.dereverb) => {
                Err(format!("dereverb is from 0 to 1, not {}", self.dereverb))
            }
            (_, Some(loudness)) if !(-40.0..=-5.0).contains(&loudness) => {
                Err(format!("loudness is from -40 to -5 LUFS, not {loudness}"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::Length;
    use crate::tags::Tags;

    #[test]
    fn the_name_decides_the_kind_of_file_and_the_setting_its_depth() {
        use SampleFormat::{Float32, Int16, Int24};
        for (set, name, recorded, wanted) in [
            (SoundFormat::Same, "a.wav", Int24, Int24),
            (SoundFormat::Same, "a.wav", Float32, Float32),
            (SoundFormat::Same, "a.flac", Float32, Int24),
            (SoundFormat::Same, "a.wav", SampleFormat::Lossy, Int16),
            (SoundFormat::Wav16, "a.WAV", Float32, Int16),
            (SoundFormat::Wav24, "a.wav", Int16, Int24),
            (SoundFormat::Wav32, "a.wav", Int16, Float32),
            (SoundFormat::Wav32, "a.flac", Int16, Int24),
            (SoundFormat::Flac, "a.flac", Int16, Int16),
        ] {
            let info = SoundInfo {
                rate: 48_000,
                channels: 1,
                channel_mask: None,
                length: Length::Unknown,
                format: recorded,
                container: "",
                codec: "",
                tags: Tags::default(),
            };
            let encode = set.encode(Path::new(name), &info).unwrap();
            assert_eq!(encode.format, wanted, "{set:?} {name} {recorded:?}");
            let is_flac = name.ends_with("flac");
            assert_eq!(encode.container == Container::Flac, is_flac, "{name}");
            assert!(set.encode(Path::new("a.mp3"), &info).is_err());
        }
    }

    #[test]
    fn settings_out_of_range_are_refused_in_words() {
        assert!(Speech::default().validate().is_ok());
        for limit in [0.0, -3.0, f32::NAN, 1e9] {
            let speech = Speech { limit_db: Some(limit), ..Speech::default() };
            assert!(speech.validate().unwrap_err().contains("limit_db"), "{limit}");
        }
        for dereverb in [-0.1, 1.5, f32::NAN] {
            let speech = Speech { dereverb, ..Speech::default() };
            assert!(speech.validate().unwrap_err().contains("dereverb"), "{dereverb}");
        }
        for loudness in [0.0, -60.0, f32::NAN] {
            let speech = Speech { loudness: Some(loudness), ..Speech::default() };
            assert!(speech.validate().unwrap_err().contains("loudness"), "{loudness}");
        }
    }
}
