//! Ctrl-C, and the signals that ask for an orderly end: the first cancels, the second kills.

use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{Receiver, bounded};

/// Exit code after a cancel, as shells give it for an interrupted command.
pub(super) const EXIT_CODE: u8 = 130;

/// Receives once, at the first interrupt. Where the system refuses a handler, nothing ever comes
/// and an interrupt kills at once, as it does without us: every file in place is whole all the same.
#[must_use]
pub(super) fn listen() -> Receiver<()> {
    let (sender, receiver) = bounded(1);
    let count = AtomicU32::new(0);
    let handler = move || {
        if count.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(i32::from(EXIT_CODE));
        }
        let _ = sender.try_send(());
    };
    match ctrlc::set_handler(handler) {
        Ok(()) => receiver,
        Err(error) => {
            tracing::warn!("no interrupt handler: {error}");
            crossbeam_channel::never()
        }
    }
}
