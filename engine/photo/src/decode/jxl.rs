//! JPEG XL; read, not written.

use jxl_oxide::image::BitDepth;
use jxl_oxide::{
    AllocTracker, ExtraChannelType, InitializeResult, JxlImage, JxlThreadPool, PixelFormat,
};
use std::io::Read;

use super::{Decoded, Input, check_size, divide_by_alpha};
use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::metadata::{Metadata, exif};
use crate::raster::{ColorKind, Depth, Layout, Raster};

/// Bytes that the decoder takes for a pixel at its peak: three float planes, their copies between
/// stages, and the coefficients.
const WORKING_BYTES: u64 = 48;

pub(super) fn decode(mut input: Input<'_>, cx: &WorkContext<'_>) -> Result<Decoded, PhotoError> {
    let limit = usize::try_from(cx.budget_bytes).unwrap_or(usize::MAX);
    let mut waiting = JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(limit))
        .build_uninit();
    let mut buffer = vec![0; 64 << 10];
    let mut held = 0;
    let mut opened: Option<(JxlImage, Layout)> = None;
    loop {
        let count = input.read(&mut buffer[held..]).map_err(PhotoError::reading)?;
        if count == 0 {
            break;
        }
        held += count;
        let used;
        match opened.as_mut() {
            Some((image, _)) => used = image.feed_bytes(&buffer[..held]).map_err(failed)?,
            None => {
                used = waiting.feed_bytes(&buffer[..held]).map_err(failed)?;
                match waiting.try_init().map_err(failed)? {
                    InitializeResult::NeedMoreData(more) => waiting = more,
                    InitializeResult::Initialized(image) => {
                        let layout = layout_of(&image)?;
                        let pixels = u64::from(image.width()) * u64::from(image.height());
                        let working = pixels.saturating_mul(WORKING_BYTES);
                        check_size(image.width(), image.height(), layout, working, false, cx)?;
                        opened = Some((image, layout));
                        waiting = JxlImage::builder().pool(JxlThreadPool::none()).build_uninit();
                    }
                }
            }
        }
        buffer.copy_within(used..held, 0);
        held -= used;
        if held == buffer.len() {
            return Err(PhotoError::damaged("the data of this JPEG XL are damaged"));
        }
    }
    let Some((mut image, layout)) = opened else {
        return Err(PhotoError::reading(std::io::ErrorKind::UnexpectedEof.into()));
    };
    image.finalize().map_err(failed)?;
    if !image.is_loading_done() {
        return Err(PhotoError::reading(std::io::ErrorKind::UnexpectedEof.into()));
    }
    if image.num_loaded_keyframes() > 1 {
        return Err(animated());
    }
    cx.cancel.check()?;
    let render = image.render_frame(0).map_err(failed)?;
    let mut stream = render.stream();
    let (width, height) = (stream.width(), stream.height());
    if stream.channels() as usize != layout.channels() {
        return Err(PhotoError::unsupported("this JPEG XL has channels that Limpid does not know"));
    }
    let associated =
        image.image_header().metadata.ec_info.iter().any(|channel| {
            matches!(channel.ty, ExtraChannelType::Alpha { alpha_associated: true })
        });
    let mut raster = Raster::new(width, height, layout, cx.budget_bytes)?;
    let samples = width as usize * layout.channels();
    for y in 0..height {
        if y % 64 == 0 {
            cx.cancel.check()?;
        }
        let mut row: Vec<u8> = match layout.depth {
            Depth::U8 => {
                let mut row = vec![0_u8; samples];
                stream.write_to_buffer(&mut row);
                row
            }
            Depth::U16 => {
                let mut row = vec![0_u16; samples];
                stream.write_to_buffer(&mut row);
                row.into_iter().flat_map(u16::to_ne_bytes).collect()
            }
            Depth::F32 => {
                let mut row = vec![0_f32; samples];
                stream.write_to_buffer(&mut row);
                row.into_iter().flat_map(f32::to_ne_bytes).collect()
            }
        };
        if associated && layout.alpha {
            divide_by_alpha(&mut row, layout);
        }
        raster.write_rows(y, &row)?;
    }
    let icc = image.rendered_icc();
    let boxes = image.aux_boxes();
    let exif_block = match boxes.first_exif() {
        Ok(jxl_oxide::AuxBoxData::Data(found)) => Some(found.payload().to_vec()),
        _ => None,
    };
    let metadata = Metadata {
        icc: (!icc.is_empty()).then_some(icc),
        exif: exif_block.map(|block| exif::without_prefix(&block).to_vec()),
        xmp: match boxes.first_xml() {
            jxl_oxide::AuxBoxData::Data(xml) => Some(xml.to_vec()),
            _ => None,
        },
        ..Metadata::default()
    };
    Ok(Decoded { raster, metadata, upright: true })
}

fn layout_of(image: &JxlImage) -> Result<Layout, PhotoError> {
    let about = &image.image_header().metadata;
    if about.animation.is_some() {
        return Err(animated());
    }
    let (color, alpha) = match image.pixel_format() {
        PixelFormat::Gray => (ColorKind::Gray, false),
        PixelFormat::Graya => (ColorKind::Gray, true),
        PixelFormat::Rgb => (ColorKind::Rgb, false),
        PixelFormat::Rgba => (ColorKind::Rgb, true),
        PixelFormat::Cmyk | PixelFormat::Cmyka => {
            return Err(PhotoError::unsupported(
                "this JPEG XL is in CMYK (for print), convert it to RGB first",
            ));
        }
    };
    let depth = match about.bit_depth {
        BitDepth::IntegerSample { bits_per_sample: 0..=8 } => Depth::U8,
        BitDepth::IntegerSample { bits_per_sample: 9..=16 } => Depth::U16,
        _ => Depth::F32,
    };
    Ok(Layout { color, alpha, depth })
}

fn animated() -> PhotoError {
    PhotoError::unsupported("this JPEG XL is an animation, only still pictures are read")
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> PhotoError {
    PhotoError::damaged("the data of this JPEG XL are damaged").because(error)
}
