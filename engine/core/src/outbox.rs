//! How events leave the engine. The channel holds a bounded number of events that can be spared or
//! can wait; changes of state are never lost and never make their sender wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::config::Wake;
use crate::event::Event;

/// Events that may lie unread before progress is dropped and pictures wait. Changes of state come
/// on top: there are a handful a file, and the queue holds the files in memory anyway. A channel
/// with a hard bound would have to block on them, and a window that submits a job from the very
/// thread that reads the events would wait for itself.
const ROOM: usize = 512;

/// The same for pictures: at up to a megabyte each, fewer of them may lie unread.
const ROOM_FOR_PICTURES: usize = 64;

/// How long a sender of pictures sleeps while the app is behind.
const WAIT: Duration = Duration::from_millis(2);

#[derive(Clone)]
pub(crate) struct Outbox {
    sender: Sender<Event>,
    is_closed: Arc<AtomicBool>,
    wake: Option<Wake>,
}

impl Outbox {
    pub(crate) fn new(wake: Option<Wake>) -> (Self, Receiver<Event>) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        (Self { sender, is_closed: Arc::default(), wake }, receiver)
    }

    /// From here on nobody waits for room.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Sends a change of state.
    pub(crate) fn tell(&self, event: Event) {
        self.push(event);
        self.wake();
    }

    /// Sends a change of state without waking the app: for use under a lock, where `wake` follows
    /// once it is given free.
    pub(crate) fn push(&self, event: Event) {
        let _closed = self.sender.send(event);
    }

    /// Wakes the app.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    /// Sends what the next one of its kind makes up for, unless the app is behind.
    pub(crate) fn tell_if_room(&self, event: Event) {
        if self.sender.len() < ROOM {
            self.tell(event);
        }
    }

    /// Whether a picture can be sent at once.
    pub(crate) fn has_room_for_pictures(&self) -> bool {
        self.sender.len() < ROOM_FOR_PICTURES
    }

    /// Sends a picture once there is room. False when `is_stale` became true first, or the engine
    /// is closing.
    pub(crate) fn tell_when_room(&self, event: Event, is_stale: impl Fn() -> bool) -> bool {
        loop {
            if self.is_closed.load(Ordering::Acquire) || is_stale() {
                return false;
            }
            if self.has_room_for_pictures() {
                self.tell(event);
                return true;
            }
            std::thread::sleep(WAIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ItemId, JobId, Stage};

    const ITEM: ItemId = ItemId { job: JobId(0), index: 0 };

    fn progress() -> Event {
        Event::Progress {
            item: ITEM,
            stage: Stage::Reading,
            fraction: 0.0,
            files_done: 0,
            files_total: 1,
            seconds_left: None,
        }
    }

    #[test]
    fn progress_is_dropped_and_state_is_not() {
        let (outbox, events) = Outbox::new(None);
        for _ in 0..3 * ROOM {
            outbox.tell_if_room(progress());
        }
        assert_eq!(events.len(), ROOM);
        for _ in 0..ROOM {
            outbox.tell(Event::Started { item: ITEM });
        }
        assert_eq!(events.len(), 2 * ROOM);
    }

    #[test]
    fn a_picture_waits_for_room_but_not_for_a_closed_app() {
        let (outbox, events) = Outbox::new(None);
        (0..ROOM_FOR_PICTURES).for_each(|_| outbox.tell(Event::Idle));
        assert!(!outbox.tell_when_room(Event::Idle, || true));
        let sender = outbox.clone();
        let thread = std::thread::spawn(move || sender.tell_when_room(Event::Idle, || false));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!thread.is_finished());
        drop(events.recv());
        assert!(thread.join().unwrap());
        outbox.close();
        assert!(!outbox.tell_when_room(Event::Idle, || false));
    }
}
