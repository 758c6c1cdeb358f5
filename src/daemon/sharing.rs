//! What the nodes of a daemon that is in several networks tell of each other's: the names and the nodes, never a key. It is
//! for people: see [`Beyond`](crate::proto::beyond::Beyond).

use super::engine::Engine;
use super::member::Member;
use crate::proto::limits::FAR_NODES;
use crate::proto::time::Tick;
use crate::proto::wire::{Address, Card, Name};
use std::net::SocketAddr;
use std::time::Duration;

/// How often they hear of each other.
const SHARE: Duration = Duration::from_secs(5);

impl Engine {
    /// Lets each member tell what the others know, if it is time.
    pub(super) fn share(&mut self, now: Tick) {
        if self.share_at > now {
            return;
        }
        self.share_at = now + SHARE;
        let addr = self.addr;
        let all: Vec<Option<(Name, Vec<Card>)>> =
            self.members.iter().map(|member| Some((Name::new(&member.name)?, cards(member, addr)))).collect();
        for (index, member) in self.members.iter_mut().enumerate() {
            let others = all.iter().enumerate().filter(|(other, _)| *other != index);
            member.node.share(others.filter_map(|(_, network)| network.clone()));
        }
    }
}

/// The nodes of a network that count as alive, this one first.
fn cards(member: &Member, addr: SocketAddr) -> Vec<Card> {
    let settings = member.node.settings();
    // A wildcard is no address that anyone could use; what a peer saw is.
    let own = Some(addr).filter(|addr| !addr.ip().is_unspecified()).or(member.node.seen_at());
    let own = own.map(|addr| (settings.guid, settings.node_name.as_str(), addr));
    let peers = member.node.peers().iter().filter(|(_, peer)| peer.reach.answers());
    let all = own.into_iter().chain(peers.map(|(guid, peer)| (guid, peer.name, peer.addr)));
    let card = |(guid, name, addr)| Some(Card { guid, addr: Address(addr), incarnation: 0, name: Name::new(name)? });
    all.filter_map(card).take(FAR_NODES).collect()
}
