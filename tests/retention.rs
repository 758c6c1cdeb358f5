//! What leaves a network, and when: records that grow too old, and nodes that are forgotten. Simulated networks of real
//! nodes; the seeds in reserve run with `cargo test --release --test retention -- --ignored`.

use bytes::Bytes;
use gossip_node::proto::decree::{Decree, Terms};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::time::Timestamp;
use gossip_node::sim::{Link, Network};
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Microseconds of a clock that is wrong by so many minutes.
fn minutes(minutes: i64) -> i64 {
    minutes * 60_000_000
}

/// Network settings as somebody decreed them long ago.
fn settings(max_age: Option<Duration>, origin_timeout: Option<Duration>) -> Gossip {
    let terms = Decree::Settings(Terms { max_age, origin_timeout });
    Gossip::make(Kind::Settings, Timestamp(1), Guid([9; 16]), "elder", Bytes::from(terms.to_string())).unwrap()
}

/// Half a day passes, so nodes greet each other seldom.
fn slow(settings: &mut Settings) {
    settings.gossip_timer = 20 * SECOND;
    settings.timing.probe_period = 20 * SECOND;
}

/// A network with these settings whose clocks differ by up to ten minutes.
fn skewed(seed: u64, nodes: usize, max_age: Duration) -> (Network, Vec<usize>) {
    let mut net = Network::new(seed);
    net.check = false;
    net.link = Link { loss: 0.05, duplicate: 0.02, ..Link::default() };
    net.tune(slow);
    let all = net.add_cluster(nodes);
    for &node in &all {
        net.set_clock(node, minutes(node as i64 % 3 * 5 - 5));
        net.crash(node);
        net.start(node);
    }
    net.preload(all[0], &settings(Some(max_age), None));
    (net, all)
}

/// Whether all running nodes hold equal sets.
fn equal(net: &Network) -> bool {
    let mut states = net.running().map(|node| net.node(node).ledger().state());
    let first = states.next();
    states.all(|state| Some(state) == first)
}

fn held(net: &Network, node: usize) -> BTreeSet<Guid> {
    net.node(node).ledger().lines().map(|line| line.key.guid).collect()
}

fn shown(net: &Network) -> String {
    let one = |node: usize| {
        let (state, law) = (net.node(node).ledger().state(), net.node(node).retention());
        format!(
            "{node}: {} records, root {:x?}, horizon {}, {} aside\n",
            state.count,
            &state.root[..2],
            law.horizon().0,
            law.gone.len()
        )
    };
    net.running().map(one).collect()
}

fn text(len: usize, start: u64) -> String {
    (start..).map(|number| format!("{number} ")).flat_map(|word| word.chars().collect::<Vec<_>>()).take(len).collect()
}

/// Bytes that a node sends in a second, on the mean of a minute.
fn idle_bytes(net: &mut Network) -> f64 {
    let sent = |net: &Network| net.running().map(|node| net.node(node).stats().bytes_sent).sum::<u64>();
    let (before, nodes) = (sent(net), net.running().count());
    net.run(MINUTE);
    (sent(net) - before) as f64 / 60.0 / nodes as f64
}

/// Records age while nodes crash, join late, and long ones are under way; the clocks are ten minutes apart.
fn an_age(seed: u64, nodes: usize) {
    let max_age = 12 * HOUR;
    let (mut net, all) = skewed(seed, nodes, max_age);
    assert!(net.run_until(2 * MINUTE, |net| equal(net) && net.node(0).ledger().state().count == 1), "seed {seed}");
    let mut old = BTreeSet::new();
    for round in 0..12 {
        old.extend(net.create(all[round % nodes], format!("old {round}")));
        net.run(20 * SECOND);
    }
    old.extend(net.create(all[0], text(300_000, seed)));
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, 0).len() == 14), "seed {seed}");
    // Half of the time is over; then come others, and one node sleeps through the hour in which the old ones leave.
    net.run(max_age / 2);
    let sleeper = all[nodes - 1];
    let mut young: BTreeSet<Guid> =
        (0..12).filter_map(|round| net.create(all[round % nodes], format!("young {round}"))).collect();
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, 0).len() == 26), "seed {seed}");
    net.crash(sleeper);
    net.run(max_age / 2 - HOUR);
    // A long one is begun, and its only holder's link is slow: it is under way when it is too old for some.
    net.run(HOUR + 30 * MINUTE);
    let late = net.add();
    net.register(late, all[0]);
    net.start(sleeper);
    young.extend(net.create(all[1], "youngest"));
    let settled = |net: &Network| equal(net) && held(net, 0).is_superset(&young);
    assert!(net.run_until(10 * MINUTE, settled), "seed {seed}: {}", shown(&net));
    for node in net.running().collect::<Vec<_>>() {
        let held = held(&net, node);
        assert!(held.is_disjoint(&old), "seed {seed}: what is too old is held nowhere, not even by node {node}");
        assert_eq!(held.len(), young.len() + 1, "seed {seed}: and the settings");
    }
    let idle = idle_bytes(&mut net);
    assert!(idle < 1000.0, "seed {seed}: {idle} bytes a second");
    // A crash loses neither the horizon nor what was put aside.
    let aside = net.disk(all[0]).aside();
    assert!(old.is_subset(&aside) || aside.is_empty(), "seed {seed}");
    net.crash_all(&all);
    all.iter().for_each(|&node| net.start(node));
    assert!(net.running().all(|node| held(&net, node).is_disjoint(&old)), "seed {seed}: nothing comes back");
    net.run(2 * HOUR);
    assert!(equal(&net) && held(&net, all[0]).is_superset(&young), "seed {seed}");
    for &node in &all {
        assert!(net.disk(node).aside().is_disjoint(&old), "seed {seed}: an hour later the disk is rid of them");
        assert!(net.disk(node).guids().is_disjoint(&old), "seed {seed}");
    }
    let refetched: u64 = net.running().map(|node| net.node(node).stats().records_expired).sum();
    println!("seed {seed}: {refetched} refused, idle at {idle:.0} B/s");
}

#[test]
fn records_age_though_clocks_are_ten_minutes_apart() {
    an_age(1, 5);
}

#[test]
#[ignore = "takes minutes"]
fn many_ages() {
    (2..40).for_each(|seed| an_age(seed, 3 + seed as usize % 6));
}

// ---- nodes that are forgotten ----

const TIMEOUT: Duration = Duration::from_secs(1800);

/// Nodes that were told to forget who is not reached for half an hour, with ten messages of each.
fn forgetful(seed: u64, nodes: usize) -> (Network, Vec<usize>) {
    let mut net = Network::new(seed);
    net.check = false;
    net.link = Link { loss: 0.02, ..Link::default() };
    net.tune(|settings| {
        slow(settings);
        settings.terms = Terms { max_age: None, origin_timeout: Some(TIMEOUT) };
    });
    let all = net.add_cluster(nodes);
    net.run(MINUTE);
    for round in 0..10 {
        all.iter().for_each(|&node| drop(net.create(node, format!("{round} of {node}"))));
    }
    let settled = |net: &Network| equal(net) && held(net, 0).len() == 10 * nodes + 1;
    assert!(net.run_until(5 * MINUTE, settled), "seed {seed}: {}", shown(&net));
    (net, all)
}

/// How many records of this kind a node holds.
fn count(net: &Network, node: usize, kind: Kind) -> usize {
    net.node(node).ledger().lines().filter(|line| line.kind() == kind).count()
}

fn messages_of(net: &Network, node: usize, of: usize) -> usize {
    let origin = net.guid(of);
    net.node(node).ledger().messages_of(&origin) as usize
}

#[test]
fn nodes_that_were_told_the_same_settings_make_one_record_of_them() {
    let (net, all) = forgetful(3, 7);
    for &node in &all {
        assert_eq!(count(&net, node, Kind::Settings), 1);
        assert_eq!(net.node(node).retention().terms().origin_timeout, Some(TIMEOUT));
    }
}

/// One dies, and is forgotten by all others with what it said, by few records. It returns later.
fn a_death(seed: u64, nodes: usize) {
    let (mut net, all) = forgetful(seed, nodes);
    let dead = all[seed as usize % nodes];
    let rest: Vec<usize> = all.iter().copied().filter(|&node| node != dead).collect();
    net.crash(dead);
    net.run(TIMEOUT - 5 * MINUTE);
    assert!(rest.iter().all(|&node| messages_of(&net, node, dead) == 10), "seed {seed}: it may come back yet");
    // One starts again in the meantime: what it counted so far is not lost.
    net.crash(rest[0]);
    net.start(rest[0]);
    assert!(
        net.run_until(15 * MINUTE, |net| rest.iter().all(|&node| messages_of(net, node, dead) == 0)),
        "seed {seed}"
    );
    net.run(5 * MINUTE);
    assert!(equal(&net), "seed {seed}: {}", shown(&net));
    for &node in &rest {
        assert!(rest.iter().all(|&of| messages_of(&net, node, of) == 10), "seed {seed}");
        assert!(count(&net, node, Kind::Forget) <= 2, "seed {seed}: {} forgets", count(&net, node, Kind::Forget));
        assert!(net.node(node).peers().peer(&net.guid(dead)).is_none(), "seed {seed}: it is no peer any more");
    }
    let idle = idle_bytes(&mut net);
    assert!(idle < 1000.0, "seed {seed}: {idle} bytes a second");
    net.start(dead);
    let again = net.create(dead, "here again").unwrap();
    let back = |net: &Network| equal(net) && all.iter().all(|&node| held(net, node).contains(&again));
    assert!(net.run_until(5 * MINUTE, back), "seed {seed}: {}", shown(&net));
    assert!(all.iter().all(|&node| messages_of(&net, node, dead) == 1), "seed {seed}: nothing else comes back");
    net.run(2 * TIMEOUT);
    assert!(equal(&net) && all.iter().all(|&node| messages_of(&net, node, dead) == 1), "seed {seed}");
}

#[test]
fn who_is_not_reached_for_too_long_is_forgotten_with_what_it_said() {
    a_death(4, 5);
}

/// One is cut off for twice the time, and speaks meanwhile. It forgets nobody, and what it said then is lost to nobody.
fn an_isolation(seed: u64, nodes: usize) {
    let (mut net, all) = forgetful(seed, nodes);
    let lone = all[seed as usize % nodes];
    let rest: Vec<usize> = all.iter().copied().filter(|&node| node != lone).collect();
    net.partition(&[&[lone], &rest]);
    net.run(MINUTE);
    let mut said: BTreeSet<Guid> = (0..5).filter_map(|n| net.create(lone, format!("{n}, alone"))).collect();
    net.run(TIMEOUT);
    // That it starts again makes no difference.
    net.crash(lone);
    net.start(lone);
    net.run(TIMEOUT);
    said.extend(net.create(rest[0], "without it"));
    assert_eq!(count(&net, lone, Kind::Forget), 0, "seed {seed}: it forgets nobody");
    assert!(all.iter().all(|&of| messages_of(&net, lone, of) >= 10), "seed {seed}");
    assert_eq!(messages_of(&net, rest[0], lone), 0, "seed {seed}: it was forgotten");
    net.heal();
    let settled = |net: &Network| equal(net) && said.is_subset(&held(net, rest[0]));
    assert!(net.run_until(5 * MINUTE, settled), "seed {seed}: {}", shown(&net));
    for &node in &all {
        assert!(rest.iter().all(|&of| messages_of(&net, node, of) >= 10), "seed {seed}: nobody else was forgotten");
        assert_eq!(messages_of(&net, node, lone), 5, "seed {seed}: what it said alone");
        assert!(count(&net, node, Kind::Forget) <= 2, "seed {seed}");
    }
    net.run(2 * TIMEOUT);
    assert!(equal(&net) && said.is_subset(&held(&net, lone)), "seed {seed}");
}

#[test]
fn an_isolated_node_that_returns_forgets_nobody_and_loses_nothing_that_it_said_alone() {
    an_isolation(5, 5);
}

#[test]
fn two_halves_of_a_network_do_not_forget_each_other() {
    let (mut net, all) = forgetful(6, 4);
    net.partition(&[&all[..2], &all[2..]]);
    net.run(4 * TIMEOUT);
    assert!(all.iter().all(|&node| count(&net, node, Kind::Forget) == 0));
    net.heal();
    assert!(net.run_until(5 * MINUTE, equal));
    assert!(all.iter().all(|&node| all.iter().all(|&of| messages_of(&net, node, of) == 10)));
}

#[test]
#[ignore = "takes minutes"]
fn many_deaths_and_isolations() {
    for seed in 10..40 {
        a_death(seed, 3 + seed as usize % 6);
        an_isolation(seed, 3 + seed as usize % 6);
    }
}
