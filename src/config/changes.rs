//! [`Change`]: what differs between two configurations, key by key, and which of that a running daemon can take up.

use super::{HttpFile, Network, ServerFile};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of which a change holds at once; `timing` with all below it.
const AT_ONCE: [&str; 8] =
    ["gossip_timer", "gossip_max_peer_count", "peer_select_type", "profile", "timing", "seeds", "http.hosts", "log"];

/// A key with two values.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key, dotted.
    pub key: String,
    /// Its value in the one; null if it says nothing of it.
    pub from: Value,
    /// Its value in the other.
    pub to: Value,
}

/// Whether a change of this key holds only after a restart.
pub fn needs_restart(key: &str) -> bool {
    let is_below = |of: &&str| key.strip_prefix(*of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    !AT_ONCE.iter().any(is_below)
}

impl ServerFile {
    /// All in which `other` differs. No key of a network is in it: that one is another is said beside its name.
    pub fn changes(&self, other: &ServerFile) -> Vec<Change> {
        let (ours, theirs) = (self.by_key(), other.by_key());
        let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
        let value = |of: &BTreeMap<String, Value>, key: &String| of.get(key).cloned().unwrap_or(Value::Null);
        let all = keys.map(|key| Change { key: key.clone(), from: value(&ours, key), to: value(&theirs, key) });
        let mut changes: Vec<Change> = all.filter(|change| change.from != change.to).collect();
        if self.networks != other.networks {
            let named = |network: &Network| {
                let before = self.networks.iter().find(|before| before.network_name == network.network_name);
                let how = match before {
                    Some(before) if before.network_key != network.network_key => " (with another key)",
                    Some(before) if before != network => " (changed)",
                    _ => "",
                };
                Value::String(format!("{}{how}", network.network_name))
            };
            let (from, to) = (self.networks.iter().map(named).collect(), other.networks.iter().map(named).collect());
            changes.push(Change { key: "networks".to_owned(), from, to });
        }
        changes
    }

    /// The same with all of `next` that holds at once.
    pub fn adopt(&self, next: &ServerFile) -> ServerFile {
        ServerFile {
            gossip_timer: next.gossip_timer,
            gossip_max_peer_count: next.gossip_max_peer_count,
            peer_select_type: next.peer_select_type,
            profile: next.profile,
            timing: next.timing.clone(),
            seeds: next.seeds.clone(),
            http: HttpFile { hosts: next.http.hosts.clone(), ..self.http.clone() },
            log: next.log.clone(),
            ..self.clone()
        }
    }

    /// Values by dotted key, where a list is one value; without networks.
    fn by_key(&self) -> BTreeMap<String, Value> {
        let mut values = BTreeMap::new();
        let file = ServerFile { networks: Vec::new(), ..self.clone() };
        collect("", serde_json::to_value(file).expect("a ServerFile has string keys only"), &mut values);
        values
    }
}

fn collect(key: &str, value: Value, values: &mut BTreeMap<String, Value>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Object(object) => object.into_iter().for_each(|(name, value)| collect(&below(&name), value, values)),
        Value::Null => {}
        value => drop(values.insert(key.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::Guid;
    use crate::proto::seal::Secret;
    use std::time::Duration;

    fn file() -> ServerFile {
        let mut file = ServerFile::new(Guid([7; 16]), "nas");
        file.networks.push(Network::new("home", Secret([0xAB; 32])));
        file
    }

    #[test]
    fn changes_are_told_by_key_and_never_show_a_secret() {
        let (old, mut new) = (file(), file());
        assert_eq!(old.changes(&new), []);
        new.gossip_timer = Duration::from_millis(500);
        new.seeds.push("a:1".into());
        new.timing.suspicion = Some(Duration::from_secs(3));
        new.http.hosts.push("nas.lan".into());
        new.port = 7000;
        new.networks[0].network_key = Secret([0xCD; 32]);
        let changes = old.changes(&new);
        let of = |key: &str| {
            let change =
                changes.iter().find(|change| change.key == key).unwrap_or_else(|| panic!("{key}: {changes:?}"));
            (change.from.to_string(), change.to.to_string(), needs_restart(key))
        };
        for (key, from, to, restart) in [
            ("gossip_timer", "\"1s\"", "\"500ms\"", false),
            ("seeds", "[]", "[\"a:1\"]", false),
            ("timing.suspicion", "null", "\"3s\"", false),
            ("http.hosts", "null", "[\"nas.lan\"]", false),
            ("port", "6884", "7000", true),
            ("networks", "[\"home\"]", "[\"home (with another key)\"]", true),
        ] {
            assert_eq!(of(key), (from.to_owned(), to.to_owned(), restart), "{key}");
        }
        assert_eq!(changes.len(), 6);
        assert!(!format!("{changes:?}").to_lowercase().contains("cdcd"));
    }

    #[test]
    fn what_is_adopted_is_what_needs_no_restart() {
        let mut new = ServerFile::new(Guid([8; 16]), "desk");
        for (key, value) in [
            ("ip", "192.0.2.1"),
            ("port", "1"),
            ("discovery", "false"),
            ("discovery_port", "2"),
            ("gossip_timer", "2s"),
            ("gossip_max_peer_count", "6"),
            ("peer_select_type", "random"),
            ("max_datagram", "1400"),
            ("profile", "fast"),
            ("timing.grace", "6ms"),
            ("http.listen", "off"),
            ("http.hosts", "[\"nas.lan\"]"),
            ("seeds", "[\"a:1\"]"),
            ("log", "debug"),
        ] {
            new.set(key, value).unwrap();
        }
        let (old, adopted) = (file(), file().adopt(&new));
        let differs = |from: &ServerFile, to: &ServerFile| -> Vec<String> {
            from.changes(to).into_iter().map(|change| change.key).collect()
        };
        let (taken, left) = (differs(&old, &adopted), differs(&adopted, &new));
        assert!(taken.iter().all(|key| !needs_restart(key)), "{taken:?}");
        assert!(left.iter().all(|key| needs_restart(key)), "{left:?}");
        // Each key is on one side.
        assert_eq!((taken.len(), left.len()), (8, 9), "{taken:?} {left:?}");
        assert!(needs_restart("seedsman") && needs_restart("http.listen") && !needs_restart("timing.table_age.most"));
    }
}
