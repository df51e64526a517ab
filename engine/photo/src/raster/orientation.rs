//! EXIF orientation as a way to read pixels, so that turning a picture needs no second copy.

use crate::geometry::Rect;

/// How stored pixels are to be turned to stand upright: the eight values of EXIF tag 0x0112.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// 1: as stored.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    MirroredAcross,
    /// 3: turned by 180 degrees.
    Turned180,
    /// 4: mirrored top to bottom.
    MirroredDown,
    /// 5: mirrored at the main diagonal.
    Transposed,
    /// 6: to be turned clockwise by 90 degrees.
    Turn90,
    /// 7: mirrored at the other diagonal.
    Transversed,
    /// 8: to be turned counter-clockwise by 90 degrees.
    Turn270,
}

impl Orientation {
    /// From the value of the EXIF tag; values outside `1..=8` mean upright.
    #[must_use]
    pub fn from_exif(value: u16) -> Self {
        match value {
            2 => Self::MirroredAcross,
            3 => Self::Turned180,
            4 => Self::MirroredDown,
            5 => Self::Transposed,
            6 => Self::Turn90,
            7 => Self::Transversed,
            8 => Self::Turn270,
            _ => Self::Upright,
        }
    }

    /// Whether columns become rows.
    #[must_use]
    pub fn swaps_sides(self) -> bool {
        self.parts().0
    }

    /// (columns become rows, stored x runs backwards, stored y runs backwards): upright (x, y)
    /// lies at stored (x, y), swapped first, then counted from the other end.
    fn parts(self) -> (bool, bool, bool) {
        match self {
            Self::Upright => (false, false, false),
            Self::MirroredAcross => (false, true, false),
            Self::Turned180 => (false, true, true),
            Self::MirroredDown => (false, false, true),
            Self::Transposed => (true, false, false),
            Self::Turn90 => (true, false, true),
            Self::Transversed => (true, true, true),
            Self::Turn270 => (true, true, false),
        }
    }

    /// Where upright `rect` lies in a stored picture of `columns` x `rows`.
    pub(super) fn stored_rect(self, rect: Rect, columns: u32, rows: u32) -> Rect {
        let (swap, back_x, back_y) = self.parts();
        let (x, y, width, height) = if swap {
            (rect.y, rect.x, rect.height, rect.width)
        } else {
            (rect.x, rect.y, rect.width, rect.height)
        };
        let x = if back_x { columns - x - width } else { x };
        let y = if back_y { rows - y - height } else { y };
        Rect::new(x, y, width, height)
    }

    /// Where the samples of stored row `y` go in an upright plane of `rect`.
    pub(super) fn row_path(self, rect: Rect, stored: Rect, y: u32) -> RowPath {
        let (swap, back_x, back_y) = self.parts();
        let from_top = (y - stored.y) as usize;
        let line = if back_y { stored.height as usize - 1 - from_top } else { from_top };
        let width = rect.width as usize;
        let count = stored.width as usize;
        // Stored x runs along upright rows, or along upright columns when the sides are swapped.
        let (start, step) = if swap { (line, width) } else { (line * width, 1) };
        RowPath { start, step, count, backwards: back_x }
    }
}

/// A straight run of `count` places in a plane.
pub(super) struct RowPath {
    start: usize,
    step: usize,
    count: usize,
    backwards: bool,
}

impl RowPath {
    /// Puts one channel of an interleaved row of `N`-byte samples into `plane`.
    pub(super) fn scatter<const N: usize>(
        &self,
        plane: &mut [f32],
        row: &[u8],
        channel: usize,
        channels: usize,
        convert: impl Fn([u8; N]) -> f32,
    ) {
        let (pixels, _) = row.as_chunks::<N>();
        let samples = pixels.iter().skip(channel).step_by(channels).take(self.count);
        let places = plane[self.start..].iter_mut().step_by(self.step).take(self.count);
        if self.backwards {
            for (to, from) in places.rev().zip(samples) {
                *to = convert(*from);
            }
        } else {
            for (to, from) in places.zip(samples) {
                *to = convert(*from);
            }
        }
    }
}
