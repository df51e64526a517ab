//! What can go wrong with a sound, in one sentence, with a kind to act on.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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

/// Why a sound could not be read, worked on or written: one sentence, the path last.
#[derive(Debug)]
pub struct AudioError {
    kind: ErrorKind,
    sentence: String,
    path: Option<PathBuf>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl AudioError {
    /// A fault told in `sentence`: one clause without a full stop and without the path.
    #[must_use]
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), path: None, cause: None }
    }

    /// The same with the error that led to it, for logs; the sentence must stand without it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same, about this file. The first path named stays.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence without the path, for places that name the file already.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Whether the work was stopped on request, which is no fault.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind == ErrorKind::Cancelled
    }

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
            io::ErrorKind::NotFound => Self::new(ErrorKind::Unreadable, "there is no such file"),
            io::ErrorKind::PermissionDenied => {
                Self::new(ErrorKind::Unreadable, "this file may not be read")
            }
            io::ErrorKind::IsADirectory => Self::is_folder(),
            _ => Self::new(ErrorKind::Unreadable, format!("the file cannot be read ({error})")),
        };
        made.because(error)
    }

    /// A folder where a file was meant.
    pub(crate) fn is_folder() -> Self {
        Self::new(ErrorKind::Unreadable, "this is a folder, not a sound file")
    }

    /// A failed write of the result.
    pub(crate) fn writing(error: io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "the result cannot be written, the folder does not allow it".to_owned()
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "the result cannot be written, the disk is read-only".to_owned()
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                "the result cannot be written, the folder is not there".to_owned()
            }
            io::ErrorKind::AlreadyExists => "there is already a file of this name".to_owned(),
            io::ErrorKind::FileTooLarge => {
                "the result is larger than the disk's file system allows".to_owned()
            }
            _ => format!("the result cannot be written ({error})"),
        };
        Self::new(ErrorKind::Unwritable, why).because(error)
    }
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", self.sentence, path.display()),
            None => f.write_str(&self.sentence),
        }
    }
}

impl Error for AudioError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<Cancelled> for AudioError {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(ErrorKind::Cancelled, cancelled.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_comes_last_and_the_first_one_stays() {
        let error = AudioError::cut_off().at(Path::new("a b.wav")).at(Path::new("other"));
        assert_eq!(error.to_string(), "the file ends before the sound does: a b.wav");
        assert_eq!(error.sentence(), "the file ends before the sound does");
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}
