//! The control API's JSON types and paths, shared by server and client. The CLI's `--json` prints these very structs.
//! Unknown values are null, never absent.

mod demo;
mod discovery;
mod keys;
mod live;
mod network;
mod operating;
mod records;
mod retention;

pub use demo::{Chaos, ChaosChange, DemoNode};
pub use discovery::{Discovery, Namesake, Neighbour};
pub use keys::{Key, KeyUser, Keys, NetworkEntry, NewKey, RemoveKeyQuery};
pub use live::{Amount, Backlog, Event, EventsQuery, Fetch, Metrics, PeerEvent, Reset, Span, Traffic, Warning};
pub use network::{
    Explanation, Left, Moment, NetworkStatus, OtherNode, OtherVersion, OwnClock, Peer, PingQuery, Pong, Reach,
    RegisterRequest, Registered, SendRate, Split,
};
pub use operating::{Change, Log, LogLevel, LogLevelChange, LogLine, LogQuery, Reloaded, Setting, Settings};
pub use records::{
    Added, Created, Draft, Exported, Gossip, GossipState, GossipStatus, HeldBy, Holder, Holders, Kind, ListQuery,
    NewGossip, Order, Outcome, RawQuery,
};
pub use retention::{ForgetRequest, Forgotten, Retention, RetentionChange, RetentionChanged};

use crate::proto::limits::MAX_MSG;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the API lives.
pub const PREFIX: &str = "/api/v1";
/// MSGs longer than this are not repeated in lists.
pub const LISTED_MSG: usize = 4 << 10;
/// Records in a page, and in a list over TCP, at most.
pub const PAGE: usize = 1000;
/// Longest body of `POST /gossip`, and line of an import: a MSG of the greatest length whose every other byte is escaped.
pub const LONGEST_JSON: usize = 2 * MAX_MSG + (64 << 10);
/// Longest preview of a MSG, in characters.
pub const PREVIEW: usize = 80;
/// How long creating waits for others to hold the record, if nobody says, in milliseconds.
pub const WAIT_MS: u64 = 30_000;
/// Records in `GET /status/gossip` unless the query says otherwise.
pub const STATUS_LIMIT: u64 = 20;

/// The query of the requests that ask for nothing but a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct NetworkQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
}

/// The query of `POST /leave`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LeaveQuery {
    /// Whether it comes back at once: then the others are told that it restarts.
    #[serde(default)]
    pub restarting: bool,
}

/// The query of `GET /status` and `GET /status/gossip`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct StatusQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// At most so many records, the newest: 1,000; 0 is all, which only the owner of the control socket can have.
    /// [`STATUS_LIMIT`] if absent.
    pub limit: Option<u64>,
}

/// `GET /status`: both on one page, and the counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Status {
    /// NETWORK_STATUS.
    pub network: NetworkStatus,
    /// GOSSIP_STATUS.
    pub gossip: GossipStatus,
    /// Counters by name.
    pub stats: BTreeMap<String, u64>,
}

/// `GET /node`: this daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct NodeInfo {
    /// The program's version.
    pub version: String,
    /// The protocol's version.
    pub protocol_version: u8,
    /// The process.
    pub pid: u32,
    /// The networks that it is in.
    pub networks: Vec<String>,
    /// Whether it is part of a demonstration whose network can be told to suffer: see `GET /demo`.
    pub demo: bool,
    /// Where the page and this API are served over TCP, IP:PORT; null if nowhere.
    pub http: Option<String>,
}

/// `GET /wait`: answers when all that is asked holds (200) or the time is over (504).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// At least so many reachable peers.
    pub peers: Option<u64>,
    /// At least so many complete records.
    pub gossip: Option<u64>,
    /// Every reachable peer has our root, and there is one.
    #[serde(default)]
    pub in_sync: bool,
    /// How long to wait, in milliseconds.
    pub timeout_ms: u64,
}

/// What `GET /wait` saw last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Waited {
    /// Whether all that was asked holds.
    pub holds: bool,
    /// Peers that answer.
    pub reachable_peers: u64,
    /// Complete records.
    pub gossip_count: u64,
    /// Whether every reachable peer has our root, and there is one.
    pub in_sync: bool,
}

/// Any error, after RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, the same for every case of it.
    pub title: String,
    /// Why, in this case.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}
