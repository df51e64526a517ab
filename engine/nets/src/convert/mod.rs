//! From the files that packages carry to our weight container.

pub(crate) mod deep_filter_net;
pub(crate) mod ncnn;
pub(crate) mod onnx;
pub(crate) mod pth;
pub(crate) mod tar;
