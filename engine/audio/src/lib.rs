//! Sound for Limpid: read, resample, clean, measure, write; record from a microphone.
#![forbid(unsafe_code)]

pub mod clean;
mod decode;
mod encode;
mod error;
mod info;
pub mod live;
mod peaks;
pub mod play;
mod reader;
mod resample;
pub mod settings;
mod spectrogram;
mod speech_net;
mod tags;

pub use decode::{Damage, SoundFile};
pub use encode::{Container, EncodeSettings, SoundWriter};
pub use error::{AudioError, ErrorKind};
pub use info::{Length, SampleFormat, SoundInfo};
pub use peaks::{MinMax, Peaks, peaks_of};
pub use reader::{BlockReader, MemoryReader};
pub use resample::{Resampler, resampled_len};
pub use spectrogram::{Spectrogram, SpectrogramSettings, spectrogram};
pub use speech_net::SpeechNet;
pub use tags::Tags;
