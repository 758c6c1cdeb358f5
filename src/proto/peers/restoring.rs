//! What a node knew of others before it started.

use super::table::Entry;
use super::{Peers, Reach, Reason};
use crate::proto::fact::PeerFact;
use crate::proto::limits::PEERS;
use crate::proto::ring::place;
use crate::proto::time::Tick;
use rand::seq::SliceRandom;
use std::net::SocketAddr;

impl Peers {
    /// A peer met before the last start.
    pub(in crate::proto) fn restore(&mut self, now: Tick, fact: PeerFact) {
        if fact.guid == self.me || self.table.len() >= PEERS {
            return;
        }
        let entry = (Entry::new(fact.guid, fact.addr, 0), &*fact.name);
        if self.table.insert(now, entry, 0, Reach::Unreachable, Reason::Remembered) {
            self.contacts.open(now, fact.guid, fact.addr).remembered = fact.last_update;
            self.returns.remember(place(&fact.guid));
        }
    }

    /// Lists nodes, each in its incarnation, as if others had named them long ago: in a simulation, what a network knew
    /// that is up for long, down to where this node is. They come in the ring's order.
    pub(in crate::proto) fn acquaint<'a>(
        &mut self,
        now: Tick,
        own: SocketAddr,
        others: impl Iterator<Item = (&'a PeerFact, u32)>,
    ) {
        self.addr = Some(own);
        self.table.others().to_vec().into_iter().for_each(|place| self.drop_entry(place));
        let room = PEERS.saturating_sub(self.table.len());
        let others = others.filter(|(fact, _)| fact.guid != self.me).take(room);
        let all = others.map(|(fact, incarnation)| (Entry::new(fact.guid, fact.addr, incarnation), &*fact.name));
        let rng = &mut self.rng;
        self.table.fill(now, all, Reason::Named, |live| live.shuffle(rng));
    }
}
