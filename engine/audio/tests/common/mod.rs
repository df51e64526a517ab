//! Sounds and files for the tests.
#![allow(dead_code)] // not every test uses all of it
#![allow(clippy::cast_precision_loss)]

use std::path::{Path, PathBuf};

use limpid_audio::{
    BlockReader, Container, EncodeSettings, Length, SampleFormat, SoundFile, SoundInfo,
    SoundWriter, Tags,
};

/// A small file from `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn info(rate: u32, channels: usize, format: SampleFormat) -> SoundInfo {
    SoundInfo {
        rate,
        channels,
        channel_mask: (channels == 6).then_some(0x3f),
        length: Length::Unknown,
        format,
        container: "WAV",
        codec: "PCM",
        tags: Tags::default(),
    }
}

/// Noise on the steps of `format`, full scale included, different in each channel.
pub fn noise(channels: usize, frames: usize, format: SampleFormat) -> Vec<Vec<f32>> {
    let mut state = 12_345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let sample = |number: u32| match format {
        SampleFormat::Int16 => f32::from((number >> 16) as u16 as i16) / 32_768.0,
        SampleFormat::Int24 => ((number as i32) >> 8) as f32 / 8_388_608.0,
        _ => (number as i32) as f32 / 1e9,
    };
    (0..channels).map(|_| (0..frames).map(|_| sample(next())).collect()).collect()
}

pub fn write(path: &Path, info: &SoundInfo, container: Container, sound: &[Vec<f32>]) {
    let settings = EncodeSettings { container, format: info.format, dither_seed: 5 };
    let mut writer = SoundWriter::create(path, None, info, &settings).unwrap();
    let frames = sound[0].len();
    // Blocks of odd lengths: they must leave no trace.
    let mut at = 0;
    let mut size = 1;
    while at < frames {
        let end = frames.min(at + size);
        let block: Vec<Vec<f32>> = sound.iter().map(|c| c[at..end].to_vec()).collect();
        writer.write(&block).unwrap();
        at = end;
        size = (size * 3 + 1) % 5000 + 1;
    }
    writer.finish().unwrap();
}

/// All that is in a file, read in blocks of at most `at_once` frames.
pub fn read_in(path: &Path, at_once: usize) -> Vec<Vec<f32>> {
    let mut file = SoundFile::open(path).unwrap();
    read_rest(&mut file, at_once)
}

pub fn read(path: &Path) -> Vec<Vec<f32>> {
    read_in(path, 1000)
}

pub fn read_rest(file: &mut SoundFile, at_once: usize) -> Vec<Vec<f32>> {
    let mut all = vec![Vec::new(); file.channels()];
    let mut block = all.clone();
    loop {
        let frames = file.read(&mut block, at_once).unwrap();
        assert!(frames <= at_once);
        if frames == 0 {
            return all;
        }
        for (all, block) in all.iter_mut().zip(&block) {
            assert_eq!(block.len(), frames);
            all.extend_from_slice(block);
        }
    }
}

/// The message of opening and reading a file to its end, which must fail.
pub fn failure(path: &Path) -> limpid_audio::AudioError {
    let mut file = match SoundFile::open(path) {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut block = vec![Vec::new(); file.channels()];
    loop {
        match file.read(&mut block, 1000) {
            Ok(0) => panic!("{} was read to its end", path.display()),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
