//! The engine: the one thing the app holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use limpid_kernels::Cancel;
use limpid_nets::ModelCard;
use limpid_photo::{PhotoError, decode, estimate_noise};

use crate::board::{Board, Request};
use crate::by_recipe::ByRecipe;
use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::event::{Event, FailureKind, ItemId, JobId, PictureInfo};
use crate::intake;
use crate::job::Job;
use crate::journal::{self, Journal, StateDir};
use crate::models::{self, ModelWork};
use crate::outbox::Outbox;
use crate::preview::{self, View};
use crate::queue::{ItemState, Queue};
use crate::record::{Record, StoredJob};
use crate::recover;
use crate::screen;
use crate::shared::Shared;
use crate::threads::Threads;
use crate::tools::{Tools, failure_kind};
use crate::worker::{self, Processor};

/// Works through jobs in the background and shows views, and tells about both in events.
///
/// Every call returns at once, unless it says otherwise; what comes of it is told by
/// [`Engine::events`]. Dropping the engine breaks off the work within 200 ms and joins its threads;
/// a saved queue goes on with the next engine that is started on it.
pub struct Engine {
    shared: Arc<Shared>,
    tools: Arc<Tools>,
    events: Receiver<Event>,
    intake: Option<Sender<JobId>>,
    models: Option<Sender<ModelWork>>,
    models_cancel: Cancel,
    board: Arc<Board>,
    /// What had failed was put back to wait before the threads started.
    has_retried: bool,
    threads: Threads,
}

/// What [`Engine::resume_or_submit`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The job, old or new.
    pub job: JobId,
    /// Files that were done, or found done, before this program started.
    pub done_before: usize,
}

impl Engine {
    /// Starts the threads, and takes up the queue in `config.state_dir`: for each of its jobs an
    /// [`Event::Queued`] and the events of its ended files come first; then the work goes on, unless
    /// the queue was paused.
    ///
    /// # Errors
    /// [`EngineError::InUse`] when another process works on that queue, [`EngineError::State`] when
    /// its folder cannot be used, [`EngineError::Threads`].
    pub fn start(config: EngineConfig) -> Result<Self, EngineError> {
        Self::start_with(config, |tools| Box::new(ByRecipe::new(&tools)))
    }

    pub(crate) fn start_with(
        config: EngineConfig,
        processor: impl FnOnce(Arc<Tools>) -> Box<dyn Processor>,
    ) -> Result<Self, EngineError> {
        let tools = Arc::new(Tools::new(&config)?);
        let (queue, journal) = open_queue(config.state_dir.as_deref(), config.retry)?;
        let (outbox, events) = Outbox::new(config.wake);
        let (intake, jobs) = crossbeam_channel::unbounded();
        let (models, model_work) = crossbeam_channel::unbounded();
        let mut engine = Self {
            shared: Arc::new(Shared::new(queue, journal, outbox)),
            tools,
            events,
            intake: Some(intake),
            models: Some(models),
            models_cancel: Cancel::new(),
            board: Arc::default(),
            has_retried: config.retry,
            threads: Threads::default(),
        };
        let mut processor = processor(Arc::clone(&engine.tools));
        engine.announce_restored();
        let shared = Arc::clone(&engine.shared);
        engine.threads.spawn("intake", move || intake::run(&shared, &jobs))?;
        let shared = Arc::clone(&engine.shared);
        engine.threads.spawn("worker", move || worker::run(&shared, &mut *processor))?;
        let (tools, cancel) = (Arc::clone(&engine.tools), engine.models_cancel.clone());
        let outbox = engine.shared.outbox.clone();
        engine.threads.spawn("models", move || {
            models::run(&tools.library, &outbox, &cancel, &model_work);
        })?;
        if config.views {
            let (shared, tools) = (Arc::clone(&engine.shared), Arc::clone(&engine.tools));
            let board = Arc::clone(&engine.board);
            engine.threads.spawn("preview", move || preview::run(&shared, &tools, &board))?;
        }
        Ok(engine)
    }

    /// Tells the app what was taken up, and has unfinished folders read again.
    fn announce_restored(&self) {
        self.shared.update(|state| {
            let mut unsealed = Vec::new();
            for (job, entry) in state.queue.jobs() {
                if entry.count.is_none() {
                    unsealed.push(job);
                    continue;
                }
                intake::announce(&self.shared, Some(entry), job);
                state.owes_idle = true;
                for (index, item) in &entry.items {
                    let id = ItemId { job, index: *index };
                    let bytes = item.found.input.metadata().map_or(0, |metadata| metadata.len());
                    state.sizes.insert(id, bytes);
                    if let Some(event) = ended_event(id, item) {
                        self.shared.outbox.push(event);
                    }
                }
            }
            for job in unsealed {
                self.begin_intake(state, job);
            }
        });
    }

    /// The events, in order. Read them often: previews wait while some dozens of events lie unread,
    /// progress and thumbnails are dropped while some hundreds do; changes of state are never lost.
    #[must_use]
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Takes a job in. Its folders are read in the background; [`Event::Queued`] names the files.
    ///
    /// # Errors
    /// [`EngineError::Recipe`] when the recipe is out of range, [`EngineError::Job`] when the job
    /// has no input, or several inputs for one file.
    pub fn submit(&self, job: Job) -> Result<JobId, EngineError> {
        let job = job.settle()?;
        Ok(self.shared.update(|state| self.submit_settled(state, &job)))
    }

    fn submit_settled(&self, state: &mut crate::shared::State, job: &Job) -> JobId {
        let id = state.queue.next_job();
        state.change(Record::Job { job: id, spec: StoredJob::new(job) });
        self.begin_intake(state, id);
        id
    }

    fn begin_intake(&self, state: &mut crate::shared::State, job: JobId) {
        state.intake.insert(job, Cancel::new());
        if let Some(intake) = &self.intake {
            let _closing = intake.send(job);
        }
    }

    /// For a batch without a window, started again with the same words after it was killed: goes on
    /// with the same job where the saved queue holds it, else takes it in as new.
    ///
    /// Files that were done stay done and are told once more, those that failed or were cancelled are
    /// tried again, and files that were added to the folders since are added to the job. A paused
    /// queue goes on.
    ///
    /// The whole of a resumable batch:
    /// 1. [`Engine::batch_dir`] names the folder of its saved queue;
    /// 2. [`Engine::start`] with that folder as `state_dir` and with `retry`, then this call;
    /// 3. read events until [`Event::Idle`]; the files of earlier runs come first;
    /// 4. [`Engine::remove_ended`], then drop the engine: a batch that is complete leaves nothing
    ///    behind. Without step 4 (Ctrl-C, kill, crash) the next run goes on.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub fn resume_or_submit(&self, job: Job) -> Result<Resumed, EngineError> {
        let job = job.settle()?;
        let resumed = self.shared.update(|state| {
            let known = state.queue.jobs().find(|(_, entry)| *entry.spec == job);
            let Some((id, entry)) = known else {
                return Resumed { job: self.submit_settled(state, &job), done_before: 0 };
            };
            let is_done =
                |item: &ItemState| matches!(item, ItemState::Done { .. } | ItemState::Skipped);
            let done_before = entry.items.values().filter(|item| is_done(&item.state)).count();
            if !state.intake.contains_key(&id) {
                self.begin_intake(state, id);
            }
            Resumed { job: id, done_before }
        });
        if !self.has_retried {
            self.shared.retry_items(|id| id.job == resumed.job);
        }
        self.resume();
        Ok(resumed)
    }

    /// Names the folder below `base` that a batch without a window keeps its queue in: the same for
    /// the same inputs, recipe and destination.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub fn batch_dir(base: &Path, job: &Job) -> Result<PathBuf, EngineError> {
        let job = job.clone().settle()?;
        let text = serde_json::to_vec(&StoredJob::new(&job))
            .map_err(|e| EngineError::Job(format!("this job cannot be stored ({e})")))?;
        Ok(base.join("batches").join(format!("{:016x}", journal::checksum(&text))))
    }

    /// Cancels all files of a job that have not ended.
    pub fn cancel(&self, job: JobId) {
        if let Some(cancel) = self.shared.lock().intake.get(&job) {
            cancel.cancel();
        }
        self.shared.cancel_items(|id| id.job == job);
    }

    /// Cancels a file that has not ended.
    pub fn cancel_item(&self, item: ItemId) {
        self.shared.cancel_items(|id| id == item);
    }

    /// Cancels everything that has not ended.
    pub fn cancel_all(&self) {
        self.shared.lock().intake.values().for_each(Cancel::cancel);
        self.shared.cancel_items(|_| true);
    }

    /// Lets a file that failed or was cancelled wait again; [`Event::Waiting`] tells.
    pub fn retry(&self, item: ItemId) {
        self.shared.retry_items(|id| id == item);
    }

    /// Holds the work at the next tile; [`Event::Idle`] tells when. The file in work keeps its
    /// place. A paused queue is still paused after a restart.
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Goes on after [`Engine::pause`].
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// Whether the queue is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().queue.is_paused()
    }

    /// Removes the finished and skipped files from the queue; [`Event::Removed`] names them.
    pub fn remove_finished(&self) {
        self.shared.remove(true);
    }

    /// Removes all ended files, failed and cancelled ones too. An engine that is dropped with an
    /// empty queue removes the saved one.
    pub fn remove_ended(&self) {
        self.shared.remove(false);
    }

    /// Shows a picture and what a recipe makes of it. The newest view wins: what an older one still
    /// misses is dropped.
    ///
    /// There come, each with the view's generation: [`Event::Opened`]; [`Event::Preview`] tiles of
    /// [`crate::Side::Before`], first of the whole picture reduced to about 2048 pixels, then of
    /// the visible part as sharp as the screen; then of [`crate::Side::After`] (or
    /// [`crate::Side::Removed`]), the visible part first, centre outwards, then the rest as far as
    /// the memory for tiles holds it; and [`Event::PreviewDone`]. Or [`Event::PreviewFailed`].
    /// Result tiles are computed at full resolution by the models of the real run and reduced only
    /// for the screen.
    pub fn show(&self, view: View) {
        self.board.post(Request::Show(view));
    }

    /// Forgets the picture that is shown, and its tiles.
    pub fn close_view(&self) {
        self.board.post(Request::Forget);
    }

    /// The models that can be used or fetched.
    #[must_use]
    pub fn models(&self) -> Vec<ModelCard> {
        self.tools.library.models()
    }

    fn ask_models(&self, work: ModelWork) {
        if let Some(models) = &self.models {
            let _closing = models.send(work);
        }
    }

    /// Fetches a pack in the background: [`Event::ModelProgress`], then [`Event::ModelReady`] or
    /// [`Event::ModelFailed`].
    pub fn fetch_model(&self, name: &str) {
        self.ask_models(ModelWork::Fetch(name.to_owned()));
    }

    /// Takes in a model file of the user's in the background; told as [`Engine::fetch_model`].
    pub fn import_model(&self, path: &Path) {
        self.ask_models(ModelWork::Import(path.to_owned()));
    }

    /// Checks the installed models against their hashes in the background;
    /// [`Event::ModelsVerified`] tells.
    pub fn verify_models(&self) {
        self.ask_models(ModelWork::Verify);
    }

    /// Reads a picture on this thread and tells what is known of it, its noise included.
    ///
    /// # Errors
    /// [`EngineError::Picture`].
    pub fn info(&self, path: &Path) -> Result<PictureInfo, EngineError> {
        let read = self.tools.with(self.tools.budget().queue, &Cancel::new(), |cx| {
            let picture = decode(path, cx)?;
            let mut info = screen::describe(&picture, path, cx)?;
            info.noise_sigma = Some(estimate_noise(&picture.raster, cx)?.sigma);
            Ok(info)
        });
        read.map_err(|error: PhotoError| {
            let kind = failure_kind(&error).unwrap_or(FailureKind::Internal);
            EngineError::Picture { kind, message: error.at(path).to_string() }
        })
    }

    /// Changes the memory the engine may use, in bytes: from the next file and view on.
    pub fn set_budget(&self, bytes: u64) {
        self.tools.set_budget(bytes);
    }

    /// Changes the number of threads that compute, 0 for one a core: from the next tile on.
    ///
    /// # Errors
    /// [`EngineError::Threads`]; then the old ones stay.
    pub fn set_threads(&self, threads: usize) -> Result<(), EngineError> {
        self.tools.set_threads(threads)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.intake = None;
        self.models = None;
        self.models_cancel.cancel();
        self.board.close();
        self.shared.close();
        self.threads.join();
        let mut state = self.shared.lock();
        let is_empty = state.queue.is_empty();
        state.journal.close(is_empty);
    }
}

fn open_queue(state_dir: Option<&Path>, retry: bool) -> Result<(Queue, Journal), EngineError> {
    let Some(path) = state_dir else { return Ok((Queue::default(), Journal::nowhere())) };
    let dir = StateDir::take(path)?;
    let replay = dir.read()?;
    if replay.damaged_lines > 0 {
        tracing::warn!(lines = replay.damaged_lines, "passed over damaged lines of the queue");
    }
    let mut queue = replay.queue;
    recover::settle(&mut queue);
    if retry {
        let all: Vec<ItemId> = queue.items().map(|(id, _)| id).collect();
        for id in all {
            queue.retry(id);
        }
    }
    let journal = Journal::start(dir, &queue)?;
    Ok((queue, journal))
}

/// How a file ended, told again.
fn ended_event(item: ItemId, entry: &crate::queue::ItemEntry) -> Option<Event> {
    let output = entry.output.clone().unwrap_or_default();
    Some(match entry.state.clone() {
        ItemState::Waiting | ItemState::Running | ItemState::Committing { .. } => return None,
        ItemState::Done { seconds, notes } => Event::Finished { item, output, seconds, notes },
        ItemState::Skipped => Event::Skipped { item, output },
        ItemState::Failed { kind, message } => Event::Failed { item, kind, message },
        ItemState::Cancelled => Event::Cancelled { item },
    })
}

#[cfg(test)]
mod tests;
