//! Swarms of nodes under every fault at once. One seed draws everything: how many nodes, which faults and how bad, who
//! means harm, what is said and when. First chaos, with invariants checked after every step; then calm, in which all must
//! come to agree, and then be quiet (after TigerBeetle's VOPR; for why each seed leaves out some of the faults, see Groce
//! et al., "Swarm Testing", ISSTA 2012).

mod adversary;
mod calm;
mod campaign;
mod chaos;
mod options;
mod rotation;
mod tally;
#[cfg(test)]
mod tests;

pub use adversary::Adversary;
pub use campaign::{Campaign, Progress};
pub use options::{Fault, Options};
pub use tally::{FAULTS, Tally};

use super::Network;
use crate::proto::gossip::Gossip;
use crate::proto::limits::TOMBSTONE;
use adversary::Stranger;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rotation::Rotation;
use serde::Serialize;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// After so many steps of nodes all invariants are looked at, in between only those that cost little.
const THOROUGH: u64 = 64;

/// What became of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What it drew.
    pub options: Options,
    /// What really happened.
    pub tally: Tally,
    /// What was broken, if something was.
    pub violation: Option<String>,
}

/// One run.
struct Swarm {
    rng: ChaCha8Rng,
    options: Options,
    net: Network,
    stranger: Option<Stranger>,
    rotation: Rotation,
    /// Who got another address, and is looked for at the old one.
    moved: BTreeSet<usize>,
    moves: u16,
    backup: Option<(usize, super::Disk)>,
    /// What the network was told on how long it keeps records.
    law: Option<Gossip>,
    tally: Tally,
}

/// What a seed draws.
pub fn options(seed: u64) -> Options {
    Options::draw(&mut ChaCha8Rng::seed_from_u64(seed))
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    run_with(seed, options(seed))
}

fn run_with(seed: u64, options: Options) -> Outcome {
    let mut swarm = Swarm::new(seed, options);
    let ended = catch_unwind(AssertUnwindSafe(|| swarm.run()));
    let violation = ended.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    });
    swarm.count();
    Outcome { seed, options: swarm.options, tally: swarm.tally, violation }
}

impl Swarm {
    fn new(seed: u64, options: Options) -> Swarm {
        // Another stream than that of the options.
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut net = Network::new(seed);
        net.link = options.link();
        net.thorough = THOROUGH;
        net.hold_that_nothing_comes_twice();
        net.capture = options.adversary.is_some();
        let nodes = net.add_cluster(options.nodes);
        for &node in &nodes {
            net.disk(node).commit = rng.random_range(Duration::ZERO..=options.commit());
        }
        if options.has(Fault::Drift) {
            nodes.iter().for_each(|&node| net.set_drift(node, rng.random_range(-500..=500)));
        }
        let stranger = options.adversary.map(|adversary| Stranger::new(&mut net, adversary));
        let mut swarm = Swarm {
            rng,
            options,
            net,
            stranger,
            rotation: Rotation::default(),
            moved: BTreeSet::new(),
            moves: 0,
            backup: None,
            law: None,
            tally: Tally::default(),
        };
        swarm.remember();
        swarm
    }

    fn run(&mut self) {
        let end = self.net.now() + self.options.span();
        let pace = self.options.pace().as_micros() as u64;
        while self.net.now() < end {
            let pause = self.rng.random_range(0..=2 * pace);
            self.net.run(Duration::from_micros(pause));
            self.something_happens();
            self.net.assert_safe();
        }
        self.calm_down();
        self.agree();
        self.be_quiet();
    }

    /// Within this time of calm all agree.
    fn patience(&self) -> Duration {
        let usual = Duration::from_secs(120 + self.options.nodes as u64);
        // Whose epochs went back is refused until those who met it have forgotten.
        let forgotten = [Fault::Backups, Fault::Corruption].into_iter().any(|fault| self.options.has(fault));
        if forgotten { usual + TOMBSTONE } else { usual }
    }
}
