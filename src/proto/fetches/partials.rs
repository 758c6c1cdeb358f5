//! [`Partials`]: long MSGs under way. A piece (64 KiB) is filled in a slab, fragment by fragment, from one peer; it is
//! verified against the piece list, or as the whole MSG where that is one piece, and so a bad one is charged to its
//! sender. A slab is free again only when the disk has the piece, so no disk can be flooded.

use super::flow::Flow;
use super::slabs::{Place, Slab, Slabs};
use crate::proto::fact::{Fact, LIST};
use crate::proto::gossip::{Gossip, Guid, Hash, Head};
use crate::proto::limits::{FRAGMENT, PARTIALS, PIECE};
use crate::proto::time::Tick;
use crate::proto::wire::{Parts, PieceAsk};
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
    /// The piece that it completed is wrong, and its sender no longer a holder.
    Wrong,
}

pub(super) struct Partial {
    pub(super) head: Head,
    pub(super) holders: Vec<Guid>,
    pub(super) list: Option<Bytes>,
    /// Pieces on disk.
    pub(super) kept: BTreeSet<u16>,
    /// Whether some of them are of an earlier start: nobody verified since what the disk has of them.
    pub(super) restored: bool,
    /// Parts verified since the start: they can be passed on.
    pub(super) verified: Parts,
    /// What holders have that do not have all.
    pub(super) limits: BTreeMap<Guid, Parts>,
    /// Pieces that took too long.
    pub(super) given_up: u32,
}

/// Long records of which something is missing.
#[derive(Default)]
pub struct Partials {
    pub(super) partials: BTreeMap<Guid, Partial>,
    pub(super) slabs: Slabs,
    /// Whether a slab might be given to a piece.
    pub(super) assignable: bool,
}

impl Partials {
    /// How many more long records there is a place for: free ones, and those of records that nobody holds.
    pub fn places(&self) -> usize {
        PARTIALS - self.partials.values().filter(|partial| !partial.holders.is_empty()).count()
    }

    /// Whether [`begin`](Partials::begin) has a place for this one.
    pub fn has_place_for(&self, guid: &Guid) -> bool {
        self.partials.len() < PARTIALS || self.contains(guid) || self.places() > 0
    }

    /// Begins a long record. Where too many are under way, it takes the place of the one without a holder of which the
    /// least is here. Returns what there is to keep.
    pub fn begin(&mut self, guid: Guid, head: Head, holders: Vec<Guid>, flows: &mut BTreeMap<Guid, Flow>) -> Vec<Fact> {
        if self.contains(&guid) {
            for holder in holders {
                self.add_holder(&guid, holder);
            }
            return Vec::new();
        }
        let mut facts = Vec::new();
        if self.partials.len() >= PARTIALS {
            let left = self.partials.iter().filter(|(_, partial)| partial.holders.is_empty());
            let Some((&least, _)) = left.min_by_key(|(_, partial)| partial.kept.len()) else { return facts };
            self.remove(&least, flows);
            facts.push(Fact::Abandoned(least));
        }
        if head.piece_count() > 1 {
            facts.push(Fact::Partial(guid, head.clone()));
        }
        self.partials.insert(guid, Partial::new(head, holders));
        self.assignable = true;
        facts
    }

    /// A long record begun before the last restart; it waits for a holder. Returns what there is to keep where there is
    /// no place for it.
    pub fn restore(&mut self, head: Head, list: Option<Bytes>, pieces: &[u16]) -> Option<Fact> {
        let guid = head.guid();
        if self.partials.len() >= PARTIALS {
            return Some(Fact::Abandoned(guid));
        }
        let mut kept: BTreeSet<u16> = pieces.iter().copied().collect();
        if kept.len() >= head.piece_count() {
            // The last piece completes a record; where a disk has all and no record, one must come again.
            kept.pop_last();
        }
        // A list that was damaged on the disk would make honest pieces wrong.
        let list = list.filter(|list| <Hash>::from(Sha256::digest(list)) == *head.pieces());
        let restored = !kept.is_empty();
        self.partials.insert(guid, Partial { list, kept, restored, ..Partial::new(head, Vec::new()) });
        None
    }

    /// Whether this record is under way.
    pub fn contains(&self, guid: &Guid) -> bool {
        self.partials.contains_key(guid)
    }

    /// Whether some of a record under way is of an earlier start.
    pub fn is_restored(&self, guid: &Guid) -> bool {
        self.partials.get(guid).is_some_and(|partial| partial.restored)
    }

    /// Those under way, each with how many bytes of it are here: verified or not.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, &Head, usize)> {
        self.partials.iter().map(|(&guid, partial)| {
            let kept = partial.kept.iter().map(|&piece| partial.head.piece_len(usize::from(piece))).sum::<usize>();
            (guid, &partial.head, kept + self.slabs.received(&guid, &partial.kept))
        })
    }

    /// Whether nothing is asked for or on its way to the disk.
    pub fn is_idle(&self) -> bool {
        self.slabs.is_empty()
    }

    /// Who holds those under way.
    pub fn holders(&self) -> impl Iterator<Item = &Guid> {
        self.partials.values().flat_map(|partial| &partial.holders)
    }

    /// Notes a holder of a record under way; false if it is not under way.
    pub fn add_holder(&mut self, guid: &Guid, peer: Guid) -> bool {
        let Some(partial) = self.partials.get_mut(guid) else { return false };
        partial.limits.remove(&peer);
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
            partial.limits.remove(&peer);
            self.slabs.remove_peer(&peer, Some(guid), flows);
            self.assignable = true;
        }
    }

    /// Nothing more comes from this peer.
    pub fn drop_peer(&mut self, peer: Guid, flows: &mut BTreeMap<Guid, Flow>) {
        for partial in self.partials.values_mut() {
            partial.holders.retain(|&holder| holder != peer);
            partial.limits.remove(&peer);
        }
        self.slabs.remove_peer(&peer, None, flows);
        self.assignable = true;
    }

    /// The record is complete, or given up. One of a single piece has no partial any more by then, but still its slab.
    pub fn remove(&mut self, guid: &Guid, flows: &mut BTreeMap<Guid, Flow>) {
        if self.partials.is_empty() && self.is_idle() {
            return;
        }
        self.partials.remove(guid);
        self.slabs.remove_record(guid, flows);
        self.assignable = true;
    }

    /// The disk has a piece.
    pub fn handle_kept(&mut self, guid: &Guid, piece: u16) {
        self.slabs.kept(&(*guid, piece));
        self.assignable = true;
        if let Some(partial) = self.partials.get_mut(guid) {
            partial.kept.insert(piece);
        }
    }

    /// Takes a fragment into the slab that waits for it.
    pub fn handle_fragment(
        &mut self,
        now: Tick,
        peer: Guid,
        flows: &mut BTreeMap<Guid, Flow>,
        place: Place,
        index: u8,
        bytes: &[u8],
    ) -> Arrived {
        let Some((slab, flow)) = self.slabs.filled_by(peer, &place).zip(flows.get_mut(&peer)) else {
            return Arrived::Unwanted;
        };
        let at = usize::from(index) * FRAGMENT;
        let (bit, end) = (1u64.checked_shl(index.into()).unwrap_or(0), slab.bytes.len().min(at + FRAGMENT));
        let Some(hole) = slab.bytes.get_mut(at..end).filter(|hole| hole.len() == bytes.len() && !bytes.is_empty())
        else {
            return Arrived::Unwanted;
        };
        if slab.got & bit != 0 {
            return Arrived::Unwanted;
        }
        hole.copy_from_slice(bytes);
        if slab.asked & bit != 0 {
            flow.answered(now, now.since(slab.asked_at), slab.tries == 0);
        }
        slab.got |= bit;
        slab.tries = 0;
        slab.deadline = match slab.under_way() {
            0 => Tick::NEVER,
            _ => (now + flow.timeout(0)).min(slab.until),
        };
        if slab.got != slab.all() {
            return Arrived::Nothing;
        }
        self.complete(place, flows)
    }

    fn complete(&mut self, place: Place, flows: &mut BTreeMap<Guid, Flow>) -> Arrived {
        self.assignable = true;
        let (guid, piece) = place;
        let Some(slab) = self.slabs.remove(&place, flows) else { return Arrived::Unwanted };
        let Some(partial) = self.partials.get_mut(&guid) else { return Arrived::Unwanted };
        let hash: Hash = Sha256::digest(&slab.bytes).into();
        let bytes = Bytes::from(slab.bytes);
        let len = bytes.len();
        let arrived = if partial.head.piece_count() == 1 {
            Gossip::new(partial.head.clone(), bytes).ok().map(|gossip| Arrived::Fact(Fact::Gossip(gossip)))
        } else if piece == LIST {
            (hash == *partial.head.pieces()).then(|| {
                partial.list = Some(bytes.clone());
                partial.verified.insert(LIST);
                Arrived::Fact(Fact::List(guid, bytes))
            })
        } else {
            let at = usize::from(piece) * hash.len();
            let listed = partial.list.as_ref().and_then(|list| list.get(at..at + hash.len()));
            (listed == Some(&hash[..])).then(|| {
                partial.verified.insert(piece);
                Arrived::Fact(Fact::Piece(guid, piece, bytes))
            })
        };
        match &arrived {
            Some(Arrived::Fact(Fact::Gossip(_))) => {
                self.partials.remove(&guid);
                self.slabs.keep(place, len);
            }
            Some(_) if piece == LIST => {}
            Some(_) => self.slabs.keep(place, len),
            None => self.drop_holder(&guid, slab.peer, flows),
        }
        arrived.unwrap_or(Arrived::Wrong)
    }

    /// Gives free slabs to missing pieces, each with the holder that fills the least.
    pub fn assign(&mut self, now: Tick) {
        if !std::mem::take(&mut self.assignable) {
            return;
        }
        for (&guid, partial) in &self.partials {
            for piece in partial.wanted() {
                let place = (guid, piece);
                if partial.kept.contains(&piece) || self.slabs.contains(&place) {
                    continue;
                }
                let len = partial.len_of(piece);
                if !self.slabs.has_room(len) {
                    return;
                }
                // All pieces but the last are as long: where no holder has room for one, none has for another, and the
                // last may wait with them.
                let load = |peer| Some((self.slabs.load(peer, len)?, peer));
                let mut loads = partial.holders.iter().filter_map(load).peekable();
                if loads.peek().is_none() && len == PIECE {
                    break;
                }
                let loads = loads.filter(|(_, holder)| partial.has(holder, piece));
                let Some((_, &peer)) = loads.min_by_key(|&(load, _)| load) else { continue };
                let (got, asked, tries) = Default::default();
                let (bytes, deadline) = (vec![0; len], Tick::NEVER);
                let until = now + PATIENCE * (1 << partial.given_up.min(5));
                self.slabs.insert(place, Slab { peer, bytes, got, asked, asked_at: now, deadline, until, tries });
            }
        }
    }

    /// What to ask of this peer, as far as its window allows.
    pub fn ask(&mut self, now: Tick, peer: Guid, flow: &mut Flow, most: usize) -> Vec<PieceAsk> {
        let mut asks = Vec::new();
        let missing = self.slabs.of(peer).map(|(place, slab)| (place, slab.missing())).filter(|&(_, bits)| bits != 0);
        let missing: Vec<(Place, u64)> = missing.take(most).collect();
        let wanted = missing.iter().map(|(_, bits)| bits.count_ones() as usize).sum();
        if flow.room() < flow.batch(wanted) {
            return asks;
        }
        for (place, mut missing) in missing {
            let Some(slab) = self.slabs.filled_by(peer, &place) else { continue };
            let mut fragments = 0;
            for _ in 0..flow.room().min(missing.count_ones() as usize) {
                let lowest = missing & missing.wrapping_neg();
                fragments |= lowest;
                missing ^= lowest;
            }
            if fragments == 0 {
                break;
            }
            slab.asked |= fragments;
            slab.asked_at = now;
            slab.deadline = (now + flow.timeout(slab.tries)).min(slab.until);
            flow.in_flight += fragments.count_ones() as usize;
            asks.push(PieceAsk { guid: place.0, piece: place.1, fragments });
        }
        asks
    }

    /// Counts silences: asks again, and after too many gives the slab back. Returns how many pieces were silent.
    pub fn handle_timeout(&mut self, now: Tick, flows: &mut BTreeMap<Guid, Flow>) -> u64 {
        let mut silent = 0;
        let mut given_up = Vec::new();
        for (place, slab) in self.slabs.iter_mut().filter(|(_, slab)| slab.deadline <= now) {
            let others = self.partials.get(&place.0).is_some_and(|partial| partial.holders.len() > 1);
            if slab.until <= now && others {
                given_up.push(place);
                continue;
            }
            silent += 1;
            if let Some(flow) = flows.get_mut(&slab.peer) {
                flow.lost(now, slab.under_way());
            }
            slab.asked = slab.got;
            slab.tries += 1;
            slab.deadline = Tick::NEVER;
            if slab.until <= now {
                slab.until = now + PATIENCE;
            }
            if slab.tries > TRIES {
                given_up.push(place);
            }
        }
        for place in given_up {
            let Some(slab) = self.slabs.remove(&place, flows) else { continue };
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
        self.slabs.peers()
    }

    /// Fragments under way, by peer.
    pub fn under_way(&self) -> BTreeMap<Guid, usize> {
        let of = |peer| self.slabs.of(peer).map(|(_, slab)| slab.under_way()).sum();
        let under_way = self.slabs.peers().map(|peer| (peer, of(peer)));
        under_way.filter(|&(_, fragments)| fragments > 0).collect()
    }

    /// When that is next.
    pub fn poll_timeout(&self) -> Tick {
        self.slabs.deadline()
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.partials.len() <= PARTIALS);
        assert!(self.slabs.records().all(|guid| self.partials.contains_key(&guid)), "every slab has a record");
        self.slabs.check();
    }
}
