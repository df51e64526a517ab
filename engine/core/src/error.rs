//! Why the engine refused a request, in one sentence.

use std::path::PathBuf;

use crate::event::FailureKind;
use crate::recipe::RecipeError;

/// Why the engine refused a request. Shown as it is; the path comes last.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The recipe does not hold together.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The job names no file, or several files for one result.
    #[error("{0}")]
    Job(String),
    /// Another process owns the saved queue.
    #[error("another Limpid is working on this queue; let it finish or close it first: {}", .0.display())]
    InUse(PathBuf),
    /// The folder of the saved queue cannot be used.
    #[error("the saved queue cannot be {action} ({source}): {}", path.display())]
    State {
        /// "opened", "read", "written".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model is missing or damaged.
    #[error("{0}")]
    Model(String),
    /// A recording, a microphone or a loudspeaker cannot be used.
    #[error("{0}")]
    Sound(String),
    /// The system refused to start a thread.
    #[error("the system refused to start a thread ({0})")]
    Threads(String),
    /// A picture cannot be used.
    #[error("{message}")]
    Picture {
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        message: String,
    },
}
