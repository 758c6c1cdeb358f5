//! [`Pinging`]: who waits for a peer to answer a greeting.

use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use crate::proto::time::Tick;
use std::time::Duration;
use tokio::sync::oneshot;

/// Somebody wants to know how long a peer takes to answer.
#[derive(Debug)]
pub struct Ping {
    /// Who is greeted.
    pub guid: Guid,
    /// With a datagram of so many bytes, if that matters.
    pub size: Option<usize>,
    /// Is told.
    pub reply: oneshot::Sender<Duration>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pinging {
    waiting: Vec<(Tick, Ping)>,
}

impl Pinging {
    /// Greets.
    pub fn ask(&mut self, now: Tick, node: &mut Node, ping: Ping) {
        node.ping(now, ping.guid, ping.size);
        self.waiting.push((now, ping));
    }

    /// Tells those whose peer has answered. Where there was no session, one was opened first, which is none: that peer is
    /// greeted once more.
    pub fn look(&mut self, now: Tick, node: &mut Node) {
        for (asked, ping) in std::mem::take(&mut self.waiting) {
            if let Some(took) = node.pong(&ping.guid) {
                // Who asked may have gone.
                let _ = ping.reply.send(took);
                continue;
            }
            let met = node.peers().peer(&ping.guid).and_then(|peer| peer.met);
            match met {
                _ if ping.reply.is_closed() => {}
                Some(met) if met >= asked && now > asked => self.ask(now, node, ping),
                _ => self.waiting.push((asked, ping)),
            }
        }
    }
}
