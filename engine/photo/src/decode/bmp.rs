//! Windows bitmaps.

use std::io::{BufReader, Read};

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::{Decoded, Input, PIECE_LIMIT, check_size};
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::metadata::{Density, DensityUnit, Metadata};
use crate::raster::{ColorKind, Depth, Layout, Raster};

/// What of the headers matters here; the decoder reads the rest itself.
struct Header {
    width: u32,
    height: u32,
    bits: u16,
    compression: u32,
    pixels_at: u32,
    /// Where the palette begins and how long an entry is.
    palette_at: u64,
    entry_bytes: u64,
    colors: u32,
    density: Option<Density>,
    /// Offset and length of an embedded profile.
    profile: Option<(u64, u64)>,
}

pub(super) fn decode(mut input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    let header = read_header(&mut input)?;
    let (width, height) = (header.width, header.height);
    let rgba = Layout { color: ColorKind::Rgb, alpha: true, depth: Depth::U8 };
    check_size(width, height, rgba, 1 << 20, false, cx)?;
    // Rows without compression have a known length, which the file must have.
    if matches!(header.compression, 0 | 3 | 6) {
        let row = (u64::from(width) * u64::from(header.bits)).div_ceil(32) * 4;
        if u64::from(header.pixels_at) + row * u64::from(height) > input.length {
            return Err(PhotoError::reading(std::io::ErrorKind::UnexpectedEof.into()));
        }
    }
    let gray = header.bits <= 8 && has_gray_palette(&mut input, &header)?;
    let icc = match header.profile {
        Some((offset, length)) if length <= PIECE_LIMIT => {
            input.seek_to(offset)?;
            Some(input.take_bytes(length)?)
        }
        _ => None,
    };
    input.seek_to(0)?;
    let decoder = BmpDecoder::new(BufReader::new(input)).map_err(failed)?;
    let alpha = match decoder.color_type() {
        ColorType::Rgb8 => false,
        ColorType::Rgba8 => true,
        _ => return Err(PhotoError::unsupported("this rare kind of BMP is not read")),
    };
    let layout = Layout { color: ColorKind::Rgb, alpha, depth: Depth::U8 };
    let mut bytes = Vec::new();
    let mut raster = Raster::new(width, height, layout, u64::MAX)?;
    let pixels = raster.bytes_mut().unwrap_or_default();
    if decoder.total_bytes() != pixels.len() as u64 {
        return Err(PhotoError::damaged("the header of this BMP contradicts itself"));
    }
    decoder.read_image(pixels).map_err(failed)?;
    if gray && !alpha {
        bytes.extend(pixels.chunks_exact(3).map(|pixel| pixel[0]));
        let layout = Layout { color: ColorKind::Gray, ..layout };
        raster = Raster::from_bytes(width, height, layout, bytes, cx.budget_bytes)?;
    } else {
        raster = raster.within(cx.budget_bytes)?;
    }
    let metadata = Metadata { icc, density: header.density, ..Metadata::default() };
    Ok(Decoded { raster, metadata, upright: false })
}

fn read_header(input: &mut Input<'_>) -> Result<Header, PhotoError> {
    let mut bytes = Vec::new();
    input.by_ref().take(14 + 124).read_to_end(&mut bytes).map_err(PhotoError::reading)?;
    let get = |offset: usize, length: usize| -> Result<u32, PhotoError> {
        let part = bytes
            .get(offset..offset + length)
            .ok_or_else(|| PhotoError::reading(std::io::ErrorKind::UnexpectedEof.into()))?;
        Ok(part.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    let size = get(14, 4)?;
    let old = size == 12;
    let (width, height, bits) = if old {
        (get(18, 2)?, get(20, 2)?, get(24, 2)?)
    } else {
        // A negative height means rows from top to bottom.
        (get(18, 4)?, (get(22, 4)? as i32).unsigned_abs(), get(28, 2)?)
    };
    let mut header = Header {
        width,
        height,
        bits: bits as u16,
        compression: 0,
        pixels_at: get(10, 4)?,
        palette_at: 14 + u64::from(size),
        entry_bytes: if old { 3 } else { 4 },
        colors: 0,
        density: None,
        profile: None,
    };
    if size >= 40 {
        header.compression = get(30, 4)?;
        header.colors = get(46, 4)?;
        let (x, y) = (get(38, 4)? as i32, get(42, 4)? as i32);
        if x > 0 && y > 0 {
            // Stated a metre.
            let unit = DensityUnit::Centimetre;
            header.density =
                Some(Density { x: f64::from(x) / 100.0, y: f64::from(y) / 100.0, unit });
        }
    }
    if size >= 124 && get(70, 4)? == u32::from_be_bytes(*b"MBED") {
        header.profile = Some((14 + u64::from(get(126, 4)?), u64::from(get(130, 4)?)));
    }
    Ok(header)
}

fn has_gray_palette(input: &mut Input<'_>, header: &Header) -> Result<bool, PhotoError> {
    let most = 1_u32 << header.bits.min(8);
    let colors = if header.colors == 0 { most } else { header.colors.min(most) };
    input.seek_to(header.palette_at)?;
    let palette = input.take_bytes(u64::from(colors) * header.entry_bytes)?;
    let mut entries = palette.chunks_exact(header.entry_bytes as usize);
    Ok(entries.all(|entry| entry[0] == entry[1] && entry[1] == entry[2]))
}

fn failed(error: ImageError) -> PhotoError {
    match error {
        ImageError::IoError(error) => PhotoError::reading(error),
        ImageError::Unsupported(error) => {
            PhotoError::unsupported("this rare kind of BMP is not read").because(error)
        }
        other => PhotoError::damaged("the data of this BMP are damaged").because(other),
    }
}
