//! What can go wrong with a picture, in one sentence, with a kind to act on.

use std::io;

use limpid_files::{unreadable, unwritable};
use limpid_kernels::{Cancelled, ShapeError};

/// What kind of fault it is, coarse enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is missing or may not be read.
    Unreadable,
    /// The input is damaged: cut off, or not what its header says.
    Damaged,
    /// The input is sound but of a kind that Limpid does not do.
    Unsupported,
    /// The picture does not fit the memory budget.
    TooLarge,
    /// A model is missing or does not fit.
    Model,
    /// The result cannot be written.
    Unwritable,
    /// The work was stopped on request.
    Cancelled,
    /// A fault of the program.
    Internal,
}

limpid_files::fault! {
    /// Why a picture could not be read, worked on or written: one sentence, the path last.
    PhotoError, ErrorKind
}

impl PhotoError {
    pub(crate) fn damaged(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, sentence)
    }

    pub(crate) fn unsupported(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, sentence)
    }

    pub(crate) fn internal(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, sentence)
    }

    /// A failed read of the input. The end of the file where more was promised is damage.
    pub(crate) fn reading(error: io::Error) -> Self {
        let made = match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged("the file ends before the picture does"),
            io::ErrorKind::IsADirectory => {
                Self::new(ErrorKind::Unreadable, "this is a folder, not a picture")
            }
            _ => Self::new(ErrorKind::Unreadable, unreadable(&error)),
        };
        made.because(error)
    }

    /// A failed write of the result.
    pub(crate) fn writing(error: io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full, the result was not written".to_owned()
            }
            _ => unwritable("the result", &error),
        };
        Self::new(ErrorKind::Unwritable, why).because(error)
    }
}

impl From<Cancelled> for PhotoError {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(ErrorKind::Cancelled, cancelled.to_string())
    }
}

impl From<ShapeError> for PhotoError {
    fn from(error: ShapeError) -> Self {
        Self::internal(format!("shapes do not fit: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_says_is_told_in_words() {
        for (error, kind, wanted) in [
            (
                PhotoError::reading(io::ErrorKind::UnexpectedEof.into()),
                ErrorKind::Damaged,
                "the file ends before the picture does",
            ),
            (
                PhotoError::reading(io::ErrorKind::IsADirectory.into()),
                ErrorKind::Unreadable,
                "this is a folder, not a picture",
            ),
            (
                PhotoError::writing(io::ErrorKind::StorageFull.into()),
                ErrorKind::Unwritable,
                "the disk is full, the result was not written",
            ),
        ] {
            assert_eq!((error.kind(), error.sentence()), (kind, wanted));
        }
    }
}
