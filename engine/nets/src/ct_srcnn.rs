//! CT-SRCNN: our own upscaler, trained in a cascade; it learns what to add to nearest-neighbour
//! enlargement.
//!
//! After Ren, El-Khamy, Lee, "CT-SRCNN: Cascade trained and trimmed deep convolutional neural
//! networks for image super resolution", WACV 2018.

use crate::dn_resnet::residual_block;
use crate::graph::{Builder, Graph};

/// `blocks` residual blocks of `channels`, upscaling by `scale`.
pub(crate) fn describe(channels: usize, blocks: usize, scale: usize) -> Result<Graph, String> {
    let (mut b, picture) = Builder::new(3);
    let mut features = b.conv("head", picture, channels, 3);
    for block in 0..blocks {
        features = residual_block(&mut b, block, features, channels);
    }
    let sub_pixels = b.conv("tail", features, 3 * scale * scale, 3);
    let change = b.pixel_shuffle(sub_pixels, scale);
    let enlarged = b.nearest_upsample(picture, scale);
    let large = b.add(change, enlarged);
    b.finish(large)
}
