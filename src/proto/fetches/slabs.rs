//! [`Slabs`]: pieces being filled, fragment by fragment, each by one peer. A slab is as large as its piece, so many short
//! pieces may be under way at once; what counts is their bytes, together and for each peer. A complete piece keeps its
//! bytes taken until the disk has it.

use super::flow::Flow;
use crate::proto::fact::LIST;
use crate::proto::gossip::Guid;
use crate::proto::limits::{FRAGMENT, FRAGMENTS, PIECE, SLABS, SLABS_PER_PEER};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet};

/// Which piece of which record.
pub type Place = (Guid, u16);

/// One piece being filled.
pub struct Slab {
    pub peer: Guid,
    pub bytes: Vec<u8>,
    pub got: u64,
    pub asked: u64,
    pub asked_at: Tick,
    /// When silence is counted; NEVER while nothing is under way.
    pub deadline: Tick,
    /// When it has taken too long.
    pub until: Tick,
    pub tries: u32,
}

impl Slab {
    /// Bits of all its fragments.
    pub fn all(&self) -> u64 {
        let fragments = self.bytes.len().div_ceil(FRAGMENT);
        if fragments == FRAGMENTS { u64::MAX } else { (1 << fragments) - 1 }
    }

    /// Bits of those to be asked for.
    pub fn missing(&self) -> u64 {
        self.all() & !self.got & !self.asked
    }

    /// How many were asked for and did not come.
    pub fn under_way(&self) -> usize {
        (self.asked & !self.got).count_ones() as usize
    }
}

/// All of them.
#[derive(Default)]
pub struct Slabs {
    slabs: BTreeMap<Place, Slab>,
    by_peer: BTreeMap<Guid, BTreeSet<Place>>,
    /// Pieces given to the disk and not acknowledged, with their size.
    keeping: BTreeMap<Place, usize>,
    bytes: usize,
}

impl Slabs {
    /// How many bytes of a record are here that are not among the pieces which the disk has.
    pub fn received(&self, guid: &Guid, kept: &BTreeSet<u16>) -> usize {
        let all = (*guid, 0)..=(*guid, u16::MAX);
        let filling = self.slabs.range(all.clone()).filter(|((_, piece), _)| !kept.contains(piece) && *piece != LIST);
        let keeping = self.keeping.range(all).filter(|((_, piece), _)| !kept.contains(piece) && *piece != LIST);
        let part = |slab: &Slab| (slab.got.count_ones() as usize * FRAGMENT).min(slab.bytes.len());
        filling.map(|(_, slab)| part(slab)).sum::<usize>() + keeping.map(|(_, &size)| size).sum::<usize>()
    }

    /// Whether nothing is filled or kept.
    pub fn is_empty(&self) -> bool {
        self.slabs.is_empty() && self.keeping.is_empty()
    }

    /// Whether this piece is being filled or kept.
    pub fn contains(&self, place: &Place) -> bool {
        self.slabs.contains_key(place) || self.keeping.contains_key(place)
    }

    /// Whether there is room for so many bytes more.
    pub fn has_room(&self, len: usize) -> bool {
        self.bytes + len <= SLABS * PIECE
    }

    /// Bytes that this peer fills; none if that is too much for `len` more.
    pub fn load(&self, peer: &Guid, len: usize) -> Option<usize> {
        let places = self.by_peer.get(peer).into_iter().flatten();
        let load: usize = places.filter_map(|place| self.slabs.get(place)).map(|slab| slab.bytes.len()).sum();
        (load + len <= SLABS_PER_PEER * PIECE).then_some(load)
    }

    /// Begins a piece.
    pub fn insert(&mut self, place: Place, slab: Slab) {
        self.bytes += slab.bytes.len();
        self.by_peer.entry(slab.peer).or_default().insert(place);
        self.slabs.insert(place, slab);
    }

    /// Ends it, and what is under way for it.
    pub fn remove(&mut self, place: &Place, flows: &mut BTreeMap<Guid, Flow>) -> Option<Slab> {
        let slab = self.slabs.remove(place)?;
        self.bytes -= slab.bytes.len();
        if let Some(places) = self.by_peer.get_mut(&slab.peer) {
            places.remove(place);
            if places.is_empty() {
                self.by_peer.remove(&slab.peer);
            }
        }
        if let Some(flow) = flows.get_mut(&slab.peer) {
            flow.in_flight = flow.in_flight.saturating_sub(slab.under_way());
        }
        Some(slab)
    }

    /// Ends all that this peer fills, of one record or of all.
    pub fn remove_peer(&mut self, peer: &Guid, of: Option<&Guid>, flows: &mut BTreeMap<Guid, Flow>) {
        let places = self.by_peer.get(peer).into_iter().flatten();
        let places: Vec<Place> = places.filter(|(guid, _)| of.is_none_or(|of| of == guid)).copied().collect();
        places.iter().for_each(|place| drop(self.remove(place, flows)));
    }

    /// Ends all of one record.
    pub fn remove_record(&mut self, guid: &Guid, flows: &mut BTreeMap<Guid, Flow>) {
        let places: Vec<Place> = self.slabs.range((*guid, 0)..=(*guid, u16::MAX)).map(|(&place, _)| place).collect();
        places.iter().for_each(|place| drop(self.remove(place, flows)));
        let kept: usize =
            self.keeping.extract_if((*guid, 0)..=(*guid, u16::MAX), |_, _| true).map(|(_, len)| len).sum();
        self.bytes -= kept;
    }

    /// A complete piece is given to the disk.
    pub fn keep(&mut self, place: Place, len: usize) {
        self.bytes += len - self.keeping.insert(place, len).unwrap_or(0);
    }

    /// The disk has it.
    pub fn kept(&mut self, place: &Place) {
        self.bytes -= self.keeping.remove(place).unwrap_or(0);
    }

    /// One that is being filled by this peer.
    pub fn filled_by(&mut self, peer: Guid, place: &Place) -> Option<&mut Slab> {
        self.slabs.get_mut(place).filter(|slab| slab.peer == peer)
    }

    /// All that this peer fills.
    pub fn of(&self, peer: Guid) -> impl Iterator<Item = (Place, &Slab)> {
        let places = self.by_peer.get(&peer).into_iter().flatten();
        places.filter_map(|place| Some((*place, self.slabs.get(place)?)))
    }

    /// All that is filled.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut Slab)> {
        self.slabs.iter_mut().map(|(&place, slab)| (place, slab))
    }

    /// Peers that fill any.
    pub fn peers(&self) -> impl Iterator<Item = Guid> + '_ {
        self.by_peer.keys().copied()
    }

    /// The first deadline.
    pub fn deadline(&self) -> Tick {
        self.slabs.values().map(|slab| slab.deadline).min().unwrap_or(Tick::NEVER)
    }

    /// Panics if a bound is broken, or if a slab would wait for ever.
    pub fn check(&self) {
        let filled: usize = self.slabs.values().map(|slab| slab.bytes.len()).sum();
        assert_eq!(self.bytes, filled + self.keeping.values().sum::<usize>());
        assert!(self.has_room(0), "slabs are bounded");
        assert_eq!(self.slabs.len(), self.by_peer.values().map(BTreeSet::len).sum::<usize>());
        assert!(self.slabs.values().all(|slab| slab.under_way() == 0 || slab.deadline != Tick::NEVER));
    }

    /// Records of which something is filled.
    pub fn records(&self) -> impl Iterator<Item = Guid> + '_ {
        self.slabs.keys().map(|&(guid, _)| guid)
    }
}
