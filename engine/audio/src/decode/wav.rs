//! WAV: RIFF, RF64 and BW64 with plain samples, and recordings whose header was never finished.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::Damage;
use super::about::read_id3;
use super::pcm::Coding;
use super::sniff::read_at;
use crate::error::AudioError;
use crate::info::{Length, SampleFormat, SoundInfo};
use crate::tags::{MAX_CHUNK_BYTES, MAX_ID3_BYTES, MAX_TAG_BYTES, Tags};

/// What a WAV file turned out to hold.
pub(super) enum Opened {
    /// Plain samples.
    Pcm(Box<(SoundInfo, WavReader)>),
    /// A coding for another reader.
    Coded(File),
}

/// Reads the samples.
pub(super) struct WavReader {
    file: BufReader<File>,
    coding: Coding,
    frame_bytes: u64,
    data_start: u64,
    frames: u64,
    position: u64,
    buffer: Vec<u8>,
}

/// More channels than this are some other file's bytes.
const MAX_CHANNELS: u16 = 64;
/// More chunks than this are an attack.
const MAX_CHUNKS: usize = 4096;
/// The most bytes read at once.
const READ_BYTES: u64 = 1 << 20;
/// Lengths that recorders write before they know better: never, ffmpeg and most, `SoX`, others.
const PLACEHOLDERS: [u32; 5] = [0, u32::MAX, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000];

struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    frame_bytes: u16,
    mask: Option<u32>,
}

impl WavReader {
    pub(super) fn open(
        mut file: File,
        file_len: u64,
        damage: Damage,
    ) -> Result<Opened, AudioError> {
        let chunks = Chunks::walk(&mut file, file_len)?;
        let format = chunks
            .format
            .ok_or_else(|| AudioError::damaged("the file does not say how its sound is stored"))?;
        let (Some(data_start), Some(data_len)) = (chunks.data_start, chunks.data_len) else {
            return Err(AudioError::damaged("the file ends before its sound begins"));
        };
        if format.tag == 2 || format.tag == 0x11 {
            return Ok(Opened::Coded(file));
        }
        let (coding, format_name) = coding_of(&format)?;
        let frame_bytes = u64::from(format.frame_bytes);
        let there = file_len - data_start;
        let data_len = match data_len {
            DataLen::Promised(len) if len > there && damage == Damage::Refuse => {
                return Err(AudioError::cut_off());
            }
            DataLen::Promised(len) => len.min(there),
            DataLen::ToTheEnd => there,
        };
        let frames = data_len / frame_bytes;
        let info = SoundInfo {
            rate: format.rate,
            channels: usize::from(format.channels),
            channel_mask: format.mask,
            length: Length::Exact(frames),
            format: format_name,
            container: "WAV",
            codec: "PCM",
            tags: chunks.tags,
        };
        file.seek(SeekFrom::Start(data_start)).map_err(AudioError::reading)?;
        let reader = Self {
            file: BufReader::new(file),
            coding,
            frame_bytes,
            data_start,
            frames,
            position: 0,
            buffer: Vec::new(),
        };
        Ok(Opened::Pcm(Box::new((info, reader))))
    }

    pub(super) fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.position = frame.min(self.frames);
        let at = self.data_start + self.position * self.frame_bytes;
        self.file.seek(SeekFrom::Start(at)).map_err(AudioError::reading)?;
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        out: &mut [Vec<f32>],
        max_frames: usize,
    ) -> Result<usize, AudioError> {
        let at_once = (READ_BYTES / self.frame_bytes).max(1);
        let frames = (max_frames as u64).min(self.frames - self.position).min(at_once);
        // At most READ_BYTES or one frame: fits any machine's usize.
        let bytes = usize::try_from(frames * self.frame_bytes).unwrap_or(0);
        self.buffer.resize(bytes, 0);
        self.file.read_exact(&mut self.buffer).map_err(AudioError::reading)?;
        for channel in out.iter_mut() {
            channel.clear();
        }
        self.coding.append(&self.buffer, out);
        self.position += frames;
        Ok(usize::try_from(frames).unwrap_or(0))
    }
}

fn coding_of(format: &Format) -> Result<(Coding, SampleFormat), AudioError> {
    if format.channels == 0 || format.rate == 0 || format.frame_bytes == 0 {
        return Err(AudioError::damaged("the file does not say how its sound is stored"));
    }
    if format.channels > MAX_CHANNELS {
        return Err(AudioError::unsupported(format!(
            "the file has {} channels, more than the {MAX_CHANNELS} that are read",
            format.channels
        )));
    }
    let sample_bytes = format.frame_bytes / format.channels;
    let known = match (format.tag, sample_bytes) {
        _ if !format.frame_bytes.is_multiple_of(format.channels) => None,
        (1, 1) => Some((Coding::U8, SampleFormat::Int16)),
        (1, 2) => Some((Coding::I16, SampleFormat::Int16)),
        (1, 3) => Some((Coding::I24, SampleFormat::Int24)),
        (1, 4) => Some((Coding::I32, SampleFormat::Int32)),
        (3, 4) => Some((Coding::F32, SampleFormat::Float32)),
        (3, 8) => Some((Coding::F64, SampleFormat::Float32)),
        (6, 1) => Some((Coding::ALaw, SampleFormat::Int16)),
        (7, 1) => Some((Coding::MuLaw, SampleFormat::Int16)),
        _ => None,
    };
    known.ok_or_else(|| {
        AudioError::unsupported(format!(
            "the coding of this WAV file (number {}, {sample_bytes} bytes a sample) is not read",
            format.tag
        ))
    })
}

enum DataLen {
    Promised(u64),
    ToTheEnd,
}

/// What the chunks of a file say.
struct Chunks {
    format: Option<Format>,
    data_start: Option<u64>,
    data_len: Option<DataLen>,
    tags: Tags,
}

impl Chunks {
    fn walk(file: &mut File, file_len: u64) -> Result<Self, AudioError> {
        let head = read_at(file, 0, 12).map_err(AudioError::reading)?;
        let riff_len = u32_at(&head, 4).unwrap_or(0);
        let is_64 = !head.starts_with(b"RIFF");
        let mut found =
            Self { format: None, data_start: None, data_len: None, tags: Tags::default() };
        let mut data_64 = None;
        let mut at = 12;
        for _ in 0..MAX_CHUNKS {
            let head = read_at(file, at, 8).map_err(AudioError::reading)?;
            let (Some(name), Some(len)) = (head.first_chunk::<4>(), u32_at(&head, 4)) else {
                break;
            };
            let start = at + 8;
            let mut chunk_len = u64::from(len);
            match name {
                b"ds64" => {
                    let body = read_at(file, start, 16).map_err(AudioError::reading)?;
                    data_64 =
                        body.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
                }
                b"fmt " if found.format.is_none() => {
                    let body = read_at(file, start, 40).map_err(AudioError::reading)?;
                    let kept = body.len().min(usize::try_from(len).unwrap_or(40));
                    found.format = parse_format(&body[..kept]);
                }
                b"data" if found.data_start.is_none() => {
                    let whole_64 = if is_64 && len == u32::MAX { data_64 } else { None };
                    chunk_len = whole_64.unwrap_or(chunk_len);
                    // Nothing may be a true length: a recording without a sample, told by a header
                    // that fits the file.
                    let riff_fits =
                        !PLACEHOLDERS.contains(&riff_len) && u64::from(riff_len) + 8 >= file_len;
                    let truly_empty = len == 0 && riff_fits;
                    let unknown = PLACEHOLDERS.contains(&len) && whole_64.is_none() && !truly_empty;
                    let to_the_end =
                        unknown && (len == 0 || start.saturating_add(chunk_len) > file_len);
                    found.data_start = Some(start);
                    found.data_len = Some(if to_the_end {
                        DataLen::ToTheEnd
                    } else {
                        DataLen::Promised(chunk_len)
                    });
                    if to_the_end {
                        break;
                    }
                }
                b"LIST" | b"bext" | b"iXML" | b"cart" | b"id3 " | b"ID3 " | b"cue "
                    if len <= most_of(name) && start.saturating_add(chunk_len) <= file_len =>
                {
                    let body = read_at(file, start, usize::try_from(len).unwrap_or(0))
                        .map_err(AudioError::reading)?;
                    match name {
                        b"LIST" if body.starts_with(b"INFO") => {
                            read_info(&body[4..], &mut found.tags);
                        }
                        b"LIST" => {}
                        b"id3 " | b"ID3 " => {
                            let tag = body.clone();
                            if found.tags.add_wav_chunk(*name, body) {
                                read_id3(&tag, &mut found.tags);
                            }
                        }
                        _ => {
                            found.tags.add_wav_chunk(*name, body);
                        }
                    }
                }
                _ => {}
            }
            at = start.saturating_add(chunk_len).saturating_add(chunk_len % 2);
            if at >= file_len {
                break;
            }
        }
        Ok(found)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|part| part.try_into().ok()).map(u16::from_le_bytes)
}

fn parse_format(body: &[u8]) -> Option<Format> {
    let tag = u16_at(body, 0)?;
    // WAVE_FORMAT_EXTENSIBLE: the coding's number begins the GUID behind the channel mask.
    let extensible = tag == 0xfffe && body.len() >= 40;
    Some(Format {
        tag: if extensible { u16_at(body, 24)? } else { tag },
        channels: u16_at(body, 2)?,
        rate: u32_at(body, 4)?,
        frame_bytes: u16_at(body, 12)?,
        mask: if extensible { u32_at(body, 20).filter(|mask| *mask != 0) } else { None },
    })
}

/// The most that is kept of a chunk of this name.
fn most_of(name: &[u8; 4]) -> u32 {
    if name.eq_ignore_ascii_case(b"id3 ") { MAX_ID3_BYTES } else { MAX_CHUNK_BYTES }
}

/// The texts of an `INFO` list; what is not UTF-8 is taken for Latin-1.
fn read_info(mut body: &[u8], tags: &mut Tags) {
    while let (Some(name), Some(len)) = (body.first_chunk::<4>().copied(), u32_at(body, 4)) {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let Some(text) = body[8..].get(..len) else { return };
        if len <= MAX_TAG_BYTES {
            let text = match std::str::from_utf8(text) {
                Ok(text) => text.to_owned(),
                Err(_) => text.iter().map(|byte| char::from(*byte)).collect(),
            };
            tags.add_info(name, &text);
        }
        body = body[8 + len..].get(len % 2..).unwrap_or_default();
    }
}
