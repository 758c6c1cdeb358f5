//! Drives two nodes by hand, each over a `std::net::UdpSocket` and with its records in memory: one says something, the
//! other prints it. This is all that a daemon does, but for the disk: `cargo run --example by_hand`.

use gossip_node::effects::Memory;
use gossip_node::proto::gossip::{Draft, Guid};
use gossip_node::proto::node::Node;
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::time::{Tick, Timestamp};
use rand::{TryRng, rngs::SysRng};
use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Host {
    node: Node,
    socket: UdpSocket,
    memory: Memory,
}

impl Host {
    fn start(name: &str, key: &NetworkKey) -> Outcome<Host> {
        let (mut guid, mut seed) = ([0; 16], [0; 32]);
        SysRng.try_fill_bytes(&mut guid)?;
        SysRng.try_fill_bytes(&mut seed)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let node = Node::new(Settings::new(Guid::random(guid), name, key.clone()), seed, Tick(0));
        Ok(Host { node, socket, memory: Memory::default() })
    }

    /// Takes at most one datagram, does what is due, and has everything done that follows from it.
    fn step(&mut self, now: Tick) {
        let mut datagram = [0; 2048];
        let Host { node, socket, memory } = self;
        if let Ok((len, from)) = socket.recv_from(&mut datagram) {
            // What is rejected is counted by the node.
            let _ = node.handle_datagram(now, from, &datagram[..len]);
        }
        if node.poll_timeout(now).at <= now {
            node.handle_timeout(now);
        }
        // Best effort: what is lost here is repaired like any other loss.
        memory.settle(node, now, |transmit| drop(socket.send_to(&transmit.bytes, transmit.to)));
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
    first.memory.insert(&gossip);
    first.node.learn(now(), &gossip);

    second.node.register(now(), first.socket.local_addr()?, true);
    while start.elapsed() < Duration::from_secs(20) {
        first.step(now());
        second.step(now());
        if let Some(heard) = second.memory.records().next() {
            let said = std::str::from_utf8(heard.msg())?;
            println!("{} {}: {said}", heard.guid(), heard.head().who_name());
            return Ok(());
        }
    }
    Err("nothing was heard".into())
}
