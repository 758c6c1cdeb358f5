//! What is done to a running daemon as such: its configuration read again, its log made louder.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /reload`: what came of reading `server.json` again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Reloaded {
    /// What changed and holds from now on.
    pub applied: Vec<Change>,
    /// What is otherwise in the file than in force, and waits for a restart.
    pub restart: Vec<Change>,
    /// What else a person should know; a line each.
    pub notes: Vec<String>,
}

/// A setting with two values. Keys of networks are never among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Change {
    /// Its key, dotted; a list is one value.
    pub key: String,
    /// What was in force; null if nothing was said of it.
    pub from: Value,
    /// What the file says now.
    pub to: Value,
}

/// `GET` and `PUT /log/level`: what the log shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LogLevel {
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`, and parts with levels of their own:
    /// `info,gossip_node::daemon=debug`.
    pub level: String,
    /// Who said so: `default`, `file` (`server.json`), `environment`, or `runtime`, which holds until the next reload or
    /// restart.
    pub origin: String,
}

/// What `PUT /log/level` wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogLevelChange {
    /// As in [`LogLevel`]; null: as it is configured.
    pub level: Option<String>,
}
