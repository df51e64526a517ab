//! The many forms that samples have in TIFF files, made into rows of a raster.

use half::f16;

use super::divide_by_alpha;
use crate::error::PhotoError;
use crate::raster::{ColorKind, Depth, Layout};

/// What a TIFF's colours are.
pub(super) enum Kind {
    Gray,
    Rgb,
    /// Indices into these.
    Palette(Vec<[u8; 3]>),
    /// Full range, ITU-R BT.601, as JPEG has it.
    YCbCr,
}

/// How to read samples, and what to make of them.
pub(super) struct Pixels {
    pub(super) kind: Kind,
    pub(super) layout: Layout,
    /// Bits of a sample in the file.
    pub(super) bits: usize,
    pub(super) float: bool,
    /// Whether the colours were multiplied by alpha.
    pub(super) associated: bool,
}

impl Pixels {
    /// Whether the file's samples, `samples` a pixel, are those of the raster already.
    pub(super) fn is_direct(&self, samples: usize) -> bool {
        matches!(self.kind, Kind::Gray | Kind::Rgb)
            && self.bits == 8 * self.layout.depth.bytes()
            && self.float == (self.layout.depth == Depth::F32)
            && samples == self.layout.channels()
    }

    /// What is left to do with rows in the layout of the raster.
    pub(super) fn finish(&self, rows: &mut [u8]) {
        if self.associated {
            divide_by_alpha(rows, self.layout);
        }
    }

    /// Appends a row of `width` pixels to `row`, in the layout of the raster. The row begins at
    /// `from` in `chunk`, with `samples` interleaved samples a pixel; with `plane` not 0, each
    /// channel lies `plane` bytes behind the one before.
    pub(super) fn convert_row(
        &self,
        chunk: &[u8],
        from: usize,
        plane: usize,
        samples: usize,
        width: usize,
        row: &mut Vec<u8>,
    ) -> Result<(), PhotoError> {
        let short = || PhotoError::damaged("the strips of this TIFF contradict its size");
        let line = (width * samples * self.bits).div_ceil(8);
        // Where channel `c` of pixel `x` is: the bytes to look in, and the number of the sample.
        let channel = |c: usize| -> Result<(&[u8], usize), PhotoError> {
            let (start, offset) = if plane == 0 { (from, c) } else { (from + c * plane, 0) };
            Ok((chunk.get(start..start + line).ok_or_else(short)?, offset))
        };
        match &self.kind {
            Kind::Gray | Kind::Rgb => {
                let sources =
                    (0..self.layout.channels()).map(channel).collect::<Result<Vec<_>, _>>()?;
                for x in 0..width {
                    for (bytes, offset) in &sources {
                        self.push(bytes, x * samples + offset, row);
                    }
                }
            }
            Kind::Palette(entries) => {
                let (bytes, _) = channel(0)?;
                for x in 0..width {
                    let index = self.integer(bytes, x * samples) as usize;
                    let entry = entries.get(index).ok_or_else(|| {
                        PhotoError::damaged("a pixel of this TIFF is not in its palette")
                    })?;
                    match self.layout.color {
                        ColorKind::Gray => row.push(entry[0]),
                        ColorKind::Rgb => row.extend_from_slice(entry),
                    }
                    if self.layout.alpha {
                        self.push(bytes, x * samples + 1, row);
                    }
                }
            }
            Kind::YCbCr => {
                if self.bits != 8 || self.layout.alpha {
                    return Err(PhotoError::unsupported("this kind of TIFF is not read"));
                }
                let (luma, y0) = channel(0)?;
                let (blue, b0) = channel(1)?;
                let (red, r0) = channel(2)?;
                for x in 0..width {
                    let at = |bytes: &[u8], offset| f32::from(byte(bytes, x * samples + offset));
                    let y = at(luma, y0);
                    let (cb, cr) = (at(blue, b0) - 128.0, at(red, r0) - 128.0);
                    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
                    // The cast saturates.
                    row.extend(rgb.map(|v| (v + 0.5) as u8));
                }
            }
        }
        Ok(())
    }

    /// Appends sample `index` of `bytes` in the depth of the raster.
    fn push(&self, bytes: &[u8], index: usize, row: &mut Vec<u8>) {
        match (self.layout.depth, self.bits, self.float) {
            (Depth::U8, 8, _) => row.push(byte(bytes, index)),
            (Depth::U8, ..) => {
                let full = (1 << self.bits) - 1;
                row.push((self.integer(bytes, index) * 255 / full) as u8);
            }
            (Depth::U16, ..) => row.extend(sample::<2>(bytes, index)),
            (Depth::F32, 32, true) => row.extend(sample::<4>(bytes, index)),
            (Depth::F32, bits, _) => {
                let value = match bits {
                    16 => f16::from_ne_bytes(sample(bytes, index)).to_f32(),
                    64 => f64::from_ne_bytes(sample(bytes, index)) as f32,
                    _ => {
                        let value = u32::from_ne_bytes(sample(bytes, index));
                        (f64::from(value) / f64::from(u32::MAX)) as f32
                    }
                };
                row.extend(value.to_ne_bytes());
            }
        }
    }

    /// An integer sample of up to 8 bits, packed from the high bit down.
    fn integer(&self, bytes: &[u8], index: usize) -> u32 {
        let bit = index * self.bits;
        let shift = 8 - self.bits - bit % 8;
        (u32::from(byte(bytes, bit / 8)) >> shift) & ((1 << self.bits) - 1)
    }
}

fn byte(bytes: &[u8], index: usize) -> u8 {
    bytes.get(index).copied().unwrap_or(0)
}

fn sample<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
    bytes.get(index * N..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}
