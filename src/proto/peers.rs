//! [`Peers`]: whom we know, and how each is doing. It decides whom to greet and with whom to register; who may talk at
//! all is for `session`.
//!
//! Membership and failure detection are SWIM's (Das, Gupta, Motivala, DSN 2002) with Lifeguard's refinements (Dadgar,
//! Phillips, Currey, DSN-W 2018). Each round, one HELLO probes the peer that *this node* probed longest ago; who does
//! not answer is probed through three others, then suspected, then dead. What is found out is passed on in updates, an
//! update about a node counts for the *incarnation* that it names, and only that node itself makes a later one. Nobody
//! comes alive by what another one says: an address that is named is a *hint*, a dead peer whose return is announced is
//! registered with, and a handshake decides, or the word of three who met it, each at an address of its own.

mod adjusting;
mod cases;
mod contacts;
mod due;
mod errand;
mod favours;
mod former;
mod healing;
mod hints;
mod marks;
mod meeting;
mod names;
mod news;
mod offsets;
mod paging;
mod peer;
mod plain;
mod probing;
mod quality;
mod questions;
mod restoring;
mod returns;
mod rule;
mod sorted;
mod suspicion;
mod table;
mod words;

pub(super) use errand::Errand;
pub use peer::{Explanation, Peer, Reach, Reason};

use crate::proto::fact::Fact;
use crate::proto::gossip::Guid;
use crate::proto::limits::{FAVOURS, PEERS, PROBES};
use crate::proto::ring::{Range, place};
use crate::proto::rtt::Rtt;
use crate::proto::settings::{PeerSelect, Settings, Timing};
use crate::proto::time::Tick;
use crate::proto::wire::ListState;
use cases::Cases;
use contacts::{Contact, Contacts};
use favours::Favour;
use former::Former;
use hints::Hints;
use news::News;
use paging::Pager;
use probing::Probe;
use questions::Questions;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use returns::Returns;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use suspicion::Suspicions;
use table::{Entry, Table};

/// Among so many dead peers, the one that is dead for longest goes for a new one.
const SAMPLE: usize = 8;

/// Who shook hands with this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met<'a> {
    /// Its GUID.
    pub guid: Guid,
    /// Its name.
    pub name: &'a str,
    /// Where its datagrams come from.
    pub addr: SocketAddr,
    /// Its incarnation.
    pub incarnation: u32,
}

/// All nodes that we know.
pub struct Peers {
    me: Guid,
    place: u64,
    /// Where others see us, as far as anyone said.
    addr: Option<SocketAddr>,
    incarnation: u32,
    health: u8,
    timer: Duration,
    /// Between two probes.
    period: Duration,
    /// Round-trip times to all peers together.
    trips: Rtt,
    timing: Timing,
    most: usize,
    select: PeerSelect,
    table: Table,
    contacts: Contacts,
    hints: Hints,
    news: News,
    suspicions: Suspicions,
    former: Former,
    cases: Cases,
    pager: Pager,
    probes: Vec<Probe>,
    favours: Vec<Favour>,
    returns: Returns,
    errands: VecDeque<Errand>,
    facts: VecDeque<Fact>,
    gone: Vec<Guid>,
    questions: Questions,
    next_probe: Tick,
    next_doubt: Tick,
    next_round: Tick,
    next_draw: Tick,
    next_return: Tick,
    next_news: Tick,
    drawn: usize,
    turn: u32,
    rng: ChaCha8Rng,
    #[cfg(test)]
    lacking: Option<rule::Rule>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers")
            .field("me", &self.me)
            .field("incarnation", &self.incarnation)
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}

impl Peers {
    /// Nobody known yet. The incarnation is the wall clock's seconds: a node that starts again outdoes what was said of
    /// it before.
    pub(super) fn new(settings: &Settings, seed: [u8; 32], now: Tick) -> Peers {
        let (table, contacts, hints, news, suspicions, former) = Default::default();
        let (cases, pager, probes, favours, returns, errands, facts, gone, questions) = Default::default();
        let (addr, health, drawn, turn) = Default::default();
        let mut rng = ChaCha8Rng::from_seed(seed);
        let period = settings.pace.gossip_timer.min(settings.pace.timing.probe_period);
        let first = now + period.mul_f64(rng.random_range(0.5..1.1));
        Peers {
            me: settings.guid,
            place: place(&settings.guid),
            addr,
            incarnation: u32::try_from(settings.started.0.saturating_add(now.0) / 1_000_000).unwrap_or(u32::MAX / 2),
            health,
            timer: settings.pace.gossip_timer,
            period,
            trips: Rtt::default(),
            timing: settings.pace.timing,
            most: settings.pace.gossip_max_peer_count.max(1),
            select: settings.pace.peer_select,
            table,
            contacts,
            hints,
            news,
            suspicions,
            former,
            cases,
            pager,
            probes,
            favours,
            returns,
            errands,
            facts,
            gone,
            questions,
            next_probe: first,
            next_doubt: now,
            next_round: first,
            next_draw: now,
            next_return: now,
            next_news: now,
            drawn,
            turn,
            rng,
            #[cfg(test)]
            lacking: tests::lacking(),
        }
    }

    // ---- views ----

    /// This node's incarnation.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Its local health: 0 is well, up to 7; the worse, the more patient it is with others.
    pub fn health(&self) -> u8 {
        self.health
    }

    /// How many peers are listed and count as alive, suspects included.
    pub fn live(&self) -> usize {
        self.table.live().len()
    }

    /// Those of them in a part of the ring, in its order.
    pub(super) fn ring(&self, range: Range) -> impl Iterator<Item = (u64, Guid)> {
        self.table.range(range).map(|(place, entry)| (place, entry.guid))
    }

    /// All of them, around the ring from this node on.
    pub(super) fn others(&self) -> impl Iterator<Item = Guid> {
        self.ring(Range::all_but(self.place)).map(|(_, guid)| guid)
    }

    /// Any of them.
    pub(super) fn random(&mut self) -> Option<Guid> {
        let live = self.table.live();
        let place = (!live.is_empty()).then(|| live[self.rng.random_range(0..live.len())])?;
        self.table.at(place).map(|entry| entry.guid)
    }

    /// Where a peer receives.
    pub(super) fn addr(&self, guid: &Guid) -> Option<SocketAddr> {
        self.table.find(guid).map(|(_, entry)| entry.addr())
    }

    /// Round-trip times to a peer.
    pub(super) fn rtt(&self, guid: &Guid) -> Rtt {
        self.contacts.get(guid).map(|contact| contact.trips().rtt).unwrap_or_default()
    }

    /// Equal where two nodes list the same nodes as alive, themselves included, in the same incarnations and places.
    pub fn list(&self) -> ListState {
        self.table.list(&self.me, self.incarnation, self.addr)
    }

    /// All that we know, in the ring's order.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, Peer<'_>)> {
        self.table.iter().map(|(_, entry)| (entry.guid, self.shown(entry)))
    }

    /// One of them.
    pub fn peer(&self, guid: &Guid) -> Option<Peer<'_>> {
        self.table.find(guid).map(|(_, entry)| self.shown(entry))
    }

    /// Panics if a bound is broken.
    pub(super) fn check(&self) {
        assert!(self.table.len() <= PEERS && self.table.find(&self.me).is_none());
        assert!(self.probes.len() <= PROBES && self.favours.len() <= FAVOURS && self.health <= 7);
        self.table.check();
        self.contacts.check();
        self.hints.check();
        self.news.check();
        self.suspicions.check();
        self.former.check();
        self.cases.check();
        self.pager.check();
        self.questions.check();
        for place in self.suspicions.places() {
            assert_eq!(self.table.at(place).map(Entry::reach), Some(Reach::Suspect));
        }
        assert!(self.contacts.iter().all(|(guid, contact)| self.addr(guid) == Some(contact.addr())));
        for place in self.returns.places() {
            assert!(self.table.at(place).is_some_and(|entry| !entry.reach().answers()));
        }
    }

    fn shown<'a>(&'a self, entry: &'a Entry) -> Peer<'a> {
        let contact = self.contacts.get(&entry.guid);
        let trips = contact.map(Contact::trips).unwrap_or_default();
        Peer {
            name: self.table.name(entry),
            addr: entry.addr(),
            incarnation: entry.incarnation,
            reach: entry.reach(),
            reason: entry.reason(),
            since: (entry.reason() != Reason::Remembered).then(|| entry.since()),
            met: contact.and_then(|contact| contact.met),
            heard: contact.and_then(|contact| contact.heard),
            remembered: contact.map(|contact| contact.remembered).unwrap_or_default(),
            rtt: trips.rtt,
            networks: contact.map_or(&[], |contact| &contact.networks),
            state: contact.and_then(|contact| contact.state),
            horizon: contact.map(|contact| contact.horizon).unwrap_or_default(),
            clock_ahead: trips.offsets.best(),
            key: contact.and_then(|contact| contact.key),
            loss: contact.and_then(|contact| contact.quality.loss()),
            quality: contact.map(|contact| contact.quality).unwrap_or_default(),
        }
    }

    // ---- commands ----

    /// This node took another GUID.
    pub(super) fn rename(&mut self, me: Guid) {
        (self.me, self.place) = (me, place(&me));
        if self.table.find(&me).is_some() {
            self.drop_entry(self.place);
        }
    }

    /// Where a peer sees us.
    pub(super) fn seen_at(&mut self, addr: SocketAddr) {
        self.addr = Some(addr);
    }

    /// Registers with this address: a few times, or for ever where it is a seed.
    pub(super) fn hint(&mut self, now: Tick, addr: SocketAddr, teller: Option<Guid>, seed: bool) {
        match teller {
            None => self.hints.ask(now, addr, seed),
            Some(teller) if words::is_fit(addr) => drop(self.hints.tell(now, addr, None, teller, addr)),
            Some(_) => {}
        }
    }

    /// Drops a peer that does not answer, as if it had never been met; false if it answers or is not known.
    pub(super) fn forget(&mut self, guid: &Guid) -> bool {
        let silent = self.table.find(guid).filter(|(_, entry)| !entry.reach().answers()).map(|(place, _)| place);
        let Some(place) = silent else { return false };
        self.drop_entry(place);
        self.facts.push_back(Fact::Forgotten(*guid));
        true
    }

    /// The next thing to send.
    pub(super) fn poll_errand(&mut self) -> Option<Errand> {
        self.errands.pop_front()
    }

    /// The next thing to keep, or to tell those who watch.
    pub(super) fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// Who is not there any more, and was not told of before.
    pub(super) fn poll_gone(&mut self) -> Option<Guid> {
        while let Some(gone) = self.gone.pop() {
            if !self.table.find(&gone).is_some_and(|(_, entry)| entry.reach().answers()) {
                return Some(gone);
            }
        }
        None
    }

    fn is_live(&self, guid: &Guid) -> bool {
        self.table.find(guid).is_some_and(|(_, entry)| entry.reach().answers())
    }

    /// How this node signs accusations.
    fn accuser(&self) -> u32 {
        (self.place >> 32) as u32
    }

    /// Makes room for one where the table is full: of some dead peers, the one that is dead for longest goes.
    fn make_room(&mut self) {
        if self.table.len() < PEERS || self.table.others().is_empty() {
            return;
        }
        let others = self.table.others();
        let start = self.rng.random_range(0..others.len());
        let sample = others.iter().cycle().skip(start).take(SAMPLE.min(others.len()));
        let oldest = sample.min_by_key(|place| self.table.at(**place).map(Entry::since)).copied();
        oldest.into_iter().for_each(|place| self.retire(place));
    }

    fn drop_entry(&mut self, place: u64) {
        if let Some(guid) = self.table.at(place).map(|entry| entry.guid) {
            self.contacts.remove(&guid);
            self.gone.push(guid);
        }
        self.suspicions.end(place);
        self.returns.end(place);
        self.cases.forget(place);
        self.table.remove(place);
    }
}

#[cfg(test)]
mod tests;
