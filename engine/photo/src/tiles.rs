//! How a picture is cut into tiles: as large as pays, as small as the memory budget wants.

use crate::geometry::Rect;

/// Sides of a tile to choose from, in pixels of the original picture.
///
/// Larger tiles waste less on halos; beyond the largest the gain is under 5 % while a cancel, a
/// progress step and the band in memory grow.
const SIDES: [u32; 9] = [512, 384, 256, 192, 128, 96, 64, 32, 16];

/// A way to cut: columns and rows of a tile in output pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileSize {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// The cheapest tile that fits. `scale` is how many times larger the output is than the
/// original, `work` the effort for a tile of this size, `bytes` the memory it takes.
///
/// When nothing fits, the tile that takes the least memory.
pub(crate) fn choose(
    output: (u32, u32),
    scale: f64,
    limit_bytes: u64,
    work: impl Fn(TileSize) -> f64,
    bytes: impl Fn(TileSize) -> u64,
) -> TileSize {
    let side = |original: u32, length: u32| {
        let wanted = ((f64::from(original) * scale) as u32).max(1);
        even_share(length.max(1), wanted)
    };
    let tiles = || {
        SIDES.into_iter().flat_map(move |width| {
            SIDES.into_iter().map(move |height| TileSize {
                width: side(width, output.0),
                height: side(height, output.1),
            })
        })
    };
    let per_pixel = |tile: TileSize| work(tile) / (f64::from(tile.width) * f64::from(tile.height));
    let fitting = tiles().filter(|tile| bytes(*tile) <= limit_bytes);
    fitting
        .min_by(|a, b| per_pixel(*a).total_cmp(&per_pixel(*b)))
        .or_else(|| tiles().min_by_key(|tile| bytes(*tile)))
        .unwrap_or(TileSize { width: output.0.max(1), height: output.1.max(1) })
}

/// `length` in the number of pieces that pieces of `wanted` need, all about equal: no sliver is
/// left at the end. Rounded up to 8, which suits alignments, where that adds no piece.
fn even_share(length: u32, wanted: u32) -> u32 {
    let pieces = length.div_ceil(wanted);
    let share = length.div_ceil(pieces);
    share.next_multiple_of(8).min(length)
}

/// The tiles of a picture of `output` columns and rows: full-width bands top to bottom, each left
/// to right. All bands but the last are equally high.
pub(crate) fn grid(output: (u32, u32), tile: TileSize) -> Vec<Rect> {
    let starts = |length: u32, step: u32| (0..length).step_by(step.max(1) as usize);
    let mut tiles = Vec::new();
    for y in starts(output.1, tile.height) {
        for x in starts(output.0, tile.width) {
            let (width, height) = (tile.width.min(output.0 - x), tile.height.min(output.1 - y));
            tiles.push(Rect::new(x, y, width, height));
        }
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(output: (u32, u32), scale: f64, limit: u64) -> TileSize {
        let grown = |tile: TileSize| {
            (f64::from(tile.width) / scale + 40.0) * (f64::from(tile.height) / scale + 40.0)
        };
        let band = |tile: TileSize| u64::from(output.0) * u64::from(tile.height) * 24;
        choose(output, scale, limit, grown, |tile| grown(tile) as u64 * 500 + band(tile))
    }

    #[test]
    fn the_grid_covers_every_pixel_once_in_bands() {
        for (output, tile) in [((1, 1), (8, 8)), ((100, 37), (32, 16)), ((5, 5000), (5, 64))] {
            let tile = TileSize { width: tile.0, height: tile.1 };
            let tiles = grid(output, tile);
            let area: u64 = tiles.iter().map(|r| u64::from(r.width) * u64::from(r.height)).sum();
            assert_eq!(area, u64::from(output.0) * u64::from(output.1));
            for pair in tiles.windows(2) {
                let same_band = pair[0].y == pair[1].y && pair[0].right() == pair[1].x;
                let next_band =
                    pair[0].bottom() == pair[1].y && pair[1].x == 0 && pair[0].right() == output.0;
                assert!(same_band || next_band, "{pair:?}");
            }
        }
        assert!(grid((0, 10), TileSize { width: 8, height: 8 }).is_empty());
    }

    #[test]
    fn memory_decides_and_is_respected() {
        let large = chosen((6000, 4000), 1.0, 2 << 30);
        assert!(large.width >= 480 && large.height >= 480, "{large:?}");
        for limit in [16 << 20, 32 << 20, 64 << 20, 200 << 20] {
            let tile = chosen((24_000, 16_000), 4.0, limit);
            let grown =
                (f64::from(tile.width) / 4.0 + 40.0) * (f64::from(tile.height) / 4.0 + 40.0);
            let bytes = grown as u64 * 500 + 24_000 * u64::from(tile.height) * 24;
            assert!(bytes <= limit || tile.height <= 64, "{limit}: {tile:?}");
        }
    }

    #[test]
    fn no_sliver_is_left_at_the_end() {
        for length in [1, 5, 513, 520, 1030, 4000, 6001] {
            let share = even_share(length, 512);
            let last = length - (length.div_ceil(share) - 1) * share;
            assert!(
                share <= 512 && (last * 2 > share || length <= 512),
                "{length}: {share} {last}"
            );
        }
    }
}
