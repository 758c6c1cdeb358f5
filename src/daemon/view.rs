//! [`View`]: a node as the API shows it, made in one go so that it is true at one moment.

use super::engine::Moment;
use super::heed::DOUBTFUL_MS;
use super::member::Member;
use super::retaining::is_doubtful;
use crate::api;
use crate::config::show_duration;
use crate::display::{hex, rfc3339, short};
use crate::proto::decree::{Decree, Forget, Terms};
use crate::proto::fact::ReachFact;
use crate::proto::gossip::{Guid, Head, Kind};
use crate::proto::ledger::Ledger;
use crate::proto::node::Node;
use crate::proto::peers::{Peer, Reach};
use crate::proto::ring::place;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Timestamp;
use crate::proto::wire::LedgerState;
use crate::store::Row;
use std::collections::{BTreeMap, BTreeSet};

/// A node at one moment.
pub struct View {
    /// NETWORK_STATUS.
    pub network: api::NetworkStatus,
    /// Counters.
    pub stats: BTreeMap<String, u64>,
    /// Peers that answer.
    pub reachable: u64,
    /// Those of them that hold what we hold.
    pub in_sync: u64,
}

impl View {
    /// Looks at a node.
    pub fn new(member: &Member, moment: Moment) -> View {
        let Member { name: network, node, rate, .. } = member;
        let (ours, addr, stats) = (node.ledger().state(), moment.addr, node.stats());
        let mut peers: Vec<api::Peer> =
            node.peers().iter().map(|(guid, peer)| shown(&guid, &peer, network, node.ledger(), moment)).collect();
        peers.sort_by(|a, b| (&a.name, &a.guid).cmp(&(&b.name, &b.guid)));
        let (reachable, in_sync) = standing(node);
        // A wildcard is no address that anyone could use; what a peer saw is.
        let ip =
            if addr.ip().is_unspecified() { node.seen_at().map_or(addr.ip(), |seen| seen.ip()) } else { addr.ip() };
        let others: BTreeSet<&str> = peers.iter().flat_map(|peer| &peer.other_networks).map(String::as_str).collect();
        let other_networks = others.into_iter().filter(|name| name != network).map(str::to_owned).collect();
        let other_nodes =
            node.beyond().iter().filter(|(other, ..)| other != network).map(|(other, card, told)| api::OtherNode {
                guid: card.guid.to_string(),
                name: card.name.as_str().to_owned(),
                ip: card.addr.0.ip().to_string(),
                port: card.addr.0.port(),
                network_name: other.to_owned(),
                last_update: rfc3339(moment.wall(told)),
            });
        let network = api::NetworkStatus {
            network_name: network.to_owned(),
            node_guid: node.settings().guid.to_string(),
            node_name: node.settings().node_name.clone(),
            ip: ip.to_string(),
            port: addr.port(),
            place: on_ring(&node.settings().guid),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            http: moment.http.map(|addr| addr.to_string()),
            other_networks,
            other_nodes: other_nodes.collect(),
            gossip_count: ours.count,
            root: hex(&ours.root),
            retention: retention(node),
            clock: node.clock_ahead().map(|(ahead_ms, peers)| api::OwnClock {
                ahead_ms,
                peers: peers as u64,
                doubtful: ahead_ms.unsigned_abs() > DOUBTFUL_MS,
            }),
            other_versions: other_versions(node, moment),
            send_rate: rate.mean(moment.now, &stats),
            splits: member.splits.shown(moment),
            discovery: member.discovery.as_ref().map(|shown| shown.borrow().clone()),
            peers,
        };
        let (name, count, _) = member.unsent();
        let stats = stats.by_name().into_iter().chain([(name, count)]);
        let stats = stats.map(|(name, count)| (name.to_owned(), count)).collect();
        View { network, stats, reachable, in_sync }
    }
}

/// How many peers answer, and how many of them hold what this node holds.
pub fn standing(node: &Node) -> (u64, u64) {
    let reached = node.peers().iter().filter(|(_, peer)| peer.reach == Reach::Reachable);
    let equal = |peer: &Peer<'_>| peer.state.is_some_and(|claim| node.ledger().equals(claim));
    reached.fold((0, 0), |(all, in_sync), (_, peer)| (all + 1, in_sync + u64::from(equal(&peer))))
}

/// One of its peers.
pub fn peer(member: &Member, moment: Moment, guid: &Guid) -> Option<api::Peer> {
    let peer = member.node.peers().peer(guid)?;
    Some(shown(guid, &peer, &member.name, member.node.ledger(), moment))
}

fn shown(guid: &Guid, peer: &Peer<'_>, network: &str, ledger: &Ledger, moment: Moment) -> api::Peer {
    let last_update = peer.last_heard(|tick| moment.wall(tick)).map(rfc3339);
    let reach = reach(peer.reach);
    // Of one set a person sees one root, whichever key each side made its own with.
    let equal = peer.state.is_some_and(|claim| ledger.equals(claim));
    let state = if equal { Some(ledger.state()) } else { peer.state.map(|claim| claim.state) };
    let (heard, (datagrams, bytes)) = (peer.heard.is_some(), peer.rate(moment.now));
    let tenths = |rate: f64| (rate * 10.0).round() / 10.0;
    api::Peer {
        guid: guid.to_string(),
        name: peer.name.to_string(),
        ip: peer.addr.ip().to_string(),
        port: peer.addr.port(),
        network_name: network.to_owned(),
        other_networks: peer.networks.iter().map(|name| name.to_string()).collect(),
        last_update,
        reach,
        reason: peer.reason.to_string(),
        since: peer.since.map(|since| rfc3339(moment.wall(since))),
        place: on_ring(guid),
        protocol_version: heard.then_some(PROTOCOL_VERSION),
        incarnation: peer.incarnation,
        rtt_ms: peer.rtt.smoothed().map(|rtt| rtt.as_secs_f64() * 1000.0),
        clock_offset_ms: peer.clock_ahead,
        loss: peer.loss,
        datagrams_per_s: heard.then(|| tenths(datagrams)),
        bytes_per_s: heard.then(|| bytes.round()),
        gossip_count: state.map(|state| state.count),
        root: state.map(|state| hex(&state.root)),
        in_sync: reach == api::Reach::Reachable && equal,
        differs: state.and_then(|state| differs(state, ledger.state())),
    }
}

/// By how much a peer's count differs from ours. Sets of one size that are not the same differ by nobody knows how much.
fn differs(theirs: LedgerState, ours: LedgerState) -> Option<u64> {
    if theirs == ours { Some(0) } else { Some(theirs.count.abs_diff(ours.count)).filter(|&count| count > 0) }
}

/// Where a node stands, as the part of the ring that lies before it: as many of its bits as a JSON number keeps.
fn on_ring(guid: &Guid) -> f64 {
    (place(guid) >> 11) as f64 / (1_u64 << 53) as f64
}

fn reach(reach: Reach) -> api::Reach {
    match reach {
        Reach::Reachable => api::Reach::Reachable,
        Reach::Suspect => api::Reach::Suspect,
        Reach::Unreachable => api::Reach::Unreachable,
        Reach::Left => api::Reach::Left,
    }
}

fn other_versions(node: &Node, moment: Moment) -> Vec<api::OtherVersion> {
    let shown = |(addr, foreign): (std::net::SocketAddr, crate::proto::versions::Foreign)| api::OtherVersion {
        ip: addr.ip().to_string(),
        port: addr.port(),
        version: foreign.version,
        last_heard: rfc3339(moment.wall(foreign.heard)),
    };
    node.versions().iter(moment.now).map(shown).collect()
}

/// How long the network keeps what.
pub fn retention(node: &Node) -> api::Retention {
    let law = node.retention();
    let (terms, settings) = (law.terms(), law.settings());
    api::Retention {
        max_age: terms.max_age.map(show_duration),
        origin_timeout: terms.origin_timeout.map(show_duration),
        guid: settings.map(|key| key.guid.to_string()),
        date_time: settings.map(|key| rfc3339(key.date_time)),
        horizon: Some(law.horizon()).filter(|&horizon| horizon > Timestamp(0)).map(rfc3339),
        aside: law.left() as u64,
    }
}

/// Somebody is reached in another way.
pub fn reached(fact: &ReachFact, network: &str, at: Timestamp) -> api::PeerEvent {
    api::PeerEvent {
        at: rfc3339(at),
        guid: fact.guid.to_string(),
        name: fact.name.to_string(),
        ip: fact.addr.ip().to_string(),
        port: fact.addr.port(),
        network_name: network.to_owned(),
        reach: reach(fact.reach),
        reason: fact.reason.to_string(),
    }
}

/// The answer to a REGISTER that succeeded.
pub fn registered(guid: &Guid, peer: &Peer<'_>, network: &str) -> api::Registered {
    api::Registered {
        guid: guid.to_string(),
        name: peer.name.to_string(),
        ip: peer.addr.ip().to_string(),
        port: peer.addr.port(),
        network_name: network.to_owned(),
    }
}

/// A record's head.
pub fn added(guid: &Guid, head: &Head, complete: bool) -> api::Added {
    api::Added {
        guid: guid.to_string(),
        kind: kind(head.kind()),
        date_time: rfc3339(head.date_time()),
        date_doubtful: is_doubtful(head.date_time()),
        who_name: head.who_name().to_owned(),
        origin: head.origin().to_string(),
        sha2: complete.then(|| hex(head.sha2())),
        len: head.len() as u64,
    }
}

/// A record in a list.
pub fn gossip(row: &Row) -> api::Gossip {
    let text = row.start.as_ref().map(|start| String::from_utf8_lossy(start));
    let decree = row.msg().and_then(|msg| Decree::read(row.head.kind(), row.head.date_time(), msg).ok());
    let decree = decree.map(|decree| sentence(&decree));
    api::Gossip {
        head: added(&row.guid, &row.head, row.complete),
        complete: row.complete,
        preview: decree
            .or(text.map(|text| text.lines().next().unwrap_or_default().chars().take(api::PREVIEW).collect())),
        msg: row.msg().map(|msg| String::from_utf8_lossy(msg).into_owned()),
        held_by: None,
    }
}

fn kind(kind: Kind) -> api::Kind {
    match kind {
        Kind::Message => api::Kind::Message,
        Kind::Forget => api::Kind::Forget,
        Kind::Settings => api::Kind::Settings,
    }
}

/// A decree in words.
fn sentence(decree: &Decree) -> String {
    let span = |span: Option<std::time::Duration>| span.map_or("off".to_owned(), show_duration);
    match decree {
        Decree::Forget(Forget { origin, up_to }) => {
            format!("(forgets node {} and what it said up to {})", short(&origin.to_string()), rfc3339(*up_to))
        }
        Decree::Settings(Terms { max_age, origin_timeout }) => {
            format!("(network settings: max_age {}, origin_timeout {})", span(*max_age), span(*origin_timeout))
        }
    }
}

/// A record in GOSSIP_STATUS.
pub fn state(row: &Row) -> api::GossipState {
    let head = added(&row.guid, &row.head, row.complete);
    api::GossipState { head, complete: row.complete, received: row.received }
}
