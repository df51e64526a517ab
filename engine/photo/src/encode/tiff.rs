//! TIFF: strips with deflate and a predictor, compressed by all threads, BigTIFF when needed.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;

use super::rows::Rows;
use super::{Job, Watched};
use crate::error::PhotoError;
use crate::metadata::DensityUnit;
use crate::metadata::build::{Dir, Field, Form, append, collect};
use crate::metadata::ifd::{LONG, Order, SHORT, Tiff};
use crate::raster::{ColorKind, Depth, Layout, byte_size};

/// Bytes of a strip before compression, about.
const STRIP_BYTES: usize = 256 << 10;

/// Above this many bytes before compression, offsets get 64 bits.
const CLASSIC_LIMIT: u64 = 0xF000_0000;

const DEFLATE: u16 = 8;
const HORIZONTAL: u16 = 2;

/// Fields of a first directory that are the picture's structure: EXIF blocks have some of them, and
/// a TIFF has its own.
const STRUCTURE: [u16; 38] = [
    0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0112, 0x0115, 0x0116, 0x0117,
    0x011C, 0x0120, 0x0121, 0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153,
    0x015B, 0x0200, 0x0201, 0x0202, 0x0211, 0x0212, 0x0213, 0x0214, 0x02BC, 0x83BB, 0x8649, 0x8773,
    0x0118, 0x0119,
];

pub(super) fn encode(rows: &mut Rows<'_>, job: &Job<'_>, file: &File) -> Result<(), PhotoError> {
    let layout = rows.layout();
    let (width, height) = (rows.width(), rows.height());
    let exif = job.metadata.exif.as_deref().and_then(Tiff::open);
    // The order of the camera's block, so that its values need no conversion.
    let order = exif.as_ref().map_or(Order::Little, |tiff| tiff.order);
    let big = byte_size(width, height, layout) > CLASSIC_LIMIT;
    let form = Form { order, big };

    let mut writer = Watched::new(file, job);
    let header = form.header(0);
    writer.write_all(&header).map_err(PhotoError::writing)?;
    let mut position = header.len() as u64;

    let row_bytes = rows.row_bytes();
    let strip_rows = (STRIP_BYTES / row_bytes.max(1)).clamp(1, height as usize) as u32;
    let batch = job.cx.pool.threads().max(1) * 2;
    let mut offsets = Vec::new();
    let mut lengths = Vec::new();
    let mut y = 0;
    while y < height {
        let mut strips: Vec<Vec<u8>> = Vec::new();
        while strips.len() < batch && y < height {
            let mut strip = Vec::with_capacity(strip_rows as usize * row_bytes);
            let end = (y + strip_rows).min(height);
            for row in y..end {
                rows.append(row, &mut strip)?;
            }
            y = end;
            strips.push(strip);
        }
        let packed: Vec<_> = job.cx.pool.install(|| {
            strips.into_par_iter().map(|strip| pack(strip, layout, width, order)).collect()
        });
        for strip in packed {
            let strip = strip.map_err(PhotoError::writing)?;
            writer.write_all(&strip).map_err(PhotoError::writing)?;
            offsets.push(position);
            lengths.push(strip.len() as u64);
            position += strip.len() as u64;
        }
    }

    let mut directory = structure(layout, (width, height), strip_rows, form);
    directory.fields.push(form.offsets(0x0111, &offsets));
    directory.fields.push(form.offsets(0x0117, &lengths));
    add_metadata(&mut directory, job, exif.as_ref(), order);
    // Directories begin on a word boundary.
    if position % 2 == 1 {
        writer.write_all(&[0]).map_err(PhotoError::writing)?;
        position += 1;
    }
    let mut tail = Vec::new();
    let first = append(&directory, form, position, &mut tail);
    writer.write_all(&tail).map_err(PhotoError::writing)?;
    writer.seek(SeekFrom::Start(0)).map_err(PhotoError::writing)?;
    writer.write_all(&form.header(first)).map_err(PhotoError::writing)?;
    writer.flush().map_err(PhotoError::writing)
}

/// What the pixels are.
fn structure(layout: Layout, size: (u32, u32), strip_rows: u32, form: Form) -> Dir {
    let order = form.order;
    let short = |tag, value: u16| Field::short(order, tag, value);
    let shorts = |tag, values: &[u16]| Field {
        tag,
        kind: SHORT,
        count: values.len() as u32,
        data: values.iter().flat_map(|v| order.of_u16(*v)).collect(),
    };
    let channels = layout.channels();
    let mut fields = vec![
        Field::long(order, 0x0100, size.0),
        Field::long(order, 0x0101, size.1),
        shorts(0x0102, &vec![8 * layout.depth.bytes() as u16; channels]),
        short(0x0103, DEFLATE),
        short(0x0106, if layout.color == ColorKind::Rgb { 2 } else { 1 }),
        short(0x0112, 1),
        short(0x0115, channels as u16),
        Field::long(order, 0x0116, strip_rows),
        short(0x011C, 1),
    ];
    if layout.depth == Depth::F32 {
        fields.push(shorts(0x0153, &vec![3; channels]));
    } else {
        fields.push(short(0x013D, HORIZONTAL));
    }
    if layout.alpha {
        // Not multiplied into the colours.
        fields.push(short(0x0152, 2));
    }
    Dir { fields, children: vec![] }
}

fn add_metadata(directory: &mut Dir, job: &Job<'_>, exif: Option<&Tiff<'_, [u8]>>, order: Order) {
    let metadata = job.metadata;
    if let Some(tiff) = exif
        && let Some(first) = tiff.directory(tiff.first)
    {
        let found = collect(tiff, &first, |tag| !STRUCTURE.contains(&tag));
        directory.fields.extend(found.fields);
        directory.children = found.children;
    }
    if let Some(density) = metadata.density {
        let unit = match density.unit {
            DensityUnit::Aspect => 1,
            DensityUnit::Inch => 2,
            DensityUnit::Centimetre => 3,
        };
        directory.fields.retain(|field| ![0x011A, 0x011B, 0x0128].contains(&field.tag));
        directory.fields.extend([
            Field::rational(order, 0x011A, density.x),
            Field::rational(order, 0x011B, density.y),
            Field::short(order, 0x0128, unit),
        ]);
    }
    for (tag, kind, block) in [(0x02BC, 1, &metadata.xmp), (0x8773, 7, &metadata.icc)] {
        if let Some(block) = block {
            directory.fields.push(Field::bytes(tag, kind, block.clone()));
        }
    }
    if let Some(captions) = &metadata.iptc {
        // By custom these bytes are called LONG.
        let mut data = captions.clone();
        data.resize(data.len().next_multiple_of(4), 0);
        let count = (data.len() / 4) as u32;
        directory.fields.push(Field { tag: 0x83BB, kind: LONG, count, data });
    }
}

/// One strip: differences of neighbours (for whole numbers), file order, deflate.
fn pack(mut strip: Vec<u8>, layout: Layout, width: u32, order: Order) -> std::io::Result<Vec<u8>> {
    let channels = layout.channels();
    let row_bytes = width as usize * layout.pixel_bytes();
    for row in strip.chunks_exact_mut(row_bytes) {
        match layout.depth {
            Depth::U8 => {
                for i in (channels..row.len()).rev() {
                    row[i] = row[i].wrapping_sub(row[i - channels]);
                }
            }
            Depth::U16 => {
                let (samples, _) = row.as_chunks_mut::<2>();
                for i in (channels..samples.len()).rev() {
                    let before = u16::from_ne_bytes(samples[i - channels]);
                    let difference = u16::from_ne_bytes(samples[i]).wrapping_sub(before);
                    samples[i] = order.of_u16(difference);
                }
                for sample in samples.iter_mut().take(channels) {
                    *sample = order.of_u16(u16::from_ne_bytes(*sample));
                }
            }
            Depth::F32 => {
                let (samples, _) = row.as_chunks_mut::<4>();
                for sample in samples {
                    *sample = order.of_u32(u32::from_ne_bytes(*sample));
                }
            }
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(strip.len() / 2), Compression::new(6));
    encoder.write_all(&strip)?;
    encoder.finish()
}
