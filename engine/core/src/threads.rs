//! Threads: named, ended within a set time, and those that compute step back behind the window.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use limpid_kernels::Pool;

use crate::error::EngineError;

/// How long the end of the program waits for its threads. They look at their flag far more often
/// (the slowest answers in 200 ms); a disk that hangs must not hold the window open.
const PATIENCE: Duration = Duration::from_secs(3);

/// Threads that are joined together.
#[derive(Debug, Default)]
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Starts a thread called `limpid-NAME`.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), EngineError> {
        let thread = std::thread::Builder::new()
            .name(format!("limpid-{name}"))
            .spawn(work)
            .map_err(|e| EngineError::Threads(e.to_string()))?;
        self.0.push(thread);
        Ok(())
    }

    /// Waits for all threads, which were told to end before. One that does not is left behind.
    pub(crate) fn join(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for thread in self.0.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if !thread.is_finished() {
                tracing::warn!(name, "a thread did not end in time and is left behind");
            } else if thread.join().is_err() {
                tracing::error!(name, "a thread ended in a fault of the program");
            }
        }
    }
}

/// A pool for the networks; 0 threads mean one a core.
pub(crate) fn compute_pool(threads: usize) -> Result<Pool, EngineError> {
    let pool = Pool::new(threads).map_err(|e| EngineError::Threads(e.to_string()))?;
    pool.install(|| rayon::broadcast(|_| step_back()));
    Ok(pool)
}

/// Lowers the priority of this thread, so that the window gets a core whenever it wants one.
/// Linux counts niceness by thread; elsewhere this would slow the window down too, or needs code
/// that this crate does not allow itself.
pub(crate) fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority was not lowered");
    }
}

/// Steps below the window's 0; at 10 a thread gets about a tenth of a contended core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_pool_steps_back_and_its_maker_does_not() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let own = niceness();
        let pool = compute_pool(2).unwrap();
        assert!(pool.install(|| rayon::broadcast(|_| niceness())).iter().all(|n| *n >= NICENESS));
        assert_eq!(niceness(), own);
    }

    #[test]
    fn a_thread_that_faulted_is_joined_too() {
        let mut threads = Threads::default();
        threads.spawn("good", || {}).unwrap();
        threads.spawn("bad", || panic!("on purpose")).unwrap();
        threads.join();
        assert!(threads.0.is_empty());
    }
}
