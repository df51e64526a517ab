//! PNG, row by row.

use png::{Decoder, Limits, Transformations};

use super::{Decoded, Input, check_size, png_scan};
use crate::context::WorkContext;
use crate::error::{ErrorKind, PhotoError};
use crate::metadata::{Metadata, exif};
use crate::raster::{ColorKind, Depth, Layout, Raster, byte_size};

const XMP_KEYWORD: &str = "XML:com.adobe.xmp";
const RAW_EXIF: [&str; 2] = ["Raw profile type exif", "Raw profile type APP1"];

pub(super) fn decode(mut input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    let scan = png_scan::scan(&mut input)?;
    if scan.animated {
        return Err(PhotoError::unsupported(
            "this PNG is an animation, only still pictures are read",
        ));
    }
    let color = match scan.color {
        0 | 4 => ColorKind::Gray,
        2 | 3 | 6 => ColorKind::Rgb,
        other => {
            return Err(PhotoError::damaged(format!(
                "this PNG has an unknown colour type {other}"
            )));
        }
    };
    let layout = Layout {
        color,
        alpha: matches!(scan.color, 4 | 6) || scan.transparency,
        depth: if scan.bits == 16 { Depth::U16 } else { Depth::U8 },
    };
    let (width, height) = (scan.width, scan.height);
    // Interlaced rows come in seven passes: the picture must lie in memory as a whole.
    check_size(width, height, layout, 1 << 20, !scan.interlaced, cx)?;

    input.seek_to(0)?;
    let bytes = usize::try_from(cx.budget_bytes / 4).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(input, Limits { bytes });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let row_bytes = byte_size(width, 1, layout);
    if reader.output_line_size(width).map(|size| size as u64) != Some(row_bytes) {
        return Err(PhotoError::damaged("the header of this PNG contradicts itself"));
    }

    let mut raster;
    if scan.interlaced {
        raster = Raster::new(width, height, layout, u64::MAX)?;
        let pixels = raster.bytes_mut().unwrap_or_default();
        reader.next_frame(pixels).map_err(failed)?;
        to_native(pixels, layout.depth);
        raster = raster.within(cx.budget_bytes)?;
    } else {
        raster = Raster::new(width, height, layout, cx.budget_bytes)?;
        let mut row = vec![0; row_bytes as usize];
        for y in 0..height {
            if reader.read_row(&mut row).map_err(failed)?.is_none() {
                return Err(PhotoError::damaged("the data of this PNG end early"));
            }
            to_native(&mut row, layout.depth);
            raster.write_rows(y, &row)?;
        }
    }
    // Metadata may stand behind the pixels.
    reader.finish().map_err(failed)?;

    let info = reader.info();
    let xmp = info.utf8_text.iter().find(|chunk| chunk.keyword == XMP_KEYWORD);
    // Before PNG had a chunk for EXIF, programs wrote it as text.
    let texts = &info.compressed_latin1_text;
    let mut profiles = texts.iter().filter(|chunk| RAW_EXIF.contains(&chunk.keyword.as_str()));
    let raw_exif = profiles.find_map(|chunk| raw_profile(&chunk.get_text().ok()?));
    let metadata = Metadata {
        icc: info.icc_profile.as_deref().map(<[u8]>::to_vec),
        exif: scan.exif.or(raw_exif).map(|block| exif::without_prefix(&block).to_vec()),
        xmp: xmp.and_then(|chunk| chunk.get_text().ok()).map(String::into_bytes),
        density: scan.density,
        png: scan.kept,
        ..Metadata::default()
    };
    Ok(Decoded { raster, metadata, upright: false })
}

/// The bytes of a "raw profile": its name, its length, and then hexadecimal digits in lines.
fn raw_profile(text: &str) -> Option<Vec<u8>> {
    let (_name, rest) = text.trim_start().split_once('\n')?;
    let (length, digits) = rest.trim_start().split_once('\n')?;
    let nibbles: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        nibbles.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
    (length.trim().parse() == Ok(bytes.len())).then_some(bytes)
}

/// PNG stores 16-bit samples with the high byte first.
fn to_native(bytes: &mut [u8], depth: Depth) {
    if depth == Depth::U16 && cfg!(target_endian = "little") {
        let (samples, _) = bytes.as_chunks_mut::<2>();
        for sample in samples {
            sample.reverse();
        }
    }
}

fn failed(error: png::DecodingError) -> PhotoError {
    match error {
        png::DecodingError::IoError(error) => PhotoError::reading(error),
        png::DecodingError::LimitsExceeded => PhotoError::new(
            ErrorKind::TooLarge,
            "the rows or the metadata of this PNG do not fit the memory budget",
        ),
        other => PhotoError::damaged("the data of this PNG are damaged").because(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_profile_is_read_when_it_is_whole() {
        let text = "\nexif\n       8\n457869660000\n4d4d\n";
        assert_eq!(raw_profile(text).as_deref(), Some(b"Exif\0\0MM".as_slice()));
        for text in ["", "\nexif\n 9\n4578\n", "\nexif\n 1\nxy\n", "exif"] {
            assert_eq!(raw_profile(text), None, "{text:?}");
        }
    }
}
