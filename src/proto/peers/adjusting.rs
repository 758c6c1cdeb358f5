//! What may be told to [`Peers`] while they are watched: another pace, and that an address is no seed any more.

use super::Peers;
use crate::proto::settings::Settings;
use crate::proto::time::Tick;
use std::net::SocketAddr;

impl Peers {
    /// From now on it goes at the pace of these settings. What waits longer than it would at that pace is due sooner.
    pub(in crate::proto) fn adjust(&mut self, now: Tick, settings: &Settings) {
        self.timer = settings.gossip_timer;
        self.period = settings.gossip_timer.min(settings.timing.probe_period);
        self.timing = settings.timing;
        self.most = settings.gossip_max_peer_count.max(1);
        self.select = settings.peer_select;
        self.next_probe = self.next_probe.min(now + self.period);
        self.next_round = self.next_round.min(now + self.timer);
        self.next_news = self.next_news.min(now + self.timing.update_gap);
    }

    /// This address is no seed any more.
    pub(in crate::proto) fn dismiss(&mut self, addr: &SocketAddr) {
        self.hints.dismiss(addr);
    }
}
