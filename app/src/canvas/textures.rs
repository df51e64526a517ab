//! Tiles become textures: a bounded amount a frame, within a budget of graphics memory.

use std::time::{Duration, Instant};

use eframe::egui::{self, Color32, ColorImage, TextureFilter, TextureHandle, TextureOptions};

use super::tiles::{Store, Tile};

/// Time a frame may spend on preparing textures. The rest of an 8 ms frame is for the driver's copy
/// and for drawing.
const UPLOAD_TIME: Duration = Duration::from_millis(2);

/// Bytes of texels a frame may hand to the driver, whose copy is not in [`UPLOAD_TIME`].
const UPLOAD_BYTES: usize = 4 << 20;

/// From this many screen pixels a texel, texels are shown as squares.
const PIXEL_ZOOM: f64 = 1.999;

/// Below this many screen pixels a texel, texels are averaged.
const AVERAGE_ZOOM: f64 = 0.7;

/// How a tile is resampled to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Averages texels: much smaller than it is. Plain interpolation would show only some of them
    /// and make noise look stronger than it is.
    Average,
    /// Interpolates texels.
    Linear,
    /// Shows texels as squares.
    Pixels,
}

impl Filter {
    /// The right one for a tile on a screen at `zoom` (screen pixels a picture pixel).
    pub(super) fn of(tile: &Tile, zoom: f64) -> Self {
        let texel = zoom / tile.density;
        // Squares are for real pixels; a reduced picture that waits for a finer one stays soft.
        let is_full = tile.density >= tile.full_density * 0.999;
        match texel {
            _ if texel >= PIXEL_ZOOM && is_full => Self::Pixels,
            _ if texel < AVERAGE_ZOOM => Self::Average,
            _ => Self::Linear,
        }
    }

    fn options(self) -> TextureOptions {
        match self {
            Self::Average => TextureOptions::LINEAR.with_mipmap_mode(Some(TextureFilter::Linear)),
            Self::Linear => TextureOptions::LINEAR,
            Self::Pixels => TextureOptions::NEAREST,
        }
    }
}

/// A tile on the graphics side.
pub(super) struct Texture {
    pub(super) handle: TextureHandle,
    filter: Filter,
    /// Texels of the tile within the texture, `0..=1`: left top, right bottom. Less than all of it
    /// where a border of the neighbouring part was added for interpolation.
    pub(super) uv: [[f64; 2]; 2],
    pub(super) is_opaque: bool,
    /// The tile has other texels by now.
    is_outdated: bool,
    bytes: usize,
    /// Frame in which it was last wished for.
    used: u64,
}

/// The textures of a tile: one a filter, because egui fixes the filter with the texture, and the
/// lens shows a tile larger than the canvas does.
#[derive(Default)]
pub(super) struct Textures(Vec<Texture>);

impl Textures {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The texture for `filter`, or another one while that is missing.
    pub(super) fn best(&self, filter: Filter) -> Option<&Texture> {
        self.0.iter().find(|texture| texture.filter == filter).or(self.0.last())
    }

    /// The tile got other texels: they are uploaded when they are wished for next.
    pub(super) fn set_outdated(&mut self) {
        for texture in &mut self.0 {
            texture.is_outdated = true;
        }
    }

    /// Notes that the texture for `filter` is of use; returns whether it is there and up to date.
    fn touch(&mut self, filter: Filter, frame: u64) -> bool {
        let found = self.0.iter_mut().find(|texture| texture.filter == filter);
        found.is_some_and(|texture| {
            texture.used = frame;
            !texture.is_outdated
        })
    }

    /// Takes in a new texture; those of other filters that nothing shows any more go.
    fn put(&mut self, new: Texture) {
        self.0.retain(|old| old.filter != new.filter && old.used + 1 >= new.used);
        self.0.push(new);
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|texture| texture.bytes).sum()
    }
}

/// Uploads within time, bytes and budget.
pub(super) struct Uploader {
    budget_bytes: usize,
    /// What is uploaded, in bytes.
    bytes: usize,
}

impl Default for Uploader {
    fn default() -> Self {
        Self { budget_bytes: 192 << 20, bytes: 0 }
    }
}

/// A tile that should have a texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Its number in the store.
    pub(super) index: usize,
    pub(super) filter: Filter,
}

impl Uploader {
    pub(super) fn set_budget(&mut self, bytes: usize) {
        self.budget_bytes = bytes;
    }

    /// Bytes of texels on the graphics side after the last [`Uploader::run`].
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Uploads what is wished for, most important first, as far as the frame's time allows; at
    /// least one. Returns whether something is left for the next frame.
    pub(super) fn run(
        &mut self,
        ctx: &egui::Context,
        store: &mut Store,
        wishes: &[Wish],
        frame: u64,
    ) -> bool {
        let start = Instant::now();
        let (mut sent, mut is_left) = (0, false);
        for wish in wishes {
            let Some(tile) = store.get_mut(wish.index) else { continue };
            tile.used = frame;
            if tile.textures.touch(wish.filter, frame) {
                continue;
            }
            if sent > 0 && (start.elapsed() > UPLOAD_TIME || sent + tile.bytes() > UPLOAD_BYTES) {
                is_left = true;
                break;
            }
            sent += tile.bytes();
            let texture = upload(ctx, tile, wish.filter, frame);
            tile.textures.put(texture);
        }
        self.evict(store, frame);
        is_left
    }

    /// Frees the textures that were of no use for the longest time until the budget holds.
    fn evict(&mut self, store: &mut Store, frame: u64) {
        self.bytes = store.iter_mut().map(|tile| tile.textures.bytes()).sum();
        if self.bytes <= self.budget_bytes {
            return;
        }
        let mut idle: Vec<&mut Tile> = store
            .iter_mut()
            .filter(|tile| tile.used < frame && !tile.textures.is_empty() && !tile.is_overview)
            .collect();
        idle.sort_by_key(|tile| tile.used);
        for tile in idle {
            if self.bytes <= self.budget_bytes {
                break;
            }
            self.bytes -= tile.textures.bytes();
            tile.textures = Textures::default();
        }
    }
}

fn upload(ctx: &egui::Context, tile: &Tile, filter: Filter, frame: u64) -> Texture {
    // One texel of the neighbouring part around, so that interpolation has no seam between parts.
    let [left, top, right, bottom] = tile.part;
    let low = [left.saturating_sub(1), top.saturating_sub(1)];
    let high = [(right + 1).min(tile.size[0]), (bottom + 1).min(tile.size[1])];
    let size = [0, 1].map(|axis| (high[axis] - low[axis]) as usize);
    let (pixels, is_opaque) = texels(&tile.rgba, tile.size[0] as usize, low, size);
    let uv =
        |texel: [u32; 2]| [0, 1].map(|axis| f64::from(texel[axis] - low[axis]) / size[axis] as f64);
    // A third more with the averaged copies.
    let bytes = size[0] * size[1] * 4;
    Texture {
        handle: ctx.load_texture("canvas tile", ColorImage::new(size, pixels), filter.options()),
        filter,
        uv: [uv([left, top]), uv([right, bottom])],
        is_opaque,
        is_outdated: false,
        bytes: if filter == Filter::Average { bytes / 3 * 4 } else { bytes },
        used: frame,
    }
}

/// Cuts a rectangle out of RGBA rows of `stride` texels; returns whether all of it is opaque.
fn texels(rgba: &[u8], stride: usize, low: [u32; 2], size: [usize; 2]) -> (Vec<Color32>, bool) {
    let mut pixels = Vec::with_capacity(size[0] * size[1]);
    let mut lowest_alpha = u8::MAX;
    for row in 0..size[1] {
        let start = ((low[1] as usize + row) * stride + low[0] as usize) * 4;
        let line = rgba[start..start + size[0] * 4].as_chunks::<4>().0;
        // With full alpha both forms of the texel are the same.
        pixels.extend(line.iter().map(|[r, g, b, a]| {
            lowest_alpha = lowest_alpha.min(*a);
            Color32::from_rgba_premultiplied(*r, *g, *b, *a)
        }));
    }
    let is_opaque = lowest_alpha == u8::MAX;
    if !is_opaque {
        for pixel in &mut pixels {
            let [r, g, b, a] = pixel.to_array();
            *pixel = Color32::from_rgba_unmultiplied(r, g, b, a);
        }
    }
    (pixels, is_opaque)
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_engine::{PreviewTile, Rect, Side};

    fn filled(count: u32, side: u32) -> Store {
        let mut store = Store::default();
        for index in 0..count {
            let tile = PreviewTile {
                generation: 1,
                side: Side::After,
                full: [count * side, side],
                rect: Rect::new(index * side, 0, side, side),
                size: [side, side],
                rgba: vec![255; (side * side * 4) as usize].into(),
            };
            assert!(store.insert(&tile, 1, [f64::from(count * side), f64::from(side)], 0));
        }
        store
    }

    fn wishes(range: std::ops::Range<usize>) -> Vec<Wish> {
        range.map(|index| Wish { index, filter: Filter::Linear }).collect()
    }

    fn textures(store: &mut Store) -> usize {
        store.iter_mut().filter(|tile| !tile.textures.is_empty()).count()
    }

    #[test]
    fn a_hundred_tiles_at_once_are_spread_over_frames() {
        let ctx = egui::Context::default();
        let mut store = filled(100, 512);
        let mut uploader = Uploader::default();
        let (mut frames, mut before) = (0, 0);
        while uploader.run(&ctx, &mut store, &wishes(0..100), frames) {
            frames += 1;
            let now = textures(&mut store);
            let sent = (now - before) * 512 * 512 * 4;
            assert!(now > before && sent <= UPLOAD_BYTES, "{sent} bytes in a frame");
            before = now;
        }
        assert!(frames >= 24, "{frames} frames");
        assert_eq!(textures(&mut store), 100);
    }

    #[test]
    fn the_budget_frees_what_is_not_on_screen() {
        let ctx = egui::Context::default();
        let mut store = filled(10, 64);
        let mut uploader = Uploader::default();
        uploader.set_budget(4 * 64 * 64 * 4);
        assert!(!uploader.run(&ctx, &mut store, &wishes(0..3), 1));
        assert!(!uploader.run(&ctx, &mut store, &wishes(3..6), 2));
        assert_eq!(uploader.bytes(), 4 * 64 * 64 * 4);
        assert!(!uploader.run(&ctx, &mut store, &wishes(0..10), 3));
        assert_eq!(textures(&mut store), 10, "all of it is on screen");
    }

    #[test]
    fn another_filter_or_other_texels_replace_the_texture() {
        let ctx = egui::Context::default();
        let mut store = filled(1, 8);
        let mut uploader = Uploader::default();
        let mut id_with = |store: &mut Store, filter, frame| {
            uploader.run(&ctx, store, &[Wish { index: 0, filter }], frame);
            store.get(0).and_then(|tile| Some(tile.textures.best(filter)?.handle.id())).unwrap()
        };
        let linear = id_with(&mut store, Filter::Linear, 1);
        assert_eq!(linear, id_with(&mut store, Filter::Linear, 1));
        let pixels = id_with(&mut store, Filter::Pixels, 2);
        assert_ne!(linear, pixels);
        assert_eq!(store.get(0).unwrap().textures.0.len(), 2, "the lens and the canvas share");
        store.get_mut(0).unwrap().textures.set_outdated();
        assert_ne!(pixels, id_with(&mut store, Filter::Pixels, 9));
        assert_eq!(store.get(0).unwrap().textures.0.len(), 1, "the linear one is of no use now");
    }

    #[test]
    fn transparency_is_seen_and_premultiplied() {
        let rgba = [10, 20, 30, 255, 200, 100, 0, 128];
        let (pixels, is_opaque) = texels(&rgba, 2, [0, 0], [2, 1]);
        assert!(!is_opaque);
        assert_eq!(pixels[0].to_array(), [10, 20, 30, 255]);
        assert_eq!(pixels[1], Color32::from_rgba_unmultiplied(200, 100, 0, 128));
        assert!(texels(&rgba, 2, [0, 0], [1, 1]).1);
    }
}
