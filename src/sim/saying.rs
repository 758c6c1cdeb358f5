//! What nodes of a simulation say, and what they are made to hold.

use super::Network;
use crate::proto::decree::Decree;
use crate::proto::fact::Fact;
use crate::proto::gossip::{Draft, Gossip, Guid};
use crate::proto::time::Tick;
use bytes::Bytes;
use std::time::Duration;

impl Network {
    /// Has `node` author a record. It is acknowledged, and spread, once its disk has it.
    pub fn create(&mut self, node: usize, msg: impl Into<Bytes>) -> Option<Guid> {
        let at = self.hosts[node].wall(self.now);
        let draft = Draft { who_name: format!("who-{node}"), msg: msg.into() };
        let host = &mut self.hosts[node];
        let gossip = host.node.as_mut()?.author(at, draft).expect("stories say valid things");
        Some(self.keep(node, gossip))
    }

    /// Has a node decree something, as if somebody told it to.
    pub fn decree(&mut self, node: usize, decree: Decree) -> Option<Guid> {
        let at = self.hosts[node].wall(self.now);
        let gossip = self.hosts[node].node.as_mut()?.decree(at, "somebody", decree).expect("stories say valid things");
        Some(self.keep(node, gossip))
    }

    fn keep(&mut self, node: usize, gossip: Gossip) -> Guid {
        let guid = gossip.guid();
        self.hosts[node].disk.keep(self.now, Fact::Gossip(gossip), true);
        self.created.insert(guid);
        self.settle(node);
        guid
    }

    /// Puts a record on a node's disk and into its ledger at once, as if it had been there for long.
    pub fn preload(&mut self, node: usize, gossip: &Gossip) {
        let host = &mut self.hosts[node];
        let at = host.disk.commit;
        host.disk.commit = Duration::ZERO;
        host.disk.keep(Tick(0), Fact::Gossip(gossip.clone()), false);
        host.disk.commit(Tick(0), &self.shelf);
        host.disk.commit = at;
        self.created.insert(gossip.guid());
        self.acknowledged.insert(gossip.guid());
        if let Some(node) = &mut host.node {
            node.learn(self.now, gossip);
        }
    }
}
