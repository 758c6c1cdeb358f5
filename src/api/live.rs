//! What is told live: the events of `GET /events`.

use super::{Gossip, NetworkStatus, Peer, Reach};
use serde::{Deserialize, Serialize};

/// Which events `GET /events` tells: server-sent events, a snapshot first. A `Last-Event-ID` header goes on behind that
/// event instead: records that arrived since are told, each once; peers by what changed or, if that is not known any
/// more, by a new snapshot. What is measured all the time (`fetch`, `metrics`, `traffic`) is told as it is, never later.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// Which records: `new` (the default) are those that arrive from now on, `all` begins with all that are here, and a
    /// GUID, or the beginning of one, with those that arrived after that one.
    pub from: Option<String>,
    /// What becomes of records that who follows has not taken yet; `keep` where `from` or a `Last-Event-ID` says where to
    /// begin, else `skip`.
    pub backlog: Option<Backlog>,
    /// Which events, by name and separated by commas. If absent, `gossip,peer` with `keep`, and all with `skip`. A
    /// `snapshot` and a `reset` are always told.
    pub kinds: Option<String>,
}

/// What becomes of records that who follows has not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Backlog {
    /// All are told, however many.
    Keep,
    /// Where there are more than 1,000, a `reset` says so, and the next that arrives is told next.
    Skip,
}

/// One event. Records come in the order in which they arrived here.
#[expect(clippy::large_enum_variant, reason = "events are made one by one, and written at once")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How the network is; what follows changes it.
    Snapshot(NetworkStatus),
    /// A record is here, complete and on disk.
    Gossip(Gossip),
    /// A peer is reached in another way.
    Peer(PeerEvent),
    /// Something happened in between that is not told; a snapshot follows.
    Reset(Reset),
    /// A long MSG is being fetched.
    Fetch(Fetch),
    /// This daemon's process warned of something.
    Warning(Warning),
    /// What was measured in the last second.
    Metrics(Metrics),
    /// What passed between this node and others lately.
    Traffic(Traffic),
}

impl Event {
    /// Its name, as in its JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Snapshot(_) => "snapshot",
            Event::Gossip(_) => "gossip",
            Event::Peer(_) => "peer",
            Event::Reset(_) => "reset",
            Event::Fetch(_) => "fetch",
            Event::Warning(_) => "warning",
            Event::Metrics(_) => "metrics",
            Event::Traffic(_) => "traffic",
        }
    }
}

/// How a peer is reached from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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

/// What is not told: what follows begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Reset {
    /// Of what: `gossip` or `peer`.
    pub of: String,
    /// Why.
    pub reason: String,
    /// How many of them; null if that is not known.
    pub skipped: Option<u64>,
}

/// How far a long MSG has come. The last one has `received` equal to `len`: then it is complete and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Fetch {
    /// When, RFC 3339.
    pub at: String,
    /// The record.
    pub guid: String,
    /// Who says it.
    pub who_name: String,
    /// Bytes of MSG.
    pub len: u64,
    /// Bytes of it that are here.
    pub received: u64,
}

/// A line of the log at `warn` or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Warning {
    /// When, RFC 3339.
    pub at: String,
    /// `warn` or `error`.
    pub level: String,
    /// What, made safe to show.
    pub what: String,
}

/// A second of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Metrics {
    /// When it ended, RFC 3339.
    pub at: String,
    /// Complete records held.
    pub gossip_count: u64,
    /// The root of their set, hex.
    pub root: String,
    /// Long records under way.
    pub incomplete: u64,
    /// Peers that answer.
    pub reachable_peers: u64,
    /// Those of them whose root is ours.
    pub in_sync_peers: u64,
    /// All peers that are known.
    pub known_peers: u64,
    /// What was sent in it.
    pub sent: Amount,
    /// What was received in it and understood.
    pub received: Amount,
    /// Records that arrived in it, own ones too.
    pub records_new: u64,
    /// Records that came in it and were here already.
    pub records_duplicate: u64,
    /// Datagrams that were dropped in it.
    pub datagrams_dropped: u64,
    /// Peers that are shown otherwise than when they were last told: at most 64, by turns.
    pub peers: Vec<Peer>,
}

/// How much was sent or received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Amount {
    /// Datagrams.
    pub datagrams: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
}

/// What passed since the last of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Traffic {
    /// When it ended, RFC 3339.
    pub at: String,
    /// The peers with the most, at most 32.
    pub spans: Vec<Span>,
}

/// Datagrams between this node and a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Span {
    /// NODE_GUID.
    pub peer: String,
    /// Fresh records that went out, and what acknowledges them.
    pub rumors_out: u64,
    /// The same that came in.
    pub rumors_in: u64,
    /// What finds and mends differences, and went out.
    pub repairs_out: u64,
    /// The same that came in.
    pub repairs_in: u64,
    /// All else that went out.
    pub hellos_out: u64,
    /// The same that came in.
    pub hellos_in: u64,
}
