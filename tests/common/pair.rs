//! [`Pair`]: two nodes that have met, with nothing between them and no disk: each datagram is at hand before it is taken.

#![allow(dead_code, reason = "tests and benches use their own part of it")]

use gossip_node::effects::Memory;
use gossip_node::proto::gossip::{Draft, Guid};
use gossip_node::proto::node::Node;
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::time::{Tick, Timestamp};
use std::net::SocketAddr;

/// A node and its surroundings.
pub struct Host {
    /// It.
    pub node: Node,
    memory: Memory,
    /// What it sent, in order.
    pub sent: Vec<Vec<u8>>,
    /// Where it is.
    pub addr: SocketAddr,
}

impl Host {
    fn new(number: u8, key: &NetworkKey) -> Host {
        let settings = Settings::new(Guid::random([number; 16]), &format!("node-{number}"), key.clone());
        let addr = SocketAddr::from(([10, 0, 0, number], 6884));
        Host { node: Node::new(settings, [number; 32], Tick(0)), memory: Memory::default(), sent: Vec::new(), addr }
    }

    /// Does all that it wants done.
    pub fn settle(&mut self, now: Tick) {
        let Host { node, memory, sent, .. } = self;
        memory.settle(node, now, |transmit| sent.push(transmit.bytes.to_vec()));
    }
}

/// Both.
pub struct Pair {
    /// Who writes.
    pub first: Host,
    /// Who listens.
    pub second: Host,
    /// The key of both.
    pub key: NetworkKey,
    /// What time it is.
    pub now: Tick,
    written: u64,
}

impl Pair {
    /// Two that have met.
    pub fn new() -> Pair {
        let key = NetworkKey::new(&Secret([7; 32]));
        let (first, second) = (Host::new(1, &key), Host::new(2, &key));
        let mut pair = Pair { first, second, key, now: Tick(1_000_000), written: 0 };
        pair.second.node.register(pair.now, pair.first.addr, true);
        pair.run(300);
        assert_eq!(pair.first.node.peers().iter().count(), 1, "they have met");
        pair
    }

    /// So many steps of 10 ms each.
    pub fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.now = Tick(self.now.0 + 10_000);
            for host in [&mut self.first, &mut self.second] {
                if host.node.poll_timeout(self.now).at <= self.now {
                    host.node.handle_timeout(self.now);
                }
                host.settle(self.now);
            }
            self.exchange();
        }
    }

    /// All that is on its way arrives, until nothing is.
    fn exchange(&mut self) {
        loop {
            let (there, back) = (std::mem::take(&mut self.first.sent), std::mem::take(&mut self.second.sent));
            if there.is_empty() && back.is_empty() {
                return;
            }
            for datagram in there {
                let _ = self.second.node.handle_datagram(self.now, self.first.addr, &datagram);
            }
            for datagram in back {
                let _ = self.first.node.handle_datagram(self.now, self.second.addr, &datagram);
            }
            self.first.settle(self.now);
            self.second.settle(self.now);
        }
    }

    /// The first writes so many messages; what it sends of them at once.
    pub fn write(&mut self, count: usize, size: usize) -> Vec<Vec<u8>> {
        for _ in 0..count {
            self.written += 1;
            let draft = Draft { who_name: "dove".to_owned(), msg: "x".repeat(size).into() };
            let at = Timestamp(1_700_000_000_000_000 + self.written);
            let gossip = self.first.node.author(at, draft).expect("it is a message");
            self.first.memory.insert(&gossip);
            self.first.node.learn(self.now, &gossip);
        }
        self.first.settle(self.now);
        std::mem::take(&mut self.first.sent)
    }
}
