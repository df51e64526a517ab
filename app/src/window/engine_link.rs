//! The only place of the window that talks to the engine. Calls are made on a thread of their own,
//! so that no frame waits for a lock, a folder or a start of the engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui;
use limpid_engine::{Engine, EngineConfig, Event, ItemId, Job, ModelCard, View};

/// Something that is asked of the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    /// Queue files.
    Submit(Job),
    /// Cancel a file.
    CancelItem(ItemId),
    /// Cancel everything.
    CancelAll,
    /// Do a file again.
    Retry(ItemId),
    /// Hold the queue, or let it go on.
    Pause(bool),
    /// Take finished files from the queue.
    RemoveFinished,
    /// Take all ended files from the queue.
    RemoveEnded,
    /// Show a picture.
    Show(View),
    /// Show none.
    CloseView,
    /// Tell which models there are.
    Models,
    /// Fetch a model of the packs.
    FetchModel(String),
    /// Take in a model file.
    ImportModel(PathBuf),
    /// Check all models against their hashes.
    VerifyModels,
    /// Change memory and threads.
    Resources {
        /// Memory in bytes.
        budget_bytes: u64,
        /// Threads that compute, 0 for one a core.
        threads: usize,
    },
}

/// What comes back, besides the engine's events.
#[derive(Clone, Debug)]
pub(crate) enum Tell {
    /// The engine runs.
    Started {
        /// Where its events come.
        events: Receiver<Event>,
        /// Whether the saved queue was paused.
        is_paused: bool,
    },
    /// The engine did not start, and why.
    NotStarted(String),
    /// A request was refused, and why.
    Refused(String),
    /// The models there are.
    Models(Vec<ModelCard>),
}

/// The window's end of the link.
pub(crate) struct EngineLink {
    asks: Option<Sender<Ask>>,
    tells: Receiver<Tell>,
    events: Option<Receiver<Event>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What [`EngineLink::poll`] hands on.
pub(crate) enum Incoming {
    /// From the link.
    Tell(Tell),
    /// From the engine.
    Event(Event),
}

/// The other end of a link without an engine, for tests of the window.
#[cfg(test)]
pub(crate) struct LinkEnd {
    /// What the window asked.
    pub(crate) asks: Receiver<Ask>,
    /// To answer with.
    pub(crate) events: Sender<Event>,
    /// To answer with.
    pub(crate) tells: Sender<Tell>,
}

impl EngineLink {
    /// Starts the engine on a thread of its own; what it says asks `ctx` for a frame.
    pub(crate) fn start(mut config: EngineConfig, ctx: &egui::Context) -> Self {
        let (asks, asked) = unbounded();
        let (tell, tells) = unbounded();
        let wake = {
            let ctx = ctx.clone();
            move || ctx.request_repaint()
        };
        config.wake = Some(Arc::new(wake.clone()));
        let refused = tell.clone();
        let thread = std::thread::Builder::new().name("limpid-link".into()).spawn(move || {
            let tell = |message| {
                // The window may be closing; then nobody listens and nothing is lost.
                let _closing = tell.send(message);
                wake();
            };
            match Engine::start(config) {
                Ok(engine) => serve(&engine, &asked, &tell),
                Err(error) => tell(Tell::NotStarted(format!("The engine did not start: {error}"))),
            }
        });
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(error) => {
                let text = format!("The engine did not start: no thread can be started ({error})");
                let _own_receiver = refused.send(Tell::NotStarted(text));
                None
            }
        };
        Self { asks: Some(asks), tells, events: None, thread }
    }

    /// A link whose other end a test holds.
    #[cfg(test)]
    pub(crate) fn for_test() -> (Self, LinkEnd) {
        let (asks, asked) = unbounded();
        let (tell, tells) = unbounded();
        let (event, events) = unbounded();
        let link = Self { asks: Some(asks), tells, events: Some(events), thread: None };
        (link, LinkEnd { asks: asked, events: event, tells: tell })
    }

    /// Asks for something; returns at once. Requests made before the engine runs wait for it.
    pub(crate) fn ask(&self, ask: Ask) {
        if let Some(asks) = &self.asks {
            // Without a reader the engine did not start, which the window shows already.
            let _not_started = asks.send(ask);
        }
    }

    /// Hands on what came, in order, for at most `budget`; true when more is left.
    pub(crate) fn poll(&mut self, budget: Duration, mut take: impl FnMut(Incoming)) -> bool {
        let start = Instant::now();
        while let Ok(tell) = self.tells.try_recv() {
            if let Tell::Started { events, .. } = &tell {
                self.events = Some(events.clone());
            }
            take(Incoming::Tell(tell));
        }
        let Some(events) = &self.events else { return false };
        while let Ok(event) = events.try_recv() {
            take(Incoming::Event(event));
            if start.elapsed() >= budget {
                return !events.is_empty();
            }
        }
        false
    }
}

impl Drop for EngineLink {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook; the window closes all the same.
            let _panicked = thread.join();
        }
    }
}

fn serve(engine: &Engine, asked: &Receiver<Ask>, tell: &impl Fn(Tell)) {
    tell(Tell::Started { events: engine.events().clone(), is_paused: engine.is_paused() });
    tell(Tell::Models(engine.models()));
    while let Ok(ask) = asked.recv() {
        match ask {
            Ask::Submit(job) => {
                if let Err(error) = engine.submit(job) {
                    tell(Tell::Refused(sentence(&error.to_string())));
                }
            }
            Ask::CancelItem(item) => engine.cancel_item(item),
            Ask::CancelAll => engine.cancel_all(),
            Ask::Retry(item) => engine.retry(item),
            Ask::Pause(true) => engine.pause(),
            Ask::Pause(false) => engine.resume(),
            Ask::RemoveFinished => engine.remove_finished(),
            Ask::RemoveEnded => engine.remove_ended(),
            Ask::Show(view) => engine.show(view),
            Ask::CloseView => engine.close_view(),
            Ask::Models => tell(Tell::Models(engine.models())),
            Ask::FetchModel(name) => engine.fetch_model(&name),
            Ask::ImportModel(path) => engine.import_model(&path),
            Ask::VerifyModels => engine.verify_models(),
            Ask::Resources { budget_bytes, threads } => {
                engine.set_budget(budget_bytes);
                if let Err(error) = engine.set_threads(threads) {
                    tell(Tell::Refused(sentence(&error.to_string())));
                }
            }
        }
    }
}

/// An error's words as a sentence of their own.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
