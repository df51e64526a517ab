//! The directory structure that TIFF files and EXIF blocks share, read without trust: every
//! offset is checked, nothing larger than its source is ever taken into memory.

use std::borrow::Cow;

/// Tags that point to another directory.
pub(crate) const EXIF_IFD: u16 = 0x8769;
pub(crate) const GPS_IFD: u16 = 0x8825;
pub(crate) const INTEROP_IFD: u16 = 0xA005;

/// Bytes that can be looked at anywhere: a slice or a file.
pub(crate) trait Source {
    /// Number of bytes.
    fn size(&self) -> u64;
    /// `length` bytes from `offset`; none when they reach beyond the end or cannot be read.
    fn at(&self, offset: u64, length: usize) -> Option<Cow<'_, [u8]>>;
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn at(&self, offset: u64, length: usize) -> Option<Cow<'_, [u8]>> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(length)?).map(Cow::Borrowed)
    }
}

/// Byte order of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    pub(crate) fn of_u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn of_u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn of_u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// The field types of TIFF 6.0 and BigTIFF that matter here.
pub(crate) const ASCII: u16 = 2;
pub(crate) const SHORT: u16 = 3;
pub(crate) const LONG: u16 = 4;
pub(crate) const RATIONAL: u16 = 5;
pub(crate) const LONG8: u16 = 16;

/// Bytes of one value of a field type; 0 for types that do not exist.
pub(crate) fn type_size(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 0,
    }
}

/// Bytes of the shortest header: byte order, version, offset of the first directory.
const HEADER: u64 = 8;

/// A field of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) tag: u16,
    pub(crate) kind: u16,
    pub(crate) count: u64,
    /// Where the entry itself stands.
    pub(crate) position: u64,
    /// Where its value stands: inside the entry when small, elsewhere when not.
    pub(crate) value: u64,
    /// Bytes of the value.
    pub(crate) bytes: u64,
    /// Whether the value stands inside the entry.
    pub(crate) inline: bool,
}

/// A directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    /// Where it begins, with the count of entries.
    pub(crate) start: u64,
    /// One past its last entry: where the offset of the next directory stands, when there is one.
    pub(crate) end: u64,
    /// Offset of the next directory; 0 for none.
    pub(crate) next: u64,
}

impl Directory {
    pub(crate) fn find(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

/// A source with a TIFF header.
pub(crate) struct Tiff<'a, S: Source + ?Sized> {
    pub(crate) source: &'a S,
    pub(crate) order: Order,
    /// BigTIFF: offsets of 8 bytes.
    pub(crate) big: bool,
    /// Offset of the first directory.
    pub(crate) first: u64,
}

impl<'a, S: Source + ?Sized> Tiff<'a, S> {
    /// Reads the header; none when there is none.
    pub(crate) fn open(source: &'a S) -> Option<Self> {
        let head = source.at(0, 8)?;
        let order = match head.get(..2)? {
            b"II" => Order::Little,
            b"MM" => Order::Big,
            _ => return None,
        };
        let mut tiff = Self { source, order, big: false, first: 0 };
        match tiff.u16_at(2)? {
            42 => tiff.first = u64::from(tiff.u32_at(4)?),
            43 => {
                tiff.big = true;
                tiff.first = tiff.u64_at(8)?;
            }
            _ => return None,
        }
        Some(tiff)
    }

    fn array<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        self.source.at(offset, N)?.as_ref().try_into().ok()
    }

    fn u16_at(&self, offset: u64) -> Option<u16> {
        self.array(offset).map(|bytes| self.order.u16(bytes))
    }

    fn u32_at(&self, offset: u64) -> Option<u32> {
        self.array(offset).map(|bytes| self.order.u32(bytes))
    }

    fn u64_at(&self, offset: u64) -> Option<u64> {
        self.array(offset).map(|bytes| self.order.u64(bytes))
    }

    /// The directory at `offset`; none when its entries do not fit the source, or it lies in the
    /// header, where a change of the one would be a change of the other.
    pub(crate) fn directory(&self, offset: u64) -> Option<Directory> {
        if offset < HEADER {
            return None;
        }
        let (count, head, size) = if self.big {
            (self.u64_at(offset)?, 8, 20)
        } else {
            (u64::from(self.u16_at(offset)?), 2, 12)
        };
        if count > 0xFFFF {
            return None;
        }
        let start = offset.checked_add(head)?;
        let end = start.checked_add(count * size)?;
        // One read for the whole table; it fails here when the source is shorter.
        let table = self.source.at(start, usize::try_from(count * size).ok()?)?;
        let mut entries = Vec::with_capacity(count as usize);
        for (index, bytes) in table.chunks_exact(size as usize).enumerate() {
            entries.push(self.entry(start + index as u64 * size, bytes)?);
        }
        // Some writers leave out the offset of the next directory at the end of the block.
        let next = if self.big { self.u64_at(end) } else { self.u32_at(end).map(u64::from) };
        Some(Directory { entries, start: offset, end, next: next.unwrap_or(0) })
    }

    fn entry(&self, position: u64, bytes: &[u8]) -> Option<Entry> {
        let tag = self.order.u16(bytes.get(..2)?.try_into().ok()?);
        let kind = self.order.u16(bytes.get(2..4)?.try_into().ok()?);
        let (count, field) = if self.big {
            (self.order.u64(bytes.get(4..12)?.try_into().ok()?), 12)
        } else {
            (u64::from(self.order.u32(bytes.get(4..8)?.try_into().ok()?)), 8)
        };
        let room = if self.big { 8 } else { 4 };
        let size = count.saturating_mul(type_size(kind));
        let inline = size <= room;
        let value = if inline {
            position + field
        } else if self.big {
            self.order.u64(bytes.get(12..20)?.try_into().ok()?)
        } else {
            u64::from(self.order.u32(bytes.get(8..12)?.try_into().ok()?))
        };
        Some(Entry { tag, kind, count, position, value, bytes: size, inline })
    }

    /// The bytes of a value, in the order of the block; none when they are not all there.
    pub(crate) fn value(&self, entry: &Entry) -> Option<Cow<'a, [u8]>> {
        if entry.bytes > self.source.size() {
            return None;
        }
        self.source.at(entry.value, usize::try_from(entry.bytes).ok()?)
    }

    /// The first value, of an integer type.
    pub(crate) fn integer(&self, entry: &Entry) -> Option<u64> {
        self.integers(entry, 1)?.first().copied()
    }

    /// Up to `limit` values of an integer type.
    pub(crate) fn integers(&self, entry: &Entry, limit: usize) -> Option<Vec<u64>> {
        let size = type_size(entry.kind) as usize;
        let count = usize::try_from(entry.count).ok()?.min(limit);
        if size == 0 || entry.bytes > self.source.size() {
            return None;
        }
        let bytes = self.source.at(entry.value, count.checked_mul(size)?)?;
        bytes
            .chunks_exact(size)
            .map(|chunk| match entry.kind {
                1 | 7 => chunk.first().map(|v| u64::from(*v)),
                3 => chunk.try_into().ok().map(|v| u64::from(self.order.u16(v))),
                4 | 13 => chunk.try_into().ok().map(|v| u64::from(self.order.u32(v))),
                16 | 18 => chunk.try_into().ok().map(|v| self.order.u64(v)),
                _ => None,
            })
            .collect()
    }

    /// The first value, of type RATIONAL or an integer type.
    pub(crate) fn number(&self, entry: &Entry) -> Option<f64> {
        if entry.kind != RATIONAL {
            return self.integer(entry).map(|value| value as f64);
        }
        let over = self.u32_at(entry.value)?;
        let under = self.u32_at(entry.value.checked_add(4)?)?;
        (under != 0).then(|| f64::from(over) / f64::from(under))
    }

    /// A value of type ASCII, up to its NUL, trimmed; none when empty.
    pub(crate) fn text(&self, entry: &Entry) -> Option<String> {
        if entry.kind != ASCII || entry.bytes > 4096 {
            return None;
        }
        let bytes = self.value(entry)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let text = String::from_utf8_lossy(bytes.get(..end)?).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The directory that field `tag` of `parent` points to.
    pub(crate) fn child(&self, parent: &Directory, tag: u16) -> Option<Directory> {
        self.directory(self.integer(parent.find(tag)?)?)
    }
}
