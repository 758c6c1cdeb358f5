//! [`Silences`]: how long nodes have not been reached, as far as this node can judge. Only time counts in which it was
//! awake and among the more: in which it reached enough nodes that they and itself are more than half of those that it
//! knew when the silence began, itself and the silent one among them. So a laptop that returns, or a small part of a
//! network that was split, holds the silence of all others against nobody.

use crate::proto::fact::Fact;
use crate::proto::gossip::Guid;
use crate::proto::limits::SILENCES;
use crate::proto::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// Nodes are looked at so many times in the time after which they are forgotten.
const LOOKS: u32 = 64;
/// Least and greatest time between two looks.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// The disk is told of a silence so many times in that time.
const KEPT: u32 = 16;

/// One node's silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// How much of it counts.
    pub lasted: Duration,
    /// How many nodes this one knew when it began, itself and the silent one among them.
    pub knew: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Silences {
    all: BTreeMap<Guid, Silence>,
    /// What of each the disk knows.
    kept: BTreeMap<Guid, Duration>,
    last: Tick,
}

impl Silences {
    /// Between two looks, where nodes are forgotten after so long.
    pub fn period(timeout: Duration) -> Duration {
        (timeout / LOOKS).clamp(LOOK.0, LOOK.1)
    }

    /// When the next look is due.
    pub fn next(&self, timeout: Duration) -> Tick {
        self.last + Silences::period(timeout)
    }

    /// Looks at all peers: each with whether it answers. Returns what the disk is to know.
    pub fn look(&mut self, now: Tick, timeout: Duration, peers: &[(Guid, bool)]) -> Vec<Fact> {
        let period = Silences::period(timeout);
        // A longer time since the last look was spent asleep.
        let passed = now.since(self.last).min(period * 2);
        self.last = now;
        let mut facts = Vec::new();
        for (guid, _) in peers.iter().filter(|(_, answers)| *answers) {
            self.all.remove(guid);
            facts.extend(self.kept.remove(guid).map(|_| Fact::Silence(*guid, None)));
        }
        let silent = peers.iter().filter(|(_, answers)| !answers);
        let new: Vec<Guid> = silent.map(|(guid, _)| *guid).filter(|guid| !self.all.contains_key(guid)).collect();
        let reached = peers.iter().filter(|(_, answers)| *answers).count() + 1;
        let knew = u32::try_from(reached + self.all.len() + new.len()).unwrap_or(u32::MAX);
        for guid in new.into_iter().take(SILENCES.saturating_sub(self.all.len())) {
            self.all.insert(guid, Silence { lasted: Duration::ZERO, knew });
        }
        for (&guid, silence) in self.all.iter_mut().filter(|(_, silence)| reached * 2 > silence.knew as usize) {
            silence.lasted += passed;
            let kept = self.kept.get(&guid).copied().unwrap_or_default();
            if silence.lasted >= kept + timeout / KEPT {
                self.kept.insert(guid, silence.lasted);
                facts.push(Fact::Silence(guid, Some(*silence)));
            }
        }
        facts
    }

    /// Who has been silent for longer than that, and for how much longer.
    pub fn longer_than(&self, timeout: Duration) -> impl Iterator<Item = (Guid, Duration)> + '_ {
        let longer = self.all.iter().filter(move |(_, silence)| silence.lasted > timeout);
        longer.map(move |(&guid, silence)| (guid, silence.lasted.saturating_sub(timeout)))
    }

    /// What the disk knew.
    pub fn restore(&mut self, guid: Guid, silence: Silence) {
        if self.all.len() < SILENCES {
            self.all.insert(guid, silence);
            self.kept.insert(guid, silence.lasted);
        }
    }

    /// Nothing is held against this node any more. Returns what the disk is to know.
    pub fn end(&mut self, guid: &Guid) -> Option<Fact> {
        self.all.remove(guid);
        self.kept.remove(guid).map(|_| Fact::Silence(*guid, None))
    }

    /// The same for all.
    pub fn clear(&mut self) -> Vec<Fact> {
        self.all.clear();
        std::mem::take(&mut self.kept).into_keys().map(|guid| Fact::Silence(guid, None)).collect()
    }

    /// The disk knows of none any more: the next look tells it anew.
    pub fn tell_anew(&mut self) {
        self.kept.clear();
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.all.len() <= SILENCES);
        assert!(self.kept.keys().all(|guid| self.all.contains_key(guid)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Silences {
        fn of(&self, guid: &Guid) -> Option<Silence> {
            self.all.get(guid).copied()
        }
    }

    const TIMEOUT: Duration = Duration::from_secs(64);
    const SECOND: Duration = Duration::from_secs(1);

    fn guid(number: u8) -> Guid {
        Guid([number; 16])
    }

    fn peers(answers: &[bool]) -> Vec<(Guid, bool)> {
        answers.iter().enumerate().map(|(number, &answers)| (guid(number as u8), answers)).collect()
    }

    /// Looks so many times, a second apart.
    fn look(silences: &mut Silences, now: &mut Tick, times: u32, answers: &[bool]) -> Vec<Fact> {
        (0..times).flat_map(|_| (*now = *now + SECOND, silences.look(*now, TIMEOUT, &peers(answers))).1).collect()
    }

    #[test]
    fn time_counts_where_more_than_half_are_reached() {
        let (mut silences, mut now) = (Silences::default(), Tick(0));
        look(&mut silences, &mut now, 10, &[true, true, true, true]);
        let facts = look(&mut silences, &mut now, 10, &[false, true, true, true]);
        assert_eq!(silences.of(&guid(0)), Some(Silence { lasted: SECOND * 10, knew: 5 }));
        assert_eq!(facts.len(), 2, "the disk hears now and then");
        // Now it is one of two, of five.
        look(&mut silences, &mut now, 100, &[false, false, false, true]);
        assert_eq!(silences.longer_than(TIMEOUT).count(), 0);
        assert_eq!(silences.of(&guid(0)).map(|silence| silence.lasted), Some(SECOND * 10));
        look(&mut silences, &mut now, 55, &[false, true, true, true]);
        assert_eq!(silences.longer_than(TIMEOUT).collect::<Vec<_>>(), [(guid(0), SECOND)]);
        let facts = look(&mut silences, &mut now, 1, &[true, true, true, true]);
        assert!(matches!(facts[..], [Fact::Silence(_, None)]) && silences.of(&guid(0)).is_none());
        silences.check();
    }

    #[test]
    fn a_disk_that_was_salvaged_is_told_anew() {
        let (mut silences, mut now) = (Silences::default(), Tick(0));
        assert_eq!(look(&mut silences, &mut now, 9, &[false, true, true]).len(), 2);
        assert!(look(&mut silences, &mut now, 1, &[false, true, true]).is_empty());
        silences.tell_anew();
        assert_eq!(look(&mut silences, &mut now, 1, &[false, true, true]).len(), 1);
        silences.check();
    }

    #[test]
    fn those_who_fall_silent_one_by_one_are_all_among_those_known() {
        let (mut silences, mut now) = (Silences::default(), Tick(0));
        look(&mut silences, &mut now, 1, &[true, true, true, true]);
        look(&mut silences, &mut now, 1, &[false, true, true, true]);
        look(&mut silences, &mut now, 1, &[false, false, true, true]);
        look(&mut silences, &mut now, 100, &[false, false, false, true]);
        assert_eq!(silences.of(&guid(2)), Some(Silence { lasted: Duration::ZERO, knew: 5 }));
        // A peer that is not listed any more was known all the same.
        let listed = [(guid(3), true)];
        now = now + SECOND;
        silences.look(now, TIMEOUT, &listed);
        assert_eq!(silences.of(&guid(2)), Some(Silence { lasted: Duration::ZERO, knew: 5 }));
    }

    #[test]
    fn one_of_three_is_forgotten_by_two_and_one_of_two_by_nobody() {
        let (mut silences, mut now) = (Silences::default(), Tick(0));
        look(&mut silences, &mut now, 70, &[false, true]);
        assert_eq!(silences.longer_than(TIMEOUT).count(), 1);
        let mut silences = Silences::default();
        look(&mut silences, &mut now, 500, &[false]);
        assert_eq!(silences.longer_than(TIMEOUT).count(), 0);
    }

    #[test]
    fn time_asleep_does_not_count() {
        let (mut silences, mut now) = (Silences::default(), Tick(0));
        look(&mut silences, &mut now, 5, &[false, true, true]);
        now = now + TIMEOUT * 10;
        look(&mut silences, &mut now, 1, &[false, true, true]);
        assert_eq!(silences.of(&guid(0)).map(|silence| silence.lasted), Some(SECOND * 7));
        let mut again = Silences::default();
        again.restore(guid(0), silences.of(&guid(0)).unwrap());
        assert_eq!(again.of(&guid(0)), silences.of(&guid(0)), "a start goes on with it");
        assert_eq!(again.clear().len(), 1);
        again.check();
    }
}
