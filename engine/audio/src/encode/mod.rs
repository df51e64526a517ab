//! Sound files written as the samples come: WAV and FLAC.
//!
//! A file appears under its name when it is whole; until then it is `NAME.limpid-part` beside it,
//! removed on any error.

mod flac;
mod quantise;
mod wav;

use std::path::Path;

use limpid_files::PartFile;

use crate::error::{AudioError, ErrorKind};
use crate::info::{SampleFormat, SoundInfo};
use crate::reader::check_channels;

use flac::FlacWriter;
use wav::WavWriter;

/// What kind of file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// WAV; RF64 when it grows beyond 4 GiB.
    Wav,
    /// FLAC.
    Flac,
}

/// How a sound is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeSettings {
    /// The kind of file.
    pub container: Container,
    /// WAV: [`SampleFormat::Int16`], [`SampleFormat::Int24`] or [`SampleFormat::Float32`].
    /// FLAC: [`SampleFormat::Int16`] or [`SampleFormat::Int24`].
    pub format: SampleFormat,
    /// Where the noise begins that is added before rounding to 16 bits (TPDF dither, ±1 step).
    /// Samples that need no rounding get none, so silence stays silent and an untouched 16 bit
    /// sound stays exact. The same seed gives the same file.
    pub dither_seed: u64,
}

impl EncodeSettings {
    /// The kind of file by the name's extension (`flac`, else WAV needs `wav` or `wave`), the depth
    /// by what is written: 16 and 24 bits stay, 32 bits and floating point stay in WAV and become 24
    /// bits in FLAC, sound that was coded with loss becomes 16 bits.
    ///
    /// # Errors
    ///
    /// The name ends with another extension.
    pub fn for_path(path: &Path, info: &SoundInfo) -> Result<Self, AudioError> {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let container = match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("flac") => Container::Flac,
            Some("wav" | "wave") => Container::Wav,
            _ => {
                return Err(AudioError::new(
                    ErrorKind::Unsupported,
                    "sound is written as WAV or FLAC, by the result's extension",
                )
                .at(path));
            }
        };
        let format = match (info.format, container) {
            (SampleFormat::Int16 | SampleFormat::Lossy, _) => SampleFormat::Int16,
            (SampleFormat::Int32 | SampleFormat::Float32, Container::Wav) => SampleFormat::Float32,
            _ => SampleFormat::Int24,
        };
        Ok(Self { container, format, dither_seed: 0 })
    }
}

/// Writes one sound file.
#[derive(Debug)]
pub struct SoundWriter {
    part: PartFile,
    inner: Inner,
    channels: usize,
    frames: u64,
}

#[derive(Debug)]
enum Inner {
    Wav(WavWriter),
    Flac(Box<FlacWriter>),
}

impl SoundWriter {
    /// Begins a file at `destination` with the rate, channels and tags of `info`. `destination` must
    /// not be `original`, the file that the sound comes from.
    ///
    /// # Errors
    ///
    /// The file cannot be made, would replace the original, or cannot hold such a sound.
    pub fn create(
        destination: &Path,
        original: Option<&Path>,
        info: &SoundInfo,
        settings: &EncodeSettings,
    ) -> Result<Self, AudioError> {
        let create = || {
            check(info, settings)?;
            let part = PartFile::create(destination, original).map_err(AudioError::writing)?;
            let file = part.file().try_clone().map_err(AudioError::writing)?;
            let inner = match settings.container {
                Container::Wav => Inner::Wav(WavWriter::begin(file, info, settings)?),
                Container::Flac => Inner::Flac(Box::new(FlacWriter::begin(file, info, settings)?)),
            };
            Ok(Self { part, inner, channels: info.channels, frames: 0 })
        };
        create().map_err(|error: AudioError| error.at(destination))
    }

    /// Adds frames: one vector a channel, all of one length, full scale at ±1. What goes beyond full
    /// scale is cut to it in whole-number formats; what is not a number becomes silence there.
    ///
    /// # Errors
    ///
    /// The disk is full or the like; the file is then of no use.
    pub fn write(&mut self, block: &[Vec<f32>]) -> Result<(), AudioError> {
        check_channels(block, self.channels)?;
        let frames = block.first().map_or(0, Vec::len);
        if block.iter().any(|channel| channel.len() != frames) {
            return Err(AudioError::internal("the channels of a block differ in length"));
        }
        match &mut self.inner {
            Inner::Wav(wav) => wav.write(block),
            Inner::Flac(flac) => flac.write(block),
        }
        .map_err(|error| error.at(self.part.destination()))?;
        self.frames += frames as u64;
        Ok(())
    }

    /// Frames written so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Completes the file, flushes it to the disk and gives it its name.
    ///
    /// # Errors
    ///
    /// The disk is full or the like; nothing is left behind then.
    pub fn finish(mut self) -> Result<(), AudioError> {
        match &mut self.inner {
            Inner::Wav(wav) => wav.finish(),
            Inner::Flac(flac) => flac.finish(),
        }
        .and_then(|()| self.part.finish().map_err(AudioError::writing))
        .map_err(|error| error.at(self.part.destination()))
    }
}

/// Whether the container can hold such a sound.
fn check(info: &SoundInfo, settings: &EncodeSettings) -> Result<(), AudioError> {
    let refuse = |sentence: String| Err(AudioError::new(ErrorKind::Unsupported, sentence));
    let (channels, rate) = (info.channels, info.rate);
    if channels == 0 || rate == 0 {
        return Err(AudioError::internal("a sound without channels or rate"));
    }
    match (settings.container, settings.format) {
        (Container::Flac, _) if channels > 8 => {
            refuse(format!("FLAC holds 8 channels, not {channels}; WAV holds them"))
        }
        (Container::Flac, _) if rate > 655_350 => {
            refuse(format!("FLAC holds no rate of {rate} Hz; WAV holds it"))
        }
        (Container::Wav, _) if channels > 1024 => {
            refuse(format!("{channels} channels are more than WAV holds"))
        }
        (_, SampleFormat::Int16 | SampleFormat::Int24) => Ok(()),
        (Container::Wav, SampleFormat::Float32) => Ok(()),
        (Container::Flac, _) => refuse("FLAC is written with 16 or 24 bits".to_owned()),
        (Container::Wav, _) => refuse("WAV is written with 16, 24 or 32 bits".to_owned()),
    }
}
