//! Every container and coding that is read, from files of other programs.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use common::{data, failure, read};
use limpid_audio::{BlockReader, ErrorKind, SampleFormat, SoundFile};

/// The sound that all files hold: 440 Hz left, 660 Hz right, amplitude 0.25.
fn truth(channel: usize, frame: usize, rate: u32) -> f32 {
    let hz = [440.0, 660.0][channel];
    (0.25 * (std::f64::consts::TAU * hz * frame as f64 / f64::from(rate)).sin()) as f32
}

/// Name, container, coding, storage, whether the length is exact to the frame, signal to error in
/// dB at least.
const FILES: [(&str, &str, &str, SampleFormat, bool, f64); 17] = [
    ("sines.mp3", "MP3", "MP3", SampleFormat::Lossy, true, 25.0),
    ("sines.m4a", "MP4", "AAC", SampleFormat::Lossy, true, 25.0),
    ("sines-alac.m4a", "MP4", "ALAC", SampleFormat::Int16, true, 75.0),
    ("sines.aac", "AAC", "AAC", SampleFormat::Lossy, false, f64::NEG_INFINITY),
    ("sines.ogg", "Ogg", "Vorbis", SampleFormat::Lossy, true, 25.0),
    ("sines.opus", "Ogg", "Opus", SampleFormat::Lossy, true, 15.0),
    ("sines-opus.webm", "Matroska", "Opus", SampleFormat::Lossy, false, 15.0),
    ("sines-opus.mp4", "MP4", "Opus", SampleFormat::Lossy, true, 15.0),
    ("sines.webm", "Matroska", "Vorbis", SampleFormat::Lossy, false, 25.0),
    ("sines.mkv", "Matroska", "AAC", SampleFormat::Lossy, false, f64::NEG_INFINITY),
    ("sines.mp4", "MP4", "AAC", SampleFormat::Lossy, true, 25.0),
    ("sines.mov", "MP4", "PCM", SampleFormat::Int16, true, 75.0),
    ("sines.aiff", "AIFF", "PCM", SampleFormat::Int16, true, 75.0),
    ("sines.caf", "CAF", "PCM", SampleFormat::Int16, true, 75.0),
    ("sines.flac", "FLAC", "FLAC", SampleFormat::Int16, true, 75.0),
    ("sines-alaw.wav", "WAV", "PCM", SampleFormat::Int16, true, 30.0),
    ("sines-adpcm.wav", "WAV", "ADPCM", SampleFormat::Lossy, false, 30.0),
];

#[test]
fn the_sound_is_whole_and_in_its_place() {
    let mut wrong = Vec::new();
    for (name, container, codec, format, exact, least_db) in FILES {
        let file = SoundFile::open(&data(name)).unwrap();
        let about = file.info();
        let rate = if codec == "Opus" { 48_000 } else { 44_100 };
        let whole = rate as usize / 5;
        assert_eq!((about.rate, about.channels), (rate, 2), "{name}");
        assert_eq!(
            (about.container, about.codec, about.format),
            (container, codec, format),
            "{name}"
        );
        let sound = read(&data(name));
        let frames = sound[0].len();
        if exact && frames != whole || frames < whole {
            wrong.push(format!("{name}: {frames} frames"));
        }
        let (mut signal, mut error) = (0.0, 1e-12);
        for (channel, samples) in sound.iter().enumerate() {
            for (frame, sample) in samples.iter().enumerate().take(whole) {
                let wanted = truth(channel, frame, rate);
                signal += f64::from(wanted * wanted);
                error += f64::from((sample - wanted) * (sample - wanted));
            }
        }
        let db = 10.0 * (signal / error).log10();
        if db < least_db {
            wrong.push(format!("{name}: {db:.1} dB"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn tags_are_read_from_each_that_has_them() {
    for name in ["sines.mp3", "sines.m4a", "sines.ogg", "sines.flac", "sines.webm"] {
        let file = SoundFile::open(&data(name)).unwrap();
        assert_eq!(file.info().tags.get("title"), Some("Sines"), "{name}");
        assert_eq!(file.info().tags.get("artist"), Some("Nobody"), "{name}");
    }
}

#[test]
fn going_back_gives_the_same_sound_again() {
    for (name, ..) in FILES {
        let sound = read(&data(name));
        let mut file = SoundFile::open(&data(name)).unwrap();
        for frame in [0usize, 6000] {
            file.seek(frame as u64).unwrap();
            let again = common::read_rest(&mut file, 777);
            let wanted = &sound[0][frame..];
            // A millisecond's clock in Matroska; a coding with memory differs where it was cut.
            let near = again[0].len().abs_diff(wanted.len()) <= 50;
            assert!(near, "{name} at {frame}: {} of {} frames", again[0].len(), wanted.len());
            if frame == 0 {
                assert!(again[0] == wanted, "{name} from its start");
            }
        }
    }
}

#[test]
fn what_is_not_read_is_said_in_a_sentence() {
    let cases = [
        ("surround.opus", "Opus sound of more than two"),
        ("silent.mp4", "there is no sound in this file"),
        ("make.sh", "this is not a sound file"),
    ];
    for (name, sentence) in cases {
        let error = failure(&data(name));
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        assert!(error.to_string().starts_with(sentence), "{name}: {error}");
        assert!(error.to_string().ends_with(name), "{error}");
    }
}

#[test]
fn the_name_has_no_say_in_what_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, other) in [
        ("sines.mp3", "a.wav"),
        ("sines.flac", "a.mp3"),
        ("sines.ogg", "a"),
        ("sines.m4a", "a.txt"),
    ] {
        let path = folder.path().join(other);
        std::fs::copy(data(name), &path).unwrap();
        assert!(read(&path) == read(&data(name)), "{name} as {other}");
    }
}

#[test]
fn a_cut_file_is_an_error_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut passed = Vec::new();
    for (name, ..) in FILES {
        let bytes = std::fs::read(data(name)).unwrap();
        for share in [2, 30, 60, 85, 97] {
            let path = folder.path().join(format!("{share}-{name}"));
            std::fs::write(&path, &bytes[..bytes.len() * share / 100]).unwrap();
            let outcome = std::panic::catch_unwind(|| failure(&path));
            match outcome {
                Ok(error) => {
                    let kind = error.kind();
                    assert!(
                        kind == ErrorKind::Damaged || kind == ErrorKind::Unsupported,
                        "{name} at {share} %: {error}"
                    );
                }
                // Bare AAC frames carry no count: a cut between two of them cannot be seen.
                Err(_) if name == "sines.aac" => {}
                Err(_) => passed.push(format!("{name} at {share} %")),
            }
        }
    }
    assert!(passed.is_empty(), "read as if whole: {passed:#?}");
}
