//! What may be told to a [`Node`] while it runs: another pace, and that an address is no seed any more.

use super::Node;
use crate::proto::settings::{Pace, Settings};
use crate::proto::time::Tick;
use std::net::SocketAddr;

impl Node {
    /// From now on it goes at another pace. What is under way (a probe, a suspicion) ends as it began.
    pub fn adjust(&mut self, now: Tick, pace: Pace) {
        let Pace { gossip_timer, gossip_max_peer_count, peer_select, timing } = pace;
        let settings = self.settings.clone();
        self.settings = Settings { gossip_timer, gossip_max_peer_count, peer_select, timing, ..settings };
        self.peers.adjust(now, &self.settings);
        self.rumors.adjust(&self.settings);
        self.handle_timeout(now);
    }

    /// This address is no seed any more: it is not registered with again. Whoever was met there stays a peer.
    pub fn dismiss(&mut self, now: Tick, addr: SocketAddr) {
        self.peers.dismiss(&addr);
        self.handle_timeout(now);
    }
}
