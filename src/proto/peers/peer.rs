//! [`Peer`]: one node as others may look at it: how it is reached, and why we think so.

use super::quality::Quality;
use crate::proto::rtt::Rtt;
use crate::proto::seal::KeyId;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::Claim;
use std::fmt;
use std::net::SocketAddr;

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answers, or is named by others and was not probed yet.
    Reachable,
    /// It missed a probe and may still object.
    Suspect,
    /// It does not answer.
    Unreachable,
    /// It said goodbye.
    Left,
}

/// Why it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Known from before the last start, not met since.
    Remembered,
    /// An authentic datagram came from it.
    Heard,
    /// Others name it; it was not met yet.
    Named,
    /// It answered others on our behalf, not us.
    Through,
    /// It did not answer us, nor the rest of so many nodes.
    Silent(u8),
    /// Others say that it does not answer.
    Accused,
    /// It said goodbye; true: it will be back at once.
    Goodbye(bool),
    /// Another node answers at its address.
    Displaced,
}

impl Reason {
    /// Whether it is not there by its own will, or since somebody else is.
    pub(super) fn is_farewell(self) -> bool {
        matches!(self, Reason::Goodbye(false) | Reason::Displaced)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Remembered => f.write_str("known from before, not heard since this node started"),
            Reason::Heard => f.write_str("it answers"),
            Reason::Named => f.write_str("other peers name it, not met yet"),
            Reason::Through => f.write_str("it answers other peers, not this node"),
            Reason::Silent(0 | 1) => f.write_str("it did not answer the last probe, directly or through others"),
            Reason::Silent(nodes) => write!(f, "it answered none of {nodes} nodes that probed it"),
            Reason::Accused => f.write_str("other peers get no answer from it"),
            Reason::Goodbye(false) => f.write_str("it said goodbye"),
            Reason::Displaced => f.write_str("another node answers at its address"),
            Reason::Goodbye(true) => f.write_str("it said that it is restarting"),
        }
    }
}

/// Why a peer is in its state, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How it is reached.
    pub reach: Reach,
    /// Since when, if that was after this node's start.
    pub since: Option<Tick>,
    /// Why.
    pub reason: Reason,
    /// What is known, the latest first: when, and what.
    pub evidence: Vec<(Tick, String)>,
    /// What happens next if nothing is heard: when, and what.
    pub next: Option<(Tick, String)>,
}

/// One node that we know.
#[derive(Clone, Debug)]
pub struct Peer<'a> {
    /// Its name; empty where nobody told it yet.
    pub name: &'a str,
    /// Where its datagrams come from.
    pub addr: SocketAddr,
    /// The incarnation in which it was last known.
    pub incarnation: u32,
    /// How it is reached.
    pub reach: Reach,
    /// Why we think so.
    pub reason: Reason,
    /// Since when it is so, if that was after this node's start.
    pub since: Option<Tick>,
    /// When it last registered with us, or we with it.
    pub met: Option<Tick>,
    /// When it was last heard.
    pub heard: Option<Tick>,
    /// When it was last heard before this start.
    pub remembered: Timestamp,
    /// Round-trip times of HELLO.
    pub rtt: Rtt,
    /// Names of the other networks that it is in, as it said last.
    pub networks: &'a [Box<str>],
    /// What it held, as it said last.
    pub state: Option<Claim>,
    /// What it counted as too old, as it said last.
    pub horizon: Timestamp,
    /// By how many milliseconds its clock is ahead of this node's, if it told.
    pub clock_ahead: Option<i64>,
    /// The key that it sealed with last.
    pub key: Option<KeyId>,
    /// Which share of the last 32 probes it did not answer at once; none where there were few.
    pub loss: Option<f64>,
    pub(super) quality: Quality,
}

impl Peer<'_> {
    /// Datagrams and bytes that come from it in a second, on the mean of the last 10 s.
    pub fn rate(&self, now: Tick) -> (f64, f64) {
        self.quality.rate(now)
    }

    /// When it was last heard, since this node's start or before; `wall` dates a tick.
    pub fn last_heard(&self, wall: impl FnOnce(Tick) -> Timestamp) -> Option<Timestamp> {
        self.heard.map(wall).or(Some(self.remembered).filter(|&at| at != Timestamp(0)))
    }
}

impl Reach {
    /// Whether it can be talked to.
    pub fn answers(self) -> bool {
        matches!(self, Reach::Reachable | Reach::Suspect)
    }
}
