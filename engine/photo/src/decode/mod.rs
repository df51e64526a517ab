//! File to picture: the format is told by content, limits are checked before memory is taken.

use std::path::Path;

use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::picture::Picture;

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
    Err(PhotoError::unsupported("reading pictures is being built").at(path))
}
