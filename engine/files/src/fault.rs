//! What went wrong with a file, in one sentence: the path last, a kind to act on.

use std::io;

use crate::part::Refused;

/// Makes an error type: `fault! { /// What it is about. NAME, KIND }`. `KIND` is an enum with a
/// variant `Cancelled`.
///
/// A macro, because the crates that use it add conversions from errors of others, which Rust allows
/// for a type of their own only.
#[macro_export]
macro_rules! fault {
    ($(#[$about:meta])* $name:ident, $kind:ty) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name {
            kind: $kind,
            sentence: String,
            path: Option<std::path::PathBuf>,
            cause: Option<Box<dyn std::error::Error + Send + Sync>>,
        }

        impl $name {
            /// A fault told in `sentence`: one clause without a full stop and without the path.
            #[must_use]
            pub fn new(kind: $kind, sentence: impl Into<String>) -> Self {
                Self { kind, sentence: sentence.into(), path: None, cause: None }
            }

            /// The same with the error that led to it, for logs; the sentence must stand without
            /// it.
            #[must_use]
            pub fn because(
                mut self,
                cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
            ) -> Self {
                self.cause = Some(cause.into());
                self
            }

            /// The same, about this file. The first path named stays.
            #[must_use]
            pub fn at(mut self, path: &std::path::Path) -> Self {
                self.path.get_or_insert_with(|| path.to_owned());
                self
            }

            /// What kind of fault it is.
            #[must_use]
            pub fn kind(&self) -> $kind {
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
                self.kind == <$kind>::Cancelled
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match &self.path {
                    Some(path) => write!(f, "{}: {}", self.sentence, path.display()),
                    None => f.write_str(&self.sentence),
                }
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.cause.as_deref().map(|cause| cause as _)
            }
        }
    };
}

/// Why a file could not be read, as one clause without the path. What an early end means, and what
/// was expected in place of a folder, is the caller's to say.
#[must_use]
pub fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this file may not be read".to_owned(),
        _ => format!("the file cannot be read ({error})"),
    }
}

/// Why `what` ("the result") could not be written, as one clause without the path.
#[must_use]
pub fn unwritable(what: &str, error: &io::Error) -> String {
    if let Some(refused) = error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()) {
        return refused.to_string();
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        io::ErrorKind::AlreadyExists => "there is already a file of this name".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("{what} cannot be written, the folder does not allow it")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{what} cannot be written, the disk is read-only")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            format!("{what} cannot be written, the folder is not there")
        }
        io::ErrorKind::FileTooLarge => {
            format!("{what} is larger than the disk's file system allows")
        }
        _ => format!("{what} cannot be written ({error})"),
    }
}

#[cfg(test)]
#[allow(unreachable_pub)] // what the macro makes is public
mod tests {
    use std::error::Error;
    use std::path::Path;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        Damaged,
        Cancelled,
    }

    fault! {
        /// A fault of a test.
        TestError, Kind
    }

    #[test]
    fn the_path_comes_last_and_the_first_one_stays() {
        let error = TestError::new(Kind::Damaged, "the file ends before the picture does")
            .because(io::Error::from(io::ErrorKind::UnexpectedEof))
            .at(Path::new("a b.jpg"))
            .at(Path::new("other"));
        assert_eq!(error.to_string(), "the file ends before the picture does: a b.jpg");
        assert_eq!(error.sentence(), "the file ends before the picture does");
        assert_eq!(error.source().unwrap().to_string(), "unexpected end of file");
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(!error.is_cancelled());
        let cancelled = TestError::new(Kind::Cancelled, "cancelled");
        assert_eq!(cancelled.to_string(), "cancelled");
        assert!(cancelled.is_cancelled() && cancelled.source().is_none());
    }

    #[test]
    fn what_the_disk_says_is_told_in_words() {
        use io::ErrorKind;
        for (kind, wanted) in [
            (ErrorKind::StorageFull, "the disk is full"),
            (ErrorKind::PermissionDenied, "it cannot be written, the folder does not allow it"),
            (ErrorKind::NotFound, "it cannot be written, the folder is not there"),
            (ErrorKind::FileTooLarge, "it is larger than the disk's file system allows"),
            (ErrorKind::TimedOut, "it cannot be written (timed out)"),
        ] {
            assert_eq!(unwritable("it", &kind.into()), wanted);
        }
        for (kind, wanted) in [
            (ErrorKind::NotFound, "there is no such file"),
            (ErrorKind::PermissionDenied, "this file may not be read"),
            (ErrorKind::TimedOut, "the file cannot be read (timed out)"),
        ] {
            assert_eq!(unreadable(&kind.into()), wanted);
        }
    }
}
