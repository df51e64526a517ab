//! Sound for Limpid: read, resample, clean, measure, write; record from a microphone.
#![forbid(unsafe_code)]

pub mod error;
pub mod live;
pub mod play;
pub mod speech_net;

pub use error::{AudioError, ErrorKind};
pub use speech_net::SpeechNet;
