//! [`Campaign`]: many seeds, some at a time, and what they came to together.

use super::{Outcome, Tally, run};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

/// A campaign of so many seeds must have seen every fault, or it proves nothing.
pub const TELLING: u64 = 200;

/// How far a campaign has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Seeds that are through.
    pub seeds: u64,
    /// Simulated hours so far.
    pub hours: f64,
    /// Violations so far.
    pub violations: usize,
}

/// Consecutive seeds, and what they came to.
#[derive(Debug, Default, Serialize)]
pub struct Campaign {
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds ran, from the first on.
    pub seeds: u64,
    /// Simulated cluster-hours: hours in the life of a whole network.
    pub cluster_hours: f64,
    /// What happened, over all seeds.
    pub counters: Tally,
    /// How many seeds had so many nodes.
    pub sizes: BTreeMap<usize, u64>,
    /// Faults that were never seen.
    pub never_seen: Vec<&'static str>,
    /// Seeds that broke something.
    pub violations: Vec<Outcome>,
}

impl Campaign {
    /// Runs so many seeds from the first on, so many at a time. No other is begun once `hours` of simulated time have
    /// passed.
    pub fn run(first: u64, seeds: u64, hours: f64, jobs: usize, progress: &mut dyn FnMut(Progress)) -> Campaign {
        let (next, enough) = (AtomicU64::new(0), AtomicBool::new(false));
        let (done, results) = mpsc::channel();
        let mut campaign = Campaign { first_seed: first, ..Campaign::default() };
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                let (done, next, enough) = (done.clone(), &next, &enough);
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) {
                        let step = next.fetch_add(1, Ordering::Relaxed);
                        if step >= seeds || done.send(run(first.wrapping_add(step))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(done);
            for outcome in results {
                campaign.add(outcome);
                if campaign.cluster_hours >= hours {
                    enough.store(true, Ordering::Relaxed);
                }
                let (seeds, hours, violations) = (campaign.seeds, campaign.cluster_hours, campaign.violations.len());
                progress(Progress { seeds, hours, violations });
            }
        });
        campaign.violations.sort_by_key(|outcome| outcome.seed);
        campaign.never_seen = campaign.counters.missing();
        campaign
    }

    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.cluster_hours += outcome.tally.count("simulated_ms") as f64 / 3_600_000.0;
        self.counters.merge(&outcome.tally);
        *self.sizes.entry(outcome.options.nodes).or_default() += 1;
        if outcome.violation.is_some() {
            self.violations.push(outcome);
        }
    }

    /// Whether nothing was broken, and, where there were enough seeds for that, every fault was seen.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && (self.seeds < TELLING || self.never_seen.is_empty())
    }
}
