//! [`Sorted`]: a map by places of the ring, in their order. It takes little more memory than what is in it, where a B-tree's
//! nodes are full to two thirds, and finds a place in two or three misses of the cache: places are hashes and so spread
//! evenly, and one is looked for first where it then stands. Whoever chooses GUIDs so that they are not makes that a
//! binary search, and no worse.

use crate::proto::ring::Range;

/// Entries of a block; one that is full becomes two.
const MOST: usize = 32;
/// A block grows by so many.
const SPARE: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    /// The first place of each block.
    firsts: Vec<u64>,
    /// None is empty.
    blocks: Vec<Vec<(u64, T)>>,
    len: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Sorted<T> {
        Sorted { firsts: Vec::new(), blocks: Vec::new(), len: 0 }
    }
}

impl<T> Sorted<T> {
    /// Entries that are in order.
    pub(super) fn of(entries: impl Iterator<Item = (u64, T)>) -> Sorted<T> {
        let (mut sorted, mut entries) = (Sorted::default(), entries.peekable());
        while entries.peek().is_some() {
            let mut block = Vec::with_capacity(MOST * 3 / 4);
            block.extend(entries.by_ref().take(MOST * 3 / 4));
            sorted.len += block.len();
            sorted.add_block(sorted.blocks.len(), block);
        }
        sorted
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: u64) -> Option<&T> {
        let (block, at) = self.seek(place);
        self.blocks.get(block)?.get(at).filter(|(found, _)| *found == place).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, place: u64) -> Option<&mut T> {
        let (block, at) = self.seek(place);
        self.blocks.get_mut(block)?.get_mut(at).filter(|(found, _)| *found == place).map(|(_, entry)| entry)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (u64, T)> {
        self.blocks.into_iter().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.blocks.iter().flatten().map(|(place, entry)| (*place, entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten().map(|(_, entry)| entry)
    }

    /// Those in a part of the ring, in its order.
    pub(super) fn range(&self, range: Range) -> impl Iterator<Item = (u64, &T)> {
        let Range { from, to } = range;
        let (start, end, last) = (self.seek(from), self.seek(to), (self.blocks.len(), 0));
        // A part that goes around the ring's end is two.
        let halves = if from <= to { [(start, end), (last, last)] } else { [(start, last), ((0, 0), end)] };
        halves.into_iter().flat_map(|(start, end)| self.between(start, end))
    }

    /// False if there is one at this place already.
    pub(super) fn insert(&mut self, place: u64, entry: T) -> bool {
        let (mut number, mut at) = self.seek(place);
        if self.blocks.is_empty() {
            self.add_block(0, Vec::new());
        }
        if self.blocks[number].get(at).is_some_and(|(found, _)| *found == place) {
            return false;
        }
        if self.blocks[number].len() >= MOST {
            let upper = self.blocks[number].split_off(MOST / 2);
            self.blocks[number].shrink_to(MOST / 2 + SPARE);
            self.add_block(number + 1, upper);
            if at > MOST / 2 {
                (number, at) = (number + 1, at - MOST / 2);
            }
        }
        let block = &mut self.blocks[number];
        if block.len() == block.capacity() {
            block.reserve_exact(SPARE);
        }
        block.insert(at, (place, entry));
        self.firsts[number] = block[0].0;
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, place: u64) -> Option<T> {
        let (number, at) = self.seek(place);
        let block = self.blocks.get_mut(number)?;
        if block.get(at)?.0 != place {
            return None;
        }
        let (_, entry) = block.remove(at);
        self.len -= 1;
        if let Some((first, _)) = block.first() {
            self.firsts[number] = *first;
        }
        // Few blocks are nearly empty.
        let few = block.len();
        let before = number.checked_sub(1).filter(|&before| self.blocks[before].len() + few <= MOST);
        if few == 0 || few < MOST / 4 && before.is_some() {
            let rest = self.blocks.remove(number);
            self.firsts.remove(number);
            if let Some(before) = before {
                self.blocks[before].reserve_exact(few);
                self.blocks[before].extend(rest);
            }
        }
        Some(entry)
    }

    pub(super) fn check(&self) {
        assert_eq!(self.len, self.blocks.iter().map(Vec::len).sum::<usize>());
        assert!(self.blocks.iter().all(|block| (1..=MOST).contains(&block.len())));
        assert!(self.firsts.iter().eq(self.blocks.iter().map(|block| &block[0].0)));
        assert!(self.iter().is_sorted_by(|(one, _), (other, _)| one < other));
    }

    fn add_block(&mut self, number: usize, block: Vec<(u64, T)>) {
        self.firsts.insert(number, block.first().map_or(0, |(first, _)| *first));
        self.blocks.insert(number, block);
    }

    fn between(&self, start: (usize, usize), end: (usize, usize)) -> impl Iterator<Item = (u64, &T)> {
        let part = move |number: usize| {
            let block = self.blocks.get(number).map_or(&[][..], Vec::as_slice);
            let from = if number == start.0 { start.1 } else { 0 };
            let to = if number == end.0 { end.1 } else { block.len() };
            block.get(from..to).unwrap_or_default()
        };
        (start.0..=end.0).flat_map(part).map(|(place, entry)| (*place, entry))
    }

    /// Where the first one stands that is not before this place, or would: its block, and where in it.
    fn seek(&self, place: u64) -> (usize, usize) {
        let share = (u128::from(place) * self.firsts.len() as u128) >> 64;
        let number = count(self.firsts.len(), share as usize, |at| self.firsts[at] <= place).saturating_sub(1);
        let Some(block) = self.blocks.get(number) else { return (0, 0) };
        let (first, next) = (self.firsts[number], self.firsts.get(number + 1).copied().unwrap_or(u64::MAX));
        let (into, width) = (place.saturating_sub(first) >> 32, ((next - first) >> 32) + 1);
        (number, count(block.len(), (into * block.len() as u64 / width) as usize, |at| block[at].0 < place))
    }
}

/// How many of `len` things in a row come `before`, where about `guess` are expected to.
fn count(len: usize, guess: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high, mut step) = (0, guess.min(len), 1);
    if guess < len && before(guess) {
        low = guess + 1;
        while low + step <= len && before(low + step - 1) {
            (low, step) = (low + step, step * 2);
        }
        high = (low + step - 1).min(len);
    } else {
        while high >= step && !before(high - step) {
            (high, step) = (high - step, step * 2);
        }
        low = if high >= step { high - step + 1 } else { low };
    }
    while low < high {
        let middle = low.midpoint(high);
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn as_many_come_before_wherever_one_begins_to_look() {
        for (len, before) in (0..40).flat_map(|len| (0..=len).map(move |before| (len, before))) {
            assert!((0..len + 3).all(|guess| count(len, guess, |at| at < before) == before));
        }
    }

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
            for sorted in [sorted, Sorted::of(map.clone().into_iter())] {
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
