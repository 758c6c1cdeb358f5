//! [`run`]: a network of many nodes goes through a [`Scenario`], and a [`Report`] says how it did. The stories and the
//! figures are for everybody: `gossip-node simulate` shows them, tests hold them.

mod figures;
mod report;
mod stage;
mod stories;

pub use figures::{Alarms, Cost, Delivery, Detection, Hops, Idle, MedianMax};
pub use report::{Maelstrom, Report, Split};

use super::Link;
use crate::proto::settings::Timing;
use serde::Serialize;
use stage::Stage;
pub use stage::WINDOW;
use std::time::Duration;

/// What happens to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// All nodes start within a second and know one address.
    Join,
    /// Nothing.
    Idle,
    /// Records are written at random nodes, one by one.
    Spread,
    /// Many records are written at many nodes at once.
    Burst,
    /// Many nodes crash at once, and records go on.
    Crash,
    /// The network is split into halves for a while, and records are written in both.
    Split,
    /// Nodes leave and come back, one in a hundred a minute, and records go on.
    Churn,
    /// The broadcast workload of Maelstrom: 50 broadcasts and 50 reads a second.
    Maelstrom,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 8] = [
        Scenario::Join,
        Scenario::Idle,
        Scenario::Spread,
        Scenario::Burst,
        Scenario::Crash,
        Scenario::Split,
        Scenario::Churn,
        Scenario::Maelstrom,
    ];

    /// The name by which people ask for it, and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Join => "join",
            Scenario::Idle => "idle",
            Scenario::Spread => "spread",
            Scenario::Burst => "burst",
            Scenario::Crash => "crash",
            Scenario::Split => "split",
            Scenario::Churn => "churn",
            Scenario::Maelstrom => "maelstrom",
        }
    }
}

/// A scenario and its numbers.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What happens.
    pub scenario: Scenario,
    /// How many nodes there are.
    pub nodes: usize,
    /// What links do to datagrams; nodes that know each other lose none until they are up.
    pub link: Link,
    /// How many records are written.
    pub records: usize,
    /// Bytes of MSG. With its head, a record of 150 takes 200.
    pub size: usize,
    /// Records a second.
    pub rate: f64,
    /// Which share of the nodes crashes.
    pub crash: f64,
    /// How long the network is split.
    pub split: Duration,
    /// How long an idle or churning network is watched, and how long Maelstrom goes on.
    pub lasting: Duration,
    /// Draws everything.
    pub seed: u64,
    /// How fast the nodes go about it.
    pub timing: Timing,
    /// GOSSIP_TIMER.
    pub gossip_timer: Duration,
    /// Whether every node's invariants are checked after every step.
    pub check: bool,
    /// On how many cores it runs, which changes nothing but how long it takes.
    pub jobs: usize,
}

impl Plan {
    /// The usual numbers of a scenario.
    pub fn new(scenario: Scenario, nodes: usize) -> Plan {
        let mut plan = Plan {
            scenario,
            nodes,
            link: Link { brisk: true, ..Link::default() },
            records: 40,
            size: 150,
            rate: 10.0,
            crash: 0.3,
            split: Duration::from_secs(60),
            lasting: Duration::from_secs(60),
            seed: 1,
            timing: Timing::LAN,
            gossip_timer: Duration::from_secs(1),
            check: false,
            jobs: 1,
        };
        match scenario {
            Scenario::Burst => plan.records = 1000,
            Scenario::Crash => plan.records = 100,
            Scenario::Churn => plan.lasting = Duration::from_secs(300),
            Scenario::Maelstrom => {
                plan.rate = 50.0;
                plan.size = 8;
                plan.lasting = Duration::from_secs(20);
                plan.gossip_timer = Duration::from_secs(2);
                plan.link = Link { delay: Duration::from_millis(100), jitter: Duration::ZERO, ..Link::default() };
                plan.timing = Timing {
                    record_gap: Duration::ZERO,
                    heard_gap: Duration::from_millis(200),
                    announce: Duration::from_millis(100),
                    grace: Duration::from_millis(600),
                    ..Timing::LAN
                };
            }
            Scenario::Join | Scenario::Idle | Scenario::Spread | Scenario::Split => {}
        }
        plan
    }

    /// How many records are broadcast in the time that Maelstrom goes on.
    pub fn broadcasts(&self) -> usize {
        (self.lasting.as_secs_f64() * self.rate).round() as usize
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What happens at the moment.
    pub phase: &'static str,
    /// How much of it has passed, in virtual time.
    pub passed: Duration,
    /// How much of it there is at most.
    pub of: Duration,
}

/// Runs a scenario. `progress` hears of it now and then.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Report {
    let mut stage = Stage::new(plan, progress);
    match plan.scenario {
        Scenario::Join => stage.join(),
        Scenario::Idle => stage.idle(),
        Scenario::Spread => stage.spread(),
        Scenario::Burst => stage.burst(),
        Scenario::Crash => stage.crash(),
        Scenario::Split => stage.split(),
        Scenario::Churn => stage.churn(),
        Scenario::Maelstrom => stage.maelstrom(),
    }
    stage.close()
}
