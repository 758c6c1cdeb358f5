//! Goodbye, and what a node that said it does no more: it shakes no hands, or others would have it back at once.

use super::Node;
use crate::proto::gossip::Guid;
use crate::proto::limits::GOODBYES;
use crate::proto::time::Tick;
use crate::proto::wire::{Leave, Message};

impl Node {
    /// Says goodbye to those who listen; they tell the others. Returns to whom. From now on it shakes no hands.
    pub fn leave(&mut self, now: Tick, restarting: bool) -> Vec<Guid> {
        self.leaving = true;
        self.peers.keep_all(now, self.wall(now));
        self.run_errands(now);
        let listening = self.peers.listening(GOODBYES);
        for &guid in &listening {
            self.send(guid, Message::Leave(Leave { restarting }));
        }
        listening
    }

    /// Asks one to whom goodbye was said whether it heard: who did has no session with this node any more, and says so by a
    /// CHALLENGE that answers no REGISTER. Where `again`, goodbye is said once more before.
    pub fn ask_goodbye(&mut self, now: Tick, peer: Guid, restarting: bool, again: bool) {
        if self.sessions.contains(peer) {
            if again {
                self.send(peer, Message::Leave(Leave { restarting }));
            }
            self.ping(now, peer, Some(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::proto::peers::{Reach, Reason};
    use crate::sim::Network;
    use std::time::Duration;

    #[test]
    fn who_said_goodbye_is_not_met_again_though_it_asks_whether_it_was_heard() {
        for seed in 0..20 {
            let mut net = Network::new(seed);
            net.add_cluster(2);
            net.run(Duration::from_secs(20));
            let (now, stays) = (net.now(), net.node(0).settings().guid);
            assert_eq!(net.node_mut(1).leave(now, false), [stays]);
            for again in [false, true, true] {
                let now = net.now();
                net.node_mut(1).ask_goodbye(now, stays, false, again);
                net.run(Duration::from_millis(100));
            }
            // Nor where the other one registers.
            let (now, addr) = (net.now(), net.addr(1));
            net.node_mut(0).register(now, addr, true);
            net.run(Duration::from_secs(1));
            let peer = net.node(0).peers().iter().next().expect("it is listed").1;
            assert_eq!((peer.reach, peer.reason), (Reach::Left, Reason::Goodbye(false)), "seed {seed}");
            let opened = net.node(0).stats().sessions_opened;
            assert_eq!(opened, 1, "seed {seed}");
        }
    }
}
