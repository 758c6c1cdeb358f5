//! Mutants of spreading: stories that only end well by a rule, told with it and without it.

use super::Rule;
use crate::proto::gossip::Guid;
use crate::sim::Network;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Copies that came to `nodes` nodes within 200 ms, before any digest: a share of all. `loss` of all datagrams is lost.
fn delivered(rule: Option<Rule>, nodes: usize, loss: f64, seed: u64) -> f64 {
    let mut net = Network::new(seed);
    net.check = false;
    let all = net.add_cluster(nodes);
    assert!(net.run_until(60 * SECOND, |net| all.iter().all(|&node| net.node(node).peers().live() == nodes - 1)));
    if let Some(rule) = rule {
        all.iter().for_each(|&node| net.node_mut(node).spread_without(rule));
    }
    net.run(3 * SECOND);
    net.link.loss = loss;
    let (mut here, records) = (0, 40);
    for number in 0..records {
        let guid: Guid = net.create(number * 7 % nodes, format!("number {number}")).expect("it runs");
        net.run(Duration::from_millis(200));
        here += all.iter().filter(|&&node| net.node(node).ledger().contains(&guid)).count();
    }
    here as f64 / (records * nodes) as f64
}

#[test]
fn without_acknowledgements_every_record_is_sent_six_times() {
    let sent = |rule: Option<Rule>| {
        let mut net = Network::new(1);
        let all = net.add_cluster(10);
        net.run(10 * SECOND);
        if let Some(rule) = rule {
            all.iter().for_each(|&node| net.node_mut(node).spread_without(rule));
        }
        net.create(0, "hello");
        net.run(5 * SECOND);
        all.iter().map(|&node| net.node(node).stats().rumor_sent).sum::<u64>()
    };
    assert_eq!(sent(None), 9);
    assert!(sent(Some(Rule::Acknowledgement)) > 30);
}

#[test]
fn rumours_reach_almost_everybody_before_any_digest_at_ten_per_cent_loss() {
    let share = delivered(None, 60, 0.1, 5);
    assert!(share > 0.999, "{share}");
}

#[test]
fn whoever_has_a_record_already_still_serves_the_first_range_that_comes_for_it() {
    let missing = |rule| (1..4).map(|seed| 1.0 - delivered(rule, 60, 0.2, seed)).sum::<f64>();
    let (with, without) = (missing(None), missing(Some(Rule::LateRange)));
    assert!(with * 2.0 < without, "{with} of all copies were missing with the rule, {without} without it");
}

#[test]
fn a_range_whose_head_is_cut_off_goes_to_the_next_peer_of_the_part() {
    let mut net = Network::new(3);
    let all = net.add_cluster(30);
    assert!(net.run_until(60 * SECOND, |net| all.iter().all(|&node| net.node(node).peers().live() == 29)));
    net.run(2 * SECOND);
    // Five nodes fall silent at once; nobody knows yet.
    (5..10).for_each(|node| net.crash(node));
    let guid = net.create(0, "hello").expect("it runs");
    let everywhere = |net: &Network| net.running().all(|node| net.node(node).ledger().contains(&guid));
    assert!(net.run_until(Duration::from_millis(300), everywhere));
    let stats: Vec<_> = net.running().map(|node| net.node(node).stats()).collect();

    assert!(stats.iter().map(|stats| stats.rumors_repeated).sum::<u64>() >= 5, "what was silent was tried again");
}
