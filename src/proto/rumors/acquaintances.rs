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
/// Handshakes with one peer, where the first ones are lost.
const TRIES: u32 = 4;

/// The next peers on the ring, of whom each is handed what is cut no further.
#[derive(Default)]
pub(super) struct Near {
    /// How many of them were looked at.
    seen: usize,
    /// Whether one of these had no session.
    strange: bool,
    /// How often all were looked at.
    passes: u32,
    /// How many peers were live then.
    live: usize,
}

impl Rumors {
    /// A peer with whom a session is wanted: for a rumour that waits, or for those to come.
    pub fn poll_stranger(&mut self, now: Tick, ways: &impl Ways) -> Option<Guid> {
        if let Some(stranger) = self.strangers.pop_first() {
            return Some(stranger);
        }
        if self.next_acquaintance > now {
            return None;
        }
        let wanted = self.wanted_by_table(ways).or_else(|| self.wanted_nearby(ways));
        self.next_acquaintance = if wanted.is_some() { now + ACQUAINTANCE } else { Tick::NEVER };
        wanted
    }

    fn wanted_by_table(&mut self, ways: &impl Ways) -> Option<Guid> {
        while let Some((distance, tries)) = self.table.next_fresh() {
            let behind = Range { from: self.me.wrapping_add(distance), to: self.me };
            if let Some(peer) = ways.ring(behind).next().map(|(_, peer)| peer).filter(|peer| !ways.met(peer)) {
                if tries + 1 < TRIES {
                    self.table.try_again(distance, tries + 1);
                }
                return Some(peer);
            }
        }
        None
    }

    fn wanted_nearby(&mut self, ways: &impl Ways) -> Option<Guid> {
        let next = || ways.ring(Range::all_but(self.me)).take(self.fan * (self.fan + 1)).map(|(_, peer)| peer);
        while self.near.passes < TRIES {
            for peer in next().skip(self.near.seen) {
                self.near.seen += 1;
                if !ways.met(&peer) {
                    self.near.strange = true;
                    return Some(peer);
                }
            }
            let passes = if self.near.strange { self.near.passes + 1 } else { TRIES };
            self.near = Near { passes, seen: 0, strange: false, ..self.near };
        }
        None
    }

    /// Looks for new acquaintances where the network is another than it was.
    pub(super) fn keep_acquainted(&mut self, now: Tick, ways: &impl Ways) {
        let live = ways.live();
        if !self.table.fits(live, self.fan) {
            self.draw_table(now, ways);
        }
        if self.next_acquaintance == Tick::NEVER && self.near.live != live {
            self.near = Near { live, ..Near::default() };
            self.next_acquaintance = now + ACQUAINTANCE;
        }
    }

    pub(super) fn draw_table(&mut self, now: Tick, ways: &impl Ways) {
        let (least, most) = self.timing.table_age;
        let until = now + self.rng.random_range(least..=most.max(least));
        self.table.draw((ways.live(), self.fan), until, &mut self.rng);
        (self.near.live, self.next_acquaintance) = (ways.live(), self.next_acquaintance.min(now + ACQUAINTANCE));
    }
}
