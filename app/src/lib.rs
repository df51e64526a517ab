//! Limpid's window and command line. Knows the engine, no network and no pixels.

pub mod canvas;
pub mod cli;
pub mod places;
pub mod window;
