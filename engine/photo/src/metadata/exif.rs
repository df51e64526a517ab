//! EXIF blocks: read for what the app needs, corrected in place. A block is never rebuilt through
//! a model of known tags, so maker notes and everything unknown keep their bytes and their offsets.

use std::iter::once;
use std::ops::Range;

use super::build::{collect, serialize};
use super::ifd::{
    Directory, EXIF_IFD, Entry, GPS_IFD, INTEROP_IFD, LONG, Order, SHORT, Source, Tiff,
};
use super::{Density, DensityUnit};

const IMAGE_WIDTH: u16 = 0x0100;
const IMAGE_LENGTH: u16 = 0x0101;
const STRIP_OFFSETS: u16 = 0x0111;
const ORIENTATION: u16 = 0x0112;
const STRIP_BYTE_COUNTS: u16 = 0x0117;
const X_RESOLUTION: u16 = 0x011A;
const Y_RESOLUTION: u16 = 0x011B;
const RESOLUTION_UNIT: u16 = 0x0128;
const THUMBNAIL_OFFSET: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;
const MAKER_NOTE: u16 = 0x927C;
const PIXEL_X_DIMENSION: u16 = 0xA002;
const PIXEL_Y_DIMENSION: u16 = 0xA003;
const RELATED_WIDTH: u16 = 0x1001;
const RELATED_LENGTH: u16 = 0x1002;

/// Why a block was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExifError {
    /// It does not begin with a TIFF header.
    #[error("the EXIF block has no header")]
    NoHeader,
    /// Its first directory reaches beyond its end.
    #[error("the EXIF block is cut off")]
    CutOff,
}

/// What [`edit`] is to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The new size of the picture, for the fields that repeat it.
    pub size: Option<(u32, u32)>,
    /// Whether the GPS directory is removed.
    pub strip_gps: bool,
}

/// The block with orientation set to 1 (the pixels are upright now), without its thumbnail (which
/// shows the picture as it was), and with `edits` made. Everything else keeps its place.
///
/// # Errors
/// [`ExifError`] when the block has no readable first directory. Damage further in is left as is.
pub fn edit(block: &[u8], edits: &Edits) -> Result<Vec<u8>, ExifError> {
    let tiff = classic(block)?;
    let first = tiff.directory(tiff.first).ok_or(ExifError::CutOff)?;
    let exif = tiff.child(&first, EXIF_IFD);
    let interop = exif.as_ref().and_then(|exif| tiff.child(exif, INTEROP_IFD));
    let mut editor = Editor { out: block.to_vec(), order: tiff.order };

    if let Some(entry) = first.find(ORIENTATION) {
        editor.set(entry, SHORT, 1);
    }
    if let Some((width, height)) = edits.size {
        let sizes = [
            (Some(&first), IMAGE_WIDTH, width),
            (Some(&first), IMAGE_LENGTH, height),
            (exif.as_ref(), PIXEL_X_DIMENSION, width),
            (exif.as_ref(), PIXEL_Y_DIMENSION, height),
            (interop.as_ref(), RELATED_WIDTH, width),
            (interop.as_ref(), RELATED_LENGTH, height),
        ];
        for (directory, tag, value) in sizes {
            if let Some(entry) = directory.and_then(|directory| directory.find(tag)) {
                let kind = if entry.kind == SHORT && value <= 0xFFFF { SHORT } else { LONG };
                editor.set(entry, kind, value);
            }
        }
    }

    // What goes: its bytes are blanked, wherever nothing that stays lies in the same place.
    let mut dead: Vec<Range<u64>> = Vec::new();
    if first.next != 0 {
        if let Some(second) = tiff.directory(first.next) {
            dead.extend(thumbnail_ranges(&tiff, &second));
            dead.extend(extent(&second));
        }
        editor.write(first.end, &[0; 4]);
    }
    let mut holders = Vec::new();
    if edits.strip_gps {
        for directory in [Some(&first), exif.as_ref()].into_iter().flatten() {
            if directory.find(GPS_IFD).is_some() {
                dead.extend(tiff.child(directory, GPS_IFD).iter().flat_map(extent));
                holders.push(directory);
            }
        }
    }
    let mut live: Vec<Range<u64>> = once(0..8).collect();
    live.extend(
        [Some(&first), exif.as_ref(), interop.as_ref()].into_iter().flatten().flat_map(extent),
    );
    if !edits.strip_gps {
        live.extend(tiff.child(&first, GPS_IFD).iter().flat_map(extent));
    }
    let gone = subtract(dead, live, block.len() as u64);
    for range in &gone {
        editor.blank(range.clone());
    }
    for directory in holders {
        editor.remove(directory, GPS_IFD);
    }
    // A thumbnail usually is the end of its block: then the block becomes shorter.
    if let Some(last) = gone.last().filter(|range| range.end == block.len() as u64) {
        editor.out.truncate(last.start as usize);
    }
    Ok(editor.out)
}

/// A block without its "Exif\0\0" prefix, which some files put before it.
pub(crate) fn without_prefix(block: &[u8]) -> &[u8] {
    block.strip_prefix(b"Exif\0\0").unwrap_or(block)
}

/// The block rebuilt without its maker note, by far the largest field, for formats with little room.
pub(crate) fn without_maker_note(block: &[u8]) -> Option<Vec<u8>> {
    let tiff = classic(block).ok()?;
    let mut all = collect(&tiff, &tiff.directory(tiff.first)?, |_| true);
    for (_, child) in &mut all.children {
        child.fields.retain(|field| field.tag != MAKER_NOTE);
    }
    Some(serialize(&all, tiff.order))
}

fn classic(block: &[u8]) -> Result<Tiff<'_, [u8]>, ExifError> {
    Tiff::open(block).filter(|tiff| !tiff.big).ok_or(ExifError::NoHeader)
}

/// Where a directory and its values lie.
fn extent(directory: &Directory) -> Vec<Range<u64>> {
    // The table, with the offset of the next directory behind it.
    let mut ranges: Vec<_> = once(directory.start..directory.end.saturating_add(4)).collect();
    ranges.extend(
        directory
            .entries
            .iter()
            .filter(|entry| !entry.inline)
            .map(|entry| entry.value..entry.value.saturating_add(entry.bytes)),
    );
    ranges
}

/// Where the pixels of a thumbnail directory lie.
fn thumbnail_ranges(tiff: &Tiff<'_, [u8]>, directory: &Directory) -> Vec<Range<u64>> {
    let numbers =
        |tag| directory.find(tag).and_then(|entry| tiff.integers(entry, 1024)).unwrap_or_default();
    let mut ranges = Vec::new();
    for (offsets, lengths) in
        [(THUMBNAIL_OFFSET, THUMBNAIL_LENGTH), (STRIP_OFFSETS, STRIP_BYTE_COUNTS)]
    {
        let pairs = numbers(offsets).into_iter().zip(numbers(lengths));
        ranges.extend(pairs.map(|(offset, length)| offset..offset.saturating_add(length)));
    }
    ranges
}

/// Sorted, joined, cut to `limit`.
fn joined(mut ranges: Vec<Range<u64>>, limit: u64) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end.min(limit));
    ranges.sort_by_key(|range| range.start);
    let mut out: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let end = range.end.min(limit);
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(end),
            _ => out.push(range.start..end),
        }
    }
    out
}

/// The parts of `from` that no range of `what` covers, sorted.
fn subtract(from: Vec<Range<u64>>, what: Vec<Range<u64>>, limit: u64) -> Vec<Range<u64>> {
    let what = joined(what, limit);
    let mut out = Vec::new();
    let mut first = 0;
    for range in joined(from, limit) {
        let mut start = range.start;
        while first < what.len() && what[first].end <= start {
            first += 1;
        }
        for other in &what[first..] {
            if other.start >= range.end {
                break;
            }
            if other.start > start {
                out.push(start..other.start);
            }
            start = start.max(other.end);
        }
        if start < range.end {
            out.push(start..range.end);
        }
    }
    out
}

/// Writes into a copy of a block; what would land outside is left out.
struct Editor {
    out: Vec<u8>,
    order: Order,
}

impl Editor {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(start) = usize::try_from(offset) else { return };
        let Some(end) = start.checked_add(bytes.len()) else { return };
        if let Some(place) = self.out.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
    }

    /// One value, inside its entry.
    fn set(&mut self, entry: &Entry, kind: u16, value: u32) {
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&self.order.of_u16(kind));
        bytes[2..6].copy_from_slice(&self.order.of_u32(1));
        if kind == SHORT {
            bytes[6..8].copy_from_slice(&self.order.of_u16(value as u16));
        } else {
            bytes[6..].copy_from_slice(&self.order.of_u32(value));
        }
        self.write(entry.position + 2, &bytes);
    }

    fn blank(&mut self, range: Range<u64>) {
        if let Some(place) = self.out.get_mut(range.start as usize..range.end as usize) {
            place.fill(0);
        }
    }

    /// Takes the entries `tag` out of a table; the ones behind move up.
    fn remove(&mut self, directory: &Directory, tag: u16) {
        let kept: Vec<&Entry> = directory.entries.iter().filter(|e| e.tag != tag).collect();
        let mut table = self.order.of_u16(kept.len() as u16).to_vec();
        for entry in &kept {
            let from = entry.position as usize;
            // Read from the edited copy, so that earlier edits stay.
            let Some(bytes) = self.out.get(from..from + 12) else { return };
            table.extend_from_slice(bytes);
        }
        let after = directory.end as usize;
        let next = self.out.get(after..after + 4).map(<[u8]>::to_vec);
        let had_next = next.is_some();
        table.extend(next.unwrap_or_default());
        let whole = (directory.end - directory.start) as usize + if had_next { 4 } else { 0 };
        table.resize(whole, 0);
        self.write(directory.start, &table);
    }
}

/// The orientation, `1..=8`, when the block has one.
pub(crate) fn orientation(block: &[u8]) -> Option<u16> {
    let tiff = classic(block).ok()?;
    let first = tiff.directory(tiff.first)?;
    let value = u16::try_from(tiff.integer(first.find(ORIENTATION)?)?).ok()?;
    (1..=8).contains(&value).then_some(value)
}

/// The printing resolution, when the block has one.
pub(crate) fn density(block: &[u8]) -> Option<Density> {
    let tiff = classic(block).ok()?;
    let first = tiff.directory(tiff.first)?;
    directory_density(&tiff, &first)
}

/// The printing resolution that a first directory states.
pub(crate) fn directory_density<S: Source + ?Sized>(
    tiff: &Tiff<'_, S>,
    directory: &Directory,
) -> Option<Density> {
    let number = |tag| directory.find(tag).and_then(|entry| tiff.number(entry));
    let x = number(X_RESOLUTION)?;
    let y = number(Y_RESOLUTION).unwrap_or(x);
    let unit = match number(RESOLUTION_UNIT) {
        Some(1.0) => DensityUnit::Aspect,
        Some(3.0) => DensityUnit::Centimetre,
        _ => DensityUnit::Inch,
    };
    (x > 0.0 && y > 0.0).then_some(Density { x, y, unit })
}

/// Camera and exposure in a line: "Fujifilm X-T3, 23 mm, f/2, 1/60 s, ISO 6400".
pub(crate) fn camera(block: &[u8]) -> Option<String> {
    let tiff = classic(block).ok()?;
    let first = tiff.directory(tiff.first)?;
    let exif = tiff.child(&first, EXIF_IFD);
    let text = |tag| first.find(tag).and_then(|entry| tiff.text(entry));
    let number = |tag| {
        let entry = exif.as_ref()?.find(tag)?;
        tiff.number(entry).filter(|value| value.is_finite() && *value > 0.0)
    };
    let mut parts = Vec::new();
    match (text(0x010F), text(0x0110)) {
        // Most models repeat the maker: "Canon", "Canon EOS 5D".
        (Some(make), Some(model)) => {
            let word = make.split_whitespace().next().unwrap_or_default().to_lowercase();
            let repeated = model.to_lowercase().starts_with(&word);
            parts.push(if repeated { model } else { format!("{make} {model}") });
        }
        (make, model) => parts.extend(model.or(make)),
    }
    if let Some(millimetres) = number(0x920A) {
        parts.push(format!("{} mm", short(millimetres)));
    }
    if let Some(aperture) = number(0x829D) {
        parts.push(format!("f/{}", short(aperture)));
    }
    if let Some(seconds) = number(0x829A) {
        parts.push(if seconds < 0.3 {
            format!("1/{:.0} s", 1.0 / seconds)
        } else {
            format!("{} s", short(seconds))
        });
    }
    if let Some(iso) = number(0x8827) {
        parts.push(format!("ISO {iso:.0}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A number with at most one digit after the point, and none that says nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests;
