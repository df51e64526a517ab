//! Pixels and words for the app: tiles in sRGB, reduced to what the screen needs, and what is known
//! of a picture.

use std::path::Path;
use std::sync::Arc;

use limpid_kernels::Planes;
use limpid_photo::display::{self, DisplayTransform};
use limpid_photo::resample::{Filter, Resampler};
use limpid_photo::{PhotoError, Picture, Raster, Rect, WorkContext};

use crate::event::{Histogram, PictureInfo};
use crate::tile_cache::CachedTile;
use crate::tile_plan::reduced;

/// Longest side of the small picture in a queue row.
const THUMBNAIL: u32 = 128;

/// How much stronger than it was the removed part is shown: noise of the strength that a camera
/// leaves is a few levels of 255, and could not be seen as it is.
const REMOVED_GAIN: f32 = 4.0;

/// How an open picture is brought to the screen.
pub(crate) struct Screen(DisplayTransform);

impl Screen {
    pub(crate) fn new(picture: &Picture) -> Self {
        Self(DisplayTransform::of(picture))
    }

    /// A tile of `planes`, reduced by `1 << level`.
    pub(crate) fn tile(
        &self,
        planes: Planes,
        level: u32,
        cx: &WorkContext<'_>,
    ) -> Result<CachedTile, PhotoError> {
        let (width, height) = (planes.width() as u32, planes.height() as u32);
        let size = (reduced(width, level), reduced(height, level));
        let planes = match level {
            0 => planes,
            _ => {
                let whole = Rect::new(0, 0, width, height);
                let target = Rect::new(0, 0, size.0, size.1);
                let resampler = Resampler::new(Filter::Area, (width, height), size);
                resampler.apply(&planes, whole, target, cx.pool)?
            }
        };
        let rgba = display::rgba(&planes, &self.0, cx.pool);
        Ok(CachedTile { size: [size.0, size.1], rgba: rgba.into() })
    }

    /// The whole original, reduced by `1 << level`.
    pub(crate) fn overview(
        &self,
        picture: &Picture,
        level: u32,
        cx: &WorkContext<'_>,
    ) -> Result<CachedTile, PhotoError> {
        let size = (reduced(picture.width(), level), reduced(picture.height(), level));
        self.whole(picture, size, cx)
    }

    /// The original for a queue row.
    pub(crate) fn thumbnail(
        &self,
        picture: &Picture,
        cx: &WorkContext<'_>,
    ) -> Result<CachedTile, PhotoError> {
        let size = display::fit((picture.width(), picture.height()), THUMBNAIL);
        self.whole(picture, size, cx)
    }

    fn whole(
        &self,
        picture: &Picture,
        size: (u32, u32),
        cx: &WorkContext<'_>,
    ) -> Result<CachedTile, PhotoError> {
        let planes = display::reduced(&picture.raster, picture.raster.rect(), size, cx)?;
        let size = [planes.width() as u32, planes.height() as u32];
        Ok(CachedTile { size, rgba: display::rgba(&planes, &self.0, cx.pool).into() })
    }
}

/// What the recipe took away at `rect` of a result of `full` pixels, around mid-grey:
/// `0.5 + gain · (original − result)`, the result cut to what a file can hold. Where the result is larger, the original is brought to its
/// size without a network, so that what is shown is what the networks made of it.
pub(crate) fn removed(
    original: &Raster,
    result: &Planes,
    rect: Rect,
    full: (u32, u32),
    cx: &WorkContext<'_>,
) -> Result<Planes, PhotoError> {
    let size = (original.width(), original.height());
    let before = if size == full {
        original.read(rect)?
    } else {
        let resampler = Resampler::new(Filter::CatmullRom, size, full);
        let needed = resampler.input_rect(rect);
        resampler.apply(&original.read(needed)?, needed, rect, cx.pool)?
    };
    let colours = original.color().channels();
    let mut shown = before.clone();
    for channel in 0..colours {
        let result = result.plane(channel);
        for (value, result) in shown.plane_mut(channel).iter_mut().zip(result) {
            *value = 0.5 + REMOVED_GAIN * (*value - result.clamp(0.0, 1.0));
        }
    }
    Ok(shown)
}

/// What is known of a picture; its noise is not measured here.
pub(crate) fn describe(
    picture: &Picture,
    path: &Path,
    cx: &WorkContext<'_>,
) -> Result<PictureInfo, PhotoError> {
    Ok(PictureInfo {
        width: picture.width(),
        height: picture.height(),
        format: picture.format.name().to_owned(),
        pixels: picture.raster.layout().describe(),
        profile: picture.metadata.profile_name(),
        camera: picture.metadata.camera(),
        file_bytes: path.metadata().map_or(0, |metadata| metadata.len()),
        noise_sigma: None,
        histogram: Arc::new(Histogram(display::histogram(&picture.raster, cx)?)),
    })
}
