//! Sound files: known by their content, read block by block, never held in memory.
//!
//! WAV has a reader of its own (crashed recorders, RF64, chunks that are carried over); the rest
//! goes through Symphonia, with a look of our own at whether the file is as long as it says.

mod about;
mod aiff_caf;
mod mp4;
mod opus;
mod packets;
mod pcm;
mod sniff;
mod track;
mod wav;
mod whole;

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::error::AudioError;
use crate::info::SoundInfo;
use crate::reader::{BlockReader, check_channels};

use packets::Packets;
use sniff::Kind;
use wav::WavReader;

/// What is done about a file that is cut off or damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damage {
    /// It is an error, at once where the file's own tables show it, else where it is met.
    #[default]
    Refuse,
    /// What can be read is given, and the sound ends or falls silent where it cannot.
    KeepTheRest,
}

/// An open sound file, or the sound track of a video.
pub struct SoundFile {
    path: PathBuf,
    info: SoundInfo,
    damage: Damage,
    reader: Inner,
}

enum Inner {
    Wav(WavReader),
    Packets(Box<Packets>),
}

impl std::fmt::Debug for SoundFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundFile").field("path", &self.path).field("info", &self.info).finish()
    }
}

impl SoundFile {
    /// Opens a file and reads what it says about itself. Its content decides what it is, not its
    /// name. Of a video, the sound track that it names as the default one is read.
    ///
    /// # Errors
    ///
    /// The file is missing, may not be read, is a folder, empty, damaged or cut off, no sound file,
    /// or of a coding that is not read.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        Self::open_with(path, Damage::Refuse)
    }

    /// [`SoundFile::open`], with a choice about damaged files.
    ///
    /// # Errors
    ///
    /// As for [`SoundFile::open`]; with [`Damage::KeepTheRest`] only where nothing can be read.
    pub fn open_with(path: &Path, damage: Damage) -> Result<Self, AudioError> {
        let (info, reader) = open(path, damage).map_err(|error| error.at(path))?;
        Ok(Self { path: path.to_owned(), info, damage, reader })
    }

    /// What is known about the sound.
    #[must_use]
    pub fn info(&self) -> &SoundInfo {
        &self.info
    }

    /// The file's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether the first bytes of a file are those of a recording, or of a film. Its name does not matter;
/// that it can be read is not said.
///
/// # Errors
///
/// The file is missing or may not be read.
pub fn is_sound(path: &Path) -> Result<bool, AudioError> {
    let sniffed = File::open(path).and_then(|mut file| sniff::sniff(&mut file));
    sniffed.map(|kind| kind.is_some()).map_err(|error| AudioError::reading(error).at(path))
}

impl BlockReader for SoundFile {
    fn rate(&self) -> u32 {
        self.info.rate
    }

    fn channels(&self) -> usize {
        self.info.channels
    }

    fn frames(&self) -> Option<u64> {
        self.info.length.frames()
    }

    /// Exact in files that count frames (WAV, FLAC, MP4, Ogg, AIFF, CAF); a millisecond in Matroska
    /// and WebM; MP3 and bare AAC are read through for it. Going back opens the file anew. After going anywhere but to the
    /// start, a file's end is no longer compared with what its header promises.
    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.go_to(frame).map_err(|error| error.at(&self.path))
    }

    fn read(&mut self, out: &mut [Vec<f32>], max_frames: usize) -> Result<usize, AudioError> {
        check_channels(out, self.info.channels)?;
        match &mut self.reader {
            Inner::Wav(wav) => wav.read(out, max_frames),
            Inner::Packets(packets) => contained(|| packets.read(out, max_frames)),
        }
        .map_err(|error| error.at(&self.path))
    }
}

impl SoundFile {
    fn go_to(&mut self, frame: u64) -> Result<(), AudioError> {
        match &mut self.reader {
            Inner::Wav(wav) => return wav.seek(frame),
            Inner::Packets(packets) if packets.position() == Some(frame) => return Ok(()),
            Inner::Packets(packets) if frame > 0 && packets.position() < Some(frame) => {
                if packets.position().is_some() {
                    return contained(|| packets.seek(frame));
                }
            }
            Inner::Packets(_) => {}
        }
        // Not every container is gone back in well, least of all behind its end, and codings keep
        // noise generators and filters from before: a fresh start gives the same sound each time.
        let (info, reader) = open(&self.path, self.damage)?;
        if info != self.info {
            return Err(AudioError::damaged("the file was changed while it was read"));
        }
        self.reader = reader;
        match &mut self.reader {
            Inner::Packets(packets) if frame > 0 => contained(|| packets.seek(frame)),
            _ => Ok(()),
        }
    }
}

/// A broken file may make a reader of others panic (CAF's does, on sizes that overflow): that is
/// damage like any other. What the reader is left with is never relied on: it says what it says, or
/// panics again in here.
fn contained<T>(work: impl FnOnce() -> Result<T, AudioError>) -> Result<T, AudioError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(AudioError::damaged("the sound in this file is damaged")))
}

fn open(path: &Path, damage: Damage) -> Result<(SoundInfo, Inner), AudioError> {
    let about = std::fs::metadata(path).map_err(AudioError::reading)?;
    if about.is_dir() {
        return Err(AudioError::is_folder());
    }
    // A pipe or a device may never end, and cannot be gone back in.
    if !about.is_file() {
        return Err(AudioError::unsupported("this is not an ordinary file"));
    }
    let mut file = File::open(path).map_err(AudioError::reading)?;
    let file_len = about.len();
    if file_len == 0 {
        return Err(AudioError::damaged("the file is empty"));
    }
    let kind = sniff::sniff(&mut file).map_err(AudioError::reading)?;
    let kind = kind.ok_or_else(|| AudioError::unsupported("this is not a sound file"))?;
    if damage == Damage::Refuse {
        whole::check(&mut file, kind, file_len)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(AudioError::reading)?;
    match kind {
        Kind::Wav => match WavReader::open(file, file_len, damage)? {
            wav::Opened::Pcm(opened) => Ok((opened.0, Inner::Wav(opened.1))),
            wav::Opened::Coded(file) => {
                let (info, packets) = contained(|| Packets::open(file, kind, damage))?;
                Ok((info, Inner::Packets(Box::new(packets))))
            }
        },
        _ => {
            let (info, packets) = contained(|| Packets::open(file, kind, damage))?;
            Ok((info, Inner::Packets(Box::new(packets))))
        }
    }
}
