//! The second decoder: a filter over five frames for each of the lowest bins.

use limpid_kernels::frame::{BandDense, GroupedLinear};
use limpid_kernels::{Activation, Feature, Gru, RecurrentState, ShapeError};

use super::encoder::Encoded;
use super::tensors::{BINS, CHANNELS, ORDER, Source, UNITS, fault, join};
use crate::error::LoadError;

/// Numbers of a bin's filter: real and imaginary part for each frame, oldest first.
pub(super) const NUMBERS: usize = 2 * ORDER;

#[derive(Debug)]
pub(super) struct DfDecoder {
    narrow: GroupedLinear,
    grus: [Gru; 2],
    skip: GroupedLinear,
    to_filters: GroupedLinear,
    /// What a frame adds to the filters of itself and the four after it: `[ORDER][NUMBERS]`, the
    /// latest first. The two convolutions behind each other in the network are one here.
    across: BandDense,
    bias: [f32; NUMBERS],
}

/// The filters of a frame, and what the decoder remembers of those before.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    narrowed: [f32; UNITS],
    states: [RecurrentState; 2],
    mixed: [f32; UNITS],
    parts: Feature,
    /// Sums for this frame and the four after it, in turn.
    pending: [[f32; BINS * NUMBERS]; ORDER],
    now: usize,
    /// `[BINS][NUMBERS]`.
    pub(super) by_bin: [f32; BINS * NUMBERS],
}

impl DfDecoder {
    pub(super) fn new(source: Source<'_>) -> Result<Self, LoadError> {
        let joined = join(
            source.weight("df_dec.df_convp")?,
            source.weight("df_dec.df_convp.separate")?,
            [NUMBERS, NUMBERS, 2],
        );
        // `[number, channel, frame]` to `[frame, number, channel]`
        let mut across = Vec::with_capacity(joined.len());
        for frame in 0..ORDER {
            across.extend(joined[frame..].iter().step_by(ORDER));
        }
        let mut bias = [0.0; NUMBERS];
        for (to, from) in bias.iter_mut().zip(source.bias("df_dec.df_convp")?) {
            *to = *from;
        }
        let none = Activation::None;
        let across = BandDense::new([CHANNELS, ORDER * NUMBERS], &across, None, none);
        Ok(Self {
            narrow: source.linear("df_dec.df_gru.linear_in", Activation::Relu)?,
            grus: [source.gru("df_dec.df_gru.0")?, source.gru("df_dec.df_gru.1")?],
            skip: source.linear("df_dec.df_skip", none)?,
            to_filters: source.linear("df_dec.df_out", Activation::Tanh)?,
            across: across.map_err(fault)?,
            bias,
        })
    }

    pub(super) fn start(&self) -> Filters {
        Filters {
            narrowed: [0.0; UNITS],
            states: [self.grus[0].state(), self.grus[1].state()],
            mixed: [0.0; UNITS],
            parts: Feature::zeros(ORDER * NUMBERS, 1, BINS),
            pending: [[0.0; BINS * NUMBERS]; ORDER],
            now: 0,
            by_bin: [0.0; BINS * NUMBERS],
        }
    }

    /// Decodes the next frame.
    pub(super) fn run(&self, encoded: &Encoded, to: &mut Filters) -> Result<(), ShapeError> {
        self.narrow.run(&encoded.embedding, &mut to.narrowed)?;
        let [first, second] = &mut to.states;
        self.grus[0].step(&to.narrowed, first)?;
        self.grus[1].step(first.hidden(), second)?;
        self.skip.run(&encoded.embedding, &mut to.mixed)?;
        for (sum, value) in to.mixed.iter_mut().zip(second.hidden()) {
            *sum += value;
        }
        self.to_filters.run(&to.mixed, &mut to.by_bin)?;

        self.across.run(&encoded.by_bin[0], &mut to.parts)?;
        let pixel = to.parts.pixel_stride();
        for frame in 0..ORDER {
            // the kernel's last tap is for the frame itself
            let later = ORDER - 1 - frame;
            let sums = to.pending[(to.now + later) % ORDER].chunks_exact_mut(NUMBERS);
            for (sums, parts) in sums.zip(to.parts.data().chunks_exact(pixel)) {
                for (sum, part) in sums.iter_mut().zip(&parts[frame * NUMBERS..]) {
                    *sum += part;
                }
            }
        }
        let sums = &mut to.pending[to.now];
        for (filter, sums) in to.by_bin.chunks_exact_mut(NUMBERS).zip(sums.chunks_exact(NUMBERS)) {
            for ((number, sum), bias) in filter.iter_mut().zip(sums).zip(&self.bias) {
                *number += (sum + bias).max(0.0);
            }
        }
        sums.fill(0.0);
        to.now = (to.now + 1) % ORDER;
        Ok(())
    }
}

impl Filters {
    pub(super) fn reset(&mut self) {
        self.states.iter_mut().for_each(RecurrentState::reset);
        self.pending.iter_mut().for_each(|sums| sums.fill(0.0));
        self.now = 0;
    }
}
