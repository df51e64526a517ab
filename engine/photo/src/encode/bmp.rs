//! Windows bitmaps: 8-bit grey with a palette, 24-bit RGB, 32-bit with alpha; a profile is embedded.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use super::rows::Rows;
use super::{Job, Watched};
use crate::error::{ErrorKind, PhotoError};
use crate::metadata::DensityUnit;
use crate::raster::{ColorKind, Layout};

const FILE_HEADER: u32 = 14;

pub(super) fn encode(rows: &mut Rows<'_>, job: &Job<'_>, file: &File) -> Result<(), PhotoError> {
    let layout = rows.layout();
    let (width, height) = (rows.width(), rows.height());
    let gray = layout.color == ColorKind::Gray && !layout.alpha;
    let pixel_bytes: u32 = if gray { 1 } else { 3 + u32::from(layout.alpha) };
    let stride = (u64::from(width) * u64::from(pixel_bytes)).div_ceil(4) * 4;
    let profile = job.metadata.icc.as_deref().unwrap_or_default();
    // The long header says what the fourth byte is, and where the profile stands.
    let long = layout.alpha || !profile.is_empty();
    let info_bytes: u32 = if long { 124 } else { 40 };
    let palette_bytes: u32 = if gray { 4 * 256 } else { 0 };
    let pixels_at = FILE_HEADER + info_bytes + palette_bytes;
    let total = u64::from(pixels_at) + stride * u64::from(height) + profile.len() as u64;
    let Ok(total) = u32::try_from(total) else {
        return Err(PhotoError::new(
            ErrorKind::Unwritable,
            format!(
                "BMP holds up to 4 GB and {width} x {height} pixels take more, choose PNG or TIFF"
            ),
        ));
    };

    let mut head = b"BM".to_vec();
    let put = |head: &mut Vec<u8>, value: u32| head.extend(value.to_le_bytes());
    put(&mut head, total);
    put(&mut head, 0);
    put(&mut head, pixels_at);
    put(&mut head, info_bytes);
    put(&mut head, width);
    put(&mut head, height);
    head.extend(1_u16.to_le_bytes());
    head.extend(((8 * pixel_bytes) as u16).to_le_bytes());
    // 3: the masks below say which bits are which colour.
    put(&mut head, if layout.alpha { 3 } else { 0 });
    put(&mut head, (stride * u64::from(height)) as u32);
    for metres in per_metre(job) {
        put(&mut head, metres);
    }
    put(&mut head, if gray { 256 } else { 0 });
    put(&mut head, 0);
    if long {
        let masks = [0x00FF_0000, 0x0000_FF00, 0x0000_00FF, 0xFF00_0000];
        for mask in if layout.alpha { masks } else { [0; 4] } {
            put(&mut head, mask);
        }
        let space = if profile.is_empty() { b"sRGB" } else { b"MBED" };
        put(&mut head, u32::from_be_bytes(*space));
        head.extend([0; 36 + 12]);
        // Intent: pictures. Then the profile, counted from the start of this header.
        put(&mut head, 4);
        let at = if profile.is_empty() { 0 } else { total - profile.len() as u32 - FILE_HEADER };
        put(&mut head, at);
        put(&mut head, profile.len() as u32);
        put(&mut head, 0);
    }
    if gray {
        head.extend((0..=255).flat_map(|level: u8| [level, level, level, 0]));
    }

    let mut writer = Watched::new(file, job);
    writer.write_all(&head).map_err(PhotoError::writing)?;
    let mut row = Vec::new();
    let mut line = Vec::new();
    // Rows stand bottom up in the file and come top down: each is put in its place.
    for y in 0..height {
        row.clear();
        rows.append(y, &mut row)?;
        line.clear();
        to_bgr(&row, layout, &mut line);
        line.resize(stride as usize, 0);
        let place = u64::from(pixels_at) + stride * u64::from(height - 1 - y);
        writer.seek(SeekFrom::Start(place)).map_err(PhotoError::writing)?;
        writer.write_all(&line).map_err(PhotoError::writing)?;
    }
    let end = u64::from(total) - profile.len() as u64;
    writer.seek(SeekFrom::Start(end)).map_err(PhotoError::writing)?;
    writer.write_all(profile).map_err(PhotoError::writing)?;
    writer.flush().map_err(PhotoError::writing)
}

fn to_bgr(row: &[u8], layout: Layout, line: &mut Vec<u8>) {
    match (layout.color, layout.alpha) {
        (ColorKind::Gray, false) => line.extend_from_slice(row),
        (ColorKind::Gray, true) => {
            line.extend(row.as_chunks::<2>().0.iter().flat_map(|[v, a]| [*v, *v, *v, *a]));
        }
        (ColorKind::Rgb, false) => {
            line.extend(row.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*b, *g, *r]));
        }
        (ColorKind::Rgb, true) => {
            line.extend(row.as_chunks::<4>().0.iter().flat_map(|[r, g, b, a]| [*b, *g, *r, *a]));
        }
    }
}

/// Resolution across and down; 0 when unknown.
fn per_metre(job: &Job<'_>) -> [u32; 2] {
    let Some(density) = job.metadata.density else { return [0; 2] };
    let factor = match density.unit {
        DensityUnit::Inch => 1.0 / 0.0254,
        DensityUnit::Centimetre => 100.0,
        DensityUnit::Aspect => return [0; 2],
    };
    [density.x, density.y].map(|v| (v * factor).round().clamp(0.0, f64::from(i32::MAX)) as u32)
}
