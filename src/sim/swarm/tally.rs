//! [`Tally`]: what really happened. A fault that was never seen proves nothing.

use super::{Fault, Swarm};
use crate::proto::time::Tick;
use crate::sim::Seen;
use serde::Serialize;
use std::collections::BTreeMap;

/// What must have happened at least once in a campaign that is to prove something.
pub const FAULTS: [&str; 44] = [
    "datagrams_lost",
    "datagrams_duplicated",
    "datagrams_reordered",
    "datagrams_flipped",
    "datagrams_truncated",
    "datagrams_clogged",
    "datagrams_cut",
    "datagrams_cut_one_way",
    "datagrams_put_off_by_pauses",
    "datagrams_filtered_by_nat",
    "partitions",
    "cuts",
    "clogs",
    "crashes",
    "facts_lost_by_crashes",
    "torn_commits",
    "facts_of_torn_commits",
    "corrupt_stores",
    "records_lost_by_corruption",
    "disks_full",
    "facts_refused_by_full_disks",
    "bad_reads",
    "leaves",
    "clock_jumps",
    "drifting_clocks",
    "pauses",
    "moves",
    "nat_rebindings",
    "homes_cloned",
    "clones_renamed",
    "backups_restored",
    "keys_changed",
    "rotations_finished",
    "records_past_their_age",
    "replayed",
    "replays_rejected",
    "spoofed",
    "strangers_challenged",
    "flooded",
    "fake_peers_named",
    "chunks_hoarded",
    "digests_poisoned",
    "equivocated",
    "long_records",
];

/// Named counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Something happened so often.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// It was so much, and only the most counts.
    pub fn most(&mut self, what: &'static str, much: u64) {
        let most = self.0.entry(what).or_default();
        *most = (*most).max(much);
    }

    /// How often it happened.
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// All counters.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(&what, &times)| (what, times))
    }

    /// Adds what happened elsewhere. What is named `most_...` is the most of both.
    pub fn merge(&mut self, other: &Tally) {
        for (what, times) in other.iter() {
            if what.starts_with("most_") { self.most(what, times) } else { self.add(what, times) }
        }
    }

    /// Faults that were never seen.
    pub fn missing(&self) -> Vec<&'static str> {
        FAULTS.into_iter().filter(|fault| self.count(fault) == 0).collect()
    }
}

impl Swarm {
    /// Counts what the network saw.
    pub(super) fn count(&mut self) {
        // All of them by name, or one that comes would be left out.
        let Seen {
            sent,
            delivered,
            lost,
            duplicated,
            reordered,
            flipped,
            truncated,
            clogged,
            cut,
            cut_one_way,
            put_off,
            filtered,
            crashed,
            torn,
            corrupted,
            disowned,
            answered,
            renamed,
        } = self.net.seen;
        let (mut facts_lost, mut refused) = (0, 0);
        for node in 0..self.net.hosts() {
            let disk = self.net.disk(node);
            (facts_lost, refused) = (facts_lost + disk.lost, refused + disk.refused);
        }
        let drifting = if self.options.has(Fault::Drift) { self.options.nodes as u64 } else { 0 };
        let counts = [
            ("datagrams_sent", sent),
            ("datagrams_delivered", delivered),
            ("datagrams_lost", lost),
            ("datagrams_duplicated", duplicated),
            ("datagrams_reordered", reordered),
            ("datagrams_flipped", flipped),
            ("datagrams_truncated", truncated),
            ("datagrams_clogged", clogged),
            ("datagrams_cut", cut),
            ("datagrams_cut_one_way", cut_one_way),
            ("datagrams_put_off_by_pauses", put_off),
            ("datagrams_filtered_by_nat", filtered),
            ("crashes", crashed),
            ("facts_lost_by_crashes", facts_lost),
            ("facts_of_torn_commits", torn),
            ("records_lost_by_corruption", corrupted),
            ("records_lost_with_their_only_disk", disowned),
            ("facts_refused_by_full_disks", refused),
            ("drifting_clocks", drifting),
            ("clones_renamed", renamed),
            ("records_past_their_age", self.net.left() as u64),
            ("strangers_challenged", answered),
            ("simulated_ms", self.net.now().since(Tick(0)).as_millis() as u64),
        ];
        counts.into_iter().for_each(|(what, times)| self.tally.add(what, times));
    }
}
