//! Results of networks kept between calls, so that a moved slider which only says how a result is
//! used does not run the network again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use limpid_kernels::Planes;

use crate::error::PhotoError;
use crate::geometry::Rect;

/// A bounded store of network results of ONE picture; make a new one for another picture.
///
/// Steps, settings and measured levels are part of each entry's key, so the same store serves any
/// number of chains. What was not asked for longest goes first.
#[derive(Debug)]
pub struct RenderCache {
    limit_bytes: u64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    map: HashMap<Key, Entry>,
    bytes: u64,
    clock: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Everything that the pixels depend on besides the picture.
    recipe: Arc<str>,
    rect: Rect,
}

#[derive(Debug)]
struct Entry {
    planes: Arc<Planes>,
    last_used: u64,
}

impl RenderCache {
    /// A store that holds at most `limit_bytes` of samples.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, entries: Mutex::default() }
    }

    /// Bytes of the samples held now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = Entries::default();
    }

    fn get(&self, key: &Key) -> Option<Arc<Planes>> {
        let mut entries = self.lock();
        entries.clock += 1;
        let now = entries.clock;
        let entry = entries.map.get_mut(key)?;
        entry.last_used = now;
        Some(Arc::clone(&entry.planes))
    }

    fn put(&self, key: Key, planes: Arc<Planes>) {
        let bytes = planes_bytes(&planes);
        if bytes > self.limit_bytes {
            return;
        }
        let mut entries = self.lock();
        entries.clock += 1;
        let last_used = entries.clock;
        entries.bytes += bytes;
        if let Some(old) = entries.map.insert(key, Entry { planes, last_used }) {
            entries.bytes -= planes_bytes(&old.planes);
        }
        while entries.bytes > self.limit_bytes {
            let oldest = entries.map.iter().min_by_key(|(_, entry)| entry.last_used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(gone) = entries.map.remove(&key) {
                entries.bytes -= planes_bytes(&gone.planes);
            }
        }
    }

    /// Every change leaves the store whole, so it is sound even after a panic elsewhere.
    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn planes_bytes(planes: &Planes) -> u64 {
    planes.data().len() as u64 * 4
}

/// A [`RenderCache`] as one step of one chain sees it.
#[derive(Clone, Debug)]
pub(crate) struct Memo<'a> {
    pub(crate) cache: &'a RenderCache,
    /// This step and everything before it.
    pub(crate) recipe: Arc<str>,
}

impl Memo<'_> {
    /// What was stored for `rect`, else what `compute` returns, which is stored.
    pub(crate) fn recall(
        &self,
        rect: Rect,
        compute: impl FnOnce() -> Result<Planes, PhotoError>,
    ) -> Result<Planes, PhotoError> {
        let key = Key { recipe: Arc::clone(&self.recipe), rect };
        if let Some(planes) = self.cache.get(&key) {
            return Ok(Planes::clone(&planes));
        }
        let planes = Arc::new(compute()?);
        self.cache.put(key, Arc::clone(&planes));
        Ok(Arc::unwrap_or_clone(planes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memo<'a>(cache: &'a RenderCache, recipe: &str) -> Memo<'a> {
        Memo { cache, recipe: recipe.into() }
    }

    #[test]
    fn the_least_recently_asked_goes_first() {
        let cache = RenderCache::new(3 * 400);
        let rect = |x| Rect::new(x, 0, 10, 10);
        let store = |x| memo(&cache, "a").recall(rect(x), || Ok(Planes::zeros(1, 10, 10))).unwrap();
        let holds = |x| cache.get(&Key { recipe: "a".into(), rect: rect(x) }).is_some();
        for x in [0, 1, 2, 0, 3] {
            store(x);
        }
        assert_eq!(cache.bytes(), 1200);
        assert!(holds(0) && !holds(1) && holds(2) && holds(3));
    }

    #[test]
    fn a_result_is_computed_once_and_a_failure_is_not_kept() {
        let cache = RenderCache::new(1 << 20);
        let rect = Rect::new(0, 0, 4, 4);
        let fail = || Err(PhotoError::internal("no"));
        assert!(memo(&cache, "a").recall(rect, fail).is_err());
        let first = memo(&cache, "a").recall(rect, || Ok(Planes::zeros(1, 4, 4))).unwrap();
        assert_eq!(memo(&cache, "a").recall(rect, fail).unwrap(), first);
        assert!(memo(&cache, "b").recall(rect, fail).is_err());
        // Larger than the store: handed through, not kept.
        let large = Rect::new(0, 0, 1000, 1000);
        memo(&cache, "a").recall(large, || Ok(Planes::zeros(1, 1000, 1000))).unwrap();
        assert!(memo(&cache, "a").recall(large, fail).is_err());
    }
}
