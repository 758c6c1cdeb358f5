//! What may be told to a [`Node`] while it runs: another pace, and that an address is no seed any more.

use super::Node;
use crate::proto::settings::Pace;
use crate::proto::time::Tick;
use std::net::SocketAddr;

impl Node {
    /// From now on it goes at another pace. What is under way (a probe, a suspicion) ends as it began.
    pub fn adjust(&mut self, now: Tick, pace: Pace) {
        self.settings.pace = pace;
        self.peers.adjust(now, pace);
        self.rumors.adjust(pace);
        self.handle_timeout(now);
    }

    /// This address is no seed any more: it is not registered with again. Whoever was met there stays a peer.
    pub fn dismiss(&mut self, now: Tick, addr: SocketAddr) {
        self.peers.dismiss(&addr);
        self.handle_timeout(now);
    }
}
