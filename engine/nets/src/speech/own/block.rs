//! A block of the speech network: over time, over bands, and over the whole frame.

use limpid_kernels::{Gru, RecurrentState, ShapeError};

use super::attention::Attention;
use super::layers::{Linear, Norm, add, sigmoid};
use super::tensors::Tensors;
use super::{BANDS, Sizes};
use crate::error::LoadError;

#[derive(Clone, Debug)]
pub(super) struct Block {
    channels: usize,
    time_norm: Norm,
    /// One layer for all bands, with a state for each.
    time: Gru,
    time_states: Vec<RecurrentState>,
    /// The same against time, in the form that looks both ways.
    time_back: Option<Gru>,
    band_norm: Norm,
    /// From the lowest band up and from the highest down.
    band: [Gru; 2],
    band_states: [RecurrentState; 2],
    squeeze: Linear,
    gather: Linear,
    attention: Option<Attention>,
    ff_norm: Norm,
    ff_in: Linear,
    ff_out: Linear,
    scatter: Linear,
    expand: Linear,
    /// Scratch of one frame.
    normed: Vec<f32>,
    squeezed: Vec<f32>,
    token: Vec<f32>,
    token_normed: Vec<f32>,
    gated: Vec<f32>,
}

impl Block {
    pub(super) fn read(tensors: &Tensors, name: &str, sizes: &Sizes) -> Result<Self, LoadError> {
        let Sizes { channels, token, heads, squeezed, .. } = *sizes;
        let named = |part: &str| format!("{name}.{part}");
        let time = tensors.gru(&named("time"), "", channels, channels)?;
        let time_back = if sizes.looks_ahead {
            Some(tensors.gru(&named("time_back"), "", channels, channels)?)
        } else {
            None
        };
        let band = |suffix| tensors.gru(&named("band"), suffix, channels, channels / 2);
        let band = [band("")?, band("_reverse")?];
        let attention = if sizes.has_attention {
            Some(Attention::read(tensors, &named("attention"), token, heads)?)
        } else {
            None
        };
        Ok(Self {
            channels,
            time_norm: tensors.norm(&named("time_norm"), channels)?,
            time_states: (0..BANDS).map(|_| time.state()).collect(),
            time,
            time_back,
            band_norm: tensors.norm(&named("band_norm"), channels)?,
            band_states: [band[0].state(), band[1].state()],
            band,
            squeeze: tensors.linear(&named("squeeze"), channels, squeezed)?,
            gather: tensors.linear(&named("gather"), BANDS * squeezed, token)?,
            attention,
            ff_norm: tensors.norm(&named("ff_norm"), token)?,
            ff_in: tensors.linear(&named("ff_in"), token, 2 * token)?,
            ff_out: tensors.linear(&named("ff_out"), token, token)?,
            scatter: tensors.linear(&named("scatter"), token, BANDS * squeezed)?,
            expand: tensors.linear(&named("expand"), squeezed, channels)?,
            normed: vec![0.0; BANDS * channels],
            squeezed: vec![0.0; BANDS * squeezed],
            token: vec![0.0; token],
            token_normed: vec![0.0; token],
            gated: vec![0.0; 2 * token],
        })
    }

    pub(super) fn reset(&mut self) {
        self.time_states.iter_mut().for_each(RecurrentState::reset);
        if let Some(attention) = &mut self.attention {
            attention.reset();
        }
    }

    /// One frame, `x` `[BANDS][channels]` in place.
    pub(super) fn run(&mut self, x: &mut [f32]) -> Result<(), ShapeError> {
        let channels = self.channels;
        for (x, state) in x.chunks_exact_mut(channels).zip(&mut self.time_states) {
            let normed = &mut self.normed[..channels];
            self.time_norm.run(x, normed);
            self.time.step(normed, state)?;
            add(state.hidden(), x);
        }
        self.over_bands(x)?;
        self.gather(x);
        if let Some(attention) = &mut self.attention {
            attention.run(&mut self.token)?;
        }
        self.scatter(x);
        Ok(())
    }

    /// All frames of a window in both directions, `x` `[frames][BANDS][channels]` in place. What is
    /// remembered of the windows before goes in, and what the next one, which begins at frame
    /// `next` of this one, is to remember stays.
    pub(super) fn run_both_ways(&mut self, x: &mut [f32], next: usize) -> Result<(), ShapeError> {
        let frame = BANDS * self.channels;
        self.over_time(x, next)?;
        let size = self.token.len();
        let mut tokens = vec![0.0; x.len() / frame * size];
        for (x, token) in x.chunks_exact_mut(frame).zip(tokens.chunks_exact_mut(size)) {
            self.over_bands(x)?;
            self.gather(x);
            token.copy_from_slice(&self.token);
        }
        if let Some(attention) = &mut self.attention {
            attention.run_both_ways(&mut tokens)?;
        }
        for (x, token) in x.chunks_exact_mut(frame).zip(tokens.chunks_exact(size)) {
            self.token.copy_from_slice(token);
            self.scatter(x);
        }
        Ok(())
    }

    /// Each band forwards from what is remembered, and backwards, where there is a layer for that,
    /// from nothing.
    fn over_time(&mut self, x: &mut [f32], next: usize) -> Result<(), ShapeError> {
        let channels = self.channels;
        let frame = BANDS * channels;
        let frames = x.len() / frame;
        let mut normed = vec![0.0; frames * channels];
        for band in 0..BANDS {
            let of = |t: usize| t * frame + band * channels..t * frame + (band + 1) * channels;
            for (t, normed) in normed.chunks_exact_mut(channels).enumerate() {
                self.time_norm.run(&x[of(t)], normed);
            }
            let mut state = self.time_states[band].clone();
            for (t, normed) in normed.chunks_exact(channels).enumerate() {
                self.time.step(normed, &mut state)?;
                add(state.hidden(), &mut x[of(t)]);
                if t + 1 == next {
                    self.time_states[band].clone_from(&state);
                }
            }
            if let Some(back) = &self.time_back {
                let mut state = back.state();
                for (t, normed) in normed.chunks_exact(channels).enumerate().rev() {
                    back.step(normed, &mut state)?;
                    add(state.hidden(), &mut x[of(t)]);
                }
            }
        }
        Ok(())
    }

    /// Up and down the bands of a frame.
    fn over_bands(&mut self, x: &mut [f32]) -> Result<(), ShapeError> {
        let channels = self.channels;
        for (x, normed) in x.chunks_exact(channels).zip(self.normed.chunks_exact_mut(channels)) {
            self.band_norm.run(x, normed);
        }
        let [up, down] = &mut self.band_states;
        up.reset();
        down.reset();
        let bands = x.chunks_exact_mut(channels).zip(self.normed.chunks_exact(channels));
        for (x, normed) in bands {
            self.band[0].step(normed, up)?;
            add(up.hidden(), &mut x[..channels / 2]);
        }
        let bands = x.chunks_exact_mut(channels).zip(self.normed.chunks_exact(channels)).rev();
        for (x, normed) in bands {
            self.band[1].step(normed, down)?;
            add(down.hidden(), &mut x[channels / 2..]);
        }
        Ok(())
    }

    /// A frame to its token.
    fn gather(&mut self, x: &[f32]) {
        let squeezed = self.squeezed.len() / BANDS;
        let parts = x.chunks_exact(self.channels).zip(self.squeezed.chunks_exact_mut(squeezed));
        for (x, part) in parts {
            self.squeeze.run(x, part);
        }
        self.gather.run(&self.squeezed, &mut self.token);
    }

    /// The token through a gated layer and back to the bands.
    fn scatter(&mut self, x: &mut [f32]) {
        let squeezed = self.squeezed.len() / BANDS;
        self.ff_norm.run(&self.token, &mut self.token_normed);
        self.ff_in.run(&self.token_normed, &mut self.gated);
        let (value, gate) = self.gated.split_at_mut(self.token.len());
        for (value, gate) in value.iter_mut().zip(gate) {
            *value *= sigmoid(*gate);
        }
        self.ff_out.run_onto(value, &mut self.token);
        self.scatter.run(&self.token, &mut self.squeezed);
        let parts = x.chunks_exact_mut(self.channels).zip(self.squeezed.chunks_exact(squeezed));
        for (x, part) in parts {
            self.expand.run_onto(part, x);
        }
    }
}
