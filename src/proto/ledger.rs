//! [`Ledger`]: the index of all complete records on disk: which GUIDs, of which date, and the sketch that compares them
//! with another node's. MSGs and heads stay on the disk.

mod sketches;

use crate::proto::gossip::{Guid, Key};
use crate::proto::seal::{KeyId, NetworkKey};
use crate::proto::sketch::Sketch;
use crate::proto::time::Timestamp;
use crate::proto::wire::{Claim, LedgerState};
use sketches::{Sketches, Span};
use std::collections::BTreeMap;

/// The index of the records held. A B-tree instead of a hash map: 37 bytes a record and no random
/// order.
pub struct Ledger {
    dates: BTreeMap<Guid, Timestamp>,
    sketches: Sketches,
}

impl Ledger {
    /// An empty one, for the network with this key.
    pub fn new(key: &NetworkKey) -> Ledger {
        Ledger { dates: BTreeMap::new(), sketches: Sketches::new(key) }
    }

    /// Takes a record in; false if it was there already.
    pub fn insert(&mut self, key: Key) -> bool {
        let is_new = self.dates.insert(key.guid, key.date_time).is_none();
        if is_new {
            self.sketches.insert(key.guid, guids(&self.dates));
        }
        is_new
    }

    /// Takes a record out; false if it was not there.
    pub fn remove(&mut self, guid: Guid) -> bool {
        let was_here = self.dates.remove(&guid).is_some();
        if was_here {
            self.sketches.remove(guid);
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
        state_of(self.sketches.primary())
    }

    /// The sketch of the set, under the primary key.
    pub fn sketch(&self) -> &Sketch {
        self.sketches.primary()
    }

    /// The same under another key; none before it is whole.
    pub fn sketch_under(&self, key: KeyId) -> Option<&Sketch> {
        self.sketches.whole().find(|(other, _)| *other == key).map(|(_, sketch)| sketch)
    }

    /// What it claims to hold, under each key that it can.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        self.sketches.whole().map(|(key, sketch)| Claim { key, state: state_of(sketch) })
    }

    /// Whether a claim is of just this set.
    pub fn equals(&self, claim: Claim) -> bool {
        self.sketch_under(claim.key).is_some_and(|sketch| state_of(sketch) == claim.state)
    }

    /// Begins a sketch under another key.
    pub fn begin(&mut self, key: &NetworkKey) {
        self.sketches.begin(key);
    }

    /// Takes the next step of a sketch that is not whole; false if there is none.
    pub fn build(&mut self) -> bool {
        self.sketches.build(guids(&self.dates))
    }

    /// Whether a sketch is not whole yet.
    pub fn is_building(&self) -> bool {
        self.sketches.is_building()
    }

    /// Makes a key the primary; nothing happens before its sketch is whole.
    pub fn prefer(&mut self, key: KeyId) {
        self.sketches.prefer(key);
    }

    /// Drops the sketch of a key that is not the primary.
    pub fn drop_key(&mut self, key: KeyId) {
        self.sketches.drop(key);
    }

    /// Panics if index and sketch disagree.
    pub fn check(&self) {
        self.sketches.check(self.dates.len() as u64, guids(&self.dates));
    }
}

fn state_of(sketch: &Sketch) -> LedgerState {
    LedgerState { count: sketch.count(), root: sketch.root() }
}

/// The GUIDs of the index, part by part.
#[expect(clippy::needless_lifetimes, reason = "elided, it would be that of the closure's argument")]
fn guids<'a>(dates: &'a BTreeMap<Guid, Timestamp>) -> impl Fn(Span) -> Box<dyn Iterator<Item = Guid> + 'a> {
    |span| Box::new(dates.range(span).map(|(&guid, _)| guid))
}

#[cfg(test)]
mod tests;
