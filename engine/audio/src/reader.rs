//! Blocks of samples, from a file or from memory.

use crate::error::AudioError;

/// Gives samples in order, a block at a time, and can go to a frame. What is played is read on
/// another thread.
pub trait BlockReader: Send {
    /// Frames a second, in Hz. Stays.
    fn rate(&self) -> u32;

    /// Channels, at least 1. Stays.
    fn channels(&self) -> usize;

    /// How many frames there are, where that is known (exactly or by the container's estimate).
    fn frames(&self) -> Option<u64>;

    /// Goes to this frame, counted from 0; behind the end there is nothing to read.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged.
    fn seek(&mut self, frame: u64) -> Result<(), AudioError>;

    /// Replaces what is in `out`, one vector a channel, by the next frames, full scale at ±1,
    /// `max_frames` at most. Returns how many there were; 0 at the end.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged; `out` has another number of channels.
    fn read(&mut self, out: &mut [Vec<f32>], max_frames: usize) -> Result<usize, AudioError>;
}

/// Samples in memory, one slice or vector a channel: a clip, a recording that is still going on.
#[derive(Clone, Debug)]
pub struct MemoryReader<T> {
    rate: u32,
    channels: Vec<T>,
    len: usize,
    position: usize,
}

impl<T: AsRef<[f32]>> MemoryReader<T> {
    /// A reader of `channels`, all as long as the shortest of them, at `rate` Hz.
    #[must_use]
    pub fn new(rate: u32, channels: Vec<T>) -> Self {
        let len = channels.iter().map(|channel| channel.as_ref().len()).min().unwrap_or(0);
        Self { rate, channels, len, position: 0 }
    }
}

impl<T: AsRef<[f32]> + Send> BlockReader for MemoryReader<T> {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> usize {
        self.channels.len()
    }

    fn frames(&self) -> Option<u64> {
        Some(self.len as u64)
    }

    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.position = usize::try_from(frame).unwrap_or(usize::MAX).min(self.len);
        Ok(())
    }

    fn read(&mut self, out: &mut [Vec<f32>], max_frames: usize) -> Result<usize, AudioError> {
        check_channels(out, self.channels.len())?;
        let end = self.len.min(self.position.saturating_add(max_frames));
        for (out, channel) in out.iter_mut().zip(&self.channels) {
            out.clear();
            out.extend_from_slice(&channel.as_ref()[self.position..end]);
        }
        let frames = end - self.position;
        self.position = end;
        Ok(frames)
    }
}

/// Whether there is a vector for each channel.
pub(crate) fn check_channels(out: &[Vec<f32>], channels: usize) -> Result<(), AudioError> {
    if out.len() == channels {
        Ok(())
    } else {
        Err(AudioError::internal(format!("{channels} channels do not fit {} buffers", out.len())))
    }
}
