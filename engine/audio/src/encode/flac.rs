//! FLAC, frame by frame, in the memory of one frame.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Frame, StreamInfo};
use flacenc::config::Encoder;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::EncodeSettings;
use super::quantise::Quantiser;
use crate::error::AudioError;
use crate::info::{SampleFormat, SoundInfo};
use crate::tags::MASK_TAG;

/// Frames of sound in a FLAC frame, as the reference encoder has it.
const BLOCK: usize = 4096;
/// Kinds of the blocks that stand before the sound, and the bit that the last of them has.
const COMMENT: u8 = 4;
const PICTURE: u8 = 6;
const LAST_BLOCK: u8 = 0x80;
/// The highest rate that the encoder takes; higher ones are written into its headers afterwards.
const HIGHEST_CODER_RATE: u32 = 96_000;

pub(super) struct FlacWriter {
    file: BufWriter<File>,
    config: Verified<Encoder>,
    stream: StreamInfo,
    samples: FrameBuf,
    /// Counts frames and computes the checksum of all samples.
    context: Context,
    quantiser: Quantiser,
    pending: Vec<i32>,
    channels: usize,
    bits: u8,
    rate: u32,
    frame_number: usize,
    frame_bytes: (usize, usize),
}

impl std::fmt::Debug for FlacWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlacWriter").field("frame_number", &self.frame_number).finish()
    }
}

impl FlacWriter {
    pub(super) fn begin(
        file: File,
        info: &SoundInfo,
        settings: &EncodeSettings,
    ) -> Result<Self, AudioError> {
        let bits = if settings.format == SampleFormat::Int16 { 16 } else { 24 };
        let coder = |error: &dyn std::fmt::Display| {
            AudioError::internal(format!("the FLAC encoder does not take this sound ({error})"))
        };
        let config = Encoder::default().into_verified().map_err(|(_, error)| coder(&error))?;
        let coder_rate = info.rate.min(HIGHEST_CODER_RATE) as usize;
        let stream = StreamInfo::new(coder_rate, info.channels, usize::from(bits))
            .map_err(|error| coder(&error))?;
        let samples = FrameBuf::with_size(info.channels, BLOCK).map_err(|error| coder(&error))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 16, file),
            config,
            stream,
            samples,
            context: Context::new(usize::from(bits), info.channels),
            quantiser: Quantiser::new(u32::from(bits), settings.dither_seed),
            pending: Vec::with_capacity(BLOCK * info.channels),
            channels: info.channels,
            bits,
            rate: info.rate,
            frame_number: 0,
            frame_bytes: (0, 0),
        };
        writer.header(info).map_err(AudioError::writing)?;
        Ok(writer)
    }

    fn header(&mut self, info: &SoundInfo) -> std::io::Result<()> {
        let mut tags = info.tags.clone();
        if let Some(mask) = info.channel_mask.filter(|_| info.channels > 2)
            && tags.get(MASK_TAG).is_none()
        {
            tags.add(MASK_TAG, &format!("0x{mask:X}"));
        }
        let mut comment = tags.vorbis_comment();
        // 24 bits hold a block's length; only a hostile file has so many tags.
        if comment.len() >= 1 << 24 {
            comment = crate::Tags::default().vorbis_comment();
        }
        self.file.write_all(b"fLaC\0\0\0\x22")?;
        let stream_info = self.stream_info();
        self.file.write_all(&stream_info)?;
        let mut blocks = vec![(COMMENT, comment)];
        blocks.extend(info.tags.pictures().iter().map(|picture| (PICTURE, picture.flac_block())));
        let last = blocks.len() - 1;
        for (index, (kind, content)) in blocks.iter().enumerate() {
            let len = u32::try_from(content.len()).unwrap_or(0).to_be_bytes();
            let kind = kind | if index == last { LAST_BLOCK } else { 0 };
            self.file.write_all(&[kind, len[1], len[2], len[3]])?;
            self.file.write_all(content)?;
        }
        Ok(())
    }

    /// The 34 bytes that begin the file; of no length and checksum until the end.
    fn stream_info(&self) -> [u8; 34] {
        let mut info = [0; 34];
        let block = (BLOCK as u16).to_be_bytes();
        info[0..2].copy_from_slice(&block);
        info[2..4].copy_from_slice(&block);
        let three = |value: usize| u32::try_from(value).unwrap_or(0).to_be_bytes();
        info[4..7].copy_from_slice(&three(self.frame_bytes.0)[1..]);
        info[7..10].copy_from_slice(&three(self.frame_bytes.1)[1..]);
        let frames = self.context.total_samples() as u64 & ((1 << 36) - 1);
        let packed = (u64::from(self.rate) << 44)
            | ((self.channels as u64 - 1) << 41)
            | ((u64::from(self.bits) - 1) << 36)
            | frames;
        info[10..18].copy_from_slice(&packed.to_be_bytes());
        if self.context.total_samples() > 0 {
            info[18..34].copy_from_slice(&self.context.md5_digest());
        }
        info
    }

    pub(super) fn write(&mut self, block: &[Vec<f32>]) -> Result<(), AudioError> {
        let frames = block.first().map_or(0, Vec::len);
        for frame in 0..frames {
            for channel in block {
                self.pending.push(self.quantiser.round(channel[frame]));
            }
            if self.pending.len() == BLOCK * self.channels {
                self.encode()?;
            }
        }
        Ok(())
    }

    fn encode(&mut self) -> Result<(), AudioError> {
        let coder = |error: &dyn std::fmt::Display| {
            AudioError::internal(format!("the FLAC encoder failed ({error})"))
        };
        self.samples.fill_interleaved(&self.pending).map_err(|error| coder(&error))?;
        self.context.fill_interleaved(&self.pending).map_err(|error| coder(&error))?;
        self.pending.clear();
        let frame = flacenc::encode_fixed_size_frame(
            &self.config,
            &self.samples,
            self.frame_number,
            &self.stream,
        )
        .map_err(|error| coder(&error))?;
        self.frame_number += 1;
        let mut sink = ByteSink::new();
        frame.write(&mut sink).map_err(|error| coder(&error))?;
        let mut bytes = sink.into_inner();
        if self.rate > HIGHEST_CODER_RATE {
            set_rate_unsaid(&frame, &mut bytes);
        }
        let (shortest, longest) = self.frame_bytes;
        let shortest = if shortest == 0 { bytes.len() } else { shortest.min(bytes.len()) };
        self.frame_bytes = (shortest, longest.max(bytes.len()));
        self.file.write_all(&bytes).map_err(AudioError::writing)
    }

    pub(super) fn finish(&mut self) -> Result<(), AudioError> {
        if !self.pending.is_empty() {
            self.encode()?;
        }
        let info = self.stream_info();
        let patch = || {
            self.file.seek(SeekFrom::Start(8))?;
            self.file.write_all(&info)?;
            self.file.flush()
        };
        let mut patch = patch;
        patch().map_err(AudioError::writing)
    }
}

/// Makes a frame's header say "the rate stands at the beginning of the file", and renews its two
/// checksums.
fn set_rate_unsaid(frame: &Frame, bytes: &mut [u8]) {
    let header = frame.header().count_bits() / 8;
    let end = bytes.len().saturating_sub(2);
    if header < 5 || header > end {
        return;
    }
    bytes[2] &= 0xf0;
    bytes[header - 1] = crc8(&bytes[..header - 1]);
    let crc = crc16(&bytes[..end]).to_be_bytes();
    bytes[end..].copy_from_slice(&crc);
}

/// x⁸ + x² + x + 1, as FLAC's frame headers have it.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| (crc << 1) ^ if crc & 0x80 == 0 { 0 } else { 0x07 })
    })
}

/// x¹⁶ + x¹⁵ + x² + 1, as FLAC's frames have it.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut crc = (at as u16) << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
                bit += 1;
            }
            table[at] = crc;
            at += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_their_published_check_values() {
        assert_eq!(crc8(b"123456789"), 0xf4); // CRC-8/SMBUS
        assert_eq!(crc16(b"123456789"), 0xfee8); // CRC-16/UMTS
    }
}
