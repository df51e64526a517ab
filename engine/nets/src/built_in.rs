//! The models inside the program: trained by this project, so that every button works at once.

use crate::card::{CardText, ModelCard, Origin};
use crate::error::LoadError;
use crate::packs::sha256;

/// A model's folder under `models/`, embedded.
pub(crate) struct BuiltIn {
    /// The folder's `card.toml`.
    card: &'static str,
    /// The folder's `weights.safetensors`.
    pub(crate) weights: &'static [u8],
}

macro_rules! built_in {
    ($folder:literal) => {
        BuiltIn {
            card: include_str!(concat!("../../../models/", $folder, "/card.toml")),
            weights: include_bytes!(concat!("../../../models/", $folder, "/weights.safetensors")),
        }
    };
}

/// Every built-in model for pictures. To add one: put its folder into `models/` and name it here.
pub(crate) const ALL: &[BuiltIn] = &[
    built_in!("dn-resnet"),
    built_in!("ct-srcnn-x2"),
    built_in!("ct-srcnn-x3"),
    built_in!("ct-srcnn-x4"),
    built_in!("ct-srcnn-natural-x2"),
    built_in!("ct-srcnn-natural-x4"),
];

/// Every built-in model for speech, which is no [`crate::Network`]; the better ones first.
pub(crate) const SPEECH: &[BuiltIn] = &[built_in!("gsa-voice-file"), built_in!("gsa-voice-live")];

/// The built-in speech model called `name`.
pub(crate) fn speech(name: &str) -> Option<&'static BuiltIn> {
    SPEECH.iter().find(|own| own.card().is_ok_and(|card| card.name == name))
}

impl BuiltIn {
    /// What is said of it.
    pub(crate) fn card(&self) -> Result<ModelCard, LoadError> {
        let card: CardText = toml::from_str(self.card).map_err(|error| {
            LoadError::damaged(format!("a built-in card cannot be read: {}", error.message()))
        })?;
        let bytes = self.weights.len() as u64;
        Ok(card.into_card(Origin::BuiltIn, true, bytes, sha256(self.weights)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Weights;

    #[test]
    fn cards_say_what_the_weights_are() {
        for model in ALL {
            let card = model.card().unwrap();
            let architecture = Weights::read(model.weights).unwrap().architecture().unwrap();
            assert_eq!(card.task, architecture.task(), "{}", card.name);
            assert_eq!(
                card.parameters,
                architecture.graph().unwrap().parameters(),
                "{}",
                card.name
            );
        }
    }

    #[test]
    fn speech_cards_say_what_the_weights_are() {
        for model in SPEECH {
            let card = model.card().unwrap();
            assert_eq!(card.task, crate::Task::Speech, "{}", card.name);
            let tensors = crate::weights::read_values(model.weights).unwrap();
            let count: usize = tensors.values().map(|tensor| tensor.data.len()).sum();
            assert_eq!(card.parameters, count as u64, "{}", card.name);
            crate::SpeechNetwork::read_own(model.weights).unwrap();
        }
    }

    #[test]
    fn every_trained_model_is_built_in() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
        let all = ALL.iter().chain(SPEECH);
        let names: Vec<String> = all.map(|model| model.card().unwrap().name).collect();
        for entry in std::fs::read_dir(models).unwrap() {
            let folder = entry.unwrap();
            if folder.path().join("weights.safetensors").exists() {
                let name = folder.file_name().into_string().unwrap();
                assert!(names.contains(&name), "name {name} in {}", file!());
            }
        }
    }
}
