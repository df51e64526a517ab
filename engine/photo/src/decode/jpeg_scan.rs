//! A walk over the marker segments of a JPEG file: size, kind, metadata, and whether it is whole.

use std::io::{self, BufRead, Read};

use super::Input;
use crate::error::PhotoError;
use crate::metadata::{Density, DensityUnit, Metadata, exif, iptc};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// What a JPEG file consists of.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Marker of the frame: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, others.
    pub(super) frame: u8,
    /// Bits of a sample.
    pub(super) precision: u8,
    /// Horizontal and vertical sampling factors of each component.
    pub(super) sampling: Vec<(u8, u8)>,
    /// Whether the first scan holds every component.
    pub(super) interleaved: bool,
    pub(super) metadata: Metadata,
}

impl Scan {
    /// Bytes of all coefficients when they must be kept together: for progressive files and for
    /// those with one component a scan. The decoder holds 16 bits of each.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        if self.frame != 0xC2 && self.interleaved {
            return 0;
        }
        let most = |pick: fn(&(u8, u8)) -> u8| {
            u64::from(self.sampling.iter().map(pick).max().unwrap_or(1).max(1))
        };
        let (across, down) = (most(|s| s.0), most(|s| s.1));
        let units =
            u64::from(self.width).div_ceil(8 * across) * u64::from(self.height).div_ceil(8 * down);
        let blocks: u64 = self.sampling.iter().map(|(h, v)| u64::from(*h) * u64::from(*v)).sum();
        units * blocks * 64 * 2
    }
}

/// Walks over the whole file, up to the marker that ends the picture.
pub(super) fn scan(input: &mut Input<'_>) -> Result<Scan, PhotoError> {
    let mut scan = Scan::default();
    let mut icc: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut seen_scan = false;
    input.pass(2)?;
    loop {
        let marker = if seen_scan { next_in_data(input)? } else { next_marker(input)? };
        match marker {
            0xD9 => break,
            0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(array(input)?));
        let Some(length) = length.checked_sub(2) else {
            return Err(PhotoError::damaged("a segment of the JPEG file has no length"));
        };
        match marker {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let segment = input.take_bytes(length)?;
                if scan.frame == 0 {
                    read_frame(&mut scan, marker, &segment)?;
                }
            }
            0xDA => {
                let segment = input.take_bytes(length)?;
                if !seen_scan {
                    scan.interleaved =
                        segment.first().map(|n| usize::from(*n)) == Some(scan.sampling.len());
                }
                seen_scan = true;
            }
            // What stands behind the first scan is another picture's or a preview's.
            0xE0 | 0xE1 | 0xE2 | 0xED if !seen_scan => {
                let segment = input.take_bytes(length)?;
                read_metadata(&mut scan.metadata, &mut icc, marker, segment);
            }
            _ => input.pass(length)?,
        }
    }
    if scan.frame == 0 || !seen_scan {
        return Err(PhotoError::damaged("the JPEG file holds no picture"));
    }
    icc.sort_by_key(|(number, _)| *number);
    if !icc.is_empty() {
        scan.metadata.icc = Some(icc.into_iter().flat_map(|(_, part)| part).collect());
    }
    Ok(scan)
}

fn array<const N: usize>(input: &mut Input<'_>) -> Result<[u8; N], PhotoError> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(PhotoError::reading)?;
    Ok(bytes)
}

/// The next marker, past bytes that belong to nothing.
fn next_marker(input: &mut Input<'_>) -> Result<u8, PhotoError> {
    let mut previous = 0;
    loop {
        let [byte] = array(input)?;
        if previous == 0xFF && byte != 0xFF && byte != 0 {
            return Ok(byte);
        }
        previous = byte;
    }
}

/// The next marker in entropy-coded data, where `FF 00` is a sample and `FF D0..D7` a restart.
fn next_in_data(input: &mut Input<'_>) -> Result<u8, PhotoError> {
    loop {
        let buffer = input.fill_buf().map_err(PhotoError::reading)?;
        if buffer.is_empty() {
            return Err(PhotoError::reading(io::ErrorKind::UnexpectedEof.into()));
        }
        let Some(place) = buffer.iter().position(|byte| *byte == 0xFF) else {
            let length = buffer.len();
            input.consume(length);
            continue;
        };
        input.consume(place + 1);
        let mut byte = 0xFF;
        while byte == 0xFF {
            [byte] = array(input)?;
        }
        if byte != 0 && !(0xD0..=0xD7).contains(&byte) {
            return Ok(byte);
        }
    }
}

fn read_frame(scan: &mut Scan, marker: u8, segment: &[u8]) -> Result<(), PhotoError> {
    let [precision, h1, h0, w1, w0, count, components @ ..] = segment else {
        return Err(PhotoError::damaged("the header of the JPEG file is cut off"));
    };
    scan.frame = marker;
    scan.precision = *precision;
    scan.height = u32::from(u16::from_be_bytes([*h1, *h0]));
    scan.width = u32::from(u16::from_be_bytes([*w1, *w0]));
    scan.sampling = components
        .chunks_exact(3)
        .take(usize::from(*count))
        .filter_map(|component| component.get(1).map(|hv| (hv >> 4, hv & 15)))
        .collect();
    if scan.sampling.len() != usize::from(*count) {
        return Err(PhotoError::damaged("the header of the JPEG file is cut off"));
    }
    Ok(())
}

fn read_metadata(
    metadata: &mut Metadata,
    icc: &mut Vec<(u8, Vec<u8>)>,
    marker: u8,
    segment: Vec<u8>,
) {
    if marker == 0xE0 && segment.starts_with(b"JFIF\0") {
        if let Some([unit, x1, x0, y1, y0]) = segment.get(7..12) {
            let x = f64::from(u16::from_be_bytes([*x1, *x0]));
            let y = f64::from(u16::from_be_bytes([*y1, *y0]));
            let unit = match unit {
                1 => DensityUnit::Inch,
                2 => DensityUnit::Centimetre,
                _ => DensityUnit::Aspect,
            };
            // 1 : 1 without a unit is what writers say who know nothing.
            let says_nothing = unit == DensityUnit::Aspect && x == y;
            if x > 0.0 && y > 0.0 && !says_nothing {
                metadata.density = Some(Density { x, y, unit });
            }
        }
    } else if marker == 0xE1 && segment.starts_with(EXIF) {
        if metadata.exif.is_none() {
            metadata.exif = Some(exif::without_prefix(&segment).to_vec());
        }
    } else if marker == 0xE1 && segment.starts_with(XMP) {
        if metadata.xmp.is_none() {
            metadata.xmp = segment.get(XMP.len()..).map(<[u8]>::to_vec);
        }
    } else if marker == 0xE1 && segment.starts_with(EXTENDED_XMP) {
        leave_out(metadata, "the long part of XMP (a depth map or a second photo) was left out");
    } else if marker == 0xE2 && segment.starts_with(b"MPF\0") {
        leave_out(
            metadata,
            "the second picture in the file (HDR gain map or preview) was left out",
        );
    } else if marker == 0xE2 && segment.starts_with(ICC) {
        if let Some([number, _total, part @ ..]) = segment.get(ICC.len()..) {
            icc.push((*number, part.to_vec()));
        }
    } else if marker == 0xED && segment.starts_with(PHOTOSHOP) && metadata.iptc.is_none() {
        metadata.iptc = segment.get(PHOTOSHOP.len()..).and_then(iptc::from_photoshop);
    }
}

fn leave_out(metadata: &mut Metadata, sentence: &'static str) {
    if !metadata.left_out.contains(&sentence) {
        metadata.left_out.push(sentence);
    }
}
