//! Who is there: how soon a crash is known to all, that nobody alive counts as dead, that splits heal, and what it costs
//! when nothing happens. Design section 8 has the figures to hold.

use gossip_node::proto::peers::Reach;
use gossip_node::proto::settings::Timing;
use gossip_node::proto::time::Tick;
use gossip_node::sim::Network;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// So many hosts, none of which knows another, or runs yet.
fn hosts(seed: u64, timing: Timing, nodes: usize) -> Network {
    let mut net = Network::new(seed);
    // To look at everything takes longer, the more nodes there are.
    (net.thorough, net.reaches) = (64, Some(Vec::new()));
    net.tune(move |settings| settings.pace.timing = timing);
    net.add_hosts(nodes, false);
    net
}

/// So many nodes, each of which has registered with the first, after so much time.
fn cluster(seed: u64, timing: Timing, nodes: usize, span: Duration) -> Network {
    let mut net = hosts(seed, timing, nodes);
    (0..nodes).for_each(|node| net.start(node));
    (1..nodes).for_each(|node| net.register(node, 0));
    net.run(span);
    net
}

/// Lets time pass until the condition holds, which is looked at every 10 ms; false if it does not within `span`.
fn until(net: &mut Network, span: Duration, holds: impl Fn(&Network) -> bool) -> bool {
    let end = net.now() + span;
    while !holds(net) {
        if net.now() >= end {
            return false;
        }
        net.run(Duration::from_millis(10).min(end.since(net.now())));
    }
    true
}

/// How `node` sees `other`.
fn reach(net: &Network, node: usize, other: usize) -> Option<Reach> {
    net.node(node).peers().peer(&net.guid(other)).map(|peer| peer.reach)
}

/// Whether all who run count so many peers as alive.
fn all_count(net: &Network, live: usize) -> bool {
    net.running().all(|node| net.node(node).peers().live() == live)
}

/// Whether all who run know all who run, and no others, to be alive, and their lists are equal.
fn all_know_all(net: &Network) -> bool {
    let mut lists = net.running().map(|node| net.node(node).peers().list());
    let first = lists.next();
    all_count(net, net.running().count() - 1) && lists.all(|list| Some(list) == first)
}

/// How often one of them came to be suspected, by any node.
fn suspected(net: &Network) -> usize {
    net.reaches.iter().flatten().filter(|(_, _, fact)| fact.reach == Reach::Suspect).count()
}

/// Whether all who run know that this one is not there.
fn known_dead(net: &Network, node: usize) -> bool {
    net.running().all(|other| other == node || reach(net, other, node) == Some(Reach::Unreachable))
}

/// Lives that were taken for lost: by whom, and who.
fn mistaken(net: &Network, since: Tick, dead: &[usize]) -> Vec<(f64, usize, String)> {
    let dead: Vec<_> = dead.iter().map(|&node| net.guid(node)).collect();
    (net.reaches.iter().flatten())
        .filter(|(at, _, fact)| *at >= since && fact.reach == Reach::Unreachable && !dead.contains(&fact.guid))
        .map(|(at, node, fact)| (at.0 as f64 / 1e6, *node, fact.name.to_string()))
        .collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Seconds after which each of so many crashes, one after the other, is known to all.
fn crashes(seed: u64, timing: Timing, nodes: usize, crashes: usize) -> Vec<f64> {
    let mut net = cluster(seed, timing, nodes, 30 * SECOND);
    assert!(all_know_all(&net));
    let times = (0..crashes).map(|crash| {
        let (victim, since) = (nodes - 1 - crash, net.now());
        net.crash(victim);
        assert!(until(&mut net, 30 * SECOND, |net| known_dead(net, victim)), "node {victim} is dead");
        let took = net.now().since(since).as_secs_f64();
        net.run(Duration::from_millis(3000 + 370 * crash as u64));
        took
    });
    let times = times.collect();
    let dead: Vec<usize> = (nodes - crashes..nodes).collect();
    assert_eq!(mistaken(&net, Tick(0), &dead), []);
    times
}

#[test]
fn a_joiner_with_one_seed_knows_all_in_no_time() {
    for nodes in [2, 5, 25, 100] {
        let mut net = cluster(nodes as u64, Timing::LAN, nodes, 40 * SECOND);
        assert!(all_know_all(&net), "{nodes} nodes know each other");
        let (late, since) = (net.add(), net.now());
        net.register(late, nodes / 2);
        assert!(until(&mut net, 5 * SECOND, |net| net.node(late).peers().live() == nodes), "the joiner knows all");
        let took = net.now().since(since);
        assert!(until(&mut net, 20 * SECOND, all_know_all), "all know the joiner");
        let all = net.now().since(since);
        eprintln!("{nodes} nodes: the joiner knows all after {took:?}, lists are equal after {all:?}");
        assert_eq!(mistaken(&net, Tick(0), &[]), []);
    }
}

#[test]
fn a_crash_is_known_to_all_in_time() {
    for (name, timing, nodes, most) in [
        ("lan", Timing::LAN, 25, 8.0),
        ("lan", Timing::LAN, 100, 8.0),
        ("fast", Timing::FAST, 25, 4.9),
        ("fast", Timing::FAST, 100, 4.9),
    ] {
        let times = crashes(40 + nodes as u64, timing, nodes, 9);
        let longest = times.iter().copied().fold(0.0, f64::max);
        let median = median(times.clone());
        eprintln!("{name}, {nodes} nodes: median {median:.2} s, longest {longest:.2} s: {times:.2?}");
        assert!(median <= most * 1.1, "{median}");
        let least = timing.suspicion.as_secs_f64() * (nodes.max(32) as f64).log10();
        assert!(times.iter().all(|&time| time > least * 0.99), "who is suspected has time to object");
    }
}

#[test]
fn hardly_any_crash_waits_long_for_the_first_to_notice() {
    let mut times: Vec<f64> = (0..10).flat_map(|seed| crashes(700 + seed, Timing::FAST, 30, 10)).collect();
    times.sort_by(f64::total_cmp);
    let (median, late) = (times[50], &times[95..]);
    eprintln!("100 crashes among 30: known to all after {median:.1} s (median), the latest {late:.1?}");
    assert!(late.iter().all(|&time| time <= 5.0), "{late:?}");
}

#[test]
fn where_few_are_there_to_confirm_a_suspicion_takes_its_least_time() {
    for nodes in [2, 3, 4] {
        for seed in 0..5 {
            let mut net = cluster(60 + seed, Timing::LAN, nodes, 20 * SECOND);
            net.run(Duration::from_millis(170 * seed));
            net.crash(nodes - 1);
            let since = net.now();
            assert!(until(&mut net, 20 * SECOND, |net| known_dead(net, nodes - 1)));
            let took = net.now().since(since).as_secs_f64();
            eprintln!("{nodes} nodes: {took:.2} s");
            // A round until it is probed (each of the others in turn), the probe, the least suspicion, and its spread.
            assert!(took > 3.0 && took < 1.1 * (nodes - 1) as f64 + 0.8 + 3.02 + 1.0, "{nodes} nodes: {took}");
            assert_eq!(mistaken(&net, Tick(0), &[nodes - 1]), []);
        }
    }
}

#[test]
fn nobody_alive_counts_as_dead_at_5_percent_loss() {
    for (nodes, timing) in [(25, Timing::LAN), (100, Timing::LAN), (100, Timing::FAST)] {
        let mut net = cluster(7, timing, nodes, 30 * SECOND);
        net.link.loss = 0.05;
        let since = net.now();
        net.run(300 * SECOND);
        let suspected = suspected(&net);
        let mistaken = mistaken(&net, since, &[]);
        eprintln!("{nodes} nodes: suspected {suspected} times, taken for dead {} times", mistaken.len());
        assert_eq!(mistaken, []);
    }
}

#[test]
fn lost_datagrams_raise_no_suspicion_and_cost_next_to_nothing() {
    let nodes = 100;
    let mut net = cluster(8, Timing::LAN, nodes, 120 * SECOND);
    (net.link.loss, net.reaches) = (0.1, Some(Vec::new()));
    let sent = |net: &Network| (0..nodes).map(|node| net.node(node).stats().datagrams_sent).sum::<u64>();
    let before = sent(&net);
    net.run(300 * SECOND);
    let rate = (sent(&net) - before) as f64 / (300 * nodes) as f64;
    let suspected = suspected(&net);
    eprintln!("{nodes} nodes, one datagram in ten lost: suspected {suspected} times, {rate:.2} datagrams a second");
    assert!(suspected <= nodes, "one node at most, by all the others: {suspected}");
    assert!(rate <= 4.0, "{rate}");
}

#[test]
fn a_node_that_stalls_for_three_seconds_is_not_dead_and_says_so() {
    let mut suspected = 0;
    for seed in 0..10 {
        let mut net = cluster(80 + seed, Timing::LAN, 5, 20 * SECOND);
        net.run(Duration::from_millis(130 * seed));
        let before = net.node(3).peers().incarnation();
        net.reaches = Some(Vec::new());
        net.pause(3, 3 * SECOND);
        net.run(10 * SECOND);
        assert_eq!(mistaken(&net, Tick(0), &[]), [], "seed {seed}");
        let frozen = net.guid(3);
        if net.reaches.iter().flatten().any(|(_, _, fact)| fact.guid == frozen && fact.reach == Reach::Suspect) {
            suspected += 1;
            assert!(net.node(3).peers().incarnation() > before, "it objected");
        }
        assert!(all_know_all(&net));
    }
    assert!(suspected >= 5, "suspected {suspected} times of 10");
}

#[test]
fn a_split_heals_within_five_seconds() {
    for (nodes, span) in [(2, 60), (5, 60), (5, 600), (30, 60), (100, 60)] {
        let mut net = cluster(90, Timing::LAN, nodes, 30 * SECOND);
        assert!(all_know_all(&net));
        let (left, right): (Vec<usize>, Vec<usize>) = (0..nodes).partition(|node| node % 2 == 0);
        net.partition(&[&left, &right]);
        net.run(span * SECOND);
        assert!(left.iter().all(|&node| net.node(node).peers().live() == left.len() - 1), "the split was real");
        net.partition(&[]);
        let since = net.now();
        let healed = until(&mut net, 60 * SECOND, |net| all_count(net, nodes - 1));
        let took = net.now().since(since);
        eprintln!("{nodes} nodes, split for {span} s: healed after {took:?}");
        assert!(healed && took < 5 * SECOND, "{nodes} nodes: {took:?}");
        assert!(until(&mut net, 20 * SECOND, all_know_all), "and lists become equal");
    }
}

#[test]
fn a_goodbye_is_known_to_all_within_a_second() {
    for nodes in [5, 30, 100] {
        let mut net = cluster(100, Timing::LAN, nodes, 30 * SECOND);
        for (leaver, restarting) in [(nodes - 1, false), (nodes - 2, true)] {
            let since = net.now();
            net.stop(leaver, restarting);
            let gone = |net: &Network| net.running().all(|node| reach(net, node, leaver) == Some(Reach::Left));
            assert!(until(&mut net, SECOND, gone), "{nodes} nodes: node {leaver} left");
            eprintln!("{nodes} nodes: known to all after {:?}", net.now().since(since));
            let reason = net.node(0).peers().peer(&net.guid(leaver)).unwrap().reason.to_string();
            assert_eq!(reason.contains("restarting"), restarting, "{reason}");
            net.run(5 * SECOND);
        }
        assert_eq!(mistaken(&net, Tick(0), &[]), []);
    }
}

#[test]
fn a_restart_comes_back_in_a_later_incarnation() {
    for (nodes, pause) in [(5, 0), (5, 2), (30, 2), (30, 20)] {
        let mut net = cluster(110, Timing::LAN, nodes, 20 * SECOND);
        let before = net.node(3).peers().incarnation();
        net.crash(3);
        net.run(pause * SECOND);
        net.start(3);
        assert!(until(&mut net, 20 * SECOND, all_know_all), "{nodes} nodes, {pause} s: all know all");
        assert!(net.node(3).peers().incarnation() > before || pause == 0);
        if pause < 3 {
            assert_eq!(mistaken(&net, Tick(0), &[]), []);
        }
    }
}

#[test]
fn an_idle_node_sends_next_to_nothing() {
    let mut net = cluster(120, Timing::LAN, 100, 120 * SECOND);
    assert!(all_know_all(&net));
    let sent = |net: &Network| -> Vec<(u64, u64)> {
        let stats = net.running().map(|node| net.node(node).stats());
        stats.map(|stats| (stats.datagrams_sent, stats.bytes_sent)).collect()
    };
    let before = sent(&net);
    net.run(10 * SECOND);
    let rates: Vec<(f64, f64)> = (sent(&net).iter().zip(before))
        .map(|(after, before)| ((after.0 - before.0) as f64 / 10.0, (after.1 - before.1) as f64 / 10.0))
        .collect();
    let most = rates.iter().fold((0.0f64, 0.0f64), |most, rate| (most.0.max(rate.0), most.1.max(rate.1)));
    let mean = rates.iter().fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0 / 100.0, sum.1 + rate.1 / 100.0));
    eprintln!("datagrams and bytes a second: mean {mean:.2?}, most {most:.2?}");
    assert!(most.0 <= 4.0 && most.1 <= 1000.0, "{most:?}");
}

#[test]
fn one_that_answers_others_is_not_dead_for_whom_it_does_not_answer() {
    let mut net = cluster(130, Timing::LAN, 5, 20 * SECOND);
    net.cut(1, 2);
    net.cut(2, 1);
    net.run(120 * SECOND);
    assert_eq!(mistaken(&net, Tick(0), &[]), []);
    let peer = net.guid(2);
    let explained = net.node(1).peers().explain(&peer).unwrap();
    assert!(explained.evidence.iter().any(|(_, text)| text.contains("it answered node-")), "{explained:#?}");
    assert_eq!(explained.reach, Reach::Reachable);
}

#[test]
fn every_state_has_its_reason() {
    let mut net = cluster(140, Timing::LAN, 5, 20 * SECOND);
    net.crash(4);
    let dead = net.guid(4);
    assert!(until(&mut net, 10 * SECOND, |net| reach(net, 0, 4) == Some(Reach::Suspect)));
    let explained = net.node(0).peers().explain(&dead).unwrap();
    let (deadline, what) = explained.next.clone().unwrap();
    assert!(deadline > net.now() && what.contains("dead unless it objects"), "{explained:#?}");
    assert!(until(&mut net, 20 * SECOND, |net| known_dead(net, 4)));
    net.run(5 * SECOND);
    for node in 0..4 {
        let explained = net.node(node).peers().explain(&dead).unwrap();
        let text: String = explained.evidence.iter().map(|(_, text)| format!("{text}\n")).collect();
        assert!(text.contains("suspects it") && text.contains("it was last heard"), "{text}");
        assert!(explained.next.is_some_and(|(at, _)| at >= net.now()) && explained.since.is_some());
    }
}

#[test]
fn three_who_met_it_bring_it_back_for_whom_it_cannot_reach() {
    let mut net = cluster(150, Timing::LAN, 12, 20 * SECOND);
    net.cut(0, 3);
    net.cut(3, 0);
    net.crash(3);
    assert!(until(&mut net, 20 * SECOND, |net| known_dead(net, 3)));
    net.start(3);
    net.register(3, 1);
    // Who misses one of few tellers hears it from the pages of the list, once a minute.
    assert!(until(&mut net, 90 * SECOND, |net| reach(net, 0, 3) == Some(Reach::Reachable)));
    assert_eq!(reach(&net, 1, 3), Some(Reach::Reachable));
}

/// What all nodes sent so far, by kind.
fn sent(net: &Network) -> String {
    let stats = || net.running().map(|node| net.node(node).stats());
    let (registers, challenges): (u64, u64) =
        (stats().map(|s| s.register_sent).sum(), stats().map(|s| s.challenge_sent).sum());
    let (hellos, through): (u64, u64) = (stats().map(|s| s.hello_sent).sum(), stats().map(|s| s.hello_for_sent).sum());
    let (all, bytes): (u64, u64) = (stats().map(|s| s.datagrams_sent).sum(), stats().map(|s| s.bytes_sent).sum());
    format!(
        "{all} datagrams, {bytes} bytes, {registers} REGISTER, {challenges} CHALLENGE, {hellos} HELLO, {through} HELLO_FOR"
    )
}

#[test]
#[ignore = "takes minutes: `DETECTOR_NODES=1000 cargo test --test detector -- --ignored --nocapture`"]
fn many_nodes() {
    let nodes: usize = std::env::var("DETECTOR_NODES").map_or(300, |nodes| nodes.parse().unwrap());
    let mut net = hosts(160, Timing::LAN, nodes);
    (0..nodes).for_each(|node| net.start(node));
    (1..nodes).for_each(|node| net.register(node, 0));
    let since = net.now();
    for seconds in [1, 5, 10, 120] {
        let left = (since + seconds * SECOND).since(net.now());
        let knowing = until(&mut net, left, |net| all_count(net, nodes - 1));
        eprintln!("all started at once: all know all: {knowing} after {:?}: {}", net.now().since(since), sent(&net));
    }
    let equal = until(&mut net, 120 * SECOND, all_know_all);
    eprintln!("lists equal: {equal} after {:?}: {}", net.now().since(since), sent(&net));
    net.run(30 * SECOND);
    eprintln!("idle from: {}", sent(&net));
    net.run(10 * SECOND);
    eprintln!("idle to:   {}", sent(&net));
    let mut times = Vec::new();
    for crash in 0..7 {
        let (victim, since) = (nodes - 1 - crash, net.now());
        net.crash(victim);
        assert!(until(&mut net, 40 * SECOND, |net| known_dead(net, victim)));
        times.push(net.now().since(since).as_secs_f64());
        net.run(Duration::from_millis(2000 + 370 * crash as u64));
    }
    eprintln!("crashes: median {:.2}: {times:.2?}", median(times.clone()));
    let (dead, left_over): (Vec<usize>, usize) = ((nodes - 7..nodes).collect(), nodes - 7);
    assert_eq!(mistaken(&net, Tick(0), &dead), []);
    let (left, right): (Vec<usize>, Vec<usize>) = (0..left_over).partition(|node| node % 2 == 0);
    net.partition(&[&left, &right]);
    net.run(60 * SECOND);
    let live: Vec<usize> = left.iter().map(|&node| net.node(node).peers().live()).collect();
    eprintln!("after 60 s of a split: {:?} to {:?} live: {}", live.iter().min(), live.iter().max(), sent(&net));
    net.partition(&[]);
    let since = net.now();
    let healed = until(&mut net, 60 * SECOND, |net| all_count(net, left_over - 1));
    eprintln!("healed: {healed} after {:?}: {}", net.now().since(since), sent(&net));
    assert!(healed);
}
