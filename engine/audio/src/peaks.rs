//! What a waveform picture needs: the lowest and highest sample behind each pixel, for a sound of
//! any length in a fixed amount of memory.

use crate::error::AudioError;
use crate::reader::BlockReader;

/// Lowest and highest sample of a stretch of sound; empty stretches have `min > max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinMax {
    /// The lowest sample.
    pub min: f32,
    /// The highest sample.
    pub max: f32,
}

impl MinMax {
    /// Of no sample.
    pub const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY };

    /// Of these samples; what is not a number is passed over.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        samples.iter().fold(Self::EMPTY, |sum, sample| Self {
            min: sum.min.min(*sample),
            max: sum.max.max(*sample),
        })
    }

    /// Of both stretches.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// Whether there was no sample.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.min > self.max
    }
}

/// Frames behind one bin at first.
const FIRST_BIN: u64 = 64;
/// Bins that are merged into one of the next level.
const LEVEL_STEP: usize = 4;

/// A pyramid of lowest and highest samples that grows with the sound: when it holds as many bins as
/// it may, two become one. So a clip is known finely, three hours coarsely, both in the same memory.
#[derive(Clone, Debug)]
pub struct Peaks {
    rate: u32,
    channels: Vec<Channel>,
    most_bins: usize,
    bin_frames: u64,
    frames: u64,
}

/// `levels[0]` has a bin for each `bin_frames` frames, each further level one for four of those below.
#[derive(Clone, Debug)]
struct Channel {
    levels: Vec<Vec<MinMax>>,
}

impl Peaks {
    /// An empty pyramid of at most `most_bins` bins a channel (at least 16; 65 536 are 0.7 MB).
    #[must_use]
    pub fn new(rate: u32, channels: usize, most_bins: usize) -> Self {
        Self {
            rate,
            channels: vec![Channel { levels: vec![Vec::new()] }; channels],
            most_bins: most_bins.max(16).next_multiple_of(2),
            bin_frames: FIRST_BIN,
            frames: 0,
        }
    }

    /// Reads a sound to its end. `go_on` is asked after each block, with the frames so far; with
    /// `false` what is there by then is returned.
    ///
    /// # Errors
    ///
    /// The sound cannot be read.
    pub fn read(
        reader: &mut dyn BlockReader,
        most_bins: usize,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Self, AudioError> {
        let mut peaks = Self::new(reader.rate(), reader.channels(), most_bins);
        let mut block = vec![Vec::new(); reader.channels()];
        while reader.read(&mut block, 1 << 14)? > 0 {
            peaks.push(&block);
            if !go_on(peaks.frames) {
                break;
            }
        }
        Ok(peaks)
    }

    /// Frames a second, in Hz.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Frames so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames behind the finest bin: a view with fewer frames a pixel wants [`peaks_of`].
    #[must_use]
    pub fn bin_frames(&self) -> u64 {
        self.bin_frames
    }

    /// Adds frames, one vector a channel; missing channels are taken as silent.
    pub fn push(&mut self, block: &[Vec<f32>]) {
        let len = block.iter().map(Vec::len).max().unwrap_or(0);
        let mut at = 0;
        while at < len {
            // The bin's length is a power of two times 64 and small enough for any usize.
            let inside = self.frames % self.bin_frames;
            let room = usize::try_from(self.bin_frames - inside).unwrap_or(usize::MAX);
            let take = room.min(len - at);
            for (number, channel) in self.channels.iter_mut().enumerate() {
                let samples = block.get(number).map_or(&[][..], |samples| {
                    &samples[at.min(samples.len())..(at + take).min(samples.len())]
                });
                channel.add(MinMax::of(samples), inside == 0);
            }
            at += take;
            self.frames += take as u64;
            let full = self.frames % self.bin_frames == 0
                && self.channels.first().is_some_and(|c| c.levels[0].len() >= self.most_bins);
            if full {
                self.halve();
            }
        }
    }

    fn halve(&mut self) {
        self.bin_frames *= 2;
        for channel in &mut self.channels {
            let bins: Vec<MinMax> = channel.levels[0].chunks(2).map(|pair| merged(pair)).collect();
            channel.levels = vec![Vec::new()];
            for bin in bins {
                channel.add(bin, true);
            }
        }
    }

    /// Lowest and highest samples of `channel` for each of `width` pixels over the frames
    /// `start..end`. Bins that lie on a pixel's edge belong to both pixels. Empty behind the end and
    /// for a channel that is not there.
    #[must_use]
    pub fn view(&self, channel: usize, start: u64, end: u64, width: usize) -> Vec<MinMax> {
        let mut pixels = vec![MinMax::EMPTY; width];
        let Some(channel) = self.channels.get(channel) else { return pixels };
        for (pixel, range) in pixels.iter_mut().zip(pixel_ranges(start, end, width)) {
            let first = range.start / self.bin_frames;
            let last = range.end.min(self.frames).div_ceil(self.bin_frames);
            *pixel = channel.range(
                usize::try_from(first).unwrap_or(usize::MAX),
                usize::try_from(last).unwrap_or(usize::MAX),
            );
        }
        pixels
    }
}

impl Channel {
    /// Adds a bin, or what is added to the last one.
    fn add(&mut self, bin: MinMax, is_new: bool) {
        let mut is_new = is_new;
        for level in 0.. {
            if level == self.levels.len() {
                // The bins below, all of which this level must know.
                let bins = self.levels[level - 1].chunks(LEVEL_STEP).map(merged).collect();
                self.levels.push(bins);
            } else {
                match self.levels[level].last_mut() {
                    Some(last) if !is_new => *last = last.and(bin),
                    _ => self.levels[level].push(bin),
                }
            }
            let len = self.levels[level].len();
            if len <= LEVEL_STEP {
                return;
            }
            is_new = is_new && len % LEVEL_STEP == 1;
        }
    }

    /// Of the finest bins `from..to`, by way of as coarse ones as fit.
    fn range(&self, from: usize, to: usize) -> MinMax {
        let (mut from, mut to) = (from, to.min(self.levels[0].len()));
        let mut sum = MinMax::EMPTY;
        for level in &self.levels {
            while from < to && from % LEVEL_STEP != 0 {
                sum = sum.and(level[from]);
                from += 1;
            }
            while from < to && to % LEVEL_STEP != 0 {
                to -= 1;
                sum = sum.and(level[to]);
            }
            if from >= to {
                return sum;
            }
            from /= LEVEL_STEP;
            to /= LEVEL_STEP;
        }
        let top = self.levels.len() - 1;
        let bins = self.levels[top].get(from * LEVEL_STEP..to * LEVEL_STEP);
        bins.map_or(sum, |bins| sum.and(merged(bins)))
    }
}

fn merged(bins: &[MinMax]) -> MinMax {
    bins.iter().fold(MinMax::EMPTY, |sum, bin| sum.and(*bin))
}

/// The frames behind each of `width` pixels over `start..end`; at least one frame each.
fn pixel_ranges(start: u64, end: u64, width: usize) -> impl Iterator<Item = std::ops::Range<u64>> {
    let span = u128::from(end.saturating_sub(start));
    let at = move |pixel: usize| {
        start + u64::try_from(span * pixel as u128 / width.max(1) as u128).unwrap_or(0)
    };
    (0..width).map(move |pixel| at(pixel)..at(pixel + 1).max(at(pixel) + 1))
}

/// Exact lowest and highest samples for each of `width` pixels over the frames `start..end`, read
/// from the sound itself: one row of pixels a channel. For views that are closer than
/// [`Peaks::bin_frames`].
///
/// # Errors
///
/// The sound cannot be read.
pub fn peaks_of(
    reader: &mut dyn BlockReader,
    start: u64,
    end: u64,
    width: usize,
) -> Result<Vec<Vec<MinMax>>, AudioError> {
    let channels = reader.channels();
    let mut rows = vec![vec![MinMax::EMPTY; width]; channels];
    let mut block = vec![Vec::new(); channels];
    reader.seek(start)?;
    let mut ranges = pixel_ranges(start, end, width).enumerate().peekable();
    let mut position = start;
    while position < end.max(start + 1) {
        let frames = reader.read(&mut block, 1 << 14)? as u64;
        if frames == 0 {
            break;
        }
        let stop = position + frames;
        while let Some((pixel, range)) = ranges.peek() {
            let inside = |frame: u64| usize::try_from(frame.clamp(position, stop) - position);
            if let (Ok(from), Ok(to)) = (inside(range.start), inside(range.end)) {
                for (row, samples) in rows.iter_mut().zip(&block) {
                    row[*pixel] = row[*pixel].and(MinMax::of(&samples[from..to]));
                }
            }
            if range.end > stop {
                break;
            }
            ranges.next();
        }
        if ranges.peek().is_none() {
            break;
        }
        position = stop;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::MemoryReader;

    /// A sound whose samples all differ.
    fn ramp(len: usize) -> Vec<f32> {
        (0..len).map(|n| ((n * 7919) % 10_007) as f32 / 10_007.0 - 0.5).collect()
    }

    #[test]
    fn any_view_holds_at_least_the_exact_peaks_and_no_more_than_a_bin_further() {
        let samples = ramp(50_000);
        for (most_bins, chunk) in [(16, 1), (64, 777), (4096, 50_000)] {
            let mut peaks = Peaks::new(8000, 1, most_bins);
            for part in samples.chunks(chunk) {
                peaks.push(&[part.to_vec()]);
            }
            assert_eq!(peaks.frames(), 50_000);
            assert!(peaks.channels[0].levels[0].len() <= most_bins, "{most_bins}");
            let bin = peaks.bin_frames() as usize;
            for (start, end, width) in [(0, 50_000, 100), (123, 49_000, 7), (49_990, 60_000, 3)] {
                let view = peaks.view(0, start, end, width);
                for (pixel, range) in view.iter().zip(pixel_ranges(start, end, width)) {
                    let from = (range.start as usize).min(50_000);
                    let to = (range.end as usize).min(50_000);
                    let exact = MinMax::of(&samples[from..to.max(from)]);
                    let wide_from = from / bin * bin;
                    let wide_to = to.next_multiple_of(bin).min(50_000);
                    let wide = MinMax::of(&samples[wide_from.min(wide_to)..wide_to]);
                    assert!(
                        pixel.min <= exact.min && pixel.max >= exact.max,
                        "{pixel:?} {exact:?}"
                    );
                    if from < to {
                        assert_eq!(*pixel, wide, "{most_bins} {start}..{end}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_close_view_is_exact_in_any_channel() {
        let (left, right) = (ramp(40_000), vec![0.25; 40_000]);
        let mut reader = MemoryReader::new(8000, vec![&left, &right]);
        let rows = peaks_of(&mut reader, 1000, 39_000, 31).unwrap();
        for (pixel, range) in rows[0].iter().zip(pixel_ranges(1000, 39_000, 31)) {
            assert_eq!(*pixel, MinMax::of(&left[range.start as usize..range.end as usize]));
        }
        assert!(rows[1].iter().all(|pixel| *pixel == MinMax { min: 0.25, max: 0.25 }));
    }

    #[test]
    fn fewer_frames_than_pixels_and_none_at_all() {
        let samples = [0.1, 0.2, 0.3];
        let mut reader = MemoryReader::new(8000, vec![&samples]);
        let rows = peaks_of(&mut reader, 0, 3, 6).unwrap();
        assert_eq!(
            rows[0].iter().map(|pixel| pixel.max).collect::<Vec<_>>(),
            [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
        );
        assert!(peaks_of(&mut reader, 10, 20, 2).unwrap()[0].iter().all(|pixel| pixel.is_empty()));
        assert!(Peaks::new(8000, 1, 64).view(0, 0, 0, 2).iter().all(|pixel| pixel.is_empty()));
    }
}
