//! [`Watch`]: all that the nodes of a cluster tell those who follow them, with the time at which it came.

#![allow(dead_code, reason = "each test file uses its own part of it")]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

use crate::cluster::{Node, PATIENCE};
use gossip_node::api::{Event, PeerEvent, Reach};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// One event of one node.
struct Seen {
    node: usize,
    at: Instant,
    event: Event,
}

/// What a node told of another.
#[derive(Debug)]
pub struct Told {
    pub node: usize,
    pub at: Instant,
    pub event: PeerEvent,
}

/// Follows nodes.
pub struct Watch {
    runtime: Runtime,
    sender: Sender<Seen>,
    coming: Receiver<Seen>,
    /// When each record came to each node, by its GUID; more than once is wrong.
    pub records: BTreeMap<String, BTreeMap<usize, Vec<Instant>>>,
    /// How a node (the number) reaches another (the name), as it told last; who is not in it is reachable.
    pub reach: BTreeMap<(usize, String), Reach>,
    /// What nodes told of others, in the order in which it came.
    pub told: Vec<Told>,
}

impl Watch {
    /// Follows nodes from now on; they all reach each other.
    pub fn over(nodes: &[Node]) -> Watch {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (sender, coming) = channel();
        let (records, reach, told) = Default::default();
        let watch = Watch { runtime, sender, coming, records, reach, told };
        for (index, node) in nodes.iter().enumerate() {
            watch.follow(index, node);
        }
        watch
    }

    /// Follows one more, or one that started again.
    pub fn follow(&self, index: usize, node: &Node) {
        let (client, sender) = (node.client(), self.sender.clone());
        let mut events = self.runtime.block_on(async {
            let mut events = client.events(None, None).await.unwrap();
            let (_, first) = events.next().await.unwrap().unwrap();
            assert!(matches!(first, Event::Snapshot(_)), "{first:?}");
            events
        });
        self.runtime.spawn(async move {
            // It ends with its node.
            while let Ok(Some((_, event))) = events.next().await {
                let seen = Seen { node: index, at: Instant::now(), event };
                if sender.send(seen).is_err() {
                    return;
                }
            }
        });
    }

    /// Runs code of the library.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits until it is so, and says when the event came that made it so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&Watch) -> bool) -> Instant {
        let (end, mut last) = (Instant::now() + PATIENCE, Instant::now());
        while !is_so(self) {
            match self.coming.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(seen) => {
                    last = seen.at;
                    self.note(seen);
                }
                Err(_) => panic!("never: {what}"),
            }
        }
        last
    }

    /// Watches for so long.
    pub fn watch_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        loop {
            match self.coming.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(seen) => self.note(seen),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
            }
        }
    }

    fn note(&mut self, Seen { node, at, event }: Seen) {
        match event {
            Event::Gossip(gossip) => {
                self.records.entry(gossip.head.guid).or_default().entry(node).or_default().push(at);
            }
            Event::Peer(event) => {
                self.reach.insert((node, event.name.clone()), event.reach);
                self.told.push(Told { node, at, event });
            }
            Event::Reset(reset) => panic!("node {node} missed something: {reset:?}"),
            _ => {}
        }
    }

    /// How a node reaches another.
    pub fn reach(&self, node: usize, name: &str) -> Reach {
        self.reach.get(&(node, name.to_owned())).copied().unwrap_or(Reach::Reachable)
    }

    /// Whether a record came to so many nodes.
    pub fn is_at(&self, guid: &str, nodes: usize) -> bool {
        self.records.get(guid).is_some_and(|at| at.len() >= nodes)
    }

    /// What was told of others in this state, for people.
    pub fn told_of(&self, reach: Reach) -> Vec<String> {
        let of = self.told.iter().filter(|told| told.event.reach == reach);
        let line =
            |Told { node, event, .. }: &Told| format!("{} n{} of {}: {}", event.at, node + 1, event.name, event.reason);
        of.map(line).collect()
    }
}
