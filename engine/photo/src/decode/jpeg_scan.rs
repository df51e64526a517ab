//! A walk over the marker segments of a JPEG file: size, kind, metadata, and whether it is whole.

use std::io::{Read, Seek};

use super::jpeg_entropy::{Coding, Component, Frame, Walk};
use super::{Input, PIECE_LIMIT};
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
    pub(super) components: Vec<Component>,
    /// Whether the first scan holds every component.
    pub(super) interleaved: bool,
    pub(super) metadata: Metadata,
    coding: Coding,
    /// Header of the first scan.
    first_scan: Vec<u8>,
    /// The header with nothing in it but what decoding needs.
    pub(super) head: Vec<u8>,
    /// Where the data of the first scan begin.
    pub(super) body_at: u64,
}

impl Scan {
    /// Bytes of all coefficients when they must be kept together: for progressive files and for
    /// those with one component a scan. The decoder holds 16 bits of each.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        if self.frame != 0xC2 && self.interleaved {
            return 0;
        }
        let most = |pick: fn(&Component) -> u8| {
            u64::from(self.components.iter().map(pick).max().unwrap_or(1).max(1))
        };
        let (across, down) = (most(|c| c.across), most(|c| c.down));
        let units =
            u64::from(self.width).div_ceil(8 * across) * u64::from(self.height).div_ceil(8 * down);
        let blocks: u64 =
            self.components.iter().map(|c| u64::from(c.across) * u64::from(c.down)).sum();
        units * blocks * 64 * 2
    }
}

/// Walks over the segments up to the data of the first scan.
pub(super) fn headers(input: &mut Input<'_>) -> Result<Scan, PhotoError> {
    let mut scan = Scan::default();
    let mut icc: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut taken = 0;
    scan.head = vec![0xFF, 0xD8];
    input.pass(2)?;
    loop {
        let marker = next_marker(input)?;
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if marker == 0xD9 {
            return Err(PhotoError::damaged("the JPEG file holds no picture"));
        }
        let length = segment_length(input)?;
        taken += length;
        if taken > PIECE_LIMIT {
            return Err(PhotoError::damaged("the header of this JPEG is far too long"));
        }
        let segment = input.take_bytes(length)?;
        // Application segments other than JFIF's and Adobe's, and comments, are not for decoding.
        if !matches!(marker, 0xE1..=0xED | 0xEF | 0xFE) {
            scan.head.extend([0xFF, marker]);
            scan.head.extend((length as u16 + 2).to_be_bytes());
            scan.head.extend(&segment);
        }
        match marker {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                if scan.frame == 0 {
                    read_frame(&mut scan, marker, &segment)?;
                }
            }
            0xDA => {
                scan.first_scan = segment;
                break;
            }
            0xE0 | 0xE1 | 0xE2 | 0xED => {
                read_metadata(&mut scan.metadata, &mut icc, marker, segment);
            }
            _ => read_coding(&mut scan.coding, marker, &segment)?,
        }
    }
    scan.body_at = input.stream_position().map_err(PhotoError::reading)?;
    if scan.frame == 0 {
        return Err(PhotoError::damaged("the JPEG file holds no picture"));
    }
    let parts = scan.first_scan.first().map(|count| usize::from(*count));
    scan.interleaved = parts == Some(scan.components.len());
    icc.sort_by_key(|(number, _)| *number);
    if !icc.is_empty() {
        scan.metadata.icc = Some(icc.into_iter().flat_map(|(_, part)| part).collect());
    }
    Ok(scan)
}

/// Walks on, over the data of every scan, to the marker that ends the picture; damaged when any of
/// it is missing. What stands behind is another picture's or a preview's.
pub(super) fn verify(scan: &mut Scan, input: &mut Input<'_>) -> Result<(), PhotoError> {
    let frame = Frame {
        width: scan.width,
        height: scan.height,
        progressive: scan.frame == 0xC2,
        components: &scan.components,
    };
    let mut walk = Walk::new(&frame)?;
    let mut marker = walk.scan(&scan.first_scan, &scan.coding, input)?;
    while marker != 0xD9 {
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            marker = next_marker(input)?;
            continue;
        }
        let length = segment_length(input)?;
        marker = if marker == 0xDA {
            let segment = input.take_bytes(length)?;
            walk.scan(&segment, &scan.coding, input)?
        } else {
            let segment = input.take_bytes(length)?;
            read_coding(&mut scan.coding, marker, &segment)?;
            next_marker(input)?
        };
    }
    if walk.is_complete() {
        Ok(())
    } else {
        Err(PhotoError::damaged("a colour channel of this JPEG is missing"))
    }
}

/// Bytes of a segment behind its length.
fn segment_length(input: &mut Input<'_>) -> Result<u64, PhotoError> {
    u64::from(u16::from_be_bytes(array(input)?))
        .checked_sub(2)
        .ok_or_else(|| PhotoError::damaged("a segment of the JPEG file has no length"))
}

/// Takes in tables and the restart interval, and passes over everything else.
fn read_coding(coding: &mut Coding, marker: u8, segment: &[u8]) -> Result<(), PhotoError> {
    match (marker, segment) {
        (0xC4, _) => coding.read_tables(segment),
        (0xDD, [high, low, ..]) => {
            coding.restart_interval = u32::from(u16::from_be_bytes([*high, *low]));
            Ok(())
        }
        _ => Ok(()),
    }
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

fn read_frame(scan: &mut Scan, marker: u8, segment: &[u8]) -> Result<(), PhotoError> {
    let [precision, h1, h0, w1, w0, count, components @ ..] = segment else {
        return Err(PhotoError::damaged("the header of the JPEG file is cut off"));
    };
    scan.frame = marker;
    scan.precision = *precision;
    scan.height = u32::from(u16::from_be_bytes([*h1, *h0]));
    scan.width = u32::from(u16::from_be_bytes([*w1, *w0]));
    scan.components = components
        .as_chunks::<3>()
        .0
        .iter()
        .take(usize::from(*count))
        .map(|[id, factors, _]| Component { id: *id, across: factors >> 4, down: factors & 15 })
        .collect();
    if scan.components.len() != usize::from(*count) {
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
