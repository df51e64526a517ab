//! The player: a handle that a window holds, and the thread that reads ahead for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rtrb::{Producer, RingBuffer};

use super::lane::Lane;
use super::mixer::{Dials, Mixer};
use super::output::Output;
use crate::error::AudioError;
use crate::live::StreamFormat;
use crate::live::open::Pace;
use crate::reader::BlockReader;

/// What is read ahead.
const AHEAD_SECONDS: f64 = 0.2;

/// How often the ring is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Frames that are read at a time.
const AT_A_TIME: usize = 256;

/// What is heard of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// One of them, at its own gain.
    To(usize),
    /// The first without the second: what cleaning took away. Both at the first one's gain.
    Removed,
}

/// What the player tells by itself.
#[derive(Debug)]
pub enum PlayEvent {
    /// The longest source is over. The player stands at its end; `play` starts again.
    Ended,
    /// It cannot go on: the loudspeaker is gone, a source cannot be read. It plays no more.
    Failed(AudioError),
}

enum Command {
    Play,
    Pause,
    Seek(u64),
}

/// Where the sound in the ring comes from: the frame of the first source that is `written` frames
/// into the ring.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    frame: u64,
    written: u64,
}

/// Plays sources in step. Stops when dropped.
pub struct Player {
    commands: Option<Sender<Command>>,
    events: Receiver<PlayEvent>,
    dials: Arc<Dials>,
    origin: Arc<Mutex<Origin>>,
    listen: Listen,
    gains: Vec<f32>,
    rates: [u32; 2],
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Opens a loudspeaker by its id or name, or the default one, and stands at the start of the
    /// `sources`, each with its gain (1 for as it is; matched loudness is the caller's to measure).
    /// The first is what positions count in; others may have another rate. Opening takes tens of
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// No source, no loudspeaker, or a source that cannot be read.
    pub fn open(
        sources: Vec<(Box<dyn BlockReader>, f32)>,
        device: Option<&str>,
    ) -> Result<Self, AudioError> {
        let rate = sources.first().map(|(source, _)| source.rate());
        let planned = Output::plan(device, rate, Pace::Playing)?;
        let format = planned.format();
        let (worker, mixer, player) = Self::build(sources, format)?;
        let (mut mixer, dials) = (mixer, Arc::clone(&player.dials));
        let output = planned.start(move |frames| mixer.fill(&dials, frames))?;
        player.run(worker, Some(output))
    }

    fn build(
        sources: Vec<(Box<dyn BlockReader>, f32)>,
        format: StreamFormat,
    ) -> Result<(Worker, Mixer, Self), AudioError> {
        let Some(rate) = sources.first().map(|(source, _)| source.rate()) else {
            return Err(AudioError::internal("nothing to play"));
        };
        let is_mono = sources.iter().all(|(source, _)| source.channels() == 1);
        let channels = if is_mono { 1 } else { 2 };
        let (sources, gains): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
        let width = sources.len() * channels;
        let ahead = (f64::from(format.rate) * AHEAD_SECONDS) as usize + AT_A_TIME;
        let (ring, consumer) = RingBuffer::new(ahead * width);
        let mixer = Mixer::new(consumer, sources.len(), channels, format.channels, format.rate);
        let dials = Arc::new(Dials::new(sources.len()));
        let mut lanes = Vec::with_capacity(sources.len());
        for source in sources {
            lanes.push(Lane::new(source, format.rate, channels)?);
        }
        let origin = Arc::new(Mutex::new(Origin::default()));
        let (commands, received) = bounded(64);
        let (events, told) = bounded(16);
        let worker = Worker {
            lanes,
            channels,
            ring,
            dials: Arc::clone(&dials),
            origin: Arc::clone(&origin),
            commands: received,
            events,
            written: 0,
            parts: Vec::new(),
            mixed: Vec::new(),
        };
        let mut player = Self {
            commands: Some(commands),
            events: told,
            dials,
            origin,
            listen: Listen::To(0),
            gains,
            rates: [rate, format.rate],
            thread: None,
        };
        player.listen(Listen::To(0));
        Ok((worker, mixer, player))
    }

    fn run(mut self, mut worker: Worker, output: Option<Output>) -> Result<Self, AudioError> {
        let work = move || worker.run(output.as_ref());
        let thread = thread::Builder::new().name("limpid-player".to_owned()).spawn(work);
        let thread =
            thread.map_err(|error| AudioError::internal("no thread to play on").because(error))?;
        self.thread = Some(thread);
        Ok(self)
    }

    /// Plays on; from the start where it stands at the end.
    pub fn play(&self) {
        self.send(Command::Play);
    }

    /// Stands still.
    pub fn pause(&self) {
        self.send(Command::Pause);
    }

    /// Goes to a frame of the first source, playing or not.
    pub fn seek(&self, frame: u64) {
        self.send(Command::Seek(frame));
    }

    /// Switches what is heard, at once and in step.
    pub fn listen(&mut self, listen: Listen) {
        self.listen = listen;
        let gain = |i: usize| self.gains.get(i).copied().unwrap_or(0.0);
        let weights: Vec<f32> = (0..self.gains.len())
            .map(|i| match listen {
                Listen::To(chosen) => {
                    if i == chosen {
                        gain(i)
                    } else {
                        0.0
                    }
                }
                Listen::Removed => match i {
                    0 => gain(0),
                    1 => -gain(0),
                    _ => 0.0,
                },
            })
            .collect();
        self.dials.set_weights(&weights);
    }

    /// Sets how loud a source is, 1 for as it is.
    pub fn set_gain(&mut self, source: usize, gain: f32) {
        if let Some(own) = self.gains.get_mut(source) {
            *own = gain;
        }
        self.listen(self.listen);
    }

    /// The frame of the first source that the device takes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        let origin = *self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.dials.read.load(Ordering::Acquire).saturating_sub(origin.written);
        let [source, device] = self.rates.map(u64::from);
        origin.frame + read.saturating_mul(source) / device.max(1)
    }

    /// Whether it plays.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.dials.is_playing.load(Ordering::Acquire)
    }

    /// Frames, at the device's rate, that were due and not read in time.
    #[must_use]
    pub fn starved_frames(&self) -> u64 {
        self.dials.starved.load(Ordering::Relaxed)
    }

    /// What it tells by itself.
    #[must_use]
    pub fn events(&self) -> &Receiver<PlayEvent> {
        &self.events
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    lanes: Vec<Lane>,
    channels: usize,
    ring: Producer<f32>,
    dials: Arc<Dials>,
    origin: Arc<Mutex<Origin>>,
    commands: Receiver<Command>,
    events: Sender<PlayEvent>,
    /// Frames that were put into the ring.
    written: u64,
    parts: Vec<Vec<f32>>,
    mixed: Vec<f32>,
}

impl Worker {
    fn run(&mut self, output: Option<&Output>) {
        loop {
            let mut result = self.read_ahead();
            if let Some(fault) = output.and_then(Output::fault) {
                result = Err(fault);
            }
            if self.has_ended() && self.dials.is_playing.swap(false, Ordering::AcqRel) {
                let _ = self.events.try_send(PlayEvent::Ended);
            }
            if result.is_ok() {
                result = match self.commands.recv_timeout(POLL) {
                    Ok(Command::Play) => self.play(),
                    Ok(Command::Pause) => {
                        self.dials.is_playing.store(false, Ordering::Release);
                        Ok(())
                    }
                    Ok(Command::Seek(frame)) => self.seek(frame),
                    Err(RecvTimeoutError::Timeout) => Ok(()),
                    Err(RecvTimeoutError::Disconnected) => return,
                };
            }
            if let Err(error) = result {
                self.dials.is_playing.store(false, Ordering::Release);
                let _ = self.events.try_send(PlayEvent::Failed(error));
                return;
            }
        }
    }

    fn play(&mut self) -> Result<(), AudioError> {
        if self.has_ended() {
            self.seek(0)?;
        }
        self.read_ahead()?;
        self.dials.is_playing.store(true, Ordering::Release);
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.dials.read.load(Ordering::Acquire) >= self.dials.ends_at.load(Ordering::Acquire)
    }

    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        let first = f64::from(self.lanes.first().map_or(1, Lane::rate).max(1));
        for lane in &mut self.lanes {
            let at = frame as f64 * f64::from(lane.rate()) / first;
            lane.seek(at.round() as u64)?;
        }
        self.dials.ends_at.store(u64::MAX, Ordering::Release);
        self.dials.skip_to.store(self.written, Ordering::Release);
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) =
            Origin { frame, written: self.written };
        Ok(())
    }

    /// Fills the ring. A source that is over is silent until the longest is.
    fn read_ahead(&mut self) -> Result<(), AudioError> {
        let width = self.lanes.len() * self.channels;
        self.parts.resize_with(self.lanes.len(), Vec::new);
        let is_over = |dials: &Dials| dials.ends_at.load(Ordering::Acquire) != u64::MAX;
        while !is_over(&self.dials) && self.ring.slots() >= AT_A_TIME * width {
            let mut longest = 0;
            for (lane, part) in self.lanes.iter_mut().zip(&mut self.parts) {
                part.clear();
                longest = longest.max(lane.read(AT_A_TIME, part)?);
            }
            self.mixed.clear();
            for i in 0..longest {
                for part in &self.parts {
                    let at = i * self.channels;
                    let frame = part.get(at..at + self.channels);
                    match frame {
                        Some(frame) => self.mixed.extend_from_slice(frame),
                        None => self.mixed.extend(std::iter::repeat_n(0.0, self.channels)),
                    }
                }
            }
            let _ = self.ring.push_entire_slice(&self.mixed);
            self.written += longest as u64;
            if longest < AT_A_TIME {
                self.dials.ends_at.store(self.written, Ordering::Release);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
