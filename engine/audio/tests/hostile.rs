//! Files that are no sound, are cut, empty, forbidden or unfinished.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{failure, info, noise, read, write};
use limpid_audio::{BlockReader, Container, Damage, ErrorKind, Length, SampleFormat, SoundFile};

#[test]
fn each_kind_of_no_sound_has_its_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
    jpeg.extend((0..9000u32).map(|n| (n * 37 % 251) as u8));
    let mut no_data =
        b"RIFF\x1c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0".to_vec();
    let mut mp3_in_wav = no_data.clone();
    mp3_in_wav[20] = 0x55;
    mp3_in_wav.extend_from_slice(b"data\x02\0\0\0\0\0");
    no_data.extend_from_slice(b"junk\0\0\0\0");
    let cases = [
        (folder.path().to_owned(), ErrorKind::Unreadable, "this is a folder"),
        (folder.path().join("none.wav"), ErrorKind::Unreadable, "there is no such file"),
        (file("empty.wav", b""), ErrorKind::Damaged, "the file is empty"),
        (
            file("text.wav", b"Dear diary, today"),
            ErrorKind::Unsupported,
            "this is not a sound file",
        ),
        (file("picture.mp3", &jpeg), ErrorKind::Unsupported, "this is not a sound file"),
        (file("short.wav", b"RIFF\x24\0\0\0WAVEfmt "), ErrorKind::Damaged, "the file does not say"),
        (file("no-data.wav", &no_data), ErrorKind::Damaged, "the file ends before its sound"),
        (file("mp3.wav", &mp3_in_wav), ErrorKind::Unsupported, "the coding of this WAV file"),
        (file("a.flac", b"fLaC"), ErrorKind::Damaged, "the file ends before the sound does"),
        (file("a.mp4", b"\0\0\0\x10ftypisom\0\0\0\0"), ErrorKind::Damaged, "the recording was not"),
        (file("a.ogg", b"OggS\0\x02"), ErrorKind::Damaged, "the file ends before the sound does"),
    ];
    for (path, kind, sentence) in cases {
        let error = failure(&path);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(sentence), "{error}");
        assert!(error.to_string().ends_with(&format!(": {}", path.display())), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_forbidden_file_and_a_pipe_are_said() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    write(&path, &info(8000, 1, SampleFormat::Int16), Container::Wav, &[vec![0.0; 10]]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0)).unwrap();
    // The superuser may read it all the same.
    if fs::File::open(&path).is_err() {
        assert!(failure(&path).to_string().starts_with("this file may not be read"));
    }
    let error = failure("/dev/null".as_ref());
    assert!(error.to_string().starts_with("this is not an ordinary file"), "{error}");
}

#[test]
fn a_cut_file_is_refused_at_once_or_kept_on_request() {
    let folder = tempfile::tempdir().unwrap();
    for (container, name) in [(Container::Wav, "a.wav"), (Container::Flac, "a.flac")] {
        let path = folder.path().join(name);
        let sound = noise(2, 20_000, SampleFormat::Int16);
        write(&path, &info(16_000, 2, SampleFormat::Int16), container, &sound);
        let bytes = fs::read(&path).unwrap();
        for len in [bytes.len() - 1, bytes.len() * 2 / 3, 200] {
            fs::write(&path, &bytes[..len]).unwrap();
            let error = failure(&path);
            assert_eq!(error.kind(), ErrorKind::Damaged, "{name} of {len}: {error}");
        }
        fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let mut file = SoundFile::open_with(&path, Damage::KeepTheRest).unwrap();
        let kept = common::read_rest(&mut file, 1000);
        let frames = kept[0].len();
        assert!((8_000..14_000).contains(&frames), "{name}: {frames}");
        for (kept, sound) in kept.iter().zip(&sound) {
            assert!(kept[..] == sound[..frames], "{name}");
        }
    }
}

#[test]
fn a_changed_bit_in_flac_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flac");
    let sound = noise(1, 20_000, SampleFormat::Int16);
    write(&path, &info(16_000, 1, SampleFormat::Int16), Container::Flac, &sound);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(failure(&path).kind(), ErrorKind::Damaged);
}

/// Recorders write a header without lengths first; a crash leaves it so.
#[test]
fn a_header_that_was_never_finished_is_read_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let sound = noise(2, 5_000, SampleFormat::Int16);
    write(&path, &info(16_000, 2, SampleFormat::Int16), Container::Wav, &sound);
    let whole = fs::read(&path).unwrap();
    let data = whole.windows(4).position(|part| part == b"data").unwrap();
    for (riff_len, data_len) in
        [(0u32, 0u32), (u32::MAX, u32::MAX), (36, 0), (0x7fff_f024, 0x7fff_f000), (u32::MAX, 0)]
    {
        let mut bytes = whole.clone();
        bytes[4..8].copy_from_slice(&riff_len.to_le_bytes());
        bytes[data + 4..data + 8].copy_from_slice(&data_len.to_le_bytes());
        // Half a frame at the end, as a crash leaves it.
        bytes.extend_from_slice(&[1, 2, 3]);
        fs::write(&path, &bytes).unwrap();
        assert!(read(&path) == sound, "{riff_len:x} {data_len:x}");
    }
}

#[test]
fn a_sound_of_no_samples_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let mut about = info(16_000, 1, SampleFormat::Int16);
    about.tags.add("TITLE", "Nothing");
    write(&path, &about, Container::Wav, &[Vec::new()]);
    let file = SoundFile::open(&path).unwrap();
    assert_eq!(file.info().length, Length::Exact(0));
    assert_eq!(read(&path), [Vec::<f32>::new()]);
}

/// Random changes and cuts of every kind of file: an error or a sound, never a panic, never more
/// than the file could hold.
#[test]
fn broken_files_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 99u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let wav = folder.path().join("a.wav");
    write(
        &wav,
        &info(16_000, 2, SampleFormat::Int24),
        Container::Wav,
        &noise(2, 300, SampleFormat::Int24),
    );
    let names = [
        "sines.mp3",
        "sines.m4a",
        "sines.ogg",
        "sines.webm",
        "sines.flac",
        "sines.mkv",
        "sines.aac",
    ];
    let mut files: Vec<_> =
        names.iter().map(|name| fs::read(common::data(name)).unwrap()).collect();
    files.push(fs::read(&wav).unwrap());
    let path = folder.path().join("broken");
    for original in &files {
        for _ in 0..30 {
            let mut bytes = original.clone();
            for _ in 0..=random(8) {
                // Headers are where a change does most.
                let span = if random(2) == 0 { bytes.len().min(400) } else { bytes.len() };
                let at = random(span);
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(bytes.len() / 4));
            fs::write(&path, &bytes).unwrap();
            for damage in [Damage::Refuse, Damage::KeepTheRest] {
                let Ok(mut file) = SoundFile::open_with(&path, damage) else { continue };
                let mut block = vec![Vec::new(); file.channels()];
                let mut frames = 0;
                while let Ok(more @ 1..) = file.read(&mut block, 5000) {
                    frames += more;
                    assert!(frames < 10_000_000, "an endless sound");
                }
            }
        }
    }
}
