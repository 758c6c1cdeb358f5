//! [`Cases`]: what happened to peers that were in trouble, and [`Peers::explain`], which tells it.

use super::healing::{DRAW, GOODBYES_DRAWN};
use super::{Explanation, Peers, Reach, Reason};
use crate::proto::gossip::Guid;
use crate::proto::limits::{CASES, NOTES, VOUCHES};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It did not answer for so long; so many others were asked.
    Silent(Duration, usize),
    /// A helper said that it answered there, or that it did not.
    Helper(Guid, bool),
    /// Neither it nor so many helpers answered for it, of whom so many said nothing at all.
    Failed(usize, usize),
    /// Somebody, or this node itself, suspects it.
    Suspected(u32, bool),
    /// A peer says that it is dead.
    CalledDead(Guid),
    /// It objected, in this incarnation.
    Objected(u32),
    /// Others say that it is back, in this incarnation.
    Announced(u32),
    /// As many as a newcomer needs say so.
    Vouched,
    /// It said goodbye.
    Goodbye(bool),
    /// Another node shook hands at its address.
    Displaced,
    /// It was registered with again.
    Tried,
    /// It shook hands.
    Met,
}

/// What happened lately to each of the peers that had trouble last.
#[derive(Debug, Default)]
pub(super) struct Cases {
    cases: BTreeMap<u64, VecDeque<(Tick, Note)>>,
    /// When the last thing happened to each.
    latest: BTreeSet<(Tick, u64)>,
}

impl Cases {
    pub(super) fn note(&mut self, now: Tick, place: u64, note: Note) {
        if !self.cases.contains_key(&place)
            && self.cases.len() >= CASES
            && let Some(&(_, oldest)) = self.latest.first()
        {
            self.forget(oldest);
        }
        let notes = self.cases.entry(place).or_default();
        if let Some((at, _)) = notes.back() {
            self.latest.remove(&(*at, place));
        }
        // Trying again and again tells no more than trying once.
        if note == Note::Tried && notes.back().is_some_and(|(_, last)| *last == Note::Tried) {
            notes.pop_back();
        }
        if notes.len() >= NOTES {
            notes.pop_front();
        }
        notes.push_back((now, note));
        self.latest.insert((now, place));
    }

    /// Nobody is known there any more.
    pub(super) fn forget(&mut self, place: u64) {
        if let Some(&(at, _)) = self.cases.remove(&place).as_ref().and_then(VecDeque::back) {
            self.latest.remove(&(at, place));
        }
    }

    pub(super) fn check(&self) {
        assert!(self.cases.len() <= CASES && self.cases.values().all(|notes| notes.len() <= NOTES));
        let latest = self.cases.iter().map(|(&place, notes)| (notes.back().map(|(at, _)| *at), place));
        assert!(latest.map(|(at, place)| (at.unwrap_or_default(), place)).collect::<BTreeSet<_>>() == self.latest);
    }
}

impl Peers {
    /// Why a peer is in its state.
    pub fn explain(&self, guid: &Guid) -> Option<Explanation> {
        let (place, entry) = self.table.find(guid)?;
        let contact = self.contacts.get(guid);
        let mut evidence: Vec<(Tick, String)> = Vec::new();
        let notes = self.cases.cases.get(&place).into_iter().flatten();
        evidence.extend(notes.map(|&(at, note)| (at, self.tell(note))));
        evidence.extend(contact.and_then(|contact| contact.heard).map(|at| (at, "it was last heard".to_owned())));
        evidence.extend(contact.and_then(|contact| contact.met).map(|at| (at, "it last shook hands".to_owned())));
        evidence.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let since = (entry.reason() != Reason::Remembered).then(|| entry.since());
        let (reach, reason) = (entry.reach(), entry.reason());
        Some(Explanation { reach, since, reason, evidence, next: self.next_for(place, reach) })
    }

    fn next_for(&self, place: u64, reach: Reach) -> Option<(Tick, String)> {
        match reach {
            Reach::Suspect => {
                let suspicion = self.suspicions.get(place)?;
                let nodes = suspicion.accusers.len();
                let text = format!(
                    "it counts as dead unless it objects; {nodes} {} it so far",
                    plural(nodes, "node suspects", "nodes suspect")
                );
                Some((suspicion.deadline, text))
            }
            Reach::Unreachable | Reach::Left if self.returns.is_untried(place) => {
                Some((self.next_return, "it is registered with, since others say that it is back".to_owned()))
            }
            Reach::Unreachable | Reach::Left => {
                let (others, entry) = (self.table.others(), self.table.at(place)?);
                let turn = others.iter().position(|other| *other == place)?;
                // The first of them is the one after the last that was drawn.
                let ahead = (turn + others.len() - (self.drawn + 1) % others.len()) % others.len();
                let text = if entry.reason().is_farewell() {
                    format!("its turn comes, one of {GOODBYES_DRAWN} of which it is registered with again")
                } else {
                    "it is registered with again".to_owned()
                };
                Some((self.next_draw + DRAW * ahead as u32, text))
            }
            Reach::Reachable => None,
        }
    }

    fn tell(&self, note: Note) -> String {
        let name = |guid: &Guid| match self.table.find(guid) {
            Some((_, entry)) if !entry.called.is_empty() => self.table.name(entry).to_owned(),
            _ => guid.to_string(),
        };
        match note {
            Note::Silent(wait, 0) => {
                format!("it did not answer within {} ms; nobody else could be asked", wait.as_millis())
            }
            Note::Silent(wait, helpers) => format!(
                "it did not answer within {} ms; {helpers} {} asked to probe it",
                wait.as_millis(),
                plural(helpers, "peer was", "peers were")
            ),
            Note::Helper(guid, true) => format!("it answered {}", name(&guid)),
            Note::Helper(guid, false) => format!("it did not answer {}", name(&guid)),
            Note::Failed(0, _) => "the probe failed".to_owned(),
            Note::Failed(helpers, 0) => {
                format!("the probe failed, also through {helpers} {}", plural(helpers, "peer", "peers"))
            }
            Note::Failed(helpers, missed) => {
                format!(
                    "the probe failed, also through {helpers} {}, of whom {missed} did not report",
                    plural(helpers, "peer", "peers")
                )
            }
            Note::Suspected(_, true) => "this node suspects it".to_owned(),
            Note::Suspected(accuser, false) => match self.signed(accuser) {
                Some(guid) => format!("{} suspects it", name(&guid)),
                None => "another node suspects it".to_owned(),
            },
            Note::CalledDead(guid) => format!("{} says that it is dead", name(&guid)),
            Note::Objected(incarnation) => format!("it objected, in incarnation {incarnation}"),
            Note::Announced(incarnation) => format!("others say that it is back, in incarnation {incarnation}"),
            Note::Vouched => format!("{VOUCHES} peers at different addresses say that it is back"),
            Note::Displaced => "another node shook hands at its address".to_owned(),
            Note::Goodbye(false) => "it said goodbye".to_owned(),
            Note::Goodbye(true) => "it said goodbye, to be back at once".to_owned(),
            Note::Tried => "it was registered with again".to_owned(),
            Note::Met => "it shook hands".to_owned(),
        }
    }

    /// Who signs accusations like this.
    fn signed(&self, accuser: u32) -> Option<Guid> {
        let from = u64::from(accuser) << 32;
        let range = crate::proto::ring::Range { from, to: from.wrapping_add(1 << 32) };
        self.table.range(range).next().map(|(_, entry)| entry.guid)
    }
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
