//! DN-ResNet: our own blind denoiser, residual blocks on a picture folded to half its size.
//!
//! After Ren, El-Khamy, Lee, "DN-ResNet: Efficient deep residual network for image denoising",
//! ACCV 2018, with the folding of FFDNet in front.

use crate::graph::{Builder, Graph, Value};

/// `blocks` residual blocks of `channels`; the network learns what to add to the noisy picture.
pub(crate) fn describe(channels: usize, blocks: usize) -> Result<Graph, String> {
    let (mut b, picture) = Builder::new(3);
    let folded = b.pixel_unshuffle(picture, 2);
    let mut features = b.conv("head", folded, channels, 3);
    for block in 0..blocks {
        features = residual_block(&mut b, block, features, channels);
    }
    let change = b.conv("tail", features, 12, 3);
    let clean = b.add(change, folded);
    let clean = b.pixel_shuffle(clean, 2);
    b.finish(clean)
}

/// x + conv2(relu(conv1(x))).
pub(crate) fn residual_block(b: &mut Builder, block: usize, x: Value, channels: usize) -> Value {
    let inner = b.conv(format!("blocks.{block}.conv1"), x, channels, 3);
    let inner = b.relu(inner);
    let change = b.conv(format!("blocks.{block}.conv2"), inner, channels, 3);
    b.add(change, x)
}
