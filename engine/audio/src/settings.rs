//! The settings of speech cleaning: plain data, what a recipe stores.

use serde::{Deserialize, Serialize};

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
    /// Model name, or "auto" for the best one on this computer.
    pub model: String,
}

impl Default for Speech {
    fn default() -> Self {
        Self { limit_db: None, dereverb: 0.0, loudness: None, model: "auto".into() }
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
