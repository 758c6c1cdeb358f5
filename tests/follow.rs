//! Stories of those who follow: `follow`, its commands, server-sent events, receipts, and what is said of peers.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, Node, PATIENCE, PROGRAM, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A `gossip-node follow` under way. It dies with its story.
struct Follower {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    talk: PathBuf,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Follower {
    /// Follows a node; returns once it does.
    fn of(node: &Node, args: &[&str]) -> Follower {
        let follower = Follower::start(node, args);
        follower.wait_for_talk("following ");
        follower
    }

    fn start(node: &Node, args: &[&str]) -> Follower {
        let talk = tempfile::Builder::new().prefix("talk-").tempfile_in(node.home.parent().unwrap()).unwrap();
        let (file, talk) = talk.keep().unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("follow").arg("--home").arg(&node.home).args(args).env_remove("GOSSIP_NODE_NETWORK");
        // A terminal's Ctrl-C reaches all that it started: see `signal`.
        command.process_group(0);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Follower { child, lines: Some(lines), talk }
    }

    fn talk(&self) -> String {
        std::fs::read_to_string(&self.talk).unwrap()
    }

    fn wait_for_talk(&self, part: &str) {
        eventually(&format!("{part:?} in {}", self.talk.display()), || self.talk().contains(part));
    }

    fn line(&mut self) -> String {
        let line = self.lines.as_mut().unwrap().next();
        line.unwrap_or_else(|| panic!("it ended: {}", self.talk())).unwrap()
    }

    /// The next record.
    fn record(&mut self) -> Value {
        loop {
            let line = self.line();
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            if event["event"] == "gossip" {
                return event;
            }
            assert_eq!(event["event"], "peer", "{event}");
        }
    }

    fn guids(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.record()["guid"].as_str().unwrap().to_owned()).collect()
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        assert!(Command::new("kill").args(["-s", name, "--", &group]).status().unwrap().success());
    }

    fn code(mut self) -> i32 {
        // Nobody writes to it any more.
        let rest = self.lines.take().map(|lines| lines.count());
        let code = self.child.wait().unwrap().code();
        code.unwrap_or_else(|| panic!("killed after {rest:?} lines: {}", self.talk()))
    }
}

fn added(node: &Node, count: usize, what: &str) -> Vec<String> {
    (0..count).map(|number| node.add(&format!("{what} {number}"))).collect()
}

#[test]
fn who_follows_sees_own_and_others_records_as_they_arrive() {
    let cluster = Cluster::of(2);
    let (one, two) = (&cluster.nodes[0], &cluster.nodes[1]);
    let before = one.add("before");
    cluster.agree_on(1);
    let mut new = Follower::of(two, &["--json"]);
    let mut all = Follower::of(two, &["--json", "--all"]);
    assert_eq!(all.guids(1), std::slice::from_ref(&before));
    let guids = [two.add("own"), one.add("another's")];
    // They come in the order in which they arrive at the second.
    assert_eq!((new.guids(1), all.guids(1)), (vec![guids[0].clone()], vec![guids[0].clone()]));
    let record = new.record();
    assert_eq!((&record["guid"], &record["msg"]), (&guids[1].clone().into(), &"another's".into()));
    assert_eq!((&record["complete"], &record["who_name"]), (&true.into(), &"n1".into()));
    assert_eq!(all.guids(1), [guids[1].clone()]);

    let after = Follower::of(two, &["--json", "--after", &guids[0][..8], "--count", "1"]);
    assert_eq!(after.code(), 0, "it ends after its count");
    let mut after = Follower::of(two, &["--json", "--after", &before]);
    assert_eq!(after.guids(2), guids);
    for (follower, signal) in [(new, "INT"), (all, "TERM")] {
        follower.signal(signal);
        assert_eq!(follower.code(), 0);
    }
    two.command(["follow", "--after", "000000"]).assert().code(5);
}

#[test]
fn people_see_a_line_a_record_and_no_text_acts_on_their_terminal() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let mut follower = Follower::of(node, &[]);
    let guid = node.add_stdin("\u{1b}[2J\u{202E}evil\u{7}\r\nsecond line".as_bytes());
    let line = follower.line();
    assert!(line.contains(&guid[..8]) && line.contains("n1") && line.contains("evil"), "{line:?}");
    assert!(!line.contains(['\u{1b}', '\u{202E}', '\u{7}', '\r']) && !line.contains("second"), "{line:?}");
}

#[test]
fn a_restart_of_the_daemon_loses_and_repeats_nothing() {
    let mut cluster = Cluster::of_strangers(1);
    let mut follower = Follower::of(&cluster.nodes[0], &["--json"]);
    for round in 0..3 {
        let node = &mut cluster.nodes[0];
        let first = added(node, 5, "before");
        assert_eq!(follower.guids(5), first);
        if round == 1 {
            node.kill()
        } else {
            assert_eq!(node.stop("TERM").code(), Some(0))
        }
        // What is added before it is back there is told as well.
        node.start_again();
        let second = added(node, 5, "after");
        assert_eq!(follower.guids(5), second);
    }
    let talk = follower.talk();
    assert!(talk.contains("the daemon went away") && talk.contains("the daemon is back"), "{talk}");
    cluster.nodes[0].stop("TERM");
    follower.signal("TERM");
    assert_eq!(follower.code(), 0, "it ends while it waits for the daemon, too");
    cluster.nodes[0].command(["follow"]).assert().code(3);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let cluster = Cluster::of_strangers(1);
    let mut follower = Follower::of(&cluster.nodes[0], &["--json"]);
    drop(follower.lines.take());
    cluster.nodes[0].add("hello");
    assert_eq!(follower.code(), 0);
}

#[test]
fn who_reads_slowly_holds_nobody_up_and_misses_nothing() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let mut slow = Follower::of(node, &["--json"]);
    // Far more than pipes and sockets hold between the two.
    let guids = cluster.add_many(2000, 4000);
    node.wait(&["--gossip", "2000"]);
    let mut told = slow.guids(2000);
    assert_eq!(told, node.guids(), "one node's records arrive in the order of their dates");
    told.sort();
    let mut guids = guids;
    guids.sort();
    assert_eq!(told, guids);
}

/// A program made of a few lines of shell.
fn script(cluster: &Cluster, text: &str) -> String {
    let path = cluster.dir().join("on-message");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_command_runs_for_each_record_with_all_of_it() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let long = cluster::random_text(3, 100_000);
    let guids = [node.add("$(touch evil); `touch evil`"), node.add_stdin(&long)];
    let follower = Follower::of(node, &["--all", "--count", "2", "--exec", "cat"]);
    let mut follower = follower;
    let records: Vec<Value> = (0..2).map(|_| serde_json::from_str(&follower.line()).unwrap()).collect();
    assert_eq!(records[0]["guid"], guids[0]);
    assert_eq!(records[0]["msg"], "$(touch evil); `touch evil`");
    assert_eq!(records[1]["msg"].as_str().unwrap().as_bytes(), long);
    assert_eq!(follower.code(), 0);
}

#[test]
fn a_command_that_fails_is_tried_again_and_told_in_the_end() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let guid = node.add("hello");
    // Succeeds at the third try.
    let program = script(&cluster, "cat >/dev/null; echo x >> \"$1\"; test $(wc -l < \"$1\") -ge 3");
    let count = cluster.dir().join("count");
    let count = count.to_str().unwrap();
    let follower = Follower::of(node, &["--all", "--count", "1", "--exec", &program, count]);
    follower.wait_for_talk("trying again");
    assert_eq!(follower.code(), 0);
    assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 3);

    let follower = Follower::of(node, &["--all", "--count", "1", "--retries", "1", "--exec", "false"]);
    follower.wait_for_talk("given up after 2 tries");
    assert!(follower.talk().contains(&guid[..8]), "{}", follower.talk());
    assert_eq!(follower.code(), 1);
    let follower = Follower::start(node, &["--all", "--exec", "/nonexistent/program"]);
    follower.wait_for_talk("cannot run /nonexistent/program");
    assert_eq!(follower.code(), 1);
}

#[test]
fn a_command_is_for_messages_alone() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let mut follower = Follower::of(node, &["--count", "1", "--exec", "cat"]);
    // A record too, though nobody says anything by it.
    node.output(["retention", "set", "--max-age", "1d"]);
    let guid = node.add("hello");
    let record: Value = serde_json::from_str(&follower.line()).unwrap();
    assert_eq!((record["guid"].as_str(), &record["msg"]), (Some(&*guid), &"hello".into()));
    assert_eq!(follower.code(), 0);
}

#[test]
fn who_ends_it_ends_no_command_and_begins_none() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    node.add("hello");
    let count = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    let (began, failed, go) = (cluster.dir().join("began"), cluster.dir().join("failed"), cluster.dir().join("go"));
    let [began_at, failed_at, go_at] = [&began, &failed, &go].map(|path| path.to_str().unwrap());
    let program = script(&cluster, "cat >/dev/null; echo x >> \"$1\"; until test -e \"$2\"; do sleep 0.05; done");
    let follower = Follower::of(node, &["--all", "--exec", &program, began_at, go_at]);
    eventually("the command runs", || count(&began) == 1);
    follower.signal("INT");
    std::fs::write(&go, "").unwrap();
    assert_eq!((follower.code(), count(&began)), (0, 1), "what was under way is done, once");

    let program = script(&cluster, "cat >/dev/null; echo x >> \"$1\"; false");
    let follower = Follower::of(node, &["--all", "--retries", "100", "--exec", &program, failed_at]);
    let again = |follower: &Follower| follower.talk().matches("trying again").count();
    eventually("it waits for a while", || again(&follower) == 5);
    follower.signal("INT");
    follower.wait_for_talk("given up after 5 tries");
    assert_eq!((follower.code(), count(&failed)), (1, 5));
}

#[test]
fn so_many_commands_run_at_once_and_no_more() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    added(node, 6, "record");
    // Each says how many of its kind there are, once three have begun and a fourth has had a chance to.
    let begins = "cat >/dev/null; mkdir \"$1/running/$$\" \"$1/begun/$$\"";
    let waits = "until [ $(ls \"$1/begun\" | wc -l) -ge 3 ]; do sleep 0.01; done; sleep 0.3";
    let ends = "ls \"$1/running\" | wc -l; rmdir \"$1/running/$$\"";
    let program = script(&cluster, &format!("{begins}; {waits}; {ends}"));
    let place = cluster.dir().join("place");
    ["running", "begun"].into_iter().for_each(|dir| std::fs::create_dir_all(place.join(dir)).unwrap());
    let args = ["--all", "--count", "6", "--jobs", "3", "--exec", &program, place.to_str().unwrap()];
    let mut follower = Follower::of(node, &args);
    let seen: Vec<usize> = (0..6).map(|_| follower.line().trim().parse().unwrap()).collect();
    assert!(seen.iter().all(|&running| running <= 3) && seen.contains(&3), "{seen:?}");
    assert_eq!(follower.code(), 0);
}

// ---- server-sent events ----

/// A raw request for events, read event by event: its fields by name.
struct Raw(BufReader<UnixStream>);

impl Raw {
    fn get(node: &Node, target: &str, header: &str) -> Raw {
        let mut stream = UnixStream::connect(node.ready["control_socket"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {target} HTTP/1.0\r\nHost: localhost\r\n{header}\r\n").unwrap();
        Raw(BufReader::new(stream))
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "{head}");
        }
        head
    }

    /// The next event: id, name, data.
    fn event(&mut self) -> (String, String, Value) {
        let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("event", value)) => name = value.to_owned(),
                Some(("data", value)) => data.push_str(value),
                _ if line == "\n" && !data.is_empty() => return (id, name, serde_json::from_str(&data).unwrap()),
                _ => (),
            }
        }
    }
}

#[test]
fn server_sent_events_begin_with_a_snapshot_and_go_on_where_somebody_stood() {
    let mut cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    node.add("before");
    let mut raw = Raw::get(node, "/api/v1/events?kinds=gossip,peer", "");
    let head = raw.head();
    assert!(head.contains(" 200 ") && head.contains("text/event-stream") && head.contains("no-cache"), "{head}");
    let (id, name, snapshot) = raw.event();
    assert_eq!(
        (name.as_str(), &snapshot["event"], &snapshot["gossip_count"]),
        ("snapshot", &"snapshot".into(), &1.into())
    );
    let guids = added(node, 3, "record");
    for guid in &guids {
        let (_, name, event) = raw.event();
        assert_eq!((name.as_str(), event["guid"].as_str().unwrap()), ("gossip", guid.as_str()));
    }
    // Nobody missed anything: no snapshot then.
    let mut again = Raw::get(node, "/api/v1/events", &format!("Last-Event-ID: {id}\r\n"));
    again.head();
    let (second, name, event) = again.event();
    assert_eq!((name.as_str(), &event["guid"]), ("gossip", &guids[0].clone().into()));
    // Another run of the daemon knows nothing of what happened to peers in the one before.
    cluster.nodes[0].stop("TERM");
    assert_eq!(raw.0.read_to_end(&mut Vec::new()).unwrap_or(0), 0, "the stream ends with the daemon");
    cluster.nodes[0].start_again();
    let mut again = Raw::get(&cluster.nodes[0], "/api/v1/events", &format!("Last-Event-ID: {second}\r\n"));
    again.head();
    assert_eq!(again.event().1, "snapshot");
    assert_eq!(again.event().2["guid"], guids[1]);
    assert_eq!(again.event().2["guid"], guids[2]);
}

#[test]
fn events_have_the_guards_of_all_routes_and_a_limit() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    for (status, target, header) in [
        (400, "/api/v1/events?form=all", ""),
        (400, "/api/v1/events?kinds=gossip,all", ""),
        (400, "/api/v1/events?backlog=some", ""),
        (404, "/api/v1/events?network=elsewhere", ""),
        (404, "/api/v1/events?from=000000", ""),
        (400, "/api/v1/events?from=zero", ""),
        (400, "/api/v1/events", "Last-Event-ID: 7\r\n"),
    ] {
        let head = Raw::get(node, target, header).head();
        assert!(head.contains(&format!(" {status} ")) && head.contains("problem+json"), "{target}: {head}");
    }
    let many: Vec<Raw> = (0..64)
        .map(|_| {
            let mut raw = Raw::get(node, "/api/v1/events", "");
            assert!(raw.head().contains(" 200 "));
            raw
        })
        .collect();
    let refused = node.command(["follow"]).assert().code(4);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains("64 others follow"), "{talk}");
    node.add("others are served as before");
    drop(many);
    eventually("there is room again", || Raw::get(node, "/api/v1/events", "").head().contains(" 200 "));
}

#[test]
fn a_place_that_is_gone_is_told_as_a_reset() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    added(node, 2, "record");
    let mut raw = Raw::get(node, "/api/v1/events?from=all", "");
    raw.head();
    let (id, ..) = [raw.event(), raw.event()][1].clone();
    let elsewhere = format!("{}.00000000-0000-8000-8000-000000000001", id.rsplit_once('.').unwrap().0);
    let mut raw = Raw::get(node, "/api/v1/events", &format!("Last-Event-ID: {elsewhere}\r\n"));
    raw.head();
    let (_, name, reset) = raw.event();
    assert_eq!((name.as_str(), &reset["of"], &reset["skipped"]), ("reset", &"gossip".into(), &Value::Null));
    assert_eq!(raw.event().1, "snapshot");
    let guid = node.add("after the reset");
    assert_eq!(raw.event().2["guid"], guid);
}

// ---- receipts, and what is said of peers ----

#[test]
fn creating_may_wait_for_others_to_hold_it() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    for wait in ["all", "0"] {
        let created = node.json(["add", "hello", "--wait", wait, "--timeout", "90s"]);
        assert_eq!(created["held_by"], serde_json::json!({ "known": 0, "reachable": 0 }));
        assert_eq!(created["waited"], true);
    }
    assert_eq!(node.json(["add", "hello"])["waited"], Value::Null);
    let late = node.command(["add", "hello", "--wait", "1", "--timeout", "100ms"]).assert().code(6);
    let talk = String::from_utf8(late.get_output().stderr.clone()).unwrap();
    assert!(talk.contains("0 of 0 reachable peers are known to hold it"), "{talk}");
    let guid = String::from_utf8(late.get_output().stdout.clone()).unwrap();
    assert_eq!(node.json(["read", guid.trim()])["held_by"]["reachable"], 0);
    assert!(String::from_utf8(node.output(["read", guid.trim()])).unwrap().contains("no peer is reachable"));
    assert_eq!(node.holds().0, 4, "it was added all the same");

    let json = "Content-Type: application/json\r\nConnection: close\r\nHost: x";
    for (status, body) in [
        (201, r#"{"msg":"x","wait":"all","timeout_ms":90000}"#),
        (400, r#"{"msg":"x","wait":"most"}"#),
        (400, r#"{"msg":"x","timeout_ms":1}"#),
    ] {
        let request = format!("POST /api/v1/gossip HTTP/1.1\r\n{json}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (got, answer) = node.http(request.as_bytes());
        assert_eq!(got, status, "{body}: {answer}");
    }
}

#[test]
fn with_wait_all_every_peer_holds_it_when_it_returns() {
    let cluster = Cluster::of(3);
    for number in 0..10 {
        let created = cluster.nodes[0].json(["add", &format!("hello {number}"), "--wait", "all", "--timeout", "90s"]);
        assert_eq!(created["held_by"], serde_json::json!({ "known": 2, "reachable": 2 }));
        let guid = created["guid"].as_str().unwrap();
        for node in &cluster.nodes {
            assert_eq!(node.json(["read", guid])["held_by"], serde_json::json!({ "known": 2, "reachable": 2 }));
        }
    }
    cluster.nodes[0].command(["add", "hello", "--wait", "3", "--timeout", "200ms"]).assert().code(6);
}

#[test]
fn what_happens_to_peers_is_told() {
    let mut cluster = Cluster::of(2);
    let mut follower = Follower::of(&cluster.nodes[0], &["--json"]);
    let mut until = |reach: &str| loop {
        let event: Value = serde_json::from_str(&follower.line()).unwrap();
        assert_eq!((&event["event"], &event["name"]), (&"peer".into(), &"n2".into()), "{event}");
        if event["reach"] == reach {
            assert!(!event["reason"].as_str().unwrap().is_empty());
            return;
        }
    };
    cluster.nodes[1].stop("TERM");
    until("left");
    cluster.nodes[1].start_again();
    until("reachable");
    cluster.nodes[1].kill();
    until("unreachable");
}

#[test]
fn peers_are_listed_and_explained() {
    let cluster = Cluster::of(3);
    let (node, other) = (&cluster.nodes[0], &cluster.nodes[1]);
    let peers = node.json(["peers"]);
    let names: Vec<&str> = peers.as_array().unwrap().iter().map(|peer| peer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["n2", "n3"]);
    for key in ["guid", "ip", "port", "reach", "rtt_ms", "loss", "last_update", "datagrams_per_s", "bytes_per_s"] {
        assert!(peers[0].get(key).is_some(), "unknown values are null, never absent: {key}");
    }
    assert_eq!(node.json(["peers", "--reach", "left,suspect"]), serde_json::json!([]));
    let text = String::from_utf8(node.output(["peers"])).unwrap();
    assert!(text.contains("n2") && text.contains("2 reachable"), "{text}");
    let guid = other.ready["node_guid"].as_str().unwrap();
    for who in ["n2", &guid[..8], &other.address()] {
        let explained = node.json(["explain", who]);
        assert_eq!((&explained["peer"]["guid"], &explained["peer"]["reach"]), (&guid.into(), &"reachable".into()));
        for key in ["since", "reason", "evidence", "next"] {
            assert!(explained.get(key).is_some(), "{key}");
        }
    }
    let text = String::from_utf8(node.output(["explain", "n2"])).unwrap();
    assert!(text.starts_with("n2 is reachable"), "{text}");
    node.command(["explain", "nobody"]).assert().code(5);
    let refused = node.command(["explain", "127.0.0.1"]).assert().code(2);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains("any of 2") && talk.contains("n2 at") && talk.contains("n3 at"), "{talk}");
}

#[test]
fn the_rate_of_sending_is_measured() {
    let cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let rate = &node.json(["status", "network"])["send_rate"];
    assert!(rate["datagrams_per_s"].as_f64().unwrap() > 0.0, "{rate}");
    assert!(rate["bytes_per_s"].as_f64().unwrap() > rate["datagrams_per_s"].as_f64().unwrap() * 40.0, "{rate}");
    let text = String::from_utf8(node.output(["status"])).unwrap();
    assert!(text.contains("datagrams/s"), "{text}");
}
