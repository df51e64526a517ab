//! What can be played.

use std::sync::Arc;

use crate::error::AudioError;

/// Frames that a source is asked for at a time, about.
pub const BLOCK_FRAMES: usize = 1024;

/// A sound that is read in blocks from any frame on.
pub trait PlaySource: Send {
    /// Frames a second, in Hz. Stays.
    fn rate(&self) -> u32;

    /// Channels, at least one. Stays.
    fn channels(&self) -> usize;

    /// The next frame read is this one; behind the end, there is none.
    ///
    /// # Errors
    ///
    /// The source cannot be read from there.
    fn seek(&mut self, frame: u64) -> Result<(), AudioError>;

    /// Replaces each channel's plane by the next frames, full scale ±1: some, equally many in each,
    /// about [`BLOCK_FRAMES`]. None means the end.
    ///
    /// # Errors
    ///
    /// The source cannot be read on.
    fn read(&mut self, planes: &mut [Vec<f32>]) -> Result<usize, AudioError>;
}

/// A sound in memory.
#[derive(Clone, Debug)]
pub struct MemorySource {
    rate: u32,
    planes: Arc<Vec<Vec<f32>>>,
    at: usize,
}

impl MemorySource {
    /// Planes of equal length, one a channel, full scale ±1, at `rate` Hz.
    ///
    /// # Errors
    ///
    /// No channel, planes of different lengths, or a rate of 0.
    pub fn new(rate: u32, planes: Arc<Vec<Vec<f32>>>) -> Result<Self, AudioError> {
        let frames = planes.first().map(Vec::len);
        if rate == 0 || planes.iter().any(|plane| Some(plane.len()) != frames) || frames.is_none() {
            return Err(AudioError::internal("planes that are no sound"));
        }
        Ok(Self { rate, planes, at: 0 })
    }
}

impl PlaySource for MemorySource {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> usize {
        self.planes.len()
    }

    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.at = usize::try_from(frame).unwrap_or(usize::MAX);
        Ok(())
    }

    fn read(&mut self, planes: &mut [Vec<f32>]) -> Result<usize, AudioError> {
        let frames = self.planes.first().map_or(0, Vec::len);
        let from = self.at.min(frames);
        let to = (from + BLOCK_FRAMES).min(frames);
        for (plane, own) in planes.iter_mut().zip(self.planes.iter()) {
            plane.clear();
            plane.extend_from_slice(&own[from..to]);
        }
        self.at = to;
        Ok(to - from)
    }
}
