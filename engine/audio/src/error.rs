//! What can go wrong with a sound, in one sentence, with a kind to act on.

use std::io;

use limpid_files::{unreadable, unwritable};
use limpid_kernels::Cancelled;

/// What kind of fault it is, coarse enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is missing or may not be read.
    Unreadable,
    /// The input is damaged: cut off, or not what its header says.
    Damaged,
    /// The input is sound but of a kind that Limpid does not do.
    Unsupported,
    /// A model is missing or does not fit.
    Model,
    /// The result cannot be written.
    Unwritable,
    /// A microphone or a loudspeaker is missing, taken or was unplugged.
    Device,
    /// The work was stopped on request.
    Cancelled,
    /// A fault of the program.
    Internal,
}

limpid_files::fault! {
    /// Why a sound could not be read, worked on or written: one sentence, the path last.
    AudioError, ErrorKind
}

impl AudioError {
    /// A fault of the input: cut off, or not what its header says.
    pub(crate) fn damaged(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, sentence)
    }

    /// The one sentence for a file that is shorter than it says.
    pub(crate) fn cut_off() -> Self {
        Self::damaged("the file ends before the sound does")
    }

    /// A sound input of a kind that is not done.
    pub(crate) fn unsupported(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, sentence)
    }

    /// A fault of the program.
    pub(crate) fn internal(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, sentence)
    }

    /// A failed read of the input. The end of the file where more was promised is damage.
    pub(crate) fn reading(error: io::Error) -> Self {
        let made = match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::cut_off(),
            io::ErrorKind::IsADirectory => Self::is_folder(),
            _ => Self::new(ErrorKind::Unreadable, unreadable(&error)),
        };
        made.because(error)
    }

    /// A folder where a file was meant.
    pub(crate) fn is_folder() -> Self {
        Self::new(ErrorKind::Unreadable, "this is a folder, not a sound file")
    }

    /// A failed write of the result.
    pub(crate) fn writing(error: io::Error) -> Self {
        Self::new(ErrorKind::Unwritable, unwritable("the result", &error)).because(error)
    }
}

impl From<Cancelled> for AudioError {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(ErrorKind::Cancelled, cancelled.to_string())
    }
}
