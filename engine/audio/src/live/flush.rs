//! Brings what was written to the disk itself, on a thread of its own: it may take seconds, and the
//! recorder has a ring to empty meanwhile.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::level::Shared;
use super::storage::bytes_left;

pub(crate) struct Flusher {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<io::Error>>>,
    failed: Arc<AtomicBool>,
}

impl Flusher {
    /// A thread that flushes these files when told to, and notes how much room is left at `path`.
    pub(crate) fn start(files: Vec<File>, path: PathBuf, shared: Arc<Shared>) -> io::Result<Self> {
        let (wake, woken) = bounded(1);
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        let work = move || {
            shared.set_bytes_left(bytes_left(&path));
            for () in woken {
                for file in &files {
                    if let Err(error) = file.sync_data() {
                        flag.store(true, Ordering::Release);
                        return Some(error);
                    }
                }
                shared.set_bytes_left(bytes_left(&path));
            }
            None
        };
        let thread = thread::Builder::new().name("limpid-flush".to_owned()).spawn(work)?;
        Ok(Self { wake: Some(wake), thread: Some(thread), failed })
    }

    /// Flushes soon. Nothing happens while it is at it already.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }

    /// Whether the disk refused. [`stop`](Self::stop) tells why.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Waits for the last flush.
    pub(crate) fn stop(&mut self) -> Option<io::Error> {
        self.wake = None;
        self.thread.take().and_then(|thread| thread.join().ok().flatten())
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop();
    }
}
