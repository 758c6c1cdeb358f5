//! [`Link`]: a node in memory, and all that a peer of it needs to send it full datagrams of what it has.

use crate::effects::Memory;
use crate::proto::gossip::{Draft, Gossip, Guid};
use crate::proto::limits::{HEADER, MIN_MAX_DATAGRAM, TAG};
use crate::proto::node::Node;
use crate::proto::seal::{Header, NetworkKey, Secret};
use crate::proto::settings::Settings;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::{List, Message, Record, Tell};
use bytes::BytesMut;
use std::net::SocketAddr;

/// Bytes of each record in a full datagram.
const SIZE: usize = 200;
/// Between two datagrams by the nodes' clock, so that none is too many.
const APART: u64 = 20;
/// Steps of 10 ms that two nodes have to meet.
const STEPS: u64 = 300;

/// A node in memory, and all that a peer of it needs to send it what it has.
pub struct Link {
    node: Node,
    peer: SocketAddr,
    key: NetworkKey,
    header: Header,
    message: Message,
    now: Tick,
}

impl Link {
    /// Has two nodes meet, and goes on for one of them where it stopped.
    pub fn new() -> Option<Link> {
        let key = NetworkKey::new(&Secret([7; 32]));
        let addr = |number: u8| SocketAddr::from(([10, 0, 0, number], 6884));
        let node = |number: u8| {
            let settings = Settings::new(Guid::random([number; 16]), &format!("node-{number}"), key.clone());
            (Node::new(settings, [number; 32], Tick(0)), Memory::default(), addr(number))
        };
        let (mut one, mut other) = (node(1), node(2));
        let (mut now, mut header) = (Tick(0), None);
        one.0.register(now, other.2, true);
        for _ in 0..STEPS {
            now = Tick(now.0 + 10_000);
            for (from, to) in [(0, 1), (1, 0)] {
                let [(node, memory, addr), (target, ..)] = match from < to {
                    true => [&mut one, &mut other],
                    false => [&mut other, &mut one],
                };
                if node.poll_timeout(now).at <= now {
                    node.handle_timeout(now);
                }
                memory.settle(node, now, |transmit| {
                    if from == 0 {
                        header = key.open(&transmit.bytes).ok().map(|verified| *verified.header()).or(header);
                    }
                    let _ = target.handle_datagram(now, *addr, &transmit.bytes);
                });
            }
        }
        let header = header.filter(|header| header.dst_session != 0)?;
        let mut records = Vec::new();
        while HEADER + TAG + (records.len() + 1) * Record::size(4, SIZE) + 8 <= MIN_MAX_DATAGRAM {
            let draft = Draft { who_name: "dove".to_owned(), msg: "x".repeat(SIZE).into() };
            let gossip: Gossip = other.0.author(Timestamp(1 + records.len() as u64), draft).ok()?;
            other.0.learn(now, &gossip);
            records.push(Record::of(gossip.guid(), gossip.head(), gossip.msg().clone()));
        }
        let message = Message::Tell(Tell { records: List::new(records), ..Tell::default() });
        Some(Link { node: other.0, peer: one.2, key, header: Header { kind: message.kind(), ..header }, message, now })
    }

    /// Makes the next datagram to the node.
    pub fn seal(&mut self, out: &mut BytesMut) {
        self.header.counter += 1;
        self.key.seal(&self.header, out, |out| self.message.encode(out));
    }

    /// So many of them.
    pub fn sealed(&mut self, count: usize) -> Vec<BytesMut> {
        let datagram = |_| {
            let mut out = BytesMut::with_capacity(MIN_MAX_DATAGRAM);
            self.seal(&mut out);
            out
        };
        (0..count).map(datagram).collect()
    }

    /// Whether the node takes a datagram.
    pub fn take(&mut self, datagram: &[u8]) -> bool {
        self.now = Tick(self.now.0 + APART);
        self.node.handle_datagram(self.now, self.peer, datagram).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_datagram_is_taken_once() {
        let mut link = Link::new().unwrap();
        let datagrams = link.sealed(3);
        assert!(datagrams.iter().all(|datagram| (900..=MIN_MAX_DATAGRAM).contains(&datagram.len())));
        assert!(datagrams.iter().all(|datagram| link.take(datagram)));
        assert!(datagrams.iter().all(|datagram| !link.take(datagram)));
        assert!(link.node.stats().records_received_duplicate >= 12);
    }
}
