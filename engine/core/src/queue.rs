//! The queue as a state machine: no thread, no clock, no file. Every change is a [`Record`], so that
//! the journal that holds the records holds the queue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::event::{FailureKind, ItemId, JobId};
use crate::job::{Found, Job};
use crate::record::{Record, Stamp, StoredItem, StoredJob, StoredPath};

/// Jobs and their files.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Queue {
    next_job: u64,
    paused: bool,
    jobs: BTreeMap<JobId, JobEntry>,
}

/// A job in the queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobEntry {
    pub(crate) spec: Arc<Job>,
    /// Number of files that were found; none while folders are still being read.
    pub(crate) count: Option<u32>,
    pub(crate) items: BTreeMap<u32, ItemEntry>,
}

/// A file in the queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ItemEntry {
    pub(crate) found: Found,
    /// Where the result goes, once that was chosen: it stays the same when the work is done again.
    pub(crate) output: Option<PathBuf>,
    pub(crate) state: ItemState,
}

/// How far a file got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ItemState {
    Waiting,
    Running,
    /// The result is being renamed into place, where `before` lay.
    Committing {
        before: Option<Stamp>,
    },
    Done {
        seconds: f32,
        notes: Vec<String>,
    },
    Skipped,
    Failed {
        kind: FailureKind,
        message: String,
    },
    Cancelled,
}

impl ItemState {
    /// Whether nothing more happens to the file unless it is asked for.
    pub(crate) fn is_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Committing { .. })
    }

    fn is_in_work(&self) -> bool {
        matches!(self, Self::Running | Self::Committing { .. })
    }

    /// Whether there is nothing left to wish for.
    fn is_satisfied(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Skipped)
    }
}

/// What became of a request to cancel a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelling {
    /// It was waiting and is cancelled now.
    Dropped,
    /// It is in work: the worker must be told.
    InWork,
    /// It had ended, or is not in the queue.
    Nothing,
}

impl Queue {
    /// The number of the job that is submitted next.
    pub(crate) fn next_job(&self) -> JobId {
        JobId(self.next_job)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = (JobId, &JobEntry)> {
        self.jobs.iter().map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn job(&self, job: JobId) -> Option<&JobEntry> {
        self.jobs.get(&job)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (ItemId, &ItemEntry)> {
        self.jobs.iter().flat_map(|(job, entry)| {
            entry.items.iter().map(|(index, item)| (ItemId { job: *job, index: *index }, item))
        })
    }

    pub(crate) fn item(&self, id: ItemId) -> Option<&ItemEntry> {
        self.jobs.get(&id.job)?.items.get(&id.index)
    }

    fn item_mut(&mut self, id: ItemId) -> Option<&mut ItemEntry> {
        self.jobs.get_mut(&id.job)?.items.get_mut(&id.index)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Files that ended, and all files.
    pub(crate) fn counts(&self) -> (u32, u32) {
        let mut counts = (0_u32, 0_u32);
        for (_, item) in self.items() {
            counts.0 = counts.0.saturating_add(u32::from(item.state.is_ended()));
            counts.1 = counts.1.saturating_add(1);
        }
        counts
    }

    /// The first waiting file, jobs and files in order; none while paused. It is in work now.
    pub(crate) fn take_next(&mut self) -> Option<ItemId> {
        if self.paused {
            return None;
        }
        let id = self.items().find(|(_, item)| item.state == ItemState::Waiting)?.0;
        self.item_mut(id)?.state = ItemState::Running;
        Some(id)
    }

    /// Puts a file that is in work back to wait: the work was broken off by the program's end.
    pub(crate) fn put_back(&mut self, id: ItemId) {
        if let Some(item) = self.item_mut(id)
            && item.state.is_in_work()
        {
            item.state = ItemState::Waiting;
        }
    }

    /// Cancels a file that waits; says when it is in work instead.
    pub(crate) fn cancel(&mut self, id: ItemId) -> Cancelling {
        match self.item_mut(id) {
            Some(item) if item.state == ItemState::Waiting => {
                item.state = ItemState::Cancelled;
                Cancelling::Dropped
            }
            Some(item) if item.state.is_in_work() => Cancelling::InWork,
            _ => Cancelling::Nothing,
        }
    }

    /// Lets a file that failed or was cancelled wait again.
    pub(crate) fn retry(&mut self, id: ItemId) -> bool {
        match self.item_mut(id) {
            Some(item) if item.state.is_ended() && !item.state.is_satisfied() => {
                item.state = ItemState::Waiting;
                true
            }
            _ => false,
        }
    }

    /// Files that [`Record::Removed`] may name: those that ended, or of these only the ones with
    /// nothing left to wish for.
    pub(crate) fn removable(&self, only_satisfied: bool) -> Vec<ItemId> {
        self.items()
            .filter(|(_, item)| match only_satisfied {
                true => item.state.is_satisfied(),
                false => item.state.is_ended(),
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Makes the change that `record` tells. Records that do not fit (a file that is not there, an
    /// end without work) change nothing: a damaged journal must not invent states.
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::Queue { next_job, .. } => self.next_job = self.next_job.max(next_job),
            Record::Paused { paused } => self.paused = paused,
            Record::Job { job, spec } => {
                if let Some(spec) = spec.job()
                    && !self.jobs.contains_key(&job)
                    && job.0 < u64::MAX
                {
                    self.next_job = self.next_job.max(job.0 + 1);
                    let entry =
                        JobEntry { spec: Arc::new(spec), count: None, items: BTreeMap::new() };
                    self.jobs.insert(job, entry);
                }
            }
            Record::Items { job, items } => {
                let Some(entry) = self.jobs.get_mut(&job) else { return };
                for item in items {
                    entry.items.entry(item.index).or_insert_with(|| ItemEntry {
                        found: item.found(),
                        output: None,
                        state: ItemState::Waiting,
                    });
                }
            }
            Record::Sealed { job, count } => {
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.count = Some(count.max(entry.count.unwrap_or(0)));
                }
            }
            Record::Started { item, output } => {
                if let Some(entry) = self.item_mut(item)
                    && !entry.state.is_ended()
                {
                    entry.output = Some(output.0);
                    entry.state = ItemState::Running;
                }
            }
            Record::Committing { item, before } => {
                if let Some(entry) = self.item_mut(item)
                    && entry.state.is_in_work()
                    && entry.output.is_some()
                {
                    entry.state = ItemState::Committing { before };
                }
            }
            Record::Done { item, output, seconds, notes } => {
                self.end(item, Some(output), ItemState::Done { seconds, notes });
            }
            Record::Skipped { item, output } => self.end(item, Some(output), ItemState::Skipped),
            Record::Failed { item, kind, message } => {
                self.end(item, None, ItemState::Failed { kind, message });
            }
            Record::Cancelled { item } => self.end(item, None, ItemState::Cancelled),
            Record::Waiting { item } => {
                if let Some(entry) = self.item_mut(item) {
                    entry.state = ItemState::Waiting;
                }
            }
            Record::Removed { items } => {
                for id in items {
                    if let Some(entry) = self.jobs.get_mut(&id.job) {
                        entry.items.remove(&id.index);
                    }
                }
                self.jobs.retain(|_, entry| entry.count.is_none() || !entry.items.is_empty());
            }
        }
    }

    fn end(&mut self, id: ItemId, output: Option<StoredPath>, state: ItemState) {
        if let Some(item) = self.item_mut(id)
            && !item.state.is_ended()
        {
            item.output = output.map(|output| output.0).or(item.output.take());
            item.state = state;
        }
    }

    /// The shortest records that give this queue.
    pub(crate) fn records(&self) -> Vec<Record> {
        /// Keeps a line of the journal short, so that a reader needs little memory.
        const ITEMS_A_RECORD: usize = 128;
        let mut records = vec![Record::Queue { version: Record::VERSION, next_job: self.next_job }];
        if self.paused {
            records.push(Record::Paused { paused: true });
        }
        for (job, entry) in self.jobs() {
            records.push(Record::Job { job, spec: StoredJob::new(&entry.spec) });
            let items: Vec<_> =
                entry.items.iter().map(|(i, item)| StoredItem::new(*i, &item.found)).collect();
            for items in items.chunks(ITEMS_A_RECORD) {
                records.push(Record::Items { job, items: items.to_vec() });
            }
            if let Some(count) = entry.count {
                records.push(Record::Sealed { job, count });
            }
            for (index, item) in &entry.items {
                item_records(ItemId { job, index: *index }, item, &mut records);
            }
        }
        records
    }
}

fn item_records(id: ItemId, item: &ItemEntry, records: &mut Vec<Record>) {
    let output = item.output.clone().map(StoredPath);
    if let Some(output) = output.clone() {
        records.push(Record::Started { item: id, output });
    }
    records.push(match (item.state.clone(), output) {
        (ItemState::Running, _) => return,
        (ItemState::Waiting, None) => return,
        (ItemState::Waiting, Some(_)) => Record::Waiting { item: id },
        (ItemState::Committing { before }, _) => Record::Committing { item: id, before },
        (ItemState::Done { seconds, notes }, output) => {
            Record::Done { item: id, output: output.unwrap_or_default(), seconds, notes }
        }
        (ItemState::Skipped, output) => {
            Record::Skipped { item: id, output: output.unwrap_or_default() }
        }
        (ItemState::Failed { kind, message }, _) => Record::Failed { item: id, kind, message },
        (ItemState::Cancelled, _) => Record::Cancelled { item: id },
    });
}
