//! [`Beacon`]: what a node says to all of its link, so that others of its network find it, and [`BeaconKey`], which makes
//! its bytes and reads them. What a beacon sets off is for [`Beacons`]; who is on a link is for the shell to say.
//!
//! [`proto`](crate::proto) has the layout. Tag and cipher are a *synthetic IV*
//! (Rogaway and Shrimpton, EUROCRYPT 2006): no two beacons say the same, so to those who lack the key each is 50 random
//! bytes, and nothing in them ties it to another one, to a node, or to a network. Only who knows a network's name sees
//! that a beacon is of a network of that name (and who guesses it sees that the guess was right), so that people hear of
//! a neighbour whose password is another one.

mod answers;
mod beacons;
mod heard;
mod namesakes;
mod rule;
mod schedule;

pub use answers::Answers;
pub use beacons::{Beacons, Ignored, Standing};
pub use namesakes::Namesake;

use crate::proto::gossip::Guid;
use crate::proto::limits::BEACON_SIZE;
use crate::proto::seal::{PROTOCOL_VERSION, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

const MAGIC: u8 = 0x62;
const HEAD: usize = 2;
const TAG: usize = 16;
const SAID: usize = 30;
const NAME_TAG: usize = 4;
const _: () = assert!(HEAD + TAG + SAID + NAME_TAG == BEACON_SIZE && SAID <= 32, "one block enciphers what is said");

/// A node that can be registered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Who it is.
    pub guid: Guid,
    /// Orders its runs: greater is later.
    pub epoch: u64,
    /// Orders the beacons of one run.
    pub counter: u32,
    /// The UDP port that it receives at, on the address that the beacon came from.
    pub port: u16,
}

/// What a datagram is that is no beacon of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// No beacon at all.
    Malformed,
    /// One of a version that we do not speak.
    Version,
    /// One of another network, or damaged on its way.
    Foreign,
    /// One of a network with the name of ours and another password.
    Namesake,
}

/// The keys of one network's beacons.
#[derive(Clone)]
pub struct BeaconKey {
    mac: Hmac<Sha256>,
    cipher: Hmac<Sha256>,
    name: Hmac<Sha256>,
}

impl fmt::Debug for BeaconKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeaconKey(..)")
    }
}

impl BeaconKey {
    /// Separates the keys from the network's secret, as [`NetworkKey`](crate::proto::seal::NetworkKey) does with its own.
    pub fn new(secret: &Secret, network_name: &str) -> BeaconKey {
        let name = Sha256::new().chain_update(b"gossip-node/1 name tag\0").chain_update(network_name).finalize();
        BeaconKey { mac: secret.keyed("beacon mac"), cipher: secret.keyed("beacon cipher"), name: hmac(&name) }
    }

    /// A beacon's bytes.
    pub(crate) fn seal(&self, beacon: &Beacon) -> [u8; BEACON_SIZE] {
        let mut said = [0; SAID];
        said[..16].copy_from_slice(&beacon.guid.0);
        said[16..24].copy_from_slice(&beacon.epoch.to_le_bytes());
        said[24..28].copy_from_slice(&beacon.counter.to_le_bytes());
        said[28..].copy_from_slice(&beacon.port.to_le_bytes());
        let mut bytes = [0; BEACON_SIZE];
        let (signed, name_tag) = bytes.split_at_mut(HEAD + TAG + SAID);
        signed[..HEAD].copy_from_slice(&[MAGIC, PROTOCOL_VERSION]);
        let tag = self.tag(&said).finalize().into_bytes();
        signed[HEAD..HEAD + TAG].copy_from_slice(&tag[..TAG]);
        self.encipher(&tag[..TAG], &mut said);
        signed[HEAD + TAG..].copy_from_slice(&said);
        name_tag.copy_from_slice(&self.name.clone().chain_update(&*signed).finalize().into_bytes()[..NAME_TAG]);
        bytes
    }

    /// Reads one, if it is of this network.
    pub(crate) fn open(&self, datagram: &[u8]) -> Result<Beacon, Unread> {
        match datagram {
            [MAGIC, PROTOCOL_VERSION, ..] => {}
            [MAGIC, ..] => return Err(Unread::Version),
            _ => return Err(Unread::Malformed),
        }
        let Some((signed, name_tag)) = datagram.split_last_chunk::<NAME_TAG>() else { return Err(Unread::Malformed) };
        let Some((rest, said)) = signed.split_last_chunk::<SAID>() else { return Err(Unread::Malformed) };
        let Some((_, tag)) = rest.split_at_checked(HEAD).filter(|(_, tag)| tag.len() == TAG) else {
            return Err(Unread::Malformed);
        };
        let mut said = *said;
        self.encipher(tag, &mut said);
        if self.tag(&said).verify_truncated_left(tag).is_ok() {
            return Ok(Beacon::read(&said));
        }
        let namesake = self.name.clone().chain_update(signed).verify_truncated_left(name_tag).is_ok();
        Err(if namesake { Unread::Namesake } else { Unread::Foreign })
    }

    fn tag(&self, said: &[u8; SAID]) -> Hmac<Sha256> {
        self.mac.clone().chain_update([MAGIC, PROTOCOL_VERSION]).chain_update(said)
    }

    /// Enciphers, and deciphers.
    fn encipher(&self, tag: &[u8], said: &mut [u8; SAID]) {
        let stream = self.cipher.clone().chain_update(tag).finalize().into_bytes();
        said.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
}

impl Beacon {
    fn read(said: &[u8; SAID]) -> Beacon {
        let mut rest = said.as_slice();
        Beacon {
            guid: Guid(take(&mut rest)),
            epoch: u64::from_le_bytes(take(&mut rest)),
            counter: u32::from_le_bytes(take(&mut rest)),
            port: u16::from_le_bytes(take(&mut rest)),
        }
    }
}

/// The next bytes of what is said, whose length is known.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, more) = rest.split_first_chunk::<N>().expect("fields within a fixed length");
    *rest = more;
    *taken
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests;
