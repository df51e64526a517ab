//! What can go wrong with a sound, in one sentence, with a kind to act on.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// What kind of fault it is, coarse enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is missing or may not be read.
    Unreadable,
    /// The input is damaged: cut off, or not what its header says.
    Damaged,
    /// The input is intact but of a kind that Limpid does not do.
    Unsupported,
    /// The sound does not fit the memory budget.
    TooLarge,
    /// A model is missing or does not fit.
    Model,
    /// A microphone or a loudspeaker is missing, busy, or gave up.
    Device,
    /// The result cannot be written.
    Unwritable,
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

    pub(crate) fn internal(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, sentence)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_comes_last_and_the_first_one_stays() {
        let error = AudioError::new(ErrorKind::Damaged, "the file ends before the sound does")
            .at(Path::new("a b.wav"))
            .at(Path::new("other"));
        assert_eq!(error.to_string(), "the file ends before the sound does: a b.wav");
        assert_eq!(error.sentence(), "the file ends before the sound does");
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}
