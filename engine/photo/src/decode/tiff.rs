//! TIFF, strip by strip or tile by tile.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use tiff::TiffError;
use tiff::decoder::{Decoder, Limits, TiffCodingUnit};

use super::tiff_pixels::{Kind, Pixels};
use super::{Decoded, Input, PIECE_LIMIT, check_size};
use crate::context::WorkContext;
use crate::error::{ErrorKind, PhotoError};
use crate::metadata::build::{collect, serialize};
use crate::metadata::ifd::{Directory, Source, Tiff};
use crate::metadata::{Metadata, exif, iptc};
use crate::raster::{ColorKind, Depth, Layout, Raster, byte_size};

/// Fields of the first directory that belong to EXIF rather than to the file's structure.
const EXIF_FIELDS: [u16; 20] = [
    0x010D, 0x010E, 0x010F, 0x0110, 0x0112, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C,
    0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
];

const NEW_SUBFILE_TYPE: u16 = 0x00FE;
const PHOTOMETRIC: u16 = 0x0106;

/// What the first directory says of the pixels.
struct Header {
    width: u32,
    height: u32,
    pixels: Pixels,
    planar: bool,
    /// Where the value that names the colour space stands, to read palettes as plain numbers.
    photometric_at: u64,
    little: bool,
}

pub(super) fn decode(input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    let file = FileSource { length: input.length, input: RefCell::new(input) };
    let (header, metadata) = {
        let cut_off =
            || PhotoError::damaged("the TIFF file is cut off or its directory is damaged");
        let tiff = Tiff::open(&file).ok_or_else(cut_off)?;
        let first = tiff.directory(tiff.first).ok_or_else(cut_off)?;
        check_pages(&tiff, &first)?;
        (read_header(&tiff, &first)?, read_metadata(&tiff, &first))
    };
    let Header { width, height, pixels, planar, .. } = &header;
    let (width, height, layout) = (*width, *height, pixels.layout);
    check_size(width, height, layout, 0, true, cx)?;

    let mut input = file.input.into_inner();
    input.seek_to(0)?;
    let patch = matches!(pixels.kind, Kind::Palette(_))
        .then(|| (header.photometric_at, if header.little { [1, 0] } else { [0, 1] }));
    let mut limits = Limits::default();
    limits.intermediate_buffer_size = usize::try_from(cx.budget_bytes).unwrap_or(usize::MAX);
    limits.ifd_value_size = PIECE_LIMIT as usize;
    let mut decoder = Decoder::new(Patched { input, patch }).map_err(failed)?.with_limits(limits);
    let returned = usize::from(decoder.colortype().map_err(failed)?.num_samples());
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    if chunk_width == 0 || chunk_height == 0 {
        return Err(PhotoError::damaged("the strips of this TIFF have no rows"));
    }
    let (across, down) = (width.div_ceil(chunk_width), height.div_ceil(chunk_height));
    let direct = pixels.is_direct(returned) && !planar && across == 1 && chunk_width == width;
    let in_memory = byte_size(width, height, layout) <= cx.budget_bytes / 2;
    let chunk = u64::from(chunk_width.min(width))
        * u64::from(chunk_height.min(height))
        * (returned * pixels.bits).div_ceil(8) as u64;
    // A strip that needs no conversion is unpacked in its place.
    let working = if direct && in_memory { 0 } else { chunk };
    check_size(width, height, layout, working, true, cx)?;

    let mut raster = Raster::new(width, height, layout, cx.budget_bytes)?;
    let row_bytes = byte_size(width, 1, layout) as usize;
    let mut buffer = Vec::new();
    let mut row = Vec::new();
    for cy in 0..down {
        for cx_index in 0..across {
            cx.cancel.check()?;
            let index = cy * across + cx_index;
            let (x0, y0) = (cx_index * chunk_width, cy * chunk_height);
            let (w, h) = ((width - x0).min(chunk_width), (height - y0).min(chunk_height));
            if direct && let Some(bytes) = raster.bytes_mut() {
                let start = y0 as usize * row_bytes;
                let strip = &mut bytes[start..start + h as usize * row_bytes];
                decoder.read_chunk_bytes(index, strip).map_err(failed)?;
                pixels.finish(strip);
                continue;
            }
            if *planar {
                let unit = TiffCodingUnit(index);
                let wanted = decoder.image_coding_unit_layout(unit).map_err(failed)?;
                let length = wanted.complete_len;
                if length as u64 > chunk + 64 {
                    return Err(PhotoError::damaged("the planes of this TIFF contradict its size"));
                }
                buffer.resize(length, 0);
                decoder.read_coding_unit_bytes(unit, &mut buffer).map_err(failed)?;
            } else {
                let wanted = decoder.image_chunk_buffer_layout(index).map_err(failed)?;
                if wanted.len as u64 > chunk + 64 * u64::from(h) {
                    return Err(PhotoError::damaged("the strips of this TIFF contradict its size"));
                }
                buffer.resize(wanted.len, 0);
                decoder.read_chunk_bytes(index, &mut buffer).map_err(failed)?;
            }
            let samples = if *planar { 1 } else { returned };
            let line = (w as usize * samples * pixels.bits).div_ceil(8);
            let plane = if *planar { line * h as usize } else { 0 };
            for y in 0..h {
                row.clear();
                let from = y as usize * line;
                pixels.convert_row(&buffer, from, plane, samples, w as usize, &mut row)?;
                pixels.finish(&mut row);
                raster.write_span(x0, y0 + y, &row)?;
            }
        }
    }
    Ok(Decoded { raster, metadata, upright: false })
}

/// One picture, not raw: several pages and camera files are answered in words.
fn check_pages(tiff: &Tiff<'_, FileSource<'_>>, first: &Directory) -> Result<(), PhotoError> {
    let number =
        |directory: &Directory, tag| directory.find(tag).and_then(|entry| tiff.integer(entry));
    let raw = PhotoError::unsupported(
        "camera raw files are not read yet, export the photo as TIFF or JPEG first",
    );
    let is_reduced = |directory: &Directory| {
        number(directory, NEW_SUBFILE_TYPE).unwrap_or(0) & 0b101 != 0
            || number(directory, 0x00FF) == Some(2)
    };
    // DNG version; a mosaic or linear sensor; a first picture that is only a preview of others.
    if first.find(0xC612).is_some()
        || matches!(number(first, PHOTOMETRIC), Some(32803 | 34892))
        || (is_reduced(first) && first.find(0x014A).is_some())
    {
        return Err(raw);
    }
    let mut pages = 1;
    let mut seen = HashSet::from([tiff.first]);
    let mut next = first.next;
    while next != 0 && seen.insert(next) && seen.len() < 10_000 {
        let Some(directory) = tiff.directory(next) else { break };
        // Reduced copies and masks belong to the first picture.
        if !is_reduced(&directory) {
            pages += 1;
        }
        next = directory.next;
    }
    if pages > 1 {
        return Err(PhotoError::unsupported(format!(
            "this TIFF has {pages} pages, save the one you want as a file of its own first"
        )));
    }
    Ok(())
}

fn read_header(tiff: &Tiff<'_, FileSource<'_>>, first: &Directory) -> Result<Header, PhotoError> {
    let number = |tag| first.find(tag).and_then(|entry| tiff.integer(entry));
    let damaged = || PhotoError::damaged("the TIFF file does not say what its pixels are");
    let side = |tag| number(tag).and_then(|v| u32::try_from(v).ok()).ok_or_else(damaged);
    let (width, height) = (side(0x0100)?, side(0x0101)?);
    let bits = match first.find(0x0102) {
        Some(entry) => tiff.integers(entry, 16).ok_or_else(damaged)?,
        None => vec![1],
    };
    let samples = number(0x0115).unwrap_or(1);
    let extra = first.find(0x0152).and_then(|entry| tiff.integers(entry, 16)).unwrap_or_default();
    let format = number(0x0153).unwrap_or(1);
    let photometric = first.find(PHOTOMETRIC).ok_or_else(damaged)?;
    let kind = match tiff.integer(photometric) {
        Some(0 | 1) => Kind::Gray,
        Some(2) => Kind::Rgb,
        Some(3) => Kind::Palette(read_palette(tiff, first).ok_or_else(damaged)?),
        Some(5) => {
            return Err(PhotoError::unsupported(
                "this TIFF is in CMYK (for print), convert it to RGB first",
            ));
        }
        Some(6) => Kind::YCbCr,
        Some(8..=10) => {
            return Err(PhotoError::unsupported(
                "this TIFF is in Lab colours, convert it to RGB first",
            ));
        }
        _ => {
            return Err(PhotoError::unsupported(
                "the colours of this TIFF are of a kind that is not read",
            ));
        }
    };
    let colors = if matches!(kind, Kind::Rgb | Kind::YCbCr) { 3 } else { 1 };
    let bit = bits.first().copied().unwrap_or(1);
    if samples < colors || samples > 64 || bits.iter().any(|b| *b != bit) {
        return Err(PhotoError::unsupported(
            "the channels of this TIFF are of a kind that is not read",
        ));
    }
    let depth = match (format, bit) {
        (1, 1 | 2 | 4 | 8) => Depth::U8,
        (1, 16) => Depth::U16,
        (1, 32) | (3, 16 | 32 | 64) => Depth::F32,
        _ => {
            return Err(PhotoError::unsupported(format!(
                "this TIFF has {bit}-bit samples of a kind that is not read"
            )));
        }
    };
    // Four samples of RGB without a word about the fourth: everyone takes it for alpha.
    let unsaid = extra.is_empty() && colors == 3 && samples == 4;
    let alpha = unsaid || (samples > colors && matches!(extra.first(), Some(1 | 2)));
    let color = match &kind {
        Kind::Gray => ColorKind::Gray,
        Kind::Palette(entries) if entries.iter().all(|e| e[0] == e[1] && e[1] == e[2]) => {
            ColorKind::Gray
        }
        _ => ColorKind::Rgb,
    };
    let layout = Layout { color, alpha, depth };
    Ok(Header {
        width,
        height,
        pixels: Pixels {
            kind,
            layout,
            bits: bit as usize,
            float: format == 3,
            associated: alpha && extra.first() == Some(&1),
        },
        planar: number(0x011C) == Some(2) && samples > 1,
        photometric_at: photometric.value,
        little: tiff.order == crate::metadata::ifd::Order::Little,
    })
}

/// The colour map as 8-bit RGB entries.
fn read_palette(tiff: &Tiff<'_, FileSource<'_>>, first: &Directory) -> Option<Vec<[u8; 3]>> {
    let values = tiff.integers(first.find(0x0140)?, 3 << 8)?;
    // Stated in 16 bits; some writers fill in 8 only.
    let shift = if values.iter().all(|v| *v <= 0xFF) { 0 } else { 8 };
    let count = values.len() / 3;
    let entry = |i: usize, c: usize| values.get(c * count + i).map_or(0, |v| (v >> shift) as u8);
    Some((0..count).map(|i| [entry(i, 0), entry(i, 1), entry(i, 2)]).collect())
}

fn read_metadata(tiff: &Tiff<'_, FileSource<'_>>, first: &Directory) -> Metadata {
    let value = |tag| {
        let entry = first.find(tag).filter(|entry| entry.bytes <= PIECE_LIMIT)?;
        tiff.value(entry).map(Cow::into_owned).filter(|bytes| !bytes.is_empty())
    };
    let fields = collect(tiff, first, |tag| EXIF_FIELDS.contains(&tag));
    let has_exif = !fields.fields.is_empty() || !fields.children.is_empty();
    Metadata {
        icc: value(0x8773),
        exif: has_exif.then(|| serialize(&fields, tiff.order)),
        xmp: value(0x02BC),
        iptc: value(0x83BB)
            .map(iptc::without_padding)
            .or_else(|| value(0x8649).and_then(|b| iptc::from_photoshop(&b))),
        density: exif::directory_density(tiff, first),
        ..Metadata::default()
    }
}

/// A file as a [`Source`].
struct FileSource<'a> {
    length: u64,
    input: RefCell<Input<'a>>,
}

impl Source for FileSource<'_> {
    fn size(&self) -> u64 {
        self.length
    }

    fn at(&self, offset: u64, length: usize) -> Option<Cow<'_, [u8]>> {
        if offset.checked_add(length as u64)? > self.length {
            return None;
        }
        let mut input = self.input.borrow_mut();
        input.seek_to(offset).ok()?;
        input.take_bytes(length as u64).ok().map(Cow::Owned)
    }
}

/// The file with two bytes read differently: the decoder refuses palettes, and reads their
/// indices when the file says "grey".
struct Patched<'a> {
    input: Input<'a>,
    patch: Option<(u64, [u8; 2])>,
}

impl Read for Patched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((at, bytes)) = self.patch else { return self.input.read(buffer) };
        let start = self.input.stream_position()?;
        let count = self.input.read(buffer)?;
        for (index, byte) in bytes.into_iter().enumerate() {
            let place =
                (at + index as u64).checked_sub(start).and_then(|p| usize::try_from(p).ok());
            if let Some(to) = place.and_then(|place| buffer.get_mut(..count)?.get_mut(place)) {
                *to = byte;
            }
        }
        Ok(count)
    }
}

impl Seek for Patched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.input.stream_position()
    }
}

fn failed(error: TiffError) -> PhotoError {
    match error {
        TiffError::IoError(error) => PhotoError::reading(error),
        TiffError::LimitsExceeded => PhotoError::new(
            ErrorKind::TooLarge,
            "a strip of this TIFF does not fit the memory budget",
        ),
        TiffError::UnsupportedError(why) => {
            PhotoError::unsupported(format!("this kind of TIFF is not read ({why})")).because(why)
        }
        other => PhotoError::damaged("the data of this TIFF are damaged").because(other),
    }
}
