//! The studio's thread: takes commands, keeps player and recorder, and has long work done beside it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use limpid_audio::clean::{CleanTask, Progress, clean_file};
use limpid_audio::play::PlayEvent;
use limpid_audio::settings::{SoundFormat, Speech};
use limpid_audio::{AudioError, Damage, SoundFile};
use limpid_kernels::{Cancel, Pool};
use limpid_nets::Library;

use super::cleaned::{Cleaned, network};
use super::live::LiveCell;
use super::names;
use super::player::{Deck, Kept, kept};
use super::recording::{Recording, RecordingRequest, live_model, microphones};
use super::views::Drawable;
use super::{Listening, Now, Opened, SoundView, StudioCommand, StudioEvent, ViewRequest};
use crate::config::Wake;
use crate::sound;

/// How often levels and position are read.
const TICK: Duration = Duration::from_millis(25);
/// The window is woken for a recording that grows no sooner than after this: 20 times a second.
const WAKE_FOR_LEVELS: Duration = Duration::from_millis(45);

/// Where events go.
#[derive(Clone)]
pub(super) struct Outbox {
    events: Sender<StudioEvent>,
    wake: Option<Wake>,
}

impl Outbox {
    pub(super) fn new(events: Sender<StudioEvent>, wake: Option<Wake>) -> Self {
        Self { events, wake }
    }

    fn tell(&self, event: StudioEvent) {
        let _ = self.events.send(event);
        self.wake();
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}

/// Long work that came to its end; with the number of the recording that it was for.
enum Finished {
    Opened(u64, Box<Result<(Opened, Drawable), AudioError>>),
    Cleaned(u64, Box<Result<Cleaned, AudioError>>),
    Saved(Result<PathBuf, AudioError>),
}

/// The recording that is open.
struct Open {
    path: PathBuf,
    drawable: Drawable,
    clean: Option<Cleaned>,
}

pub(super) struct Worker {
    library: Arc<Library>,
    pool: Pool,
    takes_dir: PathBuf,
    outbox: Outbox,
    now: Arc<RwLock<Now>>,
    live: LiveCell,
    woke_at: Instant,
    closing: Cancel,
    /// Counts what was opened: work for what is closed comes to nothing.
    number: u64,
    open: Option<Open>,
    speech: Speech,
    share: Kept,
    listening: Listening,
    deck: Option<Deck>,
    position: f64,
    recording: Option<Recording>,
    work: Vec<JoinHandle<()>>,
    /// Of opening and cleaning; saving is broken off by the end of the program alone.
    work_cancel: Cancel,
    /// What the recording is being cleaned by, as of [`Cleaned::made_by`].
    cleaning: Option<Speech>,
    finished: (Sender<Finished>, Receiver<Finished>),
}

impl Worker {
    pub(super) fn new(
        (library, pool): (Library, Pool),
        takes_dir: PathBuf,
        outbox: Outbox,
        (now, live): (Arc<RwLock<Now>>, LiveCell),
        closing: Cancel,
    ) -> Self {
        Self {
            library: Arc::new(library),
            pool,
            takes_dir,
            outbox,
            now,
            live,
            woke_at: Instant::now(),
            closing,
            number: 0,
            open: None,
            speech: Speech::default(),
            share: Kept::default(),
            listening: Listening::default(),
            deck: None,
            position: 0.0,
            recording: None,
            work: Vec::new(),
            work_cancel: Cancel::new(),
            cleaning: None,
            finished: unbounded(),
        }
    }

    /// Works until the studio is closed.
    pub(super) fn run(mut self, commands: &Receiver<StudioCommand>) {
        while !self.closing.is_cancelled() {
            match commands.recv_timeout(TICK) {
                Ok(first) => {
                    let mut view = None;
                    for command in std::iter::once(first).chain(commands.try_iter()) {
                        match command {
                            // Only the newest is worth drawing.
                            StudioCommand::View(request) => view = Some(request),
                            other => self.act(other),
                        }
                    }
                    if let Some(request) = view {
                        self.draw(&request);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(finished) = self.finished.1.try_recv() {
                self.take(finished);
            }
            self.look();
        }
        self.work_cancel.cancel();
        self.deck = None;
        if let Some(recording) = self.recording.take() {
            // Its files are closed properly; nobody is there to be told.
            let _ = recording.finish();
        }
        for work in self.work.drain(..) {
            let _ = work.join();
        }
    }

    fn act(&mut self, command: StudioCommand) {
        match command {
            StudioCommand::Open(path) => self.open_file(path),
            StudioCommand::Clean(speech) => self.clean(speech),
            StudioCommand::View(_) => {}
            StudioCommand::Play => self.play(),
            StudioCommand::Pause => {
                if let Some(deck) = &self.deck {
                    deck.pause();
                }
            }
            StudioCommand::Seek(seconds) => {
                self.position = seconds.max(0.0);
                if let Some(deck) = &self.deck {
                    deck.seek(seconds);
                }
            }
            StudioCommand::Listen(what) => {
                self.listening = what;
                if let Some(deck) = &mut self.deck {
                    deck.listen(what);
                }
            }
            StudioCommand::Save { path, format, replaces } => {
                let output = if replaces { path } else { names::free(&path) };
                self.save(output, format);
            }
            StudioCommand::ListDevices => match microphones() {
                Ok(found) => self.outbox.tell(StudioEvent::Devices(found)),
                Err(error) => self.failed(&error),
            },
            StudioCommand::Record { device, clean, monitor } => {
                self.record(device, clean, monitor);
            }
            StudioCommand::MonitorRecording(is_monitored) => {
                if let Some(recording) = &self.recording {
                    recording.set_monitored(is_monitored);
                }
            }
            StudioCommand::PauseRecording(is_paused) => {
                if let Some(recording) = &self.recording {
                    recording.set_paused(is_paused);
                }
            }
            StudioCommand::StopRecording => {
                if let Some(recording) = &self.recording {
                    recording.stop();
                }
            }
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) {
        self.outbox.tell(StudioEvent::Failed(error.to_string()));
    }

    /// Opens or cleans beside this thread; what was under way of that is broken off.
    fn instead(&mut self, work: impl FnOnce(&Cancel) -> Finished + Send + 'static) {
        self.work_cancel.cancel();
        self.work_cancel = Cancel::new();
        self.beside(self.work_cancel.clone(), work);
    }

    /// Does work beside this thread until `cancel` says otherwise.
    fn beside(&mut self, cancel: Cancel, work: impl FnOnce(&Cancel) -> Finished + Send + 'static) {
        self.work.retain(|work| !work.is_finished());
        let done = self.finished.0.clone();
        let spawned =
            std::thread::Builder::new().name("limpid-studio-work".into()).spawn(move || {
                let _ = done.send(work(&cancel));
            });
        match spawned {
            Ok(handle) => self.work.push(handle),
            Err(error) => {
                self.failed(&format!("the system refused to start a thread ({error})"));
            }
        }
    }

    fn open_file(&mut self, path: PathBuf) {
        self.number += 1;
        (self.open, self.deck, self.position, self.cleaning) = (None, None, 0.0, None);
        let number = self.number;
        self.instead(move |cancel| {
            let opened = SoundFile::open(&path).and_then(|file| {
                let info = file.info().clone();
                let drawable = Drawable::read(&path, cancel)?;
                let opened = Opened {
                    path: path.clone(),
                    seconds: drawable.seconds(),
                    rate: info.rate,
                    channels: info.channels,
                    format: info.kind(),
                };
                Ok((opened, drawable))
            });
            Finished::Opened(number, Box::new(opened.map_err(|error| error.at(&path))))
        });
    }

    fn clean(&mut self, speech: Speech) {
        self.share.set(if speech.dereverb > 0.0 { 0.0 } else { kept(speech.limit_db) });
        let made_by = Cleaned::made_by(&speech);
        let is_other = Cleaned::made_by(&self.speech) != made_by;
        self.speech = speech;
        let Some(open) = &self.open else { return };
        let is_under_way = self.cleaning.as_ref() == Some(&made_by);
        if is_under_way || (open.clean.is_some() && !is_other) {
            return; // the limit is mixed in as it plays, the loudness is set when it is saved
        }
        let path = open.path.clone();
        self.cleaning = Some(made_by.clone());
        let (library, pool) = (Arc::clone(&self.library), self.pool.clone());
        let (outbox, number) = (self.outbox.clone(), self.number);
        self.instead(move |cancel| {
            let mut told = -1.0;
            let made = Cleaned::make(&path, &made_by, &library, (&pool, cancel), &mut |fraction| {
                if fraction - told > 0.01 {
                    told = fraction;
                    outbox.tell(StudioEvent::Cleaning(fraction));
                }
            });
            Finished::Cleaned(number, Box::new(made))
        });
    }

    fn take(&mut self, finished: Finished) {
        match finished {
            Finished::Opened(number, _) | Finished::Cleaned(number, _) if number != self.number => {
            }
            Finished::Opened(_, outcome) => match *outcome {
                Ok((opened, drawable)) => {
                    let path = opened.path.clone();
                    self.open = Some(Open { path, drawable, clean: None });
                    self.outbox.tell(StudioEvent::Opened(opened));
                    self.clean(self.speech.clone());
                }
                Err(error) if error.is_cancelled() => {}
                Err(error) => self.outbox.tell(StudioEvent::OpenFailed(error.to_string())),
            },
            Finished::Cleaned(_, outcome) => match *outcome {
                Ok(clean) => {
                    self.cleaning = None;
                    let event = StudioEvent::Cleaned {
                        model: clean.model.clone(),
                        real_time_factor: clean.real_time_factor,
                    };
                    if let Some(open) = &mut self.open {
                        open.clean = Some(clean);
                    }
                    self.outbox.tell(event);
                    self.reload();
                }
                // Broken off for another model, which is under way by now.
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    self.cleaning = None;
                    self.failed(&error);
                }
            },
            Finished::Saved(Ok(path)) => self.outbox.tell(StudioEvent::Saved(path)),
            Finished::Saved(Err(error)) if error.is_cancelled() => {}
            Finished::Saved(Err(error)) => {
                self.outbox.tell(StudioEvent::SaveFailed(error.to_string()));
            }
        }
    }

    fn draw(&self, request: &ViewRequest) {
        let Some(open) = &self.open else { return };
        let drawn = open.drawable.track(&open.path, request).and_then(|original| {
            let clean = match &open.clean {
                Some(clean) => Some(clean.drawable.track(&clean.path(), request)?),
                None => None,
            };
            Ok(SoundView { id: request.id, from: request.from, to: request.to, original, clean })
        });
        match drawn {
            Ok(view) => self.outbox.tell(StudioEvent::View(view)),
            Err(error) => self.failed(&error),
        }
    }

    fn play(&mut self) {
        if self.deck.is_none() {
            self.deck = match self.new_deck() {
                Ok(deck) => deck,
                Err(error) => return self.failed(&error),
            };
        }
        if let Some(deck) = &self.deck {
            deck.play();
        }
    }

    /// A loudspeaker that stands where the old one stood.
    fn new_deck(&self) -> Result<Option<Deck>, AudioError> {
        let Some(open) = &self.open else { return Ok(None) };
        let clean = open.clean.as_ref().map(|clean| {
            let louder = open.drawable.loudness - clean.drawable.loudness;
            (clean.path(), if louder.is_finite() { louder } else { 0.0 })
        });
        let clean = clean.as_ref().map(|(path, louder)| (path.as_path(), *louder));
        let mut deck = Deck::open(&open.path, clean, &self.share)?;
        deck.listen(self.listening);
        deck.seek(self.position);
        Ok(Some(deck))
    }

    /// What plays goes on with the cleaned recording in it.
    fn reload(&mut self) {
        let Some(old) = self.deck.take() else { return };
        self.position = old.position();
        let was_playing = old.is_playing();
        drop(old);
        if was_playing {
            self.play();
        }
    }

    fn save(&mut self, output: PathBuf, format: SoundFormat) {
        let Some(open) = &self.open else {
            let sentence = "no recording is open that could be saved";
            return self.outbox.tell(StudioEvent::SaveFailed(sentence.into()));
        };
        let (input, speech) = (open.path.clone(), self.speech.clone());
        let (library, pool) = (Arc::clone(&self.library), self.pool.clone());
        let outbox = self.outbox.clone();
        self.beside(self.closing.clone(), move |cancel| {
            let to = (output.as_path(), format);
            Finished::Saved(save(&input, to, &speech, &library, (&pool, cancel), &outbox))
        });
    }

    fn record(&mut self, device: Option<String>, clean: Option<Speech>, monitor: bool) {
        if self.recording.is_some() {
            return;
        }
        if let Some(deck) = &self.deck {
            deck.pause();
        }
        let started = std::fs::create_dir_all(&self.takes_dir)
            .map_err(|error| {
                format!("the folder cannot be made ({error}): {}", self.takes_dir.display())
            })
            .and_then(|()| {
                let raw = names::take(&self.takes_dir, SystemTime::now());
                let clean = clean.map(|speech| Speech {
                    model: live_model(&self.library, speech.model.clone()),
                    ..speech
                });
                let request = RecordingRequest { raw: raw.clone(), device, clean, monitor };
                let live = Some(self.live.clone());
                let recording = Recording::start_with(request, &self.library, live);
                recording.map(|recording| (raw, recording)).map_err(|error| error.to_string())
            });
        match started {
            Ok((raw, recording)) => {
                self.recording = Some(recording);
                self.outbox.tell(StudioEvent::RecordingStarted(raw));
            }
            Err(sentence) => self.outbox.tell(StudioEvent::Failed(sentence)),
        }
    }

    /// Reads levels and position, and sees what ended by itself.
    fn look(&mut self) {
        if self.recording.as_ref().is_some_and(Recording::is_finished)
            && let Some(recording) = self.recording.take()
        {
            match recording.finish() {
                Ok(take) => {
                    let remark = (!take.remarks.is_empty()).then(|| take.remarks.join("; "));
                    let (raw, clean) = (take.raw.clone(), take.clean);
                    self.outbox.tell(StudioEvent::Recorded { raw, clean, remark });
                    self.open_file(take.raw);
                }
                Err(error) => self.failed(&error),
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.draw();
        }
        let mut is_gone = false;
        if let Some(deck) = &self.deck {
            self.position = deck.position();
            match deck.event() {
                Some(PlayEvent::Ended) => self.outbox.tell(StudioEvent::PlayedToEnd),
                Some(PlayEvent::Failed(error)) => {
                    self.failed(&error);
                    is_gone = true;
                }
                None => {}
            }
        }
        if is_gone {
            self.deck = None;
        }
        let now = Now {
            is_playing: self.deck.as_ref().is_some_and(Deck::is_playing),
            position: self.position,
            recording: self.recording.as_ref().map(Recording::now),
        };
        let mut shown = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if *shown != now {
            let is_level = shown.recording.is_some() && now.recording.is_some();
            *shown = now;
            drop(shown);
            if !is_level || self.woke_at.elapsed() >= WAKE_FOR_LEVELS {
                self.woke_at = Instant::now();
                self.outbox.wake();
            }
        }
    }
}

/// Cleans once more, with all settings, into `output`: what a batch would write.
fn save(
    input: &Path,
    (output, format): (&Path, SoundFormat),
    speech: &Speech,
    library: &Library,
    (pool, cancel): (&Pool, &Cancel),
    outbox: &Outbox,
) -> Result<PathBuf, AudioError> {
    let name = library.resolve(limpid_nets::Task::Speech, &speech.model).map_err(|error| {
        AudioError::new(limpid_audio::ErrorKind::Model, error.to_string()).because(error)
    })?;
    let info = SoundFile::open(input)?.info().clone();
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            let sentence = format!("the folder cannot be made ({error})");
            AudioError::new(limpid_audio::ErrorKind::Unwritable, sentence).because(error).at(folder)
        })?;
    }
    let task = CleanTask {
        input,
        output,
        settings: sound::settings(speech),
        encode: Some(format.encode(output, &info)?),
        damage: Damage::Refuse,
        pool: Some(pool),
    };
    let mut told = -1.0;
    clean_file(&task, &mut || network(library, &name), cancel, &mut |progress| {
        if let Progress::Cleaning(done, Some(all)) = progress {
            let fraction = (done as f64 / all.max(1) as f64).min(1.0) as f32;
            if fraction - told > 0.01 {
                told = fraction;
                outbox.tell(StudioEvent::Saving(fraction));
            }
        }
        Ok(())
    })?;
    Ok(output.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Studio, StudioConfig};
    use super::*;

    #[test]
    fn a_save_that_cannot_be_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let config = StudioConfig {
            library: crate::testing::library(dir.path()),
            takes_dir: dir.path().join("takes"),
            wake: None,
        };
        let studio = Studio::start(config).unwrap();
        let path = dir.path().join("a.wav");
        studio.send(StudioCommand::Save {
            path: path.clone(),
            format: SoundFormat::Same,
            replaces: false,
        });
        let began = Instant::now();
        let told = loop {
            match studio.poll().pop() {
                Some(told) => break told,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
            assert!(began.elapsed().as_secs() < 30, "nothing is told");
        };
        assert!(matches!(told, StudioEvent::SaveFailed(_)), "{told:?}");
        assert!(!path.exists());
    }
}
