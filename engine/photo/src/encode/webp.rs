//! WebP, lossless. The encoder wants the whole picture in memory.

use std::fs::File;
use std::io::Write;

use image_webp::{ColorType, EncodingError, WebPEncoder};

use super::rows::Rows;
use super::{Job, Watched};
use crate::error::{ErrorKind, PhotoError};
use crate::metadata::build::resolution_block;
use crate::raster::{ColorKind, byte_size};

pub(super) fn encode(rows: &mut Rows<'_>, job: &Job<'_>, file: &File) -> Result<(), PhotoError> {
    let layout = rows.layout();
    let pixel_bytes = byte_size(rows.width(), rows.height(), layout);
    // The picture, and its compressed form, which is no larger but for noise.
    let needed = pixel_bytes.saturating_mul(2);
    if needed > job.cx.budget_bytes {
        return Err(PhotoError::new(
            ErrorKind::TooLarge,
            format!(
                "a WebP of {} x {} pixels takes {} MB to write, more than the {} MB of the memory \
                 budget, choose PNG or TIFF",
                rows.width(),
                rows.height(),
                needed >> 20,
                job.cx.budget_bytes >> 20
            ),
        ));
    }
    let mut pixels = Vec::with_capacity(pixel_bytes as usize);
    for y in 0..rows.height() {
        rows.append(y, &mut pixels)?;
    }
    let mut writer = Watched::new(file, job);
    let mut encoder = WebPEncoder::new(&mut writer);
    let metadata = job.metadata;
    // WebP has no place for the resolution but EXIF.
    let exif = metadata.exif.clone().or_else(|| metadata.density.map(resolution_block));
    if let Some(block) = exif {
        encoder.set_exif_metadata(block);
    }
    if let Some(profile) = &metadata.icc {
        encoder.set_icc_profile(profile.clone());
    }
    if let Some(packet) = &metadata.xmp {
        encoder.set_xmp_metadata(packet.clone());
    }
    let color = match (layout.color, layout.alpha) {
        (ColorKind::Gray, false) => ColorType::L8,
        (ColorKind::Gray, true) => ColorType::La8,
        (ColorKind::Rgb, false) => ColorType::Rgb8,
        (ColorKind::Rgb, true) => ColorType::Rgba8,
    };
    encoder.encode(&pixels, rows.width(), rows.height(), color).map_err(|error| match error {
        EncodingError::IoError(error) => PhotoError::writing(error),
        other => PhotoError::internal(format!("the WebP encoder refused its input ({other})")),
    })?;
    writer.flush().map_err(PhotoError::writing)
}
