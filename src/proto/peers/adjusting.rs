//! What may be told to [`Peers`] while they are watched: another pace, and that an address is no seed any more.

use super::Peers;
use crate::proto::settings::Pace;
use crate::proto::time::Tick;
use std::net::SocketAddr;

impl Peers {
    /// From now on it goes at this pace. What waits longer than it would at that pace is due sooner.
    pub(in crate::proto) fn adjust(&mut self, now: Tick, pace: Pace) {
        self.timer = pace.gossip_timer;
        self.period = pace.gossip_timer.min(pace.timing.probe_period);
        self.timing = pace.timing;
        self.most = pace.gossip_max_peer_count.max(1);
        self.select = pace.peer_select;
        self.next_probe = self.next_probe.min(now + self.period);
        self.next_round = self.next_round.min(now + self.timer);
        self.next_news = self.next_news.min(now + self.timing.update_gap);
    }

    /// This address is no seed any more.
    pub(in crate::proto) fn dismiss(&mut self, addr: &SocketAddr) {
        self.hints.dismiss(addr);
    }
}
