//! Recordings for tests.

use std::path::Path;

use limpid_audio::{Container, EncodeSettings, Length, SampleFormat, SoundInfo, SoundWriter, Tags};

/// A mono WAV of `parts` (seconds, amplitude) of a tone of `hz`.
pub(super) fn write_tone(path: &Path, rate: u32, parts: &[(f64, f32)], hz: f32) {
    let info = SoundInfo {
        rate,
        channels: 1,
        channel_mask: None,
        length: Length::Unknown,
        format: SampleFormat::Float32,
        container: "WAV",
        codec: "PCM",
        tags: Tags::default(),
    };
    let settings =
        EncodeSettings { container: Container::Wav, format: SampleFormat::Float32, dither_seed: 0 };
    let mut writer = SoundWriter::create(path, None, &info, &settings).unwrap();
    let mut at = 0_u32;
    for (seconds, amplitude) in parts {
        let frames = (seconds * f64::from(rate)) as u32;
        let samples = (at..at + frames)
            .map(|n| amplitude * (std::f32::consts::TAU * hz * n as f32 / rate as f32).sin())
            .collect();
        writer.write(&[samples]).unwrap();
        at += frames;
    }
    writer.finish().unwrap();
}
