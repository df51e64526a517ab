//! A walk over the chunks of a PNG file: what it is, what of it is kept, and whether it is whole.

use std::io::Read;

use super::{Input, PIECE_LIMIT};
use crate::error::PhotoError;
use crate::metadata::{Density, DensityUnit, PngChunk};

/// What the chunks say.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u8,
    /// Colour type: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA.
    pub(super) color: u8,
    pub(super) interlaced: bool,
    /// Whether a chunk makes a colour transparent, or gives palette entries alpha.
    pub(super) transparency: bool,
    /// Whether every entry of the palette is grey.
    pub(super) gray_palette: bool,
    pub(super) animated: bool,
    pub(super) exif: Option<Vec<u8>>,
    pub(super) density: Option<Density>,
    /// Chunks that go into a PNG result as they are.
    pub(super) kept: Vec<PngChunk>,
}

/// Chunks that say how to show the picture or who made it; none depends on size or place.
const KEPT: [[u8; 4]; 10] = [
    *b"iCCP", *b"gAMA", *b"cHRM", *b"sRGB", *b"cICP", *b"mDCV", *b"cLLI", *b"tEXt", *b"zTXt",
    *b"iTXt",
];

/// Walks over the whole file.
pub(super) fn scan(input: &mut Input<'_>) -> Result<Scan, PhotoError> {
    let mut scan = Scan::default();
    let mut kept_bytes = 0;
    let mut has_data = false;
    input.pass(8)?;
    for index in 0_u64.. {
        let mut head = [0; 8];
        input.read_exact(&mut head).map_err(PhotoError::reading)?;
        let [l3, l2, l1, l0, name @ ..] = head;
        let length = u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        if (index == 0) != (&name == b"IHDR") {
            return Err(PhotoError::damaged("the header of this PNG is not where it belongs"));
        }
        match &name {
            b"IEND" => {
                input.pass(4)?;
                break;
            }
            b"IDAT" => {
                has_data = true;
                input.pass(length + 4)?;
            }
            b"acTL" => {
                scan.animated = true;
                input.pass(length + 4)?;
            }
            b"tRNS" => {
                scan.transparency = true;
                input.pass(length + 4)?;
            }
            b"IHDR" | b"PLTE" | b"eXIf" | b"pHYs" => {
                if length > PIECE_LIMIT {
                    return Err(PhotoError::damaged("a chunk of this PNG is far too long"));
                }
                let data = input.take_bytes(length)?;
                input.pass(4)?;
                read_chunk(&mut scan, &name, data)?;
            }
            _ if KEPT.contains(&name) && kept_bytes + length <= PIECE_LIMIT => {
                kept_bytes += length;
                let data = input.take_bytes(length)?;
                input.pass(4)?;
                scan.kept.push(PngChunk { name, data });
            }
            _ => input.pass(length + 4)?,
        }
    }
    if !has_data {
        return Err(PhotoError::damaged("this PNG holds no picture"));
    }
    Ok(scan)
}

fn read_chunk(scan: &mut Scan, name: &[u8; 4], data: Vec<u8>) -> Result<(), PhotoError> {
    match (name, data.as_slice()) {
        (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, bits, color, _, _, interlaced]) => {
            scan.width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
            scan.height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
            scan.bits = *bits;
            scan.color = *color;
            scan.interlaced = *interlaced != 0;
        }
        (b"IHDR", _) => return Err(PhotoError::damaged("the header of this PNG is damaged")),
        (b"PLTE", entries) => {
            scan.gray_palette = entries.chunks_exact(3).all(|e| e[0] == e[1] && e[1] == e[2]);
        }
        (b"pHYs", [x3, x2, x1, x0, y3, y2, y1, y0, unit]) => {
            let x = f64::from(u32::from_be_bytes([*x3, *x2, *x1, *x0]));
            let y = f64::from(u32::from_be_bytes([*y3, *y2, *y1, *y0]));
            if x > 0.0 && y > 0.0 {
                // Stated a metre.
                scan.density = Some(if *unit == 1 {
                    Density { x: x / 100.0, y: y / 100.0, unit: DensityUnit::Centimetre }
                } else {
                    Density { x, y, unit: DensityUnit::Aspect }
                });
            }
        }
        (b"eXIf", _) => scan.exif = Some(data),
        _ => {}
    }
    Ok(())
}
