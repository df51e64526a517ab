//! Directories as a tree: the way EXIF goes into and out of TIFF files, whose first directory holds
//! both the picture's structure and the EXIF fields.

use super::ifd::{
    Directory, EXIF_IFD, GPS_IFD, INTEROP_IFD, LONG, LONG8, Order, RATIONAL, SHORT, Source, Tiff,
};
use super::{Density, DensityUnit};

/// All values that are carried over may have this many bytes; a maker note with previews in it may
/// have megabytes.
const TOTAL_LIMIT: u64 = 64 << 20;

/// One field with its value, in the byte order of its block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) tag: u16,
    pub(crate) kind: u16,
    pub(crate) count: u32,
    pub(crate) data: Vec<u8>,
}

impl Field {
    pub(crate) fn short(order: Order, tag: u16, value: u16) -> Self {
        Self { tag, kind: SHORT, count: 1, data: order.of_u16(value).to_vec() }
    }

    pub(crate) fn long(order: Order, tag: u16, value: u32) -> Self {
        Self { tag, kind: LONG, count: 1, data: order.of_u32(value).to_vec() }
    }

    #[cfg(test)]
    pub(crate) fn ascii(tag: u16, text: &str) -> Self {
        let mut data = text.as_bytes().to_vec();
        data.push(0);
        Self { tag, kind: super::ifd::ASCII, count: data.len() as u32, data }
    }

    /// A positive number: whole where it is whole, else in ten-thousandths.
    pub(crate) fn rational(order: Order, tag: u16, value: f64) -> Self {
        let under: u32 = if (value - value.round()).abs() < 1e-6 { 1 } else { 10_000 };
        let over = (value * f64::from(under)).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        let data = [order.of_u32(over), order.of_u32(under)].concat();
        Self { tag, kind: RATIONAL, count: 1, data }
    }

    /// Bytes of any other kind: 1 BYTE, 7 UNDEFINED.
    pub(crate) fn bytes(tag: u16, kind: u16, data: Vec<u8>) -> Self {
        Self { tag, kind, count: data.len() as u32, data }
    }
}

/// A directory with the directories it points to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dir {
    pub(crate) fields: Vec<Field>,
    /// Tag of the pointer, and what it points to.
    pub(crate) children: Vec<(u16, Dir)>,
}

/// The fields of `directory` that `keep` names, with the EXIF, GPS and interoperability
/// directories below them. Fields whose values are not all there are left out.
pub(crate) fn collect<S: Source + ?Sized>(
    tiff: &Tiff<'_, S>,
    directory: &Directory,
    keep: impl Fn(u16) -> bool,
) -> Dir {
    // Hostile files let thousands of fields share one large value: no more is copied than is there.
    let mut left = TOTAL_LIMIT.min(tiff.source.size());
    collect_below(tiff, directory, &keep, 0, &mut left)
}

fn collect_below<S: Source + ?Sized>(
    tiff: &Tiff<'_, S>,
    directory: &Directory,
    keep: &dyn Fn(u16) -> bool,
    depth: u32,
    left: &mut u64,
) -> Dir {
    let mut out = Dir::default();
    for entry in &directory.entries {
        if [EXIF_IFD, GPS_IFD, INTEROP_IFD].contains(&entry.tag) {
            // A directory may point back at its parent: two levels are all there are.
            let child = (depth < 2).then(|| tiff.child(directory, entry.tag)).flatten();
            if let Some(child) = child
                && !out.children.iter().any(|(tag, _)| *tag == entry.tag)
            {
                let below = collect_below(tiff, &child, &|_| true, depth + 1, left);
                out.children.push((entry.tag, below));
            }
            continue;
        }
        let wanted = keep(entry.tag)
            && entry.bytes <= *left
            && !out.fields.iter().any(|field| field.tag == entry.tag);
        // The 64-bit types exist in BigTIFF alone and EXIF has none of them.
        if !wanted || matches!(entry.kind, 16..=18) {
            continue;
        }
        if let (Some(data), Ok(count)) = (tiff.value(entry), u32::try_from(entry.count)) {
            *left -= entry.bytes;
            out.fields.push(Field { tag: entry.tag, kind: entry.kind, count, data: data.into() });
        }
    }
    out
}

/// Byte order and width of offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) order: Order,
    /// BigTIFF: 64 bits.
    pub(crate) big: bool,
}

impl Form {
    /// The header, with the offset of the first directory.
    pub(crate) fn header(self, first: u64) -> Vec<u8> {
        let mut out = match self.order {
            Order::Little => b"II".to_vec(),
            Order::Big => b"MM".to_vec(),
        };
        out.extend(self.order.of_u16(if self.big { 43 } else { 42 }));
        if self.big {
            out.extend(self.order.of_u16(8));
            out.extend([0; 2]);
        }
        out.extend(self.offset(first));
        out
    }

    /// A field of offsets or lengths.
    pub(crate) fn offsets(self, tag: u16, values: &[u64]) -> Field {
        let kind = if self.big { LONG8 } else { LONG };
        let data = values.iter().flat_map(|value| self.offset(*value)).collect();
        Field { tag, kind, count: values.len() as u32, data }
    }

    fn offset(self, value: u64) -> Vec<u8> {
        if self.big {
            self.order.of_u64(value).to_vec()
        } else {
            self.order.of_u32(value as u32).to_vec()
        }
    }

    fn count(self, value: u64) -> Vec<u8> {
        self.offset(value)
    }

    /// Bytes of (the number of entries, an entry, a value inside its entry).
    fn sizes(self) -> (usize, usize, usize) {
        if self.big { (8, 20, 8) } else { (2, 12, 4) }
    }
}

/// A classic TIFF block of `dir`: header, directories, values.
pub(crate) fn serialize(dir: &Dir, order: Order) -> Vec<u8> {
    let form = Form { order, big: false };
    let mut out = form.header(8);
    append(dir, form, 0, &mut out);
    out
}

/// An EXIF block that says the resolution and nothing else.
pub(crate) fn resolution_block(density: Density) -> Vec<u8> {
    let order = Order::Little;
    let unit = match density.unit {
        DensityUnit::Aspect => 1,
        DensityUnit::Inch => 2,
        DensityUnit::Centimetre => 3,
    };
    let fields = vec![
        Field::rational(order, 0x011A, density.x),
        Field::rational(order, 0x011B, density.y),
        Field::short(order, 0x0128, unit),
    ];
    serialize(&Dir { fields, children: vec![] }, order)
}

/// Appends `dir`, its values and its children to `out`, which begins at `base` of its file.
/// Returns the offset of the directory in the file.
pub(crate) fn append(dir: &Dir, form: Form, base: u64, out: &mut Vec<u8>) -> u64 {
    pad(out);
    let start = out.len();
    let (head, size, room) = form.sizes();
    let mut table: Vec<(u16, Result<&Field, &Dir>)> = Vec::new();
    table.extend(dir.fields.iter().map(|field| (field.tag, Ok(field))));
    table.extend(dir.children.iter().map(|(tag, child)| (*tag, Err(child))));
    table.sort_by_key(|(tag, _)| *tag);
    if form.big {
        out.extend(form.order.of_u64(table.len() as u64));
    } else {
        out.extend(form.order.of_u16(table.len() as u16));
    }
    out.resize(start + head + size * table.len() + room, 0);
    for (index, (tag, what)) in table.into_iter().enumerate() {
        let mut entry = Vec::with_capacity(size);
        entry.extend(form.order.of_u16(tag));
        match what {
            Ok(field) => {
                entry.extend(form.order.of_u16(field.kind));
                entry.extend(form.count(u64::from(field.count)));
                if field.data.len() <= room {
                    entry.extend(&field.data);
                } else {
                    pad(out);
                    entry.extend(form.offset(base + out.len() as u64));
                    out.extend(&field.data);
                }
            }
            Err(child) => {
                let offset = append(child, form, base, out);
                entry.extend(form.order.of_u16(if form.big { LONG8 } else { LONG }));
                entry.extend(form.count(1));
                entry.extend(form.offset(offset));
            }
        }
        entry.resize(size, 0);
        let place = start + head + size * index;
        out[place..place + size].copy_from_slice(&entry);
    }
    base + start as u64
}

/// Values and directories begin on a word boundary.
fn pad(out: &mut Vec<u8>) {
    if out.len() % 2 == 1 {
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_and_orders_are_read_back() {
        for order in [Order::Little, Order::Big] {
            for big in [false, true] {
                let form = Form { order, big };
                let child = Dir { fields: vec![Field::ascii(1, "N")], children: vec![] };
                let dir = Dir {
                    fields: vec![
                        Field::ascii(0x0110, "a long enough name"),
                        Field::rational(order, 0x011A, 118.11),
                        Field::short(order, 0x0112, 1),
                    ],
                    children: vec![(GPS_IFD, child)],
                };
                let base = form.header(0).len() as u64;
                let mut tail = Vec::new();
                let first = append(&dir, form, base, &mut tail);
                let block = [form.header(first), tail].concat();
                let tiff = Tiff::open(&block[..]).unwrap();
                let read = tiff.directory(tiff.first).unwrap();
                assert_eq!(tiff.big, big);
                assert_eq!(tiff.text(read.find(0x0110).unwrap()).unwrap(), "a long enough name");
                assert_eq!(tiff.number(read.find(0x011A).unwrap()), Some(118.11));
                let collected = collect(&tiff, &read, |_| true);
                assert_eq!(collected.children, dir.children);
                assert_eq!(collected.fields.len(), 3);
            }
        }
    }
}
