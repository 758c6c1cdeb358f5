//! [`ServerFile`]: what `server.json` says, read with every check and written so that a crash leaves the old file or
//! the new one. Where it lies is for [`Home`] to say.
//!
//! A key that is misspelled must not be silently ignored, so unknown keys are errors and name the nearest known one.
//! The file holds the keys of networks: it is refused while others may read it, and no error ever shows a value that
//! stood where a key or a password stands.

mod changes;
mod error;
mod fields;
mod filter;
mod home;
mod host;
mod http;
mod private;
mod ring;
mod shown;
mod timing;
mod token;
mod tree;

pub use changes::{Change, needs_restart};
pub use error::{ConfigError, nearest};
pub use fields::{parse_duration, show_duration};
pub use filter::LogFilter;
pub use home::{Home, HomeLock, LockError};
pub use host::{host_name, node_name};
pub use http::{HttpFile, Listen};
pub use ring::{Network, RingKey};
pub use shown::Shown;
pub use timing::{Profile, Span, TimingFile};
pub use token::Token;

use crate::proto::decree::is_term;
use crate::proto::gossip::{Guid, check_name, name_rule};
use crate::proto::limits::{MAX_DATAGRAM, MIN_MAX_DATAGRAM};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest `server.json`, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// Networks that one daemon may be in.
pub const MAX_NETWORKS: usize = 8;
/// Addresses that a daemon may start from.
pub const MAX_SEEDS: usize = 256;
/// Bounds of `gossip_timer`.
pub const GOSSIP_TIMER: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
/// Bounds of `gossip_max_peer_count`.
pub const MAX_PEER_COUNT: std::ops::RangeInclusive<usize> = 1..=64;
/// The UDP port if none is said.
pub const DEFAULT_PORT: u16 = 6884;
/// The UDP port of discovery if none is said.
pub const DEFAULT_DISCOVERY_PORT: u16 = 6885;
/// A UDP port to propose where the first is taken.
pub const SPARE_PORT: u16 = DEFAULT_DISCOVERY_PORT + 1;

/// `server.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFile {
    /// This node's name among nodes, made once and kept.
    #[serde(with = "fields::guid")]
    pub node_guid: Guid,
    /// Its name among people.
    pub node_name: String,
    /// The address to bind.
    #[serde(default = "default_ip")]
    pub ip: IpAddr,
    /// The UDP port to bind; 0 lets the kernel choose.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether nodes of the same networks are found on this host's links by themselves; if it is not said, yes unless `ip`
    /// is a loopback address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<bool>,
    /// The UDP port for that, the same on all hosts.
    #[serde(default = "default_discovery_port")]
    pub discovery_port: u16,
    /// How often a round of gossip begins.
    #[serde(default = "default_timer", with = "fields::duration")]
    pub gossip_timer: Duration,
    /// Peers in one round.
    #[serde(default = "default_max_peers")]
    pub gossip_max_peer_count: usize,
    /// How the peers of a round are chosen.
    #[serde(default)]
    pub peer_select_type: PeerSelectType,
    /// Largest datagram to send, in bytes of UDP payload.
    #[serde(default = "default_max_datagram")]
    pub max_datagram: usize,
    /// How fast it goes where `timing` does not say.
    #[serde(default)]
    pub profile: Profile,
    /// How fast it goes, value by value.
    #[serde(default, skip_serializing_if = "TimingFile::is_empty")]
    pub timing: TimingFile,
    /// How the control API is served to browsers and scripts.
    #[serde(default, skip_serializing_if = "HttpFile::is_empty")]
    pub http: HttpFile,
    /// What the log shows, where the environment does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogFilter>,
    /// Whether the peers of each network are told the names of the others, and who is in them.
    #[serde(default = "default_share")]
    pub share_networks: bool,
    /// The networks to be in.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// HOST:PORT of nodes to register with.
    #[serde(default)]
    pub seeds: Vec<String>,
}

/// PEER_SELECT_TYPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerSelectType {
    /// Any peers, to spread records.
    Random,
    /// Those probed longest ago, to notice who is down.
    OldestFirst,
    /// Both, turn by turn.
    #[default]
    Both,
}

/// A file that was read, and what a person should be told about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub file: ServerFile,
    /// What was changed in it while reading; a line each.
    pub notes: Vec<String>,
    /// Which keys it has, dotted: all others are defaults.
    pub said: BTreeSet<String>,
}

fn default_ip() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

fn default_port() -> u16 {
    DEFAULT_PORT
}

fn default_discovery_port() -> u16 {
    DEFAULT_DISCOVERY_PORT
}

fn default_timer() -> Duration {
    Duration::from_secs(1)
}

fn default_share() -> bool {
    true
}

fn default_max_peers() -> usize {
    5
}

fn default_max_datagram() -> usize {
    MIN_MAX_DATAGRAM
}

impl ServerFile {
    /// A new node's file: defaults, no network yet.
    pub fn new(node_guid: Guid, node_name: &str) -> ServerFile {
        ServerFile {
            node_guid,
            node_name: node_name.to_owned(),
            ip: default_ip(),
            port: default_port(),
            discovery: None,
            discovery_port: default_discovery_port(),
            gossip_timer: default_timer(),
            gossip_max_peer_count: default_max_peers(),
            peer_select_type: PeerSelectType::default(),
            max_datagram: default_max_datagram(),
            profile: Profile::default(),
            timing: TimingFile::default(),
            http: HttpFile::default(),
            log: None,
            share_networks: default_share(),
            networks: Vec::new(),
            seeds: Vec::new(),
        }
    }

    /// Whether it says to find others.
    pub fn discovers(&self) -> bool {
        self.discovery.unwrap_or(!self.ip.is_loopback())
    }

    /// Reads and checks the file at `path`. A `network_password` that somebody wrote into it by hand is replaced by
    /// the key that follows from it, in the file too.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let (mut loaded, replaced) = ServerFile::parsed(path)?;
        if !replaced.is_empty() {
            let names = replaced.join(", ");
            let amended = ServerFile::amend(path, |file| Ok::<ServerFile, ConfigError>(file.clone()));
            loaded.notes.push(match amended {
                Ok(file) => {
                    loaded.file = file;
                    format!("{}: replaced the password of {names} by the key made of it", path.display())
                }
                Err(error) => format!("the password of {names} is still in the file: {error}"),
            });
        }
        Ok(loaded)
    }

    /// The same for who only looks: the file stays as it is.
    pub fn read(path: &Path) -> Result<Loaded, ConfigError> {
        Ok(ServerFile::parsed(path)?.0)
    }

    /// What is in the file, and of which networks it has the passwords.
    fn parsed(path: &Path) -> Result<(Loaded, Vec<String>), ConfigError> {
        let text = private::read(path, MAX_FILE, "the keys of your networks")?;
        if text.len() as u64 > MAX_FILE {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let value: Value = serde_json::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;
        let said = shown::keys(&value);
        let (file, replaced) = ServerFile::from_tree(value)?;
        Ok((Loaded { file, notes: Vec::new(), said }, replaced))
    }

    /// Writes the file, readable by its owner only. After a crash at any point the old content or the new is there.
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        self.check()?;
        let mut text = Zeroizing::new(serde_json::to_string_pretty(self).expect("a ServerFile has string keys only"));
        text.push('\n');
        private::write(path, &text)
    }

    /// Reads the file at `path`, has it changed, and writes it: one change after the other, whichever process makes it.
    pub fn amend<T, E: From<ConfigError>>(
        path: &Path,
        change: impl FnOnce(&mut ServerFile) -> Result<T, E>,
    ) -> Result<T, E> {
        let _one = private::lock_dir(path)?;
        let mut file = ServerFile::parsed(path)?.0.file;
        let changed = change(&mut file)?;
        file.save(path)?;
        Ok(changed)
    }

    /// Changes one key: `gossip_timer` to `500ms`, `networks.0.network_name`, `seeds` to `["a:1"]`, `seeds.0` to `a:1`.
    /// `value` is JSON or else a string. All checks are made again, and on an error nothing is changed. A network's
    /// key is made of its name and password, so a name changed here names another network with the same key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let now = serde_json::to_value(&*self).expect("a ServerFile has string keys only");
        let attempt = |value: Value| {
            let mut next = now.clone();
            tree::set(&mut next, key, value)?;
            Ok(ServerFile::from_tree(next)?.0)
        };
        *self = match serde_json::from_str::<Value>(value) {
            // A name may look like a number: `node_name=7`.
            Ok(parsed @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => attempt(parsed)
                .or_else(|error: ConfigError| attempt(Value::String(value.to_owned())).map_err(|_| error))?,
            Ok(parsed) => attempt(parsed)?,
            Err(_) => attempt(Value::String(value.to_owned()))?,
        };
        Ok(())
    }

    /// Reads a JSON tree with every check, and names the networks whose passwords it turned into keys.
    fn from_tree(mut value: Value) -> Result<(ServerFile, Vec<String>), ConfigError> {
        tree::check_keys(&value)?;
        let replaced = tree::replace_passwords(&mut value)?;
        let file: ServerFile = serde_path_to_error::deserialize(value).map_err(|error| {
            let key = fields::dotted(error.path());
            ConfigError::value(key, error.into_inner().to_string(), "")
        })?;
        file.check()?;
        Ok((file, replaced))
    }

    /// What types alone do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.node_guid == Guid::default() {
            return Err(ConfigError::value("node_guid", "is all zero", "`gossip-node init` makes a random one"));
        }
        check_as_name("node_name", &self.node_name)?;
        // All daemons of a host share that port: it is no node's own.
        if self.discovers() && (self.discovery_port == 0 || self.discovery_port == self.port) {
            let problem = format!("is {}, and `port` is {}", self.discovery_port, self.port);
            let hint = format!(
                "give discovery a port of its own, such as {DEFAULT_DISCOVERY_PORT}, or set `discovery` to false"
            );
            return Err(ConfigError::value("discovery_port", problem, hint));
        }
        if !GOSSIP_TIMER.contains(&self.gossip_timer) {
            return Err(ConfigError::value(
                "gossip_timer",
                format!("is {}", show_duration(self.gossip_timer)),
                "say a time from 10ms to 1h",
            ));
        }
        check_range("gossip_max_peer_count", self.gossip_max_peer_count, MAX_PEER_COUNT)?;
        check_range("max_datagram", self.max_datagram, MIN_MAX_DATAGRAM..=MAX_DATAGRAM)?;
        timing::check(&self.timing, self.profile, self.gossip_timer)?;
        self.http.check()?;
        if self.networks.len() > MAX_NETWORKS {
            let problem = format!("has {} networks", self.networks.len());
            return Err(ConfigError::value("networks", problem, format!("at most {MAX_NETWORKS} are possible")));
        }
        ring::check(&self.networks)?;
        for (index, network) in self.networks.iter().enumerate() {
            for (key, span) in [("max_age", network.max_age), ("origin_timeout", network.origin_timeout)] {
                if let Some(span) = span.filter(|&span| !is_term(span)) {
                    let (key, problem) = (format!("networks.{index}.{key}"), format!("is {}", show_duration(span)));
                    return Err(ConfigError::value(key, problem, "say a time from 1s to 10000d, or remove it"));
                }
            }
        }
        if self.seeds.len() > MAX_SEEDS {
            let problem = format!("has {} addresses", self.seeds.len());
            return Err(ConfigError::value("seeds", problem, format!("at most {MAX_SEEDS} are possible")));
        }
        self.seeds.iter().enumerate().try_for_each(|(index, seed)| check_seed(index, seed))
    }
}

fn check_as_name(key: &str, name: &str) -> Result<(), ConfigError> {
    if check_name(name) {
        return Ok(());
    }
    Err(ConfigError::value(key, format!("is {name:?}, which is no name"), name_rule()))
}

fn check_range(key: &str, value: usize, range: std::ops::RangeInclusive<usize>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let hint = format!("say a number from {} to {}", range.start(), range.end());
    Err(ConfigError::value(key, format!("is {value}"), hint))
}

/// How the address of another node is written.
pub const HOST_PORT: &str = "say HOST:PORT, such as 192.168.1.10:6884 or [2001:db8::1]:6884";

/// HOST:PORT, where an IPv6 address stands in brackets; or what is wrong with it. Whether the name resolves is seen when it
/// is used.
pub fn check_host_port(text: &str) -> Result<(), &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("it has no port")?;
    if !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Err("its port is not a number from 1 to 65535");
    }
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let good = match host.starts_with('[') {
        true => text.parse::<SocketAddrV6>().is_ok(),
        false => (1..=253).contains(&host.len()) && host.chars().all(in_name),
    };
    if good { Ok(()) } else { Err("its host is neither a name nor an address (IPv6 stands in brackets)") }
}

fn check_seed(index: usize, seed: &str) -> Result<(), ConfigError> {
    let wrong = |problem| ConfigError::value(format!("seeds.{index}"), format!("is {seed:?}: {problem}"), HOST_PORT);
    check_host_port(seed).map_err(wrong)
}

#[cfg(test)]
mod tests;
