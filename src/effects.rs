//! [`settle`]: the only drain loop, shared by daemon and simulator, and the one place where order matters: facts, then
//! datagrams, then the wake-up. [`Memory`] is the simplest disk, for who drives a node by hand.

use crate::proto::fact::{Bodies, Body, Fact, Receipt, Record};
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

/// A disk that is memory: what is kept is held at once. For short records alone: of a MSG of more than 64 KiB, whose pieces
/// come one by one, it keeps nothing.
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
            Fact::Left(_, _, keys) | Fact::Deleted(keys) => {
                keys.iter().for_each(|key| drop(self.records.remove(key)));
                self.receipts.push(Receipt::Cleared(true));
            }
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
        let record = |gossip: &Gossip| Record { head: gossip.head().clone(), msg: Some(gossip.msg().clone()) };
        self.records.get(&key).map_or(Body::Gone, |gossip| Body::Here(Arc::new(record(gossip))))
    }

    fn piece(&self, _: Key, _: u16) -> Body<Bytes> {
        Body::Gone
    }

    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>> {
        Body::Here(self.records.range((Excluded(after), Unbounded)).take(limit).map(|(&key, _)| key).collect())
    }
}
