//! Sound for Limpid: read, resample, clean, measure, write; record from a microphone.
//!
//! ```text
//! file ─ SoundFile ─ channels ─┬─ to the network's rate ─ network ─ back ─┬─ mix ─ level ─ SoundWriter
//!        blocks, f32           └─ what lies above its band, the original ─┘
//! ```
//!
//! Everything works on blocks: no sound is ever held as a whole, whatever its length. What comes out
//! of a network or a resampler is at its own time and of its own length: delays are taken out where
//! they arise.
#![forbid(unsafe_code)]

pub mod clean;
mod columns;
mod decode;
mod dereverb;
mod encode;
mod ensemble;
mod error;
mod info;
pub mod live;
mod peaks;
mod picture;
pub mod play;
mod reader;
mod resample;
pub mod settings;
mod spectrogram;
mod speech_net;
mod tags;

pub use columns::{Column, Columns};
pub use decode::{Damage, SoundFile, is_sound};
pub use encode::{Container, EncodeSettings, SoundWriter};
pub use error::{AudioError, ErrorKind};
pub use info::{Length, SampleFormat, SoundInfo};
pub use peaks::{MinMax, Peaks, peaks_of};
pub use picture::Picture;
pub use reader::{BlockReader, MemoryReader};
pub use resample::{Resampler, resampled_len};
pub use spectrogram::{Spectrogram, SpectrogramSettings, spectrogram};
pub use speech_net::SpeechNet;
pub use tags::Tags;
