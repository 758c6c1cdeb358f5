//! [`Peer`]: one node that we know, how it is reached, and why we think so.

use crate::proto::rtt::Rtt;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::LedgerState;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Silences of one probe after which a peer is unreachable.
pub const PROBES: u32 = 5;
const LEAST_PROBE: Duration = Duration::from_millis(100);
const MOST_PROBE: Duration = Duration::from_millis(300);
const FIRST_RETRY: Duration = Duration::from_millis(250);
pub(super) const MOST_RETRY: Duration = Duration::from_secs(30);

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answers.
    Reachable,
    /// It missed a probe.
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
    /// So many probes were not answered.
    Silent(u32),
    /// It said goodbye; true: it will be back at once.
    Goodbye(bool),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Remembered => f.write_str("known from before, not heard since this node started"),
            Reason::Heard => f.write_str("it answers"),
            Reason::Silent(1) => f.write_str("it did not answer the last probe"),
            Reason::Silent(probes) => write!(f, "it did not answer {probes} probes in a row"),
            Reason::Goodbye(false) => f.write_str("it said goodbye"),
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
pub struct Peer {
    /// Its name.
    pub name: Box<str>,
    /// Where its datagrams come from.
    pub addr: SocketAddr,
    /// How it is reached.
    pub reach: Reach,
    /// Why we think so.
    pub reason: Reason,
    /// When it last registered with us, or we with it.
    pub met: Option<Tick>,
    /// When it was last heard.
    pub heard: Option<Tick>,
    /// When it was last heard before this start.
    pub remembered: Timestamp,
    /// Round-trip times of HELLO.
    pub rtt: Rtt,
    /// Names of the other networks that it is in, as it said last.
    pub networks: Vec<Box<str>>,
    /// What it held, as it said last.
    pub state: Option<LedgerState>,
    pub(super) probed: Tick,
    pub(super) probe: Option<Probe>,
    pub(super) retry: Retry,
    pub(super) second: (u64, u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) deadline: Tick,
    pub(super) silences: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Tick,
    pub(super) tries: u32,
}

impl Retry {
    pub(super) fn again(&mut self, now: Tick) {
        self.at = now + (FIRST_RETRY * (1 << self.tries.min(8))).min(MOST_RETRY);
        self.tries += 1;
    }
}

impl Peer {
    pub(super) fn new(name: Box<str>, addr: SocketAddr, now: Tick) -> Peer {
        let (met, heard, remembered, rtt, networks, state, probed, probe, second) = Default::default();
        let (reach, reason, retry) = (Reach::Reachable, Reason::Heard, Retry { at: now, tries: 0 });
        Peer { name, addr, reach, reason, met, heard, remembered, rtt, networks, state, probed, probe, retry, second }
    }

    pub(super) fn heard(&mut self, now: Tick) {
        (self.reach, self.reason, self.heard) = (Reach::Reachable, Reason::Heard, Some(now));
        self.retry = Retry { at: now, tries: 0 };
    }

    /// A probe was not answered; false if that was the last.
    pub(super) fn missed(&mut self, now: Tick) -> bool {
        let Some(probe) = &mut self.probe else { return true };
        probe.silences += 1;
        let silences = probe.silences;
        self.reason = Reason::Silent(silences);
        if silences >= PROBES {
            (self.reach, self.probe, self.retry) = (Reach::Unreachable, None, Retry { at: now, tries: 0 });
            return false;
        }
        self.reach = Reach::Suspect;
        let deadline = now + self.patience(silences);
        self.probe = Some(Probe { deadline, silences });
        true
    }

    pub(super) fn patience(&self, silences: u32) -> Duration {
        self.rtt.timeout(0).clamp(LEAST_PROBE, MOST_PROBE) * (silences + 1)
    }
}

impl Reach {
    /// Whether it can be talked to.
    pub fn answers(self) -> bool {
        matches!(self, Reach::Reachable | Reach::Suspect)
    }
}
