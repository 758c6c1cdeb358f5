//! The node of `examples/maelstrom.rs`, several processes of it, spoken to as Maelstrom does: messages are routed between
//! them, some are lost, and for a while two sides hear nothing of each other.

#![expect(clippy::disallowed_methods, reason = "a test waits in real time")]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The example's program, as it is now.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let release = test.components().any(|part| part.as_os_str() == "release");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", "maelstrom"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let built = cargo.args(release.then_some("--release")).status().unwrap();
    assert!(built.success());
    test.parent().unwrap().parent().unwrap().join("examples/maelstrom")
}

/// Processes, and what goes on between them.
struct Net {
    nodes: BTreeMap<String, (Child, ChildStdin)>,
    heard: mpsc::Receiver<Value>,
    /// Who hears nobody of the others.
    aside: BTreeSet<String>,
    /// How many datagrams were routed, and how many were not.
    routed: usize,
    lost: usize,
    asked: u64,
}

impl Net {
    fn start(count: usize) -> Net {
        let (said, heard) = mpsc::channel();
        let program = program();
        let start = |number: usize| {
            let mut child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let said = said.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                lines.map(|line| serde_json::from_str(&line).unwrap()).try_for_each(|message| said.send(message))
            });
            (format!("n{number}"), (child, stdin))
        };
        let nodes: BTreeMap<_, _> = (0..count).map(start).collect();
        let names: Vec<String> = nodes.keys().cloned().collect();
        let mut net = Net { nodes, heard, aside: BTreeSet::new(), routed: 0, lost: 0, asked: 0 };
        for name in &names {
            let answer = net.ask(name, json!({ "type": "init", "node_id": name, "node_ids": names }));
            assert_eq!(answer["type"], "init_ok");
            let topology: BTreeMap<&String, &Vec<String>> = names.iter().map(|name| (name, &names)).collect();
            assert_eq!(net.ask(name, json!({ "type": "topology", "topology": topology }))["type"], "topology_ok");
        }
        net
    }

    fn send(&mut self, to: &str, message: &Value) {
        writeln!(self.nodes.get_mut(to).unwrap().1, "{message}").unwrap();
    }

    /// Routes what the nodes say until somebody answers a client, or the time is over.
    fn route(&mut self, span: Duration) -> Option<Value> {
        let until = Instant::now() + span;
        loop {
            let message = self.heard.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
            let [from, to] = ["src", "dest"].map(|key| message[key].as_str().unwrap().to_owned());
            if !self.nodes.contains_key(&to) {
                return Some(message);
            }
            assert_eq!(message["body"]["type"], "datagram");
            self.routed += 1;
            // One in ten is lost.
            if self.aside.contains(&from) != self.aside.contains(&to) || self.routed.is_multiple_of(10) {
                self.lost += 1;
            } else {
                self.send(&to, &message);
            }
        }
    }

    /// Asks as a client does, and returns the body of the answer.
    fn ask(&mut self, of: &str, mut body: Value) -> Value {
        self.asked += 1;
        body["msg_id"] = json!(self.asked);
        self.send(of, &json!({ "src": "c1", "dest": of, "body": body }));
        let answer = self.route(PATIENCE).expect("an answer");
        assert_eq!((answer["src"].as_str(), answer["dest"].as_str()), (Some(of), Some("c1")));
        assert_eq!(answer["body"]["in_reply_to"], self.asked);
        answer["body"].clone()
    }

    fn read(&mut self, of: &str, key: &str) -> BTreeSet<u64> {
        let answer = self.ask(of, json!({ "type": "read" }));
        assert_eq!(answer["type"], "read_ok");
        answer[key].as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect()
    }

    /// Says numbers at all nodes in turn, some while two of them are apart; in the end all have all.
    fn try_out(&mut self, verb: &str, noun: &str, key: &str) {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        self.aside = names.iter().take(2).cloned().collect();
        let all: BTreeSet<u64> = (0..40).collect();
        for &number in &all {
            if number == 30 {
                let apart = self.read(&names[0], key);
                assert!(apart.len() < 30, "a split keeps records apart: {apart:?}");
                self.aside.clear();
            }
            let name = &names[number as usize % names.len()];
            assert_eq!(self.ask(name, json!({ "type": verb, noun: number }))["type"], format!("{verb}_ok"));
            assert!(self.read(name, key).contains(&number), "who says something has it");
        }
        let until = Instant::now() + PATIENCE;
        for name in &names {
            while self.read(name, key) != all {
                assert!(Instant::now() < until, "{name} has {:?}", self.read(name, key));
                assert_eq!(self.route(Duration::from_millis(50)), None, "nobody was asked");
            }
        }
        assert!(self.lost > 0);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for (mut child, stdin) in std::mem::take(&mut self.nodes).into_values() {
            // At the end of its input a node ends.
            drop(stdin);
            let status = child.wait().unwrap();
            assert!(status.success() || std::thread::panicking());
        }
    }
}

#[test]
fn broadcasts_reach_all_over_loss_and_a_split() {
    Net::start(5).try_out("broadcast", "message", "messages");
}

#[test]
fn a_set_that_only_grows_is_the_same_everywhere() {
    Net::start(4).try_out("add", "element", "value");
}
