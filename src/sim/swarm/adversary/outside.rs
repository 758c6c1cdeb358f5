//! What somebody can do who does not know the key.

use super::{Adversary, STRANGERS, Stranger, stranger};
use crate::proto::limits::{HEADER, MAX_DATAGRAM, MIN_CHALLENGED};
use crate::proto::seal::{Header, claimed_key_id};
use crate::proto::stats::Rejected;
use crate::proto::wire::REGISTER;
use crate::sim::Network;
use crate::sim::swarm::Tally;
use bytes::BytesMut;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use std::net::SocketAddr;

/// What can be wrong with a datagram of somebody without the key.
const UNAUTHENTIC: [Rejected; 5] =
    [Rejected::Length, Rejected::Magic, Rejected::Version, Rejected::KeyId, Rejected::Tag];

impl Stranger {
    pub(super) fn act_outside(&mut self, net: &mut Network, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        for _ in 0..rng.random_range(0..6) {
            let somebody = rng.random_range(0..net.hosts());
            let from = if rng.random_bool(0.5) {
                stranger(rng.random_range(0..STRANGERS))
            } else {
                net.addr(rng.random_range(0..net.hosts()))
            };
            match self.what {
                Adversary::Replayer => self.replay(net, rng, somebody, from, tally),
                _ => self.spoof(net, rng, somebody, from, tally),
            }
        }
    }

    /// A recording goes mostly to whom it was sent to, and often from where it came.
    fn replay(&self, net: &mut Network, rng: &mut ChaCha8Rng, other: usize, from: SocketAddr, tally: &mut Tally) {
        let Some(last) = self.recorded.len().checked_sub(1) else { return };
        let (source, to, bytes) = self.recorded[rng.random_range(0..=last)].clone();
        let same = (0..net.hosts()).find(|&host| net.addr(host) == to);
        let target = same.filter(|_| rng.random_bool(0.7)).unwrap_or(other);
        let from = if rng.random_bool(0.4) { source } else { from };
        tally.add("replayed", 1);
        if !net.is_awake(target) {
            return;
        }
        let taken = net.inject(target, from, &bytes);
        tally.add("replays_rejected", u64::from(taken == Err(Rejected::Replay)));
    }

    /// What nobody sealed changes nothing and is not answered, wherever it seems to come from.
    fn spoof(&self, net: &mut Network, rng: &mut ChaCha8Rng, node: usize, from: SocketAddr, tally: &mut Tally) {
        let recorded = (!self.recorded.is_empty()).then(|| rng.random_range(0..self.recorded.len()));
        let mut bytes = match recorded.map(|at| &self.recorded[at].2) {
            Some(bytes) if rng.random_bool(0.7) => bytes.clone(),
            _ => {
                let mut bytes = vec![0; rng.random_range(0..=MAX_DATAGRAM)];
                rng.fill_bytes(&mut bytes);
                bytes
            }
        };
        match rng.random_range(0..4) {
            0 => bytes.truncate(rng.random_range(0..=bytes.len())),
            1 => other_network(net, rng, node, &mut bytes),
            _ if bytes.is_empty() => {}
            _ => {
                let bit = rng.random_range(0..8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        // Where nothing was changed it is a recording.
        if !net.is_awake(node) || self.recorded.iter().any(|(_, _, recorded)| *recorded == bytes) {
            return;
        }
        let before = (net.node(node).ledger().state(), net.node(node).sessions(), net.node(node).peers().list());
        let (answered, taken) = (net.seen.answered, net.inject(node, from, &bytes));
        let cause = taken.expect_err("nobody sealed it");
        assert!(UNAUTHENTIC.contains(&cause), "{cause:?} is said of what nobody sealed");
        assert_eq!(net.seen.answered, answered, "what nobody sealed was answered");
        let after = (net.node(node).ledger().state(), net.node(node).sessions(), net.node(node).peers().list());
        assert_eq!(before, after, "what nobody sealed changed something");
        tally.add("spoofed", 1);
    }
}

/// A REGISTER by the rules, of a network with another password; it may pretend to be sealed with ours.
fn other_network(net: &Network, rng: &mut ChaCha8Rng, node: usize, bytes: &mut Vec<u8>) {
    let key = Network::key_of("the password of somebody else");
    let header = Header { kind: REGISTER, src_session: rng.random(), dst_session: 0, counter: 1 };
    let mut sealed = BytesMut::new();
    key.seal(&header, &mut sealed, |out| out.resize(HEADER + MIN_CHALLENGED, 0));
    *bytes = sealed.into();
    if rng.random_bool(0.5) {
        let claimed = claimed_key_id(bytes).map_or(0, |id| id.0.len());
        let ours = net.keys(node).primary().key_id();
        bytes[4..4 + claimed].copy_from_slice(&ours.0);
    }
}
