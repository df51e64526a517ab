//! Convolution in whole numbers: activations of one byte, weights of one signed byte.
//!
//! A byte `q` stands for the number `(q - zero_point) * scale` ([`Quantization`]), a weight `w` of
//! output channel `n` for `w * weight_scale[n]`. A [`QuantizedConv2d`] computes, for each output,
//!
//! ```text
//! sum    = bias[n] + Σ (x - x.zero_point) * w          exact, refused where it could leave i32
//! t      = f32(sum) * m[n]                             m[n] = x.scale * weight_scale[n] / y.scale
//! r      = f32(q_r - r.zero_point) * (r.scale / y.scale)     for a residual feature r, else 0
//! a(t)   = t,   max(t, 0)   or   max(t, 0) + slope * min(t, 0)
//! v      = a(t + r)   or   a(t) + r
//! y      = clamp(round(v), 0 - y.zero_point, 255 - y.zero_point) + y.zero_point
//! ```
//!
//! where every operation on `f32` rounds once to the nearest, ties to even, none is fused with
//! another, and `round` is to the nearest whole number, ties to even. `m[n]` is computed in `f64`
//! and rounded once. The float output is `v` with 1 for `y.scale`. What lies outside the picture
//! counts as 0, that is as `x.zero_point`. So the result is defined to the bit, and is the same on
//! every instruction set and for any number of threads.

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
