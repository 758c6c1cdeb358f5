//! [`Lab`]: nodes without disks, for stories about who knows whom: they can be frozen and slowed down, and every change
//! of reach is written down. Real nodes, real bytes, virtual time, one seed.

use bytes::Bytes;
use gossip_node::effects::{Effects, settle};
use gossip_node::proto::fact::{Bodies, Body, Fact, ReachFact, Record};
use gossip_node::proto::gossip::{Guid, Key};
use gossip_node::proto::node::{Node, Transmit};
use gossip_node::proto::peers::Reach;
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::{Settings, Timing};
use gossip_node::proto::time::{Tick, Timestamp};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The wall clock when a story begins.
const BEGINNING: u64 = 1_700_000_000_000_000;

/// There is nothing to read.
struct NoDisk;

impl Bodies for NoDisk {
    fn record(&self, _: Key) -> Body<Arc<Record>> {
        Body::Gone
    }

    fn piece(&self, _: Key, _: u16) -> Body<Bytes> {
        Body::Gone
    }

    fn page(&self, _: Key, _: usize) -> Body<Arc<[Key]>> {
        Body::Gone
    }
}

struct Surroundings<'a> {
    facts: Vec<Fact>,
    sent: &'a mut Vec<(SocketAddr, Vec<u8>)>,
}

impl Effects for Surroundings<'_> {
    type Bodies = NoDisk;

    fn keep(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    fn bodies(&self) -> &NoDisk {
        &NoDisk
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        self.sent.push((transmit.to, transmit.bytes.clone()));
        true
    }
}

enum Event {
    Datagram(SocketAddr, usize, Vec<u8>),
    Timer(usize),
}

struct Host {
    guid: Guid,
    node: Option<Node>,
    wake: Tick,
    /// It does nothing until then; what comes waits.
    frozen: Tick,
    side: u32,
}

/// Many nodes and the network between them.
pub struct Lab {
    /// How often a datagram is lost.
    pub loss: f64,
    /// What is said of others: when, by which node, of which GUID.
    pub reaches: Vec<(Tick, usize, ReachFact)>,
    timing: Timing,
    now: Tick,
    rng: ChaCha8Rng,
    hosts: Vec<Host>,
    events: BTreeMap<(Tick, u64), Event>,
    last: u64,
    cuts: BTreeSet<(usize, usize)>,
}

impl Lab {
    /// No node yet.
    pub fn new(seed: u64, timing: Timing) -> Lab {
        let (reaches, now, hosts, events, last, cuts) = Default::default();
        Lab { loss: 0.0, reaches, timing, now, rng: ChaCha8Rng::seed_from_u64(seed), hosts, events, last, cuts }
    }

    /// So many nodes, each of which has registered with the first, after so much time.
    pub fn cluster(seed: u64, timing: Timing, nodes: usize, span: Duration) -> Lab {
        let mut lab = Lab::new(seed, timing);
        for _ in 0..nodes {
            lab.add();
        }
        (1..nodes).for_each(|node| lab.register(node, 0));
        lab.run(span);
        lab
    }

    /// Adds a node and starts it.
    pub fn add(&mut self) -> usize {
        let mut guid = [0; 16];
        self.rng.fill_bytes(&mut guid);
        let (frozen, side) = Default::default();
        self.hosts.push(Host { guid: Guid::random(guid), node: None, wake: Tick::NEVER, frozen, side });
        self.start(self.hosts.len() - 1);
        self.hosts.len() - 1
    }

    /// Starts a node that does not run, with its own GUID and nothing else.
    pub fn start(&mut self, node: usize) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let key = NetworkKey::new(&Secret([7; 32]));
        let settings = Settings {
            timing: self.timing,
            started: Timestamp(BEGINNING),
            epoch: BEGINNING + self.now.0,
            ..Settings::new(self.hosts[node].guid, &format!("node-{node}"), key)
        };
        self.hosts[node].node = Some(Node::new(settings, seed, self.now));
        self.settle(node);
    }

    /// Has `node` register with `with`, as with a seed.
    pub fn register(&mut self, node: usize, with: usize) {
        let (now, addr) = (self.now, addr(with));
        if let Some(running) = &mut self.hosts[node].node {
            running.register(now, addr, true);
        }
        self.settle(node);
    }

    /// Kills a node.
    pub fn crash(&mut self, node: usize) {
        self.hosts[node].node = None;
        self.hosts[node].wake = Tick::NEVER;
    }

    /// Stops a node in order.
    pub fn stop(&mut self, node: usize, restarting: bool) {
        let now = self.now;
        if let Some(running) = &mut self.hosts[node].node {
            running.leave(now, restarting);
        }
        self.settle(node);
        self.crash(node);
    }

    /// Has a node do nothing for so long; what comes waits for it.
    pub fn freeze(&mut self, node: usize, span: Duration) {
        self.hosts[node].frozen = self.now + span;
    }

    /// Splits the network: nodes hear only those of their own side.
    pub fn partition(&mut self, sides: &[&[usize]]) {
        self.hosts.iter_mut().for_each(|host| host.side = 0);
        for (side, nodes) in sides.iter().enumerate() {
            nodes.iter().for_each(|&node| self.hosts[node].side = side as u32 + 1);
        }
    }

    /// Stops what `from` sends to `to`.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    /// Ends all cuts.
    pub fn mend(&mut self) {
        self.cuts.clear();
    }

    /// The virtual time.
    pub fn now(&self) -> Tick {
        self.now
    }

    /// A running node.
    pub fn node(&self, node: usize) -> &Node {
        self.hosts[node].node.as_ref().expect("the story looks at running nodes")
    }

    /// Its GUID.
    pub fn guid(&self, node: usize) -> Guid {
        self.hosts[node].guid
    }

    /// Nodes that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|&node| self.hosts[node].node.is_some()).collect()
    }

    /// How `node` sees `other`.
    pub fn reach(&self, node: usize, other: usize) -> Option<Reach> {
        self.node(node).peers().peer(&self.guid(other)).map(|peer| peer.reach)
    }

    /// Whether all running nodes know all running nodes, and no others, to be alive, and their lists are equal.
    pub fn all_know_all(&self) -> bool {
        let running = self.running();
        let mut lists = running.iter().map(|&node| self.node(node).peers().list());
        let first = lists.next();
        running.iter().all(|&node| self.node(node).peers().live() == running.len() - 1)
            && lists.all(|list| Some(list) == first)
    }

    /// Lets so much time pass.
    pub fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until the condition holds, which is looked at every 10 ms; false if it does not within `span`.
    pub fn run_until(&mut self, span: Duration, holds: impl Fn(&Lab) -> bool) -> bool {
        let (end, mut look) = (self.now + span, self.now);
        loop {
            let at = self.events.first_key_value().map_or(Tick::NEVER, |((at, _), _)| *at);
            while look <= at.min(end) {
                self.now = self.now.max(look);
                if holds(self) {
                    return true;
                }
                look = look + Duration::from_millis(10);
            }
            if at > end {
                self.now = end;
                return holds(self);
            }
            let ((at, _), event) = self.events.pop_first().expect("it was just seen");
            self.now = self.now.max(at);
            self.step(event);
        }
    }

    fn step(&mut self, event: Event) {
        let (now, node) = (
            self.now,
            match event {
                Event::Datagram(_, node, _) | Event::Timer(node) => node,
            },
        );
        let host = &mut self.hosts[node];
        if host.frozen > now {
            let at = host.frozen;
            self.schedule(at, event);
            return;
        }
        match event {
            Event::Datagram(from, _, bytes) => {
                if let Some(running) = &mut host.node {
                    let _ = running.handle_datagram(now, from, &bytes);
                }
            }
            Event::Timer(_) if host.wake <= now => {
                host.wake = Tick::NEVER;
                if let Some(running) = &mut host.node {
                    running.handle_timeout(now);
                }
            }
            Event::Timer(_) => return,
        }
        self.settle(node);
    }

    fn schedule(&mut self, at: Tick, event: Event) {
        self.last += 1;
        self.events.insert((at, self.last), event);
    }

    fn settle(&mut self, index: usize) {
        let (now, mut sent) = (self.now, Vec::new());
        let Some(node) = &mut self.hosts[index].node else { return };
        let mut surroundings = Surroundings { facts: Vec::new(), sent: &mut sent };
        let wake = settle(node, now, &mut surroundings).at;
        for fact in std::mem::take(&mut surroundings.facts) {
            if let Fact::Reach(fact) = fact {
                self.reaches.push((now, index, fact));
            }
        }
        if wake != self.hosts[index].wake && wake != Tick::NEVER {
            let at = wake.max(now + Duration::from_micros(1));
            self.hosts[index].wake = at;
            self.schedule(at, Event::Timer(index));
        }
        for (to, bytes) in sent {
            let SocketAddr::V4(v4) = to else { continue };
            let [10, 0, high, low] = v4.ip().octets() else { continue };
            let target = usize::from(high) << 8 | usize::from(low);
            let there = self.hosts.get(target).is_some_and(|host| host.side == self.hosts[index].side);
            if !there || self.cuts.contains(&(index, target)) || self.rng.random_bool(self.loss) {
                continue;
            }
            let delay = Duration::from_micros(self.rng.random_range(200..=1000));
            self.schedule(now + delay, Event::Datagram(addr(index), target, bytes));
        }
    }
}

/// Where a node is.
pub fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, (node >> 8) as u8, node as u8], 6884))
}
