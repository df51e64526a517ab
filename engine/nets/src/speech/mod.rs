//! Networks that clean speech while it arrives: a hop of samples in, a hop out some milliseconds
//! later.

mod network;
mod own;

pub use network::SpeechNetwork;
pub use own::OwnSpeech;
