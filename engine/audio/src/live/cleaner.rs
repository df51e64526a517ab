//! The clean take: what the network makes of the mean of the channels, on the raw take's time axis.

use super::format::StreamFormat;
use super::rate::StreamResampler;
use super::take::TakeWriter;
use crate::error::{AudioError, ErrorKind};
use crate::speech_net::SpeechNet;

/// How much sound may wait for a network before it is given up. The raw take is whole all the same
/// and can be cleaned later; a clean take with holes in it could not be mended.
const MOST_BEHIND_SECONDS: f64 = 30.0;

/// Enough silence to push out any delay: minutes of it at the usual hops.
const MOST_SILENT_HOPS: usize = 20_000;

pub(crate) struct Cleaner {
    net: Box<dyn SpeechNet>,
    resampler: StreamResampler,
    /// At the network's rate, from `done` on not yet heard by the network.
    waiting: Vec<f32>,
    done: usize,
    cleaned: Vec<f32>,
    /// Samples that the network still owes from before the first one.
    skip: usize,
    device_rate: u32,
    take: Option<TakeWriter>,
    bytes: Vec<u8>,
    format: StreamFormat,
}

impl Cleaner {
    /// Cleans what a device gives at `device_rate`.
    pub(crate) fn new(
        mut net: Box<dyn SpeechNet>,
        device: StreamFormat,
    ) -> Result<Self, AudioError> {
        let (rate, hop) = (net.rate(), net.hop());
        if rate == 0 || hop == 0 {
            return Err(AudioError::new(
                ErrorKind::Model,
                "the model takes no sound: its rate or its hop is zero",
            ));
        }
        net.reset();
        Ok(Self {
            resampler: StreamResampler::new(device.rate, rate, 1)?,
            waiting: Vec::with_capacity(4 * hop),
            done: 0,
            cleaned: vec![0.0; hop],
            skip: net.delay(),
            device_rate: device.rate,
            take: None,
            bytes: Vec::with_capacity(4 * hop),
            format: StreamFormat { rate, channels: 1, kind: device.kind },
            net,
        })
    }

    /// What its take holds: one channel at the network's rate, samples as the device writes them.
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

    /// Takes samples at the device's rate. Cheap: the network hears them in [`step`](Self::step).
    pub(crate) fn push(&mut self, mono: &[f32]) -> Result<(), AudioError> {
        self.waiting.drain(..self.done);
        self.done = 0;
        self.resampler.push(mono, &mut self.waiting)?;
        if self.behind_seconds() > MOST_BEHIND_SECONDS {
            return Err(AudioError::new(
                ErrorKind::Model,
                "this computer is too slow to clean while it records, the clean take ends early",
            ));
        }
        Ok(())
    }

    /// Sound that waits for the network.
    pub(crate) fn behind_seconds(&self) -> f64 {
        (self.waiting.len() - self.done) as f64 / f64::from(self.format.rate)
    }

    /// Cleans one hop, if there is one, writes it and returns it.
    pub(crate) fn step(&mut self) -> Result<Option<&[f32]>, AudioError> {
        self.step_up_to(u64::MAX)
    }

    /// Lets the network hear the rest and silence behind it, until its take is as long as the raw
    /// one of `raw_frames`.
    pub(crate) fn finish(&mut self, raw_frames: u64) -> Result<(), AudioError> {
        let ratio = f64::from(self.format.rate) / f64::from(self.device_rate.max(1));
        let whole = (raw_frames as f64 * ratio).round() as u64;
        let silence = vec![0.0; self.cleaned.len()];
        // a network that gives less than it promised must not be waited for without end
        for _ in 0..MOST_SILENT_HOPS {
            while self.step_up_to(whole)?.is_some() {}
            if self.take.as_ref().is_none_or(|take| take.frames() >= whole) {
                return Ok(());
            }
            self.push(&silence)?;
        }
        Err(AudioError::new(ErrorKind::Model, "the model holds back what it hears"))
    }

    /// One hop, of which no more is written than makes the take `whole` frames long.
    fn step_up_to(&mut self, whole: u64) -> Result<Option<&[f32]>, AudioError> {
        let hop = self.cleaned.len();
        let Some(input) = self.waiting.get(self.done..self.done + hop) else { return Ok(None) };
        self.net.process(input, &mut self.cleaned)?;
        self.done += hop;
        let late = self.skip.min(hop);
        self.skip -= late;
        let ready = &self.cleaned[late..];
        if let Some(take) = &mut self.take {
            let room = usize::try_from(whole.saturating_sub(take.frames())).unwrap_or(usize::MAX);
            self.bytes.clear();
            self.format.kind.floats_to_file(&ready[..ready.len().min(room)], &mut self.bytes);
            take.append(&self.bytes)?;
        }
        Ok(Some(ready))
    }

    /// Ends its take. Returns the frames in it.
    pub(crate) fn close(&mut self) -> Option<Result<u64, AudioError>> {
        self.take.take().map(TakeWriter::finish)
    }
}
