//! [`Step`]: what one host does when something happens to it. A host does it alone; what others see of it comes later, in the
//! network's order.

use super::host::{Host, Said};
use super::shelf::Shelf;
use crate::proto::fact::Receipt;
use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use crate::proto::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a disk takes to read something.
const LOADING: Duration = Duration::from_micros(50);

/// What happens to a host.
pub(super) enum Input {
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
pub(super) struct Step {
    pub(super) fate: Fate,
    /// The datagram that came, where it is not put off.
    pub(super) datagram: Vec<u8>,
    /// Records that its disk has now, and whether they were created here.
    pub(super) committed: Vec<(Guid, bool)>,
    /// What its node said, and whether it took another GUID; nothing where none ran, or it had no reason.
    pub(super) said: Option<(Said, bool)>,
    /// What is to happen to it, and when.
    pub(super) plans: Vec<(Tick, Input)>,
}

impl Step {
    fn new(fate: Fate) -> Step {
        Step { fate, datagram: Vec::new(), committed: Vec::new(), said: None, plans: Vec::new() }
    }
}

impl Host {
    /// Whether its process stands still.
    pub(super) fn sleeps(&self, now: Tick) -> bool {
        self.paused.is_some_and(|until| now < until)
    }

    /// Something happens to it.
    pub(super) fn take(&mut self, now: Tick, input: Input, shelf: &Shelf) -> Step {
        if let Some(until) = self.paused.filter(|&until| now < until) {
            return self.put_off(now, until, input);
        }
        match input {
            Input::Datagram(from, bytes) => {
                let mut step = self.take_datagram(now, from, &bytes);
                step.datagram = bytes;
                step
            }
            Input::Timer if self.alarm == now => {
                self.alarm = Tick::NEVER;
                if self.wake > now {
                    return Step { plans: self.plan_timer().into_iter().collect(), ..Step::new(Fate::None) };
                }
                self.wake = Tick::NEVER;
                self.act(now, |node| node.handle_timeout(now))
            }
            Input::Commit if self.committing == now => {
                self.committing = Tick::NEVER;
                let mut committed = Vec::new();
                for (receipt, authored) in self.disk.commit(now, shelf) {
                    committed.extend(self.receive(now, receipt, authored));
                }
                Step { committed, ..self.settle(now) }
            }
            Input::Loaded => {
                self.disk.read();
                self.act(now, Node::handle_loaded)
            }
            Input::Timer | Input::Commit => Step::new(Fate::None),
        }
    }

    /// Has its node do something, and then what that wants done.
    pub(super) fn act(&mut self, now: Tick, act: impl FnOnce(&mut Node)) -> Step {
        match &mut self.node {
            Some(node) => {
                act(node);
                self.settle(now)
            }
            None => Step::new(Fate::None),
        }
    }

    /// Does what its node wants done; nothing where none runs, or its process stands still.
    pub(super) fn settle(&mut self, now: Tick) -> Step {
        let mut step = Step::new(Fate::None);
        if self.sleeps(now) {
            return step;
        }
        let wall = self.wall(now);
        self.node.iter_mut().for_each(|node| node.handle_clock(now, wall));
        if let Some((said, wake, renamed)) = self.drain(now) {
            self.wake = if wake == Tick::NEVER { wake } else { wake.max(now + Duration::from_micros(1)) };
            step.plans = self.plan(now);
            step.said = Some((said, renamed));
        }
        step
    }

    /// What is to happen to it from now on.
    pub(super) fn plan(&mut self, now: Tick) -> Vec<(Tick, Input)> {
        let mut plans = Vec::new();
        let due = self.disk.due();
        if due != self.committing && due != Tick::NEVER {
            self.committing = due.max(now);
            plans.push((self.committing, Input::Commit));
        }
        if self.disk.has_missed() {
            plans.push((now + LOADING, Input::Loaded));
        }
        plans.extend(self.plan_timer());
        plans
    }

    fn plan_timer(&mut self) -> Option<(Tick, Input)> {
        (self.wake < self.alarm).then(|| {
            self.alarm = self.wake;
            (self.alarm, Input::Timer)
        })
    }

    /// What happens to a process that stands still waits until it goes on.
    fn put_off(&mut self, now: Tick, until: Tick, input: Input) -> Step {
        let mut fate = Fate::None;
        match &input {
            Input::Timer if self.alarm == now => self.alarm = until,
            Input::Commit if self.committing == now => self.committing = until,
            Input::Timer | Input::Commit => return Step::new(fate),
            Input::Datagram(..) => fate = Fate::PutOff,
            Input::Loaded => {}
        }
        Step { plans: vec![(until, input)], ..Step::new(fate) }
    }

    fn take_datagram(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) -> Step {
        if self.holes.as_ref().is_some_and(|holes| !holes.contains(&from)) {
            return Step::new(Fate::Filtered);
        }
        let Some(node) = &mut self.node else { return Step::new(Fate::Ignored) };
        // A rejection is counted by the node.
        let taken = node.handle_datagram(now, from, bytes).is_ok();
        Step { fate: Fate::Taken(taken), ..self.settle(now) }
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
