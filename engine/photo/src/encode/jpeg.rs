//! JPEG: the encoder pulls one row after the other.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};

use jpeg_encoder::{
    ChromaSubsamplingMethod, Encoder, EncodingError, ImageBuffer, JpegColorType, PixelDensity,
    PixelDensityUnit, SamplingFactor, rgb_to_ycbcr,
};

use super::rows::Rows;
use super::{Job, Watched};
use crate::error::PhotoError;
use crate::metadata::{Density, DensityUnit, exif, iptc, xmp};
use crate::raster::ColorKind;

/// From this quality on, colour keeps its full resolution (4:4:4); below, half of it (4:2:0).
const FULL_COLOR_QUALITY: u8 = 90;

/// Bytes that a segment holds.
const SEGMENT: usize = 65_533;

pub(super) fn encode(
    rows: &mut Rows<'_>,
    job: &Job<'_>,
    file: &File,
    notes: &mut Vec<String>,
) -> Result<(), PhotoError> {
    let fault = RefCell::new(None);
    let writer = Stopped { inner: Watched::new(file, job), fault: &fault };
    let mut encoder = Encoder::new(writer, job.quality);
    let sampling = if job.quality >= FULL_COLOR_QUALITY {
        SamplingFactor::R_4_4_4
    } else {
        SamplingFactor::R_4_2_0
    };
    encoder.set_sampling_factor(sampling);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    if let Some(density) = job.metadata.density {
        encoder.set_density(pixel_density(density));
    }
    add_metadata(&mut encoder, job, notes).map_err(failed)?;

    let (width, height) = (rows.width() as u16, rows.height() as u16);
    let gray = rows.layout().color == ColorKind::Gray;
    let source = RefCell::new((rows, Vec::new()));
    let image = PulledImage { source, fault: &fault, width, height, gray };
    let outcome = encoder.encode_image(image);
    match fault.take() {
        Some(fault) => Err(fault),
        None => outcome.map_err(failed),
    }
}

fn add_metadata<W: Write>(
    encoder: &mut Encoder<W>,
    job: &Job<'_>,
    notes: &mut Vec<String>,
) -> Result<(), EncodingError> {
    let metadata = job.metadata;
    if let Some(block) = &metadata.exif {
        let room = SEGMENT - 6;
        if block.len() <= room {
            encoder.add_exif_metadata(block)?;
        } else {
            match exif::without_maker_note(block).filter(|block| block.len() <= room) {
                Some(shorter) => {
                    notes.push("JPEG holds 64 KB of EXIF: the maker notes were left out".into());
                    encoder.add_exif_metadata(&shorter)?;
                }
                None => notes.push("JPEG holds 64 KB of EXIF: it was left out".into()),
            }
        }
    }
    if let Some(packet) = &metadata.xmp {
        let head = b"http://ns.adobe.com/xap/1.0/\0";
        let room = SEGMENT - head.len();
        let packet =
            if packet.len() > room { xmp::without_padding(packet) } else { packet.clone() };
        if packet.len() <= room {
            encoder.add_app_segment(1, [head.as_slice(), &packet].concat())?;
        } else {
            notes.push("JPEG holds 64 KB of XMP: it was left out".into());
        }
    }
    if let Some(profile) = &metadata.icc
        && encoder.add_icc_profile(profile).is_err()
    {
        notes.push("the colour profile is too large for JPEG and was left out".into());
    }
    if let Some(captions) = &metadata.iptc {
        let segment = [b"Photoshop 3.0\0".as_slice(), &iptc::to_photoshop(captions)].concat();
        if segment.len() <= SEGMENT {
            encoder.add_app_segment(13, segment)?;
        } else {
            notes.push("JPEG holds 64 KB of IPTC captions: they were left out".into());
        }
    }
    Ok(())
}

/// JFIF says whole numbers in 16 bits.
fn pixel_density(density: Density) -> PixelDensity {
    let whole = |value: f64| value.round().clamp(1.0, 65535.0) as u16;
    let is_whole = |value: f64| (value - value.round()).abs() < 1e-3;
    let (factor, unit) = match density.unit {
        DensityUnit::Inch => (1.0, PixelDensityUnit::Inches),
        // 300 dots an inch come out of a PNG as 118.11 a centimetre: inches keep them better.
        DensityUnit::Centimetre if is_whole(density.x) && is_whole(density.y) => {
            (1.0, PixelDensityUnit::Centimeters)
        }
        DensityUnit::Centimetre => (2.54, PixelDensityUnit::Inches),
        DensityUnit::Aspect => (1.0, PixelDensityUnit::PixelAspectRatio),
    };
    PixelDensity { density: (whole(density.x * factor), whole(density.y * factor)), unit }
}

/// Rows as the encoder asks for them. It cannot be told of a fault: that is kept in `fault`, and
/// the writer stops the encoder.
struct PulledImage<'r, 'a, 'f> {
    source: RefCell<(&'r mut Rows<'a>, Vec<u8>)>,
    fault: &'f RefCell<Option<PhotoError>>,
    width: u16,
    height: u16,
    gray: bool,
}

impl ImageBuffer for PulledImage<'_, '_, '_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        if self.gray { JpegColorType::Luma } else { JpegColorType::Ycbcr }
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (rows, row) = &mut *self.source.borrow_mut();
        row.clear();
        let mut fault = self.fault.borrow_mut();
        if fault.is_none()
            && let Err(error) = rows.append(u32::from(y), row)
        {
            *fault = Some(error);
        }
        row.resize(rows.row_bytes(), 0);
        let [first, second, third, _] = buffers;
        if self.gray {
            first.extend_from_slice(row);
            return;
        }
        let (pixels, _) = row.as_chunks::<3>();
        for [r, g, b] in pixels {
            let (luma, blue, red) = rgb_to_ycbcr(*r, *g, *b);
            first.push(luma);
            second.push(blue);
            third.push(red);
        }
    }
}

/// Refuses bytes once a fault is known.
struct Stopped<'f, W> {
    inner: W,
    fault: &'f RefCell<Option<PhotoError>>,
}

impl<W: Write> Write for Stopped<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.fault.borrow().is_some() {
            return Err(io::Error::other("stopped"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn failed(error: EncodingError) -> PhotoError {
    match error {
        EncodingError::IoError(error) => PhotoError::writing(error),
        other => PhotoError::internal(format!("the JPEG encoder refused its input ({other})")),
    }
}
