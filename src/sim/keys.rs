//! Keys change in a simulated network as they do on real hosts: what a host was told is on its disk first, then its node,
//! where it runs, is told the same.

use super::Network;
use crate::proto::keyring::{KeyError, Keyring};
use crate::proto::seal::{KeyId, NetworkKey, Secret};
use sha2::{Digest, Sha256};

impl Network {
    /// The key that this password becomes here. Argon2 is for people's passwords; here it would only take time.
    pub fn key_of(password: &str) -> NetworkKey {
        NetworkKey::new(&Secret(Sha256::digest(password).into()))
    }

    /// Has a host accept what is sealed with this password's key.
    pub fn add_key(&mut self, node: usize, password: &str) -> Result<(), KeyError> {
        let key = Network::key_of(password);
        self.hosts[node].settings.keys.add(key.clone())?;
        self.touch(node, |node, now| node.add_key(now, &key).expect("disk and node have the same ring"));
        Ok(())
    }

    /// Has a host seal with it.
    pub fn use_key(&mut self, node: usize, password: &str) -> Result<(), KeyError> {
        let key = Network::key_of(password).key_id();
        self.hosts[node].settings.keys.prefer(key)?;
        self.touch(node, |node, _| node.use_key(key).expect("disk and node have the same ring"));
        Ok(())
    }

    /// Has a host accept it no longer, unless it seals with it.
    pub fn remove_key(&mut self, node: usize, password: &str) -> Result<(), KeyError> {
        let key = Network::key_of(password).key_id();
        let mut removed = Ok(());
        // It may still be sealing with it, while a sketch is built for the next.
        self.touch(node, |node, _| removed = node.remove_key(key));
        removed.and_then(|()| self.hosts[node].settings.keys.remove(key))
    }

    /// The keys that a host has: those of its node where it runs.
    pub fn keys(&self, node: usize) -> &Keyring {
        let host = &self.hosts[node];
        host.node.as_ref().map_or(&host.settings.keys, |node| &node.settings().keys)
    }

    /// The key that a running node seals with.
    pub fn primary(&self, node: usize) -> KeyId {
        self.node(node).settings().keys.primary().key_id()
    }
}
