//! [`Contacts`]: what a node knows of those peers with whom it talks, beyond what it knows of all. Bounded: the one that
//! was not talked with for longest goes, and its round-trip times are measured afresh when it is next met.

use super::offsets::Offsets;
use super::plain::Plain;
use super::quality::Quality;
use crate::proto::gossip::Guid;
#[cfg(not(test))]
use crate::proto::limits::CONTACTS;
use crate::proto::ring::place;
use crate::proto::rtt::Rtt;
use crate::proto::seal::KeyId;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::Claim;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Whoever was heard within this time of its place in the order of silence stays there: a datagram costs one look-up.
const REFILE: Duration = Duration::from_secs(1);

/// A peer with whom this node talks, or did before its last start.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    /// Changed by [`Contacts::open`] alone, which knows who is where.
    addr: Plain,
    pub(super) met: Option<Tick>,
    pub(super) heard: Option<Tick>,
    /// When the disk was last told of it.
    pub(super) kept: Option<Tick>,
    pub(super) remembered: Timestamp,
    /// How long it takes to answer; none where it only shook hands, as most of a large network's peers do.
    trips: Option<Box<Trips>>,
    pub(super) networks: Vec<Box<str>>,
    pub(super) state: Option<Claim>,
    /// Records older than this it does not hold.
    pub(super) horizon: Timestamp,
    /// The key that it seals with.
    pub(super) key: Option<KeyId>,
    /// The incarnation that it told us itself.
    pub(super) told: u32,
    /// The incarnation in which it counted as dead or gone before it was met again.
    pub(super) died: Option<u32>,
    /// How much comes from it.
    pub(super) quality: Quality,
    /// The second in which it was last heard, and its datagrams in it.
    pub(super) second: (u64, u32),
    filed: Tick,
    /// Where it stands on the ring.
    pub(super) place: u64,
    /// Where it stands among all.
    slot: usize,
}

/// What a peer's answers have shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trips {
    pub(super) rtt: Rtt,
    /// How its clock differs.
    pub(super) offsets: Offsets,
}

impl Contact {
    /// Where it is.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr.addr()
    }

    /// What its answers have shown so far.
    pub(super) fn trips(&self) -> Trips {
        self.trips.as_deref().copied().unwrap_or_default()
    }

    /// It answered after so long, and its clock was ahead of ours by so many microseconds.
    pub(super) fn answered(&mut self, took: Duration, ahead: i64) {
        let trips = self.trips.get_or_insert_default();
        trips.rtt.sample(took);
        trips.offsets.sample(ahead, took);
    }

    fn new(now: Tick, place: u64, addr: Plain, slot: usize) -> Contact {
        let (met, heard, kept, remembered, trips, networks, state, horizon, key) = Default::default();
        let (told, died, quality, second, filed) = (0, None, Quality::default(), (0, 0), now);
        Contact {
            addr,
            met,
            heard,
            kept,
            remembered,
            trips,
            networks,
            state,
            horizon,
            key,
            told,
            died,
            quality,
            second,
            filed,
            place,
            slot,
        }
    }
}

/// How many are kept.
#[cfg(not(test))]
fn most() -> usize {
    CONTACTS
}
#[cfg(test)]
use super::tests::most_contacts as most;

/// Contacts by GUID, each in a box: half of a B-tree's room is empty.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    contacts: BTreeMap<Guid, Box<Contact>>,
    silence: BTreeSet<(Tick, Guid)>,
    places: BTreeSet<(Plain, Guid)>,
    all: Vec<Guid>,
}

impl Contacts {
    pub(super) fn get(&self, guid: &Guid) -> Option<&Contact> {
        self.contacts.get(guid).map(Box::as_ref)
    }

    /// Where it is.
    pub(super) fn addr(&self, guid: &Guid) -> Option<SocketAddr> {
        self.get(guid).map(Contact::addr)
    }

    pub(super) fn get_mut(&mut self, guid: &Guid) -> Option<&mut Contact> {
        self.contacts.get_mut(guid).map(Box::as_mut)
    }

    /// The contact of this GUID, which is at this address; made where there is none.
    pub(super) fn open(&mut self, now: Tick, guid: Guid, addr: SocketAddr) -> &mut Contact {
        let addr = Plain::new(addr);
        if !self.contacts.contains_key(&guid) {
            if self.contacts.len() >= most()
                && let Some(&(_, silent)) = self.silence.first()
            {
                self.remove(&silent);
            }
            self.silence.insert((now, guid));
            self.places.insert((addr, guid));
            self.all.push(guid);
        }
        let last = self.all.len().saturating_sub(1);
        let contact =
            self.contacts.entry(guid).or_insert_with(|| Box::new(Contact::new(now, place(&guid), addr, last)));
        if contact.addr != addr {
            self.places.remove(&(contact.addr, guid));
            self.places.insert((addr, guid));
            contact.addr = addr;
        }
        contact
    }

    /// Who is at this address.
    pub(super) fn at(&self, addr: SocketAddr) -> impl Iterator<Item = Guid> {
        let addr = Plain::new(addr);
        self.places.range((addr, Guid([0; 16]))..=(addr, Guid([u8::MAX; 16]))).map(|&(_, guid)| guid)
    }

    /// It was heard: it goes to the end of the order of silence.
    pub(super) fn refile(&mut self, now: Tick, guid: &Guid) -> Option<&mut Contact> {
        let contact = self.contacts.get_mut(guid)?;
        if now.since(contact.filed) >= REFILE {
            self.silence.remove(&(contact.filed, *guid));
            self.silence.insert((now, *guid));
            contact.filed = now;
        }
        Some(contact)
    }

    pub(super) fn remove(&mut self, guid: &Guid) {
        if let Some(contact) = self.contacts.remove(guid) {
            self.silence.remove(&(contact.filed, *guid));
            self.places.remove(&(contact.addr, *guid));
            self.all.swap_remove(contact.slot);
            if let Some(moved) = self.all.get(contact.slot).and_then(|moved| self.contacts.get_mut(moved)) {
                moved.slot = contact.slot;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Guid, &Contact)> {
        self.contacts.iter().map(|(guid, contact)| (guid, contact.as_ref()))
    }

    /// All GUIDs, in no order: one drawn from them is as likely as any other.
    pub(super) fn all(&self) -> &[Guid] {
        &self.all
    }

    pub(super) fn check(&self) {
        assert!(self.contacts.len() <= most() && self.contacts.len() == self.silence.len());
        assert!(self.contacts.iter().all(|(guid, contact)| self.all.get(contact.slot) == Some(guid)));
        assert!(self.contacts.iter().all(|(guid, contact)| self.silence.contains(&(contact.filed, *guid))));
        assert!(self.places.len() == self.contacts.len());
        assert!(self.contacts.iter().all(|(guid, contact)| self.places.contains(&(contact.addr, *guid))));
    }
}
