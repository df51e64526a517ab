//! What a short-time Fourier transform needs beside the transform itself: windows, frames and their
//! overlap-add, magnitudes, and bands of frequencies. Plain loops over slices; bins of a spectrum are
//! interleaved `[re, im]`.

mod bands;
mod bins;
mod frames;
mod window;

pub use bands::{Bands, erb_widths};
pub use bins::{from_polar, magnitude_phase, power};
pub use frames::Frames;
pub use window::Window;
