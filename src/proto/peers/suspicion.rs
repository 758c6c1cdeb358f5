//! [`Suspicions`]: peers that did not answer and may still object. A suspicion is the shorter, the more nodes came to it
//! independently of each other (Dadgar, Phillips, Currey: *Lifeguard*, DSN-W 2018, section IV.B).

use super::marks::Marks;
use super::sorted::Sorted;
use crate::proto::limits::CONFIRMATIONS;
use crate::proto::settings::Timing;
use crate::proto::time::Tick;
use std::collections::BTreeSet;
use std::time::Duration;

/// Below so many peers the time for objecting does not shrink further.
const LEAST_PEERS: usize = 32;

/// One suspicion.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    pub(super) accusers: Marks<{ CONFIRMATIONS + 1 }>,
    pub(super) deadline: Tick,
    /// Its beginning, or when it was last given more time: its deadline counts from there.
    pub(super) extended: Tick,
}

/// Suspicions by the suspect's place on the ring.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    open: Sorted<Suspicion>,
    deadlines: BTreeSet<(Tick, u64)>,
}

impl Suspicions {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn get(&self, place: u64) -> Option<&Suspicion> {
        self.open.get(place)
    }

    /// Somebody suspects it. True if that is new: a first accuser, or one that confirms.
    pub(super) fn accuse(&mut self, now: Tick, place: u64, accuser: u32) -> bool {
        let fresh = Suspicion { accusers: Marks::default(), deadline: Tick::NEVER, extended: now };
        self.open.insert(place, fresh);
        self.open.get_mut(place).is_some_and(|suspicion| suspicion.accusers.insert(accuser))
    }

    /// Sets deadlines anew: `others` live peers who are no suspects could confirm.
    pub(super) fn reckon(&mut self, place: u64, others: usize, span: (Duration, Duration)) {
        let Some(suspicion) = self.open.get_mut(place) else { return };
        self.deadlines.remove(&(suspicion.deadline, place));
        suspicion.deadline = suspicion.extended + patience(suspicion.accusers.len().saturating_sub(1), others, span);
        self.deadlines.insert((suspicion.deadline, place));
    }

    /// It shows signs of life, though it has not objected yet: its time starts again.
    pub(super) fn extend(&mut self, now: Tick, place: u64) {
        if let Some(suspicion) = self.open.get_mut(place) {
            suspicion.extended = now;
        }
    }

    pub(super) fn end(&mut self, place: u64) -> Option<Suspicion> {
        let suspicion = self.open.remove(place)?;
        self.deadlines.remove(&(suspicion.deadline, place));
        Some(suspicion)
    }

    /// A suspect whose time is over.
    pub(super) fn due(&self, now: Tick) -> Option<u64> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|&(_, place)| place)
    }

    pub(super) fn next(&self) -> Tick {
        self.deadlines.first().map_or(Tick::NEVER, |&(at, _)| at)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        self.open.iter().map(|(place, _)| place)
    }

    pub(super) fn check(&self) {
        assert_eq!(self.open.len(), self.deadlines.len());
    }
}

/// The least and the longest time for which a node of a network of so many others is suspected.
pub(super) fn span(timing: &Timing, peers: usize) -> (Duration, Duration) {
    let least = timing.suspicion.mul_f64(((peers + 1).max(LEAST_PEERS) as f64).log10());
    (least, least * timing.suspicion_most.max(1))
}

/// How long after so many confirmations, where at most `others` nodes could confirm.
fn patience(confirmations: usize, others: usize, (least, longest): (Duration, Duration)) -> Duration {
    let expected = others.min(CONFIRMATIONS);
    if expected == 0 {
        return least;
    }
    let share = ((confirmations + 1) as f64).ln() / ((expected + 1) as f64).ln();
    longest.saturating_sub((longest - least).mul_f64(share.min(1.0))).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_shorten_a_suspicion_to_its_least() {
        let (least, longest) = span(&Timing::LAN, 99);
        assert_eq!((least.as_millis(), longest.as_millis()), (4000, 16_000));
        assert_eq!(span(&Timing::LAN, 3), span(&Timing::LAN, 31), "small networks are patient too");
        let after = |confirmations, others| patience(confirmations, others, (least, longest)).as_millis();
        assert_eq!([0, 1, 2, 3, 4].map(|confirmations| after(confirmations, 90)), [16_000, 10_000, 6490, 4000, 4000]);
        assert_eq!(after(0, 0), 4000, "nobody else is there");
        assert_eq!([after(0, 1), after(1, 1)], [16_000, 4000]);
        assert_eq!(after(2, 2), 4000);
    }

    #[test]
    fn an_accuser_counts_once() {
        let mut suspicions = Suspicions::default();
        assert!(suspicions.accuse(Tick(0), 7, 1) && !suspicions.accuse(Tick(1), 7, 1));
        suspicions.reckon(7, 5, span(&Timing::LAN, 5));
        let first = suspicions.next();
        for accuser in 2..9 {
            suspicions.accuse(Tick(2), 7, accuser);
            suspicions.reckon(7, 5, span(&Timing::LAN, 5));
            suspicions.check();
        }
        assert!(suspicions.next() < first && suspicions.due(first) == Some(7));
        assert!(suspicions.end(7).is_some() && suspicions.next() == Tick::NEVER);
    }
}
