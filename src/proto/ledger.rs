//! [`Ledger`]: the index of all complete records that are held: which GUIDs, of which date, kind and origin, and the
//! sketch that compares them with another node's. MSGs and heads stay on the disk; what left by the network's rules (see
//! `retention`) may be on the disk still, and is in here no more.

mod origins;
mod sketches;

use crate::proto::decree::Decree;
use crate::proto::gossip::{Guid, Key, Kind, Line};
use crate::proto::seal::{KeyId, NetworkKey};
use crate::proto::sketch::Sketch;
use crate::proto::time::Timestamp;
use crate::proto::wire::{Claim, LedgerState};
use origins::Origins;
use sketches::{Sketches, Span};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// A line as it is kept: 12 bytes.
#[derive(Clone, Copy)]
struct Packed {
    date_time: [u8; 8],
    /// The number of the origin, and above it whether the record is no message.
    origin: [u8; 4],
}

/// The bit of [`Packed::origin`] that says that the record is no message.
const DECREE: u32 = 1 << 31;

/// The index of the records held. A B-tree instead of a hash map: 42 bytes a record and no random
/// order.
pub struct Ledger {
    lines: BTreeMap<Guid, Packed>,
    origins: Origins,
    /// What those say that are no messages.
    decrees: BTreeMap<Guid, Decree>,
    sketches: Sketches,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Ledger {
    /// An empty one, for the network with this key.
    pub(super) fn new(key: &NetworkKey) -> Ledger {
        let (lines, origins, decrees) = Default::default();
        Ledger { lines, origins, decrees, sketches: Sketches::new(key) }
    }

    /// Takes a record in; false if it was there already.
    pub(super) fn insert(&mut self, line: Line) -> bool {
        let Line { key, origin, decree } = line;
        let Entry::Vacant(entry) = self.lines.entry(key.guid) else { return false };
        let number = self.origins.enter(origin, decree.is_none());
        let mark = if decree.is_some() { DECREE } else { 0 };
        let packed = Packed { date_time: key.date_time.0.to_le_bytes(), origin: (number | mark).to_le_bytes() };
        entry.insert(packed);
        self.decrees.extend(decree.map(|decree| (key.guid, decree)));
        self.sketches.insert(key.guid, guids(&self.lines));
        true
    }

    /// Takes a record out; false if it was not there.
    pub(super) fn remove(&mut self, guid: Guid) -> bool {
        let Some(packed) = self.lines.remove(&guid) else { return false };
        self.origins.leave(packed.number(), !packed.is_decree());
        self.decrees.remove(&guid);
        self.sketches.remove(guid);
        true
    }

    /// Whether the record is held.
    pub fn contains(&self, guid: &Guid) -> bool {
        self.lines.contains_key(guid)
    }

    /// Where a held record stands.
    pub fn key(&self, guid: Guid) -> Option<Key> {
        self.lines.get(&guid).map(|packed| Key { date_time: packed.date_time(), guid })
    }

    /// What is kept in mind of each record held.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.lines.iter().map(|(&guid, packed)| {
            let decree = packed.is_decree().then(|| self.decrees.get(&guid).copied()).flatten();
            let key = Key { date_time: packed.date_time(), guid };
            Line { key, origin: self.origins.guid(packed.number()), decree }
        })
    }

    /// What those say that are no messages.
    pub(super) fn decrees(&self) -> impl Iterator<Item = Decree> + '_ {
        self.decrees.values().copied()
    }

    /// The nodes of whom records are held.
    pub fn origins(&self) -> impl Iterator<Item = Guid> + '_ {
        self.origins.all()
    }

    /// How many messages of an origin are held.
    pub fn messages_of(&self, origin: &Guid) -> u32 {
        self.origins.messages_of(origin)
    }

    /// The date of the newest of them; looks at all records.
    pub(super) fn newest_of(&self, origin: &Guid) -> Option<Timestamp> {
        if self.messages_of(origin) == 0 {
            return None;
        }
        let said = self.lines().filter(|line| line.origin == *origin && line.kind() == Kind::Message);
        said.map(|line| line.key.date_time).max()
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
    pub(super) fn begin(&mut self, key: &NetworkKey) {
        self.sketches.begin(key);
    }

    /// Takes the next step of a sketch that is not whole; false if there is none.
    pub(super) fn build(&mut self) -> bool {
        self.sketches.build(guids(&self.lines))
    }

    /// Whether a sketch is not whole yet.
    pub fn is_building(&self) -> bool {
        self.sketches.is_building()
    }

    /// Makes a key the primary; nothing happens before its sketch is whole.
    pub(super) fn prefer(&mut self, key: KeyId) {
        self.sketches.prefer(key);
    }

    /// Drops the sketch of a key that is not the primary.
    pub(super) fn drop_key(&mut self, key: KeyId) {
        self.sketches.drop(key);
    }

    /// Panics if index and sketch disagree.
    pub(super) fn check(&self) {
        self.sketches.check(self.lines.len() as u64, guids(&self.lines));
        assert_eq!(self.lines.len() as u64, self.origins.check(), "each record has an origin");
    }
}

impl Packed {
    fn date_time(self) -> Timestamp {
        Timestamp(u64::from_le_bytes(self.date_time))
    }

    fn number(self) -> u32 {
        u32::from_le_bytes(self.origin) & !DECREE
    }

    fn is_decree(self) -> bool {
        u32::from_le_bytes(self.origin) & DECREE != 0
    }
}

fn state_of(sketch: &Sketch) -> LedgerState {
    LedgerState { count: sketch.count(), root: sketch.root() }
}

/// The GUIDs of the index, part by part.
#[expect(clippy::needless_lifetimes, reason = "elided, it would be that of the closure's argument")]
fn guids<'a>(lines: &'a BTreeMap<Guid, Packed>) -> impl Fn(Span) -> Box<dyn Iterator<Item = Guid> + 'a> {
    |span| Box::new(lines.range(span).map(|(&guid, _)| guid))
}

#[cfg(test)]
mod tests;
