//! A clock that is set back and forward by decades, while a daemon runs and between two runs.

use crate::cluster::{Cluster, NETWORK, Node, eventually, init};
use crate::report;
use gossip_node::api::Reach;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The library of the package faketime, which makes a process see another clock.
fn faketime() -> String {
    let library = |dir: &str| PathBuf::from(format!("/usr/lib/{dir}/faketime/libfaketimeMT.so.1"));
    let found = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(library).into_iter().find(|path| path.exists());
    found.expect(".ci/faults installs faketime").to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs faketime: .ci/faults runs it"]
fn a_clock_that_jumps_by_decades_changes_dates_and_nothing_else() {
    let mut cluster = Cluster::of_strangers(2);
    let (home, clock) = (cluster.dir().join("n3"), cluster.dir().join("clock"));
    let set = |offset: &str| {
        let next = clock.with_extension("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(next, &clock).unwrap();
    };
    set("+0");
    init(&home, NETWORK, "correct horse battery staple");
    let mut node = Node::new(home);
    let own = [
        ("LD_PRELOAD", faketime()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap().to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    node.env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    cluster.start(node);
    for node in &cluster.nodes[1..] {
        node.register(&cluster.nodes[0]);
    }
    cluster.wait_all(&["--peers", "2"]);
    let guid = cluster.nodes[2].ready["node_guid"].clone();
    let mut all = BTreeSet::new();
    let years = |ahead: i64| ahead * 365 * 24 * 3600 * 1000;
    for (offset, ahead) in [("+3650d", 10), ("-7300d", -20), ("+25550d", 70), ("+0", 0)] {
        set(offset);
        let restarts = cluster.nodes[2].pid();
        for number in 0..5 {
            all.insert(cluster.nodes[2].add(&format!("said at {offset} {number}")));
            all.insert(cluster.nodes[0].add(&format!("said meanwhile at {offset} {number}")));
        }
        cluster.agree_on(all.len() as u64);
        eventually("the others see its clock", || {
            let peers = cluster.nodes[0].network().peers;
            let offset = peers.iter().find(|peer| guid == peer.guid).and_then(|peer| peer.clock_offset_ms);
            offset.is_some_and(|offset| (offset - years(ahead)).abs() < 60_000)
        });
        let reach = |node: &Node| node.network().peers.iter().all(|peer| peer.reach == Reach::Reachable);
        assert!(cluster.nodes.iter().all(reach), "nobody is less there for it");
        assert_eq!(cluster.nodes[2].pid(), restarts);
        // And from one run to the next.
        cluster.nodes[2].kill();
        cluster.nodes[2].start_again();
        cluster.wait_all(&["--peers", "2"]);
        all.insert(cluster.nodes[2].add(&format!("said after a start at {offset}")));
        cluster.agree_on(all.len() as u64);
    }
    for node in &cluster.nodes {
        assert_eq!(node.guids().into_iter().collect::<BTreeSet<_>>(), all);
    }
    report("clock", serde_json::json!({ "jumps": 4, "records": all.len(), "lost": 0 }));
}
