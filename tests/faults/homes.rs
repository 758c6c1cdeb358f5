//! Homes that are copied, put back, or found at each other's address.

use crate::cluster::{Cluster, Node, gossip_node};
use crate::report;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Copies a home that no daemon runs in, without what only a running one has.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn add(node: &Node, what: &str, count: usize, all: &mut BTreeSet<String>) {
    all.extend((0..count).map(|number| node.add(&format!("{what} {number}"))));
}

fn check(node: &Node, all: &BTreeSet<String>) {
    assert_eq!(&node.guids().into_iter().collect::<BTreeSet<_>>(), all);
}

#[test]
fn an_old_backup_that_is_put_back_gets_the_rest_and_goes_on() {
    let mut cluster = Cluster::of(2);
    let backup = cluster.dir().join("backup");
    let mut all = BTreeSet::new();
    add(&cluster.nodes[1], "before the backup", 20, &mut all);
    cluster.agree_on(20);
    cluster.nodes[1].stop("TERM");
    copy(&cluster.nodes[1].home, &backup);
    cluster.nodes[1].start_again();
    add(&cluster.nodes[1], "after the backup", 20, &mut all);
    cluster.agree_on(40);
    cluster.nodes[1].kill();
    fs::remove_dir_all(&cluster.nodes[1].home).unwrap();
    copy(&backup, &cluster.nodes[1].home);
    cluster.nodes[1].start_again();
    // It does not wait until it knows again what it once said.
    add(&cluster.nodes[1], "after the backup", 20, &mut all);
    cluster.wait_all(&["--peers", "1"]);
    cluster.agree_on(all.len() as u64);
    cluster.nodes.iter().for_each(|node| check(node, &all));
    report("backup", serde_json::json!({ "records": all.len(), "lost": 0 }));
}

#[test]
fn hosts_that_swap_addresses_are_told_apart() {
    let mut cluster = Cluster::of(3);
    let port = |node: &Node| node.address().rsplit_once(':').unwrap().1.to_owned();
    let ports = [port(&cluster.nodes[2]), port(&cluster.nodes[1])];
    let mut all = BTreeSet::new();
    for node in &mut cluster.nodes[1..] {
        node.kill();
    }
    for (node, port) in cluster.nodes[1..].iter_mut().zip(&ports) {
        gossip_node(&node.home).args(["init", "--set", &format!("port={port}")]).assert().success();
        node.start();
    }
    cluster.wait_all(&["--peers", "2"]);
    for (number, node) in cluster.nodes.iter().enumerate() {
        add(node, &format!("said by {number}"), 10, &mut all);
    }
    cluster.agree_on(30);
    for peer in cluster.nodes[0].network().peers {
        let node = cluster.nodes.iter().find(|node| node.ready["node_guid"] == peer.guid).unwrap();
        assert_eq!(format!("{}:{}", peer.ip, peer.port), node.address());
    }
}

#[test]
fn a_home_copied_to_another_host_costs_no_record() {
    let mut cluster = Cluster::of(2);
    let mut all = BTreeSet::new();
    add(&cluster.nodes[1], "before the copy", 20, &mut all);
    cluster.agree_on(20);
    cluster.nodes[1].stop("TERM");
    let copied = cluster.dir().join("copied");
    copy(&cluster.nodes[1].home, &copied);
    cluster.nodes[1].start_again();
    gossip_node(&copied).args(["init", "--set", "port=0"]).assert().success();
    cluster.start(Node::new(copied));
    assert_eq!(cluster.nodes[2].ready["node_guid"], cluster.nodes[1].ready["node_guid"]);
    for (number, node) in cluster.nodes.iter().enumerate() {
        add(node, &format!("said while there are two, by {number}"), 20, &mut all);
    }
    // Two that bear one name are one peer to all others, now here, now there; what either said gets out all the same.
    crate::cluster::eventually("the one that is no copy has all of it", || {
        cluster.nodes[0].guids().into_iter().collect::<BTreeSet<_>>() == all
    });
    // The copy is taken away; the rest is as well as ever.
    cluster.nodes[2].kill();
    cluster.nodes.pop();
    cluster.wait_all(&["--peers", "1"]);
    add(&cluster.nodes[1], "said alone again", 5, &mut all);
    cluster.agree_on(all.len() as u64);
    cluster.nodes.iter().for_each(|node| check(node, &all));
    report("clone", serde_json::json!({ "records": all.len(), "lost": 0 }));
}
