//! Limpid as a whole, from the command line to the files on the disk. These tests start the real
//! program, need no model packs, no display and no graphics card, and run as root or not.
//!
//! `./check` runs them. Some are meant to be run larger by hand, in a release build:
//! `LIMPID_TEST_FILES=500 cargo test --release --test product resume -- --nocapture`.

// A test fails by panicking, and tells a measured figure by printing it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod cancel;
mod command_line;
mod files;
mod hostile;
mod limpid;
mod memory;
mod metadata;
mod models;
mod names;
mod resume;
mod speech;
