//! The pixels of a picture, kept compact: in the depth of their file, as they lie in it, in memory
//! or, when large, in an unlinked temporary file. Turning upright happens on the way out.

mod orientation;
mod store;

use limpid_kernels::Planes;

use crate::error::PhotoError;
use crate::geometry::Rect;

pub use orientation::Orientation;
use store::Store;

/// What the colour channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorKind {
    /// One channel.
    Gray,
    /// Three channels.
    Rgb,
}

impl ColorKind {
    /// Number of colour channels: 1 or 3.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
        }
    }
}

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// 8 bit, `0..=255`.
    U8,
    /// 16 bit, `0..=65535`.
    U16,
    /// 32 bit floating point, nominally `0..=1`.
    F32,
}

impl Depth {
    /// Bytes of a sample.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

/// What a pixel consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Colour channels.
    pub color: ColorKind,
    /// Whether an alpha channel follows them (not premultiplied).
    pub alpha: bool,
    /// How each sample is stored.
    pub depth: Depth,
}

impl Layout {
    /// Colour channels and alpha: 1 to 4.
    #[must_use]
    pub fn channels(self) -> usize {
        self.color.channels() + usize::from(self.alpha)
    }

    /// Bytes of a pixel.
    #[must_use]
    pub fn pixel_bytes(self) -> usize {
        self.channels() * self.depth.bytes()
    }

    /// In words: "16 bit grey + alpha".
    #[must_use]
    pub fn describe(self) -> String {
        let depth = match self.depth {
            Depth::U8 => "8 bit",
            Depth::U16 => "16 bit",
            Depth::F32 => "32 bit float",
        };
        let color = match self.color {
            ColorKind::Gray => "grey",
            ColorKind::Rgb => "RGB",
        };
        format!("{depth} {color}{}", if self.alpha { " + alpha" } else { "" })
    }
}

/// A picture's pixels.
#[derive(Debug)]
pub struct Raster {
    /// Columns as stored, before `orientation`.
    columns: u32,
    /// Rows as stored, before `orientation`.
    rows: u32,
    layout: Layout,
    orientation: Orientation,
    store: Store,
}

impl Raster {
    /// A black, transparent picture. It is held in memory when it takes at most half of
    /// `budget_bytes`, else in an unlinked temporary file.
    ///
    /// # Errors
    /// `TooLarge` when memory is not to be had, `Unwritable` when the temporary file is not.
    pub fn new(
        width: u32,
        height: u32,
        layout: Layout,
        budget_bytes: u64,
    ) -> Result<Self, PhotoError> {
        let bytes = byte_size(width, height, layout);
        let store =
            if bytes <= budget_bytes / 2 { Store::memory(bytes)? } else { Store::file(bytes)? };
        Ok(Self {
            columns: width,
            rows: height,
            layout,
            orientation: Orientation::default(),
            store,
        })
    }

    /// Wraps samples that lie in memory: rows top to bottom, channels interleaved, native byte
    /// order. They move to a temporary file when they take more than half of `budget_bytes`.
    ///
    /// # Errors
    /// `Internal` when the length does not fit the size, `Unwritable` when the temporary file
    /// cannot be written.
    pub fn from_bytes(
        width: u32,
        height: u32,
        layout: Layout,
        bytes: Vec<u8>,
        budget_bytes: u64,
    ) -> Result<Self, PhotoError> {
        let wanted = byte_size(width, height, layout);
        if bytes.len() as u64 != wanted {
            return Err(PhotoError::internal(format!(
                "{} bytes do not fill a picture of {wanted}",
                bytes.len()
            )));
        }
        let store = if wanted <= budget_bytes / 2 {
            Store::Memory(bytes)
        } else {
            let mut store = Store::file(wanted)?;
            store.write_at(0, &bytes)?;
            store
        };
        Ok(Self {
            columns: width,
            rows: height,
            layout,
            orientation: Orientation::default(),
            store,
        })
    }

    /// The same, moved to a temporary file when it takes more than half of `budget_bytes`.
    pub(crate) fn within(mut self, budget_bytes: u64) -> Result<Self, PhotoError> {
        if let Store::Memory(bytes) = &self.store
            && bytes.len() as u64 > budget_bytes / 2
        {
            let mut store = Store::file(bytes.len() as u64)?;
            store.write_at(0, bytes)?;
            self.store = store;
        }
        Ok(self)
    }

    /// The same pixels, shown turned as `orientation` says. Costs nothing.
    #[must_use]
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        self.orientation = orientation;
        self
    }

    /// Columns, upright.
    #[must_use]
    pub fn width(&self) -> u32 {
        if self.orientation.swaps_sides() { self.rows } else { self.columns }
    }

    /// Rows, upright.
    #[must_use]
    pub fn height(&self) -> u32 {
        if self.orientation.swaps_sides() { self.columns } else { self.rows }
    }

    /// The whole picture.
    #[must_use]
    pub fn rect(&self) -> Rect {
        Rect::new(0, 0, self.width(), self.height())
    }

    /// What a pixel consists of.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What the colour channels are.
    #[must_use]
    pub fn color(&self) -> ColorKind {
        self.layout.color
    }

    /// Whether an alpha channel follows the colour channels.
    #[must_use]
    pub fn has_alpha(&self) -> bool {
        self.layout.alpha
    }

    /// How each sample is stored.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.layout.depth
    }

    /// Memory that the pixels take, in bytes; nothing when they lie in a temporary file.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        match &self.store {
            Store::Memory(bytes) => bytes.len() as u64,
            Store::File(_) => 0,
        }
    }

    /// The samples of `rect` as `[colour channels (+ 1 alpha), rect.height, rect.width]`, integer
    /// depths scaled to `0..=1`.
    ///
    /// # Errors
    /// `Internal` when `rect` leaves the picture; `Unreadable` when the temporary file fails.
    pub fn read(&self, rect: Rect) -> Result<Planes, PhotoError> {
        self.check_inside(rect)?;
        let (width, height) = (rect.width as usize, rect.height as usize);
        let channels = self.layout.channels();
        let mut planes = Planes::zeros(channels, height, width);
        if rect.is_empty() {
            return Ok(planes);
        }
        let stored = self.orientation.stored_rect(rect, self.columns, self.rows);
        let pixel_bytes = self.layout.pixel_bytes();
        let mut buffer = Vec::new();
        let area = width * height;
        for y in stored.y..stored.bottom() {
            let length = stored.width as usize * pixel_bytes;
            let row = self.store.slice(self.offset(stored.x, y), length, &mut buffer)?;
            let path = self.orientation.row_path(rect, stored, y);
            let data = planes.data_mut();
            for channel in 0..channels {
                let plane = &mut data[channel * area..(channel + 1) * area];
                match self.layout.depth {
                    Depth::U8 => path.scatter(plane, row, channel, channels, |[v]: [u8; 1]| {
                        f32::from(v) / 255.0
                    }),
                    Depth::U16 => path.scatter(plane, row, channel, channels, |v: [u8; 2]| {
                        f32::from(u16::from_ne_bytes(v)) / 65535.0
                    }),
                    Depth::F32 => {
                        path.scatter(plane, row, channel, channels, |v: [u8; 4]| {
                            f32::from_ne_bytes(v)
                        });
                    }
                }
            }
        }
        Ok(planes)
    }

    /// Stores `planes`, `[channels of the layout, rect.height, rect.width]`, at `rect`: integer
    /// depths clamped to `0..=1` and rounded to the nearest step.
    ///
    /// # Errors
    /// `Internal` when `rect` leaves the picture, `planes` has another shape, or the raster is
    /// turned; `Unwritable` when the temporary file fails.
    pub fn write(&mut self, rect: Rect, planes: &Planes) -> Result<(), PhotoError> {
        self.check_inside(rect)?;
        if self.orientation != Orientation::default() {
            return Err(PhotoError::internal("a turned raster is not written to"));
        }
        let mut row = Vec::new();
        for y in 0..rect.height {
            row.clear();
            interleave_row(planes, y as usize, self.layout, rect, &mut row)?;
            let offset = self.offset(rect.x, rect.y + y);
            self.store.write_at(offset, &row)?;
        }
        Ok(())
    }

    /// Stores whole rows as they lie in a file: interleaved, native byte order, before any turn.
    pub(crate) fn write_rows(&mut self, first_row: u32, bytes: &[u8]) -> Result<(), PhotoError> {
        let offset = self.offset(0, first_row);
        self.store.write_at(offset, bytes)
    }

    /// Stores part of a row as it lies in a file.
    pub(crate) fn write_span(&mut self, x: u32, y: u32, bytes: &[u8]) -> Result<(), PhotoError> {
        let offset = self.offset(x, y);
        self.store.write_at(offset, bytes)
    }

    /// All samples as stored, when they lie in memory.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.store {
            Store::Memory(bytes) => Some(bytes),
            Store::File(_) => None,
        }
    }

    fn offset(&self, x: u32, y: u32) -> u64 {
        (u64::from(y) * u64::from(self.columns) + u64::from(x)) * self.layout.pixel_bytes() as u64
    }

    fn check_inside(&self, rect: Rect) -> Result<(), PhotoError> {
        let inside = |start: u32, length: u32, limit: u32| {
            start.checked_add(length).is_some_and(|end| end <= limit)
        };
        if inside(rect.x, rect.width, self.width()) && inside(rect.y, rect.height, self.height()) {
            return Ok(());
        }
        Err(PhotoError::internal(format!(
            "{} x {} at ({}, {}) leaves a picture of {} x {}",
            rect.width,
            rect.height,
            rect.x,
            rect.y,
            self.width(),
            self.height()
        )))
    }
}

/// Bytes of all samples; cannot overflow, as a pixel has at most 16.
pub(crate) fn byte_size(width: u32, height: u32, layout: Layout) -> u64 {
    (u64::from(width) * u64::from(height)).saturating_mul(layout.pixel_bytes() as u64)
}

/// Appends row `y` of `planes` to `out`, interleaved in `layout`, native byte order, rounded to
/// the nearest step. `planes` must be `[channels of layout, rect.height, rect.width]`.
pub(crate) fn interleave_row(
    planes: &Planes,
    y: usize,
    layout: Layout,
    rect: Rect,
    out: &mut Vec<u8>,
) -> Result<(), PhotoError> {
    let (width, height) = (rect.width as usize, rect.height as usize);
    let channels = layout.channels();
    if (planes.channels(), planes.height(), planes.width()) != (channels, height, width) {
        return Err(PhotoError::internal(format!(
            "a region of {channels} x {height} x {width} was asked for, {} x {} x {} came",
            planes.channels(),
            planes.height(),
            planes.width()
        )));
    }
    let start = out.len();
    out.resize(start + width * layout.pixel_bytes(), 0);
    let row = &mut out[start..];
    for channel in 0..channels {
        let samples = &planes.plane(channel)[y * width..(y + 1) * width];
        match layout.depth {
            Depth::U8 => {
                for (to, &from) in row[channel..].iter_mut().step_by(channels).zip(samples) {
                    *to = to_u8(from);
                }
            }
            Depth::U16 => {
                for (to, &from) in row.chunks_exact_mut(2 * channels).zip(samples) {
                    to[2 * channel..2 * channel + 2].copy_from_slice(&to_u16(from).to_ne_bytes());
                }
            }
            Depth::F32 => {
                for (to, &from) in row.chunks_exact_mut(4 * channels).zip(samples) {
                    to[4 * channel..4 * channel + 4].copy_from_slice(&from.to_ne_bytes());
                }
            }
        }
    }
    Ok(())
}

/// `0..=1` to `0..=255`, to the nearest; what is not a number becomes 0.
fn to_u8(value: f32) -> u8 {
    // The cast saturates, which is the clamp.
    (value * 255.0 + 0.5) as u8
}

/// `0..=1` to `0..=65535`, to the nearest; what is not a number becomes 0.
fn to_u16(value: f32) -> u16 {
    (value * 65535.0 + 0.5) as u16
}

#[cfg(test)]
pub(crate) mod tests;
