//! [`Tally`]: what really happened. A fault that was never seen proves nothing.

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
