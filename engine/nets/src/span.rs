//! SPAN: upscaling by plain convolutions whose own output, squashed, is their attention.
//!
//! Wan et al., "Swift parameter-free attention network for efficient super-resolution",
//! NTIRE 2024, section 3. The reparameterised form that inference uses: each block's branches
//! are already folded into one 3 x 3 convolution.

use crate::graph::{Builder, Graph, Value};

/// Mean of the training pictures (R, G, B), subtracted before the network.
pub(crate) const MEAN: [f32; 3] = [0.4488, 0.4371, 0.4040];

/// Samples are scaled to 0..255 inside.
pub(crate) const RANGE: f32 = 255.0;

/// Attention blocks, fixed by the paper.
pub(crate) const BLOCKS: usize = 6;

/// `channels` throughout, upscaling by `scale`.
pub(crate) fn describe(channels: usize, scale: usize) -> Result<Graph, String> {
    let (mut b, picture) = Builder::new(3);
    let centred = b.affine(picture, &MEAN.map(|mean| -mean), RANGE);
    let head = b.conv("conv_1", centred, channels, 3);

    let (mut x, mut first, mut inner) = (head, head, head);
    for block in 1..=BLOCKS {
        (x, inner) = attention_block(&mut b, block, x, channels);
        if block == 1 {
            first = x;
        }
    }
    let tail = b.conv("conv_2", x, channels, 3);
    let all = b.concat(&[head, tail, first, inner]);
    let mixed = b.conv("conv_cat", all, channels, 1);
    let sub_pixels = b.conv("upsampler", mixed, 3 * scale * scale, 3);
    let large = b.pixel_shuffle(sub_pixels, scale);
    b.finish(large)
}

/// (f + x) * (sigmoid(f) - 1/2) with f three convolutions of x. The second result is the value
/// after the first of them, which the last block hands to the concatenation.
fn attention_block(b: &mut Builder, block: usize, x: Value, channels: usize) -> (Value, Value) {
    let c1 = b.conv(format!("block_{block}.c1"), x, channels, 3);
    let c1 = b.silu(c1);
    let c2 = b.conv(format!("block_{block}.c2"), c1, channels, 3);
    let c2 = b.silu(c2);
    let f = b.conv(format!("block_{block}.c3"), c2, channels, 3);
    let squashed = b.sigmoid(f);
    let attention = b.affine(squashed, &[-0.5], 1.0);
    let sum = b.add(f, x);
    (b.mul(sum, attention), c1)
}
