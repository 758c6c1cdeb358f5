//! Peers and networks, and what can be done about them.

use super::{Discovery, OtherVersion, OwnClock, Retention, SendRate};
use serde::{Deserialize, Serialize};

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
    /// Since when it is so, RFC 3339; null if longer than this daemon runs.
    pub since: Option<String>,
    /// Where it stands on the ring on which records are handed down, from 0 up to, and without, 1.
    pub place: f64,
    /// The protocol that it speaks; null if it was not met.
    pub protocol_version: Option<u8>,
    /// Orders what is said of it: the greater, the later.
    pub incarnation: u32,
    /// Smoothed round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Milliseconds by which its clock is ahead of this host's; null if it did not tell.
    pub clock_offset_ms: Option<i64>,
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
    /// By how much its count differs from ours: 0 in sync; null if that is not known, or the counts are equal and the sets
    /// are not.
    pub differs: Option<u64>,
}

/// A node of another network in [`NetworkStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OtherNode {
    /// NODE_GUID.
    pub guid: String,
    /// NODE_NAME.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// NETWORK_NAME: which one it is in.
    pub network_name: String,
    /// When a peer named it last, RFC 3339.
    pub last_update: String,
}

/// NETWORK_STATUS: `GET /status/network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
    /// Where it stands on the ring on which records are handed down, from 0 up to, and without, 1.
    pub place: f64,
    /// The program's version.
    pub version: String,
    /// Where the control API listens on TCP; null if it does not.
    pub http: Option<String>,
    /// Names of the networks that peers are in beside this one, as they say.
    pub other_networks: Vec<String>,
    /// Nodes of these, as peers that are in both say; for people alone.
    pub other_nodes: Vec<OtherNode>,
    /// Complete records held.
    pub gossip_count: u64,
    /// The root of their set, hex: equal roots are equal sets.
    pub root: String,
    /// What this node sent lately.
    pub send_rate: SendRate,
    /// How long the network keeps what.
    pub retention: Retention,
    /// How this host's clock differs; null where no peer told.
    pub clock: Option<OwnClock>,
    /// Who seems to speak another version of the protocol.
    pub other_versions: Vec<OtherVersion>,
    /// What beacons told; null where discovery is off.
    pub discovery: Option<Discovery>,
    /// All others that we know, by name.
    pub peers: Vec<Peer>,
}

/// `POST /register`: which node to register with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// HOST:PORT.
    pub address: String,
    /// How long to wait for its answer, in milliseconds.
    pub timeout_ms: u64,
}

/// The answer when it registered; silence is an [`Problem`](super::Problem) with status 504.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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

/// The answer to `POST /peers/{peer}/ping`; silence is a [`Problem`](super::Problem) with status 504.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Pong {
    /// NODE_GUID.
    pub guid: String,
    /// How long its answer took, in milliseconds.
    pub rtt_ms: f64,
}
