//! Who is near, as far as beacons tell.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node's beacons in one network told, and whom it heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Discovery {
    /// The UDP port that beacons go to and are heard at.
    pub port: u16,
    /// Whether they can be heard; the log says why not.
    pub listens: bool,
    /// This host's addresses from which they go out.
    pub sources: Vec<String>,
    /// Nodes of this network whose beacons were heard, the last first, at most 16.
    pub heard: Vec<Neighbour>,
    /// Neighbours that have a network of this name and another password, at most 16.
    pub namesakes: Vec<Namesake>,
    /// Beacons sent and answered, and datagrams that nothing followed from, by cause.
    pub counts: BTreeMap<String, u64>,
}

/// A node whose beacon was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Neighbour {
    /// NODE_GUID.
    pub guid: String,
    /// Its address; of an IPv6 address that has a meaning on one link only, with the number of that link.
    pub ip: String,
    /// Its UDP port.
    pub port: u16,
    /// When its last beacon came, RFC 3339.
    pub at: String,
}

/// A neighbour that has a network of the same name and another password. Who knows the name can make one up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Namesake {
    /// Its address.
    pub ip: String,
    /// When it was first heard, RFC 3339.
    pub first: String,
    /// When it was last heard, RFC 3339.
    pub last: String,
    /// How often.
    pub times: u64,
}
