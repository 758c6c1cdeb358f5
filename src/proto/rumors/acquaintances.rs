//! With whom a session is opened before there is anything to say, so that a record seldom waits for a handshake: those at
//! whom the table cuts, and the next ones on the ring.

use super::{Rumors, Ways};
use crate::proto::gossip::Guid;
use crate::proto::ring::Range;
use crate::proto::time::Tick;
use rand::RngExt;
use std::time::Duration;

/// Between two sessions opened beforehand.
const ACQUAINTANCE: Duration = Duration::from_millis(500);

impl Rumors {
    /// A peer with whom a session is wanted: for a rumour that waits, or for those to come.
    pub fn poll_stranger(&mut self, now: Tick, ways: &impl Ways) -> Option<Guid> {
        if let Some(stranger) = self.strangers.pop_first() {
            return Some(stranger);
        }
        if self.next_acquaintance > now {
            return None;
        }
        while let Some(distance) = self.table.next_fresh() {
            let behind = Range { from: self.me.wrapping_add(distance), to: self.me };
            if let Some(peer) = ways.ring(behind).next().map(|(_, peer)| peer).filter(|peer| !ways.met(peer)) {
                self.next_acquaintance = now + ACQUAINTANCE;
                return Some(peer);
            }
        }
        // The next ones on the ring are handed what is cut no further.
        let next = ways.ring(Range::all_but(self.me)).take(self.fan * (self.fan + 1)).skip(self.near.0);
        for (_, peer) in next {
            self.near.0 += 1;
            if !ways.met(&peer) {
                self.next_acquaintance = now + ACQUAINTANCE;
                return Some(peer);
            }
        }
        self.next_acquaintance = Tick::NEVER;
        None
    }

    /// Looks for new acquaintances where the network is another than it was.
    pub(super) fn keep_acquainted(&mut self, now: Tick, ways: &impl Ways) {
        let live = ways.live();
        if !self.table.fits(live, self.fan) {
            self.draw_table(now, ways);
        }
        if self.next_acquaintance == Tick::NEVER && self.near.1 != live {
            (self.near, self.next_acquaintance) = ((0, live), now + ACQUAINTANCE);
        }
    }

    pub(super) fn draw_table(&mut self, now: Tick, ways: &impl Ways) {
        let (least, most) = self.timing.table_age;
        let until = now + self.rng.random_range(least..=most.max(least));
        self.table.draw((ways.live(), self.fan), until, &mut self.rng);
        (self.near.1, self.next_acquaintance) = (ways.live(), self.next_acquaintance.min(now + ACQUAINTANCE));
    }
}
