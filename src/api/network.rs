//! Peers and networks, and what can be done about them.

use super::{Discovery, Retention};
use serde::{Deserialize, Serialize};

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
    /// Who was cut off from this node for a while and came back, the latest first, at most 16, since the daemon started.
    pub splits: Vec<Split>,
    /// All others that we know, by name.
    pub peers: Vec<Peer>,
}

impl NetworkStatus {
    /// How many peers are reached so.
    pub fn count(&self, reach: Reach) -> u64 {
        self.peers.iter().filter(|peer| peer.reach == reach).count() as u64
    }
}

/// Peers that this node could not reach for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Split {
    /// When one of them was last heard before, RFC 3339.
    pub from: String,
    /// When the first of them was back, RFC 3339.
    pub to: String,
    /// Their names, at most 16.
    pub peers: Vec<String>,
    /// How many they are.
    pub peer_count: u64,
    /// Records that one side had and the other had not; null until all of them hold the same, or if that took too long.
    pub records: Option<u64>,
    /// How long it took from then until all of them held the same, in milliseconds; null as above.
    pub took_ms: Option<f64>,
}

/// `POST /register`: which node to register with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// HOST:PORT.
    pub address: String,
    /// How long to wait for its answer, in milliseconds.
    pub timeout_ms: u64,
}

/// The answer when it registered; silence is an [`Problem`](super::Problem) with status 504.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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

/// The query of `POST /peers/{peer}/ping`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct PingQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// How long the datagram shall be, and the answer, in bytes of UDP payload, at most 1,472: who is between lets pass what
    /// it lets pass. As short as it can be if absent.
    pub size: Option<u16>,
    /// How long to wait for the answer, in milliseconds, at most 30,000; 2,000 if absent.
    pub timeout_ms: Option<u64>,
}

/// The answer to `POST /peers/{peer}/ping`; silence is a [`Problem`](super::Problem) with status 504.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Pong {
    /// NODE_GUID.
    pub guid: String,
    /// How long its answer took, in milliseconds.
    pub rtt_ms: f64,
    /// How long the datagram was to be; null if nobody said.
    pub size: Option<u16>,
}

/// The answer to `POST /leave`: the daemon has said goodbye and stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Left {
    /// To how many peers it was said; they tell the others.
    pub told: u64,
    /// How many of them are known to have heard it.
    pub heard: u64,
}

/// By how much this host's clock differs from those of its peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OwnClock {
    /// Milliseconds by which it is ahead of most of them.
    pub ahead_ms: i64,
    /// Of how many peers that is known.
    pub peers: u64,
    /// Whether that is more than two seconds, so that this clock is probably wrong.
    pub doubtful: bool,
}

/// Somebody who seems to speak another version of the protocol. A hint: such datagrams are not authentic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct OtherVersion {
    /// Its address.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// Its protocol version.
    pub version: u8,
    /// When it was heard last, RFC 3339.
    pub last_heard: String,
}

/// What was sent lately.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Moment {
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub what: String,
}
