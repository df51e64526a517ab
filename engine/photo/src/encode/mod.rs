//! Picture to file: rows are pulled top to bottom and the file appears whole or not at all.

mod bmp;
mod jpeg;
mod png;
mod rows;
mod tiff;
mod webp;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use limpid_files::PartFile;
use limpid_kernels::{Cancel, Planes};

use crate::context::WorkContext;
use crate::error::{ErrorKind, PhotoError};
use crate::format::FileFormat;
use crate::geometry::Rect;
use crate::metadata::Metadata;
use crate::metadata::exif::Edits;
use crate::picture::Picture;
use crate::raster::{ColorKind, Depth, Layout};
use rows::Rows;

/// How a result is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// The format to write; see [`FileFormat::written_as`].
    pub format: FileFormat,
    /// JPEG quality, `1..=100`.
    pub quality: u8,
    /// Whether the place is removed from EXIF and XMP.
    pub gps_strip: bool,
    /// Rows of a band, at least 1; the last band may be lower.
    pub band_rows: u32,
}

/// Writes a picture of `size` (columns, rows) to `destination`, with colour kind, alpha, depth and
/// metadata of `source`, as far as the format holds them.
///
/// `next_band` is asked for full-width bands of `options.band_rows` rows, top to bottom, each once;
/// it gives `[channels, band rows, size.0]` with the channels of [`Picture::raster`].
///
/// The file is written beside `destination` with the suffix `.limpid-part`, flushed to the disk
/// and renamed; the part file is removed on any error. An existing `destination` is replaced,
/// unless it is the file that `source` was read from.
///
/// Returns notes for the user, one sentence each: what the format could not hold.
///
/// # Errors
/// One sentence: `Unwritable` (folder, disk, a size that the format cannot hold, a destination
/// that is a folder or the original), `TooLarge`, `Cancelled`, and whatever `next_band` answers.
pub fn encode(
    source: &Picture,
    size: (u32, u32),
    options: &EncodeOptions,
    destination: &Path,
    next_band: &mut dyn FnMut(Rect) -> Result<Planes, PhotoError>,
    cx: &WorkContext<'_>,
) -> Result<Vec<String>, PhotoError> {
    encode_file(source, size, options, destination, next_band, cx).map_err(|error| {
        match cx.cancel.check() {
            // A writer that was stopped looks like a broken disk to the encoder above it.
            Err(cancelled) => cancelled.into(),
            // What `next_band` answers is about another file, or none.
            Ok(()) if error.kind() == ErrorKind::Unwritable => error.at(destination),
            Ok(()) => error,
        }
    })
}

fn encode_file(
    source: &Picture,
    size: (u32, u32),
    options: &EncodeOptions,
    destination: &Path,
    next_band: &mut dyn FnMut(Rect) -> Result<Planes, PhotoError>,
    cx: &WorkContext<'_>,
) -> Result<Vec<String>, PhotoError> {
    cx.cancel.check()?;
    check_limits(options.format, size)?;
    let mut notes = Vec::new();
    let layout = written_layout(options.format, source.raster.layout(), &mut notes);
    let edits = Edits { size: Some(size), strip_gps: options.gps_strip };
    let mut metadata = source.metadata.corrected(&edits, &mut notes);
    drop_what_does_not_fit(options.format, layout.color, &mut metadata, &mut notes);

    let mut part =
        PartFile::create(destination, source.path.as_deref()).map_err(PhotoError::writing)?;
    let mut rows =
        Rows::new(source.raster.layout(), layout, size, options.band_rows, next_band, cx);
    let fault = Cell::new(None);
    let quality = options.quality.clamp(1, 100);
    let job = Job { metadata: &metadata, quality, cx, fault: &fault };
    let outcome = match options.format {
        FileFormat::Jpeg => jpeg::encode(&mut rows, &job, part.file(), &mut notes),
        FileFormat::Png => png::encode(&mut rows, &job, part.file()),
        FileFormat::Tiff => tiff::encode(&mut rows, &job, part.file()),
        FileFormat::Webp => webp::encode(&mut rows, &job, part.file()),
        FileFormat::Bmp => bmp::encode(&mut rows, &job, part.file()),
        FileFormat::Jxl => Err(PhotoError::internal("JPEG XL is not written")),
    };
    // Encoders wrap what the disk said until a full one cannot be told from another.
    outcome.map_err(|error| match fault.get() {
        Some(kind) => PhotoError::writing(kind.into()).because(error),
        None => error,
    })?;
    if rows.saw_transparency() && !layout.alpha {
        notes.push(format!(
            "{} holds no transparency: the picture was laid on white",
            options.format.name()
        ));
    }
    cx.cancel.check()?;
    part.finish().map_err(PhotoError::writing)?;
    Ok(notes)
}

/// What every encoder is given besides its rows.
struct Job<'a> {
    metadata: &'a Metadata,
    quality: u8,
    cx: &'a WorkContext<'a>,
    /// What went wrong with the disk.
    fault: &'a Cell<Option<io::ErrorKind>>,
}

/// Sides that the format can say in its header.
fn check_limits(format: FileFormat, (width, height): (u32, u32)) -> Result<(), PhotoError> {
    if width == 0 || height == 0 {
        return Err(PhotoError::internal("a result without pixels was to be written"));
    }
    let most = match format {
        FileFormat::Jpeg => 65_535,
        FileFormat::Webp => 16_383,
        FileFormat::Png | FileFormat::Tiff | FileFormat::Bmp | FileFormat::Jxl => i32::MAX as u32,
    };
    if width > most || height > most {
        return Err(PhotoError::new(
            ErrorKind::Unwritable,
            format!(
                "{} holds up to {most} pixels a side and the result has {width} x {height}, \
                 choose PNG or TIFF",
                format.name()
            ),
        ));
    }
    Ok(())
}

/// The nearest to `layout` that `format` holds.
fn written_layout(format: FileFormat, layout: Layout, notes: &mut Vec<String>) -> Layout {
    let (depth, alpha) = match format {
        FileFormat::Jpeg => (Depth::U8, false),
        FileFormat::Webp | FileFormat::Bmp => (Depth::U8, layout.alpha),
        FileFormat::Png | FileFormat::Jxl => (layout.depth.min(Depth::U16), layout.alpha),
        FileFormat::Tiff => (layout.depth, layout.alpha),
    };
    if depth != layout.depth {
        let from = if layout.depth == Depth::F32 { "floating point" } else { "16-bit" };
        let bits = 8 * depth.bytes();
        notes.push(format!(
            "{} holds {bits} bits a channel: {from} samples were rounded",
            format.name()
        ));
    }
    Layout { depth, alpha, ..layout }
}

/// Takes out what `format` has no place for, and says so.
fn drop_what_does_not_fit(
    format: FileFormat,
    color: ColorKind,
    metadata: &mut Metadata,
    notes: &mut Vec<String>,
) {
    let name = format.name();
    if matches!(format, FileFormat::Png | FileFormat::Webp | FileFormat::Bmp)
        && metadata.iptc.take().is_some()
    {
        notes.push(format!("{name} holds no IPTC captions: they were left out"));
    }
    if format == FileFormat::Bmp {
        if metadata.exif.take().is_some() {
            notes.push("BMP holds no EXIF: camera data were left out".into());
        }
        if metadata.xmp.take().is_some() {
            notes.push("BMP holds no XMP: it was left out".into());
        }
    }
    if format == FileFormat::Webp && color == ColorKind::Gray && metadata.icc.take().is_some() {
        notes.push("WebP stores grey as colour: the profile for grey was left out".into());
    }
    if format != FileFormat::Png {
        // Without a profile, these chunks are all that says what the numbers mean.
        let says_colors = metadata.icc.is_none()
            && metadata.png.iter().any(|chunk| match &chunk.name {
                b"cICP" => true,
                // 45455 is the gamma of sRGB, which is what no profile means anyway.
                b"gAMA" => chunk.data != 45_455_u32.to_be_bytes(),
                _ => false,
            });
        if says_colors {
            notes.push(format!("{name} does not hold the gamma or colour space of this PNG"));
        }
        metadata.png.clear();
    }
}

/// Passes bytes on until the work is cancelled, and remembers what went wrong with the disk.
struct Watched<'a> {
    inner: BufWriter<&'a File>,
    cancel: &'a Cancel,
    fault: &'a Cell<Option<io::ErrorKind>>,
}

impl<'a> Watched<'a> {
    fn new(file: &'a File, job: &Job<'a>) -> Self {
        let inner = BufWriter::with_capacity(1 << 18, file);
        Self { inner, cancel: job.cx.cancel, fault: job.fault }
    }

    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome {
            self.fault.set(Some(error.kind()));
        }
        outcome
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        let outcome = self.inner.write(bytes);
        self.note(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = self.inner.flush();
        self.note(outcome)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let outcome = self.inner.seek(to);
        self.note(outcome)
    }
}

#[cfg(test)]
mod metadata_tests;
#[cfg(test)]
mod tests;
