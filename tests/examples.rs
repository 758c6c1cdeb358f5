//! Every example in every help text, as it is printed, against a small cluster; and what help and JSON look like, which
//! scripts and people rely on: `GOSSIP_NODE_SNAPSHOTS=write` writes the files of `tests/snapshots` anew.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/help.rs"]
mod help;
#[path = "common/place.rs"]
mod place;

use cluster::Node;
use gossip_node::api;
use help::{commands, examples};
use place::{PASSWORD, Place, goodbye, hex, is_endless};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// What takes too long for every run of the tests.
fn is_long(example: &str) -> bool {
    ["simulate", "demo", "bench"].iter().any(|command| example.contains(&format!("gossip-node {command}")))
}

/// Whether all peers that a node has seen seal with the key that it seals with.
fn uses_one_key(node: &Node) -> bool {
    let ring: api::Keys = serde_json::from_slice(&node.output(["keys", "list", "--json"])).unwrap();
    ring.unknown.is_empty() && ring.keys.iter().all(|key| key.primary || key.used_by.is_empty())
}

fn try_all(place: &Place, all: &[(String, String)]) {
    for (command, example) in all {
        // One that waits for the next record gets one, however late it begins to.
        let adding = example.contains("--count 1").then(|| place.cluster.nodes[1].client());
        let adder = adding.map(|client| {
            let (running, ended) = mpsc::channel::<()>();
            let adding = move || {
                while ended.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                    cluster::block_on(client.add(None, "for who waits".into())).unwrap();
                }
            };
            (running, std::thread::spawn(adding))
        });
        if example.contains("keys remove") {
            cluster::eventually("nobody uses the old key", || uses_one_key(&place.cluster.nodes[0]));
        }
        let (status, data, talk) = place.run(example);
        // A key is changed on every node.
        if let Some(change) = example.strip_prefix("gossip-node keys ").filter(|rest| !rest.starts_with("list")) {
            let args = std::iter::once("keys").chain(change.split(' '));
            place.cluster.nodes[1].command(args).current_dir(&place.work).assert().success();
        }
        if let Some((running, adder)) = adder {
            drop(running);
            adder.join().unwrap();
        }
        let told = format!("{command}: {example}\n{status}\n{data}{talk}");
        match example.as_str() {
            // There is no terminal here, which it says.
            example if example.contains("gossip-node create") => {
                assert_eq!(status.code(), Some(2), "{told}");
                assert!(talk.contains("needs a terminal") && talk.contains("gossip-node add"), "{told}");
            }
            // What would go is asked about, and here is nobody who answers.
            example if example.contains("retention set") && status.code() == Some(2) => {
                assert!(talk.contains("say --yes"), "{told}");
                assert!(place.run(&format!("{example} --yes")).0.success(), "{told}");
            }
            // Whether all is well with this host is not for this test to say, nor how fast it is.
            example if example.contains("gossip-node doctor") => {
                assert!(matches!(status.code(), Some(0 | 1)) && !talk.contains("error:"), "{told}");
            }
            example if example.contains("gossip-node bench") => {
                let is_told = data.contains("FIGURE") || data.contains("\"ok\":");
                assert!(matches!(status.code(), Some(0 | 1)) && is_told, "{told}");
            }
            example if is_endless(example) => assert!(!talk.contains("error:"), "{told}"),
            _ => assert!(status.success(), "{told}"),
        }
        assert!(!data.contains('\u{1b}') && !talk.contains('\u{1b}'), "no colour where no terminal is: {told}");
    }
}

#[test]
fn every_example_works_as_it_is_printed() {
    let place = Place::new();
    let (mut all, mut last) = (Vec::new(), Vec::new());
    for (command, example) in examples() {
        // What is old is gone once the network keeps nothing old.
        let changes = ["gossip-node leave", "retention set", "gossip-node keys"];
        match changes.iter().any(|change| example.contains(change)) {
            true => last.push((command, example)),
            false if is_long(&example) => (),
            false => all.push((command, example)),
        }
    }
    assert!(all.len() > 50, "{all:#?}");
    try_all(&place, &all);
    last.sort_by_key(|(_, example)| example.contains("gossip-node leave"));
    try_all(&place, &last);
}

#[test]
#[ignore = "takes a minute: cargo test --test examples -- --ignored"]
fn every_long_example_works_as_it_is_printed() {
    let place = Place::new();
    let all: Vec<_> = examples().into_iter().filter(|(_, example)| is_long(example)).collect();
    assert!(all.len() > 4);
    try_all(&place, &all);
}

// ---- what others rely on ----

const HOW: &str = "what scripts rely on may grow and must not change; GOSSIP_NODE_SNAPSHOTS=write keeps what is now";

/// What was kept under a name, after it was written anew if somebody wants that.
fn kept(name: &str, now: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var("GOSSIP_NODE_SNAPSHOTS").as_deref() == Ok("write") {
        std::fs::write(&path, now).unwrap();
    }
    std::fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn help_is_as_it_was() {
    let mut text = String::new();
    for command in std::iter::once(Vec::new()).chain(commands()) {
        let name =
            std::iter::once("gossip-node").chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("==== {name} ====\n{}\n", help::of(&command)));
    }
    let kept = kept("help.txt", &text);
    let line = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    let line = line.unwrap_or(kept.lines().count().min(text.lines().count()));
    let (was, is) = (kept.lines().nth(line), text.lines().nth(line));
    assert!(kept == text, "tests/snapshots/help.txt, line {}:\nwas {was:?}\nis  {is:?}\n{HOW}", line + 1);
}

/// A value with its values left out: what a program that reads it relies on.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(list) => list.first().map_or(json!([]), |first| json!([shape(first)])),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("yes or no"),
        Value::Null => Value::Null,
    }
}

/// Where two shapes differ. What is not known at one time may be at another.
fn difference(path: &str, kept: &Value, now: &Value) -> Option<String> {
    match (kept, now) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Object(kept), Value::Object(now)) => {
            let gone = kept.keys().find(|key| !now.contains_key(*key)).map(|key| format!("{path}.{key} is gone"));
            let new = now.keys().find(|key| !kept.contains_key(*key)).map(|key| format!("{path}.{key} is new"));
            let below = || kept.iter().find_map(|(key, kept)| difference(&format!("{path}.{key}"), kept, &now[key]));
            gone.or(new).or_else(below)
        }
        (Value::Array(kept), Value::Array(now)) => match (kept.first(), now.first()) {
            (Some(kept), Some(now)) => difference(&format!("{path}[]"), kept, now),
            _ => None,
        },
        _ => (kept != now).then(|| format!("{path} was {kept} and is {now}")),
    }
}

#[test]
fn json_is_as_it_was_and_parses_for_every_command() {
    let place = Place::new();
    let [nas, desk] = &place.cluster.nodes[..] else { unreachable!("there are two") };
    // What follows has a measured value of everything.
    cluster::eventually("the log has a line", || !nas.output(["logs"]).is_empty());
    cluster::eventually("a round trip is known", || nas.network().peers[0].rtt_ms.is_some());
    let (backup, address) = (place.work.join("b.jsonl"), desk.address());
    let datagram = hex(&goodbye());
    let (spare, new) = (place.cluster.dir().join("fresh"), place.work.join("new.txt"));
    let lines: Vec<(&str, Vec<&str>)> = vec![
        ("add", vec!["add", "x"]),
        ("list", vec!["list", "--limit", "1"]),
        ("read", vec!["read", "43c54ed2"]),
        ("follow", vec!["follow", "--all", "--count", "1"]),
        ("status", vec!["status", "--limit", "1"]),
        ("status network", vec!["status", "network"]),
        ("status gossip", vec!["status", "gossip", "--limit", "1"]),
        ("decode", vec!["decode", &datagram]),
        ("ui", vec!["ui", "--print"]),
        ("peers", vec!["peers"]),
        ("explain", vec!["explain", "desk"]),
        ("ping", vec!["ping", "desk", "--count", "1"]),
        ("ping --sweep", vec!["ping", "desk", "--sweep"]),
        ("register", vec!["register", &address]),
        ("wait", vec!["wait", "--peers", "1"]),
        ("export", vec!["export"]),
        ("import", vec!["import", backup.to_str().unwrap()]),
        ("logs", vec!["logs", "-n", "1"]),
        ("config show", vec!["config", "show"]),
        ("config get", vec!["config", "get", "gossip_timer"]),
        ("config set", vec!["config", "set", "gossip_timer", "1s"]),
        ("retention", vec!["retention"]),
        ("retention show", vec!["retention", "show"]),
        ("retention set", vec!["retention", "set", "--max-age", "off"]),
        ("forget", vec!["forget", "old-laptop", "--dry-run"]),
        ("network list", vec!["network", "list"]),
        ("network add", vec!["network", "add", "work", "--password-stdin"]),
        ("network remove", vec!["network", "remove", "work", "--yes"]),
        ("keys list", vec!["keys", "list"]),
        ("keys add", vec!["keys", "add", "--password-file", new.to_str().unwrap()]),
        ("keys use", vec!["keys", "use"]),
        ("keys remove", vec!["keys", "remove", "--force"]),
        ("reload", vec!["reload"]),
        ("log-level", vec!["log-level", "info"]),
        ("doctor", vec!["doctor"]),
        ("check", vec!["check"]),
        ("init", vec!["init", "--network", "home", "--password-stdin", "--home", spare.to_str().unwrap()]),
        ("demo", vec!["demo", "--once", "--nodes", "2", "--records", "1"]),
        ("simulate", vec!["simulate", "--nodes", "5", "--records", "1"]),
        ("bench ingest", vec!["bench", "ingest", "--records", "10"]),
        ("bench spread", vec!["bench", "spread", "--nodes", "2", "--records", "20", "--singles", "2"]),
        ("bench sync", vec!["bench", "sync", "--records", "20"]),
        ("bench digest", vec!["bench", "digest", "--records", "20", "--differences", "2"]),
        ("bench restart", vec!["bench", "restart", "--records", "500"]),
        ("bench datagram", vec!["bench", "datagram", "--count", "200"]),
        ("bench idle", vec!["bench", "idle", "--nodes", "2", "--for", "100ms"]),
        ("bench udp", vec!["bench", "udp", "--for", "5ms", "--trips", "3"]),
        ("leave", vec!["leave"]),
    ];
    let mut shapes = serde_json::Map::new();
    for (name, args) in &lines {
        if *name == "import" {
            std::fs::write(&backup, nas.output(["export"])).unwrap();
        }
        // How fast this host is, is not for this test to say.
        let may_fail = *name == "doctor" || name.starts_with("bench");
        let output = nas.command(args.iter().copied().chain(["--json"])).write_stdin(PASSWORD).output().unwrap();
        let (data, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() || may_fail, "{name}: {talk}");
        let parsed: Vec<Value> = data
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}")))
            .collect();
        assert!(!parsed.is_empty(), "{name} says nothing");
        shapes.insert((*name).to_owned(), shape(parsed.last().unwrap()));
    }
    // What prints no data, or what another program reads, has no JSON.
    let without = ["run", "create", "completions"];
    for command in commands() {
        let name = command.join(" ");
        let covered = lines.iter().any(|(of, _)| *of == name || of.starts_with(&format!("{name} ")));
        assert!(covered || without.contains(&command[0].as_str()), "{name} has no JSON here");
    }
    let now = Value::Object(shapes);
    let kept = kept("json.json", &format!("{}\n", serde_json::to_string_pretty(&now).unwrap()));
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(difference("", &kept, &now), None, "{HOW}");
}
