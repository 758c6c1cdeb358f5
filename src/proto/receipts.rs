//! [`Receipts`]: who is known to hold a record. A peer is known to hold it since it said so, or since its whole ledger
//! equalled ours when the record was in it.

use crate::proto::gossip::Guid;
use crate::proto::limits::{PEERS, RECEIPTS};
use crate::proto::time::Tick;
use crate::proto::unordered::Unordered;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Peers are asked again after this time.
const ASK: Duration = Duration::from_millis(250);
/// Who says so later than this after a record was held here was asked, and may have held it for long.
const PROMPT: Duration = Duration::from_secs(1);
/// Peers who wait for one record.
const ASKERS: usize = 64;

/// Somebody here waits for peers to hold a record, or more than one does.
struct Watch {
    /// When peers are asked next, and until when.
    at: Tick,
    until: Tick,
    /// How many peers are to hold it; none: all.
    wanted: Option<usize>,
}

struct Held {
    since: Tick,
    /// Who said so, and when.
    holders: BTreeMap<Guid, Tick>,
}

/// See the module.
#[derive(Default)]
pub struct Receipts {
    held: Unordered<Guid, Held>,
    order: VecDeque<Guid>,
    /// Holders of all of them together.
    noted: usize,
    /// What is not among `held` any more was held by then.
    forgotten: Tick,
    /// When a peer's ledger last equalled ours.
    equal: BTreeMap<Guid, Tick>,
    watched: BTreeMap<Guid, Watch>,
    /// Peers that wait for us to hold a record.
    askers: BTreeMap<Guid, BTreeSet<Guid>>,
    /// The records that they wait for, or did; those asked for first make room for others.
    asked: VecDeque<Guid>,
}

impl Receipts {
    /// A record is held from now on. Returns the peers that want to know.
    pub fn hold(&mut self, now: Tick, guid: Guid) -> BTreeSet<Guid> {
        // One that was lost on the disk and came again begins anew.
        if let Some(before) = self.held.insert(guid, Held { since: now, holders: BTreeMap::new() }) {
            self.noted -= before.holders.len();
        }
        self.order.push_back(guid);
        self.make_room();
        self.askers.remove(&guid).unwrap_or_default()
    }

    /// Those that were held first make room for others.
    fn make_room(&mut self) {
        while self.order.len() > RECEIPTS || self.noted > PEERS {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(held) = self.held.remove(&oldest) {
                self.noted -= held.holders.len();
                self.forgotten = self.forgotten.max(held.since);
            }
        }
    }

    /// A record is held no more: nobody is asked about it.
    pub fn drop_record(&mut self, guid: &Guid) {
        self.noted -= self.held.remove(guid).map_or(0, |held| held.holders.len());
        self.watched.remove(guid);
        self.askers.remove(guid);
    }

    /// A peer said that it holds a record.
    pub fn note(&mut self, now: Tick, peer: Guid, guid: &Guid) {
        if let Some(held) = self.held.get_mut(guid)
            && let Entry::Vacant(entry) = held.holders.entry(peer)
        {
            entry.insert(now);
            self.noted += 1;
            self.make_room();
        }
    }

    /// A peer's ledger equals ours.
    pub fn equals(&mut self, now: Tick, peer: Guid) {
        self.equal.insert(peer, now);
    }

    /// A peer wants to know when we hold this record.
    pub fn asked(&mut self, peer: Guid, guid: Guid) {
        let askers = self.askers.entry(guid).or_insert_with(|| {
            self.asked.push_back(guid);
            BTreeSet::new()
        });
        if askers.len() < ASKERS {
            askers.insert(peer);
        }
        if self.asked.len() > RECEIPTS {
            self.asked.pop_front().and_then(|oldest| self.askers.remove(&oldest));
        }
    }

    /// Peers that wait for us to hold a record.
    pub fn askers(&self, guid: &Guid) -> impl Iterator<Item = Guid> + use<'_> {
        self.askers.get(guid).into_iter().flatten().copied()
    }

    /// Whether a peer is known to hold a record that we hold.
    pub fn knows(&self, guid: &Guid, peer: &Guid) -> bool {
        let held = self.held.get(guid);
        let since = held.map_or(self.forgotten, |held| held.since);
        held.is_some_and(|held| held.holders.contains_key(peer)) || self.equal.get(peer).is_some_and(|&at| at >= since)
    }

    /// How long after this node a peer held a record: when it said so, which is later than when it was so. None where it
    /// said so long after, as when it was asked, or did not say it of this record.
    pub fn after(&self, guid: &Guid, peer: &Guid) -> Option<Duration> {
        let held = self.held.get(guid)?;
        Some(held.holders.get(peer)?.since(held.since)).filter(|&after| after < PROMPT)
    }

    /// Somebody here wants to know who holds this record, until so many do, or all. Who waits already gets no less.
    pub fn watch(&mut self, now: Tick, guid: Guid, span: Duration, wanted: Option<usize>) {
        let (until, full) = (now + span, self.watched.len() >= RECEIPTS);
        match self.watched.get_mut(&guid) {
            Some(watch) => {
                (watch.at, watch.until) = (now, until.max(watch.until));
                watch.wanted = watch.wanted.zip(wanted).map(|(before, wanted)| before.max(wanted));
            }
            None if full => {}
            None => drop(self.watched.insert(guid, Watch { at: now, until, wanted })),
        }
    }

    /// So many peers are known to hold a record that is held here: whether that is all that somebody waited for. Then nobody
    /// is asked any more.
    pub fn suffice(&mut self, guid: &Guid, known: usize, reachable: usize) -> bool {
        let enough = |watch: &mut Watch| known >= watch.wanted.unwrap_or(reachable).min(reachable);
        self.watched.get_mut(guid).is_some_and(enough) && self.watched.remove(guid).is_some()
    }

    /// A record that peers are to be asked about now.
    pub fn poll_watched(&mut self, now: Tick) -> Option<Guid> {
        self.watched.retain(|_, watch| watch.until > now);
        let (&guid, watch) = self.watched.iter_mut().find(|(_, watch)| watch.at <= now)?;
        watch.at = now + ASK;
        Some(guid)
    }

    /// When that is next.
    pub fn poll_timeout(&self) -> Tick {
        self.watched.values().map(|watch| watch.at).min().unwrap_or(Tick::NEVER)
    }

    /// A peer is gone.
    pub fn forget(&mut self, peer: &Guid) {
        self.equal.remove(peer);
        self.askers.retain(|_, askers| {
            askers.remove(peer);
            !askers.is_empty()
        });
    }

    /// Peers of whom something is kept.
    pub fn peers(&self) -> impl Iterator<Item = &Guid> {
        self.equal.keys().chain(self.askers.values().flatten())
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.order.len() <= RECEIPTS && self.watched.len() <= RECEIPTS && self.asked.len() <= RECEIPTS);
        assert!(self.askers.len() <= RECEIPTS && self.noted <= PEERS);
        assert_eq!(self.noted, self.held.sorted().iter().map(|(_, held)| held.holders.len()).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Guid = Guid([1; 16]);
    const PEER: Guid = Guid([2; 16]);

    fn numbered(number: u64) -> Guid {
        let mut guid = Guid([0; 16]);
        guid.0[..8].copy_from_slice(&number.to_be_bytes());
        guid
    }

    #[test]
    fn who_said_so_and_whose_ledger_equals_ours_is_known_to_hold_it() {
        let mut receipts = Receipts::default();
        receipts.equals(Tick(5), PEER);
        receipts.hold(Tick(10), RECORD);
        assert!(!receipts.knows(&RECORD, &PEER), "it equalled ours before");
        receipts.equals(Tick(11), PEER);
        assert!(receipts.knows(&RECORD, &PEER));
        receipts.forget(&PEER);
        assert!(!receipts.knows(&RECORD, &PEER));
        receipts.note(Tick(12), PEER, &RECORD);
        assert!(receipts.knows(&RECORD, &PEER));
        receipts.check();
    }

    #[test]
    fn however_many_say_that_they_hold_records_as_many_are_noted_as_there_can_be_peers() {
        let mut receipts = Receipts::default();
        (0..40).for_each(|record| receipts.hold(Tick(1), numbered(record)).clear());
        for record in 0..40 {
            (0..1000).for_each(|peer| receipts.note(Tick(2), numbered(100 + peer), &numbered(record)));
            receipts.check();
        }
        assert!(receipts.knows(&numbered(39), &numbered(100)), "the first make room for the last");
    }

    #[test]
    fn how_soon_a_peer_held_it_is_what_it_said_first_and_soon() {
        let mut receipts = Receipts::default();
        receipts.hold(Tick(10), RECORD);
        receipts.equals(Tick(11), PEER);
        assert_eq!(receipts.after(&RECORD, &PEER), None, "it did not say when");
        for at in [40, 90] {
            receipts.note(Tick(at), PEER, &RECORD);
            assert_eq!(receipts.after(&RECORD, &PEER), Some(Duration::from_micros(30)));
        }
        receipts.note(Tick(10) + PROMPT, Guid([3; 16]), &RECORD);
        assert_eq!(receipts.after(&RECORD, &Guid([3; 16])), None, "it was asked");
        receipts.check();
    }

    #[test]
    fn one_that_was_lost_and_came_again_is_held_by_nobody_else_yet() {
        let mut receipts = Receipts::default();
        receipts.hold(Tick(10), RECORD);
        receipts.note(Tick(11), PEER, &RECORD);
        receipts.hold(Tick(20), RECORD);
        assert!(!receipts.knows(&RECORD, &PEER));
        receipts.check();
    }

    #[test]
    fn who_waits_longer_or_for_more_is_not_cut_short_by_another() {
        let second = Duration::from_secs(1);
        let mut receipts = Receipts::default();
        receipts.watch(Tick(0), RECORD, second * 60, None);
        receipts.watch(Tick(0), RECORD, second, Some(1));
        assert!(!receipts.suffice(&RECORD, 1, 2), "the first waits for both");
        assert_eq!(receipts.poll_watched(Tick(0) + second * 59), Some(RECORD));
        assert!(receipts.suffice(&RECORD, 2, 2));
        assert_eq!((receipts.poll_watched(Tick(0) + second * 59), receipts.poll_timeout()), (None, Tick::NEVER));
        receipts.watch(Tick(0), RECORD, second, Some(1));
        assert!(receipts.suffice(&RECORD, 1, 2), "one was enough");
    }

    #[test]
    fn who_asks_is_told_when_it_is_held() {
        let mut receipts = Receipts::default();
        receipts.asked(PEER, RECORD);
        assert_eq!(receipts.hold(Tick(1), RECORD).into_iter().collect::<Vec<_>>(), [PEER]);
        assert!(receipts.hold(Tick(1), Guid([3; 16])).is_empty());
    }

    #[test]
    fn records_that_never_come_keep_nobody_from_waiting_for_one_that_does() {
        let mut receipts = Receipts::default();
        (0..2 * RECEIPTS as u64).for_each(|number| receipts.asked(PEER, numbered(number)));
        receipts.asked(PEER, RECORD);
        receipts.check();
        assert_eq!(receipts.hold(Tick(1), RECORD).into_iter().collect::<Vec<_>>(), [PEER]);
        let last = numbered(2 * RECEIPTS as u64 - 1);
        assert_eq!(receipts.askers(&last).count(), 1);
        receipts.forget(&PEER);
        assert_eq!(receipts.askers(&last).count(), 0, "who is gone waits for nothing");
    }

    #[test]
    fn what_was_held_long_ago_counts_from_when_it_was_forgotten() {
        let mut receipts = Receipts::default();
        for number in 0..=RECEIPTS as u64 {
            receipts.hold(Tick(number + 1), numbered(number));
        }
        assert!(!receipts.knows(&Guid([0; 16]), &PEER));
        receipts.equals(Tick(2), PEER);
        assert!(receipts.knows(&Guid([0; 16]), &PEER));
        receipts.check();
    }
}
