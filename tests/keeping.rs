//! How long things are kept, as people meet it: real daemons, set and asked by the command line.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, Node, eventually};
use gossip_node::config::ServerFile;
use gossip_node::proto::seal::NetworkKey;
use std::net::UdpSocket;

/// What `list` shows for people.
fn list(node: &Node) -> String {
    String::from_utf8(node.output(["list"])).unwrap()
}

/// Exit code and standard error of a command that does not succeed.
fn refused(node: &Node, args: &[&str]) -> (i32, String) {
    let output = node.command(args.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn records_age_and_nodes_are_forgotten_by_the_command_line() {
    let mut cluster = Cluster::of(3);
    let nodes = &cluster.nodes;
    let old = nodes[1].add("soon too old");
    eventually("it is everywhere", || nodes.iter().all(|node| node.guids().contains(&old)));
    assert_eq!(nodes[0].json(["retention"])["max_age"], serde_json::Value::Null);
    let set = ["retention", "set", "--max-age", "2s"];
    eventually("it would leave", || nodes[0].json(set.into_iter().chain(["--dry-run"]))["leave"] == 1);
    let (code, why) = refused(&nodes[0], &set);
    assert!(code == 2 && why.contains("say --yes") && why.contains("1 message here would leave"), "{why}");
    assert_eq!(nodes[0].json(["retention"])["max_age"], serde_json::Value::Null);
    nodes[0].output(set.into_iter().chain(["--yes"]));
    eventually("all know it", || nodes.iter().all(|node| node.json(["retention"])["max_age"] == "2s"));
    eventually("it left", || nodes.iter().all(|node| !node.guids().contains(&old)));
    for node in nodes {
        assert!(list(node).contains("(network settings: max_age 2s, origin_timeout off)"), "{}", list(node));
        let (code, why) = refused(node, &["read", &old]);
        assert!(code == 5 && why.contains("older than the network keeps records"), "{why}");
        assert_eq!(node.network().retention.max_age.as_deref(), Some("2s"));
    }
    cluster.nodes[2].kill();
    cluster.nodes[2].start_again();
    assert!(!cluster.nodes[2].guids().contains(&old), "a crash brings nothing back");

    let nodes = &cluster.nodes;
    nodes[1].output(["retention", "set", "--max-age", "off"]);
    eventually("all know it", || nodes.iter().all(|node| node.json(["retention"])["max_age"].is_null()));
    let (said, kept) = (nodes[2].add("what the third said"), nodes[1].add("what the second said"));
    eventually("both are everywhere", || {
        nodes.iter().all(|node| [&said, &kept].into_iter().all(|guid| node.guids().contains(guid)))
    });
    let third = nodes[2].network().node_guid;
    let (code, why) = refused(&nodes[0], &["forget", &third]);
    assert!(code == 2 && why.contains("1 message up to") && why.contains("--yes"), "{why}");
    assert!(nodes[0].guids().contains(&said), "nothing was done");
    assert_eq!(nodes[0].json(["forget", &third, "--yes"])["messages"], 1);
    eventually("it is forgotten", || {
        nodes.iter().all(|node| !node.guids().contains(&said) && node.guids().contains(&kept))
    });
    assert!(list(&nodes[1]).contains("(forgets node "), "{}", list(&nodes[1]));
    let (code, why) = refused(&nodes[2], &["read", &said]);
    assert!(code == 5 && why.contains("was forgotten"), "{why}");
    let again = nodes[2].add("and yet it speaks");
    eventually("it goes on", || nodes.iter().all(|node| node.guids().contains(&again)));
}

#[test]
fn protocol_version_is_checked_and_shown() {
    let cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let file = ServerFile::load(&node.home.join("server.json")).unwrap().file;
    let key = NetworkKey::new(&file.networks[0].network_key);
    let mut datagram = vec![0; 80];
    datagram[..4].copy_from_slice(&[0x67, 2, 4, 0]);
    datagram[4..8].copy_from_slice(&key.key_id().0);
    let newer = UdpSocket::bind("127.0.0.1:0").unwrap();
    newer.send_to(&datagram, node.address()).unwrap();
    let port = newer.local_addr().unwrap().port();
    eventually("it is shown", || {
        let others = node.network().other_versions;
        others.iter().any(|other| other.port == port && other.version == 2)
    });
    assert!(node.stat("rejected_version") >= 1);
    let shown = String::from_utf8(node.output(["status", "network"])).unwrap();
    assert!(shown.contains(&format!("127.0.0.1:{port} seems to speak protocol version 2")), "{shown}");
    assert!(node.network().peers.iter().all(|peer| peer.protocol_version == Some(1)));
    eventually("its clock is known", || {
        node.network().peers.iter().all(|peer| peer.clock_offset_ms.is_some_and(|ahead| ahead.abs() < 1000))
    });
}
