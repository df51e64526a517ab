//! What the engine is started with, and how its memory is shared out.

use std::path::PathBuf;
use std::sync::Arc;

use limpid_nets::LibraryConfig;

/// Called after events were sent, from any engine thread: asks a window for its next frame.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the engine is started with.
#[derive(Clone)]
pub struct EngineConfig {
    /// Threads that compute; 0 means one for each core this process may use. The result does not
    /// depend on it.
    pub threads: usize,
    /// Memory the engine may use, in bytes; see [`Budget`].
    pub budget_bytes: u64,
    /// Folder where the queue is kept, made when missing. The engine takes up the queue that it
    /// finds there. None keeps the queue in memory alone.
    pub state_dir: Option<PathBuf>,
    /// Whether files of that queue that failed or were cancelled are tried again from the start, as
    /// someone who gives the same command again expects. A window leaves that to the user.
    pub retry: bool,
    /// Where the models are.
    pub library: LibraryConfig,
    /// Called after events were sent; must return at once.
    pub wake: Option<Wake>,
    /// Whether [`crate::Engine::show`] is going to be used. Without views the queue gets the
    /// whole budget.
    pub views: bool,
}

impl EngineConfig {
    /// All cores, half of the computer's memory, no saved queue, views on.
    #[must_use]
    pub fn new(library: LibraryConfig) -> Self {
        Self {
            threads: 0,
            budget_bytes: Budget::default_bytes(),
            state_dir: None,
            retry: false,
            library,
            wake: None,
            views: true,
        }
    }
}

impl std::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineConfig")
            .field("threads", &self.threads)
            .field("budget_bytes", &self.budget_bytes)
            .field("state_dir", &self.state_dir)
            .field("retry", &self.retry)
            .field("library", &self.library)
            .field("wake", &self.wake.is_some())
            .field("views", &self.views)
            .finish()
    }
}

/// How the memory is shared out. The queue works on one file at a time, so a file has the whole
/// of the queue's share.
///
/// | share | with views | without |
/// |---|---|---|
/// | queue: the picture and its tiles in work | 5/8 | all |
/// | view: the open picture and its tiles in work | 2/8 | – |
/// | view: finished preview tiles | 1/8 | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For the file that the queue works on, in bytes.
    pub queue: u64,
    /// For the open picture, in bytes.
    pub view: u64,
    /// For finished preview tiles, in bytes.
    pub tiles: u64,
}

impl Budget {
    /// The smallest budget there is: below it even one tile of a network does not fit.
    pub const SMALLEST: u64 = 256 << 20;

    /// Shares out `bytes`, raised to [`Budget::SMALLEST`] where it is less.
    #[must_use]
    pub fn share(bytes: u64, views: bool) -> Self {
        let bytes = bytes.max(Self::SMALLEST);
        if !views {
            return Self { queue: bytes, view: 0, tiles: 0 };
        }
        let eighth = bytes / 8;
        Self { queue: bytes - 3 * eighth, view: 2 * eighth, tiles: eighth }
    }

    /// Half of this computer's memory, at least [`Budget::SMALLEST`]; 2 GiB where the amount is
    /// not known.
    #[must_use]
    pub fn default_bytes() -> u64 {
        memory_bytes().map_or(2 << 30, |bytes| (bytes / 2).max(Self::SMALLEST))
    }
}

/// Memory of this computer in bytes, where the system tells it in a file.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_never_add_up_to_more_than_the_budget() {
        for bytes in [0, 1 << 20, Budget::SMALLEST, (1 << 30) + 7, 1 << 40] {
            for views in [false, true] {
                let budget = Budget::share(bytes, views);
                let sum = budget.queue + budget.view + budget.tiles;
                assert_eq!(sum, bytes.max(Budget::SMALLEST), "{bytes} views {views}");
                assert!(budget.queue >= sum / 2);
            }
        }
    }
}
