//! A map that forgets: bounded in entries and in bytes, the least recently used goes first.

use std::hash::Hash;
use std::num::NonZeroUsize;

use lru::LruCache;

/// A bounded map. What it holds is always within both bounds; an entry that alone is over the byte
/// bound is not kept at all.
#[derive(Debug)]
pub struct BoundedCache<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    max_bytes: usize,
    bytes: usize,
}

impl<K: Hash + Eq, V> BoundedCache<K, V> {
    /// An empty cache. `max_bytes` bounds the sum of the sizes named at [`BoundedCache::insert`].
    #[must_use]
    pub fn new(max_entries: NonZeroUsize, max_bytes: usize) -> BoundedCache<K, V> {
        // `unbounded` allocates as it grows; the bound is kept by `insert`.
        let mut entries = LruCache::unbounded();
        entries.resize(max_entries);
        BoundedCache { entries, max_bytes, bytes: 0 }
    }

    /// The value at `key`, which is now the most recently used.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// Keeps `value`, of about `bytes` bytes with its key, in place of an older one at `key`.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        if bytes > self.max_bytes {
            return;
        }
        if let Some((_, (_, evicted))) = self.entries.push(key, (value, bytes)) {
            self.bytes = self.bytes.saturating_sub(evicted);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > self.max_bytes {
            let Some((_, (_, evicted))) = self.entries.pop_lru() else { break };
            self.bytes = self.bytes.saturating_sub(evicted);
        }
    }

    /// Forgets `key`.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some((_, removed)) = self.entries.pop(key) {
            self.bytes = self.bytes.saturating_sub(removed);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// How many entries it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn cache(entries: usize, bytes: usize) -> BoundedCache<u32, u32> {
        BoundedCache::new(NonZeroUsize::new(entries).unwrap(), bytes)
    }

    #[test]
    fn forgets_the_least_recently_used_over_the_entry_bound() {
        let mut cache = cache(2, 1000);
        cache.insert(1, 10, 1);
        cache.insert(2, 20, 1);
        assert_eq!(cache.get(&1).copied(), Some(10));
        cache.insert(3, 30, 1);
        assert_eq!((cache.get(&1).copied(), cache.len()), (Some(10), 2));
        assert_eq!((cache.get(&2).copied(), cache.bytes), (None, 2));
    }

    #[test]
    fn forgets_the_least_recently_used_over_the_byte_bound() {
        let mut cache = cache(100, 10);
        cache.insert(1, 10, 6);
        cache.insert(2, 20, 6);
        assert_eq!((cache.get(&1).copied(), cache.bytes), (None, 6));
        cache.insert(2, 21, 4);
        assert_eq!((cache.get(&2).copied(), cache.bytes), (Some(21), 4));
        cache.insert(3, 30, 11);
        assert_eq!((cache.get(&3).copied(), cache.bytes), (None, 4));
    }

    #[test]
    fn stays_bounded_under_a_flood() {
        let mut cache = cache(64, 4096);
        for key in 0..100_000 {
            cache.insert(key, key, 100);
        }
        assert!(cache.len() <= 40 && cache.bytes <= 4096);
        cache.clear();
        assert!(cache.is_empty() && cache.bytes == 0);
    }
}
