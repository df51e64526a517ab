//! Convolution in whole numbers: activations of one byte, weights of one signed byte. The
//! arithmetic is written down at [`QuantizedConv2d`].

mod conv;
mod convert;
mod dot;
mod feature;
mod finish;
mod micro;
mod packed;
mod quantization;

pub use conv::{QuantizedConv2d, QuantizedWeights};
pub use dot::DotProduct;
pub use feature::QuantizedFeature;
pub use finish::{QuantizedActivation, QuantizedEpilogue, QuantizedResidual};
pub use quantization::Quantization;
