//! [`Network`]: many real nodes over faulty links with crashing disks, in virtual time. It drives the very same
//! [`Node`] and [`settle`] as the daemon, with real bytes. One seed draws everything, so a run can be repeated.

mod disk;

pub use disk::Disk;

use crate::effects::{Effects, settle};
use crate::proto::fact::{Fact, Receipt};
use crate::proto::gossip::{Draft, Gossip, Guid};
use crate::proto::node::{Node, Transmit};
use crate::proto::seal::{NetworkKey, Secret};
use crate::proto::settings::Settings;
use crate::proto::stats::Rejected;
use crate::proto::time::{Tick, Timestamp};
use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The wall clock when a simulation begins.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000);

/// What every link does to datagrams. Probabilities are between 0 and 1.
#[derive(Clone, Debug)]
pub struct Link {
    /// How often one is lost.
    pub loss: f64,
    /// How often one arrives twice.
    pub duplicate: f64,
    /// How often one arrives with a flipped bit.
    pub flip: f64,
    /// The least delay, and how much more at most. What differs arrives out of order.
    pub delay: Duration,
    /// See [`delay`](Link::delay).
    pub jitter: Duration,
}

impl Default for Link {
    fn default() -> Link {
        let (loss, duplicate, flip) = Default::default();
        Link { loss, duplicate, flip, delay: Duration::from_micros(200), jitter: Duration::from_micros(800) }
    }
}

/// What happened: proof that faults were really seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Datagrams that nodes sent.
    pub sent: u64,
    /// Datagrams that arrived at a node.
    pub delivered: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams delivered twice.
    pub duplicated: u64,
    /// Datagrams damaged.
    pub flipped: u64,
    /// Datagrams stopped by a partition, or sent to nobody.
    pub cut: u64,
    /// Crashes.
    pub crashed: u64,
}

enum Event {
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Timer(usize),
    Commit(usize),
    Loaded(usize),
}

struct Host {
    addr: SocketAddr,
    settings: Settings,
    node: Option<Node>,
    disk: Disk,
    wake: Tick,
    committing: Tick,
    side: u32,
}

/// A simulated network. Its nodes are numbered in the order in which they were added.
pub struct Network {
    /// What links do to datagrams from now on.
    pub link: Link,
    /// What happened so far.
    pub seen: Seen,
    /// Whether the invariants of a node are checked after every step of it.
    pub check: bool,
    /// Whether datagrams are kept in [`captured`](Network::captured).
    pub capture: bool,
    /// Datagrams that nodes sent while `capture` was on: from, to, bytes.
    pub captured: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    now: Tick,
    rng: ChaCha8Rng,
    hosts: Vec<Host>,
    places: BTreeMap<SocketAddr, usize>,
    events: BTreeMap<(Tick, u64), Event>,
    last_event: u64,
    acknowledged: BTreeSet<Guid>,
    created: BTreeSet<Guid>,
    trace: Sha256,
}

struct Surroundings<'a> {
    now: Tick,
    disk: &'a mut Disk,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    identity: Option<Guid>,
}

impl Effects for Surroundings<'_> {
    type Bodies = Disk;

    fn keep(&mut self, fact: Fact) {
        match fact {
            Fact::Identity(guid) => self.identity = Some(guid),
            fact => self.disk.keep(self.now, fact, false),
        }
    }

    fn bodies(&self) -> &Disk {
        self.disk
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        self.sent.push((transmit.to, transmit.bytes.clone()));
        true
    }
}

impl Network {
    /// An empty network; the seed draws everything that happens in it.
    pub fn new(seed: u64) -> Network {
        let (seen, captured, now, hosts, places, events, last_event) = Default::default();
        Network {
            link: Link::default(),
            seen,
            check: true,
            capture: false,
            captured,
            now,
            rng: ChaCha8Rng::seed_from_u64(seed),
            hosts,
            places,
            events,
            last_event,
            acknowledged: BTreeSet::new(),
            created: BTreeSet::new(),
            trace: Sha256::new(),
        }
    }

    // ---- what a story says ----

    /// Adds a node with this password and starts it.
    pub fn add_with_password(&mut self, password: &str) -> usize {
        // Argon2 is for people's passwords; here it would only take time.
        let secret = Secret(Sha256::digest(password).into());
        let host = self.hosts.len();
        let guid = Guid::random(self.bytes());
        let settings = Settings::new(guid, &format!("node-{host}"), NetworkKey::new(&secret));
        let addr = SocketAddr::from(([10, 0, (host >> 8) as u8, host as u8], 6884));
        let disk = Disk::new(Duration::from_millis(10));
        let (wake, committing) = (Tick::NEVER, Tick::NEVER);
        self.hosts.push(Host { addr, settings, node: None, disk, wake, committing, side: 0 });
        self.places.insert(addr, host);
        self.start(host);
        host
    }

    /// Adds a node of the common network and starts it.
    pub fn add(&mut self) -> usize {
        self.add_with_password("open sesame")
    }

    /// Adds so many, each registering with the first.
    pub fn add_cluster(&mut self, nodes: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..nodes).map(|_| self.add()).collect();
        all.iter().skip(1).for_each(|&node| self.register(node, all[0]));
        all
    }

    /// Has `node` register with `with`, and keep trying as with a seed.
    pub fn register(&mut self, node: usize, with: usize) {
        let addr = self.hosts[with].addr;
        self.touch(node, |node, now| node.register(now, addr, true));
    }

    /// Has `node` author a record. It is acknowledged, and spread, once its disk has it.
    pub fn create(&mut self, node: usize, msg: impl Into<Bytes>) -> Option<Guid> {
        let at = Timestamp(BEGINNING.0 + self.now.0);
        let draft = Draft { who_name: format!("who-{node}"), msg: msg.into() };
        let host = &mut self.hosts[node];
        let gossip = host.node.as_mut()?.author(at, draft).expect("stories say valid things");
        let guid = gossip.guid();
        host.disk.keep(self.now, Fact::Gossip(gossip), true);
        self.created.insert(guid);
        self.settle(node);
        Some(guid)
    }

    /// Puts a record on a node's disk and into its ledger at once, as if it had been there for long.
    pub fn preload(&mut self, node: usize, gossip: &Gossip) {
        let host = &mut self.hosts[node];
        let at = host.disk.commit;
        host.disk.commit = Duration::ZERO;
        host.disk.keep(Tick(0), Fact::Gossip(gossip.clone()), false);
        host.disk.commit(Tick(0));
        host.disk.commit = at;
        self.created.insert(gossip.guid());
        self.acknowledged.insert(gossip.guid());
        if let Some(node) = &mut host.node {
            node.learn(self.now, gossip);
        }
    }

    /// Splits the network: nodes hear only those of their own side. Nodes not named are on side 0.
    pub fn partition(&mut self, sides: &[&[usize]]) {
        self.hosts.iter_mut().for_each(|host| host.side = 0);
        for (side, nodes) in sides.iter().enumerate() {
            nodes.iter().for_each(|&node| self.hosts[node].side = side as u32 + 1);
        }
    }

    /// Ends every partition.
    pub fn heal(&mut self) {
        self.partition(&[]);
    }

    /// Kills a node; its disk loses what it had not committed.
    pub fn crash(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.node = None;
        host.disk.crash();
        (host.wake, host.committing) = (Tick::NEVER, Tick::NEVER);
        self.seen.crashed += 1;
    }

    /// Starts a node from its disk.
    pub fn start(&mut self, node: usize) {
        let seed = self.bytes();
        let host = &mut self.hosts[node];
        let mut settings = host.settings.clone();
        settings.epoch = host.disk.next_epoch(Timestamp(BEGINNING.0 + self.now.0));
        settings.started = BEGINNING;
        let mut started = Node::new(settings, seed, self.now);
        host.disk.restore().into_iter().for_each(|restored| started.restore(self.now, restored));
        started.restore_authored(host.disk.last_authored());
        host.node = Some(started);
        self.settle(node);
    }

    /// Stops a node in order: it says goodbye, and its disk commits everything.
    pub fn stop(&mut self, node: usize) {
        self.touch(node, |node, now| node.leave(now, false));
        let due = self.now + self.hosts[node].disk.commit;
        self.hosts[node].disk.commit(due);
        self.hosts[node].node = None;
    }

    /// Gives a node another address, as a DHCP server would.
    pub fn move_to(&mut self, node: usize, addr: SocketAddr) {
        self.places.remove(&self.hosts[node].addr);
        self.hosts[node].addr = addr;
        self.places.insert(addr, node);
    }

    /// Delivers any bytes to a node at once. What it answers goes its way.
    pub fn inject(&mut self, node: usize, from: SocketAddr, bytes: &[u8]) -> Result<(), Rejected> {
        let now = self.now;
        let taken = match &mut self.hosts[node].node {
            Some(node) => node.handle_datagram(now, from, bytes),
            None => Ok(()),
        };
        self.settle(node);
        taken
    }

    // ---- time passes ----

    /// The virtual time.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// Lets this much time pass.
    pub fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until the condition holds (checked after every step); false if it does not within `span`.
    pub fn run_until(&mut self, span: Duration, mut holds: impl FnMut(&Network) -> bool) -> bool {
        let end = self.now + span;
        while !holds(self) {
            let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) else {
                self.now = end;
                return holds(self);
            };
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.step(event);
        }
        true
    }

    // ---- what can be seen ----

    /// A running node.
    pub fn node(&self, node: usize) -> &Node {
        self.hosts[node].node.as_ref().expect("the story looks at running nodes")
    }

    /// Its disk.
    pub fn disk(&mut self, node: usize) -> &mut Disk {
        &mut self.hosts[node].disk
    }

    /// Its address.
    pub fn addr(&self, node: usize) -> SocketAddr {
        self.hosts[node].addr
    }

    /// Nodes that run.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.hosts.len()).filter(|&host| self.hosts[host].node.is_some())
    }

    /// Whether all running nodes hold equal sets, with everything that was acknowledged.
    pub fn converged(&self) -> bool {
        let mut states = self.running().map(|node| self.node(node).ledger().state());
        let Some(first) = states.next() else { return true };
        let some = self.running().next().map(|node| self.node(node).ledger());
        states.all(|state| state == first)
            && some.is_none_or(|ledger| self.acknowledged.iter().all(|guid| ledger.contains(guid)))
    }

    /// Panics unless [`converged`](Network::converged), and unless every disk has just what was created.
    pub fn assert_converged(&self) {
        assert!(
            self.converged(),
            "nodes hold {:?}",
            self.running().map(|node| self.node(node).ledger().state()).collect::<Vec<_>>()
        );
        for node in self.running() {
            let guids = self.hosts[node].disk.guids();
            assert!(guids.is_subset(&self.created), "node {node} has something that nobody created");
            assert!(guids.is_superset(&self.acknowledged), "node {node} lacks something that was acknowledged");
        }
    }

    /// A hash of everything that was delivered: equal for equal seeds.
    pub fn trace(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }

    // ---- how it works ----

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn touch(&mut self, node: usize, act: impl FnOnce(&mut Node, Tick)) {
        let now = self.now;
        if let Some(running) = &mut self.hosts[node].node {
            act(running, now);
            self.settle(node);
        }
    }

    fn schedule(&mut self, at: Tick, event: Event) {
        self.last_event += 1;
        self.events.insert((at, self.last_event), event);
    }

    fn step(&mut self, event: Event) {
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

    fn receive(&mut self, node: usize, receipt: Receipt, authored: bool) {
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

    fn settle(&mut self, host_index: usize) {
        let (now, check) = (self.now, self.check);
        let host = &mut self.hosts[host_index];
        let Some(node) = &mut host.node else { return };
        let (sent, identity) = Default::default();
        let mut surroundings = Surroundings { now, disk: &mut host.disk, sent, identity };
        let wake = settle(node, now, &mut surroundings);
        let Surroundings { sent, identity, .. } = surroundings;
        if check {
            node.check();
        }
        if let Some(guid) = identity {
            host.settings.guid = guid;
        }
        let (addr, side, due, missed) = (host.addr, host.side, host.disk.due(), host.disk.has_missed());
        if wake.at != host.wake && wake.at != Tick::NEVER {
            host.wake = wake.at.max(now + Duration::from_micros(1));
            let at = host.wake;
            self.schedule(at, Event::Timer(host_index));
        }
        let host = &mut self.hosts[host_index];
        if due != host.committing && due != Tick::NEVER {
            host.committing = due.max(now);
            let at = host.committing;
            self.schedule(at, Event::Commit(host_index));
        }
        if missed {
            self.schedule(now + Duration::from_micros(50), Event::Loaded(host_index));
        }
        for (to, bytes) in sent {
            self.send(addr, side, to, bytes);
        }
    }

    fn send(&mut self, from: SocketAddr, side: u32, to: SocketAddr, mut bytes: Vec<u8>) {
        self.seen.sent += 1;
        if self.capture {
            self.captured.push((from, to, bytes.clone()));
        }
        if self.places.get(&to).is_none_or(|&node| self.hosts[node].side != side) {
            self.seen.cut += 1;
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

    fn arrival(&mut self) -> Tick {
        let jitter = self.rng.random_range(0..=self.link.jitter.as_micros() as u64);
        self.now + self.link.delay + Duration::from_micros(jitter)
    }
}
