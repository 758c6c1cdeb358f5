//! [`Tombstones`]: sessions that were evicted and are remembered, so that their recordings stay dead.

use crate::proto::gossip::Guid;
use crate::proto::limits::{TOMBSTONE, TOMBSTONES};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet};

/// What orders a session of a GUID against the next one: all that is left of an evicted session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    pub(super) session: u64,
    pub(super) epoch: u64,
    /// The highest counter seen from it.
    pub(super) top: u64,
    /// When it was last heard of.
    pub(super) heard: Tick,
}

/// At most [`TOMBSTONES`] of them, each for [`TOMBSTONE`]. Whoever wants to evict while all stand must wait: to forget
/// a session early is to let its recordings in again.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    by_guid: BTreeMap<Guid, (Tick, Trace)>,
    by_age: BTreeSet<(Tick, Guid)>,
}

impl Tombstones {
    pub(super) fn get(&self, guid: Guid) -> Option<Trace> {
        self.by_guid.get(&guid).map(|&(_, trace)| trace)
    }

    pub(super) fn len(&self) -> usize {
        self.by_guid.len()
    }

    pub(super) fn insert(&mut self, now: Tick, guid: Guid, trace: Trace) {
        self.remove(guid);
        self.by_guid.insert(guid, (now, trace));
        self.by_age.insert((now, guid));
    }

    pub(super) fn remove(&mut self, guid: Guid) {
        if let Some((since, _)) = self.by_guid.remove(&guid) {
            self.by_age.remove(&(since, guid));
        }
    }

    pub(super) fn expire(&mut self, now: Tick) {
        while let Some(&(since, guid)) = self.by_age.first()
            && now.since(since) >= TOMBSTONE
        {
            self.remove(guid);
        }
    }

    pub(super) fn guids(&self) -> impl Iterator<Item = Guid> {
        self.by_guid.keys().copied()
    }

    pub(super) fn check(&self) {
        assert!(self.by_guid.len() <= TOMBSTONES);
        assert!(
            self.by_age.iter().eq(BTreeSet::from_iter(self.by_guid.iter().map(|(&guid, &(at, _))| (at, guid))).iter())
        );
    }
}
