//! `gossip-node bench datagram`: what a full datagram costs a node, beside the bare hash of as many bytes and bare sockets.

use super::ingest::blocking;
use super::report::{Report, Row};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::effects::{Effects, Memory, settle};
use crate::probes;
use crate::proto::fact::Fact;
use crate::proto::gossip::{Draft, Gossip, Guid};
use crate::proto::limits::{HEADER, MIN_MAX_DATAGRAM, TAG};
use crate::proto::node::{Node, Transmit};
use crate::proto::seal::{Header, NetworkKey, Secret};
use crate::proto::settings::Settings;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::{List, Message, Record, Tell};
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use tokio::time::Instant;

/// How often each is measured; the best counts.
const ROUNDS: usize = 5;
/// Bytes of each record in a full datagram.
const SIZE: usize = 200;
/// Between two datagrams by the nodes' clock, so that none is too many.
const APART: u64 = 20;
/// Steps of 10 ms that two nodes have to meet.
const STEPS: u64 = 300;

/// What a datagram costs
#[derive(Args, Debug)]
#[command(after_help = "\
Full datagrams of records that the node has already: they are authenticated, decoded and found to be known.

  gossip-node bench datagram
  gossip-node bench datagram --count 2000 --json")]
pub struct Datagram {
    /// How many in each of five rounds
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    count: u32,
}

impl Datagram {
    /// Measures one core, then two with sockets between them.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let spinner = context.spinner("full datagrams, one after the other");
        let count = self.count as usize;
        let report = blocking(move || measured(count)).await?;
        drop(spinner);
        Ok(report)
    }
}

fn measured(count: usize) -> io::Result<Report> {
    let mut link = Link::new().ok_or_else(|| io::Error::other("two nodes in memory did not meet"))?;
    let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(MIN_MAX_DATAGRAM);
    link.seal(&mut out);
    let signed = vec![7; out.len() - TAG];
    let (mut bare, mut sealed, mut handled) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut raw, mut received) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let hash = || drop(black_box(mac.clone().chain_update(black_box(&signed)).finalize()));
        bare = bare.min(nanoseconds(count, || (0..count).for_each(|_| hash())));
        sealed = sealed.min(nanoseconds(count, || (0..count).for_each(|_| link.seal(black_box(&mut out)))));
        let datagrams = link.sealed(count);
        let mut taken = 0;
        handled =
            handled.min(nanoseconds(count, || taken = datagrams.iter().filter(|datagram| link.take(datagram)).count()));
        if taken < count {
            return Err(refused());
        }
        raw = raw.max(probes::delivered(link.sealed(count), |_| ())?.rate());
        let mut taken = 0;
        let delivered = probes::delivered(link.sealed(count), |datagram| taken += u64::from(link.take(datagram)))?;
        if taken < delivered.count {
            return Err(refused());
        }
        received = received.max(delivered.rate());
    }
    let mut report = Report::default();
    report.add(Row::new("bare HMAC of a full datagram", bare, "ns"));
    report.add(Row::new("encoded and sealed", sealed, "ns").beside(bare).at_most(1.25));
    // Seven tenths of it in the hash.
    report.add(Row::new("opened, decoded and known already", handled, "ns").beside(bare).at_most(1.43));
    report.add(Row::new("the same from a socket", received, "datagrams/s").beside(raw).at_least(0.6));
    Ok(report)
}

fn refused() -> io::Error {
    io::Error::other("a node refused what it was sent")
}

/// What one of so many takes.
fn nanoseconds(count: usize, all: impl FnOnce()) -> f64 {
    let began = Instant::now();
    all();
    began.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// A node in memory, and all that a peer of it needs to send it what it has.
struct Link {
    node: Node,
    peer: SocketAddr,
    key: NetworkKey,
    header: Header,
    message: Message,
    now: Tick,
}

/// A node's surroundings: memory, and what it sent.
#[derive(Default)]
struct Surroundings {
    memory: Memory,
    sent: Vec<Vec<u8>>,
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
        self.sent.push(transmit.bytes.clone());
        true
    }
}

impl Link {
    /// Has two nodes meet, and goes on for one of them where it stopped.
    fn new() -> Option<Link> {
        let key = NetworkKey::new(&Secret([7; 32]));
        let addr = |number: u8| SocketAddr::from(([10, 0, 0, number], 6884));
        let node = |number: u8| {
            let settings = Settings::new(Guid::random([number; 16]), &format!("node-{number}"), key.clone());
            (Node::new(settings, [number; 32], Tick(0)), Surroundings::default(), addr(number))
        };
        let (mut one, mut other) = (node(1), node(2));
        let (mut now, mut header) = (Tick(0), None);
        one.0.register(now, other.2, true);
        for _ in 0..STEPS {
            now = Tick(now.0 + 10_000);
            for (from, to) in [(0, 1), (1, 0)] {
                let [(node, around, addr), (target, ..)] = match from < to {
                    true => [&mut one, &mut other],
                    false => [&mut other, &mut one],
                };
                if settle(node, now, around).at <= now {
                    node.handle_timeout(now);
                    settle(node, now, around);
                }
                for datagram in around.sent.drain(..) {
                    if from == 0 {
                        header = key.open(&datagram).ok().map(|verified| *verified.header()).or(header);
                    }
                    let _ = target.handle_datagram(now, *addr, &datagram);
                }
            }
        }
        let header = header.filter(|header| header.dst_session != 0)?;
        let mut records = Vec::new();
        while HEADER + TAG + (records.len() + 1) * Record::size(4, SIZE) + 8 <= MIN_MAX_DATAGRAM {
            let draft = Draft { who_name: "dove".to_owned(), msg: "x".repeat(SIZE).into() };
            let gossip: Gossip = other.0.author(Timestamp(1 + records.len() as u64), draft).ok()?;
            other.0.learn(now, &gossip);
            records.push(Record::of(gossip.guid(), gossip.head(), gossip.msg().clone()));
        }
        let message = Message::Tell(Tell { records: List::new(records), ..Tell::default() });
        Some(Link { node: other.0, peer: one.2, key, header: Header { kind: message.kind(), ..header }, message, now })
    }

    /// The next datagram to it.
    fn seal(&mut self, out: &mut Vec<u8>) {
        self.header.counter += 1;
        self.key.seal(&self.header, out, |out| self.message.encode(out));
    }

    fn sealed(&mut self, count: usize) -> Vec<Vec<u8>> {
        let datagram = |_| {
            let mut out = Vec::with_capacity(MIN_MAX_DATAGRAM);
            self.seal(&mut out);
            out
        };
        (0..count).map(datagram).collect()
    }

    /// Whether it takes a datagram.
    fn take(&mut self, datagram: &[u8]) -> bool {
        self.now = Tick(self.now.0 + APART);
        self.node.handle_datagram(self.now, self.peer, datagram).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_datagram_is_taken_once() {
        let mut link = Link::new().unwrap();
        let datagrams = link.sealed(3);
        assert!(datagrams.iter().all(|datagram| (900..=MIN_MAX_DATAGRAM).contains(&datagram.len())));
        assert!(datagrams.iter().all(|datagram| link.take(datagram)));
        assert!(datagrams.iter().all(|datagram| !link.take(datagram)));
        assert!(link.node.stats().records_received_duplicate >= 12);
    }
}
