//! The networks: one file each, weights and tensors in, tensors out; and the library that finds
//! them on this computer. Knows no picture file and no queue.

mod architecture;
mod built_in;
#[cfg(feature = "candle")]
mod candle;
mod card;
mod convert;
mod cpu;
mod described;
mod device;
mod effort;
mod error;
pub mod graph;
mod imports;
mod library;
mod network;
pub mod packs;
mod picture;
mod plan;
mod profile;
mod python;
mod quantized;
#[cfg(test)]
mod reference;
mod weights;

mod ct_srcnn;
mod dn_resnet;
mod ffdnet;
mod span;
pub mod speech;

#[cfg(test)]
mod testing;

pub use architecture::Architecture;
pub use card::{CardText, ModelCard, Origin, Task};
pub use described::Described;
pub use device::Device;
pub use effort::Effort;
pub use error::{LoadError, LoadErrorKind, NetError};
pub use library::{Library, LibraryConfig};
pub use limpid_kernels::RunContext;
pub use network::Network;
pub use speech::{DeepFilterNet3, DeepFilterSettings, SpeechNetwork};
pub use weights::{Tensor, Weights};
