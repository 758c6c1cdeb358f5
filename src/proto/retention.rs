//! [`Retention`]: the network's law on what is kept. Which records a node holds follows from the set of records alone and
//! from one date, the *horizon*, whatever came in which order: so all nodes end with equal sets.
//!
//! - The latest settings record, by (date, GUID), holds; it never leaves. One that was replaced ages like any record.
//! - Where it names a `max_age`, records older than the horizon leave. The horizon is this node's clock less `max_age`, in
//!   steps of a 64th of `max_age`, or the highest that others named, at most one step past that: so a clock that is ahead
//!   takes no more than a step from others, and clocks that differ by less than a step end up with one horizon. Where a
//!   clock was ahead and is set back, its node's horizon goes back with it, and what it forgot alone comes again. No disk
//!   keeps a horizon: whoever lost the settings has none, like one who never had them.
//! - A forget record takes all messages of its origin up to a date. It is not taken by another, and ages like any record:
//!   what it covers is older than it is, so nothing comes back.
//!
//! What leaves is out of the ledger at once and not taken in again; from the disk it goes later (see `gone`), so that a
//! node that still lists it is recognised as late instead of being asked for it. Where `max_age` is changed, the horizon
//! is found anew: what a longer time spares, and some node still holds, is taken in again by all.

mod gone;
mod silences;

pub use gone::Left;
pub use silences::Silence;

use crate::proto::decree::{Decree, Forget, Terms};
use crate::proto::gossip::{Guid, Key, Line};
use crate::proto::time::Timestamp;
use gone::Gone;
pub(super) use silences::Silences;
use std::collections::BTreeMap;

/// Steps of the horizon in one `max_age`.
const STEPS: u64 = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Retention {
    terms: Terms,
    /// The settings record that holds.
    settings: Option<Key>,
    /// Up to when the messages of an origin are forgotten.
    forgets: BTreeMap<Guid, Timestamp>,
    horizon: Timestamp,
    /// What left.
    pub(crate) gone: Gone,
    /// Who is not reached.
    pub(super) silences: Silences,
}

impl Retention {
    /// What the network's settings say; nothing is limited where there are none.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The settings record that holds.
    pub fn settings(&self) -> Option<Key> {
        self.settings
    }

    /// How many records left and are on the disk still.
    pub fn left(&self) -> usize {
        self.gone.len()
    }

    /// Records older than this leave; 0: none do.
    pub fn horizon(&self) -> Timestamp {
        self.horizon
    }

    /// Up to when the messages of this origin are forgotten.
    pub fn forgotten(&self, origin: &Guid) -> Option<Timestamp> {
        self.forgets.get(origin).copied()
    }

    /// Why a record is not to be held, if it is not.
    pub fn verdict(&self, line: &Line) -> Option<Left> {
        let date = line.key.date_time;
        let holds = self.settings.is_none_or(|settings| line.key >= settings);
        match line.decree {
            Some(Decree::Settings(_)) if holds => None,
            _ if date < self.horizon => Some(Left::Expired),
            None if self.forgets.get(&line.origin).is_some_and(|&up_to| date <= up_to) => Some(Left::Forgotten),
            _ => None,
        }
    }

    /// A record is held from now on, by this clock: whether the law has changed by it.
    pub(super) fn take(&mut self, clock: Timestamp, line: &Line) -> bool {
        match line.decree {
            Some(Decree::Forget(forget)) => self.forget(forget),
            Some(Decree::Settings(terms)) if self.settings.is_none_or(|settings| line.key > settings) => {
                self.settings = Some(line.key);
                let before = std::mem::replace(&mut self.terms, terms);
                if before.max_age != terms.max_age {
                    self.reset(clock);
                }
                true
            }
            _ => false,
        }
    }

    /// Some decrees left: what is forgotten follows from those that are held still. One whose messages are all older than
    /// the horizon counts as well, as the horizon may go back.
    pub(super) fn recall(&mut self, held: impl Iterator<Item = Decree>) {
        self.forgets.clear();
        for decree in held {
            if let Decree::Forget(forget) = decree {
                self.forget(forget);
            }
        }
    }

    /// Moves the horizon to where this clock has it; whether it has moved on.
    pub(super) fn advance(&mut self, clock: Timestamp) -> bool {
        // A step is what others may have added, another one what a clock may be set back as clocks are.
        let most = self.own(clock).0.saturating_add(self.step().unwrap_or(0).saturating_mul(2));
        if self.horizon.0 > most {
            self.reset(clock);
        }
        self.raise(self.own(clock))
    }

    /// Another node's horizon; whether ours has moved.
    pub(super) fn adopt(&mut self, clock: Timestamp, theirs: Timestamp) -> bool {
        let Some(step) = self.step() else { return false };
        let most = self.own(clock).0.saturating_add(step);
        self.raise(Timestamp((theirs.0 - theirs.0 % step).min(most)))
    }

    /// When, by the clock, this node's horizon moves next.
    pub(super) fn next_step(&self, clock: Timestamp) -> Option<Timestamp> {
        let (step, max_age) = (self.step()?, self.max_age()?);
        Some(Timestamp(self.own(clock).0.saturating_add(step).saturating_add(max_age)))
    }

    /// Panics if a bound is broken.
    pub(super) fn check(&self) {
        self.gone.check();
        self.silences.check();
    }

    fn max_age(&self) -> Option<u64> {
        self.terms.max_age.map(|age| u64::try_from(age.as_micros()).unwrap_or(u64::MAX))
    }

    fn step(&self) -> Option<u64> {
        self.max_age().map(|age| (age / STEPS).max(1))
    }

    /// The horizon by this clock alone.
    fn own(&self, clock: Timestamp) -> Timestamp {
        let (Some(age), Some(step)) = (self.max_age(), self.step()) else { return Timestamp(0) };
        let least = clock.0.saturating_sub(age);
        Timestamp(least - least % step)
    }

    /// What this clock spares may come again.
    fn reset(&mut self, clock: Timestamp) {
        self.horizon = self.own(clock);
        self.gone.release(self.horizon);
    }

    fn raise(&mut self, horizon: Timestamp) -> bool {
        if horizon <= self.horizon || self.terms.max_age.is_none() {
            return false;
        }
        self.horizon = horizon;
        true
    }

    /// Whether this goes further than what was forgotten of its origin before.
    fn forget(&mut self, Forget { origin, up_to }: Forget) -> bool {
        let further = self.forgotten(&origin).is_none_or(|before| up_to > before);
        if further {
            self.forgets.insert(origin, up_to);
        }
        further
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const HOUR: u64 = 3_600_000_000;
    const STEP: u64 = HOUR / STEPS;

    fn line(at: u64, guid: u8, origin: u8, decree: Option<Decree>) -> Line {
        let key = Key { date_time: Timestamp(at), guid: Guid([guid; 16]) };
        Line { key, origin: Guid([origin; 16]), decree }
    }

    fn settings(at: u64, guid: u8, hours: Option<u64>) -> Line {
        let max_age = hours.map(|hours| Duration::from_secs(hours * 3600));
        line(at, guid, 9, Some(Decree::Settings(Terms { max_age, origin_timeout: None })))
    }

    fn forget(at: u64, guid: u8, origin: u8, up_to: u64) -> Line {
        let forget = Forget { origin: Guid([origin; 16]), up_to: Timestamp(up_to) };
        line(at, guid, 9, Some(Decree::Forget(forget)))
    }

    #[test]
    fn the_horizon_moves_in_steps_and_follows_others_by_one_at_most() {
        let mut law = Retention::default();
        let clock = Timestamp(1000 * HOUR + 7);
        assert!(!law.advance(clock) && !law.adopt(clock, clock), "nothing is limited yet");
        assert!(law.take(clock, &settings(1, 1, Some(1))));
        assert_eq!(law.horizon(), Timestamp(999 * HOUR));
        assert!(!law.advance(Timestamp(clock.0 + STEP - 8)));
        assert_eq!(law.next_step(clock), Some(Timestamp(1000 * HOUR + STEP)));
        assert!(law.advance(Timestamp(1000 * HOUR + STEP)));
        assert!(!law.advance(clock), "it does not go back where a clock is set back a little");
        assert!(law.adopt(Timestamp(1000 * HOUR + STEP), Timestamp(u64::MAX)));
        assert_eq!(law.horizon(), Timestamp(999 * HOUR + 2 * STEP), "one step past the own clock's, whoever says what");
    }

    #[test]
    fn a_clock_that_is_set_back_takes_its_horizon_along() {
        let mut law = Retention::default();
        let clock = Timestamp(1000 * HOUR);
        law.take(clock, &settings(1, 1, Some(1)));
        assert!(law.advance(Timestamp(2000 * HOUR)) && law.verdict(&line(1000 * HOUR, 2, 2, None)).is_some());
        assert!(!law.advance(clock), "nothing leaves by it");
        assert_eq!((law.horizon(), law.verdict(&line(1000 * HOUR, 2, 2, None))), (Timestamp(999 * HOUR), None));
    }

    #[test]
    fn the_latest_settings_hold_and_never_age() {
        let mut law = Retention::default();
        let clock = Timestamp(1000 * HOUR);
        let (old, new) = (settings(5, 1, None), settings(6, 0, Some(2)));
        assert!(law.take(clock, &new) && !law.take(clock, &old));
        assert_eq!(law.verdict(&new), None);
        assert_eq!(law.verdict(&old), Some(Left::Expired), "it was replaced, and is old");
        assert_eq!(law.verdict(&settings(6, 1, None)), None, "a later one is to come in");
        assert!(law.take(clock, &settings(7, 0, Some(4))));
        assert_eq!(law.horizon(), Timestamp(996 * HOUR), "a longer time spares more");
        assert!(law.take(clock, &settings(8, 0, None)));
        assert_eq!((law.horizon(), law.verdict(&old)), (Timestamp(0), None));
    }

    #[test]
    fn a_forget_takes_messages_up_to_its_date_and_no_decree() {
        let mut law = Retention::default();
        assert!(law.take(Timestamp(0), &forget(9, 1, 2, 5)));
        assert_eq!(law.verdict(&line(5, 7, 2, None)), Some(Left::Forgotten));
        assert_eq!(law.verdict(&line(6, 7, 2, None)), None);
        assert_eq!(law.verdict(&line(5, 7, 3, None)), None);
        assert_eq!(law.verdict(&Line { origin: Guid([2; 16]), ..forget(4, 3, 8, 1) }), None, "no forget is forgotten");
        assert_eq!(law.verdict(&Line { origin: Guid([2; 16]), ..settings(4, 3, None) }), None);
        assert!(!law.take(Timestamp(0), &forget(10, 4, 2, 4)), "less far is nothing new");
    }

    proptest! {
        /// Whatever comes in which order, the same is held in the end: what some hold is offered again.
        #[test]
        fn the_order_of_arrival_does_not_matter(
            all in proptest::collection::vec((0u64..8, 0u8..30, 0u8..3, 0u8..4, 0u64..8), 1..40),
            shift in 0usize..40,
        ) {
            let made = |&(at, guid, origin, what, n): &(u64, u8, u8, u8, u64)| {
                let at = (1000 + at) * HOUR;
                match what {
                    0 => settings(at, guid, [None, Some(3), Some(7), Some(20)][n as usize % 4]),
                    1 => forget(at, guid, origin, at.min((1000 + n) * HOUR)),
                    _ => line(at, guid, origin, None),
                }
            };
            let mut all: Vec<Line> = all.iter().map(made).collect();
            all.sort_by_key(|line| line.key.guid);
            all.dedup_by_key(|line| line.key.guid);
            let held = |order: &[Line]| {
                let mut law = Retention::default();
                let mut held: Vec<Line> = Vec::new();
                for (hour, line) in (1000..).zip(order.iter().chain(order)) {
                    let clock = Timestamp(hour.min(1010) * HOUR);
                    law.advance(clock);
                    if law.verdict(line).is_none() && !held.contains(line) {
                        law.take(clock, line);
                        held.push(*line);
                    }
                    held.retain(|line| law.verdict(line).is_none());
                    law.recall(held.iter().filter_map(|line| line.decree));
                }
                held.sort_by_key(|line| line.key);
                held
            };
            let one = held(&all);
            let by = shift % all.len();
            all.rotate_left(by);
            all.reverse();
            prop_assert_eq!(one, held(&all));
        }
    }
}
