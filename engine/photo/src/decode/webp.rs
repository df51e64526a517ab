//! WebP, lossy and lossless.

use std::io::Read;

use image_webp::{DecodingError, WebPDecoder};

use super::{Decoded, Input, PIECE_LIMIT, check_size};
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::metadata::{Metadata, exif};
use crate::raster::{ColorKind, Depth, Layout, Raster};

pub(super) fn decode(mut input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    // The container states its length: a file that was cut off shows it here.
    let mut head = [0; 12];
    input.read_exact(&mut head).map_err(PhotoError::reading)?;
    let [_, _, _, _, l0, l1, l2, l3, ..] = head;
    if u64::from(u32::from_le_bytes([l0, l1, l2, l3])) + 8 > input.length {
        return Err(PhotoError::reading(std::io::ErrorKind::UnexpectedEof.into()));
    }
    input.seek_to(0)?;
    let mut decoder = WebPDecoder::new(input).map_err(failed)?;
    if decoder.is_animated() {
        return Err(PhotoError::unsupported(
            "this WebP is an animation, only still pictures are read",
        ));
    }
    let (width, height) = decoder.dimensions();
    let layout = Layout { color: ColorKind::Rgb, alpha: decoder.has_alpha(), depth: Depth::U8 };
    // Its frame or its transformed pixels, four bytes each, besides the result.
    check_size(width, height, layout, 4 * u64::from(width) * u64::from(height), false, cx)?;
    decoder.set_memory_limit(PIECE_LIMIT as usize);
    let metadata = Metadata {
        icc: decoder.icc_profile().map_err(failed)?,
        exif: decoder
            .exif_metadata()
            .map_err(failed)?
            .map(|block| exif::without_prefix(&block).to_vec()),
        xmp: decoder.xmp_metadata().map_err(failed)?,
        ..Metadata::default()
    };
    decoder.set_memory_limit(usize::try_from(cx.budget_bytes).unwrap_or(usize::MAX));
    let mut raster = Raster::new(width, height, layout, u64::MAX)?;
    let pixels = raster.bytes_mut().unwrap_or_default();
    decoder.read_image(pixels).map_err(failed)?;
    drop(decoder);
    Ok(Decoded { raster: raster.within(cx.budget_bytes)?, metadata, upright: false })
}

fn failed(error: DecodingError) -> PhotoError {
    match error {
        DecodingError::IoError(error) => PhotoError::reading(error),
        other => PhotoError::damaged("the data of this WebP are damaged").because(other),
    }
}
