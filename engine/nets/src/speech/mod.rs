//! Networks that clean speech while it arrives: a hop of samples in, a hop out some milliseconds
//! later.

mod deep_filter_net;
mod network;
mod own;

pub(crate) use deep_filter_net::tensors as deep_filter_net_tensors;
pub use deep_filter_net::{DeepFilterNet3, DeepFilterSettings};
pub use network::SpeechNetwork;
pub use own::{OwnFileSpeech, OwnSpeech};
