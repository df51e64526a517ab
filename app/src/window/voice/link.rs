//! The only place of the window that holds the sound studio. It starts with the first visit of the
//! page, on a thread of its own: neither the program's start nor a frame waits for it.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use eframe::egui;
use limpid_engine::studio::{
    LiveSeen, LiveView, Now, Studio, StudioCommand, StudioConfig, StudioEvent,
};

/// Time from what the studio tells to the frame that takes it in.
const SOON: Duration = Duration::from_millis(1);

/// The window's end of the studio.
pub(crate) struct StudioLink {
    end: End,
    /// Asked before the studio ran.
    waiting: Vec<StudioCommand>,
}

enum End {
    /// Nobody came by yet.
    Asleep(StudioConfig),
    /// On its way.
    Starting(Receiver<Result<Studio, String>>),
    /// There.
    Running(Studio),
    /// It did not start, which was told.
    Absent,
    /// Held by a test.
    #[cfg(test)]
    Test {
        asked: crossbeam_channel::Sender<StudioCommand>,
        events: Receiver<StudioEvent>,
        now: Arc<std::sync::Mutex<Now>>,
        live: Arc<std::sync::Mutex<Option<LiveView>>>,
    },
}

/// The other end of a link without a studio, for tests of the page.
#[cfg(test)]
pub(crate) struct StudioEnd {
    /// What the page asked.
    pub(crate) asked: Receiver<StudioCommand>,
    /// To answer with.
    pub(crate) events: crossbeam_channel::Sender<StudioEvent>,
    /// To show levels and positions with.
    pub(crate) now: Arc<std::sync::Mutex<Now>>,
    /// To show a recording under way with; taken once.
    pub(crate) live: Arc<std::sync::Mutex<Option<LiveView>>>,
}

impl StudioLink {
    /// A link that starts the studio when it is first [woken](Self::wake).
    pub(crate) fn new(config: StudioConfig) -> Self {
        Self { end: End::Asleep(config), waiting: Vec::new() }
    }

    /// A link whose other end a test holds.
    #[cfg(test)]
    pub(crate) fn for_test() -> (Self, StudioEnd) {
        let (asked_send, asked) = crossbeam_channel::unbounded();
        let (events, events_read) = crossbeam_channel::unbounded();
        let now = Arc::new(std::sync::Mutex::new(Now::default()));
        let live = Arc::new(std::sync::Mutex::new(None));
        let end = End::Test {
            asked: asked_send,
            events: events_read,
            now: Arc::clone(&now),
            live: Arc::clone(&live),
        };
        (Self { end, waiting: Vec::new() }, StudioEnd { asked, events, now, live })
    }

    /// Starts the studio if nobody did; what it tells asks `ctx` for a frame.
    ///
    /// # Errors
    /// No thread can be started: a sentence, once.
    pub(super) fn wake(&mut self, ctx: &egui::Context) -> Result<(), String> {
        if !matches!(self.end, End::Asleep(_)) {
            return Ok(());
        }
        let End::Asleep(mut config) = std::mem::replace(&mut self.end, End::Absent) else {
            return Ok(());
        };
        let wake = {
            let ctx = ctx.clone();
            // At once would be two frames, of which a level that moved needs one.
            move || ctx.request_repaint_after(SOON)
        };
        config.wake = Some(Arc::new(wake.clone()));
        let (send, started) = bounded(1);
        let spawned =
            std::thread::Builder::new().name("limpid-studio-start".into()).spawn(move || {
                let studio = Studio::start(config).map_err(|error| error.to_string());
                // When the window is closing, the studio is dropped here.
                let _closing = send.send(studio);
                wake();
            });
        match spawned {
            Ok(_) => {
                self.end = End::Starting(started);
                Ok(())
            }
            Err(error) => Err(format!("no thread can be started ({error})")),
        }
    }

    /// Whether it did not start; nothing that is asked for will be answered.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.end, End::Absent)
    }

    /// Asks for something; returns at once.
    pub(crate) fn send(&mut self, command: StudioCommand) {
        match &self.end {
            End::Running(studio) => studio.send(command),
            End::Asleep(_) | End::Starting(_) => self.waiting.push(command),
            End::Absent => {}
            #[cfg(test)]
            End::Test { asked, .. } => asked.send(command).unwrap(),
        }
    }

    /// What happened since the last call.
    ///
    /// # Errors
    /// The studio did not start: a sentence, once.
    pub(super) fn poll(&mut self) -> Result<Vec<StudioEvent>, String> {
        if let End::Starting(started) = &self.end {
            match started.try_recv() {
                Ok(Ok(studio)) => {
                    for command in self.waiting.drain(..) {
                        studio.send(command);
                    }
                    self.end = End::Running(studio);
                }
                Ok(Err(reason)) => {
                    self.end = End::Absent;
                    self.waiting.clear();
                    return Err(reason);
                }
                Err(_) => {}
            }
        }
        match &self.end {
            End::Running(studio) => Ok(studio.poll()),
            #[cfg(test)]
            End::Test { events, .. } => Ok(events.try_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// Levels and position of this moment.
    pub(super) fn now(&self) -> Now {
        match &self.end {
            End::Running(studio) => studio.now(),
            #[cfg(test)]
            End::Test { now, .. } => now.lock().unwrap().clone(),
            _ => Now::default(),
        }
    }

    /// What is new of the recording under way.
    pub(super) fn live(&self, seen: LiveSeen) -> Option<LiveView> {
        match &self.end {
            End::Running(studio) => studio.live(seen),
            #[cfg(test)]
            End::Test { live, .. } => live.lock().unwrap().take(),
            _ => None,
        }
    }
}
