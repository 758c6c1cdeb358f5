//! What spreading costs and how long it takes, in the simulator with the real core, held against the figures of the
//! design. `gossip-node simulate` shows the same runs.

use gossip_node::proto::settings::Timing;
use gossip_node::sim::scenario::{Delivery, MedianMax, Plan, Scenario, run};
use std::time::Duration;

/// How far a figure may be from the design's.
const SLACK: f64 = 1.10;
/// By loss: copies of a record that are sent for each node that is to get it.
const COPIES: [(f64, f64); 4] = [(0.0, 1.00), (0.01, 1.02), (0.1, 1.27), (0.2, 1.72)];
/// Which share is delivered before any repair, at that loss at most.
const BEFORE_REPAIR: [(f64, f64); 4] = [(0.0, 1.0), (0.01, 1.0), (0.1, 0.9999), (0.2, 0.999)];
/// By nodes: hops at most, on links without loss.
const HOPS: [(usize, u8); 3] = [(25, 3), (100, 4), (1000, 7)];
/// By nodes: milliseconds until 99 of 100 copies are there, for each loss of [`COPIES`]. With loss they are those of the
/// timeout of a rumour, which comes in steps: a run of few records may need one step more.
const P99_MS: [(usize, [f64; 4]); 3] =
    [(25, [1.9, 12.0, 32.0, 52.0]), (100, [2.6, 13.0, 33.0, 53.0]), (1000, [3.7, 14.0, 33.0, 53.0])];
/// Datagrams and bytes of UDP payload a node and record, without loss.
const DATAGRAMS: f64 = 2.0;
const BYTES: f64 = 341.0 + 2.0 * 32.0;
/// Datagrams that a burst of 1,000 records costs a node.
const BURST_DATAGRAMS: f64 = 250.0;
/// Seconds until a split has healed, and copies for each record that was missing.
const HEALED_S: f64 = 2.0;
const HEALED_COPIES: f64 = 1.05;
/// By profile: median seconds until a crash is known to all of a hundred nodes.
const KNOWN_LAN_S: f64 = 8.0;
const KNOWN_FAST_S: f64 = 4.9;
/// The same for each of a third of a thousand.
const KNOWN_THOUSAND_S: f64 = 8.8;
/// Messages of Maelstrom's broadcast workload for each operation, and milliseconds until a broadcast is everywhere.
const MAELSTROM: f64 = 19.5;
const MAELSTROM_MS: f64 = 200.0;
/// What an idle node sends a second on the mean of ten.
const IDLE_DATAGRAMS: f64 = 4.0;
const IDLE_BYTES: f64 = 1000.0;
/// The same datagrams where one in ten is lost and most probes are handshakes still: among a thousand nodes that met less
/// than a minute ago.
const IDLE_MEETING: f64 = 5.5;

/// Holds a run of the scenario `spread` against the figures.
fn hold(nodes: usize, loss: f64, records: usize) {
    let mut plan = Plan::new(Scenario::Spread, nodes);
    (plan.link.loss, plan.records) = (loss, records);
    let report = run(&plan, &mut |_| {});
    let (delivery, cost) = (report.delivery.expect("records were written"), report.cost.expect("that cost something"));
    let at = COPIES.iter().position(|(of, _)| *of == loss).expect("a loss of the table");
    let p99 = P99_MS.iter().find(|(of, _)| *of == nodes).expect("a size of the table").1[at];
    let most_hops = HOPS.iter().find(|(of, _)| *of == nodes).expect("a size of the table").1;
    let Delivery { delivered, before_repair, p99_ms, hops, .. } = delivery;
    let name = format!("{nodes} nodes, {loss} lost: {before_repair} before repair, p99 {p99_ms:?}, {hops:?}, {cost:?}");
    assert_eq!(delivered, 1.0, "all came: {name}");
    assert!(before_repair >= BEFORE_REPAIR[at].1, "before any repair: {name}");
    assert!(cost.copies <= COPIES[at].1 * SLACK, "copies: {name}");
    assert!(p99_ms.is_some_and(|took| took <= p99 * SLACK), "p99: {name}");
    let idle = report.idle.expect("nothing happened before");
    let most = if loss > 0.0 && nodes > 100 { IDLE_MEETING } else { IDLE_DATAGRAMS };
    assert!(idle.datagrams <= most && idle.bytes <= IDLE_BYTES, "idle: {idle:?}: {name}");
    assert_eq!(report.alarms.expect("somebody was there").declarations, 0.0, "nobody is held for dead: {name}");
    if loss == 0.0 {
        assert!(hops.is_some_and(|hops| hops.max <= most_hops), "hops: {name}");
        assert!(cost.datagrams <= DATAGRAMS * SLACK && cost.bytes <= BYTES * SLACK, "cost: {name}");
    }
}

#[test]
fn twenty_five_nodes_get_each_record_once_and_at_once() {
    [0.0, 0.01, 0.1].into_iter().for_each(|loss| hold(25, loss, 100));
}

#[test]
fn a_hundred_nodes_get_each_record_once_and_at_once() {
    [0.0, 0.01, 0.1].into_iter().for_each(|loss| hold(100, loss, 100));
}

#[test]
fn nodes_get_each_record_where_one_in_five_datagrams_is_lost() {
    [25, 100].into_iter().for_each(|nodes| hold(nodes, 0.2, 100));
}

#[test]
#[ignore = "a thousand nodes: .ci/thousand"]
fn a_thousand_nodes_get_each_record_once_and_at_once() {
    hold(1000, 0.0, 40);
}

#[test]
#[ignore = "a thousand nodes: .ci/thousand"]
fn a_thousand_nodes_get_each_record_where_one_in_ten_datagrams_is_lost() {
    hold(1000, 0.1, 40);
}

#[test]
#[ignore = "a thousand nodes: .ci/thousand"]
fn a_third_of_a_thousand_nodes_crashes_and_the_others_get_all_and_know_it_soon() {
    let report = run(&Plan::new(Scenario::Crash, 1000), &mut |_| {});
    let (delivery, detection) = (report.delivery.unwrap(), report.detection.unwrap());
    assert_eq!((delivery.delivered, delivery.before_repair), (1.0, 1.0), "p99 {:?}", delivery.p99_ms);
    let known = detection.known_s.expect("all know of all crashes");
    assert!(known.median <= KNOWN_THOUSAND_S * SLACK, "{known:?}");
    assert_eq!(report.alarms.unwrap().declarations, 0.0, "nobody who lives is held for dead");
}

#[test]
fn slow_links_cost_hops_and_no_copies_and_no_more_datagrams_while_idle() {
    for (nodes, hops) in [HOPS[0], HOPS[1]] {
        let mut plan = Plan::new(Scenario::Spread, nodes);
        (plan.link.delay, plan.link.jitter) = (Duration::from_millis(100), Duration::ZERO);
        let report = run(&plan, &mut |_| {});
        let (delivery, cost, idle) = (report.delivery.unwrap(), report.cost.unwrap(), report.idle.unwrap());
        assert_eq!(delivery.before_repair, 1.0);
        assert!(cost.copies <= COPIES[0].1 * SLACK, "{cost:?}");
        assert!(delivery.last_ms.unwrap() <= 100.0 * f64::from(hops) * SLACK, "{:?}", delivery.last_ms);
        assert!(idle.datagrams <= IDLE_DATAGRAMS, "{nodes} nodes: {idle:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    let with_seed = |seed| {
        let mut plan = Plan::new(Scenario::Crash, 20);
        (plan.link.loss, plan.seed, plan.records) = (0.05, seed, 20);
        run(&plan, &mut |_| {})
    };
    let (once, again, another) = (with_seed(7), with_seed(7), with_seed(8));
    assert_eq!(once, again);
    assert_ne!(once.trace, another.trace);
}

/// What is due within a link's least delay happens on all cores at once: longer than on a LAN, so that there is much of it.
#[test]
fn however_many_cores_there_are_it_is_the_same_run() {
    let on = |jobs| {
        let mut plan = Plan::new(Scenario::Split, 70);
        (plan.link.loss, plan.link.delay, plan.split, plan.jobs) =
            (0.05, Duration::from_millis(5), Duration::from_secs(5), jobs);
        run(&plan, &mut |_| {})
    };
    let one = on(1);
    assert_eq!(one.split.and_then(|split| split.healed_s).map(|_| ()), Some(()));
    for jobs in [2, 5] {
        assert_eq!(on(jobs), one, "{jobs}");
    }
}

#[test]
fn a_burst_shares_datagrams() {
    let report = run(&Plan::new(Scenario::Burst, 100), &mut |_| {});
    let datagrams = report.cost.unwrap().datagrams * report.records as f64;
    assert_eq!(report.delivery.unwrap().before_repair, 1.0);
    assert!(datagrams <= BURST_DATAGRAMS, "{datagrams} datagrams a node");
}

#[test]
fn who_lives_gets_all_though_many_crash_at_once() {
    let report = run(&Plan::new(Scenario::Crash, 100), &mut |_| {});
    let delivery = report.delivery.unwrap();
    assert_eq!(delivery.before_repair, 1.0, "delivered {}, p99 {:?}", delivery.delivered, delivery.p99_ms);
}

fn detection(timing: Timing) -> MedianMax {
    let mut plan = Plan::new(Scenario::Crash, 100);
    (plan.crash, plan.timing) = (0.1, timing);
    let report = run(&plan, &mut |_| {});
    assert_eq!(report.alarms.unwrap().declarations, 0.0, "nobody who lives is held for dead");
    report.detection.unwrap().known_s.expect("all know of all crashes")
}

#[test]
fn a_crash_is_known_to_all_within_seconds() {
    assert!(detection(Timing::LAN).median <= KNOWN_LAN_S * SLACK);
    assert!(detection(Timing::FAST).median <= KNOWN_FAST_S * SLACK);
}

#[test]
fn a_third_that_crashes_at_once_is_known_to_all_as_soon_as_one_that_does() {
    let mut plan = Plan::new(Scenario::Crash, 300);
    (plan.crash, plan.records) = (0.33, 5);
    let known = run(&plan, &mut |_| {}).detection.unwrap().known_s.expect("all know of all crashes");
    assert!(known.median <= KNOWN_LAN_S, "{known:?}");
}

#[test]
fn a_split_heals_soon_and_at_little_cost() {
    let mut plan = Plan::new(Scenario::Split, 50);
    plan.split = Duration::from_secs(30);
    let split = run(&plan, &mut |_| {}).split.unwrap();
    assert!(split.missing > 5000, "the split was real: {split:?}");
    assert!(split.healed_s.is_some_and(|healed| healed <= HEALED_S), "{split:?}");
    assert!(split.copies <= HEALED_COPIES * SLACK, "{split:?}");
}

#[test]
fn idle_nodes_are_quiet() {
    let mut plan = Plan::new(Scenario::Idle, 50);
    plan.lasting = Duration::from_secs(30);
    let idle = run(&plan, &mut |_| {}).idle.unwrap();
    assert!(idle.datagrams <= IDLE_DATAGRAMS && idle.bytes <= IDLE_BYTES, "{idle:?}");
}

#[test]
fn nodes_that_come_and_go_miss_nothing() {
    let mut plan = Plan::new(Scenario::Churn, 50);
    plan.lasting = Duration::from_secs(120);
    let report = run(&plan, &mut |_| {});
    assert_eq!(report.delivery.unwrap().delivered, 1.0);
}

#[test]
fn nodes_that_start_at_once_all_meet() {
    let report = run(&Plan::new(Scenario::Join, 50), &mut |_| {});
    assert!(report.met_s.is_some_and(|met| met <= 30.0), "{:?}", report.met_s);
}

#[test]
fn maelstroms_broadcasts_are_stable_after_two_trips() {
    let report = run(&Plan::new(Scenario::Maelstrom, 25), &mut |_| {});
    let maelstrom = report.maelstrom.unwrap();
    let stable = maelstrom.stable_ms.unwrap();
    assert!(stable.max <= MAELSTROM_MS, "{maelstrom:?}");
    assert!(maelstrom.messages_per_op <= MAELSTROM, "all datagrams, reads counted as operations: {maelstrom:?}");
}
