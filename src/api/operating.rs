//! A running daemon as such: what is set and what it logs, and what can be done about both.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /reload`: what came of reading `server.json` again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogLevelChange {
    /// As in [`LogLevel`]; null: as it is configured.
    pub level: Option<String>,
}

/// `GET /config`: all that can be set, as it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Settings {
    /// A value each.
    pub values: Vec<Setting>,
}

/// A value that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Setting {
    /// Its key, dotted, as `init --set` takes it.
    pub key: String,
    /// It; `(secret)` instead of a key of a network.
    pub value: Value,
    /// Where it comes from: `default`, `file` (`server.json`), `profile`, `environment`, or `runtime` where the system
    /// chose it or somebody said it while the daemon ran.
    pub origin: String,
    /// Whether a change of it takes a restart; else `POST /reload` is enough.
    pub restart: bool,
}

/// The query of `GET /log`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Only lines behind the one with this number.
    pub after: Option<u64>,
    /// Only lines at this level or worse: `error`, `warn` or `info`, which is all that are kept.
    pub level: Option<String>,
}

/// `GET /log`: the last lines of the process's log, at most 1,000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Log {
    /// They, oldest first.
    pub lines: Vec<LogLine>,
    /// What to say for `after` next.
    pub next: u64,
    /// In which run of the process lines are numbered so; one that starts again counts from the beginning.
    pub run: u64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct LogLine {
    /// Its number.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `error`, `warn` or `info`.
    pub level: String,
    /// Which part of the program says it.
    pub target: String,
    /// What, made safe to show.
    pub text: String,
}
