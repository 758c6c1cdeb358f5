//! [`Versions`]: who seems to speak another version of the protocol in this network. A datagram of another version is
//! dropped before its tag is looked at, since nobody knows where another version has one: what is noted here is a hint
//! for people, which anybody who saw a datagram of the network could have forged, and decides nothing.

use crate::proto::keyring::Keyring;
use crate::proto::limits::VERSIONS;
use crate::proto::seal::{PROTOCOL_VERSION, claimed_key_id, claimed_version};
use crate::proto::time::Tick;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Who was not heard for so long makes room for another.
const STALE: Duration = Duration::from_secs(600);

/// Somebody who speaks another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its version.
    pub version: u8,
    /// When it was noted first, and heard last.
    pub since: Tick,
    /// See `since`.
    pub heard: Tick,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Versions {
    all: BTreeMap<SocketAddr, Foreign>,
}

impl Versions {
    /// A datagram was dropped since its version is not ours. Noted if it names a key of our network.
    pub(super) fn note(&mut self, now: Tick, from: SocketAddr, datagram: &[u8], keys: &Keyring) {
        let Some(version) = claimed_version(datagram).filter(|&version| version != PROTOCOL_VERSION) else { return };
        if !claimed_key_id(datagram).is_some_and(|id| keys.contains(id)) {
            return;
        }
        if let Some(foreign) = self.all.get_mut(&from) {
            (foreign.version, foreign.heard) = (version, now);
            return;
        }
        if self.all.len() >= VERSIONS {
            self.all.retain(|_, foreign| now.since(foreign.heard) < STALE);
        }
        if self.all.len() < VERSIONS {
            self.all.insert(from, Foreign { version, since: now, heard: now });
        }
    }

    /// All of them that were heard lately.
    pub fn iter(&self, now: Tick) -> impl Iterator<Item = (SocketAddr, Foreign)> + '_ {
        let lately = self.all.iter().filter(move |(_, foreign)| now.since(foreign.heard) < STALE);
        lately.map(|(&addr, &foreign)| (addr, foreign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::seal::{NetworkKey, Secret};

    #[test]
    fn a_few_are_noted_and_the_stale_make_room() {
        let key = NetworkKey::new(&Secret([1; 32]));
        let mut datagram = vec![0x67, PROTOCOL_VERSION + 1, 1, 0];
        datagram.extend_from_slice(&key.key_id().0);
        let keys = Keyring::from(key);
        let mut versions = Versions::default();
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        (1..100).for_each(|port| versions.note(Tick(5), at(port), &datagram, &keys));
        assert_eq!(versions.iter(Tick(5)).count(), VERSIONS);
        versions.note(Tick(0) + STALE * 2, at(1000), &datagram, &keys);
        assert_eq!(versions.iter(Tick(0) + STALE * 2).map(|(addr, _)| addr).collect::<Vec<_>>(), [at(1000)]);
        let (mut ours, mut others) = (datagram.clone(), datagram);
        (ours[1], others[4]) = (PROTOCOL_VERSION, others[4] ^ 1);
        let mut versions = Versions::default();
        versions.note(Tick(5), at(1), &ours, &keys);
        versions.note(Tick(5), at(2), &others, &keys);
        assert_eq!(versions.iter(Tick(5)).count(), 0, "ours, and another network's");
    }
}
