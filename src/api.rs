//! The control API's JSON types and paths, shared by server and client. The CLI's `--json` prints these very structs.
//! Unknown values are null, never absent.

mod demo;
mod live;

pub use demo::{Chaos, ChaosChange, DemoNode};
pub use live::{Event, EventsQuery, Explanation, Gap, HeldBy, Moment, PeerEvent, SendRate};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the API lives.
pub const PREFIX: &str = "/api/v1";
/// MSGs longer than this are not repeated in lists.
pub const LISTED_MSG: usize = 4 << 10;
/// Longest preview of a MSG, in characters.
pub const PREVIEW: usize = 80;
/// How long creating waits for others to hold the record, if nobody says, in milliseconds.
pub const WAIT_MS: u64 = 30_000;
/// Records in `GET /status/gossip` unless the query says otherwise.
pub const STATUS_LIMIT: u64 = 20;

/// `POST /gossip`: what to say. `PUT /gossip/raw?who_name=` takes the same as bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGossip {
    /// What is said: 1 byte to 16 MiB.
    pub msg: String,
    /// Who says it; the node's name if absent.
    #[serde(default)]
    pub who_name: Option<String>,
    /// Answer when so many reachable peers are known to hold it: a number or `all`; at once if absent.
    #[serde(default)]
    pub wait: Option<String>,
    /// How long to wait for them, in milliseconds; [`WAIT_MS`] if absent.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// The query of `PUT /gossip/raw`, whose body is MSG.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// Who says it; the node's name if absent.
    #[serde(default)]
    pub who_name: Option<String>,
    /// As in [`NewGossip`].
    #[serde(default)]
    pub wait: Option<String>,
    /// As in [`NewGossip`].
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// The query of the requests that ask for nothing but a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
}

/// The query of `GET /status` and `GET /status/gossip`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// At most so many records, the newest; 0 is all, [`STATUS_LIMIT`] if absent.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// The answer to both, given once the record is on disk and, if that was asked for, held by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The record's head.
    #[serde(flatten)]
    pub head: Added,
    /// Who holds it; null if nobody asked to wait.
    pub held_by: Option<HeldBy>,
    /// Whether as many hold it as was waited for; null if nobody asked to wait.
    pub waited: Option<bool>,
}

/// A record's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The record's name.
    pub guid: String,
    /// When it was created, RFC 3339 UTC with microseconds.
    pub date_time: String,
    /// Who says it.
    pub who_name: String,
    /// GUID of the node on which it was created.
    pub origin: String,
    /// SHA-256 of MSG, hex.
    pub sha2: Option<String>,
    /// Bytes of MSG.
    pub len: u64,
}

/// One record of `GET /gossip` or `GET /gossip/{guid}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gossip {
    /// The record's head; `sha2` is null until it is complete.
    #[serde(flatten)]
    pub head: Added,
    /// Whether all of MSG is here.
    pub complete: bool,
    /// The first line of MSG, at most [`PREVIEW`] characters; null while incomplete.
    pub preview: Option<String>,
    /// MSG; null while incomplete and, in lists, when longer than [`LISTED_MSG`].
    pub msg: Option<String>,
    /// Who is known to hold it; null in lists and events.
    pub held_by: Option<HeldBy>,
}

/// Which records `GET /gossip` lists: the newest `limit` that match, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// At most so many; 0 is all. 50 if absent.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Not older than this RFC 3339 time.
    #[serde(default)]
    pub since: Option<String>,
    /// Only by this WHO_NAME.
    #[serde(default)]
    pub who: Option<String>,
    /// Only those whose MSG contains this text (case matters not for ASCII).
    #[serde(default)]
    pub grep: Option<String>,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It answers.
    Reachable,
    /// It missed its last probe.
    Suspect,
    /// It does not answer.
    Unreachable,
    /// It said goodbye.
    Left,
}

/// A peer in [`NetworkStatus`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
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
    /// Names of the other networks that it is in, as it says.
    pub other_networks: Vec<String>,
    /// When we last heard it, RFC 3339; null if never.
    pub last_update: Option<String>,
    /// How it is reached.
    pub reach: Reach,
    /// Why we think so.
    pub reason: String,
    /// Smoothed round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// The share of probes that it did not answer lately, from 0 to 1; null if that is not known.
    pub loss: Option<f64>,
    /// Datagrams a second that come from it, on the mean of 10 s; null if it was not met.
    pub datagrams_per_s: Option<f64>,
    /// Bytes a second that come from it, on the mean of 10 s; null if it was not met.
    pub bytes_per_s: Option<f64>,
    /// How many records it holds, as it said last.
    pub gossip_count: Option<u64>,
    /// The root of its set, hex, as it said last.
    pub root: Option<String>,
    /// Whether it is reachable and its root is ours.
    pub in_sync: bool,
}

/// NETWORK_STATUS: `GET /status/network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// NETWORK_NAME.
    pub network_name: String,
    /// This node's GUID.
    pub node_guid: String,
    /// This node's name.
    pub node_name: String,
    /// The address that it is bound to.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// Complete records held.
    pub gossip_count: u64,
    /// The root of their set, hex: equal roots are equal sets.
    pub root: String,
    /// What this node sent lately.
    pub send_rate: SendRate,
    /// Where the page and this API are served over TCP, IP:PORT; null if nowhere.
    pub http: Option<String>,
    /// All others that we know, by name.
    pub peers: Vec<Peer>,
}

/// A record in [`GossipStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipState {
    /// The record's name.
    pub guid: String,
    /// When it was created.
    pub date_time: String,
    /// Who says it.
    pub who_name: String,
    /// Bytes of MSG.
    pub len: u64,
    /// Whether all of MSG is here.
    pub complete: bool,
    /// Bytes of MSG that are here.
    pub received: u64,
    /// SHA-256 of MSG, hex; null until it is complete.
    pub sha2: Option<String>,
}

/// GOSSIP_STATUS: `GET /status/gossip`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipStatus {
    /// NETWORK_NAME.
    pub network_name: String,
    /// Records known: complete and incomplete ones.
    pub count: u64,
    /// Records that are complete.
    pub complete: u64,
    /// Records of which something is missing yet.
    pub incomplete: u64,
    /// Bytes of the MSGs of complete records.
    pub bytes: u64,
    /// The root of the set of complete records, hex.
    pub root: String,
    /// Peers that answer.
    pub reachable_peers: u64,
    /// Those of them whose root is ours.
    pub in_sync_peers: u64,
    /// The newest records, oldest first: as many as the query's `limit` (20 if absent, 0 is all).
    pub gossip: Vec<GossipState>,
}

/// `GET /status`: both on one page, and the counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
pub struct NodeInfo {
    /// The program's version.
    pub version: String,
    /// The protocol's version.
    pub protocol_version: u8,
    /// The process.
    pub pid: u32,
    /// The networks that it is in.
    pub networks: Vec<String>,
    /// Where the page and this API are served over TCP, IP:PORT; null if nowhere.
    pub http: Option<String>,
    /// Whether it is part of a demonstration whose network can be told to suffer: see `GET /demo`.
    #[serde(default)]
    pub demo: bool,
}

/// `POST /register`: which node to register with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// HOST:PORT.
    pub address: String,
    /// How long to wait for its answer, in milliseconds.
    pub timeout_ms: u64,
}

/// The answer when it registered; silence is an [`Problem`] with status 504.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its GUID.
    pub guid: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// NETWORK_NAME.
    pub network_name: String,
}

/// `GET /wait`: answers when all that is asked holds (200) or the time is over (504).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// Which network, where the daemon is in several.
    #[serde(default)]
    pub network: Option<String>,
    /// At least so many reachable peers.
    #[serde(default)]
    pub peers: Option<u64>,
    /// At least so many complete records.
    #[serde(default)]
    pub gossip: Option<u64>,
    /// Every reachable peer has our root, and there is one.
    #[serde(default)]
    pub in_sync: bool,
    /// How long to wait, in milliseconds.
    pub timeout_ms: u64,
}

/// What `GET /wait` saw last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
