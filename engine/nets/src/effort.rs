//! How much work a network's answer is worth.

use serde::{Deserialize, Serialize};

/// How much work a network's answer is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// One look at the picture, one hearing of the sound.
    #[default]
    Fast,
    /// The mean of four that differ in what does not matter, in four times the time: mirror images
    /// of a picture, other beginnings of a sound's frames.
    Best,
}
