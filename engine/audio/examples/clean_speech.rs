//! Cleans sound with a weight file of our own speech network, as `tests/score/speech.py` asks:
//!
//! `cargo run --release -p limpid-audio --example clean_speech [--best] WEIGHTS [IN OUT]…`
//!
//! Files are mono samples at 16 kHz, 32-bit little-endian floats without a header. The output is as
//! long as the input and aligned with it. Prints the seconds it took for a second of sound, on one
//! thread.
#![allow(clippy::print_stdout)] // standard output is the report

use std::error::Error;
use std::time::Instant;

use limpid_audio::clean::{CleanSettings, Cleaner};
use limpid_audio::{AudioError, ErrorKind, SpeechNet};
use limpid_kernels::Cancel;
use limpid_nets::{Effort, SpeechNetwork};

const RATE: u32 = 16_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let effort = match arguments.next_if_eq("--best") {
        Some(_) => Effort::Best,
        None => Effort::Fast,
    };
    let settings = CleanSettings { effort, ..CleanSettings::default() };
    let weights = std::fs::read(arguments.next().ok_or("[--best] WEIGHTS [IN OUT]…")?)?;
    let mut make_net = || match SpeechNetwork::read_own(&weights) {
        Ok(network) => Ok(Box::new(network) as Box<dyn SpeechNet>),
        Err(error) => Err(AudioError::new(ErrorKind::Model, error.to_string()).because(error)),
    };
    let (mut worked, mut heard) = (0.0, 0.0);
    while let (Some(from), Some(to)) = (arguments.next(), arguments.next()) {
        let bytes = std::fs::read(from)?;
        let sound: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        heard += sound.len() as f64 / f64::from(RATE);
        let mut cleaner = Cleaner::new(RATE, 1, &mut make_net, &settings)?;
        let (mut clean, cancel) = ([Vec::new()], Cancel::new());
        let begin = Instant::now();
        cleaner.push(&[sound], &mut clean, &cancel)?;
        cleaner.finish(&mut clean, &cancel)?;
        worked += begin.elapsed().as_secs_f64();
        std::fs::write(to, clean[0].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    println!("{:.4} seconds a second of sound", worked / f64::max(heard, 1e-9));
    Ok(())
}
