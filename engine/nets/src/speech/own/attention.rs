//! Attention over time with Gaussian-weighted scores (T-GSA, arXiv 1910.06762), a frame at a time.
//!
//! `A = softmax(|G * (Q K^T / sqrt d)|)` with `G = exp(-(distance / sigma)^2)`. A far frame's score
//! goes to 0, not to minus infinity, so it keeps the weight 1: the frames beyond the reach of the
//! Gaussian are summed once as they pass it, and added to every result.

use limpid_kernels::ShapeError;

use super::layers::{Linear, Norm, add};
use super::tensors::Tensors;
use crate::error::LoadError;

/// Frames that attention looks back, the present one included.
pub(super) const REACH: usize = 128;

/// Beyond this many sigmas a score's factor is below 1.2e-7.
const SIGMAS: f32 = 4.0;

#[derive(Clone, Debug)]
pub(super) struct Attention {
    norm: Norm,
    qkv: Linear,
    out: Linear,
    heads: Vec<Head>,
    size: usize,
    /// Keys and values of the last frames, `[REACH][2 * size]`, frame `t` at `t % REACH`.
    past: Vec<f32>,
    /// Frames since the last reset.
    frames: usize,
    /// Scratch of one frame.
    normed: Vec<f32>,
    projected: Vec<f32>,
    mixed: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Head {
    /// Factor of the score at each distance, with the usual `1 / sqrt(d)`; the last frames of the
    /// window that are not here have the score 0.
    factors: Vec<f32>,
    scores: Vec<f32>,
    /// Sum of the values of the frames further away. Added to and subtracted from for hours, hence
    /// in double precision.
    far: Vec<f64>,
}

impl Attention {
    pub(super) fn read(
        tensors: &Tensors,
        name: &str,
        size: usize,
        heads: usize,
    ) -> Result<Self, LoadError> {
        let dim = size / heads;
        let sigmas = tensors.take(&format!("{name}.log_sigma"), &[heads])?;
        let head = |log_sigma: f32| {
            let sigma = log_sigma.exp().clamp(0.5, 30.0);
            let near = ((SIGMAS * sigma).ceil() as usize + 1).min(REACH);
            let factor =
                |distance: usize| (-(distance as f32 / sigma).powi(2)).exp() / (dim as f32).sqrt();
            Head {
                factors: (0..near).map(factor).collect(),
                scores: vec![0.0; near],
                far: vec![0.0; dim],
            }
        };
        Ok(Self {
            norm: tensors.norm(&format!("{name}.norm"), size)?,
            qkv: tensors.linear(&format!("{name}.qkv"), size, 3 * size)?,
            out: tensors.linear(&format!("{name}.out"), size, size)?,
            heads: sigmas.iter().map(|sigma| head(*sigma)).collect(),
            size,
            past: vec![0.0; REACH * 2 * size],
            frames: 0,
            normed: vec![0.0; size],
            projected: vec![0.0; 3 * size],
            mixed: vec![0.0; size],
        })
    }

    pub(super) fn reset(&mut self) {
        self.frames = 0;
        self.past.fill(0.0);
        self.heads.iter_mut().for_each(|head| head.far.fill(0.0));
    }

    /// One frame: adds what attention finds to `token`.
    pub(super) fn run(&mut self, token: &mut [f32]) -> Result<(), ShapeError> {
        if token.len() != self.size {
            return Err(ShapeError(format!("a token of {} for {}", token.len(), self.size)));
        }
        self.norm.run(token, &mut self.normed);
        self.qkv.run(&self.normed, &mut self.projected);
        let (size, dim) = (self.size, self.size / self.heads.len());
        let slot = self.frames % REACH;
        let row = |slot: usize| slot * 2 * size..(slot + 1) * 2 * size;
        if self.frames >= REACH {
            let leaving = &self.past[row(slot)][size..];
            for (head, leaving) in self.heads.iter_mut().zip(leaving.chunks_exact(dim)) {
                if head.factors.len() < REACH {
                    head.far.iter_mut().zip(leaving).for_each(|(far, v)| *far -= f64::from(*v));
                }
            }
        }
        self.past[row(slot)].copy_from_slice(&self.projected[size..]);
        for (index, head) in self.heads.iter_mut().enumerate() {
            let channels = index * dim..(index + 1) * dim;
            let near = head.factors.len();
            if near < REACH && self.frames >= near {
                let passed = (self.frames - near) % REACH;
                let value = &self.past[row(passed)][size..][channels.clone()];
                head.far.iter_mut().zip(value).for_each(|(far, v)| *far += f64::from(*v));
            }
            let seen = (self.frames + 1).min(near);
            let query = &self.projected[channels.clone()];
            let at = |distance: usize| row((self.frames - distance) % REACH);
            for distance in 0..seen {
                let key = &self.past[at(distance)][channels.clone()];
                let dot: f32 = query.iter().zip(key).map(|(q, k)| q * k).sum();
                head.scores[distance] = (dot * head.factors[distance]).abs();
            }
            let scores = &mut head.scores[..seen];
            // No score is negative, so the far frames' 0 never is the largest.
            let largest = scores.iter().copied().fold(0.0, f32::max);
            let far = (-largest).exp();
            let beyond = (self.frames + 1).min(REACH) - seen;
            let mixed = &mut self.mixed[channels.clone()];
            for (mixed, sum) in mixed.iter_mut().zip(&head.far) {
                *mixed = far * *sum as f32;
            }
            let mut total = far * beyond as f32;
            for (distance, score) in scores.iter().enumerate() {
                let weight = (score - largest).exp();
                total += weight;
                let value = &self.past[at(distance)][size..][channels.clone()];
                mixed.iter_mut().zip(value).for_each(|(mixed, v)| *mixed += weight * v);
            }
            mixed.iter_mut().for_each(|mixed| *mixed /= total);
        }
        self.frames += 1;
        // Keeps the place in the window without ever overflowing.
        if self.frames == 4 * REACH {
            self.frames = 2 * REACH;
        }
        self.out.run(&self.mixed, &mut self.normed);
        add(&self.normed, token);
        Ok(())
    }

    /// All frames of a window, `tokens` `[frames][size]`: each looks at those less than [`REACH`]
    /// frames away on both sides, and what attention finds is added to it. Frames beyond the reach
    /// of the Gaussian come from running sums of the values, so that the cost grows with the
    /// Gaussian's width and not with the reach.
    pub(super) fn run_both_ways(&mut self, tokens: &mut [f32]) -> Result<(), ShapeError> {
        let (size, dim) = (self.size, self.size / self.heads.len());
        if !tokens.len().is_multiple_of(size) {
            return Err(ShapeError(format!("tokens of {} in {}", size, tokens.len())));
        }
        let frames = tokens.len() / size;
        let mut projected = vec![0.0; 3 * tokens.len()];
        for (token, projected) in
            tokens.chunks_exact(size).zip(projected.chunks_exact_mut(3 * size))
        {
            self.norm.run(token, &mut self.normed);
            self.qkv.run(&self.normed, projected);
        }
        let query = |t: usize, head: usize| &projected[t * 3 * size + head * dim..][..dim];
        let key = |t: usize, head: usize| &projected[(t * 3 + 1) * size + head * dim..][..dim];
        let value = |t: usize, head: usize| &projected[(t * 3 + 2) * size + head * dim..][..dim];
        // Sum of the values before each frame, in double precision as differences are taken.
        let mut sums = vec![0.0_f64; (frames + 1) * size];
        for t in 0..frames {
            let (before, after) = sums.split_at_mut((t + 1) * size);
            let values = &projected[(t * 3 + 2) * size..][..size];
            for ((to, from), value) in after.iter_mut().zip(&before[t * size..]).zip(values) {
                *to = from + f64::from(*value);
            }
        }
        let mut scores = Vec::with_capacity(2 * REACH);
        for (t, token) in tokens.chunks_exact_mut(size).enumerate() {
            let around = |reach: usize| (t + 1).saturating_sub(reach)..(t + reach).min(frames);
            let all = around(REACH);
            for (index, head) in self.heads.iter().enumerate() {
                let near = around(head.factors.len());
                scores.clear();
                scores.extend(near.clone().map(|other| {
                    let pairs = query(t, index).iter().zip(key(other, index));
                    let dot: f32 = pairs.map(|(q, k)| q * k).sum();
                    (dot * head.factors[t.abs_diff(other)]).abs()
                }));
                // No score is negative, so the far frames' 0 never is the largest.
                let largest = scores.iter().copied().fold(0.0, f32::max);
                let far = (-largest).exp();
                let mut total = far * (all.len() - near.len()) as f32;
                let mixed = &mut self.mixed[index * dim..][..dim];
                for (channel, mixed) in mixed.iter_mut().enumerate() {
                    let at = |t: usize| sums[t * size + index * dim + channel];
                    let beyond = at(near.start) - at(all.start) + at(all.end) - at(near.end);
                    *mixed = far * beyond as f32;
                }
                for (other, score) in near.zip(&scores) {
                    let weight = (score - largest).exp();
                    total += weight;
                    let values = value(other, index);
                    mixed.iter_mut().zip(values).for_each(|(mixed, v)| *mixed += weight * v);
                }
                mixed.iter_mut().for_each(|mixed| *mixed /= total);
            }
            self.out.run(&self.mixed, &mut self.normed);
            add(&self.normed, token);
        }
        Ok(())
    }
}
