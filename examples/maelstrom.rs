//! A node of Maelstrom (<https://github.com/jepsen-io/maelstrom>), for its workloads *broadcast* and *g-set*: the pure core,
//! whose datagrams travel as Maelstrom's messages, so that Maelstrom may lose, delay and cut them.
//!
//! ```sh
//! cargo build --release --example maelstrom
//! maelstrom test -w broadcast --bin target/release/examples/maelstrom --node-count 25 --rate 100 --latency 100 --nemesis partition
//! maelstrom test -w g-set --bin target/release/examples/maelstrom --node-count 5 --rate 100 --nemesis partition
//! ```

use gossip_node::effects::Memory;
use gossip_node::proto::gossip::{Draft, Gossip, Guid};
use gossip_node::proto::node::{Node, Transmit};
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::time::{Tick, Timestamp};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Who this node is, and who there is: nodes have addresses by their places in that list.
struct Names {
    own: String,
    all: Vec<String>,
}

impl Names {
    fn addr(place: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, (place >> 8) as u8, place as u8], 6884))
    }

    fn send(&self, to: &str, body: Value) {
        // Whoever started this process may have closed its end, and ends it then.
        let _ = writeln!(std::io::stdout().lock(), "{}", json!({ "src": self.own, "dest": to, "body": body }));
    }

    /// Sends a datagram as Maelstrom's.
    fn transmit(&self, transmit: &Transmit) {
        let to = self.all.iter().zip(0..).find(|&(_, place)| Names::addr(place) == transmit.to);
        let datagram: String = transmit.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        to.into_iter().for_each(|(to, _)| self.send(to, json!({ "type": "datagram", "datagram": datagram })));
    }
}

/// The node, and the time that it is told.
struct Host {
    node: Node,
    memory: Memory,
    names: Names,
    start: Instant,
}

#[expect(clippy::disallowed_methods, reason = "an example is a shell: it owns the clocks")]
impl Host {
    /// What `init` says: who this node is, and all nodes.
    fn start(body: &Value) -> Outcome<Host> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("a name is no text");
        let all = body["node_ids"].as_array().ok_or("no node_ids")?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let names = Names { own: text(&body["node_id"])?, all };
        let key = NetworkKey::new(&Secret([7; 32]));
        let settings = Settings::new(Guid::random(rand::random()), &names.own, key);
        let mut node = Node::new(settings, rand::random(), Tick(0));
        let own = names.all.iter().position(|name| *name == names.own).ok_or("this node is none of them")?;
        (0..own).for_each(|place| node.register(Tick(0), Names::addr(place), true));
        Ok(Host { node, memory: Memory::default(), names, start: Instant::now() })
    }

    fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_micros() as u64)
    }

    /// Does what a message asks, and answers it.
    fn handle(&mut self, message: &Value) -> Outcome<()> {
        let (from, body) = (message["src"].as_str().ok_or("no src")?, &message["body"]);
        let mut answer = match body["type"].as_str().ok_or("no type")? {
            "datagram" => {
                let hex = body["datagram"].as_str().ok_or("no datagram")?;
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
                let place = self.names.all.iter().position(|name| name == from).ok_or("from nobody")?;
                // What is rejected is counted by the node.
                let _ = self.node.handle_datagram(self.now(), Names::addr(place), &bytes.ok_or("no hex")?);
                return Ok(());
            }
            "read" => {
                let value = |gossip: &Gossip| serde_json::from_slice::<Value>(gossip.msg()).ok();
                let all: Vec<Value> = self.memory.records().filter_map(value).collect();
                json!({ "messages": all, "value": all })
            }
            "broadcast" | "add" => {
                let said = body.get("message").or(body.get("element")).ok_or("nothing to say")?;
                let draft = Draft { who_name: self.names.own.clone(), msg: said.to_string().into() };
                let wall = SystemTime::now().duration_since(UNIX_EPOCH)?;
                let gossip = self.node.author(Timestamp(wall.as_micros() as u64), draft)?;
                self.memory.insert(&gossip);
                self.node.learn(self.now(), &gossip);
                json!({})
            }
            _ => json!({}), // `init`, and `topology`: nodes find their own.
        };
        answer["type"] = json!(format!("{}_ok", body["type"].as_str().unwrap_or_default()));
        answer["in_reply_to"] = body["msg_id"].clone();
        self.names.send(from, answer);
        Ok(())
    }

    /// Does what is due and all that follows from it; says how long it may sleep.
    fn settle(&mut self) -> Duration {
        let now = self.now();
        self.node.handle_timeout(now);
        let wake = self.memory.settle(&mut self.node, now, |transmit| self.names.transmit(transmit));
        wake.at.since(now).min(Duration::from_secs(1))
    }
}

fn main() -> Outcome<()> {
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    // Who says nothing wants to see what this is.
    let first =
        heard.recv().map_err(|_| println!("maelstrom test -w broadcast --bin ..., see this file's first lines"));
    let Ok(first) = first else { return Ok(()) };
    let first = serde_json::from_str::<Value>(&first)?;
    let mut host = Host::start(&first["body"])?;
    host.handle(&first)?;
    loop {
        match heard.recv_timeout(host.settle()) {
            Ok(line) => host.handle(&serde_json::from_str(&line)?)?,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
