//! [`Member`]: the daemon in one network: its node, what goes with it, and who waits for something of it.

use super::cache::Cache;
use super::handle::{Adding, Refusal};
use super::heed::Heed;
use super::news::News;
use super::rate::Rate;
use super::splits::Splits;
use super::tally::Tally;
use super::view;
use super::wall_clock;
use crate::api;
use crate::config::RingKey;
use crate::proto::fact::{Fact, PeerFact, Receipt};
use crate::proto::gossip::{Draft, Gossip, Guid, Key, Line};
use crate::proto::node::Node;
use crate::proto::time::Tick;
use crate::store::{Authored, NetworkId, Store};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::{oneshot, watch};

/// The daemon in one network.
pub struct Member {
    /// NETWORK_NAME.
    pub name: String,
    /// In the store.
    pub id: NetworkId,
    /// The protocol.
    pub node: Node,
    /// For those who follow.
    pub news: News,
    /// Who was apart from it.
    pub splits: Splits,
    /// What it sends.
    pub rate: Rate,
    /// With whom it talks, while somebody wants to know.
    pub tally: Tally,
    /// What its beacons told, where discovery is on.
    pub discovery: Option<watch::Receiver<api::Discovery>>,
    /// What people were told already.
    pub heed: Heed,
    /// The network's keys as `server.json` has them, the primary first.
    pub ring: watch::Sender<Vec<RingKey>>,
    /// What of the disk is at hand.
    pub cache: Cache,
    /// When the node wants to be woken.
    pub wake: Tick,
    /// Whether it has to be settled.
    pub touched: bool,
    /// Records authored here that are on their way to the disk, with who waits.
    adding: BTreeMap<Guid, (Gossip, oneshot::Sender<Result<api::Added, Refusal>>)>,
    /// Who waits for a record made elsewhere to be on the disk.
    pub importing: BTreeMap<Guid, Vec<oneshot::Sender<bool>>>,
    /// Who waits for a node to register.
    pub registering: Vec<(SocketAddr, Tick, oneshot::Sender<api::Registered>)>,
}

impl Member {
    /// A node that has not done anything yet.
    pub fn new(name: String, id: NetworkId, node: Node, ring: Vec<RingKey>) -> Member {
        let (rate, tally, heed, cache, splits, adding, importing, registering) = Default::default();
        // The epoch grows with each start.
        let news = News::new(node.settings().epoch);
        let (wake, touched, discovery, ring) = (Tick(0), true, None, watch::Sender::new(ring));
        Member {
            name,
            id,
            node,
            news,
            splits,
            rate,
            tally,
            discovery,
            heed,
            ring,
            cache,
            wake,
            touched,
            adding,
            importing,
            registering,
        }
    }

    /// Has it settled: it was told something.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Makes records and has them kept.
    pub fn author(&mut self, all: Vec<Adding>, store: &Store) {
        let mut made = Vec::new();
        for Adding { who_name, msg, request, reply } in all {
            let who_name = who_name.unwrap_or_else(|| self.node.settings().node_name.clone());
            match self.node.author(wall_clock(), Draft { who_name, msg }) {
                Ok(gossip) => {
                    self.cache.keep_gossip(&gossip);
                    made.push(Authored { gossip: gossip.clone(), request });
                    self.adding.insert(gossip.guid(), (gossip, reply));
                }
                Err(invalid) => drop(reply.send(Err(Refusal::Invalid(invalid.to_string())))),
            }
        }
        if !made.is_empty() {
            store.author(self.id, made);
        }
    }

    /// A record of this node's own is on its way to the disk: who waits for it.
    pub fn adding(&mut self, gossip: Gossip) -> oneshot::Receiver<Result<api::Added, Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.cache.keep_gossip(&gossip);
        self.adding.insert(gossip.guid(), (gossip, reply));
        answer
    }

    /// Takes the disk's word.
    pub fn receive(&mut self, now: Tick, receipt: Receipt, store: &Store) {
        if let Receipt::Held(_) = receipt {
            self.news.arrived();
        }
        if let Receipt::Held(Line { key: Key { guid, .. }, .. }) | Receipt::Failed(guid) | Receipt::Wrong(guid) =
            receipt
        {
            for reply in self.importing.remove(&guid).into_iter().flatten() {
                let _ = reply.send(matches!(receipt, Receipt::Held(_)));
            }
        }
        let waits = match receipt {
            Receipt::Held(line) => self.adding.remove(&line.key.guid),
            Receipt::Failed(guid) => self.adding.remove(&guid),
            Receipt::Piece(..) | Receipt::Wrong(_) | Receipt::Cleared(_) => None,
        };
        let Some((gossip, reply)) = waits else {
            if let Receipt::Failed(_) = receipt {
                let why = store.last_error().unwrap_or_else(|| "unknown".to_owned());
                tracing::warn!("the disk takes no records ({why}): this node only reads until it does");
            }
            return self.node.handle_receipt(now, receipt);
        };
        let answer = if let Receipt::Held(_) = receipt {
            self.node.learn(now, &gossip);
            Ok(view::added(&gossip.guid(), gossip.head(), true))
        } else {
            let why = store.last_error().unwrap_or_else(|| "it does not say why".to_owned());
            Err(Refusal::Unavailable(format!("the disk did not take the record: {why}")))
        };
        // Who asked may have gone; the record is kept all the same.
        let _ = reply.send(answer);
    }

    /// A damaged store was salvaged: what it lost is fetched again, and what is known here and not there is kept anew.
    pub fn mended(&mut self, now: Tick, held: &[Line], store: &Store) {
        let is_held = |guid: &Guid| held.binary_search_by_key(guid, |line| line.key.guid).is_ok();
        let lost = self.node.ledger().lines().map(|line| line.key.guid).filter(|guid| !is_held(guid));
        for guid in lost.collect::<Vec<Guid>>() {
            self.node.handle_lost(guid);
        }
        for line in held {
            // Deleted before, and come to light again.
            if !self.node.ledger().contains(&line.key.guid) {
                self.node.handle_receipt(now, Receipt::Held(*line));
            }
        }
        for (guid, peer) in self.node.peers().iter().filter(|(_, peer)| peer.met.is_some()) {
            let fact = PeerFact { guid, name: peer.name.into(), addr: peer.addr, last_update: wall_clock() };
            store.submit(self.id, Fact::Peer(fact));
        }
    }

    /// Answers those whose node has registered since they asked.
    pub fn registered(&mut self) {
        if self.registering.is_empty() {
            return;
        }
        let (node, name) = (&self.node, &self.name);
        let waiting = std::mem::take(&mut self.registering);
        for (addr, since, reply) in waiting {
            let met =
                node.peers().iter().find(|(_, peer)| peer.addr == addr && peer.met.is_some_and(|met| met >= since));
            match met {
                Some((guid, peer)) => drop(reply.send(view::registered(&guid, &peer, name))),
                None if reply.is_closed() => {}
                None => self.registering.push((addr, since, reply)),
            }
        }
    }
}
