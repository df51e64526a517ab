//! Networks that clean speech while it arrives: a hop of samples in, a hop out some milliseconds
//! later.

mod own;

pub use own::OwnSpeech;
