//! What must hold in a simulated network: at any time, after each step of a node, and once all is calm.

use super::Network;
use crate::proto::gossip::Guid;
use crate::proto::limits::{MAX_DATAGRAM, PEERS, SESSIONS};
use crate::proto::seal::claimed_kind;
use crate::proto::wire::REGISTERED;
use std::net::SocketAddr;

/// What an address that belongs to nobody sent to nodes, and got from them, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Network {
    /// Whether all running nodes hold equal sets, with everything that was acknowledged.
    pub fn converged(&self) -> bool {
        let Some(first) = self.running().next().map(|node| self.node(node).ledger()) else { return true };
        // While keys change, nodes may seal with different ones and still claim the same under one of them.
        self.running().all(|node| self.node(node).ledger().claims().any(|claim| first.equals(claim)))
            && self.acknowledged.iter().all(|guid| first.contains(guid))
    }

    /// Panics unless [`converged`](Network::converged), and unless every disk has just what was created.
    pub fn assert_converged(&self) {
        assert!(
            self.converged(),
            "nodes hold {:?}",
            self.running().map(|node| self.node(node).ledger().state()).collect::<Vec<_>>()
        );
        self.assert_safe();
        for node in self.running() {
            let guids = self.hosts[node].disk.guids();
            assert!(guids.is_superset(&self.acknowledged), "node {node} lacks something that was acknowledged");
        }
    }

    /// Panics unless what holds at any time holds: no disk has what nobody created, and everything acknowledged is
    /// still somewhere.
    pub fn assert_safe(&self) {
        let mut lost = self.acknowledged.clone();
        for (node, host) in self.hosts.iter().enumerate() {
            let guids = host.disk.guids();
            assert!(guids.is_subset(&self.created), "node {node} has something that nobody created");
            lost.retain(|guid| !guids.contains(guid));
        }
        assert!(lost.is_empty(), "acknowledged, and on no disk: {lost:?}");
    }

    /// Promises everything that was created, on disk or not.
    #[cfg(test)]
    pub(crate) fn promise_all(&mut self) {
        self.acknowledged.extend(&self.created);
    }

    /// What was acknowledged and a running node does not hold.
    pub fn lacking(&self, node: usize) -> Vec<Guid> {
        let ledger = self.node(node).ledger();
        self.acknowledged.iter().filter(|guid| !ledger.contains(guid)).copied().collect()
    }

    /// How many records left the network by its own law.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Somebody outside made this record: nodes may hold it.
    pub fn admit(&mut self, guid: Guid) {
        self.created.insert(guid);
    }

    /// What holds after every step of a node and costs little to look at. Every so many steps it looks at everything.
    pub(super) fn inspect(&mut self, index: usize) {
        self.steps += 1;
        let Some(node) = self.hosts[index].node.as_ref().filter(|_| self.check) else { return };
        let (sessions, peers) = (node.sessions(), node.peers().live());
        assert!(sessions <= SESSIONS && peers <= PEERS, "{sessions} sessions, {peers} peers");
        if self.steps.is_multiple_of(self.thorough) {
            node.check();
        }
    }

    /// From now on it is held that no datagram is processed twice, or by two nodes.
    pub fn hold_that_nothing_comes_twice(&mut self) {
        self.processed.get_or_insert_default();
    }

    /// Handshakes may be begun again; what they lead to may not.
    pub(super) fn processed(&mut self, node: usize, bytes: &[u8], taken: bool) {
        let kind = claimed_kind(bytes).unwrap_or_default();
        if let (true, Some(processed), Some(&tag)) =
            (taken && kind > REGISTERED, &mut self.processed, bytes.last_chunk())
        {
            assert!(processed.insert(tag), "node {node} took what it, or another, had taken before; kind {kind}");
        }
    }

    /// From now on it is held that an address which nobody has gets no more than it sent.
    pub fn suspect(&mut self, stranger: SocketAddr) {
        self.strangers.entry(stranger).or_default();
    }

    pub(super) fn owe(&mut self, from: SocketAddr, bytes: usize) {
        if let Some(balance) = self.strangers.get_mut(&from) {
            balance.received += bytes as u64;
        }
    }

    /// Panics if a datagram is none that a node may send.
    pub(super) fn inspect_sent(&mut self, to: SocketAddr, bytes: usize) {
        assert!(bytes <= MAX_DATAGRAM, "a datagram of {bytes} bytes");
        if let Some(balance) = self.strangers.get_mut(&to) {
            balance.sent += bytes as u64;
            assert!(balance.sent <= balance.received, "{to} sent {} bytes and got {}", balance.received, balance.sent);
            self.seen.answered += 1;
        }
    }
}
