//! What is written is what is read, to the bit.
#![allow(clippy::unwrap_used)]

mod common;

use common::{info, noise, read, read_in, read_rest, write};
use limpid_audio::{
    BlockReader, Container, EncodeSettings, Length, Picture, SampleFormat, SoundFile, SoundInfo,
    SoundWriter,
};

const KINDS: [(Container, SampleFormat, &str); 5] = [
    (Container::Wav, SampleFormat::Int16, "wav"),
    (Container::Wav, SampleFormat::Int24, "wav"),
    (Container::Wav, SampleFormat::Float32, "wav"),
    (Container::Flac, SampleFormat::Int16, "flac"),
    (Container::Flac, SampleFormat::Int24, "flac"),
];

#[test]
fn every_rate_depth_and_number_of_channels_comes_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for (container, format, extension) in KINDS {
        for (rate, channels, frames) in [
            (8_000, 1, 9_000),
            (44_100, 2, 4_096),
            (48_000, 2, 4_097),
            (11_025, 3, 100),
            (96_000, 8, 5_000),
            (176_400, 2, 4_200),
            (192_000, 6, 9_000),
            (48_000, 1, 1),
            (48_000, 2, 17),
            (12_345, 1, 31),
        ] {
            let name = format!("{rate}-{channels}-{frames}-{format:?}.{extension}");
            let path = folder.path().join(&name);
            let about = info(rate, channels, format);
            let sound = noise(channels, frames, format);
            write(&path, &about, container, &sound);
            assert_eq!(read(&path), sound, "{name}");
            assert_eq!(read_in(&path, 1 << 20), sound, "{name} at once");
            let file = SoundFile::open(&path).unwrap();
            let read = file.info();
            assert_eq!((read.rate, read.channels), (rate, channels), "{name}");
            assert_eq!(read.length, Length::Exact(frames as u64), "{name}");
            assert_eq!(read.format, format, "{name}");
            if channels == 6 {
                assert_eq!(read.channel_mask, Some(0x3f), "{name}");
            }
        }
    }
}

#[test]
fn a_frame_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    for (container, format, extension) in KINDS {
        let path = folder.path().join(format!("{format:?}.{extension}"));
        let sound = noise(2, 30_000, format);
        write(&path, &info(44_100, 2, format), container, &sound);
        let mut file = SoundFile::open(&path).unwrap();
        for frame in [0usize, 29_999, 12_345, 1, 30_000, 4096, 0] {
            file.seek(frame as u64).unwrap();
            let rest = read_rest(&mut file, 999);
            let wanted: Vec<Vec<f32>> = sound.iter().map(|c| c[frame..].to_vec()).collect();
            assert!(rest == wanted, "{extension} {format:?} at {frame}: {} frames", rest[0].len());
        }
    }
}

#[test]
fn the_cover_goes_along_into_every_format_and_out_of_it_again() {
    let folder = tempfile::tempdir().unwrap();
    // An MP3 as people have them: a tag with a large cover in front of the sound.
    let cover = Picture {
        media_type: "image/jpeg".into(),
        kind: 3,
        description: String::new(),
        data: [b"\xff\xd8\xff\xe0".to_vec(), vec![0x5a; 300_000]].concat().into(),
    };
    let mut frame = b"APIC".to_vec();
    let body = [b"\0image/jpeg\0\x03\0", &cover.data[..]].concat();
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&body);
    let len = frame.len();
    let sizes = [21, 14, 7, 0].map(|shift| (len >> shift) as u8 & 0x7f);
    let sound = std::fs::read("tests/data/sines.mp3").unwrap();
    let mp3 = [b"ID3\x03\0\0", &sizes[..], &frame, &sound].concat();
    let paths =
        ["a.mp3", "b.flac", "c.wav", "d.wav", "e.flac"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], mp3).unwrap();
    for (index, path) in paths.iter().enumerate() {
        let about = SoundFile::open(path).unwrap().info().clone();
        assert_eq!(about.tags.pictures(), std::slice::from_ref(&cover), "{}", path.display());
        let Some(next) = paths.get(index + 1) else { break };
        let container =
            if next.extension().unwrap() == "wav" { Container::Wav } else { Container::Flac };
        write(next, &SoundInfo { format: SampleFormat::Int16, ..about }, container, &read(path));
    }
}

#[test]
fn tags_are_kept_in_and_between_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let mut about = info(16_000, 1, SampleFormat::Int16);
    for (name, text) in [
        ("TITLE", "Überschrift, gerade"),
        ("ARTIST", "odd"),
        ("DATE", "2026"),
        ("PERFORMER", "no INFO name"),
    ] {
        about.tags.add(name, text);
    }
    let sound = noise(1, 10, SampleFormat::Int16);
    let (wav, flac) = (folder.path().join("a.wav"), folder.path().join("a.flac"));
    write(&flac, &about, Container::Flac, &sound);
    let from_flac = SoundFile::open(&flac).unwrap().info().clone();
    assert_eq!(from_flac.tags.entries(), about.tags.entries());
    write(&wav, &from_flac, Container::Wav, &sound);
    let from_wav = SoundFile::open(&wav).unwrap().info().clone();
    // What INFO has no name for is in the ID3 chunk, which goes along into the next WAV file.
    assert_eq!(from_wav.tags.entries(), about.tags.entries());
    let again = folder.path().join("b.wav");
    write(&again, &from_wav, Container::Wav, &sound);
    let bytes = std::fs::read(&again).unwrap();
    assert!(bytes.windows(24).any(|part| part == b"PERFORMER\0no INFO name\0\0"
        || part.starts_with(b"PERFORMER\0no INFO name")));
    assert_eq!(read(&again), sound);
}

#[test]
fn the_depth_follows_the_name_and_the_source() {
    let cases = [
        ("a.wav", SampleFormat::Int16, Some(SampleFormat::Int16)),
        ("a.WAV", SampleFormat::Int24, Some(SampleFormat::Int24)),
        ("a.wav", SampleFormat::Float32, Some(SampleFormat::Float32)),
        ("a.wav", SampleFormat::Lossy, Some(SampleFormat::Int16)),
        ("a.flac", SampleFormat::Float32, Some(SampleFormat::Int24)),
        ("a.flac", SampleFormat::Int16, Some(SampleFormat::Int16)),
        ("a.mp3", SampleFormat::Int16, None),
        ("a", SampleFormat::Int16, None),
    ];
    for (name, format, wanted) in cases {
        let settings = EncodeSettings::for_path(name.as_ref(), &info(8000, 1, format));
        assert_eq!(settings.ok().map(|settings| settings.format), wanted, "{name} {format:?}");
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.wav", "a.flac"] {
        let about = info(8000, 1, SampleFormat::Int16);
        let path = folder.path().join(name);
        let settings = EncodeSettings::for_path(&path, &about).unwrap();
        let mut writer = SoundWriter::create(&path, None, &about, &settings).unwrap();
        writer.write(&[vec![0.5; 10_000]]).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_flac_cannot_hold_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flac");
    for (rate, channels) in [(48_000, 9), (1_000_000, 1)] {
        let about = info(rate, channels, SampleFormat::Int16);
        let settings = EncodeSettings::for_path(&path, &about).unwrap();
        let error = SoundWriter::create(&path, None, &about, &settings).map(drop).unwrap_err();
        assert!(error.to_string().contains("WAV holds"), "{error}");
    }
}
