//! How long the network keeps what, and who is forgotten.

use super::Added;
use serde::{Deserialize, Serialize};

/// `GET /retention`: how long the network keeps what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Retention {
    /// Records that are older leave the network: a time such as `30d`; null: they stay.
    pub max_age: Option<String>,
    /// A node that is not reached for longer is forgotten, together with what it said; null: nobody is.
    pub origin_timeout: Option<String>,
    /// The record that says so; null where nobody set anything.
    pub guid: Option<String>,
    /// Its date; 1970 where it comes from `server.json`.
    pub date_time: Option<String>,
    /// Records older than this have left, RFC 3339; null: none have.
    pub horizon: Option<String>,
    /// Records that left and are on this node's disk still.
    pub aside: u64,
}

/// The answer to `PUT /retention`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RetentionChanged {
    /// How long the network keeps what from now on, or would.
    #[serde(flatten)]
    pub retention: Retention,
    /// Messages here that leave at once, or would.
    pub leave: u64,
}

/// `PUT /retention`: what is to be changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RetentionChange {
    /// A time such as `30d`, or `off`; absent: as it is.
    pub max_age: Option<String>,
    /// A time such as `30d`, or `off`; absent: as it is.
    pub origin_timeout: Option<String>,
    /// Only say what it would be, and what would leave.
    #[serde(default)]
    pub dry_run: bool,
}

/// `POST /forget`: which node to forget, in the whole network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// Its name, its address, or its GUID or the beginning of it.
    pub node: String,
    /// Only say what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What goes, or would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Forgotten {
    /// The node's GUID.
    pub origin: String,
    /// Its name; null if it is not known.
    pub name: Option<String>,
    /// Messages of it that this node holds: all nodes drop these.
    pub messages: u64,
    /// The date of the newest of them; null if there are none.
    pub up_to: Option<String>,
    /// The record that says so to all nodes; null where there was no message to forget, or nothing was done.
    pub record: Option<Added>,
}
