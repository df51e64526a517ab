//! The form for whole recordings: it looks both ways. A recording of any length goes through window
//! by window, with enough on both sides of a window for what it gives to be what the whole recording
//! would give, as near as can be heard.

use std::collections::VecDeque;

use super::block::Block;
use super::body::Body;
use super::spectra::{self, BINS, FEATURES, HOP, Level, OUTPUTS, Spectra};
use super::{BANDS, check_hop};
use crate::error::{LoadError, NetError};

/// Frames that a window gives.
const CORE: usize = 1280;

/// Frames that a window sees again of those that are done: as far as two attentions reach together.
/// What lies further back the network remembers from window to window.
const BEFORE: usize = 256;

/// Frames that a window sees after its own: 8.2 seconds. What lies further ahead changes the result
/// at 55 dB and more below the sound that went in for a minute of unseen speech in noise (0, 5 and
/// 10 dB, six places to cut), and at 86 dB and more for clean speech. With half as much and the
/// weights before these it was 42 and 85 dB; with as much, 57 and 94.
const AFTER: usize = 512;

/// A frame that waits for its window. Its features would take three times the memory of its samples.
#[derive(Clone, Debug)]
struct Heard {
    hop: Box<[f32]>,
    /// Mean log power.
    mean: f32,
    /// Whether it holds anything but zeros.
    sounds: bool,
}

/// The network with the state of one recording, which it hears from its beginning to its end.
///
/// Its output is late by a window, [`OwnFileSpeech::DELAY`]: give it that many zeros at the end.
/// Zeros at either end count as outside of the recording.
#[derive(Clone, Debug)]
pub struct OwnFileSpeech {
    body: Body,
    ears: Spectra,
    /// Before the first of `frames`.
    ears_before: Spectra,
    voice: Spectra,
    /// At most `BEFORE` frames that are done, then those that wait.
    frames: VecDeque<Heard>,
    /// How many of `frames` are done.
    done: usize,
    /// The level that runs forwards, before the first of `frames`.
    level: Level,
    /// Whether anything but zeros has been heard before `frames`.
    has_begun: bool,
    /// Samples that can go out.
    ready: VecDeque<f32>,
}

impl OwnFileSpeech {
    /// Samples a second that go in and come out.
    pub const RATE: u32 = 16_000;

    /// Samples that [`OwnFileSpeech::process`] takes and gives.
    pub const HOP: usize = HOP;

    /// Samples by which the output is later than the input: 28.7 seconds.
    pub const DELAY: usize = (CORE + AFTER - 1) * HOP + spectra::WINDOW - HOP;

    /// Reads a weight file, safetensors with `limpid.arch = gsa-voice` and `limpid.looks_ahead =
    /// true`, in F16 or F32.
    ///
    /// # Errors
    /// As [`super::OwnSpeech::read`].
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        Ok(Self {
            body: Body::read(bytes, true)?,
            ears: Spectra::new()?,
            ears_before: Spectra::new()?,
            voice: Spectra::new()?,
            frames: VecDeque::new(),
            done: 0,
            level: Level::default(),
            has_begun: false,
            ready: VecDeque::new(),
        })
    }

    /// Forgets the recording.
    pub fn reset(&mut self) {
        self.ears.reset();
        self.ears_before.reset();
        self.voice.reset();
        self.frames.clear();
        self.ready.clear();
        self.done = 0;
        self.level = Level::default();
        self.has_begun = false;
        self.body.blocks.iter_mut().for_each(Block::reset);
    }

    /// One hop of sound, -1..1 and mono, to one hop of cleaned sound from
    /// [`OwnFileSpeech::DELAY`] samples before. Values that are not numbers are taken for silence.
    ///
    /// # Errors
    /// [`NetError::Input`] when input or output is not [`OwnFileSpeech::HOP`] samples long.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), NetError> {
        check_hop(input, output)?;
        self.ears.hear(input)?;
        let (mean, sounds) = (self.ears.mean(), !self.ears.is_silent());
        self.frames.push_back(Heard { hop: input.into(), mean, sounds });
        if self.frames.len() == self.done + CORE + AFTER {
            self.run_window()?;
        }
        if self.ready.len() >= output.len() {
            for (to, from) in output.iter_mut().zip(self.ready.drain(..HOP)) {
                *to = from;
            }
        } else {
            output.fill(0.0);
        }
        Ok(())
    }

    /// Cleans the next [`CORE`] frames that wait.
    fn run_window(&mut self) -> Result<(), NetError> {
        let heard = &*self.frames.make_contiguous();
        let sounds = |frame: &Heard| frame.sounds;
        let begins = if self.has_begun { Some(0) } else { heard.iter().position(sounds) };
        let first = begins.unwrap_or(heard.len());
        let end = heard.iter().rposition(sounds).map_or(first, |last| last + 1);
        // The next window begins here, and takes over what this one knows by then.
        let next = (self.done + CORE).saturating_sub(BEFORE);
        let next_sound = next.min(end).saturating_sub(first);
        let width = BANDS * self.body.channels;
        let mut x = vec![0.0; (end - first) * width];
        let levels = levels(&heard[first..end], &mut self.level, next_sound);
        self.has_begun |= next_sound > 0;
        let mut ears = self.ears_before.clone();
        let mut features = vec![0.0; BINS * FEATURES];
        for (at, frame) in heard[..end.max(next)].iter().enumerate() {
            ears.hear(&frame.hop)?;
            if (first..end).contains(&at) {
                ears.features(levels[at - first], &mut features);
                self.body.encode(&features, &mut x[(at - first) * width..][..width]);
            }
            if at + 1 == next {
                self.ears_before.clone_from(&ears);
            }
        }
        for index in 0..self.body.blocks.len() {
            self.body.blocks[index].run_both_ways(&mut x, next_sound)?;
        }
        let mut outputs = vec![0.0; BINS * OUTPUTS];
        let mut samples = [0.0; HOP];
        for at in self.done..self.done + CORE {
            if (first..end).contains(&at) {
                self.body.decode(&x[(at - first) * width..][..width], &mut outputs);
            } else {
                outputs.fill(0.0);
            }
            self.voice.hear(&self.frames[at].hop)?;
            self.voice.give(&outputs, 0.0, &mut samples)?;
            self.ready.extend(samples);
        }
        self.frames.drain(..next);
        self.done = BEFORE;
        Ok(())
    }
}

/// The level of each frame: the mean of one that runs forwards, from `forward` on, which is left as
/// it is at frame `next`, and one that runs backwards.
fn levels(frames: &[Heard], forward: &mut Level, next: usize) -> Vec<f32> {
    let mut levels = vec![0.0; frames.len()];
    let mut running = *forward;
    for (t, (frame, level)) in frames.iter().zip(&mut levels).enumerate() {
        running.hear(frame.mean);
        *level += running.value / 2.0;
        if t + 1 == next {
            *forward = running;
        }
    }
    let mut running = Level::default();
    for (frame, level) in frames.iter().zip(&mut levels).rev() {
        running.hear(frame.mean);
        *level += running.value / 2.0;
    }
    levels
}
