//! [`Sketches`]: a sketch of the ledger for each key of the ring. That of a key which came later is built in the
//! background, in bounded steps along the index; until it is whole, nothing is said or compared under its key.

use crate::proto::gossip::Guid;
use crate::proto::seal::{KeyId, NetworkKey};
use crate::proto::sketch::Sketch;
use std::ops::Bound;

/// Records that one step takes in: about half a millisecond.
const STEP: usize = 2048;

/// A part of the index, in its order.
pub(super) type Span = (Bound<Guid>, Bound<Guid>);

struct Keyed {
    key: KeyId,
    sketch: Sketch,
    /// While it is built: the records up to this one are in it, and no others.
    upto: Option<Guid>,
}

impl Keyed {
    /// The part of the index that is in it.
    fn covered(&self) -> Span {
        (Bound::Unbounded, self.upto.map_or(Bound::Unbounded, Bound::Included))
    }

    fn covers(&self, guid: Guid) -> bool {
        self.upto.is_none_or(|upto| guid <= upto)
    }

    /// Makes the prefix as long as the records in it want it.
    fn grow<I: Iterator<Item = Guid>>(&mut self, index: impl Fn(Span) -> I) {
        let wanted = Sketch::wanted_prefix(self.sketch.count());
        if wanted > self.sketch.prefix() {
            let covered = self.covered();
            self.sketch.grow(wanted, index(covered));
        }
    }
}

/// The sketches of a ring of keys, the primary's first.
pub(super) struct Sketches {
    primary: Keyed,
    others: Vec<Keyed>,
    /// No sketch that was dropped had a later change: a change names one set, whatever came and went.
    floor: u64,
}

impl Sketches {
    pub(super) fn new(key: &NetworkKey) -> Sketches {
        let primary = Keyed { key: key.key_id(), sketch: Sketch::new(&key.digest_key()), upto: None };
        Sketches { primary, others: Vec::new(), floor: 0 }
    }

    /// The primary's.
    pub(super) fn primary(&self) -> &Sketch {
        &self.primary.sketch
    }

    /// Those of all keys that are whole.
    pub(super) fn whole(&self) -> impl Iterator<Item = (KeyId, &Sketch)> {
        self.all().filter(|keyed| keyed.upto.is_none()).map(|keyed| (keyed.key, &keyed.sketch))
    }

    /// Begins the sketch of another key; with nothing in the index it is whole at once.
    pub(super) fn begin(&mut self, key: &NetworkKey) {
        let whole = self.primary.sketch.count() == 0;
        let mut sketch = Sketch::after(&key.digest_key(), self.floor);
        sketch.grow(self.primary.sketch.prefix(), []);
        let upto = (!whole).then_some(Guid([0; 16]));
        self.others.push(Keyed { key: key.key_id(), sketch, upto });
    }

    /// Takes the next records into a sketch that is not whole; false if there is none.
    pub(super) fn build<I: Iterator<Item = Guid>>(&mut self, index: impl Fn(Span) -> I) -> bool {
        let Some(keyed) = self.others.iter_mut().find(|keyed| keyed.upto.is_some()) else { return false };
        // No record has the GUID that is all zero.
        let after = keyed.upto.map_or(Bound::Unbounded, Bound::Excluded);
        let mut taken = 0;
        for guid in index((after, Bound::Unbounded)).take(STEP) {
            keyed.sketch.insert(guid);
            (keyed.upto, taken) = (Some(guid), taken + 1);
        }
        keyed.grow(&index);
        if taken < STEP {
            keyed.upto = None;
        }
        true
    }

    /// Whether one is not whole yet.
    pub(super) fn is_building(&self) -> bool {
        self.others.iter().any(|keyed| keyed.upto.is_some())
    }

    /// Makes a key the primary, if its sketch is whole.
    pub(super) fn prefer(&mut self, key: KeyId) {
        if let Some(keyed) = self.others.iter_mut().find(|keyed| keyed.key == key && keyed.upto.is_none()) {
            std::mem::swap(&mut self.primary, keyed);
        }
    }

    /// Drops the sketch of a key that is not the primary.
    pub(super) fn drop(&mut self, key: KeyId) {
        let dropped = self.others.iter().filter(|keyed| keyed.key == key).map(|keyed| keyed.sketch.change());
        self.floor = dropped.fold(self.floor, |floor, change| floor.max(change + 1));
        self.others.retain(|keyed| keyed.key != key);
    }

    /// A record came into the index.
    pub(super) fn insert<I: Iterator<Item = Guid>>(&mut self, guid: Guid, index: impl Fn(Span) -> I) {
        for keyed in self.all_mut().filter(|keyed| keyed.covers(guid)) {
            keyed.sketch.insert(guid);
            keyed.grow(&index);
        }
    }

    /// A record left the index.
    pub(super) fn remove(&mut self, guid: Guid) {
        self.all_mut().filter(|keyed| keyed.covers(guid)).for_each(|keyed| keyed.sketch.remove(guid));
    }

    /// Panics if one is not of `count` records, those apart that are not whole yet.
    pub(super) fn check<I: Iterator<Item = Guid>>(&self, count: u64, index: impl Fn(Span) -> I) {
        for keyed in self.all() {
            let covered = if keyed.upto.is_none() { count } else { index(keyed.covered()).count() as u64 };
            assert_eq!(keyed.sketch.count(), covered, "ledger and sketch count alike");
            assert!(keyed.sketch.prefix() >= Sketch::wanted_prefix(covered), "the prefix has grown");
        }
        assert!(self.primary.upto.is_none(), "the primary's is whole");
    }

    fn all(&self) -> impl Iterator<Item = &Keyed> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Keyed> {
        std::iter::once(&mut self.primary).chain(&mut self.others)
    }
}
