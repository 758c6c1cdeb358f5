//! [`Meter`]: what a run costs and how records spread, seen from outside: datagrams by kind, copies, who got what when
//! and by which way. Who holds whom for dead is for [`Watch`].

use super::host_set::HostSet;
use super::watch::Watch;
use crate::proto::gossip::Guid;
use crate::proto::keyring::Keyring;
use crate::proto::seal::claimed_kind;
use crate::proto::time::Tick;
use crate::proto::wire::{Message, RUMOR, TELL, is_repair, is_rumor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Sub;

/// The kinds by name, each at its number; before them what is none.
pub const KINDS: [&str; Message::NAMES.len() + 1] = {
    let mut kinds = ["other"; Message::NAMES.len() + 1];
    kinds.split_at_mut(1).1.copy_from_slice(&Message::NAMES);
    kinds
};

/// Datagrams and bytes of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Datagrams.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    fn add(self, other: Count) -> Count {
        Count { datagrams: self.datagrams + other.datagrams, bytes: self.bytes + other.bytes }
    }
}

/// What all nodes together sent, lost datagrams included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By kind, as in [`KINDS`].
    pub kinds: [Count; KINDS.len()],
    /// Whole records in RUMOR and TELL.
    pub copies: u64,
}

impl Traffic {
    /// All kinds together.
    pub fn all(&self) -> Count {
        self.kinds.iter().fold(Count::default(), |sum, &count| sum.add(count))
    }

    /// What spread or repaired records.
    pub fn of_records(&self) -> Count {
        let of_records = |kind: u8| is_rumor(kind) || is_repair(kind);
        let counts = (0..).zip(self.kinds).filter(|(kind, _)| of_records(*kind));
        counts.fold(Count::default(), |sum, (_, count)| sum.add(count))
    }
}

impl Sub for Traffic {
    type Output = Traffic;

    fn sub(mut self, earlier: Traffic) -> Traffic {
        for (count, before) in self.kinds.iter_mut().zip(earlier.kinds) {
            count.datagrams -= before.datagrams;
            count.bytes -= before.bytes;
        }
        self.copies -= earlier.copies;
        self
    }
}

/// By which way a node got a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Pushed, after so many hops.
    Rumor(u8),
    /// Told: it was announced and asked for, or a digest had shown that it was missing.
    Told,
}

/// A node got a record.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Which node.
    pub host: u32,
    /// In microseconds since the record was on its origin's disk.
    pub after: u32,
    /// How.
    pub way: Way,
}

/// One record on its way.
#[derive(Debug)]
pub struct Trail {
    /// When it was on its origin's disk.
    pub born: Tick,
    /// Where it was created.
    pub origin: usize,
    /// Who got it, in order; the origin is not among them.
    pub arrivals: Vec<Arrival>,
    here: HostSet,
    offered: HostSet,
}

impl Trail {
    /// Whether the record came to a host, or was announced to it, without any digest. A digest may have been faster: that
    /// it was is no proof that it had to be.
    pub fn needed_no_repair(&self, host: usize) -> bool {
        self.offered.contains(host)
    }

    /// Whether a host has, or had, the record.
    pub fn reached(&self, host: usize) -> bool {
        self.here.contains(host)
    }

    /// How many hosts got it, its origin included.
    pub fn reach(&self) -> usize {
        self.here.len()
    }
}

/// Counts what a network does. Off at first, but for datagrams by kind.
#[derive(Debug, Default)]
pub struct Meter {
    /// Whether records are followed, which takes the opening of each RUMOR and TELL once more.
    pub on: bool,
    /// Who holds whom for dead.
    pub watch: Watch,
    traffic: Traffic,
    trails: BTreeMap<Guid, Trail>,
    deliveries: u64,
}

impl Meter {
    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The records followed.
    pub fn trails(&self) -> impl Iterator<Item = &Trail> {
        self.trails.values()
    }

    /// How many of them there are.
    pub fn records(&self) -> usize {
        self.trails.len()
    }

    /// How often any of them came to a node that did not have it.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Forgets the records followed so far.
    pub fn forget(&mut self) {
        self.trails.clear();
        self.deliveries = 0;
    }

    pub(super) fn sent(&mut self, keys: &Keyring, datagram: &[u8]) {
        let kind = claimed_kind(datagram).filter(|&kind| usize::from(kind) < KINDS.len()).unwrap_or(0);
        let sent = &mut self.traffic.kinds[usize::from(kind)];
        *sent = sent.add(Count { datagrams: 1, bytes: datagram.len() as u64 });
        if self.on && matches!(kind, TELL | RUMOR) {
            self.traffic.copies += match open(keys, datagram) {
                Some(Message::Tell(tell)) => tell.records.len() as u64,
                Some(Message::Rumor(rumor)) => rumor.records.len() as u64,
                _ => 0,
            };
        }
    }

    pub(super) fn born(&mut self, now: Tick, origin: usize, guid: Guid) {
        if self.on {
            let (arrivals, here, offered) = (Vec::new(), [origin].into_iter().collect(), HostSet::default());
            self.trails.entry(guid).or_insert(Trail { born: now, origin, arrivals, here, offered });
        }
    }

    /// A host is about to take a datagram.
    pub(super) fn delivered(&mut self, host: usize, keys: &Keyring, datagram: &[u8]) {
        if !self.on || !claimed_kind(datagram).is_some_and(is_rumor) {
            return;
        }
        let mut offer = |guid: &Guid| {
            if let Some(trail) = self.trails.get_mut(guid) {
                trail.offered.insert(host);
            }
        };
        match open(keys, datagram) {
            Some(Message::Rumor(rumor)) => {
                rumor.records.iter().for_each(|pushed| offer(&pushed.what.guid));
                rumor.heads.iter().for_each(|pushed| offer(&pushed.what.guid));
            }
            Some(Message::Heard(heard)) => heard.holds.iter().for_each(offer),
            _ => {}
        }
    }

    /// A host has a record, complete and verified, since it took `datagram`.
    pub(super) fn arrived(&mut self, now: Tick, host: usize, guid: Guid, keys: &Keyring, datagram: &[u8]) {
        let Some(trail) = self.trails.get_mut(&guid).filter(|_| self.on) else { return };
        if !trail.here.insert(host) {
            return;
        }
        let way = match open(keys, datagram) {
            Some(Message::Rumor(rumor)) => {
                let pushed = rumor.records.iter().find(|pushed| pushed.what.guid == guid);
                pushed.map_or(Way::Told, |pushed| Way::Rumor(pushed.hops))
            }
            _ => Way::Told,
        };
        let after = u32::try_from(now.since(trail.born).as_micros()).unwrap_or(u32::MAX);
        trail.arrivals.push(Arrival { host: u32::try_from(host).unwrap_or(u32::MAX), after, way });
        self.deliveries += 1;
    }
}

fn open(keys: &Keyring, datagram: &[u8]) -> Option<Message> {
    Message::decode(&keys.open(datagram).ok()?).ok()
}
