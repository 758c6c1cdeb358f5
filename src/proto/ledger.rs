//! [`Ledger`]: the index of all complete records that are held: which GUIDs, of which date, kind and origin, and the
//! sketch that compares them with another node's. MSGs and heads stay on the disk; what left by the network's rules (see
//! `retention`) may be on the disk still, and is in here no more.

mod origins;

use crate::proto::decree::Decree;
use crate::proto::gossip::{Guid, Key, Kind, Line};
use crate::proto::sketch::Sketch;
use crate::proto::time::Timestamp;
use crate::proto::wire::LedgerState;
use origins::Origins;
use std::collections::BTreeMap;

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
    sketch: Sketch,
}

impl Ledger {
    /// An empty one, for the network with this digest key.
    pub fn new(digest_key: &[u8; 16]) -> Ledger {
        let (lines, origins, decrees) = Default::default();
        Ledger { lines, origins, decrees, sketch: Sketch::new(digest_key) }
    }

    /// Takes a record in; false if it was there already.
    pub fn insert(&mut self, line: Line) -> bool {
        let Line { key, origin, decree } = line;
        if self.lines.contains_key(&key.guid) {
            return false;
        }
        let number = self.origins.enter(origin, decree.is_none());
        let mark = if decree.is_some() { DECREE } else { 0 };
        let packed = Packed { date_time: key.date_time.0.to_le_bytes(), origin: (number | mark).to_le_bytes() };
        self.lines.insert(key.guid, packed);
        self.decrees.extend(decree.map(|decree| (key.guid, decree)));
        self.sketch.insert(key.guid);
        let wanted = Sketch::wanted_prefix(self.sketch.count());
        if wanted > self.sketch.prefix() {
            self.sketch.grow(wanted, self.lines.keys().copied());
        }
        true
    }

    /// Takes a record out; false if it was not there.
    pub fn remove(&mut self, guid: Guid) -> bool {
        let Some(packed) = self.lines.remove(&guid) else { return false };
        self.origins.leave(packed.number(), !packed.is_decree());
        self.decrees.remove(&guid);
        self.sketch.remove(guid);
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

    /// The decrees among them.
    pub fn decrees(&self) -> impl Iterator<Item = (Key, Decree)> + '_ {
        self.decrees.iter().filter_map(|(&guid, &decree)| Some((self.key(guid)?, decree)))
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
    pub fn newest_of(&self, origin: &Guid) -> Option<Timestamp> {
        if self.messages_of(origin) == 0 {
            return None;
        }
        let said = self.lines().filter(|line| line.origin == *origin && line.kind() == Kind::Message);
        said.map(|line| line.key.date_time).max()
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
        assert_eq!(self.lines.len() as u64, self.sketch.count(), "ledger and sketch count alike");
        assert!(self.sketch.prefix() >= Sketch::wanted_prefix(self.sketch.count()), "the prefix has grown");
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

const _: () = assert!(size_of::<(Guid, Packed)>() == 28, "what is kept of each record is kept small");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::decree::Terms;

    fn line(at: u64, guid: u8, origin: u8) -> Line {
        let key = Key { date_time: Timestamp(at), guid: Guid([guid; 16]) };
        Line { key, origin: Guid([origin; 16]), decree: None }
    }

    #[test]
    fn what_was_taken_in_can_be_taken_out_and_leaves_nothing_behind() {
        let mut ledger = Ledger::new(&[7; 16]);
        let empty = ledger.state();
        let settings = Line { decree: Some(Decree::Settings(Terms::default())), ..line(9, 4, 1) };
        let all = [line(5, 1, 1), line(7, 2, 1), line(3, 3, 2), settings];
        assert!(all.into_iter().all(|line| ledger.insert(line)));
        assert!(!ledger.insert(all[0]), "it is there");
        assert_eq!(ledger.lines().collect::<Vec<_>>(), all);
        assert_eq!(ledger.decrees().collect::<Vec<_>>(), [(settings.key, Decree::Settings(Terms::default()))]);
        assert_eq!(ledger.messages_of(&Guid([1; 16])), 2, "a decree is no message");
        assert_eq!(ledger.newest_of(&Guid([1; 16])), Some(Timestamp(7)));
        ledger.check();
        assert!(all.into_iter().all(|line| ledger.remove(line.key.guid)));
        assert!(!ledger.remove(all[0].key.guid));
        assert_eq!((ledger.state(), ledger.newest_of(&Guid([1; 16]))), (empty, None));
        assert!(ledger.insert(line(1, 9, 9)));
        assert_eq!(ledger.lines().next(), Some(line(1, 9, 9)), "the place of a former origin is used again");
        ledger.check();
    }
}
