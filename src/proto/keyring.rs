//! [`Keyring`]: the keys of one network. One of them, the primary, seals; all of them open. So a password is changed without
//! an outage: the new key is added everywhere, then used everywhere, then the old one is removed.
//!
//! Sessions go on across keys. What makes a datagram count once is its sender's session, its receiver's, and the counter
//! between the two; all three stand in the header that every key authenticates, and the replay window belongs to the
//! session and not to a key. So a datagram that was seen under one key is a replay under any, a counter is never given
//! twice whichever key seals, and a recording under a key that was removed is refused before anything else of it is read.

use crate::proto::limits::KEYS;
use crate::proto::seal::{KeyId, NetworkKey, Verified, claimed_key_id};
use crate::proto::stats::Rejected;

/// Why a ring was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is in the ring already.
    #[error("this key is in the ring already")]
    Known,
    /// There are [`KEYS`] of them.
    #[error("the ring is full: it holds at most {KEYS} keys")]
    Full,
    /// There is no such key.
    #[error("no such key is in the ring")]
    Unknown,
    /// It is the primary, without which nothing can be sealed.
    #[error("the key seals what this node sends")]
    Primary,
}

/// At most [`KEYS`] keys of one network, one of them the primary.
#[derive(Clone, Debug)]
pub struct Keyring {
    primary: NetworkKey,
    others: Vec<NetworkKey>,
}

impl From<NetworkKey> for Keyring {
    fn from(primary: NetworkKey) -> Keyring {
        Keyring { primary, others: Vec::new() }
    }
}

impl Keyring {
    /// The key that seals.
    pub fn primary(&self) -> &NetworkKey {
        &self.primary
    }

    /// All keys, the primary first.
    pub fn iter(&self) -> impl Iterator<Item = &NetworkKey> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    /// The key of this name.
    pub fn key(&self, id: KeyId) -> Option<&NetworkKey> {
        self.iter().find(|key| key.key_id() == id)
    }

    /// Whether a key of this name is in it.
    pub fn contains(&self, id: KeyId) -> bool {
        self.key(id).is_some()
    }

    /// Opens a datagram that any of the keys sealed.
    pub fn open<'a>(&self, datagram: &'a [u8]) -> Result<Verified<'a>, Rejected> {
        let claimed = claimed_key_id(datagram).and_then(|id| self.key(id));
        // Where it names none of ours, any key finds out what is wrong with it first.
        claimed.unwrap_or(&self.primary).open(datagram)
    }

    /// Accepts another key.
    pub fn add(&mut self, key: NetworkKey) -> Result<(), KeyError> {
        if self.contains(key.key_id()) {
            return Err(KeyError::Known);
        }
        if self.others.len() + 1 >= KEYS {
            return Err(KeyError::Full);
        }
        self.others.push(key);
        Ok(())
    }

    /// Makes a key the primary; the one before stays.
    pub fn prefer(&mut self, id: KeyId) -> Result<(), KeyError> {
        if id == self.primary.key_id() {
            return Ok(());
        }
        let key = self.others.iter_mut().find(|key| key.key_id() == id).ok_or(KeyError::Unknown)?;
        std::mem::swap(&mut self.primary, key);
        Ok(())
    }

    /// Accepts a key no longer.
    pub fn remove(&mut self, id: KeyId) -> Result<(), KeyError> {
        if id == self.primary.key_id() {
            return Err(KeyError::Primary);
        }
        let before = self.others.len();
        self.others.retain(|key| key.key_id() != id);
        if self.others.len() < before { Ok(()) } else { Err(KeyError::Unknown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::seal::{Header, Secret};
    use bytes::BytesMut;

    fn key(n: u8) -> NetworkKey {
        NetworkKey::new(&Secret([n; 32]))
    }

    fn sealed(key: &NetworkKey) -> BytesMut {
        let mut out = BytesMut::new();
        let header = Header { kind: 4, src_session: 5, dst_session: 6, counter: 7 };
        key.seal(&header, &mut out, |out| out.extend_from_slice(b"body"));
        out
    }

    #[test]
    fn every_key_of_the_ring_opens_until_it_is_removed_and_the_primary_never_is() {
        let (old, new) = (key(1), key(2));
        let mut ring = Keyring::from(old.clone());
        assert_eq!(ring.open(&sealed(&new)).unwrap_err(), Rejected::KeyId);
        ring.add(new.clone()).unwrap();
        assert_eq!(ring.add(new.clone()), Err(KeyError::Known));
        for sealer in [&old, &new] {
            assert_eq!(ring.open(&sealed(sealer)).unwrap().key(), sealer.key_id());
        }
        assert_eq!(ring.remove(old.key_id()), Err(KeyError::Primary));
        assert_eq!(ring.prefer(key(3).key_id()), Err(KeyError::Unknown));
        ring.prefer(new.key_id()).unwrap();
        ring.prefer(new.key_id()).unwrap();
        assert_eq!(ring.primary().key_id(), new.key_id());
        ring.open(&sealed(&old)).expect("it is still accepted");
        ring.remove(old.key_id()).unwrap();
        assert_eq!(ring.open(&sealed(&old)).unwrap_err(), Rejected::KeyId);
        assert_eq!(ring.remove(old.key_id()), Err(KeyError::Unknown));
        ring.open(&sealed(&new)).unwrap();
    }

    #[test]
    fn a_ring_is_bounded_and_damage_is_named_as_with_one_key() {
        let mut ring = Keyring::from(key(0));
        (1..KEYS).for_each(|n| ring.add(key(n as u8)).unwrap());
        assert_eq!(ring.add(key(9)), Err(KeyError::Full));
        assert_eq!(ring.iter().count(), KEYS);
        for n in 0..KEYS {
            let mut datagram = sealed(&key(n as u8));
            ring.open(&datagram).unwrap();
            datagram[40] ^= 1;
            assert_eq!(ring.open(&datagram).unwrap_err(), Rejected::Tag);
            datagram[0] ^= 1;
            assert_eq!(ring.open(&datagram).unwrap_err(), Rejected::Magic);
            assert_eq!(ring.open(&datagram[..5]).unwrap_err(), Rejected::Length);
        }
    }
}
