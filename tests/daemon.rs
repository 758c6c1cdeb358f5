//! Stories of one real daemon: its home, its control API, its messages.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, eventually, gossip_node, init};
use gossip_node::proto::limits::MAX_MSG;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

#[test]
fn a_message_comes_back_as_it_was_said() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    for (text, who) in [("hello", None), ("two\nlines\n", Some("desk")), ("  grüße \u{1F54A}\t", Some("a b"))] {
        let mut command = node.command(["add", "-", "--json"]);
        if let Some(who) = who {
            command.args(["--who", who]);
        }
        let output = command.write_stdin(text).assert().success();
        let added: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        let guid = added["guid"].as_str().unwrap();
        assert_eq!(added["who_name"], who.unwrap_or("n1"));
        assert_eq!(added["origin"], node.ready["node_guid"]);
        assert_eq!(added["len"], text.len());
        assert_eq!(node.output(["read", guid, "--raw"]), text.as_bytes());
        let read = node.json(["read", &guid[..8]]);
        assert_eq!((&read["msg"], &read["complete"]), (&text.into(), &true.into()));
        for key in ["guid", "date_time", "who_name", "origin", "sha2", "len"] {
            assert_eq!(read[key], added[key], "{key}");
        }
        let date = added["date_time"].as_str().unwrap();
        assert!(date.len() == "2026-01-01T00:00:00.000000Z".len() && date.ends_with('Z'), "{date}");
    }
    node.command(["read", "00000000-0000-8000-8000-000000000000"]).assert().code(5);
    node.command(["read", "000000", "--raw"]).assert().code(5);
}

#[test]
fn lists_are_filtered_and_end_with_the_newest() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let guids: Vec<String> = ["the printer works", "lunch", "the PRINTER is broken"].map(|text| node.add(text)).into();
    let desk = node.command(["add", "printer?", "--who", "desk"]).assert().success().get_output().stdout.clone();
    let desk = String::from_utf8(desk).unwrap().trim().to_owned();
    let list = |args: &[&str]| {
        let args = ["list", "--json"].into_iter().chain(args.iter().copied());
        let lines = String::from_utf8(node.output(args)).unwrap();
        lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let listed =
        |args: &[&str]| list(args).iter().map(|one| one["guid"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(listed(&[]), [&guids[..], std::slice::from_ref(&desk)].concat());
    assert_eq!(listed(&["--limit", "2"]), [guids[2].clone(), desk.clone()]);
    assert_eq!(listed(&["--who", "desk"]), std::slice::from_ref(&desk));
    assert_eq!(listed(&["--grep", "printer", "--who", "n1"]), [guids[0].clone(), guids[2].clone()]);
    assert_eq!(listed(&["--since", "1h"]).len(), 4);
    assert_eq!(listed(&["--since", "2999-01-01"]).len(), 0);
    let middle = list(&[])[2]["date_time"].as_str().unwrap().to_owned();
    assert_eq!(listed(&["--since", &middle]), [guids[2].clone(), desk]);

    let long = "x".repeat(5000);
    node.add(&long);
    let last = list(&["--limit", "1"]).remove(0);
    assert_eq!((&last["msg"], &last["complete"]), (&serde_json::Value::Null, &true.into()));
    assert_eq!(last["preview"].as_str().unwrap().chars().count(), 80);
    let text = String::from_utf8(node.output(["list"])).unwrap();
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let hostile = "\u{1b}[2J\u{202E}evil\u{7}\r\u{9b}31m\u{200B}";
    let guid = node.add_stdin(hostile.as_bytes());
    for args in [["list", "--limit", "1"], ["read", &guid, "--network=test"], ["status", "--limit", "1"]] {
        let text = String::from_utf8(node.output(args)).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202E}', '\u{7}', '\r', '\u{9b}', '\u{200B}']), "{text:?}");
    }
    assert_eq!(node.output(["read", &guid, "--raw"]), hostile.as_bytes());
}

#[test]
fn what_cannot_be_a_message_is_refused_and_leaves_nothing() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let too_long = vec![b'a'; MAX_MSG + 1];
    for (name, bytes) in [("too long", &too_long[..]), ("empty", b""), ("no text", b"ab\xff")] {
        node.command(["add", "-"]).write_stdin(bytes).assert().code(4);
        let kind = "Content-Type: application/octet-stream";
        let head = format!(
            "PUT /api/v1/gossip/raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let (status, answer) = node.http(&[head.as_bytes(), bytes].concat());
        assert_eq!(status, 400, "{name}: {answer}");
        assert!(answer.contains("application/problem+json"), "{name}: {answer}");
    }
    for who in ["a\u{7}b", "", " ", "a\u{202E}b", &"x".repeat(65)] {
        node.command(["add", "text", "--who", who]).assert().code(2);
        let body = serde_json::json!({ "msg": "text", "who_name": who }).to_string();
        let head = "POST /api/v1/gossip HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(node.http(request.as_bytes()).0, 400, "{who:?}");
    }
    assert_eq!(node.holds().0, 0);
    node.add_stdin(&too_long[1..]);
    assert_eq!(node.holds().0, 1);
}

#[test]
fn the_api_refuses_what_it_does_not_know() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let json = "Content-Type: application/json";
    for (status, line, header, body) in [
        (404, "GET /nothing", "", ""),
        (404, "GET /api/v1/nothing", "", ""),
        (404, "GET /api/v1/gossip/000000000000", "", ""),
        (405, "DELETE /api/v1/gossip", "", ""),
        (400, "GET /api/v1/gossip?limits=1", "", ""),
        (400, "GET /api/v1/gossip?limit=many", "", ""),
        (400, "GET /api/v1/gossip?since=soon", "", ""),
        (400, "GET /api/v1/gossip/%ff", "", ""),
        (400, "DELETE /api/v1/peers/%ff", "", ""),
        (400, "GET /api/v1/status?network=test&x=1", "", ""),
        (404, "GET /api/v1/status?network=elsewhere", "", ""),
        (400, "GET /api/v1/wait", "", ""),
        (415, "POST /api/v1/gossip", "", r#"{"msg":"x"}"#),
        (400, "POST /api/v1/gossip", json, r#"{"msg":"x","colour":1}"#),
        (400, "POST /api/v1/gossip", json, "{"),
        (400, "POST /api/v1/register", json, r#"{"address":"nowhere","timeout_ms":1}"#),
        (201, "POST /api/v1/gossip", json, r#"{"msg":"x"}"#),
        (200, "GET /api/v1/node", "", ""),
        (200, "GET /api/v1/gossip?limit=1", "", ""),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let (got, answer) = node.http(format!("{head}{header}\r\n{body}").as_bytes());
        assert_eq!(got, status, "{line} {body}: {answer}");
        let is_problem = answer.contains("content-type: application/problem+json") && answer.contains(r#""detail""#);
        assert_eq!(is_problem, status >= 400, "{line} {body}: {answer}");
    }
    let socket = node.ready["control_socket"].as_str().unwrap();
    assert_eq!(std::fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_body_far_too_long_is_refused_before_it_is_read() {
    let cluster = Cluster::of_strangers(1);
    let head = "PUT /api/v1/gossip/raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let head = format!("{head}Content-Type: application/octet-stream\r\nContent-Length: 99999999999\r\n\r\n");
    let (status, answer) = cluster.nodes[0].http(head.as_bytes());
    assert_eq!(status, 413, "{answer}");
    assert!(answer.contains("16777216"), "{answer}");
}

#[test]
fn a_second_daemon_is_told_of_the_first() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let refused = node.command(["run"]).assert().code(4);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains(&format!("pid {}", node.pid())), "{talk}");
    node.output(["status"]);
}

#[test]
fn a_socket_that_a_power_cut_left_is_replaced() {
    let mut cluster = Cluster::of_strangers(1);
    cluster.nodes[0].kill();
    assert!(cluster.nodes[0].home.join("control.sock").exists());
    cluster.nodes[0].command(["list"]).assert().code(3);
    cluster.nodes[0].start();
    cluster.nodes[0].add("back again");
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    init(&home, NETWORK, "correct horse battery staple");
    gossip_node(&home).args(["init", "--bind", &address, "--set", "gossip_timer=1s"]).assert().success();
    let refused = gossip_node(&home).arg("run").assert().code(4);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains(&format!("cannot bind UDP {address}")) && talk.contains("hint"), "{talk}");
}

#[test]
fn a_home_too_long_for_a_socket_works() {
    let mut cluster = Cluster::of_strangers(0);
    let home = cluster.dir().join("h".repeat(120));
    init(&home, NETWORK, "correct horse battery staple");
    let node = cluster.start(Node::new(home.clone()));
    let guid = node.add("hello");
    assert_eq!(node.guids(), [guid]);
    let target = std::fs::read_link(home.join("control.sock")).unwrap();
    assert_eq!(node.ready["control_socket"], target.to_str().unwrap());
    assert_eq!(cluster.nodes[0].stop("INT").code(), Some(0));
    assert!(!target.exists() && std::fs::symlink_metadata(home.join("control.sock")).is_err());
}

#[test]
fn a_signal_ends_it_gracefully_even_while_somebody_waits() {
    let mut cluster = Cluster::of_strangers(1);
    let node = &mut cluster.nodes[0];
    let mut waiting = std::process::Command::new(cluster::PROGRAM);
    waiting.args(["wait", "--peers", "9", "--timeout", "1h", "--home"]).arg(&node.home).stderr(Stdio::null());
    let mut waiting = waiting.stdin(Stdio::null()).spawn().unwrap();
    eventually("somebody waits", || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", waiting.id())).unwrap();
        fds.flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
    });
    assert_eq!(node.stop("TERM").code(), Some(0));
    assert_ne!(waiting.wait().unwrap().code(), Some(0));
    node.command(["status"]).assert().code(3);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let guid = node.add_stdin(&cluster::random_text(7, 1 << 20));
    let mut reading = std::process::Command::new(cluster::PROGRAM);
    reading.args(["read", &guid, "--raw", "--home"]).arg(&node.home).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reading = reading.spawn().unwrap();
    drop(reading.stdout.take());
    let output = reading.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn with_several_networks_a_command_names_one() {
    let mut cluster = Cluster::of_strangers(0);
    let home = cluster.dir().join("both");
    init(&home, "alpha", "correct horse battery staple");
    let args = ["network", "add", "beta", "--password-stdin"];
    gossip_node(&home).args(args).write_stdin("another good password").assert().success();
    let node = cluster.start(Node::new(home));
    assert_eq!(node.ready["networks"], serde_json::json!(["alpha", "beta"]));
    for args in [["list", "--limit", "1"], ["add", "hello", "--json"], ["wait", "--peers", "0"]] {
        let refused = node.command(args).assert().code(2);
        let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(talk.contains("alpha") && talk.contains("beta"), "{talk}");
    }
    node.output(["add", "hello", "--network", "beta"]);
    assert_eq!(node.json(["status", "network", "--network", "beta"])["gossip_count"], 1);
    assert_eq!(node.json(["status", "network", "--network", "alpha"])["gossip_count"], 0);
    // One network alone has the number that it has among all.
    let metrics = String::from_utf8(node.output(["check", "--network", "beta", "--prometheus"])).unwrap();
    assert!(metrics.contains("gossip_node_records{network=\"1\"} 1\n") && !metrics.contains("\"0\""), "{metrics}");
    node.command(["list", "--network", "gamma"]).assert().code(5);
}
