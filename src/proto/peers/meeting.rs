//! What peers do themselves: they shake hands, send, answer, and say goodbye.

use super::cases::Note;
use super::table::Entry;
use super::{Errand, Met, Peers, Reach, Reason};
use crate::proto::fact::{Fact, PeerFact};
use crate::proto::gossip::Guid;
use crate::proto::limits::{DATAGRAMS_PER_PEER, NETWORKS, PEERS};
use crate::proto::ring::place;
use crate::proto::seal::KeyId;
use crate::proto::stats::Rejected;
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::{Claim, Name, Word};
use rand::Rng;
use std::time::Duration;

/// A HELLO is answered within this time or counts as lost.
const STAMP: Duration = Duration::from_secs(10);
/// That a peer was met where it was before is kept no more often than this.
const KEPT: Duration = Duration::from_secs(60);
/// That a peer is still heard is kept this often.
const KEPT_HEARD: Duration = Duration::from_secs(3600);

impl Peers {
    /// A session with this peer was opened.
    pub(in crate::proto) fn met(&mut self, now: Tick, met: Met<'_>, at: Timestamp) {
        let Met { guid, name, addr, incarnation } = met;
        self.hints.settle(&addr, guid);
        self.former.remove(&guid);
        // Two GUIDs at one address: the older one is no longer there.
        let is_gone = |reason| matches!(reason, Reason::Displaced | Reason::Goodbye(_));
        let stays = |other: &Guid| self.table.find(other).is_some_and(|(_, entry)| !is_gone(entry.reason()));
        let others: Vec<Guid> = self.contacts.at(addr).filter(|other| *other != guid).collect();
        let displaced: Vec<Guid> = others.iter().copied().filter(stays).collect();
        for stale in &displaced {
            self.set(now, place(stale), Reach::Left, Reason::Displaced);
            self.cases.note(now, place(stale), Note::Displaced);
        }
        // It may be where this one was: hosts swap addresses, and one that knows nobody any more has to be found.
        let left = self.contacts.addr(&guid).filter(|was| *was != addr);
        if let Some(left) = left.filter(|_| !others.is_empty()) {
            self.hint(now, left, Some(guid), false);
        }
        let (place, before) =
            (place(&guid), self.table.find(&guid).map(|(_, entry)| (entry.reach(), entry.incarnation)));
        if before.is_none() {
            self.make_room();
            let entry = (Entry::new(guid, addr, incarnation), name);
            if guid == self.me || self.table.len() >= PEERS {
                return;
            }
            let draw = self.rng.next_u32() as usize;
            if !self.table.insert(now, entry, draw, Reach::Reachable, Reason::Heard) {
                return;
            }
        }
        let last = before.map_or(incarnation, |(_, incarnation)| incarnation);
        // What the disk has of it is still so, but for the minute.
        let kept =
            self.contacts.get(&guid).is_some_and(|contact| {
                contact.addr() == addr && contact.kept.is_some_and(|kept| now.since(kept) < KEPT)
            }) && self.peer(&guid).is_some_and(|peer| peer.name == name);
        self.table.identify(place, addr, last.max(incarnation), Some(name));
        let contact = self.contacts.open(now, guid, addr);
        (contact.met, contact.heard, contact.told) = (Some(now), Some(now), incarnation);
        let announced = self.returns.incarnation(place);
        let dead = before.is_some_and(|(reach, _)| !reach.answers());
        // Unless that is the incarnation in which it is said to be back.
        if dead && incarnation <= last && announced != Some(incarnation) {
            contact.died = Some(last);
        }
        self.contacts.refile(now, &guid);
        if !kept {
            self.keep(now, place, at);
        }
        match before {
            None => self.tell_reach(place),
            Some((Reach::Suspect, _)) if incarnation <= last => {}
            Some(_) => self.set(now, place, Reach::Reachable, Reason::Heard),
        }
        if before.is_none() || incarnation > last || announced == Some(incarnation) {
            self.pass_on(place, Word::Alive, 0, false);
        }
        if dead || before.is_some_and(|(reach, _)| reach == Reach::Suspect) {
            self.cases.note(now, place, Note::Met);
        }
        // What is said of it that it does not know, it shall hear at once, so that it can object.
        if self.objection(&guid).is_some() {
            self.errands.push_back(Errand::Tell(guid));
        }
        self.returns.end(place);
        self.probe_answered(now, &guid);
        self.note_joined(now);
    }

    /// An authentic datagram came from this peer. It is dropped where the peer sends too many, or is dead: only a
    /// handshake brings it back. `key` is what it seals with, where the datagram tells.
    pub(in crate::proto) fn heard(
        &mut self,
        now: Tick,
        guid: &Guid,
        bytes: usize,
        key: Option<KeyId>,
        at: Timestamp,
    ) -> Result<(), Rejected> {
        if self.contacts.get(guid).is_none() {
            let Some((_, entry)) = self.table.find(guid) else { return Err(Rejected::Full) };
            let contact = self.contacts.open(now, *guid, entry.addr());
            // Where contacts come and go, the disk is not to be told of each that comes.
            (contact.told, contact.kept) = (entry.incarnation, Some(now));
        }
        let Some(contact) = self.contacts.refile(now, guid) else { return Err(Rejected::Full) };
        let entry = self.table.at(contact.place).filter(|entry| entry.guid == *guid);
        let dead = !entry.is_some_and(|entry| entry.reach().answers());
        let second = now.0 / 1_000_000;
        contact.second =
            if contact.second.0 == second { (second, contact.second.1.saturating_add(1)) } else { (second, 1) };
        match contact.second.1 <= DATAGRAMS_PER_PEER {
            _ if dead => Err(Rejected::Session),
            false => Err(Rejected::Budget),
            true => {
                contact.heard = Some(now);
                contact.key = key.or(contact.key);
                contact.quality.heard(now, bytes);
                let place = contact.place;
                if contact.kept.is_none_or(|kept| now.since(kept) >= KEPT_HEARD) {
                    self.keep(now, place, at);
                }
                Ok(())
            }
        }
    }

    /// This node is about to stop: when each peer was last heard is kept for when it starts again.
    pub(in crate::proto) fn keep_all(&mut self, now: Tick, at: Timestamp) {
        let heard = self.contacts.iter().filter(|(_, contact)| contact.heard > contact.kept);
        let heard: Vec<(u64, Option<Tick>)> = heard.map(|(_, contact)| (contact.place, contact.heard)).collect();
        for (place, heard) in heard {
            self.keep(now, place, at - now.since(heard.unwrap_or(now)));
        }
    }

    /// The disk is told where a peer is, what it is called, and that it was last heard then.
    fn keep(&mut self, now: Tick, place: u64, at: Timestamp) {
        let Some(entry) = self.table.at(place) else { return };
        let (guid, name, addr) = (entry.guid, self.table.name(entry).into(), entry.addr());
        self.contacts.get_mut(&guid).into_iter().for_each(|contact| contact.kept = Some(now));
        self.facts.push_back(Fact::Peer(PeerFact { guid, name, addr, last_update: at }));
    }

    /// It answered a HELLO that left at `sent`; on the way its clock was ahead of ours by so many microseconds.
    pub(in crate::proto) fn answered(&mut self, now: Tick, guid: &Guid, sent: Tick, ahead: i64) {
        let Some(contact) = self.contacts.get_mut(guid) else { return };
        // Any HELLO will do, as each carries its own stamp; a stamp of long ago is none of ours.
        if sent <= now && now.since(sent) < STAMP {
            contact.answered(now.since(sent), ahead);
            self.trips.sample(now.since(sent));
            self.hello_answered(now, guid, sent);
        }
    }

    /// It said what it holds, under the key that it seals with.
    pub(in crate::proto) fn holds(&mut self, guid: &Guid, claim: Claim) {
        if let Some(contact) = self.contacts.get_mut(guid) {
            (contact.state, contact.key) = (Some(claim), Some(claim.key));
        }
    }

    /// It said which records are too old for it.
    pub(in crate::proto) fn ages(&mut self, guid: &Guid, horizon: Timestamp) {
        if let Some(contact) = self.contacts.get_mut(guid) {
            contact.horizon = horizon;
        }
    }

    /// It said in which other networks it is. Whoever is in more than it can say at once says them in turn.
    pub(in crate::proto) fn belongs(&mut self, guid: &Guid, networks: &[Name]) {
        let Some(contact) = self.contacts.get_mut(guid) else { return };
        if networks.len() < NETWORKS {
            contact.networks.clear();
        }
        let before = contact.networks.iter().filter(|name| networks.iter().all(|other| other.as_str() != &***name));
        let names = networks.iter().map(|name| name.as_str().into());
        contact.networks = names.chain(before.cloned()).take(2 * NETWORKS).collect();
    }

    /// It said goodbye.
    pub(in crate::proto) fn left(&mut self, now: Tick, guid: &Guid, restarting: bool) {
        let place = place(guid);
        if self.table.find(guid).is_some_and(|(_, entry)| entry.reach() != Reach::Left) {
            self.set(now, place, Reach::Left, Reason::Goodbye(restarting));
            self.pass_on(place, if restarting { Word::Restarting } else { Word::Left }, self.accuser(), true);
        }
    }

    /// Peers to whom this node says goodbye itself; they tell the others.
    pub(in crate::proto) fn listening(&self, most: usize) -> Vec<Guid> {
        let met = self.contacts.iter().filter(|(_, contact)| contact.heard.is_some()).map(|(&guid, _)| guid);
        met.filter(|guid| self.is_live(guid)).take(most).collect()
    }
}
