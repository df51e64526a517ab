//! The fast CPU operators behind Limpid: packed convolutions, a thread pool whose results do not
//! depend on the number of threads, and the plain tensor they all share. Knows no network.
#![allow(unsafe_code)] // the one crate that may: every block states its invariant
#![allow(clippy::needless_range_loop)] // loops over registers read as the formulas do

mod aligned;
mod cancel;
mod context;
mod conv;
mod elementwise;
mod epilogue;
mod feature;
mod gemm;
mod planes;
mod pool;
mod pooling;
mod resize;
mod shuffle;
mod simd;

pub use cancel::{Cancel, Cancelled};
pub use context::{KernelError, RunContext};
pub use conv::{Algorithm, Conv2d, ConvSpec, ConvTranspose2d, Padding, TransposedSpec};
pub use elementwise::{activate, add, concat, multiply};
pub use epilogue::{Activation, ChannelVector, Epilogue, Residual};
pub use feature::{CHANNEL_BLOCK, Feature};
pub use planes::{Planes, ShapeError};
pub use pool::Pool;
pub use pooling::{Pooling, Windows, pool};
pub use resize::{Alignment, Filter, Resize};
pub use shuffle::{pixel_shuffle, pixel_unshuffle, upsample_nearest};
pub use simd::Isa;
