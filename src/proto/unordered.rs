//! [`Unordered`]: a map that finds by hash, for what comes and goes with each record: a tree of many thousands costs a miss of
//! the cache at each level. It cannot be walked in the order of its hashes, which differs from run to run: what is not asked
//! for by its key comes sorted.

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::Hash;

/// See the module. Its hash is quick rather than safe from who knows the seed, which none does: it is another in each map.
#[derive(Debug)]
pub struct Unordered<K, V>(HashMap<K, V, RandomState>);

impl<K, V> Default for Unordered<K, V> {
    fn default() -> Unordered<K, V> {
        Unordered(HashMap::default())
    }
}

impl<K: Copy + Eq + Hash + Ord, V> Unordered<K, V> {
    /// What stands under this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// Whether anything stands under this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Puts something under a key; returns what stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes out what stands under this key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// For how many keys there is room.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Gives back the room beyond that for so many keys.
    pub fn shrink_to(&mut self, keys: usize) {
        self.0.shrink_to(keys);
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, by key. It costs as much as to sort it.
    #[expect(clippy::disallowed_methods, reason = "it is sorted")]
    pub fn sorted(&self) -> Vec<(K, &V)> {
        let mut all: Vec<(K, &V)> = self.0.iter().map(|(&key, value)| (key, value)).collect();
        all.sort_unstable_by_key(|&(key, _)| key);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_comes_in_one_order_however_it_came_in() {
        let map = |keys: &[u32]| {
            let mut map = Unordered::default();
            for &key in keys {
                map.insert(key, key * 2);
            }
            map
        };
        let there = map(&(0..1000).collect::<Vec<u32>>());
        let back = map(&(0..1000).rev().collect::<Vec<u32>>());
        assert!(there.sorted() == back.sorted() && there.sorted().is_sorted());
        assert_eq!((there.len(), there.get(&7), there.get(&1000)), (1000, Some(&14), None));
    }
}
