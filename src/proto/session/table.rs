//! [`Table`]: the live sessions, found by session, by GUID, by address and by silence.

use super::echo::Sent;
use super::tombstones::Trace;
use super::window::Window;
use crate::proto::gossip::Guid;
use crate::proto::limits::{SESSIONS, SESSIONS_ON_LOOPBACK, SESSIONS_PER_ADDRESS};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// A peer heard within this time of its place in the order of silence stays where it is: a datagram costs one look-up
/// then, and whoever is evicted was silent for longer than anybody else, to the second.
const REFILE: Duration = Duration::from_secs(1);

/// The session of a peer with us.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) guid: Guid,
    pub(super) addr: SocketAddr,
    pub(super) epoch: u64,
    pub(super) window: Window,
    pub(super) heard: Tick,
    pub(super) sent: Sent,
    filed: Tick,
}

impl Entry {
    pub(super) fn new(now: Tick, guid: Guid, addr: SocketAddr, epoch: u64, window: Window, sent: Sent) -> Entry {
        Entry { guid, addr, epoch, window, heard: now, sent, filed: now }
    }

    /// A datagram of this session was accepted; whether it has to be filed anew.
    pub(super) fn hear(&mut self, now: Tick) -> bool {
        self.heard = self.heard.max(now);
        now.since(self.filed) >= REFILE
    }

    pub(super) fn trace(&self, session: u64) -> Trace {
        Trace { session, epoch: self.epoch, top: self.window.top(), heard: self.heard }
    }
}

/// Entries by the peer's session id, each in a box: half of a B-tree's room is empty. The other orders hold session ids.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<u64, Box<Entry>>,
    by_guid: BTreeMap<Guid, u64>,
    by_addr: BTreeSet<(SocketAddr, u64)>,
    by_silence: BTreeSet<(Tick, u64)>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, session: u64) -> Option<&Entry> {
        self.entries.get(&session).map(Box::as_ref)
    }

    /// For changes to the window and to what was sent; whatever an index knows stays as it is.
    pub(super) fn get_mut(&mut self, session: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&session).map(Box::as_mut)
    }

    pub(super) fn session(&self, guid: Guid) -> Option<u64> {
        self.by_guid.get(&guid).copied()
    }

    pub(super) fn insert(&mut self, session: u64, entry: Entry) {
        self.by_guid.insert(entry.guid, session);
        self.by_addr.insert((entry.addr, session));
        self.by_silence.insert((entry.filed, session));
        self.entries.insert(session, Box::new(entry));
    }

    pub(super) fn remove(&mut self, session: u64) -> Option<Entry> {
        let entry = self.entries.remove(&session)?;
        self.by_guid.remove(&entry.guid);
        self.by_addr.remove(&(entry.addr, session));
        self.by_silence.remove(&(entry.filed, session));
        Some(*entry)
    }

    /// A session goes to the end of the order of silence.
    pub(super) fn refile(&mut self, session: u64, now: Tick) {
        let Some(entry) = self.entries.get_mut(&session) else { return };
        self.by_silence.remove(&(entry.filed, session));
        self.by_silence.insert((now, session));
        entry.filed = now;
    }

    /// Sessions at this very address: one, or as many as one host may have.
    pub(super) fn at(&self, addr: SocketAddr) -> impl Iterator<Item = u64> {
        self.by_addr.range((addr, 0)..=(addr, u64::MAX)).map(|&(_, session)| session)
    }

    /// The session that has been silent for longest.
    pub(super) fn most_silent(&self) -> Option<u64> {
        self.by_silence.first().map(|&(_, session)| session)
    }

    /// If an IP address has as many sessions as it may have, the one of them that has been silent for longest.
    pub(super) fn most_silent_in_crowd(&self, ip: IpAddr) -> Option<u64> {
        let crowd = || self.by_addr.range((SocketAddr::new(ip, 0), 0)..=(last_of(ip), u64::MAX)).map(|&(_, s)| s);
        if crowd().count() < most_of(ip) {
            return None;
        }
        crowd().min_by_key(|&session| self.entries.get(&session).map(|entry| (entry.heard, session)))
    }

    /// Panics if an index and the entries disagree, or a bound is broken.
    pub(super) fn check(&self) {
        assert!(self.entries.len() <= SESSIONS);
        for len in [self.by_guid.len(), self.by_addr.len(), self.by_silence.len()] {
            assert_eq!(len, self.entries.len());
        }
        for (&session, entry) in &self.entries {
            assert_ne!(session, 0);
            assert_eq!(self.by_guid.get(&entry.guid), Some(&session));
            assert!(self.by_addr.contains(&(entry.addr, session)));
            assert!(self.by_silence.contains(&(entry.filed, session)));
            assert!(entry.filed <= entry.heard);
        }
        let mut hosts = BTreeMap::<IpAddr, usize>::new();
        for (addr, _) in &self.by_addr {
            *hosts.entry(addr.ip()).or_default() += 1;
        }
        assert!(hosts.iter().all(|(&ip, &sessions)| sessions <= most_of(ip)));
    }
}

/// Sessions that one IP address may have.
fn most_of(ip: IpAddr) -> usize {
    if ip.is_loopback() { SESSIONS_ON_LOOPBACK } else { SESSIONS_PER_ADDRESS }
}

/// The last address of a host in the order of `SocketAddr`.
fn last_of(ip: IpAddr) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, u16::MAX),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, u16::MAX, u32::MAX, u32::MAX).into(),
    }
}
