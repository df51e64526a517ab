//! WAV as it grows: an open header first, so that a cut recording is readable, the true lengths at
//! the end, RF64 (EBU Tech 3306) where 32 bits do not hold them.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use super::EncodeSettings;
use super::quantise::Quantiser;
use crate::error::AudioError;
use crate::info::{SampleFormat, SoundInfo};

#[derive(Debug)]
pub(super) struct WavWriter {
    file: BufWriter<File>,
    quantiser: Option<Quantiser>,
    sample_bytes: usize,
    channels: usize,
    /// Where the length of the samples and, for other than plain ones, their number stand.
    data_len_at: u64,
    fact_at: Option<u64>,
    data_bytes: u64,
    /// The longest file that is no RF64; lower in tests.
    longest_riff: u64,
    bytes: Vec<u8>,
}

/// Behind the RIFF header: room for what an RF64 file needs.
const DS64_AT: u64 = 12;
const DS64_BYTES: u32 = 28;
/// What stands for a length that is not known, or stands elsewhere.
const UNKNOWN: [u8; 4] = [0xff; 4];

impl WavWriter {
    pub(super) fn begin(
        file: File,
        info: &SoundInfo,
        settings: &EncodeSettings,
    ) -> Result<Self, AudioError> {
        let (bits, quantiser) = match settings.format {
            SampleFormat::Int16 => (16u16, Some(Quantiser::new(16, settings.dither_seed))),
            SampleFormat::Int24 => (24, Some(Quantiser::new(24, settings.dither_seed))),
            _ => (32, None),
        };
        let (header, fact_at) = header(info, bits)?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 16, file),
            quantiser,
            sample_bytes: usize::from(bits / 8),
            channels: info.channels,
            data_len_at: header.len() as u64 - 4,
            fact_at,
            data_bytes: 0,
            longest_riff: u64::from(u32::MAX) - 1,
            bytes: Vec::new(),
        };
        writer.file.write_all(&header).map_err(AudioError::writing)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, block: &[Vec<f32>]) -> Result<(), AudioError> {
        let frames = block.first().map_or(0, Vec::len);
        self.bytes.clear();
        for frame in 0..frames {
            for channel in block {
                let sample = channel[frame];
                match &mut self.quantiser {
                    Some(quantiser) => {
                        let value = quantiser.round(sample).to_le_bytes();
                        self.bytes.extend_from_slice(&value[..self.sample_bytes]);
                    }
                    None => self.bytes.extend_from_slice(&sample.to_le_bytes()),
                }
            }
        }
        self.data_bytes += self.bytes.len() as u64;
        self.file.write_all(&self.bytes).map_err(AudioError::writing)
    }

    pub(super) fn finish(&mut self) -> Result<(), AudioError> {
        self.patch().map_err(AudioError::writing)
    }

    fn patch(&mut self) -> std::io::Result<()> {
        if self.data_bytes % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        let frames = self.data_bytes / (self.sample_bytes * self.channels) as u64;
        let riff_len = self.data_len_at + 4 + self.data_bytes + self.data_bytes % 2 - 8;
        let low = |value: u64| u32::try_from(value).map_or(UNKNOWN, u32::to_le_bytes);
        let is_64 = riff_len > self.longest_riff;
        let mut put = |at: u64, bytes: &[u8]| {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(bytes)
        };
        if is_64 {
            put(0, b"RF64")?;
            put(4, &UNKNOWN)?;
            put(DS64_AT, b"ds64")?;
            put(DS64_AT + 8, &riff_len.to_le_bytes())?;
            put(DS64_AT + 16, &self.data_bytes.to_le_bytes())?;
            put(DS64_AT + 24, &frames.to_le_bytes())?;
            put(self.data_len_at, &UNKNOWN)?;
        } else {
            put(4, &low(riff_len))?;
            put(self.data_len_at, &low(self.data_bytes))?;
        }
        if let Some(fact_at) = self.fact_at {
            put(fact_at, &if is_64 { UNKNOWN } else { low(frames) })?;
        }
        self.file.flush()
    }
}

/// All that stands before the samples, with open lengths, and where the number of frames goes.
fn header(info: &SoundInfo, bits: u16) -> Result<(Vec<u8>, Option<u64>), AudioError> {
    let too_many = |_| AudioError::internal("more channels than a header holds");
    let channels = u16::try_from(info.channels).map_err(too_many)?;
    let frame_bytes = channels * (bits / 8);
    let is_float = bits == 32;
    // Two channels are left and right by themselves; more need to say where they belong.
    let is_extensible = channels > 2;
    let tag: u16 = if is_float { 3 } else { 1 };

    let mut bytes = b"RIFF".to_vec();
    bytes.extend_from_slice(&UNKNOWN);
    bytes.extend_from_slice(b"WAVE");
    chunk(&mut bytes, *b"JUNK", &[0; DS64_BYTES as usize]);

    let mut format = Vec::with_capacity(40);
    format.extend_from_slice(&if is_extensible { 0xfffe } else { tag }.to_le_bytes());
    format.extend_from_slice(&channels.to_le_bytes());
    format.extend_from_slice(&info.rate.to_le_bytes());
    let byte_rate = info.rate.saturating_mul(u32::from(frame_bytes));
    format.extend_from_slice(&byte_rate.to_le_bytes());
    format.extend_from_slice(&frame_bytes.to_le_bytes());
    format.extend_from_slice(&bits.to_le_bytes());
    if is_extensible {
        const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
        format.extend_from_slice(&22u16.to_le_bytes());
        format.extend_from_slice(&bits.to_le_bytes());
        format.extend_from_slice(&info.channel_mask.unwrap_or(0).to_le_bytes());
        format.extend_from_slice(&tag.to_le_bytes());
        format.extend_from_slice(&GUID_TAIL);
    } else if is_float {
        format.extend_from_slice(&[0, 0]);
    }
    chunk(&mut bytes, *b"fmt ", &format);
    let fact_at = (is_float || is_extensible).then(|| {
        chunk(&mut bytes, *b"fact", &UNKNOWN);
        bytes.len() as u64 - 4
    });
    let list = info.tags.info_list();
    if !list.is_empty() {
        chunk(&mut bytes, *b"LIST", &list);
    }
    let kept = info.tags.wav_chunks();
    for (name, content) in kept {
        chunk(&mut bytes, *name, content);
    }
    let has_id3 = kept.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"id3 "));
    let id3 = info.tags.id3();
    if !has_id3 && !id3.is_empty() {
        chunk(&mut bytes, *b"id3 ", &id3);
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&UNKNOWN);
    Ok((bytes, fact_at))
}

fn chunk(bytes: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(content);
    if content.len() % 2 == 1 {
        bytes.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Container;
    use crate::info::Length;
    use crate::reader::BlockReader;
    use crate::{SoundFile, Tags};

    fn about() -> (SoundInfo, EncodeSettings) {
        let info = SoundInfo {
            rate: 48_000,
            channels: 2,
            channel_mask: None,
            length: Length::Unknown,
            format: SampleFormat::Float32,
            container: "WAV",
            codec: "PCM",
            tags: Tags::default(),
        };
        let settings = EncodeSettings {
            container: Container::Wav,
            format: SampleFormat::Float32,
            dither_seed: 0,
        };
        (info, settings)
    }

    /// Linux has a file that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_sentence() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let (info, settings) = about();
        let mut writer = WavWriter::begin(file, &info, &settings).unwrap();
        let block = [vec![0.25; 50_000], vec![-0.5; 50_000]];
        let error = writer.write(&block).unwrap_err();
        assert_eq!(error.to_string(), "the disk is full");
    }

    #[test]
    fn a_file_beyond_the_limit_becomes_rf64_and_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.wav");
        let (info, settings) = about();
        let mut writer = WavWriter::begin(File::create(&path).unwrap(), &info, &settings).unwrap();
        writer.longest_riff = 100;
        let block = [vec![0.25; 50], vec![-0.5; 50]];
        writer.write(&block).unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"RF64\xff\xff\xff\xffWAVEds64"));
        let mut read = SoundFile::open(&path).unwrap();
        assert_eq!(read.info().length, Length::Exact(50));
        let mut out = [Vec::new(), Vec::new()];
        assert_eq!(read.read(&mut out, 100).unwrap(), 50);
        assert_eq!(out, block);
    }
}
