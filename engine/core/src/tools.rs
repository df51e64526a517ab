//! What every piece of work needs: threads to compute on, memory, models.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use limpid_kernels::{Cancel, Pool};
use limpid_nets::Library;
use limpid_photo::{ErrorKind, PhotoError, WorkContext};

use crate::config::{Budget, EngineConfig};
use crate::error::EngineError;
use crate::event::FailureKind;
use crate::threads;

pub(crate) struct Tools {
    pool: RwLock<Pool>,
    budget_bytes: AtomicU64,
    views: bool,
    pub(crate) library: Library,
}

impl Tools {
    pub(crate) fn new(config: &EngineConfig) -> Result<Self, EngineError> {
        let library = Library::open(config.library.clone())
            .map_err(|error| EngineError::Model(error.to_string()))?;
        Ok(Self {
            pool: RwLock::new(threads::compute_pool(config.threads)?),
            budget_bytes: AtomicU64::new(config.budget_bytes),
            views: config.views,
            library,
        })
    }

    /// The threads to compute on. Asked for again at each tile, so that a change takes effect soon;
    /// results do not depend on it.
    pub(crate) fn pool(&self) -> Pool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_threads(&self, threads: usize) -> Result<(), EngineError> {
        let pool = threads::compute_pool(threads)?;
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = pool;
        Ok(())
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::share(self.budget_bytes.load(Ordering::Relaxed), self.views)
    }

    pub(crate) fn set_budget(&self, bytes: u64) {
        self.budget_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Runs `work` with the threads of this moment.
    pub(crate) fn with<R>(
        &self,
        budget_bytes: u64,
        cancel: &Cancel,
        work: impl FnOnce(&WorkContext<'_>) -> R,
    ) -> R {
        work(&WorkContext { pool: &self.pool(), cancel, budget_bytes })
    }
}

/// The kind of a photo error for the app; none when the work was stopped on request.
pub(crate) fn failure_kind(error: &PhotoError) -> Option<FailureKind> {
    Some(match error.kind() {
        ErrorKind::Unreadable => FailureKind::Unreadable,
        ErrorKind::Damaged => FailureKind::Damaged,
        ErrorKind::Unsupported => FailureKind::Unsupported,
        ErrorKind::TooLarge => FailureKind::TooLarge,
        ErrorKind::Model => FailureKind::Model,
        ErrorKind::Unwritable => FailureKind::Unwritable,
        ErrorKind::Cancelled => return None,
        ErrorKind::Internal => FailureKind::Internal,
    })
}
