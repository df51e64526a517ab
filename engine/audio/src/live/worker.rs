//! The recorder's thread: what has come goes to the raw take first, everything else after.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rtrb::Producer;

use super::capture::Capture;
use super::cleaner::Cleaner;
use super::ear::Ear;
use super::flush::Flusher;
use super::format::{StreamFormat, mean_of_channels};
use super::level::{LevelMeter, Shared};
use super::monitor::Monitor;
use super::recorder::{MonitorRequest, RecordRequest, State, Take, clean_path};
use super::storage::{Storage, writing};
use super::take::TakeWriter;
use crate::error::{AudioError, ErrorKind};

/// How often the ring is looked at.
const POLL: Duration = Duration::from_millis(4);

/// How often the files' headers are brought up to date and their bytes to the disk. A crash costs
/// this much at most, and a power cut this and the time that the disk takes.
const SEAL_EVERY: Duration = Duration::from_millis(500);

/// How long the network may work before the ring is looked at again.
const CLEAN_AT_A_TIME: Duration = Duration::from_millis(20);

/// A microphone that gives nothing for this long is gone, whatever the system says.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// Bytes that are read from the ring at a time: a tenth of a second of ten channels.
const READ_BYTES: usize = 1 << 17;

pub(crate) enum Command {
    Pause,
    Resume,
    Stop,
    Monitor(Option<MonitorRequest>),
}

/// Where the samples for a picture go.
pub(crate) struct Taps {
    pub(crate) raw: Producer<f32>,
    pub(crate) clean: Producer<f32>,
}

pub(crate) struct Job {
    pub(crate) request: RecordRequest,
    pub(crate) open: Box<dyn FnOnce() -> Result<Capture, AudioError> + Send>,
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) taps: Taps,
}

/// Records until it is told to stop or cannot go on.
pub(crate) fn run(job: Job) -> Result<Take, AudioError> {
    let Job { request, open, storage, commands, shared, taps } = job;
    let mut worker = Worker::start(request, open, &*storage, shared, taps)?;
    let ended = worker.record(&commands);
    worker.finish(ended)
}

struct Worker {
    capture: Capture,
    format: StreamFormat,
    raw: TakeWriter,
    clean_path: Option<PathBuf>,
    cleaner: Option<Cleaner>,
    ear: Option<Ear>,
    clean_error: Option<AudioError>,
    monitor: Option<Monitor>,
    monitor_error: Option<AudioError>,
    flusher: Option<Flusher>,
    meter: LevelMeter,
    shared: Arc<Shared>,
    taps: Taps,
    is_paused: bool,
    heard_at: Instant,
    sealed_at: Instant,
    // one block, in the forms that it takes on its way
    wire: Vec<u8>,
    bytes: Vec<u8>,
    floats: Vec<f32>,
    mono: Vec<f32>,
}

impl Worker {
    fn start(
        request: RecordRequest,
        open: Box<dyn FnOnce() -> Result<Capture, AudioError> + Send>,
        storage: &dyn Storage,
        shared: Arc<Shared>,
        taps: Taps,
    ) -> Result<Self, AudioError> {
        let RecordRequest { raw: raw_path, mut clean, monitor } = request;
        let clean_path =
            clean.as_mut().map(|clean| clean.path.take().unwrap_or_else(|| clean_path(&raw_path)));
        // told before a microphone is opened; what makes it certain is how the files are made
        for path in [Some(&raw_path), clean_path.as_ref()].into_iter().flatten() {
            if path.symlink_metadata().is_ok() {
                let exists = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
                return Err(writing(exists).at(path));
            }
        }
        let capture = open()?;
        let format = capture.format();
        let mut cleaner = clean.as_mut().map(|clean| Cleaner::new(clean, format)).transpose()?;
        let ear = match &mut clean {
            Some(clean) => Some(Ear::new((clean.make_net)()?, format.rate)?),
            None => None,
        };
        let raw = TakeWriter::create(storage, &raw_path, format)?;
        if let (Some(cleaner), Some(path)) = (&mut cleaner, &clean_path) {
            match TakeWriter::create(storage, path, cleaner.format()) {
                Ok(take) => cleaner.write_to(take),
                Err(error) => {
                    remove(&raw_path);
                    return Err(error);
                }
            }
        }

        let clean_take = cleaner.as_mut().and_then(Cleaner::take_mut);
        let handles = [raw.flush_handle(), clean_take.and_then(|take| take.flush_handle())];
        let handles = handles.into_iter().flatten().collect();
        // without a thread for it, the files are flushed when they are closed
        let flusher = Flusher::start(handles, raw_path, Arc::clone(&shared)).ok();

        let second =
            |format: StreamFormat| format.file_frame_bytes() as u64 * u64::from(format.rate);
        let bytes_a_second =
            second(format) + cleaner.as_ref().map_or(0, |cleaner| second(cleaner.format()));
        shared.rate.store(format.rate, Ordering::Relaxed);
        shared.channels.store(u32::from(format.channels), Ordering::Relaxed);
        shared.bytes_a_second.store(bytes_a_second, Ordering::Relaxed);
        let mut worker = Self {
            capture,
            format,
            raw,
            clean_path,
            cleaner,
            ear,
            clean_error: None,
            monitor: None,
            monitor_error: None,
            flusher,
            meter: LevelMeter::new(format),
            shared,
            taps,
            is_paused: false,
            heard_at: Instant::now(),
            sealed_at: Instant::now(),
            wire: Vec::with_capacity(READ_BYTES),
            bytes: Vec::with_capacity(READ_BYTES),
            floats: Vec::with_capacity(READ_BYTES / 2),
            mono: Vec::with_capacity(READ_BYTES / 2),
        };
        worker.set_monitor(monitor);
        worker.set_state(State::Recording);
        Ok(worker)
    }

    /// Returns why it could not go on, or nothing once it was told to stop.
    fn record(&mut self, commands: &Receiver<Command>) -> Option<AudioError> {
        loop {
            let heard = match self.take_in() {
                Ok(heard) => heard,
                Err(error) => return Some(error),
            };
            let is_behind = self.clean();
            if let Err(error) = self.seal() {
                return Some(error);
            }
            // more than this is there: at once, but commands are heard all the same
            let wait = if heard == READ_BYTES || is_behind { Duration::ZERO } else { POLL };
            match commands.recv_timeout(wait) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(Command::Monitor(monitor)) => self.set_monitor(monitor),
                Ok(command) => {
                    // what was heard before the button belongs to the state before it
                    if let Err(error) = self.take_in_all() {
                        return Some(error);
                    }
                    self.is_paused = matches!(command, Command::Pause);
                    self.set_state(if self.is_paused { State::Paused } else { State::Recording });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Closes the microphone and the files, with all in them that was heard.
    fn finish(mut self, mut ended: Option<AudioError>) -> Result<Take, AudioError> {
        self.set_state(State::Finishing);
        self.capture.close();
        let disk_failed = ended.as_ref().is_some_and(|e| e.kind() == ErrorKind::Unwritable);
        if !disk_failed && let Err(error) = self.take_in_all() {
            // that the microphone is closed by now is no news
            if error.kind() != ErrorKind::Device {
                ended.get_or_insert(error);
            }
        }
        self.monitor = None;
        let frames = self.raw.frames();
        if let Some(error) = self.flusher.as_mut().and_then(Flusher::stop) {
            ended.get_or_insert(kept(writing(error), frames).at(self.raw.path()));
        }
        let raw_path = self.raw.path().to_owned();
        if let Err(error) = self.raw.finish() {
            ended.get_or_insert(kept(error, frames).at(&raw_path));
        }
        if let Some(mut cleaner) = self.cleaner.take() {
            let finished = cleaner.finish();
            let closed = cleaner.close().map_or(Ok(0), |closed| closed);
            if let Err(error) = finished.and(closed) {
                self.clean_error.get_or_insert(error);
            }
        }
        match ended {
            Some(error) if frames == 0 => {
                remove(&raw_path);
                if let Some(path) = &self.clean_path {
                    remove(path);
                }
                Err(error)
            }
            ended_early => Ok(Take {
                raw: raw_path,
                clean: self.clean_path,
                format: self.format,
                frames,
                dropped_frames: self.capture.dropped_frames(),
                overruns: self.capture.overruns(),
                ended_early,
                clean_ended_early: self.clean_error,
                monitor_failed: self.monitor_error,
            }),
        }
    }

    fn take_in_all(&mut self) -> Result<(), AudioError> {
        while self.take_in()? > 0 {}
        Ok(())
    }

    /// Takes one block from the ring. Returns its bytes.
    fn take_in(&mut self) -> Result<usize, AudioError> {
        if let Some(fault) = self.capture.read(READ_BYTES, &mut self.wire) {
            return Err(self.device_error(fault.sentence("the microphone")));
        }
        self.shared.dropped_frames.store(self.capture.dropped_frames(), Ordering::Relaxed);
        self.shared.overruns.store(self.capture.overruns(), Ordering::Relaxed);
        if self.wire.is_empty() {
            if self.heard_at.elapsed() > SILENT_FOR {
                let why = "the microphone gives no sound any more";
                return Err(self.device_error(AudioError::new(ErrorKind::Device, why)));
            }
            return Ok(0);
        }
        self.heard_at = Instant::now();
        if !self.is_paused {
            self.bytes.clear();
            self.format.kind.wire_to_file(&self.wire, &mut self.bytes);
            let appended = self.raw.append(&self.bytes);
            appended.map_err(|error| self.kept(error))?;
            self.shared.frames.store(self.raw.frames(), Ordering::Relaxed);
        }
        self.floats.clear();
        self.format.kind.wire_to_floats(&self.wire, &mut self.floats);
        self.shared.set_level(self.meter.measure(&self.floats));
        if !self.is_paused {
            self.mono.clear();
            mean_of_channels(&self.floats, usize::from(self.format.channels), &mut self.mono);
            let _ = self.taps.raw.push_partial_slice(&self.mono);
            if let Some(Err(error)) = self.cleaner.as_mut().map(|cleaner| cleaner.push(&self.mono))
            {
                self.end_clean(error);
            }
            match self.ear.as_mut().map(|ear| ear.push(&self.mono)) {
                Some(Ok(())) => {}
                Some(Err(error)) => self.end_ear(error),
                None => {
                    let told = self.monitor_error.take();
                    self.monitor_error = play(&mut self.monitor, &self.mono, told);
                }
            }
        }
        Ok(self.wire.len())
    }

    /// Lets both networks work for a moment, by turns. Whether there is more for them to do.
    fn clean(&mut self) -> bool {
        let started = Instant::now();
        let mut is_behind = true;
        while is_behind && started.elapsed() < CLEAN_AT_A_TIME {
            is_behind = self.listen();
            match self.cleaner.as_mut().map(Cleaner::step) {
                Some(Ok(is_more)) => is_behind |= is_more,
                Some(Err(error)) => self.end_clean(error),
                None => {}
            }
        }
        let behind = self.cleaner.as_ref().map_or(0.0, Cleaner::behind_seconds);
        self.shared.behind_micros.store((behind * 1e6) as u64, Ordering::Relaxed);
        is_behind
    }

    /// Lets the ear hear a hop, if there is one.
    fn listen(&mut self) -> bool {
        match self.ear.as_mut().map(Ear::step) {
            Some(Ok(Some(cleaned))) => {
                let _ = self.taps.clean.push_partial_slice(cleaned);
                self.monitor_error = play(&mut self.monitor, cleaned, self.monitor_error.take());
                return true;
            }
            Some(Err(error)) => self.end_ear(error),
            Some(Ok(None)) | None => {}
        }
        false
    }

    /// Nothing clean is heard or drawn any more; the takes go on.
    fn end_ear(&mut self, error: AudioError) {
        self.ear = None;
        if self.monitor.take().is_some() {
            self.monitor_error.get_or_insert(error);
        }
    }

    /// The clean take ends; the raw one goes on.
    fn end_clean(&mut self, error: AudioError) {
        if let Some(mut cleaner) = self.cleaner.take() {
            let _ = cleaner.close();
        }
        self.clean_error.get_or_insert(error);
        self.shared.clean_has_ended.store(true, Ordering::Relaxed);
        self.shared.behind_micros.store(0, Ordering::Relaxed);
    }

    /// Brings headers up to date and wakes the flusher, when it is time to.
    fn seal(&mut self) -> Result<(), AudioError> {
        if self.sealed_at.elapsed() < SEAL_EVERY {
            return Ok(());
        }
        self.sealed_at = Instant::now();
        self.shared.is_monitored.store(self.monitor.is_some(), Ordering::Relaxed);
        if let Some(flusher) = &mut self.flusher {
            if flusher.has_failed() {
                let error = flusher.stop().unwrap_or_else(|| std::io::ErrorKind::Other.into());
                return Err(self.kept(writing(error)));
            }
            flusher.wake();
        }
        let sealed = self.raw.seal();
        sealed.map_err(|error| self.kept(error))?;
        if let Some(take) = self.cleaner.as_mut().and_then(Cleaner::take_mut)
            && let Err(error) = take.seal()
        {
            self.end_clean(error);
        }
        Ok(())
    }

    fn set_monitor(&mut self, wanted: Option<MonitorRequest>) {
        match (wanted, &self.monitor) {
            (Some(wanted), Some(open)) if open.device() == wanted.device.as_deref() => {
                open.set_gain(wanted.gain);
            }
            (Some(wanted), _) => {
                // the one before is closed first: some devices open once
                self.monitor = None;
                let rate = self.ear.as_ref().map_or(self.format.rate, Ear::rate);
                match Monitor::open(wanted, rate) {
                    Ok(monitor) => self.monitor = Some(monitor),
                    Err(error) => self.monitor_error = Some(error),
                }
            }
            (None, _) => self.monitor = None,
        }
        self.shared.is_monitored.store(self.monitor.is_some(), Ordering::Relaxed);
    }

    fn set_state(&self, state: State) {
        let code = State::ALL.iter().position(|&s| s == state).unwrap_or(0);
        self.shared.state.store(code as u8, Ordering::Relaxed);
    }

    fn device_error(&self, error: AudioError) -> AudioError {
        kept(error, self.raw.frames())
    }

    /// A fault of the disk, with the raw take's path.
    fn kept(&self, error: AudioError) -> AudioError {
        kept(error, self.raw.frames()).at(self.raw.path())
    }
}

/// The same error with what a person fears most answered, where `frames` are in the file. Its path
/// has to be named anew.
fn kept(error: AudioError, frames: u64) -> AudioError {
    if frames == 0 {
        return error;
    }
    let sentence = format!("{}, what was recorded until then is kept", error.sentence());
    AudioError::new(error.kind(), sentence).because(error)
}

/// Plays samples, if anything plays. A loudspeaker that is gone is closed. Returns why one is, or
/// what was `told` before.
fn play(
    monitor: &mut Option<Monitor>,
    samples: &[f32],
    told: Option<AudioError>,
) -> Option<AudioError> {
    let Some(open) = monitor else { return told };
    match open.push(samples) {
        Ok(()) => told,
        Err(error) => {
            *monitor = None;
            Some(error)
        }
    }
}

/// Removes a file that holds nothing. One that stays is no harm.
fn remove(path: &std::path::Path) {
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests;
