//! A model of everything that loss, restarts and an attacker who records and replays can do to [`Sessions`]: three
//! nodes, a faulty network, and an adversary without the key. One seed draws a whole run; every failure names it.
//!
//! Nothing may be processed twice or by another node, no session may come back after a later one, no pair of sessions
//! may see a counter twice, and an address that never answered for itself gets no more bytes than it sent. Then the
//! network calms down, and every node must reach every other again. A checker that cannot fail proves nothing: each
//! [`Rule`] is taken away in turn, and the model must find out.

use super::*;
use crate::proto::limits::{MIN_CHALLENGED, REGISTER_SIZE, TOMBSTONE};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::time::Duration;

const NODES: usize = 3;
const STEPS: u64 = 4000;
const CALM: u64 = 80;
const CHALLENGE_SIZE: usize = MIN_CHALLENGED;
const REGISTERED_SIZE: usize = 160;
const LOST: f64 = 0.15;
const DUPLICATED: f64 = 0.10;

#[derive(Clone, Copy, Debug)]
enum Body {
    Register { guid: Guid, epoch: u64, cookie: Cookie },
    Challenge { echo: u64, cookie: Cookie },
    Registered { echo: u64, guid: Guid, epoch: u64 },
    Data { id: u64, to: Guid },
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    header: Header,
    len: usize,
    body: Body,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Violation {
    Twice,
    WrongNode,
    SessionBack,
    CounterAgain,
    Amplified,
    InstalledForStranger,
    Unreachable,
}

/// What must really have happened; a run without it shows nothing.
const FAULTS: [&str; 15] = [
    "lost",
    "duplicated",
    "restarted",
    "evicted",
    "relocated",
    "silent",
    "replayed",
    "burst",
    "spoofed",
    "misdirected",
    "moved",
    "challenge answered",
    "installed",
    "installed again",
    "processed",
];

struct Node {
    guid: Guid,
    addr: SocketAddr,
    sessions: Sessions,
}

/// How likely each fault is in one run, in steps.
struct Weather {
    step: Duration,
    restart: f64,
    evict: f64,
    relocate: f64,
    silence: f64,
    attack: f64,
}

struct Model {
    seed: u64,
    rng: ChaCha8Rng,
    weather: Weather,
    lacking: Option<Rule>,
    now: Tick,
    nodes: Vec<Node>,
    /// On their way, by arrival.
    flying: BinaryHeap<std::cmp::Reverse<(Tick, usize)>>,
    /// All that was ever sent: what the attacker has.
    log: Vec<Packet>,
    calm: bool,
    next_id: u64,
    processed: BTreeSet<u64>,
    /// What each receiving session installed, in order, by the peer's GUID.
    order: BTreeMap<(u64, Guid), Vec<u64>>,
    counters: BTreeSet<(u64, u64, u64)>,
    /// Bytes from and to each stranger, for each node.
    strangers: BTreeMap<(usize, SocketAddr), (usize, usize)>,
    reached: BTreeSet<(Guid, Guid)>,
    violations: BTreeMap<Violation, String>,
    faults: BTreeMap<&'static str, u64>,
}

/// Addresses of hosts that never ask for anything: the attacker sends in their name.
fn stranger(n: u8) -> SocketAddr {
    ([192, 0, 2, n], 9).into()
}

fn is_stranger(addr: SocketAddr) -> bool {
    (1..4).any(|n| addr == stranger(n))
}

impl Model {
    fn new(seed: u64, lacking: Option<Rule>) -> Model {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |choices: &[f64]| choices[rng.random_range(0..choices.len())];
        let weather = Weather {
            step: Duration::from_millis(draw(&[250.0, 500.0, 1000.0]) as u64),
            restart: draw(&[0.0, 0.001, 0.005]),
            evict: draw(&[0.001, 0.005, 0.02]),
            relocate: draw(&[0.0, 0.005, 0.02]),
            silence: draw(&[0.0, 0.001, 0.002]),
            attack: draw(&[0.2, 0.5]),
        };
        let mut model = Model {
            seed,
            rng,
            weather,
            lacking,
            now: Tick(0),
            nodes: Vec::new(),
            flying: BinaryHeap::new(),
            log: Vec::new(),
            calm: false,
            next_id: 0,
            processed: BTreeSet::new(),
            order: BTreeMap::new(),
            counters: BTreeSet::new(),
            strangers: BTreeMap::new(),
            reached: BTreeSet::new(),
            violations: BTreeMap::new(),
            faults: BTreeMap::new(),
        };
        for n in 0..NODES {
            let guid = Guid([n as u8 + 1; 16]);
            let sessions = model.boot(guid, 1);
            model.nodes.push(Node { guid, addr: ([10, 0, n as u8, 1], 7000).into(), sessions });
        }
        model
    }

    fn boot(&mut self, guid: Guid, epoch: u64) -> Sessions {
        let mut sessions = Sessions::new(guid, epoch, self.rng.random());
        sessions.lacking = self.lacking;
        sessions
    }

    fn run(mut self) -> (BTreeMap<Violation, String>, BTreeMap<&'static str, u64>) {
        for _ in 0..STEPS {
            self.deliver();
            self.someone_speaks();
            self.something_happens();
            if self.rng.random_bool(self.weather.attack) {
                self.attack();
            }
            self.now = self.now + self.weather.step;
        }
        self.calm_down();
        (self.violations, self.faults)
    }

    fn violate(&mut self, violation: Violation, what: String) {
        let line = format!("{violation:?} at {:?}: {what}; seed {}, without {:?}", self.now, self.seed, self.lacking);
        self.violations.entry(violation).or_insert(line);
    }

    fn happened(&mut self, name: &'static str, really: bool) {
        *self.faults.entry(name).or_default() += u64::from(really);
    }

    /// Without loss and attacks, everybody reaches everybody.
    fn calm_down(&mut self) {
        self.calm = true;
        for step in 0..CALM {
            self.reached.clear();
            for _ in 0..if step == CALM - 1 { 8 } else { 1 } {
                for (a, b) in [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)] {
                    self.speak(a, b);
                }
                self.now = self.now + Duration::from_millis(500);
                self.deliver();
            }
        }
        if self.reached.len() < NODES * (NODES - 1) {
            self.violate(Violation::Unreachable, format!("only {:?}", self.reached));
        }
    }

    fn deliver(&mut self) {
        while let Some(&std::cmp::Reverse((at, packet))) = self.flying.peek()
            && at <= self.now
        {
            self.flying.pop();
            let packet = self.log[packet];
            if let Some(node) = self.nodes.iter().position(|node| node.addr == packet.to) {
                self.receive(node, packet);
            }
        }
    }

    fn someone_speaks(&mut self) {
        let (a, b) = (self.rng.random_range(0..NODES), self.rng.random_range(1..NODES));
        if self.rng.random_bool(0.5) {
            self.speak(a, (a + b) % NODES);
        }
    }

    fn something_happens(&mut self) {
        let node = self.rng.random_range(0..NODES);
        if self.rng.random_bool(self.weather.restart) {
            let (guid, epoch) = (self.nodes[node].guid, self.nodes[node].sessions.epoch() + 1);
            self.nodes[node].sessions = self.boot(guid, epoch);
            self.happened("restarted", true);
        }
        if self.rng.random_bool(self.weather.evict) {
            // Often a pair forgets each other: only then nobody is left who remembers the counters.
            let peer = (node + self.rng.random_range(1..NODES)) % NODES;
            let both = self.rng.random_bool(0.5);
            for (a, b) in [(node, peer), (peer, node)].into_iter().take(1 + usize::from(both)) {
                let guid = self.nodes[b].guid;
                let removed = self.nodes[a].sessions.remove(self.now, guid);
                self.happened("evicted", removed);
            }
        }
        if self.rng.random_bool(self.weather.relocate) {
            self.nodes[node].addr = ([10, 0, node as u8, self.rng.random_range(1..9)], 7000).into();
            self.happened("relocated", true);
        }
        if self.rng.random_bool(self.weather.silence) {
            // A pause longer than any tombstone stands: after it, recordings are all that is said.
            self.now = self.now + TOMBSTONE + Duration::from_secs(1);
            self.happened("silent", true);
            for _ in 0..20 {
                self.attack();
            }
        }
    }

    /// Any recording, to any node, in any name; single, or from a handshake on.
    fn attack(&mut self) {
        if self.log.is_empty() {
            return;
        }
        let recent = self.log.len().min(40);
        let at = if self.rng.random_bool(0.5) {
            self.rng.random_range(0..self.log.len())
        } else {
            self.log.len() - 1 - self.rng.random_range(0..recent)
        };
        let Some(node) = self.target(at) else { return };
        let spoofed = self.spoof();
        self.replay(node, at, spoofed);
        let handshake = matches!(self.log[at].body, Body::Registered { .. })
            || matches!(self.log[at].body, Body::Register { .. } if self.log[at].header.dst_session != 0);
        if handshake && self.rng.random_bool(0.5) {
            self.happened("burst", true);
            let session = |packet: &Packet| (packet.header.src_session, packet.header.dst_session);
            let of = session(&self.log[at]);
            let followed: Vec<_> = (at + 1..self.log.len()).filter(|&i| session(&self.log[i]) == of).take(80).collect();
            for next in followed {
                self.replay(node, next, spoofed);
            }
        }
    }

    /// Mostly the host that it was sent to, wherever that is now.
    fn target(&mut self, at: usize) -> Option<usize> {
        if self.rng.random_bool(0.2) {
            self.happened("misdirected", true);
            return Some(self.rng.random_range(0..NODES));
        }
        let IpAddr::V4(ip) = self.log[at].to.ip() else { return None };
        let [a, _, node, _] = ip.octets();
        (a == 10).then_some(usize::from(node))
    }

    fn spoof(&mut self) -> Option<SocketAddr> {
        let spoofed = match self.rng.random_range(0..10) {
            0 => Some(self.nodes[self.rng.random_range(0..NODES)].addr),
            1 | 2 => Some(stranger(self.rng.random_range(1..4))),
            _ => None,
        };
        self.happened("spoofed", spoofed.is_some());
        spoofed
    }

    fn replay(&mut self, node: usize, at: usize, spoofed: Option<SocketAddr>) {
        let mut packet = self.log[at];
        packet.from = spoofed.unwrap_or(packet.from);
        self.happened("replayed", true);
        if is_stranger(packet.from) {
            self.strangers.entry((node, packet.from)).or_default().0 += packet.len;
        }
        self.receive(node, packet);
    }

    /// Node `a` has something to say to `b`, and knows a place where that is or was.
    fn speak(&mut self, a: usize, b: usize) {
        let (guid, mut addr, now) = (self.nodes[b].guid, self.nodes[b].addr, self.now);
        if let Some((to, header)) = self.nodes[a].sessions.header(now, guid, 4) {
            self.next_id += 1;
            let len = [60, 120, 1200][self.rng.random_range(0..3)];
            self.send(a, to, header, if self.calm { 120 } else { len }, Body::Data { id: self.next_id, to: guid });
        }
        // What a node does about a peer of which it hears nothing: it registers where others say that the peer is.
        let heard = self.nodes[a].sessions.entry(guid).map(|entry| entry.heard);
        if heard.is_none_or(|heard| now.since(heard) > Duration::from_secs(20)) && self.rng.random_bool(0.5) {
            if !self.calm && self.rng.random_bool(0.1) {
                addr = ([10, 0, b as u8, self.rng.random_range(1..9)], 7000).into();
            }
            let registration = self.nodes[a].sessions.register(now, addr);
            self.send_register(a, addr, registration);
        }
    }

    fn send_register(&mut self, a: usize, to: SocketAddr, registration: Registration) {
        let sessions = &self.nodes[a].sessions;
        let Registration { dst_session, counter, cookie } = registration;
        let header = Header { kind: 1, src_session: sessions.own(), dst_session, counter };
        let body = Body::Register { guid: self.nodes[a].guid, epoch: sessions.epoch(), cookie };
        self.send(a, to, header, REGISTER_SIZE, body);
    }

    fn send_challenge(&mut self, a: usize, to: SocketAddr, challenge: Challenge) {
        let Challenge { dst_session, cookie, echo } = challenge;
        let header = Header { kind: 2, src_session: self.nodes[a].sessions.own(), dst_session, counter: 0 };
        self.send(a, to, header, CHALLENGE_SIZE, Body::Challenge { echo, cookie });
    }

    fn send(&mut self, a: usize, to: SocketAddr, header: Header, len: usize, body: Body) {
        let counted = header.dst_session != 0 && header.kind != 2;
        if counted && !self.counters.insert((header.src_session, header.dst_session, header.counter)) {
            self.violate(Violation::CounterAgain, format!("{header:?}"));
        }
        if let Some((received, sent)) = self.strangers.get_mut(&(a, to)) {
            *sent += len;
            if *sent > *received {
                self.violate(Violation::Amplified, format!("{to} got {body:?}"));
            }
            // Whoever reads what goes to an address has that address: the attacker does not.
            return;
        }
        self.log.push(Packet { from: self.nodes[a].addr, to, header, len, body });
        if !self.calm && self.rng.random_bool(LOST) {
            self.happened("lost", true);
            return;
        }
        let twice = self.rng.random_bool(DUPLICATED);
        self.happened("duplicated", twice);
        for _ in 0..1 + u32::from(twice) {
            let steps = if self.calm { 0 } else { [1, 1, 1, 2, 3, 20, 90][self.rng.random_range(0..7)] };
            self.flying.push(std::cmp::Reverse((self.now + self.weather.step * steps, self.log.len() - 1)));
        }
    }

    fn receive(&mut self, node: usize, packet: Packet) {
        let (now, Packet { from, header, len, body, .. }) = (self.now, packet);
        let sessions = &mut self.nodes[node].sessions;
        match body {
            Body::Register { guid, epoch, cookie } => {
                match sessions.handle_register(now, from, &header, len, guid, epoch, cookie) {
                    Registering::Challenge(challenge) => self.send_challenge(node, from, challenge),
                    Registering::Installed(installed) => {
                        self.installed(node, &packet, guid, installed);
                        let own = (self.nodes[node].guid, self.nodes[node].sessions.epoch());
                        let body = Body::Registered { echo: header.counter, guid: own.0, epoch: own.1 };
                        let (to, header) = self.nodes[node].sessions.header(now, guid, 3).expect("just installed");
                        self.send(node, to, header, REGISTERED_SIZE, body);
                    }
                    Registering::Clone => panic!("nobody is a copy; seed {}", self.seed),
                    Registering::Rejected(_) => {}
                }
            }
            Body::Challenge { echo, cookie } => {
                if let Ok(registration) = sessions.handle_challenge(now, from, &header, echo, cookie) {
                    self.happened("challenge answered", true);
                    self.send_register(node, from, registration);
                }
            }
            Body::Registered { echo, guid, epoch } => {
                if let Ok(installed) = sessions.handle_registered(now, from, &header, echo, guid, epoch) {
                    self.installed(node, &packet, guid, installed);
                }
            }
            Body::Data { id, to } => match sessions.accept(now, from, &header, len) {
                Verdict::Accepted(guid) => self.process(node, guid, id, to),
                Verdict::Moved(guid, challenge) => {
                    self.happened("moved", true);
                    self.process(node, guid, id, to);
                    self.send_challenge(node, from, challenge);
                }
                Verdict::Challenge(challenge) => self.send_challenge(node, from, challenge),
                Verdict::Rejected(_) => {}
            },
        }
        self.nodes[node].sessions.check();
    }

    fn process(&mut self, node: usize, from: Guid, id: u64, to: Guid) {
        self.happened("processed", true);
        let guid = self.nodes[node].guid;
        if guid != to {
            self.violate(Violation::WrongNode, format!("{id} for {to} at {guid}"));
        }
        if !self.processed.insert(id) {
            self.violate(Violation::Twice, format!("{id} at {guid}"));
        }
        self.reached.insert((from, guid));
    }

    fn installed(&mut self, node: usize, packet: &Packet, guid: Guid, installed: Installed) {
        self.happened("installed", installed.new);
        self.happened("installed again", !installed.new);
        let (own, session) = (self.nodes[node].sessions.own(), packet.header.src_session);
        let before = self.order.entry((own, guid)).or_default();
        let back = before.contains(&session) && before.last() != Some(&session);
        before.push(session);
        if back {
            self.violate(Violation::SessionBack, format!("{session} of {guid}"));
        }
        if is_stranger(packet.from) {
            self.violate(Violation::InstalledForStranger, format!("{guid} at {}", packet.from));
        }
    }
}

fn run(seed: u64, lacking: Option<Rule>) -> (BTreeMap<Violation, String>, BTreeMap<&'static str, u64>) {
    Model::new(seed, lacking).run()
}

/// Runs as designed; panics at a violation. Returns how often each fault happened.
fn survives(seeds: std::ops::Range<u64>) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::new();
    for seed in seeds {
        let (violations, faults) = run(seed, None);
        assert!(violations.is_empty(), "{:#?}", violations.values());
        for (name, count) in faults {
            *all.entry(name).or_default() += count;
        }
    }
    all
}

#[test]
fn no_recording_gets_through_and_everybody_is_reached_again() {
    let faults = survives(0..500);
    println!("{faults:?}");
    for name in FAULTS {
        assert!(faults.get(name).is_some_and(|&count| count > 1000), "{name} too rare: {faults:?}");
    }
}

#[test]
#[ignore = "takes minutes; for a release"]
fn no_recording_gets_through_in_many_more_runs() {
    survives(500..20_000);
}

/// Takes a rule away, and wants one of these violations to follow within so many seeds.
fn is_needed(rule: Rule, expected: &[Violation], seeds: u64) {
    let mut found = BTreeMap::<Violation, u64>::new();
    for seed in 0..seeds {
        for violation in run(seed, Some(rule)).0.into_keys() {
            *found.entry(violation).or_default() += 1;
        }
    }
    println!("without {rule:?}: {found:?} of {seeds} seeds");
    for violation in expected {
        assert!(found.contains_key(violation), "without {rule:?}, no {violation:?} in seeds 0..{seeds}: {found:?}");
    }
}

#[test]
fn every_rule_is_needed() {
    use Violation::*;
    is_needed(Rule::Order, &[Twice, SessionBack], 20);
    is_needed(Rule::Epoch, &[Twice, SessionBack], 20);
    is_needed(Rule::Tombstone, &[Twice], 20);
    is_needed(Rule::Floor, &[Twice], 20);
    is_needed(Rule::Destination, &[Twice, WrongNode], 20);
    is_needed(Rule::RegisteredEcho, &[InstalledForStranger], 20);
    is_needed(Rule::ChallengeEcho, &[Amplified], 20);
    is_needed(Rule::TxFloor, &[CounterAgain, Unreachable], 20);
    is_needed(Rule::Cookie, &[InstalledForStranger, Amplified], 20);
}
