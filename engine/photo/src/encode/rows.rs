//! Bands of planes in, interleaved rows of the written depth out.

use limpid_kernels::Planes;

use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::raster::{Layout, interleave_row};

type NextBand<'a> = &'a mut dyn FnMut(Rect) -> Result<Planes, PhotoError>;

/// The rows of a result, top to bottom.
pub(super) struct Rows<'a> {
    given: Layout,
    layout: Layout,
    size: (u32, u32),
    band_rows: u32,
    next_band: NextBand<'a>,
    cx: &'a WorkContext<'a>,
    band: Option<(Rect, Planes)>,
    transparent: bool,
}

impl<'a> Rows<'a> {
    /// Rows of `layout`, from bands of `given`.
    pub(super) fn new(
        given: Layout,
        layout: Layout,
        size: (u32, u32),
        band_rows: u32,
        next_band: NextBand<'a>,
        cx: &'a WorkContext<'a>,
    ) -> Self {
        let band_rows = band_rows.max(1);
        Self { given, layout, size, band_rows, next_band, cx, band: None, transparent: false }
    }

    /// What the rows consist of.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Columns.
    pub(super) fn width(&self) -> u32 {
        self.size.0
    }

    /// Rows.
    pub(super) fn height(&self) -> u32 {
        self.size.1
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(&self) -> usize {
        self.size.0 as usize * self.layout.pixel_bytes()
    }

    /// Whether a pixel up to here was not opaque.
    pub(super) fn saw_transparency(&self) -> bool {
        self.transparent
    }

    /// Appends row `y`, interleaved, native byte order. Rows are asked for top to bottom; the one
    /// asked for last may be asked for again.
    pub(super) fn append(&mut self, y: u32, out: &mut Vec<u8>) -> Result<(), PhotoError> {
        self.cx.cancel.check()?;
        let at_hand = self.band.as_ref().is_some_and(|(rect, _)| y < rect.bottom() && y >= rect.y);
        if !at_hand {
            let top = self.band.take().map_or(0, |(rect, _)| rect.bottom());
            if y != top || y >= self.size.1 {
                return Err(PhotoError::internal(format!("row {y} was asked for out of turn")));
            }
            let rect = Rect::new(0, y, self.size.0, self.band_rows.min(self.size.1 - y));
            let planes = (self.next_band)(rect)?;
            let wanted = (self.given.channels(), rect.height as usize, rect.width as usize);
            if (planes.channels(), planes.height(), planes.width()) != wanted {
                return Err(PhotoError::internal(format!(
                    "a band of {wanted:?} was asked for, {:?} came",
                    (planes.channels(), planes.height(), planes.width())
                )));
            }
            let planes = self.flattened(planes)?;
            self.band = Some((rect, planes));
        }
        match &self.band {
            Some((rect, planes)) => {
                interleave_row(planes, (y - rect.y) as usize, self.layout, *rect, out)
            }
            None => Err(PhotoError::internal("a band went missing")),
        }
    }

    /// On white, when the written layout has no alpha.
    fn flattened(&mut self, planes: Planes) -> Result<Planes, PhotoError> {
        if !self.given.alpha {
            return Ok(planes);
        }
        let colors = self.given.color.channels();
        // Half a step of 8 bits: what is written as opaque counts as opaque.
        self.transparent |= planes.plane(colors).iter().any(|a| *a < 1.0 - 0.5 / 255.0);
        if self.layout.alpha {
            return Ok(planes);
        }
        let (height, width) = (planes.height(), planes.width());
        let area = height * width;
        let mut data = planes.into_vec();
        let (paint, alpha) = data.split_at_mut(colors * area);
        for plane in paint.chunks_exact_mut(area) {
            for (color, alpha) in plane.iter_mut().zip(alpha.iter()) {
                let alpha = alpha.clamp(0.0, 1.0);
                *color = *color * alpha + (1.0 - alpha);
            }
        }
        data.truncate(colors * area);
        Ok(Planes::from_vec(colors, height, width, data)?)
    }
}
