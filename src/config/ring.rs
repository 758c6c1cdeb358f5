//! [`Network`]: one network to be in, with the ring of its keys as the file has it: the one that seals stands where a
//! network's only key stands, others beside it.

use super::error::ConfigError;
use super::fields;
use super::{ServerFile, check_as_name};
use crate::proto::keyring::Keyring;
use crate::proto::limits::KEYS;
use crate::proto::seal::{KeyId, NetworkKey, Secret};
use crate::proto::time::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// A network with one key.
    pub fn new(network_name: impl Into<String>, network_key: Secret) -> Network {
        Network { network_name: network_name.into(), network_key, added: None, other_keys: Vec::new() }
    }

    /// All its keys, the one that seals first.
    pub fn ring(&self) -> impl Iterator<Item = RingKey> {
        let primary = RingKey { network_key: self.network_key.clone(), added: self.added };
        std::iter::once(primary).chain(self.other_keys.iter().cloned())
    }

    /// Makes these all its keys, the first the one that seals; nothing happens where there are none.
    pub fn set_ring(&mut self, ring: impl IntoIterator<Item = RingKey>) {
        let mut ring = ring.into_iter();
        if let Some(RingKey { network_key, added }) = ring.next() {
            (self.network_key, self.added) = (network_key, added);
            self.other_keys = ring.collect();
        }
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
