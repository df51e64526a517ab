//! Which tiles a view needs, how sharp, and in which order. Pure arithmetic.

use limpid_photo::Rect;

/// Side of a tile in full-resolution pixels, whatever the zoom: a tile is the least that is
/// computed before anything can be shown, so its cost must not grow as the view zooms out. A
/// network's halo of some 20 to 40 pixels adds a fifth to a tile of this size.
pub(crate) const TILE: u32 = 512;

/// The strongest reduction, a power of two: a tile keeps at least 8 pixels a side.
const MAX_LEVEL: u32 = 6;

/// The reduction for the screen, as a power of two: the strongest that still has a pixel for each
/// screen pixel. `zoom` is in screen pixels for one pixel of the picture.
pub(crate) fn level(zoom: f32) -> u32 {
    if !zoom.is_finite() || zoom <= 0.0 {
        return 0; // no sensible zoom: sharp is never wrong
    }
    let mut level = 0;
    while level < MAX_LEVEL && zoom * 2.0_f32.powi(level as i32 + 1) <= 1.0 {
        level += 1;
    }
    level
}

/// The least reduction that fits a picture of `full` into `longest` pixels.
pub(crate) fn level_within(full: [u32; 2], longest: u32) -> u32 {
    let side = full[0].max(full[1]);
    (0..31).find(|level| reduced(side, *level) <= longest).unwrap_or(31)
}

/// Pixels that are left of `side` after a reduction; a rest makes one more.
pub(crate) fn reduced(side: u32, level: u32) -> u32 {
    side.div_ceil(1 << level)
}

/// The tiles of a picture of `full`: those that touch `visible`, nearest to its centre first; then
/// the others, nearest first.
pub(crate) fn ordered(full: [u32; 2], visible: Rect) -> Tiles {
    let visible = visible.intersect(Rect::new(0, 0, full[0], full[1]));
    let centre = [
        u64::from(visible.x) * 2 + u64::from(visible.width),
        u64::from(visible.y) * 2 + u64::from(visible.height),
    ];
    let mut tiles: Vec<Rect> = rows(full[1])
        .flat_map(|(y, height)| rows(full[0]).map(move |(x, width)| Rect::new(x, y, width, height)))
        .collect();
    let key = |tile: &Rect| {
        let distance = |low: u32, length: u32, centre: u64| {
            (u64::from(low) * 2 + u64::from(length)).abs_diff(centre)
        };
        let (dx, dy) =
            (distance(tile.x, tile.width, centre[0]), distance(tile.y, tile.height, centre[1]));
        let is_outside = tile.intersect(visible).is_empty();
        (is_outside, dx.saturating_mul(dx).saturating_add(dy.saturating_mul(dy)), tile.y, tile.x)
    };
    tiles.sort_by_cached_key(key);
    let visible_count = tiles.partition_point(|tile| !tile.intersect(visible).is_empty());
    Tiles { tiles, visible_count }
}

/// Tiles in the order they are computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tiles {
    pub(crate) tiles: Vec<Rect>,
    /// How many of them, at the front, can be seen.
    pub(crate) visible_count: usize,
}

/// Starts and lengths of the tiles along one side.
fn rows(side: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..side.div_ceil(TILE)).map(move |index| {
        let start = index * TILE;
        (start, TILE.min(side - start))
    })
}

/// `visible` of the original in the pixels of a result of another size, grown to whole pixels.
pub(crate) fn scaled(visible: Rect, from: [u32; 2], to: [u32; 2]) -> Rect {
    let axis = |low: u32, high: u32, from: u32, to: u32| {
        let (from, to) = (u64::from(from.max(1)), u64::from(to));
        let low = u64::from(low) * to / from;
        let high = (u64::from(high) * to).div_ceil(from).min(to);
        (low.min(to) as u32, high as u32)
    };
    let (left, right) = axis(visible.x, visible.right(), from[0], to[0]);
    let (top, bottom) = axis(visible.y, visible.bottom(), from[1], to[1]);
    Rect::new(left, top, right.saturating_sub(left), bottom.saturating_sub(top))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_level_has_a_pixel_for_each_screen_pixel() {
        for (zoom, wanted) in [
            (8.0, 0),
            (1.0, 0),
            (0.51, 0),
            (0.5, 1),
            (0.3, 1),
            (0.25, 2),
            (1e-9, MAX_LEVEL),
            (0.0, 0),
            (f32::NAN, 0),
        ] {
            assert_eq!(level(zoom), wanted, "zoom {zoom}");
        }
        assert_eq!(level_within([2048, 100], 2048), 0);
        assert_eq!(level_within([2049, 100], 2048), 1);
        assert_eq!(level_within([65_535, 65_535], 2048), 5);
    }

    #[test]
    fn what_is_visible_comes_first_from_its_centre() {
        let visible = Rect::new(600, 600, 1000, 900);
        let plan = ordered([3000, 2000], visible);
        assert_eq!(plan.tiles.len(), 24);
        assert_eq!(plan.tiles[0], Rect::new(1024, 1024, 512, 512));
        assert_eq!(plan.visible_count, 6);
    }

    #[test]
    fn a_visible_part_follows_the_size_of_the_result() {
        let visible = Rect::new(10, 20, 30, 40);
        assert_eq!(scaled(visible, [100, 100], [200, 300]), Rect::new(20, 60, 60, 120));
        assert_eq!(scaled(Rect::new(0, 0, u32::MAX, u32::MAX), [7, 5], [14, 10]).width, 14);
    }

    proptest! {
        #[test]
        fn tiles_cover_every_pixel_once(
            width in 1..3000_u32, height in 1..3000_u32,
            x in 0..4000_u32, y in 0..4000_u32, w in 0..4000_u32, h in 0..4000_u32,
        ) {
            let visible = Rect::new(x, y, w, h);
            let plan = ordered([width, height], visible);
            let area: u64 =
                plan.tiles.iter().map(|t| u64::from(t.width) * u64::from(t.height)).sum();
            prop_assert_eq!(area, u64::from(width) * u64::from(height));
            let mut corners: Vec<_> = plan.tiles.iter().map(|t| (t.x, t.y)).collect();
            corners.sort_unstable();
            corners.dedup();
            prop_assert_eq!(corners.len(), plan.tiles.len());
            for (index, tile) in plan.tiles.iter().enumerate() {
                let is_visible = !tile.intersect(visible).is_empty();
                prop_assert_eq!(is_visible, index < plan.visible_count);
                prop_assert!(tile.right() <= width && tile.bottom() <= height);
            }
        }
    }
}
