//! [`Spare`]: when the writer has time to spare for the index of words. Records go first: an index that is late is found
//! late, and a record that is late is waited for.

use std::time::{Duration, Instant};

/// The index is filled when nothing was committed for so long, or, where something always is, after this time.
const QUIET: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(1);

/// When the writer has time to spare for the index.
#[derive(Debug)]
pub(super) struct Spare {
    /// When to index next, if there is something to index.
    pub next: Option<Instant>,
    /// Since when there is.
    since: Instant,
    /// Not before this.
    rested: Instant,
    /// When the last commit was, or somebody else was seen to be at work.
    busy: Option<Instant>,
    answered: u64,
}

impl Spare {
    /// There may be something left from the last time.
    pub fn new(now: Instant) -> Spare {
        Spare { next: Some(now + QUIET), since: now, rested: now, busy: None, answered: 0 }
    }

    /// Something was committed: what there is to index waits until the disk is quiet, but not for ever.
    pub fn busy(&mut self, now: Instant) {
        if self.next.is_none() {
            self.since = now;
        }
        self.next = Some((now + QUIET).min(self.since + PATIENCE).max(self.rested));
        self.busy = Some(now);
    }

    /// A batch was indexed. As long as others use the disk, or `answered`, which counts what was read for others, grows, both
    /// are left to them most of the time.
    pub fn used(&mut self, began: Instant, ended: Instant, more: bool, answered: u64) {
        if answered != std::mem::replace(&mut self.answered, answered) {
            self.busy = Some(ended);
        }
        let is_quiet = self.busy.is_none_or(|busy| ended.duration_since(busy) > PATIENCE);
        self.rested = ended + ended.duration_since(began) * if is_quiet { 1 } else { 4 };
        (self.since, self.next) = (ended, more.then_some(self.rested));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "it is about times on the clock")]
mod tests {
    use super::*;

    #[test]
    fn the_index_waits_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut spare = Spare::new(start);
        assert_eq!(spare.next, Some(at(100)), "something may be left");
        spare.used(at(100), at(101), false, 0);
        assert_eq!(spare.next, None);
        for millis in (2000..3000).step_by(50) {
            spare.busy(at(millis));
            assert_eq!(spare.next, Some(at((millis + 100).min(3000))), "{millis}");
        }
        spare.used(at(3000), at(3010), true, 0);
        assert_eq!(spare.next, Some(at(3050)), "others use the disk");
        spare.used(at(5000), at(5010), true, 0);
        assert_eq!(spare.next, Some(at(5020)), "nobody does");
        spare.used(at(6000), at(6010), true, 7);
        assert_eq!(spare.next, Some(at(6050)), "others read");
    }
}
