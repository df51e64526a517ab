//! The one thread pool that all operators share.

use std::sync::Arc;

/// A fixed set of named worker threads. Cheap to clone; threads end with the last clone.
#[derive(Clone, Debug)]
pub struct Pool(Arc<rayon::ThreadPool>);

impl Pool {
    /// A pool of `threads` workers; 0 means one for each core this process may use.
    ///
    /// # Errors
    /// The operating system refused to start a thread.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("limpid-kernel-{index}"))
            .build()?;
        Ok(Self(Arc::new(pool)))
    }

    /// Number of workers.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Runs `work` inside the pool and waits for it; `rayon` calls inside use these workers.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.install(work)
    }
}
