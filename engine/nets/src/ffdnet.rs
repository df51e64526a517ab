//! FFDNet: denoising at a known noise level, on a picture folded to half its size.
//!
//! Zhang, Zuo, Zhang, "FFDNet: Toward a fast and flexible solution for CNN-based image denoising",
//! IEEE Transactions on Image Processing 27(9), 2018, section III.

use crate::graph::{Builder, Graph};

/// `layers` convolutions of `channels`; tensors are named as in PyTorch's `nn.Sequential`, where
/// every convolution but the last is followed by a ReLU of its own number.
pub(crate) fn describe(channels: usize, layers: usize) -> Result<Graph, String> {
    let (mut b, picture) = Builder::new(3);
    let folded = b.pixel_unshuffle(picture, 2);
    let sigma = b.sigma_map(folded);
    let mut x = b.concat(&[folded, sigma]);
    for layer in 0..layers - 1 {
        x = b.conv(format!("model.{}", 2 * layer), x, channels, 3);
        x = b.relu(x);
    }
    x = b.conv(format!("model.{}", 2 * (layers - 1)), x, 12, 3);
    let clean = b.pixel_shuffle(x, 2);
    b.finish(clean)
}
