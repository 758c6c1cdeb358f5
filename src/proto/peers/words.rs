//! What is said of nodes, by themselves and by others, and what it changes: the rules of incarnations (SWIM, section
//! 4.2), who is listed, and what is passed on.

use super::cases::Note;
use super::contacts::Contact;
use super::rule::Rule;
use super::suspicion::span;
use super::table::Entry;
use super::{Errand, Peers, Reach, Reason};
use crate::proto::fact::{Fact, ReachFact};
use crate::proto::gossip::Guid;
use crate::proto::limits::{CONFIRMATIONS, FEW_PEERS, PEERS, UPDATES, VOUCHES};
use crate::proto::ring::place;
use crate::proto::time::Tick;
use crate::proto::wire::{Address, Card, List, Update, Word};
use rand::{Rng, RngExt};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// Whom we heard ourselves within this time does not die by others' words alone.
const OWN_EARS: Duration = Duration::from_secs(2);
/// Of so many nodes that hear of a suspicion, each network has some that look for themselves.
const WITNESSES: f64 = 8.0;
/// Worst local health.
const WORST: u8 = 7;

impl Peers {
    /// What a peer says of itself in each HELLO.
    pub(in crate::proto) fn incarnate(&mut self, now: Tick, guid: &Guid, incarnation: u32) {
        let Some(contact) = self.contacts.get_mut(guid) else { return };
        contact.told = contact.told.max(incarnation);
        contact.died = contact.died.filter(|&died| died >= incarnation);
        let (at, addr) = (place(guid), contact.addr());
        if self.table.at(at).is_some_and(|entry| entry.reach().answers() && entry.incarnation < incarnation) {
            self.table.identify(at, addr, incarnation, None);
            self.clear(now, at, Note::Objected(incarnation));
            self.pass_on(at, Word::Alive, 0, false);
        }
    }

    /// What a peer says of others. Returns what it does not know yet and should: later incarnations than those it
    /// speaks of.
    pub(in crate::proto) fn hear(&mut self, now: Tick, teller: Guid, updates: &[Update]) -> Vec<Update> {
        let mut newer = Vec::new();
        for update in updates {
            if update.guid == self.me {
                self.hear_of_me(now, update);
            } else if let Some((place, entry)) = self.table.find(&update.guid) {
                let (reach, known) = (entry.reach(), entry.incarnation);
                let late = update.word == Word::Suspect && reach == Reach::Unreachable && update.incarnation <= known;
                let stale = update.word != Word::Alive && update.incarnation < entry.incarnation;
                if late {
                    newer.extend(self.update(place, Word::Dead, self.accuser()));
                } else if stale && entry.reach().answers() && !self.lacks(Rule::Incarnation) {
                    newer.extend(self.update(place, Word::Alive, 0));
                } else {
                    self.hear_of(now, teller, place, update);
                }
            } else if update.word == Word::Alive {
                let delay = self.hints.delay(&mut self.rng);
                self.vouch(now, delay, teller, update.guid, update.addr.0, update.incarnation, None);
            }
        }
        newer
    }

    /// Peers named by another peer, in a page of its list.
    pub(super) fn hear_card(&mut self, now: Tick, teller: Guid, card: &Card) {
        let Address(addr) = card.addr;
        if card.guid == self.me {
            // Our own GUID is named to us only where a copy of this node lives.
            let from = self.contacts.addr(&teller);
            let elsewhere = from.and_then(|from| named(from, addr)).filter(|_| self.addr != Some(addr));
            if let Some(addr) = elsewhere {
                self.hint(now, addr, Some(teller), false);
            }
        } else if let Some((place, entry)) = self.table.find(&card.guid) {
            if entry.called.is_empty() {
                let (addr, incarnation) = (entry.addr(), entry.incarnation);
                self.table.identify(place, addr, incarnation, Some(card.name.as_str()));
            }
            let (guid, addr, incarnation) = (card.guid, card.addr, card.incarnation);
            self.hear_of(now, teller, place, &Update { guid, addr, incarnation, word: Word::Alive, accuser: 0 });
        } else {
            let delay = self.hints.delay(&mut self.rng);
            self.vouch(now, delay, teller, card.guid, addr, card.incarnation, Some(card.name.as_str()));
        }
    }

    fn hear_of_me(&mut self, now: Tick, update: &Update) {
        if update.word == Word::Alive {
            self.addr = self.addr.or(Some(update.addr.0));
        }
        // An incarnation of ours that we do not know is one of before our clock was set back.
        let outdone = match update.word {
            Word::Alive => update.incarnation > self.incarnation,
            _ => update.incarnation >= self.incarnation,
        };
        if outdone {
            if update.word == Word::Suspect {
                self.health = (self.health + 1).min(WORST);
            }
            self.incarnation = update.incarnation.saturating_add(1);
        }
        if outdone || update.word != Word::Alive {
            let addr = Address(self.addr.unwrap_or(update.addr.0));
            let (guid, incarnation) = (self.me, self.incarnation);
            self.news.push(Update { guid, addr, incarnation, word: Word::Alive, accuser: 0 }, true);
            // Only what is new does not wait: after a split everybody repeats what this node objected to already.
            self.next_news = if outdone { self.next_news.min(now) } else { self.next_news };
        }
    }

    /// An update about a node that is listed.
    fn hear_of(&mut self, now: Tick, teller: Guid, place: u64, update: &Update) {
        let Some(entry) = self.table.at(place) else { return };
        let (reach, known, addr) = (entry.reach(), entry.incarnation, entry.addr());
        let said = if self.lacks(Rule::Incarnation) { known } else { update.incarnation };
        let own_ears = || self.contacts.get(&update.guid).and_then(|contact| contact.heard);
        let heard = || own_ears().is_some_and(|heard| now.since(heard) < OWN_EARS);
        match update.word {
            Word::Alive if self.lacks(Rule::OwnEars) && reach != Reach::Reachable => {
                self.table.identify(place, addr, said, None);
                self.clear(now, place, Note::Objected(said));
                self.set(now, place, Reach::Reachable, Reason::Heard);
                self.pass_on(place, Word::Alive, 0, false);
            }
            Word::Alive if said > known => {
                self.believe(now, teller, place, update);
                if reach.answers() {
                    self.clear(now, place, Note::Objected(said));
                    self.pass_on(place, Word::Alive, 0, false);
                } else {
                    self.cases.note(now, place, Note::Announced(said));
                    self.hear_return(now, teller, place, said);
                }
            }
            Word::Alive if self.returns.incarnation(place) == Some(said) => {
                self.try_elsewhere(now, teller, update.guid, update.addr.0);
                self.hear_return(now, teller, place, said);
            }
            Word::Alive if reach != Reach::Reachable || entry.reason() == Reason::Through => {
                self.try_elsewhere(now, teller, update.guid, update.addr.0);
            }
            Word::Alive => {}
            Word::Suspect if reach.answers() && said >= known => self.accuse(now, place, said, update.accuser),
            Word::Dead if reach.answers() && said >= known && heard() => self.accuse(now, place, said, update.accuser),
            Word::Dead if reach.answers() && said >= known => {
                self.table.identify(place, addr, said, None);
                self.cases.note(now, place, Note::CalledDead(teller));
                self.set(now, place, Reach::Unreachable, Reason::Accused);
                self.pass_on(place, Word::Dead, update.accuser, false);
            }
            Word::Left | Word::Restarting if reach != Reach::Left && said >= known => {
                self.table.identify(place, addr, said, None);
                self.set(now, place, Reach::Left, Reason::Goodbye(update.word == Word::Restarting));
                self.pass_on(place, update.word, update.accuser, false);
            }
            // It came back for others, and is gone again.
            Word::Dead | Word::Left if self.returns.incarnation(place).is_some_and(|back| said >= back) => {
                self.returns.end(place);
            }
            Word::Suspect | Word::Dead | Word::Left | Word::Restarting => {}
        }
    }

    /// A later incarnation of a listed node was named. Where one that was met is now, it shall show itself, and so where it
    /// was met before the last start; the address of one that never was is believed like its node.
    fn believe(&mut self, now: Tick, teller: Guid, place: u64, update: &Update) {
        let Some(addr) = self.table.at(place).map(Entry::addr) else { return };
        let met = self.contacts.get(&update.guid).is_some();
        if met {
            self.try_elsewhere(now, teller, update.guid, update.addr.0);
        }
        let from = self.contacts.addr(&teller);
        let addr = from.and_then(|from| named(from, update.addr.0)).filter(|_| !met).unwrap_or(addr);
        self.table.identify(place, addr, update.incarnation, None);
    }

    /// A dead peer is said to be back. It is registered with when its turn comes. Enough tellers are believed before that,
    /// and only what is believed is passed on: so one of them has met it, unless all of them lie.
    fn hear_return(&mut self, now: Tick, teller: Guid, place: u64, incarnation: u32) {
        let Some(from) = self.contacts.addr(&teller) else { return };
        if self.returns.announce(place, incarnation, from) >= VOUCHES {
            self.cases.note(now, place, Note::Vouched);
            self.set(now, place, Reach::Reachable, Reason::Named);
            self.pass_on(place, Word::Alive, 0, false);
        }
    }

    /// A peer knows another address of a node that we cannot reach where we know it: it may have moved.
    pub(super) fn try_elsewhere(&mut self, now: Tick, teller: Guid, guid: Guid, addr: SocketAddr) {
        let Some(from) = self.contacts.addr(&teller) else { return };
        if let Some(addr) = named(from, addr).filter(|addr| self.addr(&guid) != Some(*addr)) {
            self.hints.tell(now, addr, Some(guid), teller, from);
        }
    }

    /// A peer names a node that is not listed. It is, once enough do; until then it is a hint to try.
    #[expect(clippy::too_many_arguments, reason = "a node as another one describes it, and when to try it")]
    fn vouch(
        &mut self,
        now: Tick,
        delay: Duration,
        teller: Guid,
        guid: Guid,
        addr: SocketAddr,
        incarnation: u32,
        name: Option<&str>,
    ) {
        let Some(from) = self.contacts.addr(&teller) else { return };
        let Some(addr) = named(from, addr) else { return };
        let enough = if self.table.len() < FEW_PEERS { 1 } else { VOUCHES };
        let vouches = self.hints.tell(now + delay, addr, Some(guid), teller, from);
        if vouches.is_none_or(|vouches| vouches < enough) {
            return;
        }
        self.make_room();
        let entry = (Entry::new(guid, addr, incarnation), name.unwrap_or_default());
        let draw = self.rng.next_u32() as usize;
        if self.table.len() < PEERS && self.table.insert(now, entry, draw, Reach::Reachable, Reason::Named) {
            self.hints.settle(&addr, guid);
            let place = place(&guid);
            self.tell_reach(place);
            // What stands in pages comes to everybody by pages.
            if name.is_none() {
                self.pass_on(place, Word::Alive, 0, false);
                self.pager.want_name(place);
            }
        }
    }

    /// Somebody got no answer from this peer.
    pub(super) fn accuse(&mut self, now: Tick, place: u64, incarnation: u32, accuser: u32) {
        let Some(entry) = self.table.at(place).filter(|entry| entry.reach().answers()) else { return };
        let (guid, addr, incarnation) = (entry.guid, entry.addr(), entry.incarnation.max(incarnation));
        let own = accuser == self.accuser();
        if self.lacks(Rule::Suspicion) {
            self.die(now, place);
            return;
        }
        if entry.incarnation < incarnation {
            self.table.identify(place, addr, incarnation, None);
            self.suspicions.end(place);
        }
        let first = self.suspicions.get(place).is_none();
        if !self.suspicions.accuse(now, place, accuser) {
            return;
        }
        self.cases.note(now, place, Note::Suspected(accuser, own));
        self.pass_on(place, Word::Suspect, accuser, own);
        let accusers = self.suspicions.get(place).map_or(0, |suspicion| suspicion.accusers.len());
        let ours = self.suspicions.get(place).is_some_and(|found| found.accusers.contains(&self.accuser()));
        self.set(now, place, Reach::Suspect, if ours { Reason::Silent(accusers as u8) } else { Reason::Accused });
        self.reckon(place);
        let share = WITNESSES / (self.live() + 1) as f64;
        if first && !own && self.rng.random_bool(share.min(1.0)) {
            self.begin_probe(now, guid, false);
        }
    }

    /// Its time to object is over, or it has none.
    pub(super) fn die(&mut self, now: Tick, place: u64) {
        let accusers = self.suspicions.get(place).map_or(1, |suspicion| suspicion.accusers.len());
        self.set(now, place, Reach::Unreachable, Reason::Silent(accusers as u8));
        self.pass_on(place, Word::Dead, self.accuser(), true);
    }

    /// Suspects whose time is over. One that was heard since shall have the time to object.
    pub(super) fn judge(&mut self, now: Tick) {
        while let Some(place) = self.suspicions.due(now) {
            let Some(guid) = self.table.at(place).map(|entry| entry.guid) else { break };
            let heard = self.contacts.get(&guid).and_then(|contact| contact.heard);
            let extended = self.suspicions.get(place).map(|suspicion| suspicion.extended);
            if heard > extended {
                self.suspicions.extend(now, place);
                self.reckon(place);
                self.errands.push_back(Errand::Hello(guid));
            } else {
                self.die(now, place);
            }
        }
    }

    /// It objected.
    fn clear(&mut self, now: Tick, place: u64, note: Note) {
        if self.suspicions.get(place).is_some() {
            self.cases.note(now, place, note);
            self.set(now, place, Reach::Reachable, Reason::Heard);
        }
    }

    /// How a peer is reached from now on.
    pub(super) fn set(&mut self, now: Tick, place: u64, reach: Reach, reason: Reason) {
        let draw = self.rng.next_u32() as usize;
        if !self.table.set(now, place, reach, reason, draw) {
            return;
        }
        self.tell_reach(place);
        self.returns.end(place);
        if reach != Reach::Suspect {
            self.suspicions.end(place);
        }
        let Some(guid) = self.table.at(place).map(|entry| entry.guid) else { return };
        if !reach.answers() {
            self.gone.push(guid);
            self.probes.retain(|probe| probe.guid != guid);
            self.next_draw = self.next_draw.min(now + self.timer);
            if let Reason::Goodbye(restarting) = reason {
                self.cases.note(now, place, Note::Goodbye(restarting));
            }
        }
        if let Some(contact) = self.contacts.get_mut(&guid).filter(|_| !reach.answers()) {
            contact.died = None;
        }
    }

    /// Says to those who watch how a peer is reached.
    pub(super) fn tell_reach(&mut self, place: u64) {
        if let Some(entry) = self.table.at(place) {
            let (guid, name, addr) = (entry.guid, self.table.name(entry).into(), entry.addr());
            let (reach, reason) = (entry.reach(), entry.reason());
            self.facts.push_back(Fact::Reach(ReachFact { guid, name, addr, reach, reason }));
        }
    }

    pub(super) fn pass_on(&mut self, place: u64, word: Word, accuser: u32, own: bool) {
        if let Some(update) = self.update(place, word, accuser) {
            self.news.push(update, own);
        }
    }

    fn update(&self, place: u64, word: Word, accuser: u32) -> Option<Update> {
        let entry = self.table.at(place)?;
        let addr = Address(entry.addr());
        Some(Update { guid: entry.guid, addr, incarnation: entry.incarnation, word, accuser })
    }

    /// What is said of a peer that it does not know, as far as it told us: a suspicion, its death, a later incarnation.
    pub(super) fn objection(&self, guid: &Guid) -> Option<Update> {
        let (place, entry) = self.table.find(guid)?;
        let contact = self.contacts.get(guid)?;
        if let Some(suspicion) = self.suspicions.get(place) {
            return self.update(place, Word::Suspect, suspicion.accusers.first().copied().unwrap_or_default());
        }
        match contact {
            Contact { died: Some(died), .. } => {
                Some(Update { incarnation: *died, ..self.update(place, Word::Dead, self.accuser())? })
            }
            Contact { told, .. } if *told < entry.incarnation => self.update(place, Word::Alive, 0),
            _ => None,
        }
    }

    /// What a datagram to a peer tells: what it can object to, what it asked for by being behind, and the news.
    pub(in crate::proto) fn news_for(&mut self, to: &Guid, newer: Vec<Update>, room: usize) -> List<Update, UPDATES> {
        let mut updates: Vec<Update> = self.objection(to).into_iter().chain(newer).take(room.min(UPDATES)).collect();
        let times = self.repeats();
        self.news.take(room.saturating_sub(updates.len()), times, &mut updates);
        List::new(updates)
    }

    fn repeats(&self) -> u32 {
        4 * ((self.live() + 2) as f64).log10().ceil() as u32
    }

    fn reckon(&mut self, place: u64) {
        let others = self.live().saturating_sub(self.suspicions.len());
        let span = span(&self.timing, self.live());
        // Where hardly anybody is left to confirm, one suspect more is one fewer who could for all the others.
        let few = others <= CONFIRMATIONS;
        let all = if few { self.suspicions.places().collect() } else { vec![place] };
        all.into_iter().for_each(|place| self.suspicions.reckon(place, others, span));
    }
}

/// Whether an address that somebody named may be sent to at all.
pub(super) fn is_fit(addr: SocketAddr) -> bool {
    let broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() >= 1024 && !addr.ip().is_unspecified() && !addr.ip().is_multicast() && !broadcast
}

/// An address that a peer at `from` names, if it has a meaning here: one of this host alone only from a peer on it, one of a link
/// only from a peer on a link, which is then the same.
fn named(from: SocketAddr, addr: SocketAddr) -> Option<SocketAddr> {
    match (addr, from) {
        _ if !is_fit(addr) => None,
        _ if addr.ip().is_loopback() => from.ip().is_loopback().then_some(addr),
        (SocketAddr::V6(v6), SocketAddr::V6(from)) if v6.ip().is_unicast_link_local() => {
            let on_link = from.ip().is_unicast_link_local();
            on_link.then(|| SocketAddrV6::new(*v6.ip(), v6.port(), 0, from.scope_id()).into())
        }
        (SocketAddr::V6(v6), _) if v6.ip().is_unicast_link_local() => None,
        _ => Some(addr),
    }
}
