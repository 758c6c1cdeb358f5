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
