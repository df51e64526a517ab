//! PNG, row by row.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;

use png::chunk::ChunkType;
use png::text_metadata::ITXtChunk;
use png::{BitDepth, ColorType, Encoder, EncodingError, Info, PixelDimensions, Unit};

use super::Job;
use super::Watched;
use super::rows::Rows;
use crate::error::PhotoError;
use crate::metadata::{Density, DensityUnit};
use crate::raster::{ColorKind, Depth};

pub(super) fn encode(rows: &mut Rows<'_>, job: &Job<'_>, file: &File) -> Result<(), PhotoError> {
    let metadata = job.metadata;
    let layout = rows.layout();
    let kept = |name: &[u8; 4]| metadata.png.iter().any(|chunk| chunk.name == *name);
    let mut info = Info::with_size(rows.width(), rows.height());
    info.color_type = match (layout.color, layout.alpha) {
        (ColorKind::Gray, false) => ColorType::Grayscale,
        (ColorKind::Gray, true) => ColorType::GrayscaleAlpha,
        (ColorKind::Rgb, false) => ColorType::Rgb,
        (ColorKind::Rgb, true) => ColorType::Rgba,
    };
    info.bit_depth = if layout.depth == Depth::U8 { BitDepth::Eight } else { BitDepth::Sixteen };
    info.pixel_dims = metadata.density.map(pixel_dimensions);
    info.exif_metadata = metadata.exif.as_deref().map(Cow::Borrowed);
    // A profile that came from a PNG goes back with its name, among the kept chunks.
    if !kept(b"iCCP") {
        info.icc_profile = metadata.icc.as_deref().map(Cow::Borrowed);
    }
    if let Some(packet) = &metadata.xmp {
        let text = String::from_utf8_lossy(packet);
        info.utf8_text.push(ITXtChunk::new("XML:com.adobe.xmp", text));
    }
    let watched = Watched::new(file, job);
    let encoder = Encoder::with_info(watched, info).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    for chunk in &metadata.png {
        writer.write_chunk(ChunkType(chunk.name), &chunk.data).map_err(failed)?;
    }
    {
        let mut stream = writer.stream_writer_with_size(1 << 16).map_err(failed)?;
        let mut row = Vec::with_capacity(rows.row_bytes());
        for y in 0..rows.height() {
            row.clear();
            rows.append(y, &mut row)?;
            if layout.depth == Depth::U16 && cfg!(target_endian = "little") {
                let (samples, _) = row.as_chunks_mut::<2>();
                for sample in samples {
                    sample.reverse();
                }
            }
            stream.write_all(&row).map_err(PhotoError::writing)?;
        }
        stream.finish().map_err(failed)?;
    }
    writer.finish().map_err(failed)
}

/// PNG says pixels a metre.
fn pixel_dimensions(density: Density) -> PixelDimensions {
    let (factor, unit) = match density.unit {
        DensityUnit::Inch => (1.0 / 0.0254, Unit::Meter),
        DensityUnit::Centimetre => (100.0, Unit::Meter),
        DensityUnit::Aspect => (1.0, Unit::Unspecified),
    };
    let whole = |value: f64| (value * factor).round().clamp(1.0, f64::from(u32::MAX)) as u32;
    PixelDimensions { xppu: whole(density.x), yppu: whole(density.y), unit }
}

fn failed(error: EncodingError) -> PhotoError {
    match error {
        EncodingError::IoError(error) => PhotoError::writing(error),
        other => PhotoError::internal(format!("the PNG encoder refused its input ({other})")),
    }
}
