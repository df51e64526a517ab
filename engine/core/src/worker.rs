//! The thread that works through the queue, one file at a time, each behind a wall that a panic
//! does not cross.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use limpid_kernels::{Cancel, Cancelled};

use crate::event::{Event, FailureKind, ItemId, JobId, Stage};
use crate::job::{Found, Job};
use crate::naming::{self, Claims, Named, Plan, Target};
use crate::pace::InWork;
use crate::queue::ItemState;
use crate::record::{Record, Stamp, StoredPath};
use crate::shared::Shared;

/// Does the work on one file, from reading it to the result in place.
pub(crate) trait Processor: Send {
    fn process(&mut self, task: &Task, control: &Control<'_>) -> Result<Done, Stop>;
}

/// A file to work on.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: ItemId,
    pub(crate) found: Found,
    pub(crate) job: Arc<Job>,
    /// Files of the job.
    pub(crate) count: u32,
    /// How often work on it has begun without coming to an end, this time included.
    pub(crate) attempt: u32,
}

/// A result is in place.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) output: PathBuf,
    pub(crate) notes: Vec<String>,
}

/// There is no new result.
#[derive(Debug)]
pub(crate) enum Stop {
    Cancelled,
    Skipped(PathBuf),
    Failed { kind: FailureKind, message: String },
}

impl From<Cancelled> for Stop {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// The part of a file's work that has to do with the queue.
pub(crate) struct Control<'a> {
    shared: &'a Shared,
    task: &'a Task,
    claims: &'a RefCell<Claims>,
    cancel: &'a Cancel,
    began: Instant,
    held: Cell<Duration>,
    last_progress: Cell<Option<Instant>>,
    /// Where the result goes, as far as that was written down.
    output: RefCell<Option<PathBuf>>,
}

impl Control<'_> {
    /// The flag to hand on to everything that computes.
    pub(crate) fn cancel(&self) -> &Cancel {
        self.cancel
    }

    /// To be called between two tiles: holds while the queue is paused or a view goes first.
    pub(crate) fn between_tiles(&self) -> Result<(), Cancelled> {
        let held = self.shared.hold(self.cancel)?;
        self.held.set(self.held.get() + held);
        Ok(())
    }

    /// Chooses where the result goes and writes it down, so that a restart finds what was left.
    pub(crate) fn choose_output(&self, format: impl Named) -> Result<PathBuf, Stop> {
        let target = Target {
            input: &self.task.found.input,
            below: &self.task.found.below,
            index: self.task.id.index,
            count: self.task.count,
            output: &self.task.job.recipe.output,
            destination: &self.task.job.destination,
        };
        match naming::plan(target, format, &mut self.claims.borrow_mut()) {
            Ok(Plan::Write(output)) => {
                if self.output.borrow().as_ref() != Some(&output) {
                    let (item, attempt) = (self.task.id, self.task.attempt);
                    let stored = StoredPath(output.clone());
                    self.shared.update(|state| {
                        state.change(Record::Started { item, output: stored, attempt });
                    });
                    *self.output.borrow_mut() = Some(output.clone());
                }
                Ok(output)
            }
            Ok(Plan::Skip(output)) => Err(Stop::Skipped(output)),
            Err(error) => {
                Err(Stop::Failed { kind: FailureKind::Unwritable, message: error.to_string() })
            }
        }
    }

    /// To be called once the result is complete but not yet in its place: writes that down and
    /// waits until it is on the disk. A restart can then tell a result that came into place from
    /// one that did not, and neither loses it nor makes it twice.
    pub(crate) fn about_to_commit(&self, output: &Path) -> Result<(), Cancelled> {
        self.cancel.check()?;
        let before = Stamp::of(output);
        self.shared.update(|state| {
            state.change(Record::Committing { item: self.task.id, before });
        });
        self.shared.settle();
        Ok(())
    }

    /// Tells how far the file is; often is fine.
    pub(crate) fn progress(&self, stage: Stage, fraction: f32) {
        const INTERVAL: Duration = Duration::from_millis(80);
        let is_new_stage = matches!(stage, Stage::Reading | Stage::Measuring | Stage::Writing);
        if !is_new_stage && self.last_progress.get().is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.last_progress.set(Some(Instant::now()));
        let item = self.task.id;
        let state = self.shared.lock();
        let (files_done, files_total) = state.queue.counts();
        let waiting = state.queue.items().filter(|(_, entry)| entry.state == ItemState::Waiting);
        let waiting_bytes = waiting.filter_map(|(id, _)| state.sizes.get(&id)).sum::<u64>();
        let in_work = InWork {
            bytes: state.sizes.get(&item).copied().unwrap_or(0),
            fraction,
            seconds: self.seconds(),
        };
        let seconds_left = state.pace.seconds_left(in_work, waiting_bytes);
        drop(state);
        self.shared.outbox.tell_if_room(Event::Progress {
            item,
            stage,
            fraction: fraction.clamp(0.0, 1.0),
            files_done,
            files_total,
            seconds_left,
        });
    }

    /// Shows the file in its row.
    pub(crate) fn thumbnail(&self, size: [u32; 2], rgba: Arc<[u8]>) {
        let event = Event::Thumbnail { item: self.task.id, size, rgba };
        self.shared.outbox.tell_if_room(event);
    }

    /// Time spent on the file, without pauses.
    fn seconds(&self) -> f64 {
        self.began.elapsed().saturating_sub(self.held.get()).as_secs_f64()
    }
}

/// Works through the queue until the engine closes.
pub(crate) fn run(shared: &Shared, processor: &mut dyn Processor) {
    let mut claims = ClaimsOfJob::default();
    while let Some((id, cancel)) = shared.next_work() {
        let Some(task) = task(shared, id) else { continue };
        shared.outbox.tell(Event::Started { item: id });
        let control = Control {
            shared,
            task: &task,
            claims: claims.of(shared, id.job),
            cancel: &cancel,
            began: Instant::now(),
            held: Cell::default(),
            last_progress: Cell::default(),
            output: RefCell::default(),
        };
        // Everything that the work changes is its own, or behind a lock that survives a panic.
        let outcome = catch_unwind(AssertUnwindSafe(|| processor.process(&task, &control)));
        let seconds = control.seconds();
        let outcome = outcome.unwrap_or_else(|panic| {
            let what = panic_text(&*panic);
            tracing::error!(what, input = %task.found.input.display(), "the work panicked");
            let input = task.found.input.display();
            let message = format!("Limpid made a mistake with this file ({what}): {input}");
            Err(Stop::Failed { kind: FailureKind::Internal, message })
        });
        finish(shared, id, outcome, seconds);
    }
}

fn task(shared: &Shared, id: ItemId) -> Option<Task> {
    let state = shared.lock();
    let job = state.queue.job(id.job)?;
    let item = job.items.get(&id.index)?;
    let (found, attempt) = (item.found.clone(), item.attempts);
    Some(Task { id, found, job: Arc::clone(&job.spec), count: job.count.unwrap_or(0), attempt })
}

fn finish(shared: &Shared, item: ItemId, outcome: Result<Done, Stop>, seconds: f64) {
    shared.update(|state| {
        state.work = None;
        let (record, event) = match outcome {
            // Broken off by the end of the program: it waits for the next start.
            Err(Stop::Cancelled) if state.is_closing => {
                state.change(Record::Waiting { item });
                return;
            }
            Err(Stop::Cancelled) => (Record::Cancelled { item }, Event::Cancelled { item }),
            Ok(Done { output, notes }) => {
                let bytes = state.sizes.get(&item).copied().unwrap_or(0);
                state.pace.add(bytes, seconds);
                let seconds = seconds as f32;
                let stored = StoredPath(output.clone());
                (
                    Record::Done { item, output: stored, seconds, notes: notes.clone() },
                    Event::Finished { item, output, seconds, notes },
                )
            }
            Err(Stop::Skipped(output)) => {
                let stored = StoredPath(output.clone());
                (Record::Skipped { item, output: stored }, Event::Skipped { item, output })
            }
            Err(Stop::Failed { kind, message }) => (
                Record::Failed { item, kind, message: message.clone() },
                Event::Failed { item, kind, message },
            ),
        };
        state.change(record);
        shared.outbox.push(event);
    });
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// The claims of the job in work. Files of different jobs meet through what is on the disk.
#[derive(Default)]
struct ClaimsOfJob {
    job: Option<JobId>,
    files: usize,
    claims: RefCell<Claims>,
}

impl ClaimsOfJob {
    fn of(&mut self, shared: &Shared, job: JobId) -> &RefCell<Claims> {
        let state = shared.lock();
        let items = state.queue.job(job).map(|entry| &entry.items);
        let files = items.map_or(0, std::collections::BTreeMap::len);
        // A job can gain files when it is submitted again after a restart.
        if self.job != Some(job) || self.files != files {
            let items: Vec<_> = items
                .into_iter()
                .flatten()
                .map(|(index, item)| (*index, item.found.input.clone(), item.output.clone()))
                .collect();
            drop(state);
            let mut claims = Claims::default();
            items.iter().for_each(|(_, input, _)| claims.add_input(input));
            for (index, _, output) in &items {
                if let Some(output) = output {
                    claims.claim(output, *index);
                }
            }
            (self.job, self.files) = (Some(job), files);
            *self.claims.borrow_mut() = claims;
        }
        &self.claims
    }
}
