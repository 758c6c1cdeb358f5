//! Probes: who is asked for a sign of life, directly and through others (SWIM, section 4.1; Lifeguard, section IV.A).

use super::cases::Note;
use super::{Errand, Peers, Reach, Reason};
use crate::proto::gossip::Guid;
use crate::proto::limits::PROBES;
use crate::proto::ring::place;
use crate::proto::settings::PeerSelect;
use crate::proto::time::Tick;
use crate::proto::wire::{self, Address, HelloFor};
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::net::SocketAddr;
use std::time::Duration;

/// Peers through whom one that did not answer is probed.
const HELPERS: usize = 3;
/// One of so many probes goes to the next peer on the ring, where that is wanted.
const NEIGHBOUR: u32 = 3;
/// Between two peers that are probed since they did not acknowledge something.
pub(super) const DOUBTS: Duration = Duration::from_millis(100);
/// Contacts drawn, at most, for each one that fits.
const DRAWS: usize = 16;

/// A peer that is to show that it is alive.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) guid: Guid,
    started: Tick,
    /// When others are asked too, when it is repeated, and when it has failed.
    indirect: Tick,
    repeat: Tick,
    end: Tick,
    /// Between two repetitions: as long as one answer may take.
    step: Duration,
    /// Who was asked, and whether a word came back from there.
    helpers: Vec<(Guid, bool)>,
    /// Whether it is the round's own, not one that a rumour set off.
    own: bool,
}

impl Probe {
    /// When something is to be done about it.
    pub(super) fn next(&self) -> Tick {
        self.indirect.min(self.repeat).min(self.end)
    }
}

impl Peers {
    /// A peer did not acknowledge what it should have: it is probed at once, not when its turn comes.
    pub(in crate::proto) fn doubt(&mut self, now: Tick, guid: &Guid) {
        if self.next_doubt <= now && self.is_live(guid) {
            self.next_doubt = now + DOUBTS;
            self.begin_probe(now, *guid, false);
        }
    }

    /// A peer is asked to show that it is alive.
    pub(super) fn begin_probe(&mut self, now: Tick, guid: Guid, own: bool) {
        if self.probes.len() >= PROBES || self.probes.iter().any(|probe| probe.guid == guid) {
            return;
        }
        let (least, most) = self.timing.probe_timeout;
        let patience = u32::from(self.health) + 1;
        // Of one whose answers were never timed, what others take tells more than nothing.
        let trip = self.rtt(&guid).smoothed().or(self.trips.smoothed());
        let trips = trip.map_or(least, |rtt| rtt * 3);
        let direct = trips.clamp(least, most.max(least)) * patience;
        let through = self.period.mul_f64(0.6).clamp(least, most.max(least) * 2) * patience;
        // It is repeated before others are troubled: a lost HELLO, or REGISTER, is no sign of death.
        let (repeat, indirect) = (now + direct, now + most.max(least) * patience);
        let end = (now + direct + through).max(indirect + most * patience);
        let helpers = Vec::new();
        self.probes.push(Probe { guid, started: now, indirect, repeat, end, step: direct, helpers, own });
        self.errands.push_back(Errand::Hello(guid));
    }

    /// A handshake with it is an answer too.
    pub(super) fn probe_answered(&mut self, now: Tick, guid: &Guid) {
        self.hello_answered(now, guid, now);
    }

    /// It answered what left at `sent`.
    pub(super) fn hello_answered(&mut self, now: Tick, guid: &Guid, sent: Tick) {
        let before = self.probes.len();
        let at_once = |probe: &Probe| probe.guid == *guid && sent >= probe.started && probe.indirect != Tick::NEVER;
        let at_once = self.probes.iter().any(at_once);
        self.probes.retain(|probe| probe.guid != *guid || sent < probe.started);
        if self.probes.len() < before {
            self.health = self.health.saturating_sub(1);
            if at_once {
                self.count_probe(guid, true);
            }
            let place = place(guid);
            if self.table.at(place).is_some_and(|entry| entry.reach() == Reach::Reachable) {
                self.set(now, place, Reach::Reachable, Reason::Heard);
            }
        }
        self.end_favours(guid);
    }

    /// A peer answers our HELLO in the middle of a handshake: the time that takes is none of the probe's.
    pub(in crate::proto) fn challenged(&mut self, now: Tick, from: SocketAddr) {
        let least = self.timing.probe_timeout.0;
        let Peers { table, probes, .. } = self;
        for probe in probes {
            let at = table.find(&probe.guid).map(|(_, entry)| entry.addr());
            if at == Some(from) && probe.helpers.is_empty() && now.since(probe.started) < least * 8 {
                probe.indirect = probe.indirect.max(now + probe.step);
                probe.repeat = probe.repeat.max(now + probe.step);
                probe.end = probe.end.max(probe.indirect + least * 3);
            }
        }
    }

    /// A peer asks to have another one probed, or says what became of that.
    pub(in crate::proto) fn take_errand(&mut self, now: Tick, from: Guid, ask: HelloFor) {
        match ask.errand {
            wire::ProbeWord::Probe => self.take_favour(now, from, ask),
            said => {
                let place = place(&ask.guid);
                let Some(at) = self.probes.iter().position(|probe| {
                    probe.guid == ask.guid
                        && probe.started.0 == ask.stamp
                        && probe.helpers.iter().any(|(h, _)| *h == from)
                }) else {
                    return;
                };
                self.probes[at].helpers.iter_mut().filter(|(helper, _)| *helper == from).for_each(|h| h.1 = true);
                self.cases.note(now, place, Note::Helper(from, said == wire::ProbeWord::Answered));
                if said == wire::ProbeWord::Answered {
                    self.try_elsewhere(now, from, ask.guid, ask.addr.0);
                    self.probes.swap_remove(at);
                    self.health = self.health.saturating_sub(1);
                    if self.table.at(place).is_some_and(|entry| entry.reach() == Reach::Reachable) {
                        self.set(now, place, Reach::Reachable, Reason::Through);
                    }
                }
            }
        }
    }

    pub(super) fn continue_probes(&mut self, now: Tick) {
        for mut probe in std::mem::take(&mut self.probes) {
            let place = place(&probe.guid);
            if probe.end <= now {
                self.fail(now, place, &probe);
                continue;
            }
            let mut asked: Vec<Guid> = Vec::new();
            if probe.repeat <= now {
                probe.repeat = now + probe.step;
                self.errands.push_back(Errand::Hello(probe.guid));
                // What was asked of others may be lost, too, and so may what they found out.
                asked.extend(probe.helpers.iter().filter(|(_, heard)| !heard).map(|(helper, _)| helper));
            }
            if probe.indirect <= now {
                probe.indirect = Tick::NEVER;
                self.count_probe(&probe.guid, false);
                asked = self.some_contacts(HELPERS, Some(probe.guid));
                probe.helpers.extend(asked.iter().map(|&helper| (helper, false)));
                self.cases.note(now, place, Note::Silent(now.since(probe.started), probe.helpers.len()));
            }
            if !asked.is_empty() {
                let addr = Address(self.addr(&probe.guid).unwrap_or(([0, 0, 0, 0], 0).into()));
                let ask = HelloFor { stamp: probe.started.0, guid: probe.guid, addr, errand: wire::ProbeWord::Probe };
                self.errands.extend(asked.into_iter().map(|helper| Errand::For(helper, ask)));
            }
            self.probes.push(probe);
        }
    }

    fn count_probe(&mut self, guid: &Guid, answered: bool) {
        if let Some(contact) = self.contacts.get_mut(guid) {
            contact.quality.probed(answered);
        }
    }

    /// Neither it nor anybody on its behalf answered.
    fn fail(&mut self, now: Tick, place: u64, probe: &Probe) {
        let missed = probe.helpers.iter().filter(|(_, heard)| !heard).count();
        // Where most helpers are silent too, the trouble may be our own (Lifeguard's "local health").
        if missed * 2 > probe.helpers.len() {
            self.health = (self.health + 1).min(7);
        }
        let Some(incarnation) = self.table.at(place).map(|entry| entry.incarnation) else { return };
        self.cases.note(now, place, Note::Failed(probe.helpers.len(), missed));
        self.accuse(now, place, incarnation, self.accuser());
    }

    /// Up to so many random live peers whom we talk with, and who are no suspects.
    pub(super) fn some_contacts(&mut self, most: usize, without: Option<Guid>) -> Vec<Guid> {
        let mut some: Vec<Guid> = Vec::new();
        let all = self.contacts.all();
        for _ in 0..if all.is_empty() { 0 } else { most * DRAWS } {
            let guid = all[self.rng.random_range(0..all.len())];
            if !some.contains(&guid) && self.is_talking(&guid, without) {
                some.push(guid);
            }
            if some.len() == most {
                return some;
            }
        }
        // Where most of those whom we know are dead, draws find few of the others.
        let talking = self.contacts.all().iter().filter(|guid| self.is_talking(guid, without));
        let left: Vec<Guid> = talking.filter(|guid| !some.contains(guid)).copied().collect();
        some.extend(left.sample(&mut self.rng, most - some.len()).copied());
        some
    }

    /// Whether it is a live peer whom we talk with, no suspect, and not this one.
    fn is_talking(&self, guid: &Guid, without: Option<Guid>) -> bool {
        let contact = self.contacts.get(guid).filter(|contact| contact.heard.is_some() && Some(*guid) != without);
        let entry = contact.and_then(|contact| self.table.at(contact.place));
        entry.is_some_and(|entry| entry.guid == *guid && entry.reach() == Reach::Reachable)
    }

    /// The round's probe goes to one peer after the other. Where probes have a period of their own, to know sooner, some go
    /// to the next on the ring: so everybody has one who asks for it often, and nobody who dies waits long until the first
    /// of all the others has its turn.
    pub(super) fn probe_next(&mut self, now: Tick) {
        if self.probes.iter().any(|probe| probe.own) {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let sooner = self.period < self.timer && self.live() > NEIGHBOUR as usize;
        let neighbour = sooner && self.turn.is_multiple_of(NEIGHBOUR);
        let target = match self.select {
            PeerSelect::Random => self.random(),
            _ if neighbour => self.others().next(),
            PeerSelect::OldestFirst | PeerSelect::Both => {
                self.table.oldest().and_then(|place| self.table.at(place)).map(|entry| entry.guid)
            }
        };
        if let Some(guid) = target {
            self.begin_probe(now, guid, true);
        }
    }
}
