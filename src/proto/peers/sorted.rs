//! [`Sorted`]: a map by places of the ring, in their order. Places are hashes and so spread evenly: each entry stands in
//! the slot that is its place's share of all slots, or behind it where smaller ones take that, so that one is found in a
//! miss of the cache or two and takes little more memory than it is long (Amble and Knuth, *Ordered hash tables*, The
//! Computer Journal 17:2, 1974). Whoever chooses GUIDs that stand close together makes looking up a binary search, and
//! putting in a move of those that stand behind.

use crate::proto::ring::Range;

/// Of so many slots one is free.
const FREE: usize = 8;
/// Slots behind the last one's share, for those that are moved on beyond it.
const SPARE: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    /// Entries in order, and free slots; none is free between an entry's slot and the one that is its place's share.
    slots: Vec<Option<(u64, T)>>,
    /// Slots that places share in; what is moved on beyond them stands behind.
    shared: usize,
    len: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Sorted<T> {
        Sorted { slots: Vec::new(), shared: 0, len: 0 }
    }
}

impl<T> Sorted<T> {
    /// Entries that are in order.
    pub(super) fn of(entries: Vec<(u64, T)>) -> Sorted<T> {
        let room = entries.len();
        Sorted::with_room(room, entries.into_iter())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: u64) -> Option<&T> {
        let (found, entry) = self.slots.get(self.seek(place))?.as_ref()?;
        (*found == place).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, place: u64) -> Option<&mut T> {
        let slot = self.seek(place);
        let (found, entry) = self.slots.get_mut(slot)?.as_mut()?;
        (*found == place).then_some(entry)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (u64, T)> {
        self.slots.into_iter().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().flatten().map(|(place, entry)| (*place, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten().map(|(_, entry)| entry)
    }

    /// Those in a part of the ring, in its order.
    pub(super) fn range(&self, range: Range) -> impl Iterator<Item = (u64, &T)> {
        let (start, end) = (self.seek(range.from), self.seek(range.to));
        // A part that goes around the ring's end is two.
        let (upper, lower) =
            if range.from <= range.to { (start..end, 0..0) } else { (start..self.slots.len(), 0..end) };
        let both = self.slots[upper].iter().chain(&self.slots[lower]);
        both.flatten().map(|(place, entry)| (*place, entry))
    }

    /// False if there is one at this place already.
    pub(super) fn insert(&mut self, place: u64, entry: T) -> bool {
        let mut slot = self.seek(place);
        if matches!(self.slots.get(slot), Some(Some((found, _))) if *found == place) {
            return false;
        }
        if self.len + self.len / FREE >= self.shared {
            self.make_room(self.len + self.len / FREE + 1);
            slot = self.seek(place);
        }
        let taken = self.slots[slot..].iter().take_while(|slot| slot.is_some()).count();
        if slot + taken == self.slots.len() {
            self.slots.reserve_exact(1);
            self.slots.push(None);
        }
        self.slots[slot..=slot + taken].rotate_right(1);
        self.slots[slot] = Some((place, entry));
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, place: u64) -> Option<T> {
        let slot = self.seek(place);
        let (_, entry) = self.slots.get_mut(slot)?.take_if(|(found, _)| *found == place)?;
        // Those that had to stand behind it move up.
        let moved_on = |slot: usize| self.slots[slot].as_ref().is_some_and(|(place, _)| self.share(*place) < slot);
        let behind = (slot + 1..self.slots.len()).take_while(|slot| moved_on(*slot)).count();
        self.slots[slot..=slot + behind].rotate_left(1);
        self.len -= 1;
        if self.len < self.shared / 4 {
            self.make_room(self.len);
        }
        Some(entry)
    }

    pub(super) fn check(&self) {
        assert_eq!(self.len, self.iter().count());
        assert!(self.iter().is_sorted_by(|(one, _), (other, _)| one < other));
        let mut free = None;
        for (at, slot) in self.slots.iter().enumerate() {
            match slot {
                Some((place, _)) => assert!(free < Some(self.share(*place)) && self.share(*place) <= at),
                None => free = Some(at),
            }
        }
    }

    /// Moves all to where there is room for so many.
    fn make_room(&mut self, room: usize) {
        let before = std::mem::take(self);
        *self = Sorted::with_room(room, before.into_iter());
    }

    fn with_room(room: usize, entries: impl Iterator<Item = (u64, T)>) -> Sorted<T> {
        let shared = room + room.div_ceil(FREE);
        let mut sorted = Sorted { slots: Vec::new(), shared, len: 0 };
        sorted.slots.reserve_exact(if room == 0 { 0 } else { shared + SPARE });
        for (place, entry) in entries {
            let slot = sorted.share(place).max(sorted.slots.len());
            sorted.slots.resize_with(slot, || None);
            sorted.slots.push(Some((place, entry)));
            sorted.len += 1;
        }
        sorted.slots.resize_with(sorted.slots.len().max(shared), || None);
        sorted
    }

    /// The slot that is a place's share.
    fn share(&self, place: u64) -> usize {
        ((u128::from(place) * self.shared as u128) >> 64) as usize
    }

    /// The slot of the first one that is not before this place, or the free one in front of it where it would stand.
    fn seek(&self, place: u64) -> usize {
        let before = |slot: usize| matches!(self.slots.get(slot), Some(Some((found, _))) if *found < place);
        let (mut low, mut step) = (self.share(place), 1);
        while before(low + step - 1) {
            (low, step) = (low + step, step * 2);
        }
        let mut high = low + step - 1;
        while low < high {
            let middle = low.midpoint(high);
            if before(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map_in_order_whatever_comes_and_goes(
            steps in prop::collection::vec((any::<bool>(), 0..600u64), 0..3000),
            crowded: bool,
            ranges in prop::collection::vec((0..600u64, 0..600u64), 20),
        ) {
            // Spread over all places, the last one too, or all but the last in one corner.
            let place = |n: u64| if n == 599 { u64::MAX } else if crowded { n } else { n * (u64::MAX / 600) };
            let (mut sorted, mut map) = (Sorted::default(), BTreeMap::new());
            for (number, (add, n)) in steps.into_iter().enumerate() {
                if add || number % 3 == 0 {
                    prop_assert_eq!(sorted.insert(place(n), number), !map.contains_key(&place(n)));
                    map.entry(place(n)).or_insert(number);
                } else {
                    prop_assert_eq!(sorted.remove(place(n)), map.remove(&place(n)));
                }
            }
            sorted.check();
            let entries = |map: &BTreeMap<u64, usize>| map.clone().into_iter().collect::<Vec<_>>();
            for sorted in [sorted, Sorted::of(map.clone().into_iter().collect())] {
                sorted.check();
                prop_assert_eq!(sorted.iter().map(|(place, n)| (place, *n)).collect::<Vec<_>>(), entries(&map));
                prop_assert!((0..600).all(|n| sorted.get(place(n)) == map.get(&place(n))));
                for (from, to) in &ranges {
                    let range = Range { from: place(*from), to: place(*to) };
                    let mut inside = map.clone();
                    inside.retain(|place, _| range.contains(*place));
                    let mut inside = entries(&inside);
                    inside.sort_by_key(|(place, _)| place.wrapping_sub(range.from));
                    prop_assert_eq!(sorted.range(range).map(|(place, n)| (place, *n)).collect::<Vec<_>>(), inside);
                }
            }
        }
    }
}
