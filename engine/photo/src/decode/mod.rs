//! File to picture: the format is told by content, limits are checked before memory is taken.

mod bmp;
mod jpeg;
mod jpeg_entropy;
mod jpeg_scan;
mod jxl;
mod png;
mod png_scan;
mod tiff;
mod tiff_pixels;
mod webp;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use limpid_kernels::Cancel;

use crate::context::WorkContext;
use crate::error::{ErrorKind, PhotoError};
use crate::format::{FileFormat, HEAD_BYTES, Recognised, recognise};
use crate::metadata::Metadata;
use crate::picture::Picture;
use crate::raster::{Layout, Orientation, Raster, byte_size};

/// Pictures with more pixels are refused: about a gigapixel.
const PIXEL_LIMIT: u64 = 1 << 30;

/// The largest profile, EXIF block, text or other piece of metadata that is kept.
const PIECE_LIMIT: u64 = 64 << 20;

/// Reads the picture at `path`, upright (EXIF orientation applied), in the depth of its file.
///
/// The pixels stay in memory up to half of `cx.budget_bytes`, above that in an unlinked temporary
/// file.
///
/// # Errors
/// One sentence: `Unreadable`, `Damaged` (a file that is cut off never gives half a picture),
/// `Unsupported` (CMYK, animation, several pages, a format that Limpid does not read),
/// `TooLarge`, `Cancelled`.
pub fn decode(path: &Path, cx: &WorkContext<'_>) -> Result<Picture, PhotoError> {
    cx.cancel.check()?;
    // The decoders for hostile bytes are other people's: should one of them panic, that is the
    // file's fault and ends here.
    let outcome = catch_unwind(AssertUnwindSafe(|| decode_file(path, cx)));
    let result = outcome.unwrap_or_else(|_| {
        Err(PhotoError::damaged("the picture is damaged in a way that stopped its decoder"))
    });
    result.map_err(|error| {
        // A reader that was stopped looks like a broken file to the decoder above it.
        match cx.cancel.check() {
            Err(cancelled) => cancelled.into(),
            Ok(()) => error.at(path),
        }
    })
}

fn decode_file(path: &Path, cx: &WorkContext<'_>) -> Result<Picture, PhotoError> {
    let about = fs::metadata(path).map_err(PhotoError::reading)?;
    if about.is_dir() {
        return Err(PhotoError::reading(io::ErrorKind::IsADirectory.into()));
    }
    if !about.is_file() {
        return Err(PhotoError::new(ErrorKind::Unreadable, "this is not a file but a device"));
    }
    if about.len() == 0 {
        return Err(PhotoError::damaged("the file is empty"));
    }
    let file = File::open(path).map_err(PhotoError::reading)?;
    let mut input = Input::new(file, about.len(), cx.cancel);
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(PhotoError::reading)?;
    input.rewind().map_err(PhotoError::reading)?;
    let format = match recognise(&head) {
        Recognised::Known(format) => format,
        Recognised::Other(sentence) => return Err(PhotoError::unsupported(sentence)),
    };
    let decoded = match format {
        FileFormat::Jpeg => jpeg::decode(input, cx),
        FileFormat::Png => png::decode(input, cx),
        FileFormat::Tiff => tiff::decode(input, cx),
        FileFormat::Webp => webp::decode(input, cx),
        FileFormat::Bmp => bmp::decode(input, cx),
        FileFormat::Jxl => jxl::decode(input, cx),
    }?;
    let Decoded { raster, mut metadata, upright } = decoded;
    if metadata.density.is_none() {
        metadata.density = metadata.exif.as_deref().and_then(crate::metadata::exif::density);
    }
    let orientation = match (&metadata.exif, upright) {
        (Some(exif), false) => crate::metadata::exif::orientation(exif).unwrap_or(1),
        _ => 1,
    };
    let raster = raster.oriented(Orientation::from_exif(orientation));
    Ok(Picture { raster, metadata, format, path: Some(path.to_owned()) })
}

/// What a decoder gives.
struct Decoded {
    raster: Raster,
    metadata: Metadata,
    /// Whether the pixels stand upright whatever EXIF says: JPEG XL turns them itself.
    upright: bool,
}

/// A picture file that stops giving bytes once the work is cancelled.
struct Input<'a> {
    reader: BufReader<File>,
    length: u64,
    cancel: &'a Cancel,
}

impl<'a> Input<'a> {
    fn new(file: File, length: u64, cancel: &'a Cancel) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, file), length, cancel }
    }

    fn check(&self) -> io::Result<()> {
        self.cancel.check().map_err(io::Error::other)
    }

    /// `length` bytes from here, in memory; damaged when the file has fewer.
    fn take_bytes(&mut self, length: u64) -> Result<Vec<u8>, PhotoError> {
        let mut bytes = Vec::new();
        self.by_ref().take(length).read_to_end(&mut bytes).map_err(PhotoError::reading)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(PhotoError::reading(io::ErrorKind::UnexpectedEof.into()))
        }
    }

    fn seek_to(&mut self, position: u64) -> Result<(), PhotoError> {
        self.seek(SeekFrom::Start(position)).map(drop).map_err(PhotoError::reading)
    }

    /// Passes over `length` bytes, which must be there.
    fn pass(&mut self, length: u64) -> Result<(), PhotoError> {
        let position = self.stream_position().map_err(PhotoError::reading)?;
        match position.checked_add(length) {
            Some(end) if end <= self.length => {
                let step = i64::try_from(length).unwrap_or(i64::MAX);
                self.reader.seek_relative(step).map_err(PhotoError::reading)
            }
            _ => Err(PhotoError::reading(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.reader.read(buffer)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Seek for Input<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.check()?;
        // `BufReader` throws its buffer away on every absolute seek; decoders seek a lot to where
        // they already are.
        let SeekFrom::Start(target) = to else { return self.reader.seek(to) };
        let here = self.reader.stream_position()?;
        match i64::try_from(target).ok().zip(i64::try_from(here).ok()) {
            Some((target, here)) => self.reader.seek_relative(target - here)?,
            None => return self.reader.seek(to),
        }
        Ok(target)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.reader.stream_position()
    }
}

/// Checks the size a header states, before anything is allocated for it. `working_bytes` is what
/// the decoder takes at its peak besides the pixels; `streamed` says that the pixels need not lie
/// in memory.
fn check_size(
    width: u32,
    height: u32,
    layout: Layout,
    working_bytes: u64,
    streamed: bool,
    cx: &WorkContext<'_>,
) -> Result<(), PhotoError> {
    if width == 0 || height == 0 {
        return Err(PhotoError::damaged("the picture has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXEL_LIMIT {
        return Err(PhotoError::new(
            ErrorKind::TooLarge,
            format!(
                "the picture is {width} x {height} pixels, Limpid opens up to {} megapixels",
                PIXEL_LIMIT / 1_000_000
            ),
        ));
    }
    let pixel_bytes = byte_size(width, height, layout);
    let held = if streamed && pixel_bytes > cx.budget_bytes / 2 { 0 } else { pixel_bytes };
    let needed = held.saturating_add(working_bytes);
    if needed > cx.budget_bytes {
        let megabytes = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(PhotoError::new(
            ErrorKind::TooLarge,
            format!(
                "the picture is {width} x {height} pixels and takes {} MB to open, more than the \
                 {} MB of the memory budget",
                megabytes(needed),
                megabytes(cx.budget_bytes)
            ),
        ));
    }
    Ok(())
}

/// Turns colours that were multiplied by alpha back, in interleaved samples of native byte order.
fn divide_by_alpha(bytes: &mut [u8], layout: Layout) {
    use crate::raster::Depth;
    let channels = layout.channels();
    let restore = |color: u32, alpha: u32, full: u32| {
        (color * full + alpha / 2).checked_div(alpha).unwrap_or(0).min(full)
    };
    match layout.depth {
        Depth::U8 => {
            for pixel in bytes.chunks_exact_mut(channels) {
                let Some((alpha, colors)) = pixel.split_last_mut() else { continue };
                for color in colors {
                    *color = restore(u32::from(*color), u32::from(*alpha), 255) as u8;
                }
            }
        }
        Depth::U16 => {
            for pixel in bytes.chunks_exact_mut(2 * channels) {
                let (samples, _) = pixel.as_chunks_mut::<2>();
                let Some((alpha, colors)) = samples.split_last_mut() else { continue };
                let alpha = u32::from(u16::from_ne_bytes(*alpha));
                for color in colors {
                    let value = u32::from(u16::from_ne_bytes(*color));
                    *color = (restore(value, alpha, 65535) as u16).to_ne_bytes();
                }
            }
        }
        Depth::F32 => {
            for pixel in bytes.chunks_exact_mut(4 * channels) {
                let (samples, _) = pixel.as_chunks_mut::<4>();
                let Some((alpha, colors)) = samples.split_last_mut() else { continue };
                let alpha = f32::from_ne_bytes(*alpha);
                for color in colors {
                    let value = f32::from_ne_bytes(*color);
                    let restored = if alpha > 0.0 { value / alpha } else { 0.0 };
                    *color = restored.to_ne_bytes();
                }
            }
        }
    }
}
