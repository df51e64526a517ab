//! The tiles that arrived: kept in main memory within a budget, by picture, side and recipe.

use std::collections::BTreeMap;
use std::sync::Arc;

use limpid_engine::{PreviewTile, Side};

use super::compose::{Piece, Span};
use super::textures::Textures;
use super::transform::Xy;

/// Longest side of a texture. Drivers of small machines stop at 2048; this is less, so that one
/// upload is a small part of a frame.
const MAX_TEXTURE_SIDE: u32 = 1024;

/// Longest side of a tile that counts as an overview, which is never dropped.
const MAX_OVERVIEW_SIDE: u32 = 2560;

/// A part of a preview tile, small enough for one texture.
pub(super) struct Tile {
    pub(super) side: Side,
    /// Which recipe it is a result of, see `Requests`; 0 for the original.
    pub(super) recipe: u64,
    /// What it covers.
    pub(super) span: Span,
    /// Texels a picture pixel.
    pub(super) density: f64,
    /// The most texels a picture pixel that its side can have.
    pub(super) full_density: f64,
    /// Columns and rows of `rgba`.
    pub(super) size: [u32; 2],
    /// Texels of the part: left, top, right, bottom.
    pub(super) part: [u32; 4],
    /// All texels of the tile, sRGB, not premultiplied.
    pub(super) rgba: Arc<[u8]>,
    /// Whether it shows all of the original: what is seen where nothing better is there.
    pub(super) is_overview: bool,
    pub(super) textures: Textures,
    /// Frame in which it was last of use.
    pub(super) used: u64,
}

impl Tile {
    /// Bytes of texels.
    pub(super) fn bytes(&self) -> usize {
        let [left, top, right, bottom] = self.part;
        (right - left) as usize * (bottom - top) as usize * 4
    }

    /// The texel at a point of the span, RGB.
    fn texel(&self, point: [i64; 2]) -> Option<[u8; 3]> {
        let column_row = [0, 1].map(|axis| {
            let [low, high] = [self.span.low[axis], self.span.high[axis]];
            let share = (point[axis] - low) as f64 / (high - low) as f64;
            let [first, last] = [self.part[axis], self.part[axis + 2]];
            (f64::from(first) + share * f64::from(last - first)).min(f64::from(last - 1)) as usize
        });
        let start = (column_row[1] * self.size[0] as usize + column_row[0]) * 4;
        self.rgba.get(start..start + 3)?.try_into().ok()
    }
}

/// All tiles of the open picture.
pub(super) struct Store {
    /// By the order of arrival.
    tiles: BTreeMap<usize, Tile>,
    next: usize,
    bytes: usize,
    budget_bytes: usize,
    /// Whether tiles were dropped to hold the budget since this was last set back.
    pub(super) forgot: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self { tiles: BTreeMap::new(), next: 0, bytes: 0, budget_bytes: 384 << 20, forgot: false }
    }
}

impl Store {
    pub(super) fn clear(&mut self) {
        self.tiles.clear();
        self.bytes = 0;
    }

    /// Bytes of texels held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn set_budget(&mut self, bytes: usize) {
        self.budget_bytes = bytes;
    }

    pub(super) fn get(&self, index: usize) -> Option<&Tile> {
        self.tiles.get(&index)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Tile> {
        self.tiles.get_mut(&index)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tile> {
        self.tiles.values_mut()
    }

    /// Takes in a tile of a picture whose original has `picture` pixels. A tile whose numbers do
    /// not fit together is refused, with `false`.
    pub(super) fn insert(
        &mut self,
        tile: &PreviewTile,
        recipe: u64,
        picture: Xy,
        frame: u64,
    ) -> bool {
        let [columns, rows] = tile.size;
        let bytes = u64::from(columns) * u64::from(rows) * 4;
        let inside = tile.rect.right() <= tile.full[0] && tile.rect.bottom() <= tile.full[1];
        if bytes != tile.rgba.len() as u64 || bytes == 0 || tile.rect.is_empty() || !inside {
            return false;
        }
        let is_overview = tile.side == Side::Before
            && [tile.rect.width, tile.rect.height] == tile.full
            && columns.max(rows) <= MAX_OVERVIEW_SIDE;
        // Picture pixels a pixel of `full`: below 1 when the recipe makes the picture larger.
        let scale = [0, 1].map(|axis| picture[axis] / f64::from(tile.full[axis]));
        let start = [tile.rect.x, tile.rect.y].map(f64::from);
        let extent = [tile.rect.width, tile.rect.height].map(f64::from);
        // Parts get a border of a texel from their neighbours.
        let is_split = columns.max(rows) > MAX_TEXTURE_SIDE;
        let side = if is_split { MAX_TEXTURE_SIDE - 2 } else { MAX_TEXTURE_SIDE };
        for top in (0..rows).step_by(side as usize) {
            for left in (0..columns).step_by(side as usize) {
                let right = columns.min(left + side);
                let bottom = rows.min(top + side);
                let corner = |texel: [u32; 2]| {
                    [0, 1].map(|axis| {
                        let share = f64::from(texel[axis]) / f64::from(tile.size[axis]);
                        (start[axis] + extent[axis] * share) * scale[axis]
                    })
                };
                self.insert_part(
                    Tile {
                        side: tile.side,
                        recipe,
                        span: Span::from_picture(corner([left, top]), corner([right, bottom])),
                        density: f64::from(columns) / (extent[0] * scale[0]),
                        full_density: 1.0 / scale[0],
                        size: tile.size,
                        part: [left, top, right, bottom],
                        rgba: Arc::clone(&tile.rgba),
                        is_overview,
                        textures: Textures::default(),
                        used: frame,
                    },
                    frame,
                );
            }
        }
        true
    }

    fn insert_part(&mut self, new: Tile, frame: u64) {
        let same = |old: &Tile| {
            old.side == new.side
                && old.recipe == new.recipe
                && old.span == new.span
                && old.part == new.part
                && old.size == new.size
        };
        // The engine sends what it has again when the view moves; the texture stays good.
        if let Some(old) = self.tiles.values_mut().find(|old| same(old)) {
            if !Arc::ptr_eq(&old.rgba, &new.rgba) && old.rgba != new.rgba {
                old.rgba = new.rgba;
                old.textures.set_outdated();
            }
            old.used = frame;
            return;
        }
        self.bytes += new.bytes();
        self.tiles.insert(self.next, new);
        self.next += 1;
    }

    /// Lets go of the tiles that were of no use for the longest time, until the budget holds. What
    /// was used in `frame` and the overview stay. `current` is the recipe in force.
    pub(super) fn evict(&mut self, frame: u64, current: u64) {
        if self.bytes <= self.budget_bytes {
            return;
        }
        let mut order: Vec<(u64, usize)> = self
            .tiles
            .iter()
            .filter(|(_, tile)| tile.used < frame && !tile.is_overview)
            .map(|(index, tile)| (tile.used, *index))
            .collect();
        order.sort_unstable();
        for (_, index) in order {
            if self.bytes <= self.budget_bytes {
                break;
            }
            if let Some(tile) = self.tiles.remove(&index) {
                self.bytes -= tile.bytes();
                self.forgot |= tile.side == Side::Before || tile.recipe == current;
            }
        }
    }

    /// The tiles of `side` as pieces to compose; `rank` gives the rank of a recipe.
    pub(super) fn pieces(
        &self,
        side: Side,
        rank: impl Fn(u64) -> u64 + Copy,
    ) -> impl Iterator<Item = Piece> {
        self.tiles.iter().filter(move |(_, tile)| tile.side == side).map(move |(index, tile)| {
            Piece {
                index: *index,
                span: tile.span,
                rank: rank(tile.recipe),
                density: tile.density,
                full_density: tile.full_density,
                ready: !tile.textures.is_empty(),
            }
        })
    }

    /// The colour at a picture point on `side`, from the finest tile of `recipe` there, and whether
    /// it is a pixel of the full picture and not a reduced one.
    pub(super) fn colour(&self, side: Side, recipe: u64, at: Xy) -> Option<([u8; 3], bool)> {
        let point = Span::from_picture(at, at).low;
        let tile = self
            .tiles
            .values()
            .filter(|t| t.side == side && t.recipe == recipe && t.span.contains(point))
            .max_by(|a, b| a.density.total_cmp(&b.density))?;
        Some((tile.texel(point)?, tile.density >= tile.full_density * 0.999))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_engine::Rect;

    fn tile(side: Side, full: [u32; 2], rect: Rect, size: [u32; 2], value: u8) -> PreviewTile {
        let rgba = vec![value; (size[0] * size[1] * 4) as usize].into();
        PreviewTile { generation: 1, side, full, rect, size, rgba }
    }

    #[test]
    fn a_larger_result_lies_on_the_same_pixels_of_the_original() {
        let mut store = Store::default();
        let rect = Rect::new(200, 100, 64, 64);
        let big = tile(Side::After, [400, 200], rect, [64, 64], 0);
        assert!(store.insert(&big, 1, [200.0, 100.0], 0));
        let piece = store.pieces(Side::After, |_| 1).next().unwrap();
        assert_eq!(piece.span.picture_corners(), [[100.0, 50.0], [132.0, 82.0]]);
        assert_eq!((piece.density, piece.full_density), (2.0, 2.0));
    }

    #[test]
    fn wide_tiles_are_split_without_gaps() {
        let mut store = Store::default();
        let wide = tile(Side::Before, [2500, 10], Rect::new(0, 0, 2500, 10), [2500, 10], 0);
        assert!(store.insert(&wide, 0, [2500.0, 10.0], 0));
        let mut edges: Vec<_> =
            store.pieces(Side::Before, |_| 0).map(|p| (p.span.low[0], p.span.high[0])).collect();
        edges.sort_unstable();
        let units = |x: i64| x * 64;
        assert_eq!(
            edges,
            [(0, units(1022)), (units(1022), units(2044)), (units(2044), units(2500))]
        );
    }

    #[test]
    fn a_tile_that_comes_again_is_kept_once() {
        let mut store = Store::default();
        for value in [7, 7, 9] {
            let again = tile(Side::Before, [8, 8], Rect::new(0, 0, 8, 8), [8, 8], value);
            assert!(store.insert(&again, 0, [8.0, 8.0], 0));
        }
        assert_eq!((store.pieces(Side::Before, |_| 0).count(), store.bytes()), (1, 256));
        assert_eq!(store.colour(Side::Before, 0, [3.0, 3.0]), Some(([9; 3], true)));
    }

    #[test]
    fn the_budget_holds_and_what_is_in_use_stays() {
        let mut store = Store::default();
        store.set_budget(10 * 4096);
        for index in 0..20u32 {
            let rect = Rect::new(index * 32, 0, 32, 32);
            let one = tile(Side::After, [640, 32], rect, [32, 32], index as u8);
            store.insert(&one, 1, [640.0, 32.0], u64::from(index));
        }
        store.evict(20, 1);
        assert_eq!(store.bytes(), 10 * 4096);
        assert!(store.forgot, "the engine must send it again when it is asked for");
        assert_eq!(store.colour(Side::After, 1, [5.0, 5.0]), None, "the oldest goes first");
        assert_eq!(store.colour(Side::After, 1, [639.0, 5.0]), Some(([19; 3], true)));
        store.set_budget(0);
        for tile in store.iter_mut() {
            tile.used = 21;
        }
        store.evict(21, 1);
        assert_eq!(store.bytes(), 10 * 4096, "what is on screen is never dropped");
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let mut store = Store::default();
        let good = tile(Side::Before, [8, 8], Rect::new(0, 0, 8, 8), [4, 4], 0);
        let cases = [
            PreviewTile { size: [5, 4], ..good.clone() },
            PreviewTile { rect: Rect::new(4, 0, 8, 8), ..good.clone() },
            PreviewTile { rect: Rect::new(0, 0, 0, 8), ..good.clone() },
            PreviewTile { size: [0, 0], rgba: Arc::new([]), ..good.clone() },
        ];
        for case in cases {
            assert!(!store.insert(&case, 0, [8.0, 8.0], 0), "{case:?}");
        }
        assert!(store.insert(&good, 0, [8.0, 8.0], 0));
    }

    #[test]
    fn the_colour_is_that_of_the_finest_tile() {
        let mut store = Store::default();
        let all = Rect::new(0, 0, 4, 4);
        store.insert(&tile(Side::Before, [4, 4], all, [2, 2], 50), 0, [4.0, 4.0], 0);
        assert_eq!(store.colour(Side::Before, 0, [3.5, 3.5]), Some(([50; 3], false)));
        let mut fine = tile(Side::Before, [4, 4], all, [4, 4], 0);
        fine.rgba = (0..64).collect::<Vec<u8>>().into();
        store.insert(&fine, 0, [4.0, 4.0], 0);
        assert_eq!(store.colour(Side::Before, 0, [1.2, 2.9]), Some(([36, 37, 38], true)));
    }
}
