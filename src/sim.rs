//! [`Network`]: many real nodes over faulty links with crashing disks, in virtual time. It drives the very same
//! [`Node`] and [`settle`](crate::effects::settle) as the daemon, with real bytes. One seed draws everything, so a run
//! can be repeated.

mod agenda;
mod disk;
mod events;
mod faults;
mod host;
mod host_set;
mod hosts;
pub mod insider;
mod keys;
mod link;
pub mod meter;
mod roster;
mod rounds;
mod safety;
mod saying;
pub mod scenario;
mod shelf;
mod step;
pub mod swarm;
pub mod watch;
mod workers;

pub use disk::{Disk, Reads};
pub use link::{Link, Seen};

use crate::proto::fact::{PeerFact, ReachFact};
use crate::proto::gossip::Guid;
use crate::proto::limits::TAG;
use crate::proto::node::Node;
use crate::proto::settings::Settings;
use crate::proto::stats::Rejected;
use crate::proto::time::{Tick, Timestamp};
use agenda::Agenda;
use events::Event;
use host::Host;
use hosts::Hosts;
use meter::Meter;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use roster::Roster;
use safety::Balance;
use sha2::{Digest, Sha256};
use shelf::Shelf;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The wall clock when a simulation begins.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000);

/// The password of the common network.
pub const PASSWORD: &str = "open sesame";
/// How long a disk takes to commit.
const COMMIT: Duration = Duration::from_millis(10);

/// A simulated network. Its nodes are numbered in the order in which they were added.
pub struct Network {
    /// What links do to datagrams from now on.
    pub link: Link,
    /// What happened so far.
    pub seen: Seen,
    /// Whether the invariants of a node are checked after every step of it.
    pub check: bool,
    /// After every so many steps of nodes all of them are; in between, only what costs little to look at.
    pub thorough: u64,
    /// Whether datagrams are kept in [`captured`](Network::captured).
    pub capture: bool,
    /// Datagrams that nodes sent while `capture` was on: from, to, bytes.
    pub captured: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// What nodes said of how they reach others, where that is kept: when, which node, what.
    pub reaches: Option<Vec<(Tick, usize, ReachFact)>>,
    /// What it costs and how records spread.
    pub meter: Meter,
    /// On how many cores [`run`](Network::run) does at once what is due within the least delay of a link; the number
    /// changes nothing in what happens. None: one thing after the other, as [`run_until`](Network::run_until) does.
    pub rounds: Option<usize>,
    now: Tick,
    rng: ChaCha8Rng,
    hosts: Hosts,
    places: HashMap<SocketAddr, usize>,
    /// Directions that are cut: from, to.
    cuts: BTreeSet<(usize, usize)>,
    /// Directions that are clogged, and until when.
    clogs: BTreeMap<(usize, usize), Tick>,
    strangers: BTreeMap<SocketAddr, Balance>,
    /// Tags of what was processed, where it is held that nothing is twice.
    processed: Option<HashSet<[u8; TAG]>>,
    steps: u64,
    agenda: Agenda<Event>,
    tune: Box<dyn Fn(&mut Settings) + Send>,
    shelf: Arc<Shelf>,
    acknowledged: BTreeSet<Guid>,
    created: BTreeSet<Guid>,
    /// Records that some node does not hold any more, by the network's law.
    left: BTreeSet<Guid>,
    trace: Sha256,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("now", &self.now).field("hosts", &self.hosts.len()).finish_non_exhaustive()
    }
}

impl Network {
    /// An empty network; the seed draws everything that happens in it.
    pub fn new(seed: u64) -> Network {
        let (seen, captured, reaches, meter, now, hosts, places, cuts, shelf) = Default::default();
        Network {
            link: Link::default(),
            seen,
            check: true,
            thorough: 1,
            steps: 0,
            clogs: BTreeMap::new(),
            strangers: BTreeMap::new(),
            processed: None,
            capture: false,
            captured,
            reaches,
            meter,
            rounds: None,
            now,
            rng: ChaCha8Rng::seed_from_u64(seed),
            hosts,
            places,
            cuts,
            agenda: Agenda::new(),
            tune: Box::new(|_| {}),
            shelf,
            acknowledged: BTreeSet::new(),
            created: BTreeSet::new(),
            left: BTreeSet::new(),
            trace: Sha256::new(),
        }
    }

    // ---- what a story says ----

    /// What the settings of all nodes added from now on have of their own.
    pub fn tune(&mut self, tune: impl Fn(&mut Settings) + Send + 'static) {
        self.tune = Box::new(tune);
    }

    fn settings(&mut self, password: &str) -> Settings {
        let guid = Guid::random(self.bytes());
        let mut settings = Settings::new(guid, &format!("node-{}", self.hosts.len()), Network::key_of(password));
        (self.tune)(&mut settings);
        settings
    }

    /// Adds a node with this password and starts it.
    pub fn add_with_password(&mut self, password: &str) -> usize {
        let settings = self.settings(password);
        let host = self.move_in(settings, Disk::new(COMMIT), 0);
        self.start(host);
        host
    }

    /// Adds so many hosts of the common network whose disks keep no peers, but for a roster that they share: some of
    /// them each where they are `acquainted`, else nobody. None is started yet.
    pub fn add_hosts(&mut self, hosts: usize, acquainted: bool) -> Vec<usize> {
        let mut place = || {
            let settings = self.settings(PASSWORD);
            self.move_in(settings, Disk::new(COMMIT), 0)
        };
        let all: Vec<usize> = (0..hosts).map(|_| place()).collect();
        let fact = |&host: &usize| {
            let Host { addr, settings, .. } = &self.hosts[host];
            let name = settings.node_name.as_str().into();
            PeerFact { guid: settings.guid, name, addr: *addr, last_update: BEGINNING }
        };
        let roster: Arc<[PeerFact]> = if acquainted { all.iter().map(fact).collect() } else { Arc::new([]) };
        for (own, &host) in all.iter().enumerate() {
            self.hosts[host].disk.roster = Some(Roster { all: roster.clone(), own });
        }
        all
    }

    /// Adds a node of the common network and starts it.
    pub fn add(&mut self) -> usize {
        self.add_with_password(PASSWORD)
    }

    /// Adds so many, each registering with the first.
    pub fn add_cluster(&mut self, nodes: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..nodes).map(|_| self.add()).collect();
        all.iter().skip(1).for_each(|&node| self.register(node, all[0]));
        all
    }

    /// Has `node` register with `with`, now and whenever it starts, and keep trying as with a seed.
    pub fn register(&mut self, node: usize, with: usize) {
        let addr = self.hosts[with].addr;
        if !self.hosts[node].seeds.contains(&with) {
            self.hosts[node].seeds.push(with);
        }
        self.touch(node, |node, now| node.register(now, addr, true));
    }

    /// Starts a node from its disk; it registers with its seeds again.
    pub fn start(&mut self, node: usize) {
        let seed = self.bytes();
        self.hosts[node].boot(self.now, seed);
        self.meter.watch.rose(node);
        self.settle(node);
        for seed in self.hosts[node].seeds.clone() {
            self.register(node, seed);
        }
    }

    /// Stops a node in order: it says goodbye, or that it will be back at once, and its disk commits everything.
    pub fn stop(&mut self, node: usize, restarting: bool) {
        self.touch(node, |node, now| drop(node.leave(now, restarting)));
        let due = self.now + self.hosts[node].disk.commit;
        self.hosts[node].disk.commit(due, &self.shelf);
        self.hosts[node].node = None;
        self.mourn(&[node]);
    }

    /// Delivers any bytes to a node at once. What it answers goes its way.
    pub fn inject(&mut self, node: usize, from: SocketAddr, bytes: &[u8]) -> Result<(), Rejected> {
        let now = self.now;
        self.owe(from, bytes.len());
        if self.sleeps(node) {
            return Ok(());
        }
        let taken = match &mut self.hosts[node].node {
            Some(node) => node.handle_datagram(now, from, bytes),
            None => Err(Rejected::Session),
        };
        self.processed(node, bytes, taken.is_ok());
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
        match self.rounds {
            Some(cores) => self.run_rounds(span, cores),
            None => drop(self.run_until(span, |_| false)),
        }
    }

    /// Lets time pass until the condition holds (checked after every step); false if it does not within `span`.
    pub fn run_until(&mut self, span: Duration, mut holds: impl FnMut(&Network) -> bool) -> bool {
        let end = self.now + span;
        while !holds(self) {
            let due = self.agenda.due();
            if due > end || due == Tick::NEVER {
                self.now = end;
                return holds(self);
            }
            if let Some((at, event)) = self.agenda.next() {
                self.now = self.now.max(at);
                self.step(event);
            }
        }
        true
    }

    // ---- what can be seen ----

    /// How much was scheduled so far: datagrams, timers, commits.
    pub fn events(&self) -> u64 {
        self.agenda.scheduled()
    }

    /// A running node.
    pub fn node(&self, node: usize) -> &Node {
        self.hosts[node].node.as_ref().expect("the story looks at running nodes")
    }

    /// Its disk.
    pub fn disk(&mut self, node: usize) -> &mut Disk {
        &mut self.hosts[node].disk
    }

    /// Its GUID.
    pub fn guid(&self, node: usize) -> Guid {
        self.hosts[node].settings.guid
    }

    /// Its address.
    pub fn addr(&self, node: usize) -> SocketAddr {
        self.hosts[node].addr
    }

    /// Whether a node runs.
    pub fn is_running(&self, node: usize) -> bool {
        self.hosts[node].node.is_some()
    }

    /// Whether a node runs and has since then.
    pub fn was_up_since(&self, node: usize, then: Tick) -> bool {
        self.is_running(node) && self.hosts[node].since <= then
    }

    /// How many hosts there are, running or not.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Nodes that run.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.hosts.len()).filter(|&host| self.hosts[host].node.is_some())
    }

    /// A hash of everything that was delivered: equal for equal seeds.
    pub fn trace(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }
}
