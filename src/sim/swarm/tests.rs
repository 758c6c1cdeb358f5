//! A swarm that cannot fail proves nothing: without a rule of the protocol it must find out.

use super::*;
use crate::proto::session::{SessionRule, lack};

/// A few nodes that restart, and somebody who plays recordings.
fn replayed(seed: u64) -> Outcome {
    let drawn = options(seed);
    let (nodes, span_ms, pace_ms, longest) = (3, 60_000, 150, 500);
    let (loss, delay_ms, jitter_ms, commit_ms) = (0.2, 1, 400, 20);
    let faults = vec![Fault::Crashes, Fault::Leaves];
    let adversary = Some(Adversary::Replayer);
    let link = Options { loss, delay_ms, jitter_ms, commit_ms, ..drawn };
    run_with(seed, Options { nodes, span_ms, pace_ms, longest, faults, adversary, ..link })
}

/// The first of so many seeds by which something was broken, and what.
fn broken(rule: Option<SessionRule>, seeds: u64) -> Option<(u64, String)> {
    lack(rule);
    let broken = (0..seeds).find_map(|seed| Some((seed, replayed(seed).violation?)));
    lack(None);
    broken
}

#[test]
fn recordings_get_through_without_the_rules_against_them() {
    assert_eq!(broken(None, 10), None);
    for rule in [SessionRule::Order, SessionRule::Tombstone, SessionRule::Destination] {
        // Without order, one in a hundred.
        let broken = broken(Some(rule), 1000);
        println!("without {rule:?}: {broken:?}");
        assert!(broken.is_some(), "{rule:?} is not needed");
    }
}

/// A node that promises what is not on its disk is found out: what it promised is lost in a crash.
#[test]
fn what_was_promised_too_early_is_missed() {
    let mut options = options(3);
    (options.nodes, options.faults, options.adversary) = (3, vec![Fault::Crashes], None);
    (options.span_ms, options.pace_ms, options.commit_ms) = (20_000, 100, 200);
    assert_eq!(run_with(3, options.clone()).violation, None);
    let mut swarm = Swarm::new(3, options);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..200 {
            swarm.something_happens();
            swarm.net.promise_all();
            swarm.net.run(Duration::from_millis(100));
            swarm.net.assert_safe();
        }
    }));
    assert!(ended.is_err(), "crashes after promises, and nothing was lost");
}
