//! Records as they are created, listed and counted.

use serde::{Deserialize, Serialize};

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a person or a program says.
    Message,
    /// That a node is forgotten, together with what it said.
    Forget,
    /// Network settings.
    Settings,
}

/// `POST /gossip`: what to say. `PUT /gossip/raw?who_name=` takes the same as bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewGossip {
    /// What is said: 1 byte to 16 MiB.
    pub msg: String,
    /// Who says it; the node's name if absent.
    pub who_name: Option<String>,
    /// Answer when so many reachable peers are known to hold it: a number or `all`; at once if absent.
    pub wait: Option<String>,
    /// How long to wait for them, in milliseconds; [`WAIT_MS`](super::WAIT_MS) if absent.
    pub timeout_ms: Option<u64>,
}

/// The query of `PUT /gossip/raw`, whose body is MSG.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct RawQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// Who says it; the node's name if absent.
    pub who_name: Option<String>,
    /// As in [`NewGossip`].
    pub wait: Option<String>,
    /// As in [`NewGossip`].
    pub timeout_ms: Option<u64>,
}

/// The answer to both, given once the record is on disk and, if that was asked for, held by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Created {
    /// The record's head.
    #[serde(flatten)]
    pub head: Added,
    /// Who holds it; null if nobody asked to wait.
    pub held_by: Option<HeldBy>,
    /// Whether as many hold it as was waited for; null if nobody asked to wait.
    pub waited: Option<bool>,
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct HeldBy {
    /// Reachable peers that are known to hold it.
    pub known: u64,
    /// Reachable peers.
    pub reachable: u64,
}

/// A record's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Added {
    /// The record's name.
    pub guid: String,
    /// What it is for.
    pub kind: Kind,
    /// When it was created, RFC 3339 UTC with microseconds.
    pub date_time: String,
    /// Whether that cannot be right, since it is to come by more than a minute: its creator's clock was wrong, or this
    /// host's is.
    pub date_doubtful: bool,
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Gossip {
    /// The record's head; `sha2` is null until it is complete.
    #[serde(flatten)]
    pub head: Added,
    /// Whether all of MSG is here.
    pub complete: bool,
    /// The first line of MSG, at most [`PREVIEW`](super::PREVIEW) characters, or what a record of another kind than message
    /// decrees, as a sentence; null while incomplete.
    pub preview: Option<String>,
    /// MSG; null while incomplete and, in lists, when longer than [`LISTED_MSG`](super::LISTED_MSG).
    pub msg: Option<String>,
    /// Who is known to hold it; null in lists and events.
    pub held_by: Option<HeldBy>,
}

/// Which records `GET /gossip` lists, and in which order. With `order` the answer is a page: the header `Gossip-Cursor` has
/// the `cursor` of the next one (and `Link` its address), as long as there may be more; a page may be short where few of
/// the records looked at match. Without `order` it is the newest `limit` that match, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// At most so many, 1,000 of a page; 0 is all, which only the owner of the control socket can have, without `order`. 50 if
    /// absent.
    pub limit: Option<u64>,
    /// Go on behind the page that gave this.
    pub cursor: Option<String>,
    /// Which way a page goes.
    pub order: Option<Order>,
    /// Not older than this RFC 3339 time.
    pub since: Option<String>,
    /// Not newer than this RFC 3339 time.
    pub until: Option<String>,
    /// Only by this WHO_NAME.
    pub who: Option<String>,
    /// Only those whose MSG has all of these words, found by an index: `word`, `begin*`, `"a phrase"`. The index follows a
    /// little behind what arrives; the header `Gossip-Indexed` says how far it is. Pages of a search are in the order of
    /// arrival.
    pub q: Option<String>,
    /// Only those whose MSG contains this text (case matters not for ASCII).
    pub grep: Option<String>,
}

/// Which way a page of records goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Back from the newest.
    Newest,
    /// On from the oldest.
    Oldest,
}

/// `GET /gossip/{guid}/holders`: which reachable peers are known to hold a record, after all were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Holders {
    /// The record.
    pub guid: String,
    /// How many of the reachable peers.
    pub known: u64,
    /// Reachable peers.
    pub reachable: u64,
    /// The greatest `after_ms`; null if none is known.
    pub last_after_ms: Option<f64>,
    /// They.
    pub holders: Vec<Holder>,
}

/// A peer that holds a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Holder {
    /// NODE_GUID.
    pub guid: String,
    /// NODE_NAME.
    pub name: String,
    /// How long after this node it is known to have held the record, in milliseconds; null if it did not say so soon.
    pub after_ms: Option<f64>,
}

/// A record in [`GossipStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct GossipState {
    /// The record's head; `sha2` is null until it is complete.
    #[serde(flatten)]
    pub head: Added,
    /// Whether all of MSG is here.
    pub complete: bool,
    /// Bytes of MSG that are here.
    pub received: u64,
}

/// GOSSIP_STATUS: `GET /status/gossip`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
    /// The newest records, oldest first: as many as the query's `limit`.
    pub gossip: Vec<GossipState>,
}

/// A line of `POST /gossip/batch`: what to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What is said: 1 byte to 16 MiB.
    pub msg: String,
    /// Who says it; the node's name if absent.
    pub who_name: Option<String>,
}

/// A line of `POST /gossip/import`: a complete record, as it was created anywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The record's name, which follows from the rest.
    pub guid: String,
    /// What it is for.
    pub kind: Kind,
    /// When it was created, RFC 3339 with microseconds.
    pub date_time: String,
    /// GUID of the node on which it was created.
    pub origin: String,
    /// Who says it.
    pub who_name: String,
    /// SHA-256 of MSG, hex.
    pub sha2: String,
    /// Bytes of MSG.
    pub len: u64,
    /// MSG; or else `msg_base64` has it.
    pub msg: Option<String>,
    /// MSG in base64 (RFC 4648, with padding).
    pub msg_base64: Option<String>,
    /// In which network it was; where it goes, the request says.
    pub network_name: Option<String>,
}

/// What became of a line of a batch or an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Outcome {
    /// Which line, from 1 on; empty lines count, and have none.
    pub line: u64,
    /// 201: the record is new and on disk. 200: it was here before. Else it is not here, and `detail` says why.
    pub status: u16,
    /// The record; null if there is none.
    pub guid: Option<String>,
    /// Why not.
    pub detail: Option<String>,
}
