//! Cleans sound with a weight file of our own speech network, as `tests/score/speech.py` asks:
//!
//! `cargo run --release -p limpid-nets --example clean_speech WEIGHTS [IN OUT]…`
//!
//! Files are mono samples at 16 kHz, 32-bit little-endian floats without a header. The output is as
//! long as the input and aligned with it. Prints the seconds it took for a second of sound, on one
//! thread.
#![allow(clippy::print_stdout)] // standard output is the report

use std::error::Error;
use std::time::Instant;

use limpid_nets::SpeechNetwork;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let weights = std::fs::read(arguments.next().ok_or("WEIGHTS [IN OUT]…")?)?;
    let mut network = SpeechNetwork::read_own(&weights)?;
    let (mut worked, mut heard) = (0.0, 0.0);
    while let (Some(from), Some(to)) = (arguments.next(), arguments.next()) {
        let bytes = std::fs::read(from)?;
        let mut sound: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        let samples = sound.len();
        heard += samples as f64 / f64::from(network.rate());
        sound.resize((samples + network.delay()).next_multiple_of(network.hop()), 0.0);
        let mut clean = vec![0.0; sound.len()];
        network.reset();
        let begin = Instant::now();
        let hops = sound.chunks_exact(network.hop());
        for (input, output) in hops.zip(clean.chunks_exact_mut(network.hop())) {
            network.process(input, output)?;
        }
        worked += begin.elapsed().as_secs_f64();
        let clean = &clean[network.delay()..][..samples];
        std::fs::write(to, clean.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    println!("{:.4} seconds a second of sound", worked / f64::max(heard, 1e-9));
    Ok(())
}
