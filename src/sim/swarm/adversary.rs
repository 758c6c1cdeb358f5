//! [`Adversary`]: one who means harm, with the key or without.

mod inside;
mod outside;

use super::Tally;
use crate::sim::Network;
use crate::sim::insider::Insider;
use rand::rngs::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What somebody does that means harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adversary {
    /// Sends again what was sent: to anyone, from anywhere.
    Replayer,
    /// Sends damaged and invented datagrams in the name of others.
    Spoofer,
    /// Knows the key, and says as much as possible: records, questions, noise.
    Flooder,
    /// Knows the key, and names peers that do not exist.
    FakePeers,
    /// Knows the key, announces long records and tells half of them, and asks for all that others have.
    Hoarder,
    /// Knows the key, and sends digests, symbols and lists that mean nothing.
    Poisoner,
    /// Knows the key, and says one thing to one node and another to the next.
    Equivocator,
}

impl Adversary {
    pub(super) const ALL: [Adversary; 7] = [
        Adversary::Replayer,
        Adversary::Spoofer,
        Adversary::Flooder,
        Adversary::FakePeers,
        Adversary::Hoarder,
        Adversary::Poisoner,
        Adversary::Equivocator,
    ];

    /// Whether it knows the key.
    pub fn is_inside(self) -> bool {
        !matches!(self, Adversary::Replayer | Adversary::Spoofer)
    }
}

/// An adversary at work.
pub(super) struct Stranger {
    what: Adversary,
    /// As whom it talks to which node.
    faces: BTreeMap<usize, Insider>,
    epoch: u64,
    /// Datagrams that it recorded.
    recorded: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Records that it made.
    records: u64,
}

/// Datagrams that it keeps.
const RECORDED: usize = 2000;
/// Addresses that nobody has and that it speaks from: `10.99.0.x`.
const STRANGERS: u8 = 4;

fn stranger(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 99, 0, number], 9999))
}

/// An address of a peer that it made up.
fn made_up(number: u32) -> SocketAddr {
    let [_, high, mid, low] = number.to_be_bytes();
    SocketAddr::from(([10, 98, mid, low], 2000 + u16::from(high)))
}

/// Whether an address is one that an adversary made up.
pub(super) fn is_made_up(addr: SocketAddr) -> bool {
    matches!(addr.ip(), IpAddr::V4(ip) if ip.octets().starts_with(&[10, 98]))
}

impl Stranger {
    pub(super) fn new(net: &mut Network, what: Adversary) -> Stranger {
        if !what.is_inside() {
            (0..STRANGERS).for_each(|number| net.suspect(stranger(number)));
        }
        Stranger { what, faces: BTreeMap::new(), epoch: 0, recorded: Vec::new(), records: 0 }
    }

    /// It does something.
    pub(super) fn act(&mut self, net: &mut Network, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        if self.what.is_inside() {
            return self.act_inside(net, rng, tally);
        }
        self.recorded.append(&mut net.captured);
        let excess = self.recorded.len().saturating_sub(RECORDED);
        self.recorded.drain(..excess);
        self.act_outside(net, rng, tally);
    }
}
