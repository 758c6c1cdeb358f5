//! [`Options`]: what one seed draws.

use super::Adversary;
use crate::sim::Link;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde::Serialize;
use std::time::Duration;

/// What goes wrong, beside what links do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The network falls apart into two.
    Partitions,
    /// One direction between two nodes is cut.
    Cuts,
    /// Datagrams are held back and come all at once.
    Clogs,
    /// Nodes lose what they had not on disk.
    Crashes,
    /// Crashes in the middle of a commit.
    TornCommits,
    /// Stores are damaged, and what is left of them is salvaged.
    Corruption,
    /// Nodes leave in order, and come back.
    Leaves,
    /// Nodes get another address.
    Moves,
    /// NATs forget, and let nobody in who was not asked.
    Rebindings,
    /// Disks are full.
    FullDisks,
    /// Disks read nothing, or something else: what a peer does that means harm.
    BadReads,
    /// Wall clocks jump by decades.
    Clocks,
    /// Wall clocks go wrong by up to 500 millionths.
    Drift,
    /// Processes stand still.
    Pauses,
    /// Homes are copied to other hosts.
    Clones,
    /// Old backups are restored.
    Backups,
    /// The password changes, host by host.
    Keys,
    /// The network keeps nothing that is older than an hour.
    Retention,
}

const ALL: [Fault; 18] = [
    Fault::Partitions,
    Fault::Cuts,
    Fault::Clogs,
    Fault::Crashes,
    Fault::TornCommits,
    Fault::Corruption,
    Fault::Leaves,
    Fault::Moves,
    Fault::Rebindings,
    Fault::FullDisks,
    Fault::BadReads,
    Fault::Clocks,
    Fault::Drift,
    Fault::Pauses,
    Fault::Clones,
    Fault::Backups,
    Fault::Keys,
    Fault::Retention,
];

/// What one seed draws. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// How many nodes there are at first.
    pub nodes: usize,
    /// How long the chaos lasts.
    pub span_ms: u64,
    /// Time between two events on average.
    pub pace_ms: u64,
    /// Which share of datagrams is lost.
    pub loss: f64,
    /// Which share comes twice.
    pub duplicate: f64,
    /// Which share comes with a flipped bit.
    pub flip: f64,
    /// Of which share only the beginning comes.
    pub truncate: f64,
    /// How long a datagram takes at least.
    pub delay_ms: u64,
    /// And how much longer at most.
    pub jitter_ms: u64,
    /// Bytes of the longest message.
    pub longest: usize,
    /// The longest that a disk takes to commit.
    pub commit_ms: u64,
    /// What else goes wrong.
    pub faults: Vec<Fault>,
    /// Who means harm.
    pub adversary: Option<Adversary>,
}

impl Options {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Options {
        let nodes = match rng.random_range(0..200) {
            0 => 256,
            1..=6 => 64,
            _ => rng.random_range(2..=16),
        };
        let seconds = match nodes {
            256 => 20..=40,
            64 => 30..=120,
            _ => 90..=1200,
        };
        let mut some = |of: f64| if rng.random_bool(0.6) { rng.random_range(0.0..=of) } else { 0.0 };
        let (loss, duplicate, flip, truncate) = (some(0.6), some(0.5), some(0.05), some(0.05));
        // From a millisecond to two seconds, as often short as long.
        let (delay, jitter) = (some(2000f64.ln()).exp() as u64, some(2000f64.ln()).exp() as u64);
        let (jitter_ms, delay_ms) = (jitter.min(2000), delay.min(2000 - jitter.min(2000)));
        let longest = if nodes <= 16 && rng.random_bool(0.5) { 300 << 10 } else { 2 << 10 };
        let span_ms = 1000 * log_uniform(rng, *seconds.start(), *seconds.end());
        let events = rng.random_range(40..=250);
        let pace_ms = span_ms / events;
        let mut faults: Vec<Fault> = ALL.into_iter().filter(|_| rng.random_bool(0.4)).collect();
        if faults.contains(&Fault::Retention) {
            // What a clock that is decades wrong takes from a network that keeps an hour is not lost by us.
            faults.retain(|fault| *fault != Fault::Clocks);
        }
        let adversary = Adversary::ALL.choose(rng).copied().filter(|_| rng.random_bool(0.9));
        let commit_ms = rng.random_range(0..=200);
        Options {
            nodes,
            span_ms,
            pace_ms,
            loss,
            duplicate,
            flip,
            truncate,
            delay_ms,
            jitter_ms,
            longest,
            commit_ms,
            faults,
            adversary,
        }
    }

    /// Whether this goes wrong.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub(super) fn link(&self) -> Link {
        let Options { loss, duplicate, flip, truncate, .. } = *self;
        let (delay, jitter) = (Duration::from_millis(self.delay_ms), Duration::from_millis(self.jitter_ms));
        Link { loss, duplicate, flip, truncate, delay, jitter, brisk: false }
    }

    pub(super) fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms)
    }

    pub(super) fn pace(&self) -> Duration {
        Duration::from_millis(self.pace_ms)
    }

    pub(super) fn commit(&self) -> Duration {
        Duration::from_millis(self.commit_ms)
    }
}

fn log_uniform(rng: &mut ChaCha8Rng, least: u64, most: u64) -> u64 {
    let magnitude = rng.random_range((least as f64).ln()..=(most as f64).ln());
    (magnitude.exp() as u64).clamp(least, most)
}
