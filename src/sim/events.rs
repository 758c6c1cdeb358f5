//! How virtual time works: what is scheduled happens in order, and whatever a host does then is scheduled in turn.

use super::host::{Host, Settled};
use super::{Disk, Network};
use crate::proto::fact::Receipt;
use crate::proto::node::Node;
use crate::proto::settings::Settings;
use crate::proto::time::Tick;
use rand::{Rng, RngExt};
use sha2::Digest;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) enum Event {
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Timer(usize),
    Commit(usize),
    Loaded(usize),
}

impl Network {
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub(super) fn touch(&mut self, node: usize, act: impl FnOnce(&mut Node, Tick)) {
        let now = self.now;
        if let Some(running) = &mut self.hosts[node].node {
            act(running, now);
            self.settle(node);
        }
    }

    pub(super) fn schedule(&mut self, at: Tick, event: Event) {
        self.last_event += 1;
        self.events.insert((at, self.last_event), event);
    }

    pub(super) fn step(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Datagram { from, to, bytes } => {
                let Some(&node) = self.places.get(&to) else {
                    self.seen.cut += 1;
                    return;
                };
                self.trace.update(now.0.to_le_bytes());
                self.trace.update(&bytes);
                self.seen.delivered += 1;
                self.touch(node, |node, now| {
                    // A rejection is counted by the node.
                    let _ = node.handle_datagram(now, from, &bytes);
                });
            }
            Event::Timer(node) if self.hosts[node].wake == now => {
                self.hosts[node].wake = Tick::NEVER;
                self.touch(node, |node, now| node.handle_timeout(now));
            }
            Event::Commit(node) if self.hosts[node].committing == now => {
                self.hosts[node].committing = Tick::NEVER;
                for (receipt, authored) in self.hosts[node].disk.commit(now) {
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

    pub(super) fn receive(&mut self, node: usize, receipt: Receipt, authored: bool) {
        let (now, host) = (self.now, &mut self.hosts[node]);
        let Some(running) = &mut host.node else { return };
        match receipt {
            Receipt::Held(key) if authored => {
                let gossip = host.disk.gossip(key.guid).expect("it was just committed");
                running.learn(now, &gossip);
                self.acknowledged.insert(key.guid);
            }
            receipt => running.handle_receipt(now, receipt),
        }
    }

    pub(super) fn settle_down(&mut self, settings: Settings, disk: Disk, clock: i64) -> usize {
        let host = self.hosts.len();
        let addr = SocketAddr::from(([10, 0, (host >> 8) as u8, host as u8], 6884));
        let (wake, committing) = (Tick::NEVER, Tick::NEVER);
        let (node, seeds, side) = Default::default();
        self.hosts.push(Host { addr, settings, node, disk, clock, seeds, wake, committing, side });
        self.places.insert(addr, host);
        self.start(host);
        host
    }

    pub(super) fn settle(&mut self, index: usize) {
        let (now, check) = (self.now, self.check);
        let host = &mut self.hosts[index];
        let Some(Settled { wake, sent, renamed }) = host.settle(now, check) else { return };
        self.seen.renamed += u64::from(renamed);
        let (due, missed) = (host.disk.due(), host.disk.has_missed());
        let timer = (wake.at != host.wake && wake.at != Tick::NEVER).then(|| {
            host.wake = wake.at.max(now + Duration::from_micros(1));
            host.wake
        });
        let commit = (due != host.committing && due != Tick::NEVER).then(|| {
            host.committing = due.max(now);
            host.committing
        });
        timer.into_iter().for_each(|at| self.schedule(at, Event::Timer(index)));
        commit.into_iter().for_each(|at| self.schedule(at, Event::Commit(index)));
        if missed {
            self.schedule(now + Duration::from_micros(50), Event::Loaded(index));
        }
        for (to, bytes) in sent {
            self.send(index, to, bytes);
        }
    }

    pub(super) fn send(&mut self, index: usize, to: SocketAddr, mut bytes: Vec<u8>) {
        let (from, side) = (self.hosts[index].addr, self.hosts[index].side);
        self.seen.sent += 1;
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
            let at = self.arrival();
            self.schedule(at, Event::Datagram { from, to, bytes: bytes.clone() });
        }
        if self.rng.random_bool(self.link.flip) {
            self.seen.flipped += 1;
            let bit = self.rng.random_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let at = self.arrival();
        self.schedule(at, Event::Datagram { from, to, bytes });
    }

    pub(super) fn arrival(&mut self) -> Tick {
        let jitter = self.rng.random_range(0..=self.link.jitter.as_micros() as u64);
        self.now + self.link.delay + Duration::from_micros(jitter)
    }
}
