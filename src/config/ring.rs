//! [`Network`]: one network to be in, with the ring of its keys as the file has it: the one that seals stands where a
//! network's only key stands, others beside it.

use super::error::ConfigError;
use super::fields;
use super::{ServerFile, check_as_name};
use crate::proto::decree::Terms;
use crate::proto::keyring::{KeyError, Keyring};
use crate::proto::limits::KEYS;
use crate::proto::seal::{KeyId, NetworkKey, Secret};
use crate::proto::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One network to be in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// NETWORK_NAME.
    pub network_name: String,
    /// What name and password became (see [`Secret::derive`]); 64 hex digits in the file.
    #[serde(with = "fields::secret")]
    pub network_key: Secret,
    /// When that key came into the ring, if that is known.
    #[serde(default, with = "fields::some_date", skip_serializing_if = "Option::is_none")]
    pub added: Option<Timestamp>,
    /// Keys that are accepted beside it, while the password changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_keys: Vec<RingKey>,
    /// What `max_age` of the network's settings is to be where nobody has set them yet.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "fields::some_duration")]
    pub max_age: Option<Duration>,
    /// The same of `origin_timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "fields::some_duration")]
    pub origin_timeout: Option<Duration>,
}

/// A key of a network's ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingKey {
    /// It.
    #[serde(with = "fields::secret")]
    pub network_key: Secret,
    /// When it came into the ring, if that is known.
    #[serde(default, with = "fields::some_date", skip_serializing_if = "Option::is_none")]
    pub added: Option<Timestamp>,
}

impl RingKey {
    /// Its name.
    pub fn key_id(&self) -> KeyId {
        NetworkKey::new(&self.network_key).key_id()
    }
}

impl Network {
    /// A network with one key, and nothing else said.
    pub fn new(network_name: impl Into<String>, network_key: Secret) -> Network {
        let (added, other_keys, max_age, origin_timeout) = Default::default();
        Network { network_name: network_name.into(), network_key, added, other_keys, max_age, origin_timeout }
    }

    /// What the network's settings are to be where nobody has set them yet.
    pub fn terms(&self) -> Terms {
        Terms { max_age: self.max_age, origin_timeout: self.origin_timeout }
    }

    /// All its keys, the one that seals first.
    pub fn ring(&self) -> impl Iterator<Item = RingKey> {
        let primary = RingKey { network_key: self.network_key.clone(), added: self.added };
        std::iter::once(primary).chain(self.other_keys.iter().cloned())
    }

    /// Makes these all its keys, the first the one that seals; nothing happens where there are none.
    fn set_ring(&mut self, ring: impl IntoIterator<Item = RingKey>) {
        let mut ring = ring.into_iter();
        if let Some(RingKey { network_key, added }) = ring.next() {
            (self.network_key, self.added) = (network_key, added);
            self.other_keys = ring.collect();
        }
    }

    /// Accepts another key.
    pub fn add_key(&mut self, key: RingKey) -> Result<(), KeyError> {
        if self.ring().any(|other| other.key_id() == key.key_id()) {
            return Err(KeyError::Known);
        }
        if self.other_keys.len() + 1 >= KEYS {
            return Err(KeyError::Full);
        }
        self.other_keys.push(key);
        Ok(())
    }

    /// Makes a key of the ring the one that seals.
    pub fn use_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        let mut ring: Vec<RingKey> = self.ring().collect();
        let at = ring.iter().position(|other| other.key_id() == key).ok_or(KeyError::Unknown)?;
        ring.swap(0, at);
        self.set_ring(ring);
        Ok(())
    }

    /// Accepts a key no longer.
    pub fn remove_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        if NetworkKey::new(&self.network_key).key_id() == key {
            return Err(KeyError::Primary);
        }
        let before = self.other_keys.len();
        self.other_keys.retain(|other| other.key_id() != key);
        if self.other_keys.len() < before { Ok(()) } else { Err(KeyError::Unknown) }
    }

    /// What opens and seals its datagrams.
    pub fn keyring(&self) -> Keyring {
        let mut keys = Keyring::from(NetworkKey::new(&self.network_key));
        for key in &self.other_keys {
            // What is too much, or there already, was refused when the file was checked.
            let _ = keys.add(NetworkKey::new(&key.network_key));
        }
        keys
    }
}

/// What types alone do not say of networks.
pub(super) fn check(networks: &[Network]) -> Result<(), ConfigError> {
    let mut ids: Vec<(KeyId, usize)> = Vec::new();
    for (index, network) in networks.iter().enumerate() {
        let key = format!("networks.{index}.network_name");
        check_as_name(&key, &network.network_name)?;
        if networks[..index].iter().any(|other| other.network_name == network.network_name) {
            let problem = format!("is {:?}, like an earlier network", network.network_name);
            return Err(ConfigError::value(key, problem, "give each network its own name"));
        }
        let key = format!("networks.{index}");
        if network.other_keys.len() >= KEYS {
            let problem = format!("has {} keys", network.other_keys.len() + 1);
            return Err(ConfigError::value(key, problem, format!("at most {KEYS} are possible")));
        }
        for id in network.ring().map(|key| key.key_id()) {
            match ids.iter().find(|(other, _)| *other == id) {
                None => ids.push((id, index)),
                Some((_, other)) if *other == index => {
                    return Err(ConfigError::value(key, "has a key twice", "remove one of them"));
                }
                Some((_, other)) => {
                    let problem = format!("has a key of networks.{other}");
                    return Err(ConfigError::value(
                        key,
                        problem,
                        "each network has its own: `gossip-node network add`",
                    ));
                }
            }
        }
    }
    Ok(())
}

impl ServerFile {
    /// The network of this name.
    pub fn network_mut(&mut self, name: &str) -> Option<&mut Network> {
        self.networks.iter_mut().find(|network| network.network_name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::Guid;

    fn key(n: u8) -> RingKey {
        RingKey { network_key: Secret([n; 32]), added: Some(Timestamp(1_700_000_000_000_000)) }
    }

    fn file(networks: Vec<Network>) -> ServerFile {
        ServerFile { networks, ..ServerFile::new(Guid([7; 16]), "nas") }
    }

    #[test]
    fn a_ring_is_written_beside_the_key_that_seals_and_reads_back() {
        let mut network = Network::new("home", Secret([1; 32]));
        let text = serde_json::to_string(&network).unwrap();
        assert!(!text.contains("other_keys") && !text.contains("added"), "one key is written as ever: {text}");
        network.add_key(key(2)).unwrap();
        network.use_key(key(2).key_id()).unwrap();
        assert_eq!(network.ring().map(|key| key.network_key.0[0]).collect::<Vec<u8>>(), [2, 1]);
        assert_eq!(network.keyring().primary().key_id(), key(2).key_id());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.json");
        file(vec![network.clone()]).save(&path).unwrap();
        assert_eq!(ServerFile::load(&path).unwrap().file.networks, [network]);
        let removed = ServerFile::amend(&path, |file| {
            file.network_mut("home").unwrap().remove_key(key(1).key_id()).map_err(|error| error.to_string())?;
            Ok::<(), Box<dyn std::error::Error>>(())
        });
        removed.unwrap();
        let kept = ServerFile::load(&path).unwrap().file.networks.remove(0);
        assert_eq!((kept.ring().count(), kept.network_key.0[0]), (1, 2));
    }

    #[test]
    fn the_file_keeps_the_rules_of_a_ring() {
        let mut network = Network::new("home", Secret([0; 32]));
        (1..KEYS).for_each(|n| network.add_key(key(n as u8)).unwrap());
        assert_eq!(network.add_key(key(9)), Err(KeyError::Full));
        assert_eq!(network.add_key(key(1)), Err(KeyError::Known));
        assert_eq!(network.remove_key(key(0).key_id()), Err(KeyError::Primary));
        assert_eq!(network.remove_key(key(9).key_id()), Err(KeyError::Unknown));
        assert_eq!(network.use_key(key(9).key_id()), Err(KeyError::Unknown));
        file(vec![network.clone()]).check().unwrap();
        let full = Network { other_keys: vec![key(1), key(2), key(3), key(4)], ..network.clone() };
        let twice = Network { other_keys: vec![key(0)], ..network.clone() };
        let shared = Network::new("work", Secret([1; 32]));
        for networks in [vec![full], vec![twice], vec![network, shared]] {
            let error = file(networks).check().unwrap_err().to_string();
            assert!(error.contains("networks."), "{error}");
        }
    }

    #[test]
    fn no_error_about_a_ring_shows_a_key() {
        let secret = "5".repeat(64);
        let start = r#"{"node_guid":"07070707-0707-0707-0707-070707070707","node_name":"nas","networks":[{"network_name":"home","#;
        for ring in [
            format!(r#""network_key":"{secret}","other_keys":"{secret}""#),
            format!(r#""network_key":"{secret}","other_keys":["{secret}"]"#),
            format!(r#""network_key":"{secret}","other_keys":[{{"network_key":"{secret}5"}}]"#),
            format!(r#""network_key":"{secret}","other_keys":[{{"network_key":"{secret}"}}]"#),
            format!(r#""network_key":"{secret}","other_keys":[{{"network_key":5555555555}}]"#),
            format!(r#""network_key":"{secret}","other_keys":[{{"netwrk_key":"{secret}"}}]"#),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("server.json");
            let text = format!("{start}{ring}}}]}}");
            super::super::private::write(&path, &text).unwrap();
            let error = ServerFile::load(&path).unwrap_err().to_string();
            assert!(!error.contains("55555") && error.contains("networks.0"), "{error}");
        }
    }
}
