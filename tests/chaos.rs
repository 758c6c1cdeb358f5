//! A few seeds of the swarm, as `gossip-node simulate --swarm` runs them by the thousand: everything goes wrong at once,
//! and in the end all agree.
//!
//! `CHAOS_SEEDS=n` runs more seeds, `CHAOS_SEED=n` just that one.

use gossip_node::sim::swarm::{self, Campaign, FAULTS, Tally};

/// Seeds that run where nobody says how many.
const SEEDS: u64 = 24;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn whatever_happens_all_agree_in_the_end() {
    if let Some(seed) = number("CHAOS_SEED") {
        let outcome = swarm::run(seed);
        eprintln!("{outcome:#?}");
        assert_eq!(outcome.violation, None);
        return;
    }
    let campaign = Campaign::run(0, number("CHAOS_SEEDS").unwrap_or(SEEDS), f64::INFINITY, 2, &mut |_| {});
    for outcome in &campaign.violations {
        eprintln!("CHAOS_SEED={} cargo test --test chaos: {:?}", outcome.seed, outcome.options);
    }
    eprintln!("{:#?}", campaign.counters);
    assert!(campaign.violations.is_empty(), "{:#?}", campaign.violations);
    let seen = FAULTS.len() - campaign.never_seen.len();
    assert!(seen * 10 >= FAULTS.len() * 9, "too few seeds, or faults that are none: {:?}", campaign.never_seen);
}

#[test]
fn the_same_seed_is_the_same_chaos() {
    let run = |seed| serde_json::to_string(&swarm::run(seed)).unwrap();
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_campaign_that_did_not_see_every_fault_proves_nothing() {
    let mut campaign = Campaign { seeds: 200, ..Campaign::default() };
    FAULTS.into_iter().for_each(|fault| campaign.counters.add(fault, 1));
    campaign.never_seen = campaign.counters.missing();
    assert!(campaign.holds());
    for fault in FAULTS {
        let mut others = Tally::default();
        FAULTS.into_iter().filter(|other| *other != fault).for_each(|other| others.add(other, 1));
        assert_eq!(others.missing(), [fault]);
        campaign.never_seen = others.missing();
        assert!(!campaign.holds());
    }
}
