//! What can go wrong, each in one sentence for a person, the path last.

use std::path::{Path, PathBuf};

use limpid_kernels::{Cancelled, ShapeError};

/// A network could not be run on a tile.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The work was stopped on request.
    #[error("cancelled")]
    Cancelled,
    /// The input does not have the shape or the values this network takes.
    #[error("{0}")]
    Input(String),
    /// A part of the program did not keep its word to another; never the user's fault.
    #[error("internal error in the network: {0}")]
    Internal(String),
}

impl From<Cancelled> for NetError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<ShapeError> for NetError {
    fn from(error: ShapeError) -> Self {
        Self::Internal(error.0)
    }
}

/// Why a model could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadErrorKind {
    /// No installed model does this task; a caller may compose one from others.
    NoModel,
    /// No model has this name.
    UnknownName,
    /// The model is known, but its weights are not on this computer.
    NotInstalled,
    /// The file is not what its header, its hash or its architecture says.
    Damaged,
    /// The file is sound, but nothing this program can run.
    Unsupported,
    /// The file could not be read or written.
    Io,
    /// The package client is missing or could not bring the package.
    Fetch,
    /// The work was stopped on request.
    Cancelled,
}

/// A model could not be found, read, checked or fetched.
#[derive(Debug)]
pub struct LoadError {
    kind: LoadErrorKind,
    message: String,
    path: Option<PathBuf>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LoadError {
    pub(crate) fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, cause: None }
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(LoadErrorKind::Damaged, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(LoadErrorKind::Unsupported, message)
    }

    pub(crate) fn io(message: impl Into<String>, path: &Path, cause: std::io::Error) -> Self {
        Self {
            kind: LoadErrorKind::Io,
            message: message.into(),
            path: Some(path.to_owned()),
            cause: Some(cause.into()),
        }
    }

    /// Names the file, unless a deeper place already did.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// Why, for code.
    #[must_use]
    pub fn kind(&self) -> LoadErrorKind {
        self.kind
    }

    /// The file it is about, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, " ({cause})")?;
        }
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<Cancelled> for LoadError {
    fn from(_: Cancelled) -> Self {
        Self::new(LoadErrorKind::Cancelled, "cancelled")
    }
}
