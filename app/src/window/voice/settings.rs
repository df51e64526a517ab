//! What is set on the page, kept from one start to the next.

use limpid_engine::{Effort, Output, Recipe, Speech};
use serde::{Deserialize, Serialize};

/// The most the slider of the limit says, in dB.
pub(super) const MOST_LIMIT_DB: f32 = 60.0;
/// What 0 dB on the slider becomes: a limit is above 0.
const LEAST_LIMIT_DB: f32 = 0.01;
/// Where the slider stands when a limit is first set, in dB.
const FIRST_LIMIT_DB: f32 = 24.0;

/// What is set on the page. Remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VoiceSettings {
    /// Whether noise is turned down by no more than [`Self::limit_db`].
    pub(crate) has_limit: bool,
    /// The most that noise is turned down, `0..=60` dB.
    pub(crate) limit_db: f32,
    /// How much of the room's echo is taken out, `0..=1`.
    pub(crate) dereverb: f32,
    /// The loudness that results are brought to, in LUFS; none leaves it.
    pub(crate) loudness: Option<f32>,
    /// How often the network hears everything.
    pub(crate) effort: Effort,
    /// The model, or "auto".
    pub(crate) model: String,
    /// The microphone by its id; none is the system's default.
    pub(crate) device: Option<String>,
    /// Whether a clean take is written beside the raw one.
    pub(crate) records_clean: bool,
    /// Whether a recording is played meanwhile. Off at every start: without headphones it howls.
    #[serde(skip)]
    pub(crate) monitors: bool,
    /// Where results go, saved or from the queue, and how they are stored.
    pub(crate) output: Output,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self {
            has_limit: false,
            limit_db: FIRST_LIMIT_DB,
            dereverb: 0.0,
            loudness: None,
            effort: Effort::Fast,
            model: Speech::default().model,
            device: None,
            records_clean: true,
            monitors: false,
            output: Output::default(),
        }
    }
}

impl VoiceSettings {
    /// The settings as the engine takes them.
    pub(crate) fn speech(&self) -> Speech {
        let limit_db = self.limit_db.clamp(LEAST_LIMIT_DB, MOST_LIMIT_DB);
        Speech {
            limit_db: self.has_limit.then_some(limit_db),
            dereverb: self.dereverb.clamp(0.0, 1.0),
            loudness: self.loudness.map(|lufs| lufs.clamp(-40.0, -5.0)),
            effort: self.effort,
            model: self.model.clone(),
        }
    }

    /// What the queue does with recordings.
    pub(crate) fn recipe(&self) -> Recipe {
        Recipe { output: self.output.clone(), ..Recipe::for_speech(self.speech()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_slider_is_a_valid_limit() {
        for limit_db in [0.0, 0.5, 60.0, 1e9, -4.0] {
            let settings = VoiceSettings { has_limit: true, limit_db, ..Default::default() };
            let settings = settings.speech();
            assert!(settings.validate().is_ok(), "{limit_db}: {settings:?}");
        }
        assert_eq!(VoiceSettings::default().speech(), Speech::default());
    }
}
