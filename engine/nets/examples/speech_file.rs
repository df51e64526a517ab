//! Cleans a WAV file of one channel at 48 kHz with DeepFilterNet3, for comparison with other
//! runtimes: `speech_file WEIGHTS IN.wav OUT.wav [--limit-db N] [--snr-db MIN MAX FILTER]
//! [--reference]`. The three are local signal-to-noise ratios beyond which stages are left out, as in
//! `DeepFilterSettings`; `--reference` treats silence as the reference runtime does.
//!
//! The output is 32-bit float and in time with the input, without what the delay holds back. Prints the
//! processor seconds that cleaning took as a share of the length of the sound, without reading and
//! writing.
#![allow(clippy::print_stdout)] // a report on the terminal is what this is for

use std::error::Error;
use std::sync::OnceLock;
use std::time::Instant;

use limpid_nets::{DeepFilterNet3, DeepFilterSettings, Weights};

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = DeepFilterSettings::default();
    let mut paths = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<f32, Box<dyn Error>> {
            Ok(arguments.next().ok_or_else(|| format!("{argument} needs a number"))?.parse()?)
        };
        match argument.as_str() {
            "--reference" => settings.silent_hops = 0,
            "--limit-db" => settings.limit_db = number()?,
            "--snr-db" => {
                settings.min_snr_db = number()?;
                settings.max_snr_db = number()?;
                settings.max_filter_snr_db = number()?;
            }
            _ => paths.push(argument),
        }
    }
    let [weights, input, output] = paths.as_slice() else {
        return Err("speech_file WEIGHTS IN.wav OUT.wav [--limit-db N] [--snr-db MIN MAX FILTER] \
                    [--reference]"
            .into());
    };
    let weights = Weights::read(&std::fs::read(weights)?)?;
    let mut network = DeepFilterNet3::new(&weights, settings)?;
    let mut reader = hound::WavReader::open(input)?;
    let spec = reader.spec();
    if (spec.channels, spec.sample_rate) != (1, DeepFilterNet3::RATE) {
        return Err(format!("one channel at 48 kHz is taken, not {spec:?}").into());
    }
    let sound: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full = (1_i64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|s| s.map(|s| s as f32 / full)).collect::<Result<_, _>>()?
        }
    };

    let mut clean = vec![0.0; sound.len() / DeepFilterNet3::HOP * DeepFilterNet3::HOP];
    let start = seconds_on_processor();
    for (from, to) in
        sound.chunks_exact(DeepFilterNet3::HOP).zip(clean.chunks_exact_mut(DeepFilterNet3::HOP))
    {
        network.process(from, to)?;
    }
    let seconds = seconds_on_processor() - start;
    println!("{:.5}", seconds * f64::from(DeepFilterNet3::RATE) / clean.len().max(1) as f64);

    let spec =
        hound::WavSpec { bits_per_sample: 32, sample_format: hound::SampleFormat::Float, ..spec };
    let mut writer = hound::WavWriter::create(output, spec)?;
    for sample in clean.iter().skip(DeepFilterNet3::DELAY) {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(())
}

/// What this thread has worked; the time that has passed, where the system does not tell.
fn seconds_on_processor() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    let passed = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    nanoseconds.map_or(passed, |nanoseconds| nanoseconds * 1e-9)
}
