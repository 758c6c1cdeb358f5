//! The story of `demo --chaos`: a newcomer kills a node and splits the network from its page, and watches it heal.

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{PROGRAM, block_on, eventually};
use gossip_node::api::{ChaosChange, Reach, WaitQuery};
use gossip_node::client::{Client, ClientError};
use gossip_node::config::Home;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// A demonstration that stays up, ended with its test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Starts one, and returns it with a client for each of its nodes.
fn demo(args: &[&str]) -> (Demo, Vec<Client>) {
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--json", "--records", "4"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody may leave it with a full pipe.
    let talk = child.stderr.take().unwrap();
    std::thread::spawn(move || drop(BufReader::new(talk).read_to_end(&mut Vec::new())));
    let mut json = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let table: Value = loop {
        json += &lines.next().expect("the demo shows its table").unwrap();
        if let Ok(table) = serde_json::from_str(&json) {
            break table;
        }
    };
    let home = |node: &Value| Home::new(node["home"].as_str().unwrap().into());
    let clients = table["nodes"].as_array().unwrap().iter().map(|node| Client::new(home(node).control_socket(), None));
    (Demo(child), clients.collect())
}

#[test]
fn a_node_dies_and_comes_back_and_a_split_heals() {
    let (_demo, clients) = demo(&["--chaos", "--nodes", "4"]);
    let first = &clients[0];
    let change = |change: ChaosChange| block_on(first.change_chaos(&change)).unwrap();
    let reach = |name: &str| {
        let status = block_on(first.status_network()).unwrap();
        status.peers.iter().find(|peer| peer.name == name).map(|peer| peer.reach)
    };
    let all_hold = |count: u64| {
        let query = WaitQuery {
            peers: Some(3),
            gossip: Some(count),
            in_sync: true,
            timeout_ms: 60_000,
            ..WaitQuery::default()
        };
        clients.iter().for_each(|client| assert!(block_on(client.wait(query.clone())).unwrap().holds));
    };
    assert!(block_on(first.node()).unwrap().demo);

    change(ChaosChange { dead: Some(vec!["node-4".into()]), ..Default::default() });
    eventually("the others notice that node-4 is dead, not that it left", || {
        reach("node-4") == Some(Reach::Unreachable)
    });
    assert!(block_on(clients[3].node()).is_err());
    block_on(first.add(None, "while one was dead".into())).unwrap();
    change(ChaosChange { dead: Some(vec![]), ..Default::default() });
    eventually("node-4 is up", || block_on(first.chaos()).unwrap().nodes.iter().all(|node| node.up));
    all_hold(5);

    let split = change(ChaosChange { split: Some(true), loss: Some(0.05), delay_ms: Some(5), ..Default::default() });
    assert_eq!(split.nodes.iter().map(|node| node.side).collect::<String>(), "aabb");
    eventually("the sides lose each other", || reach("node-3") == Some(Reach::Unreachable));
    assert_eq!(reach("node-2"), Some(Reach::Reachable));
    block_on(clients[0].add(None, "on one side".into())).unwrap();
    block_on(clients[2].add(None, "on the other".into())).unwrap();
    change(ChaosChange { split: Some(false), ..Default::default() });
    all_hold(7);
}

#[test]
fn without_chaos_there_is_nothing_to_play_with() {
    let (_demo, clients) = demo(&["--nodes", "2"]);
    assert!(!block_on(clients[0].node()).unwrap().demo);
    match block_on(clients[0].change_chaos(&ChaosChange::default())) {
        Err(ClientError::Refused(problem)) => {
            assert_eq!(problem.status, 404);
            assert!(problem.hint.unwrap().contains("--chaos"));
        }
        other => panic!("{other:?}"),
    }
}
