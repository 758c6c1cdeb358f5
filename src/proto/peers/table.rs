//! [`Table`]: all nodes that are listed, alive or not, in the ring's order. Small, since a node has one entry for every
//! other node of its network; what is known of those few whom it talks with is in `contacts`.

use super::names::{Called, Names};
use super::peer::{Reach, Reason};
use super::plain::Plain;
use super::sorted::Sorted;
use crate::proto::gossip::Guid;
use crate::proto::limits::PEER_BYTES;
use crate::proto::ring::{Range, place};
use crate::proto::time::Tick;
use crate::proto::wire::ListState;
use siphasher::sip::SipHasher24;
use std::net::SocketAddr;

/// One listed node.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) guid: Guid,
    addr: Plain,
    pub(super) incarnation: u32,
    /// In tenths of a second: enough for 13 years.
    since: u32,
    /// Where it stands among the live, or among the others.
    slot: u32,
    /// Its name, none where nobody told it yet.
    pub(super) called: Called,
    reach: Reach,
    reason: Reason,
}

const _: () = assert!(size_of::<Option<(u64, Entry)>>() <= PEER_BYTES);

impl Entry {
    pub(super) fn new(guid: Guid, addr: SocketAddr, incarnation: u32) -> Entry {
        let ((reach, reason), (called, since, slot)) = ((Reach::Reachable, Reason::Heard), Default::default());
        Entry { guid, addr: Plain::new(addr), incarnation, since, slot, called, reach, reason }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr.addr()
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    pub(super) fn since(&self) -> Tick {
        Tick(u64::from(self.since) * 100_000)
    }

    /// What names it, as it is, in few bytes, among those of a small part of the ring.
    pub(super) fn mark(&self) -> u32 {
        self.hash() as u32
    }

    fn hash(&self) -> u64 {
        hash(&self.guid, self.incarnation, self.addr)
    }
}

/// Entries by place. The live ones stand in the order in which they are probed, of which the first `probed` had their
/// turn in this pass.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Sorted<Entry>,
    names: Names,
    live: Vec<u64>,
    others: Vec<u64>,
    probed: usize,
    /// Sum of the hashes of the live.
    sum: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn live(&self) -> &[u64] {
        &self.live
    }

    /// Those who are dead or have left.
    pub(super) fn others(&self) -> &[u64] {
        &self.others
    }

    pub(super) fn at(&self, place: u64) -> Option<&Entry> {
        self.entries.get(place)
    }

    pub(super) fn find(&self, guid: &Guid) -> Option<(u64, &Entry)> {
        let place = place(guid);
        self.entries.get(place).filter(|entry| entry.guid == *guid).map(|entry| (place, entry))
    }

    /// What a listed node is called.
    pub(super) fn name(&self, entry: &Entry) -> &str {
        self.names.get(entry.called)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter()
    }

    /// The live in a part of the ring, in its order.
    pub(super) fn range(&self, range: Range) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(range).filter(|(_, entry)| entry.reach.answers())
    }

    /// Adds one; a live one comes at a random place among those whose turn is still to come, as `draw` has it. False if
    /// another stands at its place of the ring: 64 bits meet by chance in no network, so somebody made that up.
    pub(super) fn insert(
        &mut self,
        now: Tick,
        (mut entry, name): (Entry, &str),
        draw: usize,
        reach: Reach,
        reason: Reason,
    ) -> bool {
        let place = place(&entry.guid);
        if self.entries.get(place).is_some() {
            return false;
        }
        entry.called = self.names.add(name);
        (entry.reach, entry.reason, entry.since) = (reach, reason, tenths(now));
        if reach.answers() {
            self.sum = self.sum.wrapping_add(entry.hash());
        }
        self.entries.insert(place, entry);
        self.enlist(place, reach, draw);
        true
    }

    /// Adds many live ones at once, in the ring's order, to be probed in an order that `draw` makes of it.
    pub(super) fn fill<'a>(
        &mut self,
        now: Tick,
        all: impl Iterator<Item = (Entry, &'a str)>,
        reason: Reason,
        draw: impl FnOnce(&mut [u64]),
    ) {
        let Table { entries, names, .. } = self;
        let before = std::mem::take(entries);
        let new: Vec<(u64, Entry)> = all
            .map(|(entry, name)| (place(&entry.guid), entry, name))
            .filter(|(place, ..)| before.get(*place).is_none())
            .map(|(place, entry, name)| {
                let called = names.add(name);
                (place, Entry { reach: Reach::Reachable, reason, since: tenths(now), called, ..entry })
            })
            .collect();
        self.sum = new.iter().fold(self.sum, |sum, (_, entry)| sum.wrapping_add(entry.hash()));
        self.live.extend(new.iter().map(|(place, _)| place));
        let mut all: Vec<(u64, Entry)> = before.into_iter().chain(new).collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        *entries = Sorted::of(all);
        self.probed = 0;
        draw(&mut self.live);
        (0..self.live.len()).for_each(|slot| self.seat(slot, true));
    }

    pub(super) fn remove(&mut self, place: u64) {
        self.delist(place);
        let Some(entry) = self.entries.remove(place) else { return };
        if entry.reach.answers() {
            self.sum = self.sum.wrapping_sub(entry.hash());
        }
        self.names.remove(entry.called);
        self.tidy_names();
    }

    /// Says how one is reached from now on; true if that is new.
    pub(super) fn set(&mut self, now: Tick, place: u64, reach: Reach, reason: Reason, draw: usize) -> bool {
        let Some(entry) = self.entries.get_mut(place) else { return false };
        let before = std::mem::replace(&mut entry.reach, reach);
        entry.reason = reason;
        if before == reach {
            return false;
        }
        entry.since = tenths(now);
        let hash = entry.hash();
        match (before.answers(), reach.answers()) {
            (true, false) => self.sum = self.sum.wrapping_sub(hash),
            (false, true) => self.sum = self.sum.wrapping_add(hash),
            _ => return true,
        }
        self.delist_as(place, before);
        self.enlist(place, reach, draw);
        true
    }

    /// Says where one is, in which incarnation, and what it is called.
    pub(super) fn identify(&mut self, place: u64, addr: SocketAddr, incarnation: u32, name: Option<&str>) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        let before = entry.hash();
        (entry.addr, entry.incarnation) = (Plain::new(addr), incarnation);
        if entry.reach.answers() {
            self.sum = self.sum.wrapping_sub(before).wrapping_add(entry.hash());
        }
        if let Some(name) = name.filter(|name| *name != self.names.get(entry.called)) {
            self.names.remove(entry.called);
            entry.called = self.names.add(name);
            self.tidy_names();
        }
    }

    fn tidy_names(&mut self) {
        if self.names.is_wasteful() {
            self.names.tidy(self.entries.iter_mut().map(|entry| &mut entry.called));
        }
    }

    /// The live one that was probed longest ago; its turn is over then.
    pub(super) fn oldest(&mut self) -> Option<u64> {
        if self.probed >= self.live.len() {
            self.probed = 0;
        }
        let place = self.live.get(self.probed).copied();
        self.probed += usize::from(place.is_some());
        place
    }

    /// How many are alive and a hash of all of them, where this one, ourselves, is one of them.
    pub(super) fn list(&self, me: &Guid, incarnation: u32, addr: Option<SocketAddr>) -> ListState {
        let own = addr.map_or(0, |addr| hash(me, incarnation, Plain::new(addr)));
        ListState { count: self.live.len() as u32 + 1, hash: self.sum.wrapping_add(own) }
    }

    pub(super) fn check(&self) {
        assert_eq!(self.live.len() + self.others.len(), self.entries.len());
        assert!(self.probed <= self.live.len());
        let mut sum = 0u64;
        for (list, alive) in [(&self.live, true), (&self.others, false)] {
            for (slot, place) in list.iter().enumerate() {
                let entry = self.entries.get(*place);
                let is_seated = |entry: &Entry| (entry.slot as usize, entry.reach.answers()) == (slot, alive);
                assert!(entry.is_some_and(is_seated));
                sum = sum.wrapping_add(entry.filter(|_| alive).map_or(0, Entry::hash));
            }
        }
        assert_eq!(sum, self.sum);
        self.entries.check();
        self.names.check(self.entries.iter().map(|(_, entry)| entry.called.len()).sum());
    }

    fn enlist(&mut self, place: u64, reach: Reach, draw: usize) {
        if reach.answers() {
            // A vector that doubles would be half empty in most networks.
            if self.live.len() == self.live.capacity() {
                self.live.reserve_exact(self.live.len() / 8 + 8);
            }
            self.live.push(place);
            let last = self.live.len() - 1;
            let slot = self.probed.min(last) + draw % (last - self.probed.min(last) + 1);
            self.swap(slot, last);
        } else {
            self.others.push(place);
            self.seat(self.others.len() - 1, false);
        }
    }

    fn delist(&mut self, place: u64) {
        if let Some(entry) = self.entries.get(place) {
            self.delist_as(place, entry.reach);
        }
    }

    fn delist_as(&mut self, place: u64, reach: Reach) {
        let Some(slot) = self.entries.get(place).map(|entry| entry.slot as usize) else { return };
        if !reach.answers() {
            self.others.swap_remove(slot);
            self.seat(slot, false);
            return;
        }
        // Those who had their turn stay in front of those who had not.
        let mut slot = slot;
        if slot < self.probed {
            self.probed -= 1;
            self.swap(slot, self.probed);
            slot = self.probed;
        }
        self.live.swap_remove(slot);
        self.seat(slot, true);
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.live.swap(one, other);
        self.seat(one, true);
        self.seat(other, true);
    }

    fn seat(&mut self, slot: usize, alive: bool) {
        let list = if alive { &self.live } else { &self.others };
        if let Some(entry) = list.get(slot).and_then(|place| self.entries.get_mut(*place)) {
            entry.slot = slot as u32;
        }
    }
}

fn tenths(now: Tick) -> u32 {
    u32::try_from(now.since(Tick(0)).as_millis() / 100).unwrap_or(u32::MAX)
}

fn hash(guid: &Guid, incarnation: u32, addr: Plain) -> u64 {
    let mut bytes = [0; 16 + 4 + 18];
    let (own, rest) = bytes.split_at_mut(16);
    let (last, place) = rest.split_at_mut(4);
    own.copy_from_slice(&guid.0);
    last.copy_from_slice(&incarnation.to_le_bytes());
    place.copy_from_slice(&addr.said());
    SipHasher24::new().hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn how_long_a_peer_is_so_is_known_after_years() {
        for days in [0, 1, 500, 4000] {
            let now = Tick(0) + Duration::from_secs(days * 86_400 + 7);
            let (mut table, guid) = (Table::default(), Guid([1; 16]));
            let entry = Entry::new(guid, SocketAddr::from(([10, 0, 0, 1], 6884)), 1);
            assert!(table.insert(now, (entry, "one"), 0, Reach::Unreachable, Reason::Accused));
            let since = table.find(&guid).unwrap().1.since();
            assert!(now.since(since) < Duration::from_millis(100), "after {days} days");
        }
    }
}
