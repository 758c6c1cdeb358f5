//! A partition in which a great deal was said on both sides, on links that lose three datagrams in ten. README says how long
//! it takes until all hold the same.

use gossip_node::sim::Network;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NODES: usize = 64;

/// Two halves that say `records` each while they do not hear of each other; how long they take afterwards.
fn heal(nodes: usize, records: usize, loss: f64, patience: Duration) -> Option<Duration> {
    let mut net = Network::new(64);
    net.check = false;
    let all = net.add_cluster(nodes);
    net.run(20 * SECOND);
    net.link.loss = loss;
    let (left, right) = all.split_at(nodes / 2);
    net.partition(&[left, right]);
    for number in 0..records {
        for side in [left, right] {
            net.create(side[number % side.len()], format!("{number:0>150}").into_bytes()).unwrap();
        }
        if number % 10 == 9 {
            net.run(SECOND / 20);
        }
    }
    let held = |net: &Network, node: usize| net.node(node).ledger().state().count as usize;
    assert!(net.run_until(120 * SECOND, |net| all.iter().all(|&node| held(net, node) == records)), "each half agrees");
    net.heal();
    let healed = net.now();
    let mut equal = false;
    while !equal && net.now().since(healed) < patience {
        equal = net.run_until(SECOND, |net| net.converged());
        let (least, sum) = all
            .iter()
            .map(|&node| held(&net, node))
            .fold((usize::MAX, 0), |(least, sum), held| (least.min(held), sum + held));
        println!("{:>5.1} s: {least} at least, {} on the mean", net.now().since(healed).as_secs_f64(), sum / nodes);
    }
    let took = net.now().since(healed);
    println!("{nodes} nodes, {records} records a side, {loss} lost: {equal} after {took:?}");
    equal.then_some(took)
}

#[test]
fn a_small_partition_heals_in_seconds() {
    assert!(heal(8, 2_000, 0.3, 60 * SECOND).is_some_and(|took| took <= 12 * SECOND));
}

#[test]
#[ignore = "takes minutes: README, Measuring, has the command"]
fn a_partition_with_a_thousand_records_a_side_heals_within_a_minute() {
    assert!(heal(NODES, 1_000, 0.3, 60 * SECOND).is_some());
}

#[test]
#[ignore = "takes minutes: README, Measuring, has the command"]
fn a_partition_with_ten_thousand_records_a_side_heals_within_a_minute() {
    assert!(heal(NODES, 10_000, 0.3, 120 * SECOND).is_some_and(|took| took <= 60 * SECOND));
}

#[test]
fn two_that_were_apart_for_more_than_a_day_find_each_other_without_help() {
    let mut net = Network::new(7);
    net.check = false;
    let both = net.add_cluster(2);
    assert!(net.run_until(20 * SECOND, |net| both.iter().all(|&node| net.node(node).peers().live() == 1)));
    net.partition(&[&both[..1], &both[1..]]);
    net.run(26 * 3600 * SECOND);
    assert!(
        both.iter().all(|&node| net.node(node).peers().iter().next().is_none()),
        "nobody is listed for longer than a day"
    );
    both.iter().for_each(|&node| assert!(net.create(node, format!("said alone by {node}")).is_some()));
    net.heal();
    assert!(net.run_until(120 * SECOND, |net| net.converged()));
}
