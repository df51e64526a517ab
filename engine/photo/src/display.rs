//! Pictures for the screen: colours turned to sRGB, reduced sizes, histogram.

use std::sync::Arc;

use limpid_kernels::{Planes, Pool};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform16BitExecutor, TransformOptions};
use rayon::prelude::*;

use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::picture::Picture;
use crate::raster::{ColorKind, Raster};
use crate::resample::{Filter, Resampler};

/// How a picture's colours become sRGB for the screen.
#[derive(Clone)]
pub struct DisplayTransform {
    /// None when the colours are sRGB already.
    transform: Option<Arc<Transform16BitExecutor>>,
    /// Colour channels of the source.
    colours: usize,
    profile_is_unusable: bool,
}

impl std::fmt::Debug for DisplayTransform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DisplayTransform")
            .field("converts", &self.transform.is_some())
            .field("colours", &self.colours)
            .field("profile_is_unusable", &self.profile_is_unusable)
            .finish()
    }
}

impl DisplayTransform {
    /// For pixels of kind `color` with the embedded profile `icc`. Without a profile they are
    /// taken for sRGB; with one that is damaged or of another kind also, and
    /// [`Self::profile_is_unusable`] says so.
    #[must_use]
    pub fn new(icc: Option<&[u8]>, color: ColorKind) -> Self {
        let transform = icc.map(|icc| to_srgb(icc, color));
        Self {
            profile_is_unusable: matches!(transform, Some(None)),
            transform: transform.flatten(),
            colours: color.channels(),
        }
    }

    /// For the pixels of `picture`.
    #[must_use]
    pub fn of(picture: &Picture) -> Self {
        Self::new(picture.metadata.icc.as_deref(), picture.raster.color())
    }

    /// Whether there is a profile that cannot be used, so that colours may look off.
    #[must_use]
    pub fn profile_is_unusable(&self) -> bool {
        self.profile_is_unusable
    }
}

/// The way from `icc` to sRGB; none when the profile is damaged or of another kind than `color`.
fn to_srgb(icc: &[u8], color: ColorKind) -> Option<Arc<Transform16BitExecutor>> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    let (space, layout) = match color {
        ColorKind::Gray => (DataColorSpace::Gray, Layout::Gray),
        ColorKind::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let options = TransformOptions::default();
    profile.create_transform_16bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options).ok()
}

/// `planes`, `[1 | 3 colour channels (+ 1 alpha), H, W]`, as sRGB RGBA bytes, `H * W * 4` of
/// them, alpha not premultiplied and opaque where there is none.
#[must_use]
pub fn rgba(planes: &Planes, transform: &DisplayTransform, pool: &Pool) -> Vec<u8> {
    const RUN: usize = 1 << 14;
    let area = planes.height() * planes.width();
    let colours = transform.colours.min(planes.channels());
    let mut bytes = vec![255_u8; area * 4];
    if colours == 0 || area == 0 {
        return bytes;
    }
    pool.install(|| {
        bytes.par_chunks_mut(RUN * 4).enumerate().for_each(|(index, out)| {
            let pixels = index * RUN..index * RUN + out.len() / 4;
            let samples = |channel: usize| &planes.plane(channel)[pixels.clone()];
            let converted = transform
                .transform
                .as_ref()
                .and_then(|transform| convert(transform.as_ref(), colours, &samples));
            if let Some(rgb) = converted {
                for (pixel, rgb) in out.chunks_exact_mut(4).zip(rgb.chunks_exact(3)) {
                    for (byte, value) in pixel.iter_mut().zip(rgb) {
                        // 65535 = 255 * 257.
                        *byte = ((u32::from(*value) + 128) / 257) as u8;
                    }
                }
            } else {
                for channel in 0..3 {
                    let from = samples(channel.min(colours - 1));
                    for (pixel, value) in out.chunks_exact_mut(4).zip(from) {
                        pixel[channel] = to_byte(*value);
                    }
                }
            }
            if planes.channels() > colours {
                for (pixel, value) in out.chunks_exact_mut(4).zip(samples(colours)) {
                    pixel[3] = to_byte(*value);
                }
            }
        });
    });
    bytes
}

/// A run of pixels through `transform`: red, green and blue in turn; none when it refuses.
fn convert<'a>(
    transform: &Transform16BitExecutor,
    colours: usize,
    samples: &dyn Fn(usize) -> &'a [f32],
) -> Option<Vec<u16>> {
    let count = samples(0).len();
    let mut source = vec![0_u16; count * colours];
    for channel in 0..colours {
        for (value, sample) in source[channel..].iter_mut().step_by(colours).zip(samples(channel)) {
            // The cast saturates, which is the clamp.
            *value = (sample * 65535.0 + 0.5) as u16;
        }
    }
    let mut rgb = vec![0_u16; count * 3];
    transform.transform(&source, &mut rgb).ok()?;
    Some(rgb)
}

/// `0..=1` to `0..=255`, to the nearest; the cast saturates.
fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5) as u8
}

/// The largest size of the aspect of `size` whose longer side is at most `side`; never larger
/// than `size`, at least 1 x 1.
#[must_use]
pub fn fit(size: (u32, u32), side: u32) -> (u32, u32) {
    let long = size.0.max(size.1);
    if long <= side {
        return (size.0.max(1), size.1.max(1));
    }
    let shrink = |length: u32| {
        let exact = f64::from(length) * f64::from(side) / f64::from(long);
        (exact.round() as u32).max(1)
    };
    (shrink(size.0), shrink(size.1))
}

/// `rect` of `raster` at `size` columns and rows (at most those of `rect`): each pixel is the
/// mean of the area it covers, colours weighed by alpha. Channels are those of the raster.
///
/// The source is read in bands, so memory stays small for a picture of any size.
///
/// # Errors
/// `Cancelled`; `rect` is empty or leaves the picture; the temporary file behind it fails.
pub fn reduced(
    raster: &Raster,
    rect: Rect,
    size: (u32, u32),
    cx: &WorkContext<'_>,
) -> Result<Planes, PhotoError> {
    /// Samples of the source that a band may hold.
    const BAND_SAMPLES: u64 = 1 << 20;
    if rect.is_empty() || rect.intersect(raster.rect()) != rect {
        return Err(PhotoError::internal(format!("{rect:?} is not a part of the picture")));
    }
    let size = (size.0.clamp(1, rect.width), size.1.clamp(1, rect.height));
    let channels = raster.layout().channels();
    let resampler = Resampler::new(Filter::Area, (rect.width, rect.height), size);
    let row_samples =
        u64::from(rect.width) * channels as u64 * u64::from(rect.height) / u64::from(size.1);
    let band_rows = (BAND_SAMPLES / row_samples.max(1)).clamp(1, u64::from(size.1)) as u32;
    let bands: Vec<Rect> = (0..size.1)
        .step_by(band_rows as usize)
        .map(|y| Rect::new(0, y, size.0, band_rows.min(size.1 - y)))
        .collect();

    let reduce = |band: &Rect| -> Result<Planes, PhotoError> {
        cx.cancel.check()?;
        let needed = resampler.input_rect(*band);
        let place = Rect { x: rect.x + needed.x, y: rect.y + needed.y, ..needed };
        let mut source = raster.read(place)?;
        if raster.has_alpha() {
            weigh_by_alpha(&mut source, |colour, alpha| colour * alpha);
        }
        let mut result = resampler.apply(&source, needed, *band, cx.pool)?;
        if raster.has_alpha() {
            weigh_by_alpha(
                &mut result,
                |colour, alpha| {
                    if alpha > 0.0 { colour / alpha } else { 0.0 }
                },
            );
        }
        Ok(result)
    };
    let results: Vec<Planes> =
        cx.pool.install(|| bands.par_iter().map(reduce).collect::<Result<_, _>>())?;
    let mut data = Vec::with_capacity(channels * size.0 as usize * size.1 as usize);
    for channel in 0..channels {
        for band in &results {
            data.extend_from_slice(band.plane(channel));
        }
    }
    Ok(Planes::from_vec(channels, size.1 as usize, size.0 as usize, data)?)
}

/// Applies `weigh` to every colour sample and the alpha of its pixel; alpha is the last channel.
fn weigh_by_alpha(planes: &mut Planes, weigh: impl Fn(f32, f32) -> f32) {
    let area = planes.height() * planes.width();
    let colours = planes.channels() - 1;
    let (colour, alpha) = planes.data_mut().split_at_mut(colours * area);
    for plane in colour.chunks_exact_mut(area.max(1)) {
        for (value, alpha) in plane.iter_mut().zip(&*alpha) {
            *value = weigh(*value, *alpha);
        }
    }
}

/// Counts of the 256 levels of red, green and blue (three times the same for grey), in the
/// picture's own colour space. Of a picture above four megapixels evenly spread rows are counted.
///
/// # Errors
/// `Cancelled`, or the temporary file behind the raster fails.
pub fn histogram(raster: &Raster, cx: &WorkContext<'_>) -> Result<[[u32; 256]; 3], PhotoError> {
    const PIXELS: u64 = 4_000_000;
    let pixels = u64::from(raster.width()) * u64::from(raster.height());
    let step = pixels.div_ceil(PIXELS).max(1) as usize;
    let rows: Vec<u32> = (0..raster.height()).step_by(step).collect();
    let count = |rows: &[u32]| -> Result<Counts, PhotoError> {
        let mut counts = empty_counts();
        for y in rows {
            cx.cancel.check()?;
            let row = raster.read(Rect::new(0, *y, raster.width(), 1))?;
            add_to_histogram(&row, &mut counts);
        }
        Ok(counts)
    };
    let add = |mut a: Counts, b: Counts| {
        for (a, b) in a.iter_mut().flatten().zip(b.iter().flatten()) {
            *a += b;
        }
        Ok(a)
    };
    let counts =
        cx.pool.install(|| rows.par_chunks(64).map(count).try_reduce(empty_counts, add))?;
    Ok(*counts)
}

type Counts = Box<[[u32; 256]; 3]>;

fn empty_counts() -> Counts {
    Box::new([[0; 256]; 3])
}

/// Adds the levels of `planes`, `[1 | 2 | 3 | 4, H, W]`, to `counts` of red, green and blue.
pub fn add_to_histogram(planes: &Planes, counts: &mut [[u32; 256]; 3]) {
    if planes.channels() == 0 {
        return;
    }
    let is_grey = planes.channels() < 3;
    for (channel, counts) in counts.iter_mut().enumerate() {
        for value in planes.plane(if is_grey { 0 } else { channel }) {
            let level = &mut counts[usize::from(to_byte(*value))];
            *level = level.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use limpid_kernels::Cancel;

    use super::*;
    use crate::raster::{Depth, Layout as PixelLayout};
    use crate::synthetic::scene;

    fn raster(planes: &Planes, color: ColorKind, alpha: bool) -> Raster {
        let layout = PixelLayout { color, alpha, depth: Depth::F32 };
        let (width, height) = (planes.width() as u32, planes.height() as u32);
        let mut raster = Raster::new(width, height, layout, 1 << 30).unwrap();
        raster.write(raster.rect(), planes).unwrap();
        raster
    }

    fn with_context<R>(work: impl FnOnce(&WorkContext<'_>) -> R) -> R {
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        work(&WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 1 << 30 })
    }

    fn pixel(values: &[f32]) -> Planes {
        Planes::from_vec(values.len(), 1, 1, values.to_vec()).unwrap()
    }

    #[test]
    fn bytes_are_rounded_and_alpha_stays_straight() {
        let pool = Pool::new(1).unwrap();
        let rgb = DisplayTransform::new(None, ColorKind::Rgb);
        let grey = DisplayTransform::new(None, ColorKind::Gray);
        let cases: [(&[f32], &DisplayTransform, [u8; 4]); 4] = [
            (&[0.5, -1.0, 2.0], &rgb, [128, 0, 255, 255]),
            (&[1.0, 0.2, 0.0, 0.25], &rgb, [255, 51, 0, 64]),
            (&[0.4], &grey, [102, 102, 102, 255]),
            (&[0.4, 0.0], &grey, [102, 102, 102, 0]),
        ];
        for (values, transform, wanted) in cases {
            assert_eq!(rgba(&pixel(values), transform, &pool), wanted, "{values:?}");
        }
    }

    #[test]
    fn a_wide_profile_is_turned_to_srgb() {
        let pool = Pool::new(1).unwrap();
        let icc = ColorProfile::new_display_p3().encode().unwrap();
        let transform = DisplayTransform::new(Some(&icc), ColorKind::Rgb);
        assert!(!transform.profile_is_unusable());
        let shown = |values: &[f32]| rgba(&pixel(values), &transform, &pool);
        // Greys are the same in both; a Display P3 colour inside sRGB becomes more saturated:
        // (0.6, 0.4, 0.4) is (0.635, 0.389, 0.395) by the matrices of both standards.
        for (byte, wanted) in shown(&[0.5, 0.5, 0.5]).iter().zip([128, 128, 128]) {
            assert!(byte.abs_diff(wanted) <= 1, "{byte}");
        }
        for (byte, wanted) in shown(&[0.6, 0.4, 0.4]).iter().zip([162, 99, 101, 255]) {
            assert!(byte.abs_diff(wanted) <= 1, "{byte} {wanted}");
        }
        assert_eq!(shown(&[1.0, 0.0, 0.0])[0], 255);
    }

    #[test]
    fn a_grey_profile_is_used_too() {
        let pool = Pool::new(1).unwrap();
        let icc = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let transform = DisplayTransform::new(Some(&icc), ColorKind::Gray);
        assert!(!transform.profile_is_unusable());
        // Linear 0.5 is 0.735 in sRGB.
        let shown = rgba(&pixel(&[0.5, 0.5]), &transform, &pool);
        assert!(shown[0].abs_diff(188) <= 1 && shown[0] == shown[2], "{shown:?}");
        assert_eq!(shown[3], 128);
    }

    #[test]
    fn an_unusable_profile_is_told_and_taken_for_srgb() {
        let pool = Pool::new(1).unwrap();
        let whole = ColorProfile::new_display_p3().encode().unwrap();
        let grey = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
        let unusable: [&[u8]; 4] = [&[], b"not a profile", &whole[..whole.len() / 3], &grey];
        for icc in unusable {
            let transform = DisplayTransform::new(Some(icc), ColorKind::Rgb);
            assert!(transform.profile_is_unusable(), "{} bytes", icc.len());
            assert_eq!(rgba(&pixel(&[0.2, 0.4, 0.6]), &transform, &pool), [51, 102, 153, 255]);
        }
    }

    #[test]
    fn a_reduced_view_is_the_mean_in_one_band_or_many() {
        let picture = scene(97, 61, 2);
        let raster = raster(&picture, ColorKind::Rgb, false);
        let rect = Rect::new(5, 7, 80, 50);
        let view = with_context(|cx| reduced(&raster, rect, (10, 5), cx)).unwrap();
        for y in 0..5 {
            for x in 0..10 {
                let part = picture.crop(5 + x * 8, 7 + y * 10, 8, 10).unwrap();
                let mean = part.plane(1).iter().sum::<f32>() / 80.0;
                assert!((view.plane(1)[y * 10 + x] - mean).abs() < 1e-5);
            }
        }
        let same = with_context(|cx| reduced(&raster, rect, (500, 500), cx)).unwrap();
        assert_eq!(same, picture.crop(5, 7, 80, 50).unwrap());
        let outside = Rect::new(90, 0, 8, 1);
        assert!(with_context(|cx| reduced(&raster, outside, (1, 1), cx)).is_err());
    }

    #[test]
    fn hidden_colours_do_not_bleed_into_a_reduced_view() {
        // One opaque white pixel beside a transparent black one.
        let planes = Planes::from_vec(4, 1, 2, vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let raster = raster(&planes.unwrap(), ColorKind::Rgb, true);
        let view = with_context(|cx| reduced(&raster, raster.rect(), (1, 1), cx)).unwrap();
        assert_eq!(view.data(), [1.0, 1.0, 1.0, 0.5]);
    }

    #[test]
    fn a_large_picture_is_reduced_in_bands() {
        let layout = PixelLayout { color: ColorKind::Gray, alpha: false, depth: Depth::U8 };
        let bytes = (0..4000 * 1500).map(|i| (i / 4000 / 10) as u8).collect();
        let raster = Raster::from_bytes(4000, 1500, layout, bytes, 1 << 30).unwrap();
        let view = with_context(|cx| reduced(&raster, raster.rect(), (400, 150), cx)).unwrap();
        for (i, value) in view.data().iter().enumerate() {
            assert!((value * 255.0 - (i / 400) as f32).abs() < 1e-3, "{i}: {value}");
        }
    }

    #[test]
    fn every_pixel_is_counted_once() {
        let layout = PixelLayout { color: ColorKind::Rgb, alpha: true, depth: Depth::U8 };
        let bytes = [10, 20, 30, 255].repeat(90 * 70);
        let raster = Raster::from_bytes(90, 70, layout, bytes, 1 << 30).unwrap();
        let counts = with_context(|cx| histogram(&raster, cx)).unwrap();
        for (counts, level) in counts.iter().zip([10, 20, 30]) {
            assert_eq!(counts[level], 90 * 70);
            assert_eq!(counts.iter().sum::<u32>(), 90 * 70);
        }
    }

    #[test]
    fn sizes_fit_and_never_grow() {
        let cases = [
            ((6000, 4000), 2048, (2048, 1365)),
            ((100, 50), 2048, (100, 50)),
            ((1, 5000), 128, (1, 128)),
            ((0, 0), 10, (1, 1)),
        ];
        for (size, side, wanted) in cases {
            assert_eq!(fit(size, side), wanted);
        }
    }
}
