//! How a node's keys change while it runs: a key is accepted, then used, then accepted no longer. What is said and compared
//! under a key needs the ledger's sketch under it, which is built in the background first.

use super::{Node, To};
use crate::proto::gossip::Guid;
use crate::proto::keyring::{KeyError, Keyring};
use crate::proto::seal::{KeyId, NetworkKey};
use crate::proto::time::Tick;
use std::time::Duration;

/// Between two steps of a sketch: the node's time is for others in between.
const PAUSE: Duration = Duration::from_millis(1);

impl To {
    pub(super) fn peer(peer: Guid, key: Option<KeyId>) -> To {
        key.map_or(To::Peer(peer), |key| To::Under(key, peer))
    }

    /// What seals it; none where it was for a key that is gone.
    pub(super) fn key<'a>(&self, keys: &'a Keyring) -> Option<&'a NetworkKey> {
        match self {
            To::Under(key, _) => keys.key(*key),
            To::Peer(_) | To::Stranger(..) => Some(keys.primary()),
        }
    }
}

impl Node {
    /// Accepts another key: what is sealed with it opens from now on.
    pub fn add_key(&mut self, now: Tick, key: &NetworkKey) -> Result<(), KeyError> {
        self.settings.keys.add(key.clone())?;
        self.ledger.begin(key);
        self.next_build = now;
        Ok(())
    }

    /// Seals with a key of the ring, from when its sketch is whole on; whether it is, [`Keyring::primary`] tells.
    pub fn use_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        if !self.settings.keys.contains(key) {
            return Err(KeyError::Unknown);
        }
        self.next_key = Some(key);
        self.change_primary();
        Ok(())
    }

    /// Accepts a key no longer.
    pub fn remove_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        self.settings.keys.remove(key)?;
        self.next_key = self.next_key.filter(|next| *next != key);
        self.ledger.drop_key(key);
        self.repairs.forget_key(key);
        Ok(())
    }

    pub(super) fn build_sketches(&mut self, now: Tick) {
        if self.next_build <= now && self.ledger.build() {
            self.next_build = now + PAUSE;
            self.change_primary();
        }
    }

    pub(super) fn next_step(&self) -> Tick {
        if self.ledger.is_building() { self.next_build } else { Tick::NEVER }
    }

    fn change_primary(&mut self) {
        let Some(next) = self.next_key.filter(|&next| self.ledger.sketch_under(next).is_some()) else { return };
        let last = self.settings.keys.primary().key_id();
        self.next_key = None;
        // A ring that has a sketch under the key has the key.
        if next == last || self.settings.keys.prefer(next).is_err() {
            return;
        }
        self.ledger.prefer(next);
        // What waits to be sent may speak of our set, in the words of the key that was the primary when it was made.
        for (to, _) in &mut self.outbox {
            if let To::Peer(peer) = *to {
                *to = To::Under(last, peer);
            }
        }
    }
}
