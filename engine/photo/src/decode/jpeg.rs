//! JPEG, decoded straight into the raster's memory.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, Input, check_size, jpeg_scan};
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::raster::{ColorKind, Depth, Layout, Raster, byte_size};

pub(super) fn decode(mut input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    let mut scan = jpeg_scan::headers(&mut input)?;
    let color = match (scan.frame, scan.precision, scan.components.len()) {
        (0xC0..=0xC2, 8, 1) => ColorKind::Gray,
        (0xC0..=0xC2, 8, 3) => ColorKind::Rgb,
        (0xC0..=0xC2, 8, 4) => {
            return Err(PhotoError::unsupported(
                "this JPEG is in CMYK (for print), convert it to RGB first",
            ));
        }
        (0xC0..=0xC2, 8, count) => {
            return Err(PhotoError::unsupported(format!("this JPEG has {count} channels")));
        }
        (0xC0..=0xC2, bits, _) => {
            return Err(PhotoError::unsupported(format!(
                "this JPEG has {bits} bits a channel, only 8 are read"
            )));
        }
        (0xC3 | 0xC7 | 0xCB | 0xCF, ..) => {
            return Err(PhotoError::unsupported("lossless JPEG files are not read"));
        }
        _ => {
            return Err(PhotoError::unsupported(
                "this rare kind of JPEG (arithmetic or hierarchical) is not read",
            ));
        }
    };
    let (width, height) = (scan.width, scan.height);
    let layout = Layout { color, alpha: false, depth: Depth::U8 };
    check_size(width, height, layout, scan.coefficient_bytes(), false, cx)?;
    jpeg_scan::verify(&mut scan, &mut input)?;

    let output = match color {
        ColorKind::Gray => ColorSpace::Luma,
        ColorKind::Rgb => ColorSpace::RGB,
    };
    // Strict: a file whose data end early is an error, not a picture with a grey end.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(output);
    let head = std::mem::take(&mut scan.head);
    let mut decoder =
        JpegDecoder::new_with_options(Stream::new(head, input, scan.body_at)?, options);
    let failed = |error: zune_jpeg::errors::DecodeErrors| {
        PhotoError::damaged("the data of this JPEG are damaged").because(error.to_string())
    };
    decoder.decode_headers().map_err(failed)?;
    // The decoder needs the pixels in one piece: they move to a file afterwards when large.
    let mut raster = Raster::new(width, height, layout, u64::MAX)?;
    let wanted = byte_size(width, height, layout);
    let pixels = raster.bytes_mut().unwrap_or_default();
    if decoder.output_buffer_size().map(|size| size as u64) != Some(wanted) {
        return Err(PhotoError::damaged("the header of this JPEG contradicts itself"));
    }
    decoder.decode_into(pixels).map_err(failed)?;
    drop(decoder);
    let raster = raster.within(cx.budget_bytes)?;
    Ok(Decoded { raster, metadata: scan.metadata, upright: false })
}

/// A header of our own and the data of the file behind it: what the decoder makes of metadata,
/// sound or not, is of no interest and cannot fail.
struct Stream<'a> {
    head: Vec<u8>,
    body: Input<'a>,
    body_at: u64,
    position: u64,
}

impl<'a> Stream<'a> {
    fn new(head: Vec<u8>, mut body: Input<'a>, body_at: u64) -> Result<Self, PhotoError> {
        body.seek_to(body_at)?;
        Ok(Self { head, body, body_at, position: 0 })
    }

    /// What of the header is still to be read.
    fn rest(&self) -> &[u8] {
        usize::try_from(self.position).ok().and_then(|at| self.head.get(at..)).unwrap_or_default()
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.rest();
        let count = if rest.is_empty() { self.body.read(buffer)? } else { rest.read(buffer)? };
        self.position += count as u64;
        Ok(count)
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() { self.body.fill_buf() } else { Ok(self.rest()) }
    }

    fn consume(&mut self, amount: usize) {
        if self.rest().is_empty() {
            self.body.consume(amount);
        }
        self.position += amount as u64;
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let head = self.head.len() as u64;
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(step) => self.position.checked_add_signed(step),
            SeekFrom::End(step) => {
                let length = (self.body.length + head).saturating_sub(self.body_at);
                length.checked_add_signed(step)
            }
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        self.body.seek(SeekFrom::Start(self.body_at + target.saturating_sub(head)))?;
        self.position = target;
        Ok(target)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}
