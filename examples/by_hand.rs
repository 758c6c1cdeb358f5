//! Drives two nodes by hand, each over a `std::net::UdpSocket` and with its records in memory: one says something, the
//! other prints it. This is all that a daemon does, but for the disk: `cargo run --example by_hand`.

use gossip_node::effects::{Effects, Memory, settle};
use gossip_node::proto::fact::Fact;
use gossip_node::proto::gossip::{Draft, Guid};
use gossip_node::proto::node::{Node, Transmit};
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::time::{Tick, Timestamp};
use rand::{TryRng, rngs::SysRng};
use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Surroundings {
    socket: UdpSocket,
    memory: Memory,
}

impl Effects for Surroundings {
    type Bodies = Memory;

    fn keep(&mut self, fact: Fact) {
        self.memory.keep(fact);
    }

    fn bodies(&self) -> &Memory {
        &self.memory
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        // Best effort: what is lost here is repaired like any other loss.
        let _ = self.socket.send_to(&transmit.bytes, transmit.to);
        true
    }
}

struct Host {
    node: Node,
    surroundings: Surroundings,
}

impl Host {
    fn start(name: &str, key: &NetworkKey) -> Outcome<Host> {
        let (mut guid, mut seed) = ([0; 16], [0; 32]);
        SysRng.try_fill_bytes(&mut guid)?;
        SysRng.try_fill_bytes(&mut seed)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let node = Node::new(Settings::new(Guid::random(guid), name, key.clone()), seed, Tick(0));
        Ok(Host { node, surroundings: Surroundings { socket, memory: Memory::default() } })
    }

    /// Takes at most one datagram, does what is due, and has everything done that follows from it.
    fn step(&mut self, now: Tick) {
        let mut datagram = [0; 2048];
        if let Ok((len, from)) = self.surroundings.socket.recv_from(&mut datagram) {
            // What is rejected is counted by the node.
            let _ = self.node.handle_datagram(now, from, &datagram[..len]);
        }
        if settle(&mut self.node, now, &mut self.surroundings).at <= now {
            self.node.handle_timeout(now);
        }
        settle(&mut self.node, now, &mut self.surroundings);
        for receipt in self.surroundings.memory.receipts() {
            self.node.handle_receipt(now, receipt);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an example is a shell: it owns the clocks")]
fn main() -> Outcome<()> {
    let (start, wall) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
    let now = || Tick(start.elapsed().as_micros() as u64);
    let key = NetworkKey::new(&Secret::derive("by hand", b"correct horse battery staple"));
    let (mut first, mut second) = (Host::start("node-1", &key)?, Host::start("node-2", &key)?);

    // Creating is three steps: author it, keep it, and only then let the node spread it.
    let draft = Draft { who_name: "node-1".to_owned(), msg: "hello, whoever listens".into() };
    let gossip = first.node.author(Timestamp(wall.as_micros() as u64), draft)?;
    first.surroundings.memory.insert(&gossip);
    first.node.learn(now(), &gossip);

    second.node.register(now(), first.surroundings.socket.local_addr()?, true);
    while start.elapsed() < Duration::from_secs(20) {
        first.step(now());
        second.step(now());
        if let Some(heard) = second.surroundings.memory.records().next() {
            let said = std::str::from_utf8(heard.msg())?;
            println!("{} {}: {said}", heard.guid(), heard.head().who_name());
            return Ok(());
        }
    }
    Err("nothing was heard".into())
}
