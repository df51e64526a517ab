//! The clean take: the mean of the channels, cleaned as a file would be, on the raw take's time axis.
//!
//! It may come late, by the filters' length and, with echo removal, by ten seconds: what has to be
//! heard and seen at once comes from [`Ear`](super::ear::Ear).

use limpid_kernels::Cancel;

use super::format::StreamFormat;
use super::recorder::CleanRequest;
use super::take::TakeWriter;
use crate::clean;
use crate::error::{AudioError, ErrorKind};

/// How much sound may wait for a network before it is given up. The raw take is whole all the same
/// and can be cleaned later; a clean take with holes in it could not be mended.
const MOST_BEHIND_SECONDS: f64 = 30.0;

/// Pieces of sound cleaned at a time: the ring is looked at in between.
const STEPS_A_SECOND: u32 = 50;

pub(crate) struct Cleaner {
    inner: Option<clean::Cleaner>,
    cancel: Cancel,
    /// From `done` on not yet cleaned.
    waiting: Vec<f32>,
    done: usize,
    step: usize,
    input: [Vec<f32>; 1],
    cleaned: [Vec<f32>; 1],
    take: Option<TakeWriter>,
    bytes: Vec<u8>,
    format: StreamFormat,
}

impl Cleaner {
    /// Cleans what a device gives.
    pub(crate) fn new(
        request: &mut CleanRequest,
        device: StreamFormat,
    ) -> Result<Self, AudioError> {
        let inner = clean::Cleaner::new(device.rate, 1, &mut *request.make_net, &request.settings)?;
        Ok(Self {
            inner: Some(inner),
            cancel: Cancel::new(),
            waiting: Vec::new(),
            done: 0,
            step: device.rate.div_ceil(STEPS_A_SECOND).max(1) as usize,
            input: [Vec::new()],
            cleaned: [Vec::new()],
            take: None,
            bytes: Vec::new(),
            format: StreamFormat { channels: 1, ..device },
        })
    }

    /// What its take holds: one channel at the device's rate, samples as the device writes them.
    pub(crate) fn format(&self) -> StreamFormat {
        self.format
    }

    /// Where its samples go.
    pub(crate) fn write_to(&mut self, take: TakeWriter) {
        self.take = Some(take);
    }

    pub(crate) fn take_mut(&mut self) -> Option<&mut TakeWriter> {
        self.take.as_mut()
    }

    /// Takes samples. Cheap: they are cleaned in [`step`](Self::step).
    pub(crate) fn push(&mut self, mono: &[f32]) -> Result<(), AudioError> {
        if 2 * self.done >= self.waiting.len() {
            self.waiting.drain(..self.done);
            self.done = 0;
        }
        self.waiting.extend_from_slice(mono);
        if self.behind_seconds() > MOST_BEHIND_SECONDS {
            return Err(AudioError::new(
                ErrorKind::Model,
                "this computer is too slow to clean while it records, the clean take ends early",
            ));
        }
        Ok(())
    }

    /// Sound that waits to be cleaned.
    pub(crate) fn behind_seconds(&self) -> f64 {
        (self.waiting.len() - self.done) as f64 / f64::from(self.format.rate)
    }

    /// Cleans a moment of sound, if as much is there, and writes what is ready. Whether it was.
    pub(crate) fn step(&mut self) -> Result<bool, AudioError> {
        let is_there = self.waiting.len() - self.done >= self.step;
        if is_there {
            self.clean_next(self.step)?;
        }
        Ok(is_there)
    }

    /// Cleans all that waits, and what was held back: its take is as long as the raw one then.
    pub(crate) fn finish(&mut self) -> Result<(), AudioError> {
        while self.step()? {}
        self.clean_next(self.waiting.len() - self.done)?;
        if let Some(inner) = self.inner.take() {
            inner.finish(&mut self.cleaned, &self.cancel)?;
        }
        self.write()
    }

    fn clean_next(&mut self, count: usize) -> Result<(), AudioError> {
        let [input] = &mut self.input;
        input.clear();
        input.extend_from_slice(&self.waiting[self.done..self.done + count]);
        self.done += count;
        if let Some(inner) = &mut self.inner {
            inner.push(&self.input, &mut self.cleaned, &self.cancel)?;
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), AudioError> {
        let [cleaned] = &mut self.cleaned;
        self.bytes.clear();
        self.format.kind.floats_to_file(cleaned, &mut self.bytes);
        cleaned.clear();
        match &mut self.take {
            Some(take) if !self.bytes.is_empty() => take.append(&self.bytes),
            _ => Ok(()),
        }
    }

    /// Ends its take. Returns the frames in it.
    pub(crate) fn close(&mut self) -> Option<Result<u64, AudioError>> {
        self.take.take().map(TakeWriter::finish)
    }
}
