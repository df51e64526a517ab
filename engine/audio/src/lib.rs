//! Sound for Limpid: read, resample, clean, measure, write; record from a microphone.
#![forbid(unsafe_code)]

pub mod settings;
