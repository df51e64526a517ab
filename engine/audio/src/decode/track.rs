//! Which track is read, and what Symphonia's errors are in a sentence.

use symphonia::core::errors::Error as CoreError;
use symphonia::core::formats::{FormatReader, Track, TrackType};

use super::opus::codecs;
use crate::error::AudioError;

/// The number in a FLAC file's channel mask comment, such as `0x3F`.
pub(super) fn parse_mask(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok().filter(|mask| *mask != 0)
}

/// The default sound track, or the first that can be decoded.
pub(super) fn choose_track(format: &dyn FormatReader) -> Result<&Track, AudioError> {
    let decodes = |track: &&Track| {
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        params.is_some_and(|params| codecs().get_audio_decoder(params.codec).is_some())
    };
    let first = format.default_track(TrackType::Audio);
    first
        .filter(decodes)
        .or_else(|| format.tracks().iter().find(decodes))
        .or(first)
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or_else(no_sound)
}

/// A file without sound.
pub(super) fn no_sound() -> AudioError {
    AudioError::unsupported("there is no sound in this file, or none that is read")
}

/// A coding that nothing decodes.
pub(super) fn no_decoder(error: CoreError, codec: Option<&str>) -> AudioError {
    let made = match codec {
        Some("Opus") => AudioError::unsupported("Opus sound of more than two channels is not read"),
        Some(codec) => AudioError::unsupported(format!("{codec} sound is not read")),
        None => AudioError::unsupported("the coding of the sound is not read"),
    };
    made.because(error)
}

/// A file that could not be opened.
pub(super) fn opening(error: CoreError) -> AudioError {
    match error {
        CoreError::Unsupported(what) => {
            AudioError::unsupported("this kind of sound file is not read")
                .because(CoreError::Unsupported(what))
        }
        other => decoding(other),
    }
}

/// A packet that could not be read or decoded.
pub(super) fn decoding(error: CoreError) -> AudioError {
    match error {
        CoreError::IoError(error) => AudioError::reading(error),
        CoreError::Unsupported(what) => {
            AudioError::unsupported("the file uses a part of its coding that is not read")
                .because(CoreError::Unsupported(what))
        }
        CoreError::LimitError(what) => {
            AudioError::damaged("the file asks for more memory than any sound needs")
                .because(CoreError::LimitError(what))
        }
        other => AudioError::damaged("the sound in this file is damaged").because(other),
    }
}
