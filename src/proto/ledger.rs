//! [`Ledger`]: the index of all complete records on disk: which GUIDs, of which date, and the sketch that compares them
//! with another node's. MSGs and heads stay on the disk.

use crate::proto::gossip::{Guid, Key};
use crate::proto::sketch::Sketch;
use crate::proto::time::Timestamp;
use crate::proto::wire::LedgerState;
use std::collections::BTreeMap;

/// The index of the records held. A B-tree instead of a hash map: 37 bytes a record and no random
/// order.
pub struct Ledger {
    dates: BTreeMap<Guid, Timestamp>,
    sketch: Sketch,
}

impl Ledger {
    /// An empty one, for the network with this digest key.
    pub fn new(digest_key: &[u8; 16]) -> Ledger {
        Ledger { dates: BTreeMap::new(), sketch: Sketch::new(digest_key) }
    }

    /// Takes a record in; false if it was there already.
    pub fn insert(&mut self, key: Key) -> bool {
        if self.dates.insert(key.guid, key.date_time).is_some() {
            return false;
        }
        self.sketch.insert(key.guid);
        let wanted = Sketch::wanted_prefix(self.sketch.count());
        if wanted > self.sketch.prefix() {
            self.sketch.grow(wanted, self.dates.keys().copied());
        }
        true
    }

    /// Takes a record out; false if it was not there.
    pub fn remove(&mut self, guid: Guid) -> bool {
        let was_here = self.dates.remove(&guid).is_some();
        if was_here {
            self.sketch.remove(guid);
        }
        was_here
    }

    /// Whether the record is held.
    pub fn contains(&self, guid: &Guid) -> bool {
        self.dates.contains_key(guid)
    }

    /// Where a held record stands.
    pub fn key(&self, guid: Guid) -> Option<Key> {
        self.dates.get(&guid).map(|&date_time| Key { date_time, guid })
    }

    /// Count and root: equal states are equal sets.
    pub fn state(&self) -> LedgerState {
        LedgerState { count: self.sketch.count(), root: self.sketch.root() }
    }

    /// The sketch of the set.
    pub fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// Panics if index and sketch disagree.
    pub fn check(&self) {
        assert_eq!(self.dates.len() as u64, self.sketch.count(), "ledger and sketch count alike");
        assert!(self.sketch.prefix() >= Sketch::wanted_prefix(self.sketch.count()), "the prefix has grown");
    }
}
