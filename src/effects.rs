//! [`settle`]: the only drain loop, shared by daemon and simulator, and the one place where order matters: facts, then
//! datagrams, then the wake-up. [`Memory`] is the simplest disk, for who drives a node by hand.

use crate::proto::fact::{Bodies, Body, Fact, Receipt, Record, piece_of};
use crate::proto::gossip::{Gossip, Key};
use crate::proto::node::{Node, Transmit, Wake};
use crate::proto::time::Tick;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// What a node's surroundings do for it.
pub trait Effects {
    /// The disk as it can be read now.
    type Bodies: Bodies;

    /// Keeps a fact; a receipt follows when it is on disk.
    fn keep(&mut self, fact: Fact);
    /// What can be read now.
    fn bodies(&self) -> &Self::Bodies;
    /// Sends a datagram, best effort. False: no more for now, settle again later.
    fn transmit(&mut self, transmit: &Transmit) -> bool;
}

/// Does all that the node wants done. Returns when to call [`Node::handle_timeout`], which is `now` where the
/// surroundings wanted no more datagrams.
pub fn settle(node: &mut Node, now: Tick, effects: &mut impl Effects) -> Wake {
    let mut transmit = Transmit::default();
    loop {
        while let Some(fact) = node.poll_fact(now) {
            effects.keep(fact);
        }
        if !node.poll_transmit(now, effects.bodies(), &mut transmit) {
            return node.poll_timeout(now);
        }
        if !effects.transmit(&transmit) {
            return Wake { at: now, why: "datagrams left" };
        }
    }
}

/// A disk that is memory: what is kept is held at once. Of a MSG of more than 64 KiB that comes from others, piece by piece,
/// it keeps nothing.
#[derive(Debug, Default)]
pub struct Memory {
    records: BTreeMap<Key, Gossip>,
    receipts: Vec<Receipt>,
}

impl Memory {
    /// All records, by date.
    pub fn records(&self) -> impl Iterator<Item = &Gossip> {
        self.records.values()
    }

    /// Keeps a record that was authored here: then [`Node::learn`] it.
    pub fn insert(&mut self, gossip: &Gossip) {
        self.records.insert(gossip.key(), gossip.clone());
    }

    /// Does all that the node wants done: what it keeps is kept here, and what it sends is given to `send`. Returns when to
    /// call [`Node::handle_timeout`], as [`settle`] does.
    pub fn settle(&mut self, node: &mut Node, now: Tick, mut send: impl FnMut(&Transmit)) -> Wake {
        loop {
            let wake = settle(node, now, &mut Around { memory: self, send: &mut send });
            if self.receipts.is_empty() {
                return wake;
            }
            self.receipts.drain(..).for_each(|receipt| node.handle_receipt(now, receipt));
        }
    }

    fn keep(&mut self, fact: Fact) {
        match fact {
            Fact::Gossip(gossip) => {
                self.receipts.push(Receipt::Held(gossip.line()));
                self.insert(&gossip);
            }
            Fact::Left(_, _, keys) => {
                keys.iter().for_each(|key| drop(self.records.remove(key)));
                self.receipts.push(Receipt::Cleared(true));
            }
            // It went when it left; if it is here now, it came again.
            Fact::Deleted(_) => self.receipts.push(Receipt::Cleared(true)),
            // The node does not go on with it, nor begin it again.
            Fact::Partial(guid, _) => self.receipts.push(Receipt::Wrong(guid)),
            _ => {}
        }
    }
}

/// A node's surroundings that are memory, and somebody who sends.
struct Around<'a, S> {
    memory: &'a mut Memory,
    send: S,
}

impl<S: FnMut(&Transmit)> Effects for Around<'_, S> {
    type Bodies = Memory;

    fn keep(&mut self, fact: Fact) {
        self.memory.keep(fact);
    }

    fn bodies(&self) -> &Memory {
        self.memory
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        (self.send)(transmit);
        true
    }
}

impl Bodies for Memory {
    fn record(&self, key: Key) -> Body<Arc<Record>> {
        let record = |gossip: &Gossip| Record::new(gossip.head(), gossip.msg());
        self.records.get(&key).map_or(Body::Gone, |gossip| Body::Here(Arc::new(record(gossip))))
    }

    fn piece(&self, key: Key, index: u16) -> Body<Bytes> {
        self.records.get(&key).map_or(Body::Gone, |gossip| piece_of(gossip.msg(), index))
    }

    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>> {
        Body::Here(self.records.range((Excluded(after), Unbounded)).take(limit).map(|(&key, _)| key).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::{Draft, Guid};
    use crate::proto::limits::PIECE;
    use crate::proto::seal::{NetworkKey, Secret};
    use crate::proto::settings::Settings;
    use crate::proto::time::Timestamp;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn addr(host: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1 + host as u8], 9))
    }

    fn host(number: u8) -> (Node, Memory) {
        let key = NetworkKey::new(&Secret::derive("memory", b"correct horse battery staple"));
        let settings = Settings::new(Guid([number; 16]), "somebody", key);
        (Node::new(settings, [number; 32], Tick(0)), Memory::default())
    }

    #[test]
    fn a_msg_that_fits_no_datagram_goes_from_memory_to_memory() {
        let mut hosts = [host(1), host(2)];
        let (node, memory) = &mut hosts[0];
        let mut say = |msg: String| {
            let gossip = node.author(Timestamp(1), Draft { who_name: "somebody".to_owned(), msg: msg.into() }).unwrap();
            memory.insert(&gossip);
            node.learn(Tick(0), &gossip);
            gossip
        };
        // What the other one cannot keep is in nobody's way.
        say("y".repeat(8 << 20));
        let gossip = say("x".repeat(PIECE));
        hosts[1].0.register(Tick(0), addr(0), false);
        let came = (0..10_000).map(|ms| Tick(0) + Duration::from_millis(ms)).any(|now| {
            for from in 0..hosts.len() {
                let (node, memory) = &mut hosts[from];
                if node.poll_timeout(now).at <= now {
                    node.handle_timeout(now);
                }
                let mut sent = Vec::new();
                memory.settle(node, now, |transmit| sent.push(transmit.bytes.to_vec()));
                let (other, _) = &mut hosts[1 - from];
                for bytes in sent {
                    let _ = other.handle_datagram(now, addr(from), &bytes);
                }
            }
            hosts[1].1.records().eq([&gossip])
        });
        assert!(came);
    }
}
