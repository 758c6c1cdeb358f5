//! What passes without a session, and what is told of other networks: beacons, and NODES.

use super::Node;
use crate::proto::beacon::Standing;
use crate::proto::beyond::Beyond;
use crate::proto::gossip::Guid;
use crate::proto::time::Tick;
use crate::proto::wire::{Card, Message, Name, Nodes};
use std::net::SocketAddr;

impl Node {
    /// What this node's beacons say of it: its GUID and the epoch of its run.
    pub fn run(&self) -> (Guid, u64) {
        (self.settings.guid, self.sessions.epoch())
    }

    /// How this node stands to one whose beacon it heard. Who has started again since we last met is not known, nor is who
    /// counts as dead; whom others named is, as long as it counts as alive.
    pub fn standing(&self, guid: Guid, epoch: u64) -> Standing {
        let alive = self.peers.peer(&guid).is_some_and(|peer| peer.reach.answers());
        let known = alive && self.sessions.epoch_of(guid).is_none_or(|last| last >= epoch);
        Standing { known, nodes: self.peers.live() + 1 }
    }

    /// Answers a beacon that came from there: with one REGISTER, and no more if nobody answers that.
    pub fn answer_beacon(&mut self, now: Tick, addr: SocketAddr) {
        self.register_with(now, addr);
    }

    /// Tells peers of other networks from now on; each with the nodes that are in it.
    pub fn share(&mut self, networks: impl IntoIterator<Item = (Name, Vec<Card>)>) {
        self.beyond.share(networks);
    }

    /// What peers tell of other networks.
    pub fn beyond(&self) -> &Beyond {
        &self.beyond
    }

    pub(super) fn take_nodes(&mut self, now: Tick, peer: Guid, nodes: Nodes) {
        if let Some(nodes) = self.beyond.take(now, nodes) {
            self.send(peer, Message::Nodes(nodes));
        }
    }
}
