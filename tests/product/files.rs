//! Pictures to test with, made here: a scene that a wrong turn, flip or channel order shows in.

use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, Rgba};

/// A small generator of noise, the same on every computer (Marsaglia, xorshift32).
pub(crate) struct Random(u32);

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(2_654_435_761) | 1)
    }

    /// Uniform on `-1.0..1.0`.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Red grows to the right, green downwards, a dark corner top left; noise on top. `0..=1`.
fn value(x: u32, y: u32, width: u32, height: u32) -> [f32; 3] {
    let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
    let corner = if u < 0.25 && v < 0.25 { 0.2 } else { 1.0 };
    [corner * (0.15 + 0.7 * u), corner * (0.15 + 0.7 * v), corner * (0.5 + 0.2 * (u - v))]
}

/// An 8 bit colour picture with some noise.
pub(crate) fn noisy(width: u32, height: u32, seed: u32) -> DynamicImage {
    let mut random = Random::new(seed);
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        let clean = value(x, y, width, height);
        Rgb(clean.map(|c| ((c + 0.08 * random.next()).clamp(0.0, 1.0) * 255.0).round() as u8))
    });
    DynamicImage::ImageRgb8(picture)
}

/// A 16 bit colour picture whose low bytes matter.
pub(crate) fn deep(width: u32, height: u32) -> DynamicImage {
    let picture = image::ImageBuffer::from_fn(width, height, |x, y| {
        Rgb(value(x, y, width, height).map(|c| (c * 65_535.0).round() as u16 | 1))
    });
    DynamicImage::ImageRgb16(picture)
}

/// An 8 bit colour picture with a soft hole in it.
pub(crate) fn see_through(width: u32, height: u32) -> DynamicImage {
    let picture = image::RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = value(x, y, width, height).map(|c| (c * 255.0).round() as u8);
        Rgba([r, g, b, (x * 255 / (width - 1).max(1)) as u8])
    });
    DynamicImage::ImageRgba8(picture)
}

/// Stores a picture in the format that its extension names.
pub(crate) fn save(picture: &DynamicImage, path: &Path) {
    std::fs::write(path, encoded(picture, ImageFormat::from_path(path).unwrap())).unwrap();
}

/// A picture as the bytes of a file.
pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Reads a picture, whatever its extension says.
#[track_caller]
pub(crate) fn load(path: &Path) -> DynamicImage {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{e}: {}", path.display()));
    image::load_from_memory(&bytes).unwrap_or_else(|e| panic!("{e}: {}", path.display()))
}

/// Mean squared difference of two 8 bit pictures, as a standard deviation on `0..=255`.
pub(crate) fn distance(a: &DynamicImage, b: &DynamicImage) -> f64 {
    let (a, b) = (a.to_rgb8(), b.to_rgb8());
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: f64 =
        a.iter().zip(b.iter()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    (sum / a.len() as f64).sqrt()
}

/// The scene of [`noisy`] without its noise.
pub(crate) fn clean(width: u32, height: u32) -> DynamicImage {
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        Rgb(value(x, y, width, height).map(|c| (c * 255.0).round() as u8))
    });
    DynamicImage::ImageRgb8(picture)
}
