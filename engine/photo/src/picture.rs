//! A decoded picture: pixels, what is known of them, and where they came from.

use std::path::PathBuf;

use crate::format::FileFormat;
use crate::metadata::Metadata;
use crate::raster::Raster;

/// A picture in memory, upright.
#[derive(Debug)]
pub struct Picture {
    /// The pixels, upright, in the depth of their file.
    pub raster: Raster,
    /// ICC profile, EXIF, XMP and the rest, as the file had them; orientation not yet corrected.
    pub metadata: Metadata,
    /// The format of the file it was read from.
    pub format: FileFormat,
    /// The file it was read from, which no result may replace.
    pub path: Option<PathBuf>,
}

impl Picture {
    /// Columns, upright.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.raster.width()
    }

    /// Rows, upright.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.raster.height()
    }
}
