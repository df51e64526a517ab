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

/// Every built-in model. To add one: put its folder into `models/` and name it here.
pub(crate) const ALL: &[BuiltIn] = &[built_in!("dn-resnet"), built_in!("ct-srcnn-x2")];

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
