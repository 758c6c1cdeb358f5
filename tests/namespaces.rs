//! Thirty real daemons, each in a network namespace of its own, on a switch that loses datagrams or falls in two. All of
//! it is made here and vanishes with the story: the host's own network is not touched. `.ci/namespaces` runs this;
//! `GOSSIP_NODE_LONG=1` makes the split last ten minutes.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/lan.rs"]
mod lan;
#[path = "common/watch.rs"]
mod watch;

use cluster::{Cluster, NETWORK, Node, init_with};
use gossip_node::api::Reach;
use lan::Lan;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use watch::Watch;

const NODES: usize = 30;

/// One story at a time: they are about time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A daemon on every host, which all reach each other.
fn daemons(lan: &Lan) -> Cluster {
    let began = Instant::now();
    let cluster = Cluster::swarm(lan.hosts.len(), |host, home| {
        let bind = format!("{}:6884", Lan::address(host));
        init_with(&home, NETWORK, "correct horse battery staple", &["--bind", &bind]);
        Node::within(home, lan.hosts[host].pid())
    });
    println!("{} daemons in namespaces all reach each other after {:?}", lan.hosts.len(), began.elapsed());
    cluster
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/namespaces runs it"]
fn where_one_datagram_in_ten_is_lost_everything_is_everywhere_within_two_seconds() {
    let _alone = alone();
    let lan = Lan::of(NODES);
    lan.lose(0.1);
    let cluster = daemons(&lan);
    let mut watch = Watch::over(&cluster.nodes);
    let mut times = Vec::new();
    for number in 0..100 {
        let client = cluster.nodes[number % NODES].client();
        let added = watch.run(client.add(None, format!("record {number}").into())).unwrap();
        let answered = Instant::now();
        let last = watch.until("the record is everywhere", |watch| watch.is_at(&added.guid, NODES));
        times.push(last.saturating_duration_since(answered));
    }
    times.sort();
    println!("100 records at {NODES} nodes: p50 {:?}, p99 {:?}, last {:?}", times[49], times[98], times[99]);
    assert!(times[99] <= Duration::from_secs(2), "{times:?}");
    assert!((0..NODES).all(|host| lan.lost(host) > 0), "the loss is real");
    cluster.agree_on(100);
    let dead = watch.told_of(Reach::Unreachable);
    println!("called dead meanwhile: {dead:#?}");
    for (guid, at) in &watch.records {
        assert!(at.values().all(|times| times.len() == 1), "{guid} was told twice");
    }
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/namespaces runs it"]
fn a_split_heals_by_itself_within_five_seconds() {
    let _alone = alone();
    let lan = Lan::of(NODES);
    let cluster = daemons(&lan);
    let mut watch = Watch::over(&cluster.nodes);
    let name = |node: usize| format!("n{}", node + 1);
    let pairs = || (0..NODES).flat_map(|one| (0..NODES).map(move |other| (one, other))).filter(|(a, b)| a != b);

    lan.cable("down");
    let began = Instant::now();
    let reach = |watch: &Watch, one: usize, other: usize| watch.reach(one, &name(other));
    let split = |watch: &Watch| {
        pairs().all(|(one, other)| {
            let expected = if one % 2 == other % 2 { Reach::Reachable } else { Reach::Unreachable };
            reach(watch, one, other) == expected
        })
    };
    let known = watch.until("each half calls the other dead, and nobody else", split);
    println!("cable pulled: each half calls all of the other dead after {:?}", known.duration_since(began));
    // Both go on meanwhile.
    let mut guids = Vec::new();
    for number in 0..60 {
        let client = cluster.nodes[number % NODES].client();
        guids.push(watch.run(client.add(None, format!("record {number}").into())).unwrap().guid);
    }
    watch.until("all are everywhere in their half", |watch| guids.iter().all(|guid| watch.is_at(guid, NODES / 2)));
    if std::env::var_os("GOSSIP_NODE_LONG").is_some() {
        watch.watch_for(Duration::from_secs(600).saturating_sub(began.elapsed()));
    }
    assert!(split(&watch) && guids.iter().all(|guid| !watch.is_at(guid, NODES / 2 + 1)), "the split is one");

    watch.told.clear();
    let lasted = began.elapsed();
    lan.cable("up");
    let healed = Instant::now();
    let everywhere = |watch: &Watch| guids.iter().all(|guid| watch.is_at(guid, NODES));
    let together = |watch: &Watch| pairs().all(|(one, other)| reach(watch, one, other) == Reach::Reachable);
    let (mut reached, mut spread) = (None, None);
    watch.until("all is as it was", |watch| {
        let now = healed.elapsed();
        reached = reached.or(together(watch).then_some(now));
        spread = spread.or(everywhere(watch).then_some(now));
        together(watch) && spread.is_some()
    });
    let took = healed.elapsed();
    println!(
        "cable back after {lasted:?}: all reach all after {:?}, all {} records everywhere after {:?}",
        reached.unwrap(),
        guids.len(),
        spread.unwrap()
    );
    assert!(took <= Duration::from_secs(5), "{took:?}");
    watch.watch_for(Duration::from_secs(5));
    assert!(together(&watch), "and so it stays: {:#?}", watch.told_of(Reach::Unreachable));
    cluster.meet();
    cluster.agree_on(60);
}
