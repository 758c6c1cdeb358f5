//! What [`Peers`](crate::proto::peers::Peers) wants done, and what is asked of it that concerns the node.

use super::Node;
use crate::proto::gossip::Guid;
use crate::proto::peers::Errand;
use crate::proto::time::Tick;
use crate::proto::wire::Message;

impl Node {
    /// Does what the peers' part wants done; after everything that may have changed it.
    pub(super) fn run_errands(&mut self, now: Tick) {
        while let Some(gone) = self.peers.poll_gone() {
            self.forget_traffic(now, &gone);
            self.sessions.remove(now, gone);
        }
        while let Some(fact) = self.peers.poll_fact() {
            self.facts.push_back(fact);
        }
        while let Some(errand) = self.peers.poll_errand() {
            match errand {
                Errand::Register(addr) => self.register_with(now, addr),
                Errand::Hello(guid) => self.hello(now, guid, None),
                Errand::Ask(guid, ask) => self.hello(now, guid, Some(ask)),
                Errand::Tell(guid) if self.sessions.contains(guid) => self.tell_news(now, guid, Vec::new()),
                Errand::Tell(_) => {}
                Errand::For(guid, errand) => self.send(guid, Message::HelloFor(errand)),
            }
        }
    }

    /// Drops a peer that does not answer; false if it answers or is not known. Others may name it again.
    pub fn forget(&mut self, now: Tick, peer: &Guid) -> bool {
        let forgotten = self.peers.forget(peer);
        self.run_errands(now);
        forgotten
    }

    /// By how many milliseconds this node's clock is ahead of most clocks of those that it reaches, and how many they are:
    /// the median; of two the lesser difference, and none where one is ahead and one behind.
    pub fn clock_ahead(&self) -> Option<(i64, usize)> {
        let reached = self.peers.iter().filter(|(_, peer)| peer.reach.answers());
        let mut all: Vec<i64> = reached.filter_map(|(_, peer)| peer.clock_ahead).map(|ahead| -ahead).collect();
        all.sort_unstable();
        let median = match all[..] {
            // Of two, each may be the one that is wrong: what holds of both holds.
            [low, high] if low.signum() != high.signum() => 0,
            [low, high] => {
                if low.abs() < high.abs() {
                    low
                } else {
                    high
                }
            }
            _ => *all.get(all.len() / 2)?,
        };
        Some((median, all.len()))
    }
}
