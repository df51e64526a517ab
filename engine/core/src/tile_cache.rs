//! Finished preview tiles, kept while the memory for them lasts; the longest unused go first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use limpid_photo::Rect;

use crate::event::Side;

/// What a tile shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TileKey {
    /// Which steps made it, see [`crate::preview`]; 0 for the original.
    pub(crate) steps: u64,
    pub(crate) side: Side,
    pub(crate) level: u32,
    pub(crate) rect: Rect,
}

/// A tile as the screen wants it.
#[derive(Clone, Debug)]
pub(crate) struct CachedTile {
    pub(crate) size: [u32; 2],
    pub(crate) rgba: Arc<[u8]>,
}

impl CachedTile {
    /// Memory it takes, with its place in the tables.
    pub(crate) fn bytes(&self) -> u64 {
        self.rgba.len() as u64 + 256
    }
}

#[derive(Debug, Default)]
pub(crate) struct TileCache {
    tiles: HashMap<TileKey, (u64, CachedTile)>,
    by_use: BTreeMap<u64, TileKey>,
    clock: u64,
    bytes: u64,
}

impl TileCache {
    pub(crate) fn get(&mut self, key: &TileKey) -> Option<CachedTile> {
        let (used, tile) = self.tiles.get_mut(key)?;
        self.by_use.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.by_use.insert(self.clock, *key);
        Some(tile.clone())
    }

    /// Keeps a tile; what was used longest ago makes room within `budget_bytes`.
    pub(crate) fn insert(&mut self, key: TileKey, tile: CachedTile, budget_bytes: u64) {
        self.remove(&key);
        self.shrink(budget_bytes.saturating_sub(tile.bytes()));
        if tile.bytes() > budget_bytes {
            return;
        }
        self.clock += 1;
        self.bytes += tile.bytes();
        self.by_use.insert(self.clock, key);
        self.tiles.insert(key, (self.clock, tile));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn shrink(&mut self, budget_bytes: u64) {
        while self.bytes > budget_bytes {
            let Some((_, key)) = self.by_use.pop_first() else { return };
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &TileKey) {
        if let Some((used, tile)) = self.tiles.remove(key) {
            self.by_use.remove(&used);
            self.bytes -= tile.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(x: u32) -> TileKey {
        TileKey { steps: 1, side: Side::After, level: 0, rect: Rect::new(x, 0, 1, 1) }
    }

    fn tile(bytes: usize) -> CachedTile {
        CachedTile { size: [1, 1], rgba: vec![0; bytes].into() }
    }

    #[test]
    fn the_longest_unused_make_room() {
        let mut cache = TileCache::default();
        let budget = 3 * (1000 + 256);
        (0..3).for_each(|x| cache.insert(key(x), tile(1000), budget));
        assert!(cache.get(&key(0)).is_some());
        cache.insert(key(3), tile(1000), budget);
        let kept: Vec<_> = (0..4).filter(|x| cache.get(&key(*x)).is_some()).collect();
        assert_eq!(kept, [0, 2, 3]);
        assert!(cache.bytes <= budget);
    }

    #[test]
    fn a_tile_that_replaces_itself_is_counted_once() {
        let mut cache = TileCache::default();
        (0..10).for_each(|_| cache.insert(key(0), tile(100), 1 << 20));
        assert_eq!((cache.bytes, cache.by_use.len()), (356, 1));
        cache.insert(key(1), tile(1 << 20), 1 << 20);
        assert!(cache.get(&key(1)).is_none());
        cache.clear();
        assert_eq!(cache.bytes, 0);
    }
}
