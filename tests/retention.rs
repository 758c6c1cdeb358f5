//! What leaves a network, and when: records that grow too old, and nodes that are forgotten. Simulated networks of real
//! nodes; the seeds in reserve run with `cargo test --release --test retention -- --ignored`.

use bytes::Bytes;
use gossip_node::proto::decree::{Decree, Forget, Terms};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::peers::Reach;
use gossip_node::proto::seal::PROTOCOL_VERSION;
use gossip_node::proto::settings::Settings;
use gossip_node::proto::stats::Rejected;
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
    settings.pace.gossip_timer = 20 * SECOND;
    settings.pace.timing.probe_period = 20 * SECOND;
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
            law.left()
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

/// A clock that is a year ahead takes a step from the others, and not all that they hold.
#[test]
fn a_clock_far_ahead_takes_no_more_than_a_step() {
    let (mut net, all) = skewed(7, 4, 12 * HOUR);
    assert!(net.run_until(2 * MINUTE, |net| equal(net) && held(net, 0).len() == 1));
    let said: BTreeSet<Guid> = (0..8).filter_map(|round| net.create(all[round % 4], format!("{round}"))).collect();
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, 0).len() == 9));
    net.set_clock(all[3], minutes(365 * 24 * 60));
    net.crash(all[3]);
    net.start(all[3]);
    net.run(HOUR);
    for &node in &all[..3] {
        assert!(held(&net, node).is_superset(&said), "node {node} keeps what is an hour old: {}", shown(&net));
    }
    assert!(held(&net, all[3]).is_disjoint(&said), "the one that is wrong forgets alone");
    net.set_clock(all[3], 0);
    let back = |net: &Network| all.iter().all(|&node| held(net, node).is_superset(&said));
    assert!(net.run_until(30 * MINUTE, back), "it gets back what it forgot: {}", shown(&net));
    assert!(equal(&net));
}

/// Every disk loses the settings record, each node having left off at another horizon: without a law all hold the same
/// again, and so they do with the next one.
#[test]
fn a_law_that_all_disks_lost_leaves_nobody_behind() {
    let max_age = 64 * HOUR;
    let (mut net, all) = skewed(11, 4, max_age);
    assert!(net.run_until(2 * MINUTE, |net| equal(net) && held(net, 0).len() == 1));
    let law = net.node(all[0]).retention().settings().unwrap();
    let said: BTreeSet<Guid> = (0..8).filter_map(|round| net.create(all[round % 4], format!("{round}"))).collect();
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, 0).len() == 9));
    // One node's clock takes it past what the others hold; then all lose the law.
    net.crash_all(&all[..3]);
    net.set_clock(all[3], minutes(65 * 60));
    net.run(10 * MINUTE);
    assert!(held(&net, all[3]).is_disjoint(&said), "{}", shown(&net));
    net.crash(all[3]);
    for &node in &all {
        net.lose(node, law);
        net.start(node);
    }
    let together = |net: &Network| all.iter().all(|&node| held(net, node) == said);
    assert!(net.run_until(30 * MINUTE, together), "{}", shown(&net));
    net.decree(all[0], Decree::Settings(Terms { max_age: Some(max_age), origin_timeout: None }));
    net.set_clock(all[3], 0);
    let lawful = |net: &Network| equal(net) && held(net, all[3]).len() == said.len() + 1;
    assert!(net.run_until(30 * MINUTE, lawful), "{}", shown(&net));
}

/// Clocks differ by far more than a step: what is too old for one is still held by the other, is not asked for by the
/// one, and is not told to it.
#[test]
fn what_is_too_old_for_one_is_neither_asked_for_nor_told() {
    let max_age = HOUR;
    let mut net = Network::new(8);
    net.tune(slow);
    let all = net.add_cluster(2);
    net.set_clock(all[1], -minutes(20));
    net.crash(all[1]);
    net.start(all[1]);
    net.preload(all[0], &settings(Some(max_age), None));
    // As many as one digest settles.
    for round in 0..8 {
        net.create(all[0], format!("{round}"));
    }
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, 0).len() == 9), "{}", shown(&net));
    net.run(max_age + 2 * MINUTE);
    assert!(held(&net, all[0]).len() == 1 && held(&net, all[1]).len() == 9, "{}", shown(&net));
    let stats = |net: &Network| {
        let of = |node: usize| net.node(all[node]).stats();
        (of(0).tell_me_more_sent + of(1).tell_sent, of(0).records_received_duplicate)
    };
    let before = stats(&net);
    net.run(10 * MINUTE);
    assert_eq!(stats(&net), before, "nothing is asked for or told in vain");
    assert_eq!(net.node(all[0]).stats().records_expired, 0, "nor was it before");
    assert_eq!(net.disk(all[0]).aside().len(), 8, "what left is on the disk for an hour");
    net.run(20 * MINUTE);
    assert!(equal(&net) && held(&net, all[0]).len() == 1, "{}", shown(&net));
}

/// A long one is on its way over a slow link when it grows too old: it is given up, and what came of it goes.
#[test]
fn a_long_one_that_grows_too_old_on_its_way_is_given_up() {
    let mut net = Network::new(9);
    let all = net.add_cluster(2);
    net.preload(all[0], &settings(Some(HOUR), None));
    assert!(net.run_until(MINUTE, |net| equal(net) && held(net, 0).len() == 1));
    net.set_clock(all[0], -minutes(59));
    net.create(all[0], text(8 << 20, 9));
    net.set_clock(all[0], 0);
    assert!(net.run_until(MINUTE, |net| net.node(all[1]).stats().fragments_received > 300));
    net.cut(all[0], all[1]);
    net.run(3 * MINUTE);
    assert_eq!(net.node(all[1]).fetching().count(), 0, "{}", shown(&net));
    net.heal();
    net.run(MINUTE);
    assert!(equal(&net) && held(&net, all[1]).len() == 1 && net.node(all[1]).is_settled(), "{}", shown(&net));
    net.crash(all[1]);
    net.start(all[1]);
    assert_eq!(net.node(all[1]).fetching().count(), 0, "nothing of it is on the disk");
}

/// Settings are changed: to a longer time, which spares what some still hold, and to none.
#[test]
fn settings_that_change_hold_everywhere() {
    let (mut net, all) = skewed(10, 4, HOUR);
    assert!(net.run_until(2 * MINUTE, |net| equal(net) && held(net, 0).len() == 1));
    let before = net.node(all[0]).retention().settings();
    net.decree(all[2], Decree::Settings(Terms { max_age: Some(2 * HOUR), origin_timeout: None }));
    net.decree(all[1], Decree::Settings(Terms { max_age: Some(3 * HOUR), origin_timeout: Some(HOUR) }));
    let agree = |net: &Network| {
        let terms = |node: usize| (net.node(node).retention().settings(), net.node(node).retention().terms());
        equal(net) && terms(0).0 > before && all.iter().all(|&node| terms(node) == terms(0))
    };
    assert!(net.run_until(5 * MINUTE, agree), "{}", shown(&net));
    let said = net.create(all[3], "for three hours").unwrap();
    net.run(2 * HOUR + 30 * MINUTE);
    let long = net.node(0).retention().terms().max_age == Some(3 * HOUR);
    assert!(all.iter().all(|&node| held(&net, node).contains(&said) == long), "{}", shown(&net));
    net.decree(all[0], Decree::Settings(Terms::default()));
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && net.node(3).retention().terms() == Terms::default()));
    assert!(all.iter().all(|&node| net.node(node).retention().horizon() == Timestamp(0)));
}

/// All start again at once when the first settings, which were replaced, would have let the forget age that came after them.
#[test]
fn what_is_forgotten_stays_so_whatever_the_settings_before_said() {
    let mut net = Network::new(16);
    net.tune(slow);
    let all = net.add_cluster(3);
    for round in 0..10 {
        net.create(all[2], format!("{round}"));
    }
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && held(net, all[0]).len() == 10));
    net.crash(all[2]);
    net.decree(all[0], Decree::Settings(Terms { max_age: Some(HOUR), origin_timeout: None }));
    net.run(10 * MINUTE);
    let origin = net.guid(all[2]);
    let (up_to, _) = net.node(all[0]).forgettable(&origin).unwrap();
    net.decree(all[0], Decree::Forget(Forget { origin, up_to }));
    net.run(10 * MINUTE);
    net.decree(all[0], Decree::Settings(Terms::default()));
    net.run(3 * HOUR);
    net.crash_all(&all[..2]);
    all.iter().for_each(|&node| net.start(node));
    let forgotten = |net: &Network| equal(net) && all.iter().all(|&node| messages_of(net, node, all[2]) == 0);
    assert!(net.run_until(5 * MINUTE, forgotten), "{}", shown(&net));
    assert!(all.iter().all(|&node| count(&net, node, Kind::Forget) == 1), "{}", shown(&net));
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
        for &node in &all {
            net.create(node, format!("{round} of {node}"));
        }
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

// ---- the to-dos of the specification, and honest clocks ----

#[test]
fn a_message_links_to_its_origin_so_that_both_are_forgotten_after_a_timeout() {
    let (mut net, all) = forgetful(11, 4);
    let said = net.create(all[3], "who am I").unwrap();
    assert!(net.run_until(5 * MINUTE, |net| held(net, all[0]).contains(&said) && equal(net)));
    assert_eq!(net.disk(all[0]).gossip(said).unwrap().head().origin(), net.guid(all[3]));
    net.crash(all[3]);
    net.run(TIMEOUT + 15 * MINUTE);
    assert!(!held(&net, all[0]).contains(&said) && net.node(all[0]).peers().peer(&net.guid(all[3])).is_none());
    assert!(net.disk(all[0]).aside().contains(&said), "a week it may still be looked for on the disk");
    net.run(7 * 24 * HOUR);
    assert!(!net.disk(all[0]).aside().contains(&said));
}

/// A forget by hand takes effect on a node that lives, and that goes on.
#[test]
fn a_node_that_lives_can_be_forgotten_and_goes_on() {
    let (mut net, all) = forgetful(12, 3);
    let (up_to, messages) = net.node(all[0]).forgettable(&net.guid(all[1])).unwrap();
    assert_eq!(messages, 10);
    let origin = net.guid(all[1]);
    net.decree(all[0], Decree::Forget(Forget { origin, up_to }));
    let gone = |net: &Network| equal(net) && all.iter().all(|&node| messages_of(net, node, all[1]) == 0);
    assert!(net.run_until(5 * MINUTE, gone), "{}", shown(&net));
    assert!(net.node(all[0]).peers().peer(&origin).is_some(), "it answers, so it is a peer");
    // Its clock is set back: it is not trapped by what was forgotten.
    net.set_clock(all[1], -minutes(600));
    let again = net.create(all[1], "I am here").unwrap();
    assert!(net.run_until(5 * MINUTE, |net| all.iter().all(|&node| held(net, node).contains(&again))));
    // The one that decreed it is forgotten, too: what it decreed is not.
    net.create(all[0], "said after the decree");
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && messages_of(net, all[2], all[0]) == 11));
    let origin = net.guid(all[0]);
    let (up_to, _) = net.node(all[2]).forgettable(&origin).unwrap();
    net.decree(all[2], Decree::Forget(Forget { origin, up_to }));
    assert!(net.run_until(5 * MINUTE, |net| equal(net) && messages_of(net, all[0], all[0]) == 0), "{}", shown(&net));
    assert!(all.iter().all(|&node| count(&net, node, Kind::Forget) == 2 && messages_of(&net, node, all[1]) == 1));
}

/// A peer that does not answer is known as such since its last update; when it is back, it can be reached again.
#[test]
fn can_reach_by_last_update() {
    let mut net = Network::new(13);
    let all = net.add_cluster(3);
    net.run(10 * SECOND);
    let guid = net.guid(all[2]);
    let seen = |net: &Network| {
        let peer = net.node(all[0]).peers().peer(&guid).unwrap();
        (peer.reach, peer.heard.unwrap())
    };
    assert!(seen(&net).0 == Reach::Reachable && net.now().since(seen(&net).1) < 5 * SECOND);
    net.crash(all[2]);
    let (crashed, last) = (net.now(), seen(&net).1);
    net.run(MINUTE);
    assert_eq!(seen(&net), (Reach::Unreachable, last), "its last update stays as it was");
    net.start(all[2]);
    net.run(10 * SECOND);
    assert!(seen(&net).0 == Reach::Reachable && seen(&net).1 > crashed);
}

/// A datagram of a newer or older version is refused and counted, and its sender's address and version are shown.
#[test]
fn protocol_version_is_checked_and_shown() {
    let mut net = Network::new(14);
    let all = net.add_cluster(2);
    net.capture = true;
    net.run(5 * SECOND);
    let (from, _, sent) = net.captured.iter().find(|(_, to, _)| *to == net.addr(all[0])).cloned().unwrap();
    for (count, version) in [(1, 0), (2, PROTOCOL_VERSION + 1)] {
        let mut other = sent.clone();
        other[1] = version;
        let before = (net.node(all[0]).ledger().state(), net.node(all[0]).stats().datagrams_sent);
        assert_eq!(net.inject(all[0], from, &other), Err(Rejected::Version));
        assert_eq!(net.node(all[0]).stats().rejected(Rejected::Version), count);
        let noted: Vec<_> = net.node(all[0]).versions().iter(net.now()).collect();
        assert!(matches!(noted[..], [(addr, foreign)] if addr == from && foreign.version == version), "{noted:?}");
        assert_eq!((net.node(all[0]).ledger().state(), net.node(all[0]).stats().datagrams_sent), before, "silence");
    }
    // One that names another network is none of ours.
    let mut other = sent.clone();
    (other[1], other[4]) = (PROTOCOL_VERSION + 1, other[4] ^ 1);
    let stranger = "192.0.2.1:9".parse().unwrap();
    assert_eq!(net.inject(all[0], stranger, &other), Err(Rejected::Version));
    assert_eq!(net.node(all[0]).versions().iter(net.now()).count(), 1);
}

/// Three clocks are right and one is five seconds behind: each node knows how its own stands.
#[test]
fn a_clock_that_is_wrong_is_known_to_be() {
    let mut net = Network::new(15);
    net.link = Link { delay: Duration::from_millis(2), jitter: 5 * Duration::from_millis(1), ..Link::default() };
    let all = net.add_cluster(4);
    net.set_clock(all[3], -5_000_000);
    net.run(MINUTE);
    let (wrong, right) = (net.node(all[3]).clock_ahead().unwrap(), net.node(all[0]).clock_ahead().unwrap());
    assert!(wrong.1 == 3 && (wrong.0 + 5000).abs() < 20, "{wrong:?}");
    assert!(right.1 == 3 && right.0.abs() < 20, "{right:?}");
    let ahead = net.node(all[0]).peers().peer(&net.guid(all[3])).unwrap().clock_ahead.unwrap();
    assert!((ahead + 5000).abs() < 20, "{ahead}");
    net.set_clock(all[3], 0);
    net.run(MINUTE);
    assert!(net.node(all[3]).clock_ahead().unwrap().0.abs() < 20, "and when it is set right");
}
