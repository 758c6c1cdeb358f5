//! [`Shown`]: what holds of all that can be set, each with where it comes from; never a secret.

use super::fields::show_duration;
use super::{HttpFile, ServerFile};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is shown instead of a key.
const SECRET: &str = "(secret)";

/// One value that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its key, dotted.
    pub key: String,
    /// It.
    pub value: Value,
    /// `default`, `file` or `profile`.
    pub origin: &'static str,
}

impl ServerFile {
    /// All values, in the order of the file, where `said` are the keys that the file has.
    pub fn shown(&self, said: &BTreeSet<String>) -> Vec<Shown> {
        let mut tree = serde_json::to_value(self).expect("a ServerFile has string keys only");
        if let Value::Object(top) = &mut tree {
            top.insert("timing".to_owned(), self.shown_timing());
            top.entry("discovery").or_insert(Value::Bool(self.discovers()));
            top.entry("log").or_insert(Value::String("info".to_owned()));
            for network in top.get_mut("networks").and_then(Value::as_array_mut).into_iter().flatten() {
                for key in ["max_age", "origin_timeout"] {
                    network.as_object_mut().map(|network| network.entry(key).or_insert(Value::Null));
                }
            }
            let listen = Value::String(HttpFile::DEFAULT.to_string());
            let http = top.entry("http").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(http) = http {
                http.entry("listen").or_insert(listen);
                http.entry("hosts").or_insert_with(|| Value::Array(Vec::new()));
            }
        }
        let mut shown = Vec::new();
        leaves("", &tree, &mut |key, value| {
            let value = if key.ends_with(".network_key") { Value::String(SECRET.to_owned()) } else { value.clone() };
            let origin = if said.contains(key) {
                "file"
            } else if key.starts_with("timing.") {
                "profile"
            } else {
                "default"
            };
            shown.push(Shown { key: key.to_owned(), value, origin });
        });
        shown
    }

    fn shown_timing(&self) -> Value {
        let timing = self.timing.timing(self.profile, self.gossip_timer);
        let span = |span: Duration| Value::String(show_duration(span));
        let both =
            |(least, most): (Duration, Duration)| serde_json::json!({ "least": span(least), "most": span(most) });
        serde_json::json!({
            "probe_period": span(timing.probe_period),
            "probe_timeout": both(timing.probe_timeout),
            "suspicion": span(timing.suspicion),
            "suspicion_most": timing.suspicion_most,
            "update_gap": span(timing.update_gap),
            "record_gap": span(timing.record_gap),
            "heard_gap": span(timing.heard_gap),
            "announce": span(timing.announce),
            "grace": span(timing.grace),
            "rumor_timeout": span(timing.rumor_timeout),
            "table_age": both(timing.table_age),
        })
    }
}

/// The dotted keys of all values in a file.
pub(super) fn keys(file: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    leaves("", file, &mut |key, value| {
        // Saying nothing of it is not saying it.
        if !value.is_null() {
            keys.insert(key.to_owned());
        }
    });
    keys
}

/// All values that have no others below them.
fn leaves(key: &str, value: &Value, each: &mut impl FnMut(&str, &Value)) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| leaves(&below(name), value, each)),
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(index, value)| leaves(&below(&index.to_string()), value, each));
        }
        leaf => each(key, leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use crate::proto::gossip::Guid;
    use crate::proto::seal::Secret;

    #[test]
    fn every_value_says_where_it_comes_from_and_no_key_is_shown() {
        let mut file = ServerFile::new(Guid([7; 16]), "nas");
        file.networks.push(Network::new("home", Secret([0xAB; 32])));
        file.timing.suspicion = Some(Duration::from_millis(1500));
        let text = r#"{"node_name":"nas","seeds":[],"timing":{"suspicion":"1500ms","grace":null},"networks":[{"network_name":"home"}]}"#;
        let shown = file.shown(&keys(&serde_json::from_str(text).unwrap()));
        let of = |key: &str| {
            let found = shown.iter().find(|shown| shown.key == key).unwrap_or_else(|| panic!("no {key}: {shown:?}"));
            (found.value.to_string(), found.origin)
        };
        for (key, value, origin) in [
            ("node_name", "\"nas\"", "file"),
            ("seeds", "[]", "file"),
            ("port", "6884", "default"),
            ("gossip_timer", "\"1s\"", "default"),
            ("timing.suspicion", "\"1500ms\"", "file"),
            ("timing.grace", "\"5ms\"", "profile"),
            ("timing.probe_timeout.most", "\"300ms\"", "profile"),
            ("http.listen", "\"127.0.0.1:8684\"", "default"),
            ("discovery", "true", "default"),
            ("log", "\"info\"", "default"),
            ("networks.0.max_age", "null", "default"),
            ("networks.0.network_name", "\"home\"", "file"),
            ("networks.0.network_key", "\"(secret)\"", "default"),
        ] {
            assert_eq!(of(key), (value.to_owned(), origin), "{key}");
        }
        assert!(!format!("{shown:?}").contains("abab"));
    }
}
