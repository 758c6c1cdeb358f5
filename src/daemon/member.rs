//! [`Member`]: the daemon in one network: its node, what goes with it, and who waits for something of it.

use super::cache::Cache;
use super::command::{Adding, Made};
use super::heed::Heed;
use super::news::News;
use super::pinging::Pinging;
use super::rate::Rate;
use super::refusal::Refusal;
use super::splits::Splits;
use super::tally::Tally;
use super::view;
use super::wall_clock;
use crate::api;
use crate::config::RingKey;
use crate::proto::fact::{Fact, PeerFact, Receipt};
use crate::proto::gossip::{Draft, Gossip, Guid, Line};
use crate::proto::node::Node;
use crate::proto::time::Tick;
use crate::store::{Authored, NetworkId, Store};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

/// What several records take until all of them are on disk.
pub type Room = Arc<OwnedSemaphorePermit>;

/// Records that were authored together, and who waits for them.
struct Batch {
    made: Vec<Result<Gossip, Refusal>>,
    /// Those before this one were answered by the disk.
    next: usize,
    waiter: Made,
}

impl Batch {
    /// The record that the disk answers for next, if it has this name.
    fn awaited(&mut self, guid: &Guid) -> Option<&mut Result<Gossip, Refusal>> {
        let awaits = |made: &Result<Gossip, Refusal>| made.as_ref().is_ok_and(|gossip| gossip.guid() == *guid);
        let ahead = self.made.get_mut(self.next..)?;
        let skipped = ahead.iter().position(Result::is_ok)?;
        let made = ahead.get_mut(skipped).filter(|made| awaits(made))?;
        self.next += skipped + 1;
        Some(made)
    }

    fn is_done(&self) -> bool {
        self.made.iter().skip(self.next).all(Result::is_err)
    }

    fn answer(self) {
        // Who asked may have gone; what is kept is kept all the same.
        let _ = self.waiter.reply.send(self.made);
    }
}

fn refused(store: &Store) -> Refusal {
    let why = store.last_error().unwrap_or_else(|| "it does not say why".to_owned());
    Refusal::Unavailable(format!("the disk did not take the record: {why}"))
}

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
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
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
    /// Whether something was read since it was settled.
    pub loaded: bool,
    /// Whether the store's reader had no room for something that was asked of it.
    pub refused: bool,
    /// Records authored here that are on their way to the disk, in the order in which receipts for them come.
    authored: VecDeque<Batch>,
    /// Decrees made here that are on their way to the disk, with who waits.
    decreed: BTreeMap<Guid, (Gossip, oneshot::Sender<Result<api::Added, Refusal>>)>,
    /// Who waits for a record made elsewhere to be on the disk.
    importing: BTreeMap<Guid, Vec<(oneshot::Sender<bool>, Room)>>,
    /// Who waits for a peer to answer a greeting.
    pub pinging: Pinging,
    /// Who waits for a node to register.
    pub registering: Vec<(SocketAddr, Tick, oneshot::Sender<api::Registered>)>,
}

impl Member {
    /// A node that has not done anything yet.
    pub fn new(name: String, id: NetworkId, node: Node, ring: Vec<RingKey>) -> Member {
        let (rate, tally, heed, cache, splits, authored, decreed, importing, pinging, registering) = Default::default();
        // The epoch grows with each start.
        let news = News::new(node.settings().epoch);
        let (wake, discovery, ring) = (Tick(0), None, watch::Sender::new(ring));
        let (touched, loaded, refused) = (true, false, false);
        Member {
            name,
            id,
            node,
            news,
            splits,
            rate,
            unsent: 0,
            tally,
            discovery,
            heed,
            ring,
            cache,
            wake,
            touched,
            loaded,
            refused,
            authored,
            decreed,
            importing,
            pinging,
            registering,
        }
    }

    /// Has it settled: it was told something.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Makes records and has them kept.
    pub fn author(&mut self, all: Vec<Adding>, waiter: Made, store: &Store) {
        let (wall, mut batch, mut kept) = (wall_clock(), Batch { made: Vec::new(), next: 0, waiter }, Vec::new());
        // Who is alone keeps nothing at hand: whoever comes asks for what is on the disk by then.
        let is_alone = self.node.peers().live() == 0;
        for Adding { who_name, msg, request } in all {
            let who_name = who_name.unwrap_or_else(|| self.node.settings().node_name.clone());
            let made = self.node.author(wall, Draft { who_name, msg });
            if let Ok(gossip) = &made {
                if !is_alone {
                    self.cache.keep_gossip(gossip);
                }
                kept.push(Authored { gossip: gossip.clone(), request });
            }
            batch.made.push(made.map_err(|invalid| Refusal::Invalid(invalid.to_string())));
        }
        if kept.is_empty() {
            batch.answer();
        } else {
            self.authored.push_back(batch);
            store.author(self.id, kept);
        }
    }

    /// Has a decree of this node's own kept, and says when it is.
    pub fn decree(&mut self, gossip: Gossip, store: &Store) -> oneshot::Receiver<Result<api::Added, Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.cache.keep_gossip(&gossip);
        self.decreed.insert(gossip.guid(), (gossip.clone(), reply));
        // Not as a record of a person's: its date may be ahead of the clock, and the next ones must not be.
        store.submit(self.id, Fact::Gossip(gossip));
        answer
    }

    /// Has a record that was made elsewhere kept, and says whether it is.
    pub fn import(&mut self, gossip: Gossip, room: Room, store: &Store) -> oneshot::Receiver<bool> {
        let (reply, answer) = oneshot::channel();
        self.importing.entry(gossip.guid()).or_default().push((reply, room));
        store.submit(self.id, Fact::Gossip(gossip));
        answer
    }

    /// Takes the disk's word.
    pub fn receive(&mut self, now: Tick, receipt: Receipt, store: &Store) {
        self.heed.receive(&self.name, receipt, || store.last_error());
        let (guid, held) = match receipt {
            Receipt::Held(line) => (line.key.guid, true),
            Receipt::Failed(guid) | Receipt::Wrong(guid) => (guid, false),
            Receipt::Piece(..) | Receipt::Cleared(_) => return self.node.handle_receipt(now, receipt),
        };
        for (reply, _) in self.importing.remove(&guid).into_iter().flatten() {
            let _ = reply.send(held);
        }
        if let Some(batch) = self.authored.front_mut()
            && let Some(made) = batch.awaited(&guid)
        {
            match made {
                Ok(gossip) if held => self.node.learn(now, gossip),
                made => *made = Err(refused(store)),
            }
            if batch.is_done() {
                self.authored.pop_front().into_iter().for_each(Batch::answer);
            }
        } else if let Some((gossip, reply)) = self.decreed.remove(&guid) {
            if held {
                self.node.learn(now, &gossip);
            }
            let added = held.then(|| view::added(&gossip.guid(), gossip.head(), true));
            // Who asked may have gone; the record is kept all the same.
            let _ = reply.send(added.ok_or_else(|| refused(store)));
        } else {
            self.node.handle_receipt(now, receipt);
        }
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
        self.node.handle_mended();
        let wall = wall_clock();
        for (guid, peer) in self.node.peers().iter() {
            if let Some(last_update) = peer.last_heard(|heard| wall - now.since(heard)) {
                let fact = PeerFact { guid, name: peer.name.into(), addr: peer.addr, last_update };
                store.submit(self.id, Fact::Peer(fact));
            }
        }
    }

    /// A counter beside those of the node: name, count, and what is counted.
    pub fn unsent(&self) -> (&'static str, u64, &'static str) {
        ("datagrams_unsent", self.unsent, "Datagrams that the kernel did not take: no room, no route, a firewall.")
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
