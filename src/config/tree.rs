//! `server.json` as a JSON tree, before it has types: unknown keys, passwords written by hand, and keys with dots.

use super::error::ConfigError;
use super::fields::secret;
use crate::proto::gossip::check_name;
use crate::proto::seal::Secret;
use serde_json::{Map, Value};

const KEYS: &[&str] = &[
    "node_guid",
    "node_name",
    "ip",
    "port",
    "discovery",
    "discovery_port",
    "gossip_timer",
    "gossip_max_peer_count",
    "peer_select_type",
    "max_datagram",
    "profile",
    "timing",
    "http",
    "log",
    "share_networks",
    "networks",
    "seeds",
];
const HTTP_KEYS: &[&str] = &["listen", "hosts"];
const NETWORK_KEYS: &[&str] = &["network_name", "network_key", "added", "other_keys", "max_age", "origin_timeout"];
const RING_KEYS: &[&str] = &["network_key", "added"];
const TIMING_KEYS: &[&str] = &[
    "probe_period",
    "probe_timeout",
    "suspicion",
    "suspicion_most",
    "update_gap",
    "record_gap",
    "heard_gap",
    "announce",
    "grace",
    "rumor_timeout",
    "table_age",
];
/// Those of `timing` that have a least and a most.
const SPANS: &[&str] = &["probe_timeout", "table_age"];
const SPAN_KEYS: &[&str] = &["least", "most"];
const PASSWORD: &str = "network_password";
/// What stands in its place: as good as it.
const KEY: &str = "network_key";
const INIT: &str = "`gossip-node init` makes it";

/// Refuses unknown and missing keys, and any shape of `networks` about which a message of serde's could show a secret.
pub(super) fn check_keys(value: &Value) -> Result<(), ConfigError> {
    let Value::Object(top) = value else {
        return Err(ConfigError::value("the file", "is not an object", "it begins with { and ends with }"));
    };
    only_known("", top, KEYS)?;
    for key in ["node_guid", "node_name"] {
        if !top.contains_key(key) {
            return Err(ConfigError::value(key, "is missing", INIT));
        }
    }
    check_timing(top)?;
    match top.get("http") {
        None => (),
        Some(Value::Object(http)) => only_known("http", http, HTTP_KEYS)?,
        Some(_) => return Err(ConfigError::value("http", "is not an object", r#"say {"listen": "off"}"#)),
    }
    let shape = r#"say [{"network_name": ..., "network_key": ...}]"#;
    let networks = match top.get("networks") {
        None => return Ok(()),
        Some(Value::Array(networks)) => networks,
        Some(_) => return Err(ConfigError::value("networks", "is not a list", shape)),
    };
    for (index, network) in networks.iter().enumerate() {
        let path = format!("networks.{index}");
        let Value::Object(network) = network else {
            return Err(ConfigError::value(path, "is not an object", shape));
        };
        let known: Vec<&str> = NETWORK_KEYS.iter().copied().chain([PASSWORD]).collect();
        only_known(&path, network, &known)?;
        let named = |key: &str| format!("{path}.{key}");
        if !network.get("network_name").is_some_and(Value::is_string) {
            return Err(ConfigError::value(named("network_name"), "is missing or not a text", "name the network"));
        }
        match (network.contains_key("network_key"), network.contains_key(PASSWORD)) {
            (true, true) => {
                let hint = "remove one of them";
                return Err(ConfigError::value(path, "has both network_key and network_password", hint));
            }
            (false, false) => return Err(ConfigError::value(named("network_key"), "is missing", INIT)),
            _ => (),
        }
        check_ring(&named("other_keys"), network.get("other_keys"))?;
    }
    Ok(())
}

fn check_ring(path: &str, ring: Option<&Value>) -> Result<(), ConfigError> {
    let shape = "`gossip-node keys add` makes it";
    let keys = match ring {
        None => return Ok(()),
        Some(Value::Array(keys)) => keys,
        Some(_) => return Err(ConfigError::value(path, "is not a list", shape)),
    };
    for (index, key) in keys.iter().enumerate() {
        let path = format!("{path}.{index}");
        let Value::Object(key) = key else { return Err(ConfigError::value(path, "is not an object", shape)) };
        only_known(&path, key, RING_KEYS)?;
        if !key.contains_key("network_key") {
            return Err(ConfigError::value(format!("{path}.network_key"), "is missing", shape));
        }
    }
    Ok(())
}

fn check_timing(top: &Map<String, Value>) -> Result<(), ConfigError> {
    let Some(timing) = top.get("timing") else { return Ok(()) };
    let Value::Object(timing) = timing else {
        return Err(ConfigError::value("timing", "is not an object", r#"say {"suspicion": "2s", ...}"#));
    };
    only_known("timing", timing, TIMING_KEYS)?;
    for name in SPANS {
        match timing.get(*name) {
            None => (),
            Some(Value::Object(span)) => only_known(&format!("timing.{name}"), span, SPAN_KEYS)?,
            Some(_) => {
                let hint = r#"say {"least": "100ms", "most": "300ms"}"#;
                return Err(ConfigError::value(format!("timing.{name}"), "is not an object", hint));
            }
        }
    }
    Ok(())
}

/// What may stand below a key.
fn known_below(path: &str) -> &'static [&'static str] {
    match path {
        "" => KEYS,
        "timing" => TIMING_KEYS,
        "http" => HTTP_KEYS,
        path if path.starts_with("timing.") => SPAN_KEYS,
        path if path.contains(".other_keys.") => RING_KEYS,
        _ => NETWORK_KEYS,
    }
}

fn only_known(path: &str, object: &Map<String, Value>, known: &[&str]) -> Result<(), ConfigError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(ConfigError::unknown(path, key, known)),
        None => Ok(()),
    }
}

/// Puts keys where passwords stand, in a tree that passed [`check_keys`]; returns the names of those networks.
pub(super) fn replace_passwords(value: &mut Value) -> Result<Vec<String>, ConfigError> {
    let mut replaced = Vec::new();
    let Some(Value::Array(networks)) = value.get_mut("networks") else { return Ok(replaced) };
    for (index, network) in networks.iter_mut().enumerate() {
        let Some(network) = network.as_object_mut() else { continue };
        let Some(password) = network.remove(PASSWORD) else { continue };
        let name = network.get("network_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let password = match password {
            Value::String(password) if !password.is_empty() => zeroize::Zeroizing::new(password),
            _ => {
                let key = format!("networks.{index}.{PASSWORD}");
                return Err(ConfigError::value(key, "is not a text of at least one letter", ""));
            }
        };
        // Deriving takes a while: not for a name that is refused anyway.
        if check_name(&name) {
            let key = Secret::derive(&name, password.as_bytes());
            network.insert("network_key".to_owned(), Value::String(secret::hex(&key).to_string()));
            replaced.push(name);
        } else {
            network.insert("network_key".to_owned(), Value::String("0".repeat(64)));
        }
    }
    Ok(replaced)
}

/// Whether a password or a key is in it.
fn has_secret(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(has_secret),
        Value::Object(object) => object.iter().any(|(key, value)| key == PASSWORD || key == KEY || has_secret(value)),
        _ => false,
    }
}

/// Puts `new` where `path` says. One behind the end of a list appends to it.
pub(super) fn set(root: &mut Value, path: &str, new: Value) -> Result<(), ConfigError> {
    let mut at = root;
    let mut done = String::new();
    if path.ends_with(PASSWORD) || path.ends_with(KEY) || has_secret(&new) {
        let hint = "run `gossip-node init` or `gossip-node keys add`, which ask for it";
        return Err(ConfigError::value(path, "would show a password or key to all who list processes", hint));
    }
    for segment in path.split('.') {
        at = match at {
            Value::Object(object) => {
                let known = known_below(&done);
                if !known.contains(&segment) {
                    return Err(ConfigError::unknown(&done, segment, known));
                }
                object.entry(segment).or_insert_with(|| match (done.as_str(), segment) {
                    ("", "timing" | "http") => Value::Object(Map::new()),
                    ("timing", segment) if SPANS.contains(&segment) => Value::Object(Map::new()),
                    ("http", "hosts") => Value::Array(Vec::new()),
                    _ => Value::Null,
                })
            }
            Value::Array(list) => {
                let len = list.len();
                let hint = format!("say a number from 0 to {len}");
                match segment.parse::<usize>() {
                    Ok(index) if index == len => list.push(Value::Object(Map::new())),
                    Ok(index) if index < len => (),
                    _ => return Err(ConfigError::value(format!("{done}.{segment}"), "is not in the list", hint)),
                }
                let index = segment.parse().unwrap_or(len);
                &mut list[index]
            }
            _ => return Err(ConfigError::value(done, "has no keys below it", "")),
        };
        done = if done.is_empty() { segment.to_owned() } else { format!("{done}.{segment}") };
    }
    *at = new;
    Ok(())
}
