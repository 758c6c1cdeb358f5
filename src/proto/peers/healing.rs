//! How the network becomes one again: dead peers are tried, those first whose return is announced.

use super::cases::Note;
use super::{Errand, Peers};
use crate::proto::fact::Fact;
use crate::proto::limits::{DEAD, RETURNS_PER_SECOND};
use crate::proto::time::Tick;
use rand::RngExt;
use std::net::SocketAddr;
use std::time::Duration;

/// Dead peers are drawn this often.
pub(super) const DRAW: Duration = Duration::from_secs(1);
/// One of so many draws that meet a peer which said goodbye is used.
pub(super) const GOODBYES_DRAWN: u32 = 8;
/// Announced returns are followed in so many turns a second.
const TURNS: u64 = 8;

impl Peers {
    /// Dead peers whose return was announced: they are registered with, a few at a time, and one at a time where they are
    /// many: the word of those who met them is faster then, and costs less than to shake hands with each.
    pub(super) fn follow_returns(&mut self, now: Tick) {
        if self.next_return > now || self.returns.untried() == 0 {
            return;
        }
        self.next_return = now + Duration::from_secs(1) / TURNS as u32;
        let are_few = self.returns.untried() as u64 <= RETURNS_PER_SECOND;
        let most = if are_few { RETURNS_PER_SECOND / TURNS } else { 1 };
        for _ in 0..most {
            // From a random place on, or all nodes would turn to the same peer at once.
            let start: u64 = self.rng.random();
            let Some(place) = self.returns.pop(start) else { return };
            self.try_again(now, place);
        }
    }

    /// One dead peer after the other, as long as it stands on the list, and now and then one that did: that heals any split.
    pub(super) fn draw_dead(&mut self, now: Tick) {
        let former = self.former.turn();
        // Others may be at its address by now.
        let is_met = |addr: &SocketAddr| self.contacts.at(*addr).any(|guid| self.is_live(&guid));
        self.errands.extend(former.filter(|addr| !is_met(addr)).map(Errand::Register));
        let dead = self.table.others().len();
        if dead == 0 {
            return;
        }
        self.drawn = (self.drawn + 1) % dead;
        let Some(&place) = self.table.others().get(self.drawn) else { return };
        let Some(entry) = self.table.at(place) else { return };
        if now.since(entry.since()) >= DEAD {
            self.retire(place);
        } else if !entry.reason().is_farewell() || self.rng.random_ratio(1, GOODBYES_DRAWN) {
            self.try_again(now, place);
        }
    }

    fn try_again(&mut self, now: Tick, place: u64) {
        if let Some(entry) = self.table.at(place).filter(|entry| !entry.reach().answers()) {
            self.errands.push_back(Errand::Register(entry.addr()));
            self.cases.note(now, place, Note::Tried);
        }
    }

    /// Takes a dead peer off the list. The disk keeps it for as long as it is tried.
    pub(super) fn retire(&mut self, place: u64) {
        let Some((guid, addr)) = self.table.at(place).map(|entry| (entry.guid, entry.addr())) else { return };
        self.drop_entry(place);
        self.facts.extend(self.former.add(guid, addr).map(Fact::Forgotten));
    }
}
