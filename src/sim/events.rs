//! How virtual time works: what is scheduled happens in order, and whatever a host does then is scheduled in turn.

use super::host::{Host, Settled};
use super::{BEGINNING, Disk, Network};
use crate::proto::fact::{PeerFact, ReachFact, Receipt};
use crate::proto::limits::TAG;
use crate::proto::node::Node;
use crate::proto::ring::place;
use crate::proto::settings::Settings;
use crate::proto::time::Tick;
use rand::{Rng, RngExt};
use sha2::Digest;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a disk takes to read something.
const LOADING: Duration = Duration::from_micros(50);
/// Sessions that each node opens where a network is up for long.
const SESSIONS: usize = 100;
/// News of a host's last life may be about for so long after it started.
const RUMOURED: Duration = Duration::from_secs(30);

pub(super) enum Event {
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Timer(usize),
    Commit(usize),
    Loaded(usize),
}

impl Network {
    /// A running node, to be changed as no node changes by itself.
    #[cfg(test)]
    pub(crate) fn node_mut(&mut self, node: usize) -> &mut crate::proto::node::Node {
        self.hosts[node].node.as_mut().expect("the story looks at running nodes")
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// Has a node do something, and then what it wants done.
    pub(super) fn touch(&mut self, node: usize, act: impl FnOnce(&mut Node, Tick)) {
        let now = self.now;
        if let Some(running) = &mut self.hosts[node].node {
            act(running, now);
            self.settle(node);
        }
    }

    pub(super) fn step(&mut self, event: Event) {
        let now = self.now;
        let Some(event) = self.put_off(event) else { return };
        match event {
            Event::Datagram { from, to, bytes } => self.deliver(from, to, &bytes),
            Event::Timer(node) if self.hosts[node].alarm == now => {
                let host = &mut self.hosts[node];
                host.alarm = Tick::NEVER;
                if host.wake <= now {
                    host.wake = Tick::NEVER;
                    self.touch(node, |node, now| node.handle_timeout(now));
                } else {
                    self.set_alarm(node);
                }
            }
            Event::Commit(node) if self.hosts[node].committing == now => {
                self.hosts[node].committing = Tick::NEVER;
                for (receipt, authored) in self.hosts[node].disk.commit(now, &mut self.shelf) {
                    self.receive(node, receipt, authored);
                }
                self.settle(node);
            }
            Event::Loaded(node) => {
                self.hosts[node].disk.read();
                self.touch(node, |node, _| node.handle_loaded());
            }
            Event::Timer(_) | Event::Commit(_) => {}
        }
    }

    /// What happens to a process that stands still waits until it goes on.
    fn put_off(&mut self, event: Event) -> Option<Event> {
        let node = match &event {
            Event::Datagram { to, .. } => self.places.get(to).copied(),
            Event::Timer(node) | Event::Commit(node) | Event::Loaded(node) => Some(*node),
        };
        let Some(node) = node.filter(|&node| self.sleeps(node)) else { return Some(event) };
        let (now, host) = (self.now, &mut self.hosts[node]);
        let until = host.paused?;
        match &event {
            Event::Timer(_) if host.alarm == now => host.alarm = until,
            Event::Commit(_) if host.committing == now => host.committing = until,
            Event::Timer(_) | Event::Commit(_) => return None,
            Event::Datagram { .. } => self.seen.put_off += 1,
            Event::Loaded(_) => {}
        }
        self.agenda.schedule(until, event);
        None
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some(&node) = self.places.get(&to) else {
            self.seen.cut += 1;
            return;
        };
        if self.hosts[node].holes.as_ref().is_some_and(|holes| !holes.contains(&from)) {
            self.seen.filtered += 1;
            return;
        }
        // A datagram's tag stands for all of it.
        self.trace.update(now.0.to_le_bytes());
        self.trace.update(bytes.last_chunk::<TAG>().map_or(bytes, |tag| tag));
        self.seen.delivered += 1;
        let host = &mut self.hosts[node];
        if let Some(running) = &mut host.node {
            self.meter.delivered(node, &host.settings.keys, bytes);
            // A rejection is counted by the node.
            let taken = running.handle_datagram(now, from, bytes).is_ok();
            self.processed(node, bytes, taken);
            self.settle_with(node, bytes);
        }
    }

    fn receive(&mut self, node: usize, receipt: Receipt, authored: bool) {
        let (now, host) = (self.now, &mut self.hosts[node]);
        let Some(running) = &mut host.node else { return };
        match receipt {
            Receipt::Held(line) if authored => {
                let guid = line.key.guid;
                let gossip = host.disk.gossip(guid).expect("it was just committed");
                self.meter.born(now, node, guid);
                running.learn(now, &gossip);
                if !self.left.contains(&guid) {
                    self.acknowledged.insert(guid);
                }
            }
            receipt => {
                running.handle_receipt(now, receipt);
                // Short records were noted as they came; of a long one this is the end.
                if let Receipt::Held(line) = receipt {
                    self.meter.arrived(now, node, line.key.guid, &host.settings.keys, &[]);
                }
            }
        }
    }

    /// Adds a host, which is not started yet.
    pub(super) fn move_in(&mut self, settings: Settings, disk: Disk, clock: i64) -> usize {
        let host = self.hosts.len();
        let addr = SocketAddr::from(([10, 0, (host >> 8) as u8, host as u8], 6884));
        let (wake, alarm, committing) = (Tick::NEVER, Tick::NEVER, Tick::NEVER);
        let (node, seeds, side, since) = Default::default();
        let (drift, paused, holes, last) = Default::default();
        self.meter.watch.number(settings.guid, host);
        let life = Host {
            addr,
            settings,
            node,
            disk,
            clock,
            drift,
            paused,
            holes,
            last,
            seeds,
            wake,
            alarm,
            committing,
            since,
            side,
        };
        self.hosts.push(life);
        self.places.insert(addr, host);
        host
    }

    /// Lets all running nodes know of each other, as those of a network do that is up for long.
    pub fn acquaint(&mut self) {
        let fact = |host: &Host| {
            let (incarnation, guid) = (host.node.as_ref()?.peers().incarnation(), host.settings.guid);
            let fact = PeerFact {
                guid,
                name: host.settings.node_name.as_str().into(),
                addr: host.addr,
                last_update: BEGINNING,
            };
            Some((place(&guid), fact, incarnation))
        };
        let mut all: Vec<(u64, PeerFact, u32)> = self.hosts.iter().filter_map(fact).collect();
        all.sort_by_key(|(place, ..)| *place);
        for index in 0..self.hosts.len() {
            let others = all.iter().map(|(_, fact, incarnation)| (fact, *incarnation));
            let own = self.hosts[index].addr;
            self.touch(index, |node, now| node.acquaint(now, own, others));
        }
        // Each opens sessions with so many, and so many others with it: in a small network all with all.
        for index in 0..all.len() {
            let (own, met) = (all[index].1.guid, (all.len() / 2).min(SESSIONS));
            let others: Vec<SocketAddr> = (1..=met)
                .map(|step| all[(index + step * (all.len() / 2 / met.max(1)).max(1)) % all.len()].1.addr)
                .collect();
            if let Some(host) = self.meter.watch.host(&own) {
                others.into_iter().for_each(|addr| self.touch(host, |node, now| node.register(now, addr, false)));
            }
        }
    }

    pub(super) fn settle(&mut self, index: usize) {
        self.settle_with(index, &[]);
    }

    /// Does what a node wants done after it took `datagram`.
    fn settle_with(&mut self, index: usize, datagram: &[u8]) {
        let now = self.now;
        if self.sleeps(index) {
            return;
        }
        let mut said = std::mem::take(&mut self.said);
        let host = &mut self.hosts[index];
        let wall = host.wall(BEGINNING, now);
        host.node.iter_mut().for_each(|node| node.handle_clock(now, wall));
        if let Some(Settled { wake, renamed }) = host.settle(now, &mut said) {
            self.seen.renamed += u64::from(renamed);
            host.wake = if wake.at == Tick::NEVER { wake.at } else { wake.at.max(now + Duration::from_micros(1)) };
            for guid in said.records.drain(..) {
                self.meter.arrived(now, index, guid, &host.settings.keys, datagram);
            }
            self.schedule_disk(index);
            self.set_alarm(index);
            self.created.extend(said.decrees.drain(..));
            for guid in said.left.drain(..) {
                self.acknowledged.remove(&guid);
                self.left.insert(guid);
            }
            for fact in said.reach.drain(..) {
                self.witness(index, &fact);
                self.reaches.iter_mut().for_each(|reaches| reaches.push((now, index, fact.clone())));
            }
            said.datagrams.drain(..).for_each(|(to, bytes)| self.send(index, to, bytes));
        }
        self.said = said;
        self.inspect(index);
    }

    pub(super) fn set_alarm(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if host.wake < host.alarm {
            host.alarm = host.wake;
            self.agenda.schedule(host.alarm, Event::Timer(index));
        }
    }

    pub(super) fn schedule_disk(&mut self, index: usize) {
        let (now, host) = (self.now, &mut self.hosts[index]);
        let due = host.disk.due();
        if due != host.committing && due != Tick::NEVER {
            host.committing = due.max(now);
            self.agenda.schedule(host.committing, Event::Commit(index));
        }
        if host.disk.has_missed() {
            self.agenda.schedule(now + LOADING, Event::Loaded(index));
        }
    }

    /// Notes that hosts fell, and who is to notice.
    pub(super) fn mourn(&mut self, fallen: &[usize]) {
        for &host in fallen.iter().filter(|_| self.meter.on) {
            let (guid, side) = (self.hosts[host].settings.guid, self.hosts[host].side);
            let believes = |other: &Host| {
                let node = other.node.as_ref().filter(|_| other.side == side);
                node.and_then(|node| node.peers().peer(&guid)).is_some_and(|peer| peer.reach.answers())
            };
            let unaware = (0..self.hosts.len()).filter(|&other| believes(&self.hosts[other])).collect();
            self.meter.watch.fell(self.now, host, unaware);
        }
    }

    fn witness(&mut self, witness: usize, fact: &ReachFact) {
        let Some(subject) = self.meter.watch.host(&fact.guid) else { return };
        let (host, side) = (&self.hosts[subject], self.hosts[witness].side);
        let up = host.node.is_some() && host.side == side && self.now.since(host.since) >= RUMOURED;
        self.meter.watch.note(self.now, witness, subject, fact.reach, up);
    }

    pub(super) fn send(&mut self, index: usize, to: SocketAddr, mut bytes: Vec<u8>) {
        let (from, side) = (self.hosts[index].addr, self.hosts[index].side);
        self.seen.sent += 1;
        self.meter.sent(&self.hosts[index].settings.keys, &bytes);
        self.inspect_sent(to, bytes.len());
        self.hosts[index].holes.iter_mut().for_each(|holes| holes.extend([to]));
        if self.capture {
            self.captured.push((from, to, bytes.clone()));
        }
        let Some(&target) = self.places.get(&to).filter(|&&target| self.hosts[target].side == side) else {
            self.seen.cut += 1;
            return;
        };
        if self.cuts.contains(&(index, target)) {
            self.seen.cut_one_way += 1;
            return;
        }
        if self.rng.random_bool(self.link.loss) {
            self.seen.lost += 1;
            return;
        }
        if self.rng.random_bool(self.link.duplicate) {
            self.seen.duplicated += 1;
            let at = self.now + self.link.draw_delay(&mut self.rng);
            self.agenda.schedule(at, Event::Datagram { from, to, bytes: bytes.clone() });
        }
        if self.rng.random_bool(self.link.flip) {
            self.seen.flipped += 1;
            let bit = self.rng.random_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        if self.link.truncate > 0.0 && self.rng.random_bool(self.link.truncate) {
            self.seen.truncated += 1;
            bytes.truncate(self.rng.random_range(0..bytes.len()));
        }
        let at = self.arrival(index, target, to);
        self.agenda.schedule(at, Event::Datagram { from, to, bytes });
    }

    /// When what a host sends now arrives.
    fn arrival(&mut self, index: usize, target: usize, to: SocketAddr) -> Tick {
        let mut at = self.now + self.link.draw_delay(&mut self.rng);
        if let Some(&until) = self.clogs.get(&(index, target)).filter(|&&until| until > self.now) {
            self.seen.clogged += 1;
            at = at.max(until);
        }
        let last = self.hosts[index].last.replace((to, at));
        self.seen.reordered += u64::from(last.is_some_and(|(other, before)| other == to && at < before));
        at
    }
}
