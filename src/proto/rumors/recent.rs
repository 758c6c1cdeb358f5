//! [`Recent`]: the records learnt lately, which a node may still have to pass on. The index is small beside them, since each
//! record passes through it twice.

use crate::proto::gossip::{Guid, Head, Key};
use crate::proto::limits::{RUMOR_AGE, RUMORS};
use crate::proto::time::Tick;
use crate::proto::unordered::Unordered;
use std::collections::VecDeque;

/// A record learnt lately.
pub(super) struct Fresh {
    pub(super) key: Key,
    pub(super) learnt: Tick,
    pub(super) hops: u8,
    /// Whether a range was served for it.
    pub(super) served: bool,
    /// Whether it fits no datagram.
    pub(super) long: bool,
    /// Its head, where that is long and may not be on disk yet.
    pub(super) head: Option<Box<Head>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Recent {
    /// Oldest first; who was dropped, or learnt again, stays until its time is over.
    all: VecDeque<Fresh>,
    /// How many there were before these.
    before: u64,
    /// Which of all that there ever were each one is.
    numbers: Unordered<Guid, u64>,
}

impl Recent {
    pub(super) fn get(&self, guid: &Guid) -> Option<&Fresh> {
        self.all.get(self.index(guid)?)
    }

    pub(super) fn get_mut(&mut self, guid: &Guid) -> Option<&mut Fresh> {
        let index = self.index(guid)?;
        self.all.get_mut(index)
    }

    /// When the last one was learnt.
    pub(super) fn last(&self) -> Option<Tick> {
        self.all.back().map(|fresh| fresh.learnt)
    }

    /// Takes one in, and forgets those that are too old or too many.
    pub(super) fn insert(&mut self, fresh: Fresh) {
        while let Some(oldest) = self.all.front() {
            if fresh.learnt.since(oldest.learnt) < RUMOR_AGE && self.all.len() < RUMORS {
                break;
            }
            if self.numbers.get(&oldest.key.guid) == Some(&self.before) {
                self.numbers.remove(&oldest.key.guid);
            }
            self.all.pop_front();
            self.before += 1;
        }
        self.numbers.insert(fresh.key.guid, self.before + self.all.len() as u64);
        self.all.push_back(fresh);
    }

    /// Forgets one; false if it was not there.
    pub(super) fn remove(&mut self, guid: &Guid) -> bool {
        self.numbers.remove(guid).is_some()
    }

    /// Panics if a bound is broken.
    pub(super) fn check(&self) {
        assert!(self.numbers.len() <= self.all.len() && self.all.len() <= RUMORS);
    }

    fn index(&self, guid: &Guid) -> Option<usize> {
        self.numbers.get(guid).map(|number| (number - self.before) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::time::Timestamp;

    fn fresh(number: u32, at: Tick) -> Fresh {
        let mut guid = Guid([0; 16]);
        guid.0[..4].copy_from_slice(&number.to_le_bytes());
        let key = Key { date_time: Timestamp(at.0), guid };
        Fresh { key, learnt: at, hops: 0, served: false, long: false, head: None }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_number_and_one_learnt_again_is_young() {
        let mut recent = Recent::default();
        let guid = |number| fresh(number, Tick(0)).key.guid;
        for number in 0..=RUMORS as u32 {
            recent.insert(fresh(number, Tick(u64::from(number))));
        }
        recent.check();
        assert!(recent.get(&guid(0)).is_none() && recent.get(&guid(1)).is_some());
        assert!(recent.remove(&guid(2)) && !recent.remove(&guid(2)));
        let later = Tick(0) + RUMOR_AGE;
        recent.insert(fresh(3, later));
        assert!(recent.get(&guid(1)).is_none() && recent.get(&guid(2)).is_none());
        recent.insert(fresh(4, later + RUMOR_AGE));
        recent.check();
        assert_eq!(recent.all.len(), 1, "{:?}", recent.last());
        recent.insert(fresh(4, later + RUMOR_AGE));
        recent.insert(fresh(5, later + RUMOR_AGE * 2));
        recent.check();
        assert!(recent.get(&guid(4)).is_none() && recent.get(&guid(5)).is_some());
    }

    #[test]
    fn one_that_is_learnt_again_stays_for_its_second_time() {
        let mut recent = Recent::default();
        recent.insert(fresh(1, Tick(0)));
        recent.remove(&fresh(1, Tick(0)).key.guid);
        recent.insert(fresh(1, Tick(5)));
        recent.insert(fresh(2, Tick(1) + RUMOR_AGE));
        recent.check();
        assert_eq!(recent.get(&fresh(1, Tick(0)).key.guid).map(|fresh| fresh.learnt), Some(Tick(5)));
    }
}
