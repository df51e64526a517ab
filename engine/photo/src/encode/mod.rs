//! Picture to file: rows are pulled top to bottom and the file appears whole or not at all.

use std::path::Path;

use limpid_kernels::Planes;

use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::format::FileFormat;
use crate::geometry::Rect;
use crate::picture::Picture;

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
/// and renamed; the part file is removed on any error. An existing `destination` is replaced.
///
/// Returns notes for the user, one sentence each: what the format could not hold.
///
/// # Errors
/// One sentence: `Unwritable` (folder, disk, a size that the format cannot hold, a destination
/// that is a folder), `TooLarge`, `Cancelled`, and whatever `next_band` answers.
pub fn encode(
    source: &Picture,
    size: (u32, u32),
    options: &EncodeOptions,
    destination: &Path,
    next_band: &mut dyn FnMut(Rect) -> Result<Planes, PhotoError>,
    cx: &WorkContext<'_>,
) -> Result<Vec<String>, PhotoError> {
    let _ = (source, size, options, next_band);
    cx.cancel.check()?;
    Err(PhotoError::internal("writing pictures is being built").at(destination))
}
