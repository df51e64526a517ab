//! One source on its way to the device: at its rate, in as many channels as are mixed.

use crate::error::AudioError;
use crate::live::StreamResampler;
use crate::reader::BlockReader;

/// Frames that a source is asked for at a time.
const BLOCK_FRAMES: usize = 1024;

pub(crate) struct Lane {
    source: Box<dyn BlockReader>,
    resampler: StreamResampler,
    channels: usize,
    device_rate: u32,
    planes: Vec<Vec<f32>>,
    frames: Vec<f32>,
    /// Interleaved frames at the device's rate; those before `done` are gone.
    ready: Vec<f32>,
    done: usize,
    /// Since the last seek: frames of the source, and frames that were handed out.
    heard: u64,
    given: u64,
    is_over: bool,
}

impl Lane {
    pub(crate) fn new(
        source: Box<dyn BlockReader>,
        device_rate: u32,
        channels: usize,
    ) -> Result<Self, AudioError> {
        Ok(Self {
            resampler: StreamResampler::new(source.rate(), device_rate, channels)?,
            channels,
            device_rate,
            planes: vec![Vec::new(); source.channels()],
            frames: Vec::new(),
            ready: Vec::new(),
            done: 0,
            heard: 0,
            given: 0,
            is_over: false,
            source,
        })
    }

    pub(crate) fn rate(&self) -> u32 {
        self.source.rate()
    }

    pub(crate) fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.resampler.reset();
        self.ready.clear();
        (self.done, self.heard, self.given, self.is_over) = (0, 0, 0, false);
        self.source.seek(frame)
    }

    /// Appends up to `frames` frames to `out`; fewer only where the source ends. Returns how many.
    pub(crate) fn read(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<usize, AudioError> {
        self.ready.drain(..self.done);
        self.done = 0;
        while self.ready.len() < frames * self.channels && !self.is_over {
            if self.source.read(&mut self.planes, BLOCK_FRAMES)? == 0 {
                self.end()?;
            } else {
                self.heard += self.planes.first().map_or(0, Vec::len) as u64;
                self.interleave();
                self.resampler.push(&self.frames, &mut self.ready)?;
            }
        }
        let there = (self.ready.len() / self.channels).min(frames);
        self.done = there * self.channels;
        self.given += there as u64;
        out.extend_from_slice(&self.ready[..self.done]);
        Ok(there)
    }

    /// The resampler still holds the last milliseconds: silence pushes them out.
    fn end(&mut self) -> Result<(), AudioError> {
        self.is_over = true;
        let ratio = f64::from(self.device_rate) / f64::from(self.source.rate().max(1));
        let whole = (self.heard as f64 * ratio).round() as u64;
        let left = whole.saturating_sub(self.given) as usize * self.channels;
        let silence = vec![0.0; 256 * self.channels];
        for _ in 0..64 {
            if self.ready.len() >= left {
                break;
            }
            self.resampler.push(&silence, &mut self.ready)?;
        }
        self.ready.truncate(left);
        Ok(())
    }

    /// One channel goes to all; of more than are mixed, each gets the mean.
    fn interleave(&mut self) {
        self.frames.clear();
        let count = self.planes.iter().map(Vec::len).min().unwrap_or(0);
        let share = 1.0 / self.planes.len().max(1) as f32;
        for i in 0..count {
            if self.planes.len() == self.channels {
                self.frames.extend(self.planes.iter().map(|plane| plane[i]));
            } else {
                let mean = self.planes.iter().map(|plane| plane[i]).sum::<f32>() * share;
                self.frames.extend(std::iter::repeat_n(mean, self.channels));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::MemoryReader;

    fn lane(rate: u32, frames: usize, device_rate: u32, channels: usize) -> Lane {
        let plane: Vec<f32> = (0..frames).map(|i| i as f32).collect();
        let source = MemoryReader::new(rate, vec![plane]);
        Lane::new(Box::new(source), device_rate, channels).unwrap()
    }

    #[test]
    fn equal_rates_pass_through_and_end() {
        let mut lane = lane(100, 5000, 100, 2);
        let mut out = Vec::new();
        lane.seek(4000).unwrap();
        assert_eq!(lane.read(600, &mut out).unwrap(), 600);
        assert_eq!(lane.read(600, &mut out).unwrap(), 400);
        assert_eq!(lane.read(600, &mut out).unwrap(), 0);
        let expected: Vec<f32> = (4000..5000).flat_map(|i| [i as f32; 2]).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn another_rate_is_as_long_as_it_should_be() {
        for frames in [1, 100, 44_100] {
            let mut lane = lane(44_100, frames, 48_000, 1);
            let mut out = Vec::new();
            while lane.read(500, &mut out).unwrap() > 0 {}
            assert_eq!(out.len(), (frames as f64 * 48.0 / 44.1).round() as usize);
        }
    }
}
