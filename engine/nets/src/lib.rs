//! The networks: one file each, weights and tensors in, tensors out; and the library that finds
//! them on this computer. Knows no picture file and no queue.

mod card;

pub use card::{ModelCard, Origin, Task};
