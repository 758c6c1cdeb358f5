//! How virtual time works: what is scheduled happens in order, and whatever a host does then is scheduled in turn.

use super::host::{Host, Said};
use super::step::{Fate, Input, Step};
use super::{BEGINNING, Disk, Network};
use crate::proto::fact::{PeerFact, ReachFact};
use crate::proto::gossip::Guid;
use crate::proto::limits::TAG;
use crate::proto::node::Node;
use crate::proto::ring::place;
use crate::proto::settings::Settings;
use crate::proto::time::Tick;
use rand::{Rng, RngExt};
use sha2::Digest;
use std::net::SocketAddr;
use std::time::Duration;

/// Sessions that each node opens where a network is up for long.
const SESSIONS: usize = 100;
/// News of a host's last life may be about for so long after it started.
const RUMOURED: Duration = Duration::from_secs(30);

pub(super) enum Event {
    /// A datagram arrives.
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    /// Something else happens to a host.
    Own(usize, Input),
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
        if self.is_running(node) {
            let step = self.hosts[node].act(now, |node| act(node, now));
            self.see(node, step);
        }
    }

    pub(super) fn step(&mut self, event: Event) {
        if let Some((host, input)) = self.find(event) {
            let step = self.hosts[host].take(self.now, input, &self.shelf);
            self.see(host, step);
        }
    }

    /// To which host something happens.
    pub(super) fn find(&mut self, event: Event) -> Option<(usize, Input)> {
        match event {
            Event::Own(host, input) => Some((host, input)),
            Event::Datagram { from, to, bytes } => {
                let host = self.places.get(&to).copied();
                self.seen.cut += u64::from(host.is_none());
                Some((host?, Input::Datagram(from, bytes)))
            }
        }
    }

    /// What a host did is seen by all.
    pub(super) fn see(&mut self, index: usize, step: Step) {
        let Step { fate, datagram, committed, said, plans } = step;
        let now = self.now;
        match fate {
            Fate::None => {}
            Fate::PutOff => self.seen.put_off += 1,
            Fate::Filtered => self.seen.filtered += 1,
            Fate::Ignored | Fate::Taken(_) => {
                // A datagram's tag stands for all of it.
                self.trace.update(now.0.to_le_bytes());
                self.trace.update(datagram.last_chunk::<TAG>().map_or(&*datagram, |tag| tag));
                self.seen.delivered += 1;
            }
        }
        if let Fate::Taken(taken) = fate {
            self.meter.delivered(index, &self.hosts[index].settings.keys, &datagram);
            self.processed(index, &datagram, taken);
        }
        for (guid, authored) in committed {
            self.note_committed(index, guid, authored);
        }
        self.schedule(index, plans);
        if let Some((said, renamed)) = said {
            self.seen.renamed += u64::from(renamed);
            self.hear(index, said, &datagram);
            self.inspect(index);
        }
    }

    pub(super) fn schedule(&mut self, host: usize, plans: Vec<(Tick, Input)>) {
        plans.into_iter().for_each(|(at, input)| self.agenda.schedule(at, Event::Own(host, input)));
    }

    fn note_committed(&mut self, host: usize, guid: Guid, authored: bool) {
        if !authored {
            // Short records were noted as they came; of a long one this is the end.
            self.meter.arrived(self.now, host, guid, &self.hosts[host].settings.keys, &[]);
            return;
        }
        self.meter.born(self.now, host, guid);
        if !self.left.contains(&guid) {
            self.acknowledged.insert(guid);
        }
    }

    /// What a node said after it took `datagram`.
    fn hear(&mut self, index: usize, said: Said, datagram: &[u8]) {
        let now = self.now;
        for guid in said.records {
            self.meter.arrived(now, index, guid, &self.hosts[index].settings.keys, datagram);
        }
        self.created.extend(said.decrees);
        for guid in said.left {
            self.acknowledged.remove(&guid);
            self.left.insert(guid);
        }
        for fact in said.reach {
            self.witness(index, &fact);
            self.reaches.iter_mut().for_each(|reaches| reaches.push((now, index, fact.clone())));
        }
        said.datagrams.into_iter().for_each(|(to, bytes)| self.send(index, to, bytes));
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
        let now = self.now;
        self.everywhere(|node, own| node.acquaint(now, own, all.iter().map(|(_, fact, last)| (fact, *last))));
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
        let step = self.hosts[index].settle(self.now);
        self.see(index, step);
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
