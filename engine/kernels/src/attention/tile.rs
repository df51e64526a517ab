//! One block of queries against all keys of its head.

use super::pack::{Layout, transpose};
use super::{Heads, Mask};
use crate::context::SharedMut;
use crate::feature::CHANNEL_BLOCK;
use crate::gemm::Micro;
use crate::simd::{Simd, Task};

/// The score of a key that is not to be seen, and less than any that is. Finite, so that differences
/// of two are numbers.
const HIDDEN: f32 = -1e30;

/// Computes the queries `range` of one head.
pub(super) struct Block<'a> {
    pub(super) layout: Layout,
    pub(super) queries: Heads<'a>,
    pub(super) mask: Mask<'a>,
    pub(super) scale: f32,
    /// The head's first channel, counted from the first head.
    pub(super) channel: usize,
    pub(super) range: std::ops::Range<usize>,
    /// The packed head.
    pub(super) packed: *const f32,
    pub(super) target: SharedMut,
    pub(super) out_pixel: usize,
    pub(super) scratch: &'a mut [f32],
}

/// A panel's part of the scratch.
struct State<'a> {
    /// `[dim][panel]`, scaled so that scores are powers of 2.
    queries: &'a mut [f32],
    /// `[rows_dim][panel]`.
    results: &'a mut [f32],
    /// `[panel]`.
    largest: &'a mut [f32],
    /// `[panel]`.
    sums: &'a mut [f32],
}

impl<'a> State<'a> {
    #[inline(always)]
    fn new(layout: &Layout, memory: &'a mut [f32]) -> Self {
        let (queries, rest) = memory.split_at_mut(layout.dim * layout.panel);
        let (results, rest) = rest.split_at_mut(layout.rows_dim * layout.panel);
        let (largest, sums) = rest.split_at_mut(layout.panel);
        Self { queries, results, largest, sums }
    }
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self {
            layout, queries, mask, scale, channel, range, packed, target, out_pixel, ..
        } = self;
        let panel = layout.panel;
        let panels = range.len().div_ceil(panel);
        let (scores, states) = self.scratch.split_at_mut(panel * layout.tile_keys);
        let pixel = queries.tokens.pixel_stride();
        // a head's channels of a token lie far from those of the next, where no processor looks
        for query in range.clone() {
            let from = queries.tokens.as_ptr();
            let from = from.wrapping_add(query * pixel + queries.first_channel + channel);
            let to = target.get().wrapping_add(query * out_pixel + channel);
            for line in (0..layout.dim + CHANNEL_BLOCK - 1).step_by(CHANNEL_BLOCK) {
                S::prefetch(from.wrapping_add(line.min(layout.dim - 1)));
                S::prefetch_to_write(to.wrapping_add(line.min(layout.dim - 1)));
            }
        }
        for (i, state) in states.chunks_exact_mut(layout.state_len()).take(panels).enumerate() {
            let state = State::new(&layout, state);
            let first = range.start + i * panel;
            let count = panel.min(range.end - first);
            let from = &queries.tokens.data()[first * pixel + queries.first_channel + channel..];
            if count < panel {
                state.queries.fill(0.0);
            }
            // SAFETY: the head's channels of tokens inside the feature; a panel for each channel.
            unsafe {
                let to = state.queries.as_mut_ptr();
                transpose::<S>(from.as_ptr(), pixel, [count, layout.dim], to, panel);
            }
            for query in &mut *state.queries {
                *query *= scale * std::f32::consts::LOG2_E;
            }
            state.largest.fill(HIDDEN);
            state.sums.fill(0.0);
        }
        let [keys_len, values_len] = layout.tile_len();
        for tile in 0..layout.tiles() {
            let first_key = tile * layout.tile_keys;
            let keys = layout.tile_keys.min(layout.keys - first_key);
            let keys_at = packed.wrapping_add(tile * keys_len);
            let values_at = packed.wrapping_add(layout.tiles() * keys_len + tile * values_len);
            for (i, state) in states.chunks_exact_mut(layout.state_len()).take(panels).enumerate() {
                let mut state = State::new(&layout, state);
                let first = range.start + i * panel;
                let count = panel.min(range.end - first);
                if matches!(mask, Mask::Causal) && first_key >= first + count {
                    continue;
                }
                // SAFETY: the packed tile has whole micro-kernels of keys and of channels, and the
                // scratch room for the products of all of them.
                unsafe {
                    let rows = S::rows(layout.nr);
                    for row in (0..keys).step_by(rows) {
                        let a = keys_at.add(row * layout.dim);
                        let c = scores.as_mut_ptr().add(row * panel);
                        let b = state.queries.as_ptr();
                        product::<S>(&layout, a, layout.dim, layout.dim, b, c, false);
                    }
                    hide(mask, &mut scores[..keys * panel], panel, [first_key, first], count);
                    let at = scores.as_mut_ptr();
                    match layout.nr {
                        1 => soften::<S, 1>(at, keys, tile == 0, &mut state),
                        2 => soften::<S, 2>(at, keys, tile == 0, &mut state),
                        3 => soften::<S, 3>(at, keys, tile == 0, &mut state),
                        _ => soften::<S, 4>(at, keys, tile == 0, &mut state),
                    }
                    for row in (0..layout.rows_dim).step_by(rows) {
                        let a = values_at.add(row * layout.tile_keys);
                        let c = state.results.as_mut_ptr().add(row * panel);
                        product::<S>(&layout, a, layout.tile_keys, keys, at, c, tile > 0);
                    }
                }
            }
        }
        for (i, state) in states.chunks_exact_mut(layout.state_len()).take(panels).enumerate() {
            let state = State::new(&layout, state);
            for sum in &mut *state.sums {
                *sum = 1.0 / *sum;
            }
            for row in state.results.chunks_exact_mut(panel) {
                for (result, factor) in row.iter_mut().zip(&*state.sums) {
                    *result *= factor;
                }
            }
            let first = range.start + i * panel;
            let count = panel.min(range.end - first);
            // SAFETY: the channels of this head of this block's own queries.
            unsafe {
                let to = target.get().add(first * out_pixel + channel);
                transpose::<S>(state.results.as_ptr(), panel, [layout.dim, count], to, out_pixel);
            }
        }
    }
}

/// One micro-kernel: `c[m][query] = sum over k of a[m][k] * b[k][query]`.
///
/// # Safety
/// As [`Micro`] with one tap.
#[inline(always)]
unsafe fn product<S: Simd>(
    layout: &Layout,
    a: *const f32,
    row_stride: usize,
    depth: usize,
    b: *const f32,
    c: *mut f32,
    adds: bool,
) {
    let job = Micro {
        rows: S::rows(layout.nr),
        a,
        row_stride,
        taps: [1, 1],
        tap_stride: [0, 0],
        depth,
        last_depth: depth,
        b,
        c,
        c_row: layout.panel,
        c_vector: S::LANES,
        adds,
    };
    // SAFETY: the caller's promise.
    unsafe { S::micro(layout.nr, &job) }
}

/// Applies the mask to scores `[keys][panel]` that start at key and query `first`.
#[inline(always)]
fn hide(mask: Mask<'_>, scores: &mut [f32], panel: usize, first: [usize; 2], count: usize) {
    match mask {
        Mask::None => {}
        Mask::Causal => {
            for (key, scores) in scores.chunks_exact_mut(panel).enumerate() {
                let hidden = (first[0] + key).saturating_sub(first[1]).min(panel);
                scores[..hidden].fill(HIDDEN);
            }
        }
        Mask::Additive(mask) => {
            let (pixel, keys) = (mask.pixel_stride(), scores.len() / panel);
            for query in 0..count {
                let row = &mask.data()[(first[1] + query) * pixel + first[0]..][..keys];
                for (key, addend) in row.iter().enumerate() {
                    let score = &mut scores[key * panel + query];
                    *score = (*score + addend * std::f32::consts::LOG2_E).max(HIDDEN);
                }
            }
        }
    }
}

/// Turns scores into weights, relative to the largest score so far; sums and results of the tiles
/// before are rescaled to it.
///
/// # Safety
/// `scores` are `keys` times `NR` vectors, and the state is of a panel of `NR` vectors.
#[inline(always)]
unsafe fn soften<S: Simd, const NR: usize>(
    scores: *mut f32,
    keys: usize,
    is_first: bool,
    state: &mut State<'_>,
) {
    let State { largest, sums, results, .. } = state;
    let panel = NR * S::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let before: [S; NR] = S::load_each(largest.as_ptr(), S::LANES);
        let mut new = before;
        for key in 0..keys {
            let row: [S; NR] = S::load_each(scores.add(key * panel), S::LANES);
            for n in 0..NR {
                new[n] = new[n].max(row[n]);
            }
        }
        let mut total: [S; NR] = S::load_each(sums.as_ptr(), S::LANES);
        if !is_first {
            let mut factor = before;
            for n in 0..NR {
                factor[n] = before[n].sub(new[n]).exp2_negative();
                total[n] = total[n].mul(factor[n]);
            }
            for row in results.chunks_exact_mut(panel) {
                for n in 0..NR {
                    let at = row.as_mut_ptr().add(n * S::LANES);
                    S::load(at).mul(factor[n]).store(at);
                }
            }
        }
        for key in 0..keys {
            let row: [S; NR] = S::load_each(scores.add(key * panel), S::LANES);
            for n in 0..NR {
                let weight = row[n].sub(new[n]).exp2_negative();
                weight.store(scores.add(key * panel + n * S::LANES));
                total[n] = total[n].add(weight);
            }
        }
        for n in 0..NR {
            new[n].store(largest.as_mut_ptr().add(n * S::LANES));
            total[n].store(sums.as_mut_ptr().add(n * S::LANES));
        }
    }
}
