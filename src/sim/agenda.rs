//! [`Agenda`]: what is to happen, and when. What is due at the same time happens in the order in which it was scheduled,
//! so that a run can be repeated.

use crate::proto::time::Tick;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A heap of small keys over a slab of entries: a heap of entries would move each of them a dozen times.
pub(super) struct Agenda<T> {
    order: BinaryHeap<Reverse<(Tick, u64, u32)>>,
    entries: Vec<Option<T>>,
    free: Vec<u32>,
    scheduled: u64,
}

impl<T> Agenda<T> {
    pub(super) fn new() -> Agenda<T> {
        Agenda { order: BinaryHeap::new(), entries: Vec::new(), free: Vec::new(), scheduled: 0 }
    }

    pub(super) fn schedule(&mut self, at: Tick, entry: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("fewer than 4 billion things happen at once")
        });
        self.entries[slot as usize] = Some(entry);
        self.scheduled += 1;
        self.order.push(Reverse((at, self.scheduled, slot)));
    }

    /// When the next entry is due.
    pub(super) fn due(&self) -> Tick {
        self.order.peek().map_or(Tick::NEVER, |Reverse((at, ..))| *at)
    }

    /// The next entry, and when it is due.
    pub(super) fn next(&mut self) -> Option<(Tick, T)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        let entry = self.entries[slot as usize].take().expect("every key has its entry");
        Some((at, entry))
    }

    /// How many entries there were so far.
    pub(super) fn scheduled(&self) -> u64 {
        self.scheduled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_by_time_and_then_as_they_were_scheduled() {
        let mut agenda = Agenda::new();
        for (at, entry) in [(7, "c"), (3, "a"), (7, "d"), (5, "b")] {
            agenda.schedule(Tick(at), entry);
        }
        assert_eq!(agenda.due(), Tick(3));
        assert_eq!(agenda.next(), Some((Tick(3), "a")));
        agenda.schedule(Tick(7), "e");
        let rest: String = std::iter::from_fn(|| agenda.next().map(|(_, entry)| entry)).collect();
        assert_eq!(rest, "bcde");
        assert_eq!((agenda.due(), agenda.scheduled()), (Tick::NEVER, 5));
        assert_eq!(agenda.entries.len(), 4, "slots are used again");
    }
}
