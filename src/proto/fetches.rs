//! [`Fetches`]: wanted records and parts of long MSGs. All is pulled by the one who lacks: from whom, how much at once,
//! and when to ask again. What comes is verified here, and becomes a fact only then.
//!
//! A wanted GUID is asked of one of its holders. The answer is the whole record, or the head of a long one, which
//! begins a *partial* (see `partials`): its MSG is pulled piece by piece. A window for each peer bounds what is
//! under way; it grows with every answer and is halved by silence, so a slow host is never flooded.

mod asking;
mod check;
mod flow;
mod partials;
mod parts;
mod slabs;
#[cfg(test)]
mod tests;

pub use partials::Arrived;

use crate::proto::fact::Fact;
use crate::proto::gossip::{Gossip, Guid, Head, Key};
use crate::proto::limits::{ARRIVING, CONDEMNED, FACT_OVERHEAD, WANTED, WANTED_PER_PEER};
use crate::proto::rtt::Rtt;
use crate::proto::time::Tick;
use crate::proto::unordered::Unordered;
use crate::proto::wire::{Parts, TellMeMore};
use asking::Want;
use flow::Flow;
use partials::Partials;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Holders remembered for one record.
const HOLDERS: usize = 4;
/// Silences after which a record is no longer asked for; the next digest that shows it begins again.
const TRIES: u32 = 8;

/// All that is wanted, under way, or on its way to the disk.
#[derive(Default)]
pub struct Fetches {
    wants: Unordered<Guid, Want>,
    deadlines: BTreeSet<(Tick, Guid)>,
    flows: BTreeMap<Guid, Flow>,
    /// Peers with something in their queue.
    waiting: BTreeSet<Guid>,
    partials: Partials,
    /// Long records that wait for a place among the partials, and how many may take one that is free now.
    parked: BTreeSet<Guid>,
    unparked: usize,
    /// Records given to the disk and not acknowledged, with their size. One that still has its slab counts nothing.
    arriving: Unordered<Guid, usize>,
    arriving_bytes: usize,
    condemned: BTreeSet<Guid>,
    condemned_in_order: VecDeque<Guid>,
    /// The disk refused something: ask for nothing until then.
    paused: Tick,
    /// Requests repeated after silence.
    pub repeated: u64,
}

impl Fetches {
    /// Notes that `peer` holds a record that we lack. Dropped where too much is wanted already.
    pub fn want(&mut self, guid: Guid, peer: Guid) {
        if self.condemned.contains(&guid) || self.arriving.contains_key(&guid) {
            return;
        }
        if self.partials.add_holder(&guid, peer) {
            self.flows.entry(peer).or_default();
            return;
        }
        let full = self.wants.len() >= WANTED || self.queued(&peer) >= WANTED_PER_PEER;
        match self.wants.get_mut(&guid) {
            Some(want) if want.holders.contains(&peer) || want.holders.len() >= HOLDERS => return,
            // Who takes back what it named leaves it in the queue, and may name it again.
            _ if full => return,
            Some(want) => want.holders.push(peer),
            None => drop(self.wants.insert(guid, Want { holders: vec![peer], asked: None, tries: 0, long: false })),
        }
        self.enqueue(guid, peer);
    }

    /// Whether a record is wanted: lacked, and asked for or to be.
    pub fn is_wanted(&self, guid: &Guid) -> bool {
        self.wants.contains_key(guid)
    }

    /// Whether a record is on its way to the disk, or is never asked for.
    pub fn is_known(&self, guid: &Guid) -> bool {
        self.arriving.contains_key(guid) || self.condemned.contains(guid)
    }

    /// Whether a long record is under way.
    pub fn is_partial(&self, guid: &Guid) -> bool {
        self.partials.contains(guid)
    }

    /// Whether it waits for a place among those that are.
    pub fn is_parked(&self, guid: &Guid) -> bool {
        self.parked.contains(guid)
    }

    /// Long records under way, each with how many bytes of it are here.
    pub fn under_way(&self) -> impl Iterator<Item = (Guid, &Head, usize)> {
        self.partials.iter()
    }

    /// What of a long record under way can be had here already, and where it stands.
    pub fn parts(&self, guid: &Guid) -> Option<(Key, Parts)> {
        self.partials.parts(guid)
    }

    /// A peer said what can be had of it of a long record under way.
    pub fn handle_parts(&mut self, peer: Guid, parts: &Parts) {
        self.partials.handle_parts(peer, parts, &mut self.flows);
    }

    /// Whether there is room for more pages of GUIDs wanted of this peer.
    pub fn has_room(&self, peer: &Guid) -> bool {
        self.wants.len() + (1 << 12) < WANTED && self.queued(peer) + (1 << 12) < WANTED_PER_PEER
    }

    /// A record came, verified against its name. It becomes a fact unless it is on its way to the disk already, or too
    /// much is.
    pub fn handle_record(&mut self, now: Tick, peer: Guid, gossip: Gossip) -> Option<Fact> {
        let guid = gossip.guid();
        let size = FACT_OVERHEAD + gossip.msg().len();
        // What the disk cannot take yet stays wanted, and is asked for again.
        if self.paused > now || self.arriving_bytes + size > ARRIVING {
            return None;
        }
        self.answered(now, peer, &guid);
        if self.arriving.contains_key(&guid) || self.condemned.contains(&guid) {
            return None;
        }
        // It may have come whole where its pieces were asked for, as others may send longer datagrams than we do.
        self.partials.remove(&guid, &mut self.flows);
        self.arriving_bytes += size;
        self.arriving.insert(guid, size);
        Some(Fact::Gossip(gossip))
    }

    /// The head of a long record came, verified against its name. Returns what there is to keep; none where it is not taken,
    /// since the disk is resting, and nobody may count on this node for it.
    pub fn handle_head(&mut self, now: Tick, peer: Guid, guid: Guid, head: Head) -> Option<Vec<Fact>> {
        if self.paused > now {
            return None;
        }
        if self.arriving.contains_key(&guid) || self.condemned.contains(&guid) {
            self.answered(now, peer, &guid);
            return Some(Vec::new());
        }
        if !self.partials.has_place_for(&guid) {
            self.park(now, peer, guid);
            return Some(Vec::new());
        }
        let holders = self.answered(now, peer, &guid);
        for &holder in &holders {
            self.flows.entry(holder).or_default();
        }
        Some(self.partials.begin(guid, head, holders, &mut self.flows))
    }

    /// A fragment came; what it completes becomes a fact.
    pub fn handle_fragment(
        &mut self,
        now: Tick,
        peer: Guid,
        guid: Guid,
        piece: u16,
        index: u8,
        bytes: &[u8],
    ) -> Arrived {
        let arrived = self.partials.handle_fragment(now, peer, &mut self.flows, (guid, piece), index, bytes);
        if let Arrived::Fact(Fact::Gossip(gossip)) = &arrived {
            // Its slab counts it.
            self.arriving.insert(gossip.guid(), 0);
        }
        arrived
    }

    /// A peer does not have what we asked of it.
    pub fn handle_lacking(&mut self, now: Tick, peer: Guid, guid: Guid) {
        if let Some(want) = self.wants.get_mut(&guid) {
            want.holders.retain(|&holder| holder != peer);
            if want.asked.is_some_and(|asked| asked.peer == peer) {
                self.unask(now, &guid, None);
            }
            self.ask_on(guid);
        }
        self.partials.drop_holder(&guid, peer, &mut self.flows);
    }

    /// The disk has the record, or refused it for good.
    pub fn handle_settled(&mut self, guid: &Guid) {
        self.arriving_bytes -= self.arriving.remove(guid).unwrap_or(0);
        self.partials.remove(guid, &mut self.flows);
        self.drop_want(guid);
    }

    /// A long record under way left the network before it was complete: what there is to keep of that.
    pub fn abandon(&mut self, guid: &Guid) -> Option<Fact> {
        let begun = self.partials.contains(guid) && !self.arriving.contains_key(guid);
        self.handle_settled(guid);
        begun.then_some(Fact::Abandoned(*guid))
    }

    /// The disk has a piece.
    pub fn handle_piece_kept(&mut self, guid: &Guid, piece: u16) {
        self.partials.handle_kept(guid, piece);
    }

    /// The record does not match its own head: never ask for it again. Where some of it was on the disk before the last
    /// start it may have been damaged there: then the record begins anew.
    pub fn condemn(&mut self, guid: Guid) {
        let restored = self.partials.is_restored(&guid);
        self.handle_settled(&guid);
        if restored {
            return;
        }
        if self.condemned.insert(guid) {
            self.condemned_in_order.push_back(guid);
        }
        if self.condemned.len() > CONDEMNED {
            self.condemned_in_order.pop_front().map(|oldest| self.condemned.remove(&oldest));
        }
    }

    /// The disk refused the record for now, or a part of it: ask for nothing until `until`, then begin it again.
    pub fn pause(&mut self, guid: &Guid, until: Tick) {
        self.paused = until;
        self.arriving_bytes -= self.arriving.remove(guid).unwrap_or(0);
        self.partials.remove(guid, &mut self.flows);
    }

    /// A long record begun before the last restart. Returns what there is to keep where it has no place.
    pub fn restore(&mut self, head: Head, list: Option<bytes::Bytes>, pieces: &[u16]) -> Option<Fact> {
        self.partials.restore(head, list, pieces)
    }

    /// Nothing more comes from this peer.
    pub fn forget(&mut self, peer: &Guid) {
        // Who has no window holds nothing that we want: so it is with most who are met.
        if !self.flows.contains_key(peer) {
            return;
        }
        self.partials.drop_peer(*peer, &mut self.flows);
        self.flows.remove(peer);
        self.waiting.remove(peer);
        let held = self.wants.sorted().into_iter().filter(|(_, want)| want.holders.contains(peer));
        let guids: Vec<Guid> = held.map(|(guid, _)| guid).collect();
        for guid in &guids {
            let Some(want) = self.wants.get_mut(guid) else { continue };
            want.holders.retain(|holder| holder != peer);
            if let Some(asked) = want.asked.take_if(|asked| asked.peer == *peer) {
                self.deadlines.remove(&(asked.deadline, *guid));
            }
        }
        guids.into_iter().for_each(|guid| self.ask_on(guid));
    }

    /// What to ask next, and of whom; `rtt` is how long greetings take.
    pub fn poll_ask(&mut self, now: Tick, rtt: impl Fn(&Guid) -> Rtt) -> Option<(Guid, TellMeMore)> {
        if self.paused > now {
            return None;
        }
        self.unpark();
        self.partials.assign(now);
        let peers: BTreeSet<Guid> = self.partials.filling().chain(self.waiting.iter().copied()).collect();
        peers.into_iter().find_map(|peer| {
            self.flows.get_mut(&peer)?.suggest(rtt(&peer));
            Some((peer, self.ask(now, peer)?))
        })
    }

    /// Counts silences: what was asked long enough ago is asked again, of the next holder.
    pub fn handle_timeout(&mut self, now: Tick) {
        while let Some(&(deadline, guid)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            let Some(want) = self.wants.get_mut(&guid) else { continue };
            let Some(asked) = want.asked.take() else { continue };
            want.tries += 1;
            self.repeated += 1;
            if let Some(flow) = self.flows.get_mut(&asked.peer) {
                flow.lost(now, 1);
            }
            if want.tries >= TRIES {
                want.holders.clear();
            }
            self.ask_on(guid);
        }
        self.repeated += self.partials.handle_timeout(now, &mut self.flows);
    }

    /// When that is next.
    pub fn poll_timeout(&self, now: Tick) -> Tick {
        let asked = self.deadlines.first().map_or(Tick::NEVER, |&(deadline, _)| deadline);
        let resume = if self.paused > now { self.paused } else { Tick::NEVER };
        asked.min(self.partials.poll_timeout()).min(resume)
    }

    /// How many records and parts are to come from this peer.
    pub fn coming(&self, peer: &Guid) -> usize {
        self.flows.get(peer).map_or(0, |flow| flow.in_flight + flow.queue.len())
    }

    /// Whether something is.
    pub fn is_busy_with(&self, peer: &Guid) -> bool {
        self.coming(peer) > 0
    }

    /// Peers of whom something is kept.
    pub fn peers(&self) -> impl Iterator<Item = &Guid> {
        self.flows.keys()
    }

    /// Whether nothing is wanted, under way, or on its way to the disk.
    pub fn is_idle(&self) -> bool {
        self.wants.is_empty() && self.arriving.is_empty() && self.partials.is_idle()
    }
}
