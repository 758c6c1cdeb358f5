//! [`Deed`]: what one host does when something happens to it. A host does it alone; what others see of it comes later, in the
//! network's order.

use super::disk::Shelf;
use super::host::{Host, Said};
use crate::proto::fact::Receipt;
use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use crate::proto::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a disk takes to read something.
const LOADING: Duration = Duration::from_micros(50);

/// What happens to a host.
pub(super) enum Happening {
    /// A datagram comes from there.
    Datagram(SocketAddr, Vec<u8>),
    /// Its timer may be due.
    Timer,
    /// Its disk may have to commit.
    Commit,
    /// Its disk has read what was missed.
    Loaded,
}

/// What became of a datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// There was none.
    None,
    /// The process stands still: it waits.
    PutOff,
    /// A NAT did not let it in.
    Filtered,
    /// It came to a host on which no node runs.
    Ignored,
    /// A node took it, or refused it.
    Taken(bool),
}

/// What a host did.
pub(super) struct Deed {
    pub(super) fate: Fate,
    /// The datagram that came, where it is not put off.
    pub(super) datagram: Vec<u8>,
    /// Records that its disk has now, and whether they were created here.
    pub(super) committed: Vec<(Guid, bool)>,
    /// What its node said, and whether it took another GUID; nothing where none ran, or it had no reason.
    pub(super) said: Option<(Said, bool)>,
    /// What is to happen to it, and when.
    pub(super) plans: Vec<(Tick, Happening)>,
}

impl Deed {
    fn new(fate: Fate) -> Deed {
        Deed { fate, datagram: Vec::new(), committed: Vec::new(), said: None, plans: Vec::new() }
    }
}

impl Host {
    /// Whether its process stands still.
    pub(super) fn sleeps(&self, now: Tick) -> bool {
        self.paused.is_some_and(|until| now < until)
    }

    /// Something happens to it.
    pub(super) fn take(&mut self, now: Tick, happening: Happening, shelf: &Shelf) -> Deed {
        if let Some(until) = self.paused.filter(|&until| now < until) {
            return self.put_off(now, until, happening);
        }
        match happening {
            Happening::Datagram(from, bytes) => {
                let mut deed = self.take_datagram(now, from, &bytes);
                deed.datagram = bytes;
                deed
            }
            Happening::Timer if self.alarm == now => {
                self.alarm = Tick::NEVER;
                if self.wake > now {
                    return Deed { plans: self.plan_timer().into_iter().collect(), ..Deed::new(Fate::None) };
                }
                self.wake = Tick::NEVER;
                self.act(now, |node| node.handle_timeout(now))
            }
            Happening::Commit if self.committing == now => {
                self.committing = Tick::NEVER;
                let mut committed = Vec::new();
                for (receipt, authored) in self.disk.commit(now, shelf) {
                    committed.extend(self.receive(now, receipt, authored));
                }
                Deed { committed, ..self.settle(now) }
            }
            Happening::Loaded => {
                self.disk.read();
                self.act(now, Node::handle_loaded)
            }
            Happening::Timer | Happening::Commit => Deed::new(Fate::None),
        }
    }

    /// Has its node do something, and then what that wants done.
    pub(super) fn act(&mut self, now: Tick, act: impl FnOnce(&mut Node)) -> Deed {
        match &mut self.node {
            Some(node) => {
                act(node);
                self.settle(now)
            }
            None => Deed::new(Fate::None),
        }
    }

    /// Does what its node wants done; nothing where none runs, or its process stands still.
    pub(super) fn settle(&mut self, now: Tick) -> Deed {
        let mut deed = Deed::new(Fate::None);
        if self.sleeps(now) {
            return deed;
        }
        let wall = self.wall(now);
        self.node.iter_mut().for_each(|node| node.handle_clock(now, wall));
        if let Some((said, wake, renamed)) = self.drain(now) {
            self.wake = if wake == Tick::NEVER { wake } else { wake.max(now + Duration::from_micros(1)) };
            deed.plans = self.plan(now);
            deed.said = Some((said, renamed));
        }
        deed
    }

    /// What is to happen to it from now on.
    pub(super) fn plan(&mut self, now: Tick) -> Vec<(Tick, Happening)> {
        let mut plans = Vec::new();
        let due = self.disk.due();
        if due != self.committing && due != Tick::NEVER {
            self.committing = due.max(now);
            plans.push((self.committing, Happening::Commit));
        }
        if self.disk.has_missed() {
            plans.push((now + LOADING, Happening::Loaded));
        }
        plans.extend(self.plan_timer());
        plans
    }

    fn plan_timer(&mut self) -> Option<(Tick, Happening)> {
        (self.wake < self.alarm).then(|| {
            self.alarm = self.wake;
            (self.alarm, Happening::Timer)
        })
    }

    /// What happens to a process that stands still waits until it goes on.
    fn put_off(&mut self, now: Tick, until: Tick, happening: Happening) -> Deed {
        let mut fate = Fate::None;
        match &happening {
            Happening::Timer if self.alarm == now => self.alarm = until,
            Happening::Commit if self.committing == now => self.committing = until,
            Happening::Timer | Happening::Commit => return Deed::new(fate),
            Happening::Datagram(..) => fate = Fate::PutOff,
            Happening::Loaded => {}
        }
        Deed { plans: vec![(until, happening)], ..Deed::new(fate) }
    }

    fn take_datagram(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) -> Deed {
        if self.holes.as_ref().is_some_and(|holes| !holes.contains(&from)) {
            return Deed::new(Fate::Filtered);
        }
        let Some(node) = &mut self.node else { return Deed::new(Fate::Ignored) };
        // A rejection is counted by the node.
        let taken = node.handle_datagram(now, from, bytes).is_ok();
        Deed { fate: Fate::Taken(taken), ..self.settle(now) }
    }

    /// A receipt came from its disk; the record that it holds since then, and whether it was created here.
    fn receive(&mut self, now: Tick, receipt: Receipt, authored: bool) -> Option<(Guid, bool)> {
        let node = self.node.as_mut()?;
        match receipt {
            Receipt::Held(line) if authored => {
                let gossip = self.disk.gossip(line.key.guid).expect("it was just committed");
                node.learn(now, &gossip);
                Some((line.key.guid, true))
            }
            receipt => {
                node.handle_receipt(now, receipt);
                let Receipt::Held(line) = receipt else { return None };
                Some((line.key.guid, false))
            }
        }
    }
}
