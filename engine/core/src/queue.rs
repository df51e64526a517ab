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
    /// How often work on it began without coming to an end.
    pub(crate) attempts: u32,
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

    /// The first waiting file, jobs and files in order; none while paused, and none of a job whose
    /// files are not all known. It is in work now.
    pub(crate) fn take_next(&mut self) -> Option<ItemId> {
        if self.paused {
            return None;
        }
        let id = self.jobs.iter().filter(|(_, entry)| entry.count.is_some()).find_map(
            |(job, entry)| {
                let mut items = entry.items.iter();
                let (index, _) = items.find(|(_, item)| item.state == ItemState::Waiting)?;
                Some(ItemId { job: *job, index: *index })
            },
        )?;
        let item = self.item_mut(id)?;
        item.state = ItemState::Running;
        item.attempts = item.attempts.saturating_add(1);
        Some(id)
    }

    /// Puts a file that is in work back to wait: the program ended in the middle of it.
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
                item.attempts = 0;
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
                        attempts: 0,
                        state: ItemState::Waiting,
                    });
                }
            }
            Record::Sealed { job, count } => {
                if let Some(entry) = self.jobs.get_mut(&job) {
                    entry.count = Some(count.max(entry.count.unwrap_or(0)));
                }
            }
            Record::Started { item, output, attempt } => {
                if let Some(entry) = self.item_mut(item)
                    && !entry.state.is_ended()
                {
                    entry.output = Some(output.0);
                    entry.attempts = attempt;
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
                    entry.attempts = 0;
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
            item.attempts = 0;
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
        records.push(Record::Started { item: id, output, attempt: item.attempts });
    }
    let output = output.unwrap_or_default();
    records.push(match item.state.clone() {
        // A file that waits and has a place for its result was in work before.
        ItemState::Waiting | ItemState::Running => return,
        ItemState::Committing { before } => Record::Committing { item: id, before },
        ItemState::Done { seconds, notes } => Record::Done { item: id, output, seconds, notes },
        ItemState::Skipped => Record::Skipped { item: id, output },
        ItemState::Failed { kind, message } => Record::Failed { item: id, kind, message },
        ItemState::Cancelled => Record::Cancelled { item: id },
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Destination;
    use crate::recipe::Recipe;
    use proptest::prelude::*;

    fn job_record(job: u64) -> Record {
        let spec = Job {
            inputs: vec!["/in".into()],
            recursive: false,
            recipe: Recipe::new([]),
            destination: Destination::Recipe,
        };
        Record::Job { job: JobId(job), spec: StoredJob::new(&spec) }
    }

    fn items_record(job: u64, count: u32) -> Record {
        let items = (0..count).map(|index| {
            let found = Found { input: format!("/in/{index}").into(), below: PathBuf::new() };
            StoredItem::new(index, &found)
        });
        Record::Items { job: JobId(job), items: items.collect() }
    }

    fn id(job: u64, index: u32) -> ItemId {
        ItemId { job: JobId(job), index }
    }

    fn out(index: u32) -> StoredPath {
        StoredPath(format!("/out/{index}").into())
    }

    /// The queue after what a person, the worker, and a restart may do.
    #[derive(Clone, Debug)]
    enum Step {
        Submit { files: u32 },
        Take,
        Start,
        Commit,
        Finish,
        Fail,
        StopWork,
        Cancel(u64, u32),
        Retry(u64, u32),
        Pause(bool),
        Remove { only_satisfied: bool },
        Kill,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => (0..4_u32).prop_map(|files| Step::Submit { files }),
            4 => Just(Step::Take),
            3 => Just(Step::Start),
            3 => Just(Step::Commit),
            3 => Just(Step::Finish),
            1 => Just(Step::Fail),
            1 => Just(Step::StopWork),
            1 => (0..3_u64, 0..4_u32).prop_map(|(job, index)| Step::Cancel(job, index)),
            1 => (0..3_u64, 0..4_u32).prop_map(|(job, index)| Step::Retry(job, index)),
            1 => any::<bool>().prop_map(Step::Pause),
            1 => any::<bool>().prop_map(|only_satisfied| Step::Remove { only_satisfied }),
            1 => Just(Step::Kill),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// Drives a queue and keeps its journal, as the engine does.
    #[derive(Default)]
    struct Driver {
        queue: Queue,
        journal: Vec<Record>,
        in_work: Option<ItemId>,
        /// How often each file was finished since it last waited on request.
        finished: BTreeMap<ItemId, u32>,
    }

    impl Driver {
        fn change(&mut self, record: Record) {
            self.queue.apply(record.clone());
            self.journal.push(record);
        }

        fn step(&mut self, step: Step) {
            match (step, self.in_work) {
                (Step::Submit { files }, _) => {
                    let job = self.queue.next_job().0;
                    self.change(job_record(job));
                    self.change(items_record(job, files));
                    self.change(Record::Sealed { job: JobId(job), count: files });
                }
                (Step::Take, None) => self.in_work = self.queue.take_next(),
                (Step::Start, Some(item)) => {
                    let attempt = self.queue.item(item).unwrap().attempts;
                    self.change(Record::Started { item, output: out(item.index), attempt });
                }
                (Step::Commit, Some(item)) => {
                    self.change(Record::Committing { item, before: None });
                }
                (Step::Finish, Some(item)) => {
                    *self.finished.entry(item).or_default() += 1;
                    let (output, notes) = (out(item.index), vec!["note".into()]);
                    self.change(Record::Done { item, output, seconds: 1.5, notes });
                    self.in_work = None;
                }
                (Step::Fail, Some(item)) => {
                    let (kind, message) = (FailureKind::Damaged, "cut off".into());
                    self.change(Record::Failed { item, kind, message });
                    self.in_work = None;
                }
                (Step::StopWork, Some(item)) => {
                    self.change(Record::Cancelled { item });
                    self.in_work = None;
                }
                (Step::Cancel(job, index), _)
                    if self.queue.cancel(id(job, index)) == Cancelling::Dropped =>
                {
                    self.journal.push(Record::Cancelled { item: id(job, index) });
                }
                (Step::Retry(job, index), _) if self.queue.retry(id(job, index)) => {
                    self.finished.remove(&id(job, index));
                    self.journal.push(Record::Waiting { item: id(job, index) });
                }
                (Step::Pause(paused), _) => self.change(Record::Paused { paused }),
                (Step::Remove { only_satisfied }, _) => {
                    let items = self.queue.removable(only_satisfied);
                    self.change(Record::Removed { items });
                }
                (Step::Kill, _) => {
                    self.queue = rested(replayed(&self.journal));
                    self.journal = self.queue.records();
                    self.in_work = None;
                }
                _ => {}
            }
        }
    }

    fn replayed(records: &[Record]) -> Queue {
        let mut queue = Queue::default();
        records.iter().cloned().for_each(|record| queue.apply(record));
        queue
    }

    /// Files in work waiting again, as after a restart that found no result. An attempt that did
    /// not get as far as choosing a place for its result is not on record.
    fn rested(mut queue: Queue) -> Queue {
        let all: Vec<_> = queue.items().map(|(id, _)| id).collect();
        for id in all {
            queue.put_back(id);
            queue.item_mut(id).unwrap().attempts = 0;
        }
        queue
    }

    proptest! {
        #[test]
        fn the_journal_tells_the_queue_and_nothing_is_done_twice(steps in steps()) {
            let mut driver = Driver::default();
            for step in steps {
                let was_paused = driver.queue.is_paused();
                let is_take = matches!(step, Step::Take);
                let had_work = driver.in_work;
                driver.step(step.clone());

                // A replay of the journal, and of the shortest journal, is this queue.
                let queue = rested(driver.queue.clone());
                prop_assert_eq!(&rested(replayed(&driver.journal)), &queue, "{:?}", step);
                prop_assert_eq!(&rested(replayed(&driver.queue.records())), &queue, "{:?}", step);

                // One file in work at most, and it is the one the worker holds.
                let in_work: Vec<_> = driver
                    .queue
                    .items()
                    .filter(|(_, item)| item.state.is_in_work())
                    .map(|(id, _)| id)
                    .collect();
                let held: Vec<_> = driver.in_work.into_iter().collect();
                prop_assert_eq!(in_work, held);
                prop_assert!(!(was_paused && is_take && had_work.is_none())
                    || driver.in_work.is_none());
                prop_assert!(driver.finished.values().all(|times| *times == 1));
                let (ended, total) = driver.queue.counts();
                prop_assert!(ended <= total);
            }
            // Whatever happened, the queue can be worked off.
            driver.change(Record::Paused { paused: false });
            if let Some(item) = driver.in_work.take() {
                driver.queue.put_back(item);
            }
            while let Some(item) = driver.queue.take_next() {
                let done =
                    Record::Done { item, output: out(0), seconds: 0.0, notes: Vec::new() };
                driver.change(done);
            }
            let (ended, total) = driver.queue.counts();
            prop_assert_eq!(ended, total);
        }

        #[test]
        fn records_in_any_order_do_no_harm(
            picks in proptest::collection::vec((0..12_usize, 0..2_u64, 0..3_u32), 0..40)
        ) {
            let mut queue = Queue::default();
            for (pick, job, index) in picks {
                let item = id(job, index);
                queue.apply(match pick {
                    0 => job_record(job),
                    1 => items_record(job, index),
                    2 => Record::Sealed { job: JobId(job), count: index },
                    3 => Record::Started { item, output: out(index), attempt: index },
                    4 => Record::Committing { item, before: None },
                    5 => Record::Done { item, output: out(index), seconds: 0.0, notes: vec![] },
                    6 => Record::Skipped { item, output: out(index) },
                    7 => Record::Cancelled { item },
                    8 => Record::Waiting { item },
                    9 => Record::Removed { items: vec![item] },
                    10 => Record::Queue { version: 1, next_job: job },
                    _ => Record::Job { job: JobId(u64::MAX), spec: StoredJob::new(&Job {
                        inputs: vec![],
                        recursive: true,
                        recipe: Recipe::new([]),
                        destination: Destination::Recipe,
                    }) },
                });
                let again = rested(replayed(&queue.records()));
                prop_assert_eq!(again, rested(queue.clone()));
            }
        }
    }

    #[test]
    fn jobs_and_files_come_in_order_once_they_are_complete() {
        let mut queue = Queue::default();
        for job in [0, 1] {
            queue.apply(job_record(job));
            queue.apply(items_record(job, 2));
            assert_eq!(queue.take_next(), None);
        }
        for job in [1, 0] {
            queue.apply(Record::Sealed { job: JobId(job), count: 2 });
        }
        let mut order = Vec::new();
        while let Some(item) = queue.take_next() {
            order.push(item);
            queue.apply(Record::Skipped { item, output: out(0) });
        }
        assert_eq!(order, [id(0, 0), id(0, 1), id(1, 0), id(1, 1)]);
    }
}
