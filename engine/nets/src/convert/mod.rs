//! From the files that packages carry to our weight container.

pub(crate) mod ncnn;
pub(crate) mod pth;
