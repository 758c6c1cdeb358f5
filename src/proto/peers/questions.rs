//! [`Questions`]: peers whom we list and somebody else does not. They may have died without our hearing of it, so they are
//! probed before their turn, one after the other.

use super::Peers;
use super::probing::DOUBTS;
use crate::proto::gossip::Guid;
use crate::proto::limits::QUESTIONS;
use crate::proto::time::Tick;
use std::collections::VecDeque;

/// Who waits to be probed; of more than there is room for, the next pages show the others again.
#[derive(Debug, Default)]
pub(super) struct Questions {
    waiting: VecDeque<Guid>,
    turn: Tick,
}

impl Questions {
    /// When the next one is probed.
    pub(super) fn next(&self) -> Tick {
        if self.waiting.is_empty() { Tick::NEVER } else { self.turn }
    }

    pub(super) fn push(&mut self, guid: Guid) {
        if self.waiting.len() < QUESTIONS && !self.waiting.contains(&guid) {
            self.waiting.push_back(guid);
        }
    }

    pub(super) fn check(&self) {
        assert!(self.waiting.len() <= QUESTIONS);
    }
}

impl Peers {
    /// Probes the next one, unless it was heard lately.
    pub(super) fn ask_questions(&mut self, now: Tick) {
        while self.questions.next() <= now
            && let Some(guid) = self.questions.waiting.pop_front()
        {
            let heard = self.contacts.get(&guid).and_then(|contact| contact.heard);
            if self.is_live(&guid) && heard.is_none_or(|heard| now.since(heard) >= self.timer) {
                self.questions.turn = now + DOUBTS;
                self.begin_probe(now, guid, false);
            }
        }
    }
}
