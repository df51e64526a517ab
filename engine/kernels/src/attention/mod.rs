//! Scaled dot-product attention that never holds the matrix of all scores.
//!
//! Keys are taken a tile at a time, and each query carries the largest score so far, the sum of its
//! weights and the weighted sum of the values, which are rescaled when a larger score comes: the
//! online softmax (Milakov and Gimelshein 2018) as tiled by FlashAttention (Dao et al. 2022,
//! section 3.1, algorithm 1).
//!
//! Everything is computed transposed, with queries along the vector: scores are `K Q^T` and the
//! result is `V^T P^T`. So the largest score and the sum of a query are lane-wise operations, the
//! scores come out of the first product as the second one reads them, and a head's width needs no
//! rounding up to whole vectors, which at 40 channels would be a fifth more work.

mod pack;
mod tile;

use crate::{Feature, Isa, KernelError, RunContext, ShapeError};
use pack::{Layout, Pack};
use tile::Block;

/// The channels of all heads inside a feature whose pixels are tokens: `heads * head_dim` of them
/// from `first_channel` on, so that queries, keys and values may come out of one product.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// `[heads * head_dim or more, h, w]`; the tokens are its `h * w` pixels, row by row.
    pub tokens: &'a Feature,
    /// Where head 0 starts.
    pub first_channel: usize,
}

impl<'a> From<&'a Feature> for Heads<'a> {
    fn from(tokens: &'a Feature) -> Self {
        Self { tokens, first_channel: 0 }
    }
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, Default)]
pub enum Mask<'a> {
    /// All.
    #[default]
    None,
    /// Query `i` sees keys `0..=i`.
    Causal,
    /// Each score is increased by a number, the same for all heads: `[n_k, h, w]` with a pixel for
    /// each query; negative infinity hides a key. A query that sees no key gets the mean of the
    /// values.
    Additive(&'a Feature),
}

/// Multi-head attention: `softmax(scale * q k^T + mask) v` for each head.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Number of heads.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Factor of the scores.
    pub scale: f32,
}

/// Queries, keys and values of a run.
#[derive(Clone, Copy, Debug)]
pub struct AttentionInput<'a> {
    /// `[n_q]` tokens; the output has their height and width.
    pub queries: Heads<'a>,
    /// `[n_k]` tokens.
    pub keys: Heads<'a>,
    /// `[n_k]` tokens.
    pub values: Heads<'a>,
    /// Which keys a query sees.
    pub mask: Mask<'a>,
}

impl Attention {
    /// The usual scale, `1 / sqrt(head_dim)`.
    #[must_use]
    pub fn new(heads: usize, head_dim: usize) -> Self {
        Self { heads, head_dim, scale: 1.0 / (head_dim.max(1) as f32).sqrt() }
    }

    /// Writes `[heads * head_dim, h, w]` of the queries' height and width into `output`. `between`
    /// holds the packed keys and values, as many numbers as they are; keep it for the next run.
    /// The result is the same, bit for bit, for any number of threads; the relative error of a
    /// weight is about 2e-7 beside that of its score.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when there are no keys, tokens differ in number where they must not,
    /// or features have fewer channels than the heads; [`KernelError::Cancelled`].
    pub fn run(
        &self,
        input: &AttentionInput<'_>,
        between: &mut Feature,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let channels = self.check(input)?;
        let isa = Isa::current();
        let keys = tokens(input.keys.tokens);
        let layout = Layout::new(isa, self.head_dim, keys);
        let lines = layout.head_len().div_ceil(crate::CHANNEL_BLOCK);
        between.reset(crate::CHANNEL_BLOCK, self.heads, lines)?;
        let queries = input.queries.tokens;
        output.reset(channels, queries.height(), queries.width())?;

        let packed = between.shared_mut();
        let head_stride = lines * crate::CHANNEL_BLOCK;
        cx.for_each_block(self.heads * layout.tiles(), 0, |index, _| {
            let (head, tile) = (index / layout.tiles(), index % layout.tiles());
            let to = packed.get().wrapping_add(head * head_stride);
            let channel = head * self.head_dim;
            let pack = Pack { layout, keys: input.keys, values: input.values, channel, tile, to };
            // SAFETY: each block writes its own tile of its own head; shapes were checked.
            unsafe { isa.run(pack) }
        })?;

        let (packed, out_pixel) = (between.as_ptr() as usize, output.pixel_stride());
        let target = output.shared_mut();
        let count = tokens(queries);
        let blocks = count.div_ceil(layout.block_queries());
        cx.for_each_block(self.heads * blocks, layout.scratch_len(), |index, scratch| {
            let (head, block) = (index / blocks, index % blocks);
            let first = block * layout.block_queries();
            let block = Block {
                layout,
                queries: input.queries,
                mask: input.mask,
                scale: self.scale,
                channel: head * self.head_dim,
                range: first..(first + layout.block_queries()).min(count),
                packed: (packed as *const f32).wrapping_add(head * head_stride),
                target,
                out_pixel,
                scratch,
            };
            // SAFETY: each block writes its own queries' channels of its own head; shapes were
            // checked, and the head is packed.
            unsafe { isa.run(block) }
        })?;
        Ok(())
    }

    /// All channels of the heads, if everything fits.
    fn check(&self, input: &AttentionInput<'_>) -> Result<usize, ShapeError> {
        let refuse = |message: String| Err(ShapeError(message));
        let channels = self.heads.checked_mul(self.head_dim).filter(|n| *n > 0);
        let Some(channels) = channels else {
            return refuse(format!("{} heads of {} channels", self.heads, self.head_dim));
        };
        for (name, heads) in
            [("queries", input.queries), ("keys", input.keys), ("values", input.values)]
        {
            let has = heads.tokens.channels();
            let needs = heads.first_channel.checked_add(channels);
            if needs.is_none_or(|needs| needs > has) {
                let first = heads.first_channel;
                return refuse(format!("{channels} channels from {first} on in {name} of {has}"));
            }
        }
        let (queries, keys) = (tokens(input.queries.tokens), tokens(input.keys.tokens));
        let values = tokens(input.values.tokens);
        if keys == 0 || keys != values {
            return refuse(format!("{keys} keys for {values} values"));
        }
        if let Mask::Additive(mask) = input.mask
            && (mask.channels(), tokens(mask)) != (keys, queries)
        {
            let found = (mask.channels(), tokens(mask));
            return refuse(format!("mask {found:?} for {keys} keys and {queries} queries"));
        }
        Ok(channels)
    }
}

fn tokens(feature: &Feature) -> usize {
    feature.height() * feature.width()
}
