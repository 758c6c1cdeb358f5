//! [`Contacts`]: what a node knows of those peers with whom it talks, beyond what it knows of all. Bounded: the one that
//! was not talked with for longest goes, and its round-trip times are measured afresh when it is next met.

use crate::proto::gossip::Guid;
use crate::proto::limits::CONTACTS;
use crate::proto::rtt::Rtt;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::LedgerState;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

/// Whoever was heard within this time of its place in the order of silence stays there: a datagram costs one look-up.
const REFILE: Duration = Duration::from_secs(1);

/// A peer with whom this node talks, or did before its last start.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) addr: SocketAddr,
    pub(super) met: Option<Tick>,
    pub(super) heard: Option<Tick>,
    pub(super) remembered: Timestamp,
    pub(super) rtt: Rtt,
    pub(super) networks: Vec<Box<str>>,
    pub(super) state: Option<LedgerState>,
    /// The incarnation that it told us itself.
    pub(super) told: u32,
    /// The incarnation in which it counted as dead or gone before it was met again.
    pub(super) died: Option<u32>,
    /// The second in which it was last heard, and its datagrams in it.
    pub(super) second: (u64, u32),
    filed: Tick,
}

impl Contact {
    fn new(now: Tick, addr: SocketAddr) -> Contact {
        let (met, heard, remembered, rtt, networks, state, told, died, second) = Default::default();
        Contact { addr, met, heard, remembered, rtt, networks, state, told, died, second, filed: now }
    }
}

/// Contacts by GUID.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    contacts: BTreeMap<Guid, Contact>,
    silence: BTreeSet<(Tick, Guid)>,
}

impl Contacts {
    pub(super) fn get(&self, guid: &Guid) -> Option<&Contact> {
        self.contacts.get(guid)
    }

    pub(super) fn get_mut(&mut self, guid: &Guid) -> Option<&mut Contact> {
        self.contacts.get_mut(guid)
    }

    /// The contact of this GUID, made where there is none.
    pub(super) fn open(&mut self, now: Tick, guid: Guid, addr: SocketAddr) -> &mut Contact {
        if !self.contacts.contains_key(&guid) {
            if self.contacts.len() >= CONTACTS
                && let Some((_, silent)) = self.silence.pop_first()
            {
                self.contacts.remove(&silent);
            }
            self.silence.insert((now, guid));
        }
        self.contacts.entry(guid).or_insert_with(|| Contact::new(now, addr))
    }

    /// It was heard: it goes to the end of the order of silence.
    pub(super) fn refile(&mut self, now: Tick, guid: &Guid) {
        let Some(contact) = self.contacts.get_mut(guid).filter(|contact| now.since(contact.filed) >= REFILE) else {
            return;
        };
        self.silence.remove(&(contact.filed, *guid));
        self.silence.insert((now, *guid));
        contact.filed = now;
    }

    pub(super) fn remove(&mut self, guid: &Guid) {
        if let Some(contact) = self.contacts.remove(guid) {
            self.silence.remove(&(contact.filed, *guid));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Guid, &Contact)> {
        self.contacts.iter()
    }

    /// All of them once, from this GUID on and around.
    pub(super) fn from(&self, guid: Guid) -> impl Iterator<Item = (&Guid, &Contact)> {
        let behind = (Bound::Excluded(guid), Bound::Unbounded);
        self.contacts.range(behind).chain(self.contacts.range(..=guid))
    }

    pub(super) fn check(&self) {
        assert!(self.contacts.len() <= CONTACTS && self.contacts.len() == self.silence.len());
        assert!(self.contacts.iter().all(|(guid, contact)| self.silence.contains(&(contact.filed, *guid))));
    }
}
