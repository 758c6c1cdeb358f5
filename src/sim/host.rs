//! [`Host`]: one simulated host: a node that runs or does not, its disk, its clock and its place in the network.

use super::BEGINNING;
use super::disk::Disk;
use crate::effects::{Effects, settle};
use crate::proto::fact::{Fact, ReachFact};
use crate::proto::gossip::{Guid, Kind};
use crate::proto::node::{Node, Transmit};
use crate::proto::settings::Settings;
use crate::proto::time::{Tick, Timestamp};
use std::collections::BTreeSet;
use std::net::SocketAddr;

pub(super) struct Host {
    pub(super) addr: SocketAddr,
    pub(super) settings: Settings,
    pub(super) node: Option<Node>,
    pub(super) disk: Disk,
    /// By how many microseconds its wall clock is wrong.
    pub(super) clock: i64,
    /// And by how many more each second.
    pub(super) drift: i64,
    /// Until when its process stands still.
    pub(super) paused: Option<Tick>,
    /// Behind a NAT: whom it sent something to, and hears.
    pub(super) holes: Option<BTreeSet<SocketAddr>>,
    /// Where its last datagram went, and when that arrives.
    pub(super) last: Option<(SocketAddr, Tick)>,
    /// Whom it registers with whenever it starts, as a configuration file would have it.
    pub(super) seeds: Vec<usize>,
    /// When its node wants to be woken.
    pub(super) wake: Tick,
    /// When its timer and its next commit are scheduled; an event for another time is out of date. The timer may come
    /// before the node wants it, which is cheaper than to schedule another whenever the node's wish moves.
    pub(super) alarm: Tick,
    pub(super) committing: Tick,
    /// When it started last.
    pub(super) since: Tick,
    /// On which side of a partition it is.
    pub(super) side: u32,
}

/// What a node said while it was settled.
#[derive(Default)]
pub(super) struct Said {
    pub(super) datagrams: Vec<(SocketAddr, Vec<u8>)>,
    /// Records that came.
    pub(super) records: Vec<Guid>,
    pub(super) reach: Vec<ReachFact>,
    /// Decrees that came, or that it made.
    pub(super) decrees: Vec<Guid>,
    /// Records that left.
    pub(super) left: Vec<Guid>,
}

struct Surroundings<'a> {
    now: Tick,
    disk: &'a mut Disk,
    said: &'a mut Said,
    identity: Option<Guid>,
}

impl Effects for Surroundings<'_> {
    type Bodies = Disk;

    fn keep(&mut self, fact: Fact) {
        match fact {
            Fact::Identity(guid) => self.identity = Some(guid),
            Fact::Reach(fact) => self.said.reach.push(fact),
            fact => {
                match &fact {
                    Fact::Gossip(gossip) if gossip.head().kind() != Kind::Message => {
                        self.said.decrees.push(gossip.guid());
                    }
                    Fact::Gossip(gossip) => self.said.records.push(gossip.guid()),
                    Fact::Left(_, _, keys) => self.said.left.extend(keys.iter().map(|key| key.guid)),
                    _ => {}
                }
                self.disk.keep(self.now, fact, false);
            }
        }
    }

    fn bodies(&self) -> &Disk {
        self.disk
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        self.said.datagrams.push((transmit.to, transmit.bytes.to_vec()));
        true
    }
}

impl Host {
    /// What its wall clock shows.
    pub(super) fn wall(&self, now: Tick) -> Timestamp {
        let drifted = i64::try_from(now.0 / 1_000_000).unwrap_or(i64::MAX).saturating_mul(self.drift);
        Timestamp((BEGINNING.0 + now.0).saturating_add_signed(self.clock.saturating_add(drifted)))
    }

    /// A fresh node from what the disk has.
    pub(super) fn boot(&mut self, now: Tick, seed: [u8; 32]) {
        let mut settings = self.settings.clone();
        settings.epoch = self.disk.next_epoch(self.wall(now));
        settings.started = self.wall(Tick(0));
        let mut node = Node::new(settings, seed, now);
        node.handle_clock(now, self.wall(now));
        self.disk.restore().into_iter().for_each(|restored| node.restore(now, restored));
        node.restore_authored(self.disk.last_authored());
        (self.node, self.since) = (Some(node), now);
    }

    /// Does what the node wants done: what it said, when it wants to be woken, and whether it took another GUID; nothing
    /// where none runs.
    pub(super) fn drain(&mut self, now: Tick) -> Option<(Said, Tick, bool)> {
        let (node, mut said) = (self.node.as_mut()?, Said::default());
        let mut surroundings = Surroundings { now, disk: &mut self.disk, said: &mut said, identity: None };
        let wake = settle(node, now, &mut surroundings).at;
        let identity = surroundings.identity;
        if let Some(guid) = identity {
            self.settings.guid = guid;
        }
        self.holes.iter_mut().for_each(|holes| holes.extend(said.datagrams.iter().map(|(to, _)| *to)));
        Some((said, wake, identity.is_some()))
    }
}
