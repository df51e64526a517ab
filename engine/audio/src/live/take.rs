//! A WAV file that is whole at any moment while it grows.
//!
//! The sizes in its header are brought up to date by [`TakeWriter::seal`], which the recorder does
//! twice a second, so a reader after a crash finds all but the last half second (and most readers
//! take the rest too, which is in the file). Past 4 GiB the same file becomes an RF64 (EBU Tech
//! 3306): room for its 64-bit sizes is kept from the start in a `JUNK` chunk, so nothing moves.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use super::format::{SampleKind, StreamFormat};
use super::storage::{Storage, TakeFile};
use crate::error::AudioError;

/// The largest size that a plain WAV can state.
const LARGEST_RIFF: u64 = u32::MAX as u64 - 8;

pub(crate) struct TakeWriter {
    path: PathBuf,
    file: Box<dyn TakeFile>,
    header: Header,
    frame_bytes: u64,
    data_bytes: u64,
    /// 1 where a pad byte follows the sound.
    padding: u64,
    largest_riff: u64,
}

/// Where the header's sizes are.
struct Header {
    bytes: Vec<u8>,
    fact: Option<u64>,
}

impl TakeWriter {
    /// A new, empty take. A file that is there already is an error and stays as it is.
    pub(crate) fn create(
        storage: &dyn Storage,
        path: &Path,
        format: StreamFormat,
    ) -> Result<Self, AudioError> {
        let fail = |error| AudioError::writing(error).at(path);
        let mut file = storage.create(path).map_err(fail)?;
        let header = Header::new(format);
        if let Err(error) = file.write_all(&header.bytes) {
            drop(file);
            let _ = std::fs::remove_file(path);
            return Err(fail(error));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
            frame_bytes: format.file_frame_bytes().max(1) as u64,
            data_bytes: 0,
            padding: 0,
            largest_riff: LARGEST_RIFF,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn frames(&self) -> u64 {
        self.data_bytes / self.frame_bytes
    }

    pub(crate) fn flush_handle(&self) -> Option<std::fs::File> {
        self.file.flush_handle().ok().flatten()
    }

    /// Appends whole frames in the bytes of the file. After an error the take ends with the last
    /// whole frame that was written.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), AudioError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wrote = match self.file.write(rest) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other,
            };
            match wrote {
                Ok(n) => {
                    self.data_bytes += n as u64;
                    rest = &rest[n..];
                }
                Err(error) => {
                    self.data_bytes -= self.data_bytes % self.frame_bytes;
                    return Err(AudioError::writing(error).at(&self.path));
                }
            }
        }
        Ok(())
    }

    /// Makes the header say what is in the file.
    pub(crate) fn seal(&mut self) -> Result<(), AudioError> {
        let wide = self.is_wide();
        self.put_sizes()
            .and_then(|()| {
                // last, so that a plain header stays true until all of the wide one is there
                if wide { self.put(0, b"RF64") } else { Ok(()) }
            })
            .and_then(|()| self.file.seek(SeekFrom::Start(self.end())).map(drop))
            .map_err(|error| AudioError::writing(error).at(&self.path))
    }

    /// Ends the take: half a frame that a full disk left is cut, an odd number of bytes gets its
    /// pad byte, the sizes are set, and all of it is brought to the disk itself. Returns its frames.
    pub(crate) fn finish(mut self) -> Result<u64, AudioError> {
        let end = self.end();
        let trimmed = self.file.cut(end);
        if self.data_bytes % 2 == 1 && self.put(end, &[0]).is_ok() {
            self.padding = 1;
        }
        self.seal()?;
        trimmed
            .and_then(|()| self.file.flush())
            .and_then(|()| match self.file.flush_handle()? {
                Some(handle) => handle.sync_all(),
                None => Ok(()),
            })
            .map_err(|error| AudioError::writing(error).at(&self.path))?;
        Ok(self.frames())
    }

    fn end(&self) -> u64 {
        self.header.bytes.len() as u64 + self.data_bytes
    }

    fn is_wide(&self) -> bool {
        self.end() > self.largest_riff
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }

    fn put_sizes(&mut self) -> io::Result<()> {
        let (riff, data, frames) = (self.end() + self.padding - 8, self.data_bytes, self.frames());
        let narrow = |size: u64| {
            let told = if self.is_wide() { u32::MAX } else { size as u32 };
            told.to_le_bytes()
        };
        let (riff_told, data_told, frames_told) = (narrow(riff), narrow(data), narrow(frames));
        if self.is_wide() {
            let mut wide = Vec::with_capacity(36);
            wide.extend(b"ds64");
            wide.extend(28_u32.to_le_bytes());
            for size in [riff, data, frames] {
                wide.extend(size.to_le_bytes());
            }
            wide.extend(0_u32.to_le_bytes());
            self.put(12, &wide)?;
        }
        self.put(4, &riff_told)?;
        if let Some(fact) = self.header.fact {
            self.put(fact, &frames_told)?;
        }
        self.put(self.header.bytes.len() as u64 - 4, &data_told)
    }
}

impl Header {
    /// Of an empty file. The sound starts right behind it.
    fn new(format: StreamFormat) -> Self {
        let StreamFormat { rate, channels, kind } = format;
        let float = kind == SampleKind::F32;
        let tag: u16 = if float { 3 } else { 1 };
        // what Microsoft asks for where the plain form leaves a doubt
        let extensible = channels > 2 || (!float && kind.bits() > 16);
        let frame_bytes = format.file_frame_bytes() as u32;

        let mut bytes = Vec::with_capacity(128);
        bytes.extend(b"RIFF\0\0\0\0WAVEJUNK");
        bytes.extend(28_u32.to_le_bytes());
        bytes.extend([0; 28]);
        bytes.extend(b"fmt ");
        let fmt_bytes: u32 = match (extensible, float) {
            (true, _) => 40,
            (false, true) => 18,
            (false, false) => 16,
        };
        bytes.extend(fmt_bytes.to_le_bytes());
        bytes.extend(if extensible { 0xfffe } else { tag }.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend(rate.saturating_mul(frame_bytes).to_le_bytes());
        bytes.extend((frame_bytes as u16).to_le_bytes());
        bytes.extend(kind.bits().to_le_bytes());
        if extensible {
            bytes.extend(22_u16.to_le_bytes());
            bytes.extend(kind.bits().to_le_bytes());
            // no channel is called left or right: a microphone does not say
            let places: u32 = match channels {
                1 => 4,
                2 => 3,
                _ => 0,
            };
            bytes.extend(places.to_le_bytes());
            bytes.extend(tag.to_le_bytes());
            bytes.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
        } else if float {
            bytes.extend(0_u16.to_le_bytes());
        }
        let mut fact = None;
        if float {
            bytes.extend(b"fact\x04\0\0\0");
            fact = Some(bytes.len() as u64);
            bytes.extend(0_u32.to_le_bytes());
        }
        bytes.extend(b"data\0\0\0\0");
        let riff = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        Self { bytes, fact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::storage::Disk;

    fn create(folder: &tempfile::TempDir, kind: SampleKind, channels: u16) -> TakeWriter {
        let format = StreamFormat { rate: 8000, channels, kind };
        TakeWriter::create(&Disk, &folder.path().join("a.wav"), format).unwrap()
    }

    #[test]
    fn it_can_be_read_while_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let mut take = create(&folder, SampleKind::F32, 1);
        let read = |path: &Path| {
            let reader = hound::WavReader::open(path).unwrap();
            reader.into_samples::<f32>().map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(read(take.path()), [0.0; 0]);
        for part in 1..4 {
            let samples = [part as f32; 100];
            take.append(&samples.map(f32::to_le_bytes).concat()).unwrap();
            assert_eq!(read(take.path()).len(), 100 * (part - 1), "not yet sealed");
            take.seal().unwrap();
            assert_eq!(read(take.path()).len(), 100 * part);
        }
        let path = take.path().to_owned();
        assert_eq!(take.finish().unwrap(), 300);
        assert_eq!(read(&path)[250], 3.0);
    }

    #[test]
    fn an_odd_end_is_padded_and_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut take = create(&folder, SampleKind::I24, 1);
        take.append(&[1, 2, 3]).unwrap();
        let path = take.path().to_owned();
        assert_eq!(take.finish().unwrap(), 1);
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes[bytes.len() - 8..], [3, 0, 0, 0, 1, 2, 3, 0]);
        assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
    }

    #[test]
    fn a_take_that_outgrows_its_header_becomes_an_rf64() {
        for kind in [SampleKind::I16, SampleKind::F32] {
            let folder = tempfile::tempdir().unwrap();
            let mut take = create(&folder, kind, 2);
            take.largest_riff = 1000;
            let frame = 2 * kind.file_bytes();
            take.append(&vec![7; 100 * frame]).unwrap();
            take.seal().unwrap();
            let path = take.path().to_owned();
            assert_eq!(std::fs::read(&path).unwrap()[..4], *b"RIFF");
            take.append(&vec![8; 1000 * frame]).unwrap();
            take.seal().unwrap();
            take.append(&vec![9; 10 * frame]).unwrap();
            assert_eq!(take.finish().unwrap(), 1110);
            let bytes = std::fs::read(&path).unwrap();
            let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
            assert_eq!(bytes[..8], *b"RF64\xff\xff\xff\xff");
            assert_eq!(bytes[8..20], *b"WAVEds64\x1c\0\0\0");
            assert_eq!(long(20), bytes.len() as u64 - 8);
            assert_eq!(long(28), 1110 * frame as u64);
            assert_eq!(long(36), 1110);
            assert_eq!(bytes[44..52], *b"\0\0\0\0fmt ");
            let start = bytes.len() - 1110 * frame;
            assert_eq!(bytes[start - 8..start], *b"data\xff\xff\xff\xff");
            assert_eq!((bytes[start], bytes[bytes.len() - 1]), (7, 9));
        }
    }
}
