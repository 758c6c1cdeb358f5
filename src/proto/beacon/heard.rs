//! [`Heard`]: the last beacon of every node, so that each counts once and none after a later one.

use super::Beacon;
use crate::proto::gossip::Guid;
use crate::proto::limits::{BEACONS, TOMBSTONE};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug)]
struct Last {
    epoch: u64,
    counter: u32,
    addr: SocketAddr,
    at: Tick,
}

/// At most [`BEACONS`] nodes; where another one is heard, the one that is silent for longest goes. A node is forgotten
/// when it is silent for as long as lets an older session take the place of a newer one: it may have lost its count.
#[derive(Debug, Default)]
pub(super) struct Heard {
    by_guid: BTreeMap<Guid, Last>,
    by_silence: BTreeSet<(Tick, Guid)>,
}

impl Heard {
    /// Whether this beacon is the latest of its node so far.
    pub(super) fn is_fresh(&self, now: Tick, beacon: &Beacon) -> bool {
        let last = self.by_guid.get(&beacon.guid).filter(|last| now.since(last.at) < TOMBSTONE);
        last.is_none_or(|last| (beacon.epoch, beacon.counter) > (last.epoch, last.counter))
    }

    /// Remembers it.
    pub(super) fn note(&mut self, now: Tick, beacon: &Beacon, addr: SocketAddr) {
        let Beacon { guid, epoch, counter, .. } = *beacon;
        if let Some(last) = self.by_guid.insert(guid, Last { epoch, counter, addr, at: now }) {
            self.by_silence.remove(&(last.at, guid));
        }
        self.by_silence.insert((now, guid));
        if self.by_guid.len() > BEACONS
            && let Some((_, silent)) = self.by_silence.pop_first()
        {
            self.by_guid.remove(&silent);
        }
    }

    /// Who was heard, where, and when; the last one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Guid, SocketAddr, Tick)> {
        let find = |&(at, guid): &(Tick, Guid)| self.by_guid.get(&guid).map(|last| (guid, last.addr, at));
        self.by_silence.iter().rev().filter_map(find)
    }

    pub(super) fn check(&self) {
        assert!(self.by_guid.len() <= BEACONS && self.by_guid.len() == self.by_silence.len());
        assert!(self.by_guid.iter().all(|(&guid, last)| self.by_silence.contains(&(last.at, guid))));
    }
}
