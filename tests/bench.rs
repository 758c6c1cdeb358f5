//! `gossip-node bench`, as somebody runs it who chooses: small sizes, since what is fast is not for these tests to say.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, PROGRAM, block_on};
use serde_json::Value;
use std::process::Command;

/// Runs it without a home; the rows, by name.
fn bench(args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(PROGRAM);
    command.arg("bench").args(args).arg("--json");
    // A home of the environment's is none that was named.
    command.env("GOSSIP_NODE_HOME", "/nowhere").env_remove("GOSSIP_NODE_NETWORK");
    rows(command.output().unwrap())
}

fn rows(output: std::process::Output) -> Vec<Value> {
    let (data, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let rows: Vec<Value> =
        data.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(!rows.is_empty(), "{talk}");
    for row in &rows {
        assert!(row["value"].as_f64().is_some_and(|value| value > 0.0), "{row}");
        assert!(row["unit"].is_string() && row["name"].is_string() && row["ok"].is_boolean(), "{row}");
        let ratio = row["value"].as_f64().zip(row["probe"].as_f64()).map(|(value, probe)| value / probe);
        assert!(ratio.is_none_or(|ratio| (ratio - row["ratio"].as_f64().unwrap()).abs() < 1e-6), "{row}");
        assert!(row["hold"].is_string() || row["ok"] == true, "{row}");
    }
    // Scripts see from the exit code whether all holds.
    let all_ok = rows.iter().all(|row| row["ok"] == true);
    assert_eq!(output.status.code(), Some(if all_ok { 0 } else { 1 }), "{data}{talk}");
    assert!(talk.contains("gossip-node 0."), "the machine is named: {talk}");
    rows
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn what_is_not_measured_through_a_daemon_says_so() {
    for what in ["digest", "restart", "datagram", "udp"] {
        let output = Command::new(PROGRAM).args(["bench", what, "--home", "/nowhere"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{what}: {output:?}");
    }
}

#[test]
fn messages_are_stored_one_by_one_and_in_batches() {
    let rows = bench(&["ingest", "--records", "50", "--batch", "20", "--size", "64"]);
    let expected = ["one by one, 64 B", "add, p50", "add, p99", "in batches of 20, 64 B", "a batch, p50"];
    assert_eq!(names(&rows), expected);
    assert_eq!(rows[1]["hold"], "<= 2 x probe");
}

#[test]
fn a_home_that_is_named_gets_exactly_so_many_messages() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    for (batch, count) in [("1", 7), ("5", 14)] {
        let home = node.home.to_str().unwrap();
        let args = ["bench", "ingest", "--records", "7", "--size", "33", "--batch", batch, "--home", home, "--json"];
        rows(node.command(args).output().unwrap());
        let status = block_on(node.client().status_gossip(0)).unwrap();
        assert_eq!(status.count, count);
        assert!(status.gossip.iter().all(|record| record.head.len == 33));
    }
}

#[test]
fn a_daemon_that_is_named_and_does_not_run_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let output = Command::new(PROGRAM).args(["bench", "ingest", "--home", home]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_sockets_are_measured_with_and_without_us() {
    let rows = bench(&["udp", "--size", "200", "--for", "10ms", "--trips", "20"]);
    assert_eq!(names(&rows).len(), 5);
    assert!(names(&rows)[4].starts_with("HELLO to HELLO_BACK"));
    assert_eq!(rows[4]["hold"], "<= 3 x probe");
}

#[test]
fn messages_spread_to_all_nodes() {
    let rows = bench(&["spread", "--nodes", "3", "--records", "100", "--size", "50", "--singles", "5"]);
    assert_eq!(names(&rows)[0], "until all 3 hold all");
    assert!(names(&rows).contains(&"add to the last node, p99"));
    // The goal is one for three nodes and messages of 200 bytes.
    assert!(rows[0]["hold"].is_null());
}

#[test]
fn messages_spread_to_all_whom_a_named_daemon_reaches() {
    let cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let home = node.home.to_str().unwrap();
    let args = ["bench", "spread", "--records", "30", "--singles", "3", "--home", home, "--json"];
    let rows = rows(node.command(args).output().unwrap());
    assert_eq!(names(&rows)[0], "until 1 peers hold all");
    let status = block_on(cluster.nodes[1].client().status_gossip(1)).unwrap();
    assert_eq!(status.count, 33);
}

#[test]
fn a_new_node_gets_many_messages_and_long_ones() {
    assert!(names(&bench(&["sync", "--records", "300", "--size", "60"]))[0].starts_with("300 records"));
    let rows = bench(&["sync", "--bytes", "300KiB"]);
    assert_eq!((rows.len(), rows[0]["unit"].as_str()), (1, Some("MiB/s")));
}

#[test]
fn a_new_node_gets_what_a_named_daemon_holds_and_leaves() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    (0..3).for_each(|number| drop(node.add(&format!("message {number}"))));
    let home = node.home.to_str().unwrap();
    let rows = rows(node.command(["bench", "sync", "--home", home, "--json"]).output().unwrap());
    assert!(names(&rows)[0].starts_with("all 3 records"));
    assert!(block_on(node.client().status_gossip(0)).unwrap().reachable_peers == 0, "it said goodbye");
}

#[test]
fn few_differences_are_mended_in_few_datagrams() {
    let rows = bench(&["digest", "--records", "500", "--differences", "3"]);
    assert_eq!(rows[1]["name"], "without the handshake");
    assert_eq!(rows[1]["ok"], true, "{}", rows[1]);
}

#[test]
fn idle_nodes_are_watched() {
    let rows = bench(&["idle", "--nodes", "2", "--for", "1s"]);
    let expected = ["datagrams sent, a node", "bytes sent, a node", "of a core, a node", "resident memory, a node"];
    assert_eq!(names(&rows), expected);
}
