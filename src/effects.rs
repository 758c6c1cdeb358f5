//! [`settle`]: the only drain loop, shared by daemon and simulator, and the one place where order matters: facts, then
//! datagrams, then the wake-up.

use crate::proto::fact::{Bodies, Fact};
use crate::proto::node::{Node, Transmit, Wake};
use crate::proto::time::Tick;

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
