//! Whom [`Fetches`] asks for what: which records and parts of long MSGs go into one ask, as far as a peer's window allows,
//! and who is asked next when one does not answer.

use super::Fetches;
use crate::proto::gossip::Guid;
use crate::proto::limits::{GUIDS_PER_ASK, PIECES_PER_ASK, WANTED};
use crate::proto::time::Tick;
use crate::proto::wire::{List, TellMeMore};
use std::collections::BTreeSet;

/// A record that is wanted and not here. It is asked for, parked, or in the queue of at least one holder; it may be in
/// several, and who has room first is asked.
pub(super) struct Want {
    pub(super) holders: Vec<Guid>,
    pub(super) asked: Option<Asked>,
    pub(super) tries: u32,
    /// Its head was here, when there was no place for another long record.
    pub(super) long: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) peer: Guid,
    pub(super) at: Tick,
    pub(super) deadline: Tick,
}

impl Fetches {
    /// What to ask of this peer, as far as its window allows: parts of long MSGs and records in turn.
    pub(super) fn ask(&mut self, now: Tick, peer: Guid) -> Option<TellMeMore> {
        let flow = self.flows.get_mut(&peer)?;
        flow.pieces_next = !flow.pieces_next;
        for pieces_turn in [!flow.pieces_next, flow.pieces_next] {
            if pieces_turn {
                let pieces = self.partials.ask(now, peer, self.flows.get_mut(&peer)?, PIECES_PER_ASK);
                if !pieces.is_empty() {
                    return Some(TellMeMore { pieces: List::new(pieces), ..Default::default() });
                }
            } else {
                let guids = self.ask_records(now, peer);
                if !guids.is_empty() {
                    return Some(TellMeMore { guids: List::new(guids), ..Default::default() });
                }
            }
        }
        None
    }

    pub(super) fn ask_records(&mut self, now: Tick, peer: Guid) -> Vec<Guid> {
        let mut guids = Vec::new();
        while let Some(flow) = self.flows.get_mut(&peer) {
            let batch = flow.batch(guids.len() + flow.queue.len());
            if guids.len() == GUIDS_PER_ASK || flow.room() == 0 || (guids.is_empty() && flow.room() < batch) {
                break;
            }
            let Some(guid) = flow.queue.pop_front() else { break };
            if flow.queue.is_empty() {
                self.waiting.remove(&peer);
            }
            let Some(want) = self.wants.get_mut(&guid).filter(|want| want.asked.is_none()) else { continue };
            if self.parked.contains(&guid) {
                continue;
            }
            if !want.holders.contains(&peer) {
                self.ask_on(guid);
                continue;
            }
            // Where others of its answers come, one that was lost twice is no sign of silence.
            let deadline = now + flow.timeout(want.tries / 2);
            want.asked = Some(Asked { peer, at: now, deadline });
            self.deadlines.insert((deadline, guid));
            flow.in_flight += 1;
            guids.push(guid);
        }
        guids
    }

    /// Ends the wish for a record, as `peer` has sent it; returns who else holds it.
    pub(super) fn answered(&mut self, now: Tick, peer: Guid, guid: &Guid) -> Vec<Guid> {
        let mut holders = self.end_want(now, guid, Some(peer)).map(|want| want.holders).unwrap_or_default();
        if !holders.contains(&peer) {
            holders.push(peer);
        }
        holders
    }

    /// Stops waiting for an answer: it came from `by`, or is not needed any more.
    pub(super) fn unask(&mut self, now: Tick, guid: &Guid, by: Option<Guid>) {
        let Some(want) = self.wants.get_mut(guid) else { return };
        let (asked, tries) = (want.asked.take(), want.tries);
        asked.into_iter().for_each(|asked| self.release(now, guid, asked, tries, by));
    }

    fn release(&mut self, now: Tick, guid: &Guid, asked: Asked, tries: u32, by: Option<Guid>) {
        self.deadlines.remove(&(asked.deadline, *guid));
        let Some(flow) = self.flows.get_mut(&asked.peer) else { return };
        if by == Some(asked.peer) {
            flow.answered(now, now.since(asked.at), tries == 0);
        } else {
            flow.in_flight = flow.in_flight.saturating_sub(1);
        }
    }

    pub(super) fn drop_want(&mut self, guid: &Guid) -> Option<Want> {
        self.end_want(Tick(0), guid, None)
    }

    fn end_want(&mut self, now: Tick, guid: &Guid, by: Option<Guid>) -> Option<Want> {
        let mut want = self.wants.remove(guid)?;
        if let Some(asked) = want.asked.take() {
            self.release(now, guid, asked, want.tries, by);
        }
        if !self.parked.remove(guid) && want.long {
            self.unparked -= 1;
        }
        Some(want)
    }

    /// Queues a record with its next holder, or drops the wish where there is none.
    pub(super) fn ask_on(&mut self, guid: Guid) {
        let Some(want) = self.wants.get(&guid) else { return };
        match want.holders.get(want.tries as usize % want.holders.len().max(1)) {
            Some(_) if want.asked.is_some() || self.parked.contains(&guid) => {}
            Some(&holder) => self.enqueue(guid, holder),
            None => drop(self.drop_want(&guid)),
        }
    }

    pub(super) fn queued(&self, peer: &Guid) -> usize {
        self.flows.get(peer).map_or(0, |flow| flow.queue.len())
    }

    pub(super) fn enqueue(&mut self, guid: Guid, peer: Guid) {
        let queue = &mut self.flows.entry(peer).or_default().queue;
        if queue.len() >= 2 * WANTED {
            // What was told unasked leaves its wish behind.
            let mut seen = BTreeSet::new();
            queue.retain(|guid| self.wants.contains_key(guid) && seen.insert(*guid));
        }
        queue.push_back(guid);
        self.waiting.insert(peer);
    }

    /// There is no place for another long record: this one is asked for again when there is.
    pub(super) fn park(&mut self, now: Tick, peer: Guid, guid: Guid) {
        self.want(guid, peer);
        self.unask(now, &guid, Some(peer));
        let Some(want) = self.wants.get_mut(&guid) else { return };
        want.tries = 0;
        let known = std::mem::replace(&mut want.long, true);
        if self.parked.insert(guid) && known {
            self.unparked -= 1;
        }
    }

    /// Asks again for long records that have a place now: as many as fill one ask, or all.
    pub(super) fn unpark(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let places = self.partials.places().saturating_sub(self.unparked);
        if places < self.parked.len().min(GUIDS_PER_ASK / 4) {
            return;
        }
        for _ in 0..places {
            let Some(guid) = self.parked.pop_first() else { break };
            self.unparked += 1;
            self.ask_on(guid);
        }
    }
}
