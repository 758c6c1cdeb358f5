//! [`Partials`]: long MSGs under way. A piece (64 KiB) is filled in a slab, fragment by fragment, from one peer; it is
//! verified against the piece list, or as the whole MSG where that is one piece, and so a bad one is charged to its
//! sender. A slab is free again only when the disk has the piece, so no disk can be flooded.

use super::flow::Flow;
use crate::proto::fact::{Fact, LIST};
use crate::proto::gossip::{Gossip, Guid, Hash, Head};
use crate::proto::limits::{FRAGMENT, FRAGMENTS, PARTIALS, SLABS, SLABS_PER_PEER};
use crate::proto::time::Tick;
use crate::proto::wire::PieceAsk;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Silences of a piece without any progress, after which it is asked of another holder.
const TRIES: u32 = 5;
/// A piece that takes longer is asked of another holder, if there is one, however much of it keeps dripping in. Doubled
/// each time, so that all may be as slow as that.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a fragment led to.
#[derive(Debug)]
pub enum Arrived {
    /// It fits, and more is missing.
    Nothing,
    /// It was not asked for, or not of this peer, or was here already.
    Unwanted,
    /// Something is complete and verified.
    Fact(Fact),
    /// A MSG of one piece is complete and verified.
    Record(Gossip),
    /// The piece that it completed is wrong, and its sender no longer a holder.
    Wrong,
}

struct Partial {
    head: Head,
    holders: Vec<Guid>,
    list: Option<Bytes>,
    /// Pieces on disk.
    kept: BTreeSet<u16>,
    /// Pieces that took too long.
    given_up: u32,
}

struct Slab {
    peer: Guid,
    bytes: Vec<u8>,
    got: u64,
    asked: u64,
    asked_at: Tick,
    deadline: Tick,
    until: Tick,
    tries: u32,
}

impl Slab {
    fn all(&self) -> u64 {
        let fragments = self.bytes.len().div_ceil(FRAGMENT);
        if fragments == FRAGMENTS { u64::MAX } else { (1 << fragments) - 1 }
    }

    fn under_way(&self) -> usize {
        (self.asked & !self.got).count_ones() as usize
    }
}

/// Long records of which something is missing.
#[derive(Default)]
pub struct Partials {
    partials: BTreeMap<Guid, Partial>,
    /// Pieces being filled.
    slabs: BTreeMap<(Guid, u16), Slab>,
    /// Pieces given to the disk and not acknowledged: their slabs are still taken.
    keeping: BTreeSet<(Guid, u16)>,
    /// Whether a slab might be given to a piece.
    assignable: bool,
}

impl Partials {
    /// How many more long records there is a place for.
    pub fn free(&self) -> usize {
        PARTIALS.saturating_sub(self.partials.len())
    }

    /// Whether [`begin`](Partials::begin) has a place for this one.
    pub fn has_place_for(&self, guid: &Guid) -> bool {
        self.free() > 0 || self.contains(guid) || self.partials.values().any(|partial| partial.holders.is_empty())
    }

    /// Begins a long record. Where too many are under way, it takes the place of the one without a holder of which the
    /// least is here. Returns what there is to keep.
    pub fn begin(&mut self, guid: Guid, head: Head, holders: Vec<Guid>) -> Vec<Fact> {
        if self.contains(&guid) {
            for holder in holders {
                self.add_holder(&guid, holder);
            }
            return Vec::new();
        }
        let mut facts = Vec::new();
        if self.free() == 0 {
            let left = self.partials.iter().filter(|(_, partial)| partial.holders.is_empty());
            let Some((&least, _)) = left.min_by_key(|(_, partial)| partial.kept.len()) else { return facts };
            self.partials.remove(&least);
            self.keeping.retain(|(kept, _)| *kept != least);
            facts.push(Fact::Abandoned(least));
        }
        if head.piece_count() > 1 {
            facts.push(Fact::Partial(guid, head.clone()));
        }
        let (list, kept, given_up) = Default::default();
        self.partials.insert(guid, Partial { head, holders, list, kept, given_up });
        self.assignable = true;
        facts
    }

    /// A long record begun before the last restart; it waits for a holder. Returns what there is to keep where there is
    /// no place for it.
    pub fn restore(&mut self, head: Head, list: Option<Bytes>, pieces: &[u16]) -> Option<Fact> {
        let guid = head.guid();
        if self.free() == 0 {
            return Some(Fact::Abandoned(guid));
        }
        let mut kept: BTreeSet<u16> = pieces.iter().copied().collect();
        if kept.len() >= head.piece_count() {
            // The last piece completes a record; where a disk has all and no record, one must come again.
            kept.pop_last();
        }
        self.partials.insert(guid, Partial { head, holders: Vec::new(), list, kept, given_up: 0 });
        None
    }

    /// Whether this record is under way.
    pub fn contains(&self, guid: &Guid) -> bool {
        self.partials.contains_key(guid)
    }

    /// Whether nothing is asked for or on its way to the disk.
    pub fn is_idle(&self) -> bool {
        self.slabs.is_empty() && self.keeping.is_empty()
    }

    /// Notes a holder of a record under way; false if it is not under way.
    pub fn add_holder(&mut self, guid: &Guid, peer: Guid) -> bool {
        let Some(partial) = self.partials.get_mut(guid) else { return false };
        if !partial.holders.contains(&peer) && partial.holders.len() < super::HOLDERS {
            partial.holders.push(peer);
        }
        self.assignable = true;
        true
    }

    /// This peer does not hold this record.
    pub fn drop_holder(&mut self, guid: &Guid, peer: Guid, flows: &mut BTreeMap<Guid, Flow>) {
        if let Some(partial) = self.partials.get_mut(guid) {
            partial.holders.retain(|&holder| holder != peer);
            self.release(flows, |(slab_guid, _), slab| slab_guid == guid && slab.peer == peer);
        }
    }

    /// Nothing more comes from this peer.
    pub fn drop_peer(&mut self, peer: Guid, flows: &mut BTreeMap<Guid, Flow>) {
        for partial in self.partials.values_mut() {
            partial.holders.retain(|&holder| holder != peer);
        }
        self.release(flows, |_, slab| slab.peer == peer);
    }

    /// The record is complete, or given up.
    pub fn remove(&mut self, guid: &Guid, flows: &mut BTreeMap<Guid, Flow>) {
        if self.partials.remove(guid).is_some() {
            self.release(flows, |(slab_guid, _), _| slab_guid == guid);
        }
        // A record of one piece has no partial any more, but still its slab.
        let kept = self.keeping.extract_if((*guid, 0)..=(*guid, LIST), |_| true).count();
        self.assignable |= kept > 0;
    }

    /// The disk has a piece.
    pub fn handle_kept(&mut self, guid: &Guid, piece: u16) {
        self.keeping.remove(&(*guid, piece));
        self.assignable = true;
        if let Some(partial) = self.partials.get_mut(guid) {
            partial.kept.insert(piece);
        }
    }

    /// Takes a fragment into the slab that waits for it.
    #[expect(clippy::too_many_arguments, reason = "a fragment's own fields")]
    pub fn handle_fragment(
        &mut self,
        now: Tick,
        peer: Guid,
        flow: &mut Flow,
        guid: Guid,
        piece: u16,
        index: u8,
        bytes: &[u8],
    ) -> Arrived {
        let Some(slab) = self.slabs.get_mut(&(guid, piece)).filter(|slab| slab.peer == peer) else {
            return Arrived::Unwanted;
        };
        let at = usize::from(index) * FRAGMENT;
        let (bit, end) = (1u64.checked_shl(index.into()).unwrap_or(0), slab.bytes.len().min(at + FRAGMENT));
        let Some(place) = slab.bytes.get_mut(at..end).filter(|place| place.len() == bytes.len() && !bytes.is_empty())
        else {
            return Arrived::Unwanted;
        };
        if slab.got & bit != 0 {
            return Arrived::Unwanted;
        }
        place.copy_from_slice(bytes);
        slab.got |= bit;
        if slab.asked & bit != 0 {
            let rtt = (slab.tries == 0).then(|| now.since(slab.asked_at));
            flow.answered(now, rtt);
        }
        slab.tries = 0;
        if slab.under_way() > 0 {
            slab.deadline = (now + flow.rtt.timeout(0)).min(slab.until);
        }
        if slab.got != slab.all() {
            return Arrived::Nothing;
        }
        self.complete(guid, piece)
    }

    fn complete(&mut self, guid: Guid, piece: u16) -> Arrived {
        self.assignable = true;
        let Some(slab) = self.slabs.remove(&(guid, piece)) else { return Arrived::Unwanted };
        let Some(partial) = self.partials.get_mut(&guid) else { return Arrived::Unwanted };
        let hash: Hash = Sha256::digest(&slab.bytes).into();
        let bytes = Bytes::from(slab.bytes);
        let arrived = if partial.head.piece_count() == 1 {
            Gossip::new(partial.head.clone(), bytes).ok().map(Arrived::Record)
        } else if piece == LIST {
            (hash == *partial.head.pieces()).then(|| {
                partial.list = Some(bytes.clone());
                Arrived::Fact(Fact::List(guid, bytes))
            })
        } else {
            let at = usize::from(piece) * hash.len();
            let listed = partial.list.as_ref().and_then(|list| list.get(at..at + hash.len()));
            (listed == Some(&hash[..])).then(|| {
                self.keeping.insert((guid, piece));
                Arrived::Fact(Fact::Piece(guid, piece, bytes))
            })
        };
        match arrived {
            Some(Arrived::Record(gossip)) => {
                self.partials.remove(&guid);
                self.keeping.insert((guid, piece));
                Arrived::Record(gossip)
            }
            Some(arrived) => arrived,
            None => {
                partial.holders.retain(|&holder| holder != slab.peer);
                Arrived::Wrong
            }
        }
    }

    /// Gives free slabs to missing pieces, each with the holder that fills the fewest.
    pub fn assign(&mut self, now: Tick) {
        if !std::mem::take(&mut self.assignable) {
            return;
        }
        let mut filling: BTreeMap<Guid, usize> = BTreeMap::new();
        for slab in self.slabs.values() {
            *filling.entry(slab.peer).or_default() += 1;
        }
        for (&guid, partial) in &self.partials {
            let pieces = if partial.list.is_some() || partial.head.piece_count() == 1 {
                0..partial.head.piece_count() as u16
            } else {
                LIST..LIST
            };
            let list = pieces.is_empty().then_some(LIST);
            for piece in pieces.chain(list) {
                if self.slabs.len() + self.keeping.len() >= SLABS {
                    return;
                }
                let place = (guid, piece);
                if partial.kept.contains(&piece) || self.slabs.contains_key(&place) || self.keeping.contains(&place) {
                    continue;
                }
                let load = |holder: &&Guid| filling.get(holder).copied().unwrap_or(0);
                let Some(&peer) =
                    partial.holders.iter().min_by_key(load).filter(|holder| load(holder) < SLABS_PER_PEER)
                else {
                    break;
                };
                *filling.entry(peer).or_default() += 1;
                let len =
                    if piece == LIST { partial.head.piece_count() * 32 } else { partial.head.piece_len(piece.into()) };
                let (got, asked, tries) = Default::default();
                let (bytes, deadline) = (vec![0; len], Tick::NEVER);
                let until = now + PATIENCE * (1 << partial.given_up.min(5));
                let slab = Slab { peer, bytes, got, asked, asked_at: now, deadline, until, tries };
                self.slabs.insert(place, slab);
            }
        }
    }

    /// What to ask of this peer, as far as its window allows.
    pub fn ask(&mut self, now: Tick, peer: Guid, flow: &mut Flow, most: usize) -> Vec<PieceAsk> {
        let mut asks = Vec::new();
        for (&(guid, piece), slab) in self.slabs.iter_mut().filter(|(_, slab)| slab.peer == peer) {
            let mut missing = slab.all() & !slab.got & !slab.asked;
            if flow.room() < flow.batch(missing.count_ones() as usize) {
                break;
            }
            let mut fragments = 0;
            for _ in 0..flow.room().min(missing.count_ones() as usize) {
                let lowest = missing & missing.wrapping_neg();
                fragments |= lowest;
                missing ^= lowest;
            }
            if fragments != 0 {
                slab.asked |= fragments;
                slab.asked_at = now;
                slab.deadline = (now + flow.rtt.timeout(slab.tries)).min(slab.until);
                flow.in_flight += fragments.count_ones() as usize;
                asks.push(PieceAsk { guid, piece, fragments });
            }
            if asks.len() == most || flow.room() == 0 {
                break;
            }
        }
        asks
    }

    /// Counts silences: asks again, and after too many gives the slab back. Returns how many pieces were silent.
    pub fn handle_timeout(&mut self, now: Tick, flows: &mut BTreeMap<Guid, Flow>) -> u64 {
        let mut silent = 0;
        let mut given_up = Vec::new();
        for (&(guid, piece), slab) in self.slabs.iter_mut().filter(|(_, slab)| slab.deadline <= now) {
            let others = self.partials.get(&guid).is_some_and(|partial| partial.holders.len() > 1);
            if slab.until <= now && others {
                given_up.push((guid, piece));
                continue;
            }
            silent += 1;
            if let Some(flow) = flows.get_mut(&slab.peer) {
                flow.lost(now, slab.under_way());
            }
            slab.asked = slab.got;
            slab.tries += 1;
            (slab.deadline, slab.until) = (Tick::NEVER, slab.until.max(now + PATIENCE));
            if slab.tries > TRIES {
                given_up.push((guid, piece));
            }
        }
        for place in given_up {
            let Some(slab) = self.slabs.remove(&place) else { continue };
            if let Some(flow) = flows.get_mut(&slab.peer) {
                flow.in_flight = flow.in_flight.saturating_sub(slab.under_way());
            }
            if let Some(partial) = self.partials.get_mut(&place.0) {
                partial.holders.retain(|&holder| holder != slab.peer);
                partial.given_up += 1;
            }
            self.assignable = true;
        }
        silent
    }

    /// Peers that fill slabs.
    pub fn filling(&self) -> impl Iterator<Item = Guid> + '_ {
        self.slabs.values().map(|slab| slab.peer)
    }

    /// Fragments under way, by peer.
    pub fn under_way(&self) -> BTreeMap<Guid, usize> {
        let mut under_way = BTreeMap::new();
        for slab in self.slabs.values().filter(|slab| slab.under_way() > 0) {
            *under_way.entry(slab.peer).or_default() += slab.under_way();
        }
        under_way
    }

    /// When that is next.
    pub fn poll_timeout(&self) -> Tick {
        self.slabs.values().map(|slab| slab.deadline).min().unwrap_or(Tick::NEVER)
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.slabs.len() + self.keeping.len() <= SLABS, "slabs are bounded");
        assert!(self.partials.len() <= PARTIALS);
        assert!(self.slabs.values().all(|slab| slab.under_way() == 0 || slab.deadline != Tick::NEVER));
        assert!(self.slabs.keys().all(|(guid, _)| self.partials.contains_key(guid)), "every slab has a record");
    }

    fn release(&mut self, flows: &mut BTreeMap<Guid, Flow>, goes: impl Fn(&(Guid, u16), &Slab) -> bool) {
        self.slabs.retain(|place, slab| {
            let goes = goes(place, slab);
            if goes && let Some(flow) = flows.get_mut(&slab.peer) {
                flow.in_flight = flow.in_flight.saturating_sub(slab.under_way());
            }
            !goes
        });
        self.assignable = true;
    }
}
