//! [`Gauges`]: a network in numbers, for those who watch over many daemons.

use super::handle::Handle;
use super::member::Member;
use super::refusal::Refusal;
use super::view;
use crate::proto::peers::Reach;
use crate::proto::stats::Rejected;
use crate::store::{Indexed, Totals};

/// A network in numbers.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Counters: name, count, what is counted.
    pub counters: Vec<(&'static str, u64, &'static str)>,
    /// Datagrams that were dropped, by cause.
    pub rejected: Vec<(&'static str, u64)>,
    /// Peers, by how they are reached.
    pub peers: [(&'static str, u64); 4],
    /// Reachable peers whose root is ours.
    pub in_sync: u64,
    /// Records.
    pub totals: Totals,
}

/// The store of all networks in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreGauges {
    /// Bytes that are not on disk yet.
    pub queued: u64,
    /// How far the index of words is.
    pub indexed: Indexed,
    /// Whether the disk takes no records.
    pub refuses: bool,
    /// When the daemon started, in seconds since 1970.
    pub started: u64,
}

impl Handle {
    /// The store, and each network in the order of `server.json`, in numbers.
    pub async fn gauges(&self) -> Result<(StoreGauges, Vec<Gauges>), Refusal> {
        let mut networks = Vec::new();
        for (network, known) in self.networks.iter().enumerate() {
            let id = known.id;
            let totals = self.read_store(move |store| store.totals(id)).await?;
            let look = move |member: &mut Member, _| {
                let (node, stats) = (&member.node, member.node.stats());
                let count = |reach| node.peers().iter().filter(|(_, peer)| peer.reach == reach).count() as u64;
                Gauges {
                    counters: stats.described().into_iter().chain([member.unsent()]).collect(),
                    rejected: Rejected::ALL.iter().map(|&cause| (cause.name(), stats.rejected(cause))).collect(),
                    peers: [
                        ("reachable", count(Reach::Reachable)),
                        ("suspect", count(Reach::Suspect)),
                        ("unreachable", count(Reach::Unreachable)),
                        ("left", count(Reach::Left)),
                    ],
                    in_sync: view::standing(node).1,
                    totals,
                }
            };
            networks.push(self.look(network, look).await?);
        }
        let indexed = self.read_store(|store| store.indexed()).await?;
        let (queued, refuses) = (self.store.queued_bytes() as u64, self.store.last_error().is_some());
        Ok((StoreGauges { queued, indexed, refuses, started: self.started.0 / 1_000_000 }, networks))
    }
}
