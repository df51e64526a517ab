//! What the engine's threads share: the queue, the flags that stop and hold work, and the way out
//! for events.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use limpid_kernels::{Cancel, Cancelled};

use crate::event::{Event, ItemId, JobId};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::queue::{Cancelling, Queue};
use crate::record::Record;

/// How long the queue holds between two tiles for a view.
const YIELD_TO_VIEW: Duration = Duration::from_secs(1);

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) outbox: Outbox,
}

pub(crate) struct State {
    pub(crate) queue: Queue,
    pub(crate) journal: Journal,
    pub(crate) work: Option<Work>,
    /// Jobs whose folders are being read.
    pub(crate) intake: HashMap<JobId, Cancel>,
    /// Sizes of the files, for the time left.
    pub(crate) sizes: HashMap<ItemId, u64>,
    pub(crate) pace: Pace,
    /// The app waits to hear that there is nothing to do.
    pub(crate) owes_idle: bool,
    /// The visible part of a view is being computed: the queue holds between two tiles.
    pub(crate) view_is_urgent: bool,
    pub(crate) is_closing: bool,
}

/// The file in work.
pub(crate) struct Work {
    pub(crate) item: ItemId,
    pub(crate) cancel: Cancel,
}

impl State {
    /// Makes a change and has it written down. The journal's order is the order of these calls.
    pub(crate) fn change(&mut self, record: Record) {
        self.queue.apply(record.clone());
        self.journal.record(record);
    }
}

impl Shared {
    pub(crate) fn new(queue: Queue, journal: Journal, outbox: Outbox) -> Self {
        let state = State {
            queue,
            journal,
            work: None,
            intake: HashMap::new(),
            sizes: HashMap::new(),
            pace: Pace::default(),
            owes_idle: false,
            view_is_urgent: false,
            is_closing: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), outbox }
    }

    /// Locks the state. A panic while it was held is no reason to stop: every change of it is one
    /// call that either happened or not.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes the threads that wait for a change, and the app. The app is
    /// woken without the lock: its answer may be to call the engine.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        self.outbox.wake();
        result
    }

    /// Waits until the records made so far are on the disk.
    pub(crate) fn settle(&self) {
        let settled = self.lock().journal.begin_settle();
        if let Some(settled) = settled {
            let _ended = settled.recv();
        }
    }

    /// The next file to work on; waits for one. None when the engine closes.
    pub(crate) fn next_work(&self) -> Option<(ItemId, Cancel)> {
        let mut state = self.lock();
        loop {
            if state.is_closing {
                return None;
            }
            if let Some(item) = state.queue.take_next() {
                let cancel = Cancel::new();
                state.work = Some(Work { item, cancel: cancel.clone() });
                state.owes_idle = true;
                return Some((item, cancel));
            }
            if state.owes_idle && state.intake.is_empty() {
                state.owes_idle = false;
                drop(state);
                self.outbox.tell(Event::Idle);
                state = self.lock();
                continue;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Called between two tiles: holds while the queue is paused, and for a moment while a view needs
    /// the processor. Returns how long it held.
    ///
    /// # Errors
    /// [`Cancelled`] once `cancel` is set.
    pub(crate) fn hold(&self, cancel: &Cancel) -> Result<Duration, Cancelled> {
        let began = Instant::now();
        let mut state = self.lock();
        loop {
            cancel.check()?;
            let is_paused = state.queue.is_paused();
            // A view that takes long, or an app that does not read its pictures, shares from then
            // on: the queue must never stand still for it.
            let patience = YIELD_TO_VIEW.saturating_sub(began.elapsed());
            if is_paused && state.owes_idle {
                state.owes_idle = false;
                drop(state);
                self.outbox.tell(Event::Idle);
                state = self.lock();
            } else if is_paused {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.view_is_urgent && !patience.is_zero() {
                let waited = self.changed.wait_timeout(state, patience);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                return Ok(began.elapsed());
            }
        }
    }

    pub(crate) fn set_view_urgent(&self, urgent: bool) {
        self.lock().view_is_urgent = urgent;
        self.changed.notify_all();
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.update(|state| {
            if state.queue.is_paused() != paused {
                state.change(Record::Paused { paused });
                state.owes_idle = true;
            }
        });
    }

    pub(crate) fn cancel_items(&self, choose: impl Fn(ItemId) -> bool) {
        self.update(|state| {
            let chosen: Vec<_> = state.queue.items().map(|(id, _)| id).collect();
            for id in chosen.into_iter().filter(|id| choose(*id)) {
                match state.queue.cancel(id) {
                    Cancelling::Dropped => {
                        state.journal.record(Record::Cancelled { item: id });
                        self.outbox.push(Event::Cancelled { item: id });
                    }
                    Cancelling::InWork => {
                        if let Some(work) = state.work.as_ref().filter(|work| work.item == id) {
                            work.cancel.cancel();
                        }
                    }
                    Cancelling::Nothing => {}
                }
            }
        });
    }

    pub(crate) fn retry_items(&self, choose: impl Fn(ItemId) -> bool) {
        self.update(|state| {
            let chosen: Vec<_> = state.queue.items().map(|(id, _)| id).collect();
            for id in chosen.into_iter().filter(|id| choose(*id)) {
                if state.queue.retry(id) {
                    state.journal.record(Record::Waiting { item: id });
                    state.owes_idle = true;
                    self.outbox.push(Event::Waiting { item: id });
                }
            }
        });
    }

    /// Removes the files that ended; the journal shrinks with them.
    pub(crate) fn remove(&self, only_satisfied: bool) {
        self.update(|state| {
            let items = state.queue.removable(only_satisfied);
            if !items.is_empty() {
                for item in &items {
                    state.sizes.remove(item);
                }
                state.queue.apply(Record::Removed { items: items.clone() });
                state.journal.rewrite(state.queue.records());
                self.outbox.push(Event::Removed { items });
            }
        });
    }

    /// Tells every thread to end.
    pub(crate) fn close(&self) {
        self.outbox.close();
        let mut state = self.lock();
        state.is_closing = true;
        state.view_is_urgent = false;
        if let Some(work) = &state.work {
            work.cancel.cancel();
        }
        state.intake.values().for_each(Cancel::cancel);
        drop(state);
        self.changed.notify_all();
    }
}
