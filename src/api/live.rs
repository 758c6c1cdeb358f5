//! What is told live: the events of `GET /events`, and what is known of how a record spreads and how a peer is.

use super::{Gossip, NetworkStatus, Peer, Reach};
use serde::{Deserialize, Serialize};

/// Which events `GET /events` tells: server-sent events, a snapshot first. A `Last-Event-ID` header goes on behind that
/// event instead: records that arrived since are all told, each once; peers by what changed or, if that is not known any
/// more, by a new snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// Which records: `new` (the default) are those that arrive from now on, `all` begins with all that are here, and a
    /// GUID, or the beginning of one, with those that arrived after that one.
    #[serde(default)]
    pub from: Option<String>,
}

/// One event. Records come in the order in which they arrived here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How the network is; what follows changes it.
    Snapshot(NetworkStatus),
    /// A record is here, complete and on disk.
    Gossip(Gossip),
    /// A peer is reached in another way.
    Peer(PeerEvent),
    /// Something happened in between that cannot be told.
    Gap(Gap),
}

impl Event {
    /// Its name, as in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Snapshot(_) => "snapshot",
            Event::Gossip(_) => "gossip",
            Event::Peer(_) => "peer",
            Event::Gap(_) => "gap",
        }
    }
}

/// How a peer is reached from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEvent {
    /// When, RFC 3339.
    pub at: String,
    /// NODE_GUID.
    pub guid: String,
    /// NODE_NAME.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// The network in which we know it.
    pub network_name: String,
    /// How it is reached.
    pub reach: Reach,
    /// Why we think so.
    pub reason: String,
}

/// What cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Of what: `gossip` or `peer`.
    pub of: String,
    /// Why.
    pub reason: String,
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// Reachable peers that are known to hold it.
    pub known: u64,
    /// Reachable peers.
    pub reachable: u64,
}

/// What was sent lately.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendRate {
    /// Datagrams a second.
    pub datagrams_per_s: f64,
    /// Bytes of UDP payload a second.
    pub bytes_per_s: f64,
    /// The seconds of which this is the mean: 10, or less where the node is younger.
    pub seconds: f64,
}

/// `GET /peers/{peer}/explain`: why a peer is in its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The peer.
    pub peer: Peer,
    /// Since when it is so, RFC 3339; null if longer than this daemon runs.
    pub since: Option<String>,
    /// Why it is so.
    pub reason: String,
    /// What is known, the latest first.
    pub evidence: Vec<Moment>,
    /// What happens next if nothing is heard; null if nothing does.
    pub next: Option<Moment>,
}

/// Something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub what: String,
}
