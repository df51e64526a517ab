//! The fast CPU operators behind Limpid: packed convolutions, a thread pool whose results do not
//! depend on the number of threads, and the plain tensor they all share. Knows no network.
#![allow(unsafe_code)] // the one crate that may: every block states its invariant

mod cancel;
mod planes;
mod pool;

pub use cancel::{Cancel, Cancelled};
pub use planes::{Planes, ShapeError};
pub use pool::Pool;
