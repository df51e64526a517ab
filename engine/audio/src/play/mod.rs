//! Playing sound: one source, or several in step to compare.
//!
//! ```text
//! limpid-player   player   reads every source, at the device's rate, into one ring
//!   └ ring, 0.2 s
//! device thread   mixer    takes one frame of each and adds them up with the weights of the moment
//! ```
//!
//! All sources are in the ring, so a switch between them is heard at once and loses no sample.

mod lane;
mod mixer;
pub(crate) mod output;
pub mod player;

pub use player::{Listen, PlayEvent, Player};
