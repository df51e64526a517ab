//! How the keys and values of a head lie in memory, and putting them there.

use super::Heads;
use crate::simd::{Isa, Simd, Task};

/// Keys of a tile, about: its scores for one panel of queries stay in the first-level cache.
const TILE_KEYS: usize = 128;
/// Queries of a block of work, about: each tile of keys is fetched once for all of them.
const BLOCK_QUERIES: usize = 192;
/// Vectors of queries that the micro-kernel takes at once where it can: with 3, AVX-512 holds 8
/// rows, which divide the usual head widths.
const WANTED_NR: usize = 3;

/// The sizes of a run. A head is `[tiles]` of keys `[tile_keys][dim]`, then of values
/// `[rows_dim][tile_keys]`.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Channels of a head.
    pub(super) dim: usize,
    /// The same rounded up to whole micro-kernels.
    pub(super) rows_dim: usize,
    /// All keys.
    pub(super) keys: usize,
    /// Keys of a tile, whole micro-kernels.
    pub(super) tile_keys: usize,
    /// Vectors of queries in a panel.
    pub(super) nr: usize,
    /// Queries of a panel.
    pub(super) panel: usize,
    /// Panels of a block.
    pub(super) panels: usize,
}

impl Layout {
    pub(super) fn new(isa: Isa, dim: usize, keys: usize) -> Self {
        let isa = isa.checked();
        let nr = WANTED_NR.min(isa.max_nr());
        let rows = isa.rows(nr);
        let tiles = keys.div_ceil(TILE_KEYS).max(1);
        let tile_keys = keys.div_ceil(tiles).next_multiple_of(rows);
        let panel = nr * isa.lanes();
        let rows_dim = dim.next_multiple_of(rows);
        Self { dim, rows_dim, keys, tile_keys, nr, panel, panels: BLOCK_QUERIES / panel }
    }

    pub(super) fn tiles(&self) -> usize {
        self.keys.div_ceil(self.tile_keys)
    }

    /// Values of a packed tile of keys, and of values.
    pub(super) fn tile_len(&self) -> [usize; 2] {
        [self.tile_keys * self.dim, self.tile_keys * self.rows_dim]
    }

    /// Values of a packed head.
    pub(super) fn head_len(&self) -> usize {
        self.tiles() * (self.tile_len()[0] + self.tile_len()[1])
    }

    pub(super) fn block_queries(&self) -> usize {
        self.panels * self.panel
    }

    /// Values of scratch for a block: scores, then for each panel its queries, results, largest
    /// scores and sums.
    pub(super) fn scratch_len(&self) -> usize {
        self.panel * self.tile_keys + self.panels * self.state_len()
    }

    /// Values of a panel's part of the scratch.
    pub(super) fn state_len(&self) -> usize {
        self.panel * (self.dim + self.rows_dim + 2)
    }
}

/// Packs one tile of keys and values of a head.
pub(super) struct Pack<'a> {
    pub(super) layout: Layout,
    pub(super) keys: Heads<'a>,
    pub(super) values: Heads<'a>,
    /// The head's first channel, counted from the first head.
    pub(super) channel: usize,
    pub(super) tile: usize,
    /// The packed head.
    pub(super) to: *mut f32,
}

impl Task for Pack<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layout, keys, values, channel, tile, to } = self;
        let first = tile * layout.tile_keys;
        let count = layout.tile_keys.min(layout.keys - first);
        let [keys_len, values_len] = layout.tile_len();
        // SAFETY: tiles lie inside the head, and this one is written by no one else.
        let (keys_to, values_to) = unsafe {
            let values_to = to.add(layout.tiles() * keys_len + tile * values_len);
            (
                std::slice::from_raw_parts_mut(to.add(tile * keys_len), keys_len),
                std::slice::from_raw_parts_mut(values_to, values_len),
            )
        };
        let pixel = keys.tokens.pixel_stride();
        let from = &keys.tokens.data()[first * pixel..];
        let at = keys.first_channel + channel;
        for key in 0..count {
            let row = &from[key * pixel + at..][..layout.dim];
            keys_to[key * layout.dim..][..layout.dim].copy_from_slice(row);
        }
        keys_to[count * layout.dim..].fill(0.0);
        let pixel = values.tokens.pixel_stride();
        let from = &values.tokens.data()[first * pixel + values.first_channel + channel..];
        // weights of keys that are not there are never read, so only whole rows need zeros
        // SAFETY: the head's channels of tokens inside the feature, and the tile's own rows.
        unsafe {
            let (from, to) = (from.as_ptr(), values_to.as_mut_ptr());
            transpose::<S>(from, pixel, [count, layout.dim], to, layout.tile_keys);
        }
        values_to[layout.dim * layout.tile_keys..].fill(0.0);
    }
}

/// `to[c][r] = from[r][c]` for `[rows, columns]`.
///
/// # Safety
/// All of these values are readable and writable, and the two do not overlap.
#[inline(always)]
pub(super) unsafe fn transpose<S: Simd>(
    from: *const f32,
    from_stride: usize,
    [rows, columns]: [usize; 2],
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: the caller's promise; blocks that would leave the matrix are moved back inside, over
    // what is already done.
    unsafe {
        if rows < S::LANES || columns < S::LANES {
            for r in 0..rows {
                for c in 0..columns {
                    *to.add(c * to_stride + r) = *from.add(r * from_stride + c);
                }
            }
            return;
        }
        for r in (0..rows).step_by(S::LANES) {
            let r = r.min(rows - S::LANES);
            for c in (0..columns).step_by(S::LANES) {
                let c = c.min(columns - S::LANES);
                let block = from.add(r * from_stride + c);
                S::transpose(block, from_stride, to.add(c * to_stride + r), to_stride);
            }
        }
    }
}
