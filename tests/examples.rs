//! Every example in every help text, as it is printed, against a small cluster; and what help and JSON look like, which
//! scripts and people rely on: `GOSSIP_NODE_SNAPSHOTS=write` writes the files of `tests/snapshots` anew.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/help.rs"]
mod help;

use cluster::{Cluster, Node, PROGRAM, init_with};
use gossip_node::api;
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::wire::{Leave, Message};
use help::{commands, examples};
use serde_json::{Value, json};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The network that examples name.
const NETWORK: &str = "home";
const PASSWORD: &str = "correct horse battery staple";
/// A record that examples name.
const HELLO: &str = r#"{"guid":"43c54ed2-0173-8495-93c7-8a8c49826092","kind":"message","date_time":"1970-01-01T00:00:00.000001Z","origin":"07070707-0707-0707-0707-070707070707","who_name":"dove","sha2":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","len":5,"msg":"hello"}"#;

/// Two daemons, `nas` and `desk`, and a directory with what examples read.
struct Place {
    cluster: Cluster,
    work: PathBuf,
}

impl Place {
    fn new() -> Place {
        let mut cluster = Cluster::of_strangers(0);
        let dir = cluster.dir().to_owned();
        for name in ["nas", "desk", "old-laptop"] {
            let home = dir.join(name);
            // A seed that is nowhere gives the log a line.
            init_with(&home, NETWORK, PASSWORD, &["--bind", "127.0.0.1:0", "--seed", "no.such.host.invalid:1"]);
            cluster.start(Node::new(home));
        }
        // One that was here once and is not any more.
        cluster.nodes[2].register(&cluster.nodes[0]);
        cluster.nodes[0].wait(&["--peers", "1"]);
        cluster.nodes[2].stop("TERM");
        cluster.nodes.pop();
        cluster.nodes[0].register(&cluster.nodes[1]);
        cluster.wait_all(&["--peers", "1"]);
        cluster.nodes[0].command(["import", "-"]).write_stdin(HELLO).assert().success();
        cluster.nodes[0].add("the printer works, paper is in");
        cluster.wait_all(&["--gossip", "2", "--in-sync"]);
        let work = dir.join("work");
        std::fs::create_dir(&work).unwrap();
        for (name, text, mode) in [
            ("secret.txt", PASSWORD, 0o600),
            ("work.txt", "another horse at work", 0o600),
            ("new.txt", "a newer battery staple", 0o600),
            ("next.txt", "the next battery staple", 0o600),
            ("report.txt", "all is well\n", 0o644),
            ("on-message", "#!/bin/sh\ncat > /dev/null\n", 0o755),
        ] {
            std::fs::write(work.join(name), text).unwrap();
            std::fs::set_permissions(work.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let datagram = goodbye();
        std::fs::write(work.join("datagrams.hex"), hex(&datagram)).unwrap();
        std::fs::write(work.join("lan.pcap"), recorded(&datagram)).unwrap();
        init_with(&dir.join("spare"), NETWORK, PASSWORD, &["--bind", "127.0.0.1:0"]);
        Place { cluster, work }
    }

    /// The home that an example is about: most are about a daemon that runs, some need a home of their own.
    fn home(&self, example: &str) -> PathBuf {
        let dir = self.cluster.dir();
        if example.contains("gossip-node init") && !example.contains("gossip-node reload") {
            let home = dir.join("new");
            if example.contains("--network") {
                let _ = std::fs::remove_dir_all(&home);
            }
            return home;
        }
        let name = if example.contains("gossip-node run") { "spare" } else { "nas" };
        dir.join(name)
    }

    /// Runs an example in a shell. One that goes on for ever is ended as soon as it has said something.
    fn run(&self, example: &str) -> (ExitStatus, String, String) {
        // No host has these names here: they are those of the other node.
        let desk = self.cluster.nodes[1].address();
        let line = ["192.168.1.10:6884", "192.168.1.21:6884", "nas:6884"]
            .iter()
            .fold(example.to_owned(), |line, name| line.replace(name, &desk));
        let endless = is_endless(example);
        // A signal has to meet the program, not the shell.
        let alone = endless && !line.contains('|') && !line.contains('=');
        let line = if alone { format!("exec {line}") } else { line };
        let dir = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command
            .args(["-c", &line])
            .current_dir(&self.work)
            .env("PATH", path)
            .env("GOSSIP_NODE_HOME", self.home(example));
        for name in ["GOSSIP_NODE_NETWORK", "GOSSIP_NODE_LOG", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (said, heard) = mpsc::channel();
        let read = |mut from: Box<dyn Read + Send>, said: mpsc::Sender<()>| {
            std::thread::spawn(move || {
                let (mut all, mut some) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = from.read(&mut some) {
                    all.extend_from_slice(&some[..count]);
                    let _ = said.send(());
                }
                String::from_utf8(all).unwrap()
            })
        };
        let data = read(Box::new(child.stdout.take().unwrap()), said.clone());
        let talk = read(Box::new(child.stderr.take().unwrap()), said);
        if endless {
            // What may have nothing to say is given the time to fail.
            let _ = heard.recv_timeout(Duration::from_secs(2));
            // What it runs itself is not for us to end.
            let whom = if alone { child.id().to_string() } else { format!("-{}", child.id()) };
            let signal = Command::new("kill").args(["-s", "TERM", "--", &whom]).status().unwrap();
            assert!(signal.success(), "{example} has ended by itself");
        }
        let status = child.wait().unwrap();
        (status, data.join().unwrap(), talk.join().unwrap())
    }
}

/// A datagram of the network.
fn goodbye() -> Vec<u8> {
    let key = NetworkKey::new(&Secret::derive(NETWORK, PASSWORD.as_bytes()));
    let leave = Message::Leave(Leave { restarting: false });
    let (mut datagram, header) = (vec![], Header { kind: leave.kind(), src_session: 1, dst_session: 2, counter: 3 });
    key.seal(&header, &mut datagram, |out| leave.encode(out));
    datagram
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file that tcpdump would have written of it: IPv4 without a link around it.
fn recorded(datagram: &[u8]) -> Vec<u8> {
    let len = u16::try_from(datagram.len()).unwrap();
    let head = [0xA1B2_C3D4, 0x0002_0004, 0, 0, 65_535, 101].map(u32::to_be_bytes);
    let packet = [1_700_000_000, 5, u32::from(len) + 28, u32::from(len) + 28].map(u32::to_be_bytes);
    let ip =
        [[0x45, 0], (len + 28).to_be_bytes(), [0; 2], [0x40, 0], [64, 17], [0; 2], [10, 0], [0, 1], [10, 0], [0, 2]];
    let udp = [6884, 6884, len + 8, 0].map(u16::to_be_bytes);
    [head.as_flattened(), packet.as_flattened(), ip.as_flattened(), udp.as_flattened(), datagram].concat()
}

/// What is there until somebody ends it.
fn is_endless(example: &str) -> bool {
    let said = |word: &str| example.contains(word);
    said("gossip-node run") && !said(" --help")
        || said("gossip-node follow") && !said("--count")
        || said("gossip-node demo") && !said("--once")
        || said("logs -f")
}

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
        // One that waits for the next record gets one.
        let adding = example.contains("--count 1").then(|| place.cluster.nodes[1].client());
        let adder = adding.map(|client| {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(200));
                cluster::block_on(client.add(None, "for who waits".into())).unwrap();
            })
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
        if let Some(adder) = adder {
            adder.join().unwrap();
        }
        let told = format!("{command}: {example}\n{status}\n{data}{talk}");
        match example.as_str() {
            // There is no terminal here, which it says.
            example if example.contains("gossip-node create") => {
                assert_eq!(status.code(), Some(2), "{told}");
                assert!(talk.contains("needs a terminal") && talk.contains("gossip-node add"), "{told}");
            }
            // Whether all is well with this host is not for this test to say, nor how fast it is.
            example if example.contains("gossip-node doctor") => {
                assert!(matches!(status.code(), Some(0 | 1)) && !talk.contains("error:"), "{told}");
            }
            example if example.contains("gossip-node bench") => {
                assert!(
                    matches!(status.code(), Some(0 | 1)) && data.contains("FIGURE") || data.contains("\"ok\":"),
                    "{told}"
                );
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
        ("decode", vec!["decode", &datagram]),
        ("doctor", vec!["doctor"]),
        ("check", vec!["check"]),
        ("init", vec!["init", "--network", "home", "--password-stdin", "--home", spare.to_str().unwrap()]),
        ("demo", vec!["demo", "--once", "--nodes", "2", "--records", "1"]),
        ("simulate", vec!["simulate", "--nodes", "5", "--records", "1"]),
        ("bench ingest", vec!["bench", "ingest", "--records", "10"]),
        ("bench spread", vec!["bench", "spread", "--nodes", "2", "--records", "20", "--singles", "2"]),
        ("bench sync", vec!["bench", "sync", "--records", "20"]),
        ("bench digest", vec!["bench", "digest", "--records", "20", "--differences", "2"]),
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
