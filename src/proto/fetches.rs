//! [`Fetches`]: wanted records and parts of long MSGs. All is pulled by the one who lacks: from whom, how much at once,
//! and when to ask again. What comes is verified here, and becomes a fact only then.
//!
//! A wanted GUID is asked of one of its holders. The answer is the whole record, or the head of a long one, which
//! begins a *partial* (see `partials`): its MSG is pulled piece by piece. A window for each peer bounds what is
//! under way; it grows with every answer and is halved by silence, so a slow host is never flooded.

mod flow;
mod partials;

pub use partials::Arrived;

use crate::proto::fact::Fact;
use crate::proto::gossip::{Gossip, Guid, Head};
use crate::proto::limits::{ARRIVING, CONDEMNED, GUIDS_PER_ASK, PIECES_PER_ASK, WANTED, WANTED_PER_PEER};
use crate::proto::time::Tick;
use crate::proto::wire::{List, TellMeMore};
use flow::Flow;
use partials::Partials;
use std::collections::{BTreeMap, BTreeSet};

/// Holders remembered for one record.
const HOLDERS: usize = 4;
/// Silences after which a record is no longer asked for; the next digest that shows it begins again.
const TRIES: u32 = 8;

/// A record that is wanted and not here.
struct Want {
    holders: Vec<Guid>,
    asked: Option<Asked>,
    tries: u32,
}

#[derive(Clone, Copy)]
struct Asked {
    peer: Guid,
    at: Tick,
    deadline: Tick,
}

/// All that is wanted, under way, or on its way to the disk.
#[derive(Default)]
pub struct Fetches {
    wants: BTreeMap<Guid, Want>,
    deadlines: BTreeSet<(Tick, Guid)>,
    flows: BTreeMap<Guid, Flow>,
    partials: Partials,
    /// Records given to the disk and not acknowledged, with their size.
    arriving: BTreeMap<Guid, usize>,
    arriving_bytes: usize,
    condemned: BTreeSet<Guid>,
    /// The disk refused something: ask for nothing until then.
    paused: Tick,
    /// Requests repeated after silence.
    pub repeated: u64,
}

impl Fetches {
    /// Notes that `peer` holds a record that we lack. Dropped where too much is wanted already, of it or of all.
    pub fn want(&mut self, guid: Guid, peer: Guid) {
        if self.condemned.contains(&guid) || self.arriving.contains_key(&guid) {
            return;
        }
        if self.partials.add_holder(&guid, peer) {
            self.flows.entry(peer).or_default();
            return;
        }
        let full = self.wants.len() >= WANTED;
        match self.wants.get_mut(&guid) {
            Some(want) if want.holders.len() < HOLDERS && !want.holders.contains(&peer) => want.holders.push(peer),
            Some(_) => {}
            None if full => {}
            None => {
                let flow = self.flows.entry(peer).or_default();
                // A wish that was fulfilled before its turn leaves its place in the queue, so queues have a bound too.
                if flow.queue.len() < WANTED_PER_PEER {
                    self.wants.insert(guid, Want { holders: vec![peer], asked: None, tries: 0 });
                    flow.queue.push_back(guid);
                }
            }
        }
    }

    /// Whether there is room for more pages of GUIDs wanted of this peer.
    pub fn has_room(&self, peer: &Guid) -> bool {
        let queued = self.flows.get(peer).map_or(0, |flow| flow.queue.len());
        self.wants.len() + (1 << 12) < WANTED && queued + (1 << 12) < WANTED_PER_PEER
    }

    /// Whether a record is on its way: wanted, partly here, or given to the disk.
    pub fn knows(&self, guid: &Guid) -> bool {
        self.wants.contains_key(guid) || self.arriving.contains_key(guid) || self.partials.contains(guid)
    }

    /// A record came, verified against its name. It becomes a fact unless it is on its way to the disk already, or too
    /// much is.
    pub fn handle_record(&mut self, now: Tick, peer: Guid, gossip: Gossip) -> Option<Fact> {
        let guid = gossip.guid();
        // What the disk cannot take yet stays wanted, and is asked for again.
        if self.paused > now || self.arriving_bytes + gossip.msg().len() > ARRIVING {
            return None;
        }
        self.answered(now, peer, &guid);
        if self.arriving.contains_key(&guid) || self.condemned.contains(&guid) {
            return None;
        }
        self.arrive(gossip)
    }

    /// The head of a long record came, verified against its name.
    pub fn handle_head(&mut self, now: Tick, peer: Guid, guid: Guid, head: Head) -> Vec<Fact> {
        let holders = self.answered(now, peer, &guid);
        if self.arriving.contains_key(&guid) || self.condemned.contains(&guid) || self.paused > now {
            return Vec::new();
        }
        for &holder in &holders {
            self.flows.entry(holder).or_default();
        }
        self.partials.begin(guid, head, holders, &mut self.flows)
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
        let flow = self.flows.entry(peer).or_default();
        match self.partials.handle_fragment(now, peer, flow, guid, piece, index, bytes) {
            Arrived::Record(gossip) => self.arrive(gossip).map_or(Arrived::Nothing, Arrived::Fact),
            other => other,
        }
    }

    /// A peer does not have what we asked of it.
    pub fn handle_lacking(&mut self, now: Tick, peer: Guid, guid: Guid) {
        if let Some(want) = self.wants.get_mut(&guid) {
            want.holders.retain(|&holder| holder != peer);
            if let Some(asked) = want.asked.take_if(|asked| asked.peer == peer) {
                self.deadlines.remove(&(asked.deadline, guid));
                self.flows.entry(peer).or_default().answered(now, None);
                self.ask_on(guid);
            }
        }
        self.partials.drop_holder(&guid, peer, &mut self.flows);
    }

    /// The disk has the record, or refused it for good.
    pub fn handle_settled(&mut self, guid: &Guid) {
        self.arriving_bytes -= self.arriving.remove(guid).unwrap_or(0);
        self.partials.remove(guid, &mut self.flows);
        if let Some(want) = self.wants.remove(guid) {
            self.withdraw(guid, &want);
        }
    }

    /// The disk has a piece.
    pub fn handle_piece_kept(&mut self, guid: &Guid, piece: u16) {
        self.partials.handle_kept(guid, piece);
    }

    /// The record does not match its own head: never ask for it again.
    pub fn condemn(&mut self, guid: Guid) {
        self.handle_settled(&guid);
        if self.condemned.len() >= CONDEMNED {
            self.condemned.pop_first();
        }
        self.condemned.insert(guid);
    }

    /// The disk refused the record for now, or a part of it: ask for nothing until `until`, then begin it again.
    pub fn pause(&mut self, guid: &Guid, until: Tick) {
        self.paused = until;
        self.arriving_bytes -= self.arriving.remove(guid).unwrap_or(0);
        self.partials.remove(guid, &mut self.flows);
    }

    /// A long record begun before the last restart.
    pub fn restore(&mut self, head: Head, list: Option<bytes::Bytes>, pieces: &[u16]) {
        self.partials.restore(head, list, pieces);
    }

    /// Nothing more comes from this peer.
    pub fn forget(&mut self, peer: &Guid) {
        self.partials.drop_peer(*peer, &mut self.flows);
        let Some(flow) = self.flows.remove(peer) else { return };
        let asked: Vec<Guid> = self
            .wants
            .iter()
            .filter(|(_, want)| want.asked.is_some_and(|asked| asked.peer == *peer))
            .map(|(&guid, _)| guid)
            .collect();
        for guid in flow.queue.into_iter().chain(asked) {
            let Some(want) = self.wants.get_mut(&guid) else { continue };
            want.holders.retain(|holder| holder != peer);
            if let Some(asked) = want.asked.take() {
                self.deadlines.remove(&(asked.deadline, guid));
            }
            self.ask_on(guid);
        }
    }

    /// What to ask next, and of whom.
    pub fn poll_ask(&mut self, now: Tick) -> Option<(Guid, TellMeMore)> {
        if self.paused > now {
            return None;
        }
        self.partials.assign(now);
        for (&peer, flow) in &mut self.flows {
            let pieces = self.partials.ask(now, peer, flow, PIECES_PER_ASK);
            if !pieces.is_empty() {
                return Some((peer, TellMeMore { pieces: List::new(pieces), ..Default::default() }));
            }
            let mut guids = Vec::new();
            while guids.len() < GUIDS_PER_ASK.min(flow.room()) {
                let Some(guid) = flow.queue.pop_front() else { break };
                let Some(want) = self.wants.get_mut(&guid).filter(|want| want.asked.is_none()) else { continue };
                let deadline = now + flow.rtt.timeout(want.tries);
                want.asked = Some(Asked { peer, at: now, deadline });
                self.deadlines.insert((deadline, guid));
                guids.push(guid);
            }
            if !guids.is_empty() {
                flow.in_flight += guids.len();
                return Some((peer, TellMeMore { guids: List::new(guids), ..Default::default() }));
            }
        }
        None
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
            self.flows.entry(asked.peer).or_default().lost(now, 1);
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

    /// Records of which something is here or wanted.
    pub fn is_idle(&self) -> bool {
        self.wants.is_empty() && self.arriving.is_empty() && self.partials.is_idle()
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.wants.len() <= WANTED && self.condemned.len() <= CONDEMNED);
        assert!(self.arriving_bytes <= ARRIVING);
        assert_eq!(self.arriving_bytes, self.arriving.values().sum::<usize>());
        assert_eq!(self.deadlines.len(), self.wants.values().filter(|want| want.asked.is_some()).count());
        assert!(self.flows.values().all(|flow| flow.queue.len() <= WANTED_PER_PEER));
        self.partials.check();
    }

    fn arrive(&mut self, gossip: Gossip) -> Option<Fact> {
        let size = gossip.msg().len();
        if self.arriving_bytes + size > ARRIVING {
            return None;
        }
        self.arriving_bytes += size;
        self.arriving.insert(gossip.guid(), size);
        Some(Fact::Gossip(gossip))
    }

    /// Ends the wish for a record, as `peer` has sent it; returns who else holds it.
    fn answered(&mut self, now: Tick, peer: Guid, guid: &Guid) -> Vec<Guid> {
        let Some(want) = self.wants.remove(guid) else { return vec![peer] };
        if let Some(asked) = want.asked.filter(|asked| asked.peer == peer) {
            let rtt = (want.tries == 0).then(|| now.since(asked.at));
            self.flows.entry(peer).or_default().answered(now, rtt);
            self.deadlines.remove(&(asked.deadline, *guid));
        } else {
            self.withdraw(guid, &want);
        }
        let mut holders = want.holders;
        if !holders.contains(&peer) {
            holders.push(peer);
        }
        holders
    }

    /// Stops waiting for an answer that is no longer needed.
    fn withdraw(&mut self, guid: &Guid, want: &Want) {
        if let Some(asked) = want.asked {
            self.deadlines.remove(&(asked.deadline, *guid));
            if let Some(flow) = self.flows.get_mut(&asked.peer) {
                flow.in_flight = flow.in_flight.saturating_sub(1);
            }
        }
    }

    /// Queues a record with its next holder, or drops the wish where there is none.
    fn ask_on(&mut self, guid: Guid) {
        let Some(want) = self.wants.get(&guid) else { return };
        let holder = want.holders.get(want.tries as usize % want.holders.len().max(1));
        match holder
            .map(|&holder| self.flows.entry(holder).or_default())
            .filter(|flow| flow.queue.len() < WANTED_PER_PEER)
        {
            Some(flow) => flow.queue.push_back(guid),
            None => drop(self.wants.remove(&guid)),
        }
    }
}
