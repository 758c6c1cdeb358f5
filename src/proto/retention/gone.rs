//! [`Gone`]: what left the ledger, for as long as it is on the disk: an hour where it was too old, seven days where its
//! origin was forgotten. It is neither asked for nor taken in meanwhile. The disk is told in batches, one at a time, so
//! that deleting a million records keeps nobody waiting.

use crate::proto::fact::Fact;
use crate::proto::gossip::{Guid, Key};
use crate::proto::limits::{LEAVING, REFUSED};
use crate::proto::time::{Tick, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long what was too old stays on the disk.
const HOUR: Duration = Duration::from_secs(3600);
/// How long what was forgotten does.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a record is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Left {
    /// It is older than the network keeps records.
    Expired = 0,
    /// Its origin was forgotten.
    Forgotten = 1,
}

impl Left {
    /// How long the disk keeps it.
    pub fn stays(self) -> Duration {
        match self {
            Left::Expired => HOUR,
            Left::Forgotten => WEEK,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Absent {
    date_time: Timestamp,
    /// In seconds since 1970: when the disk deletes it.
    until: u32,
    /// Why it left; none where the reason is void, so that it may come again.
    left: Option<Left>,
    /// Whether it is on the disk: if not, it was refused before it came there.
    kept: bool,
}

impl Absent {
    fn key(&self, guid: Guid) -> Key {
        Key { date_time: self.date_time, guid }
    }
}

/// A batch for the disk.
#[derive(Clone, Debug)]
enum Batch {
    Left(Left, Timestamp, Arc<[Key]>),
    Deleted(Vec<(Guid, Absent)>),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Gone {
    all: BTreeMap<Guid, Absent>,
    due: BTreeSet<(u32, Guid)>,
    /// How many were refused before they came to the disk.
    refused: usize,
    /// What the disk was not told yet.
    leaving: VecDeque<(Left, u32, Key)>,
    /// What it was told, and did not answer yet.
    told: Option<Batch>,
    /// The disk refused: nothing until then.
    paused: Tick,
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.0 / 1_000_000).unwrap_or(u32::MAX)
}

impl Gone {
    /// Why this record left, if it did.
    pub fn why(&self, guid: &Guid) -> Option<Left> {
        self.all.get(guid)?.left
    }

    /// The first that left and has a GUID in this span.
    pub fn find(&self, low: Guid, high: Guid) -> Option<(Guid, Left)> {
        self.all.range(low..=high).find_map(|(&guid, absent)| Some((guid, absent.left?)))
    }

    /// How many left and are on the disk still.
    pub fn len(&self) -> usize {
        self.all.len() - self.refused
    }

    /// A record that is on the disk leaves, by this clock.
    pub fn leave(&mut self, clock: Timestamp, key: Key, left: Left) {
        let until = seconds(clock).saturating_add(left.stays().as_secs() as u32);
        self.put(key, until, left, true);
        self.leaving.push_back((left, until, key));
    }

    /// A record came that is not to be held: it is not asked for again soon.
    pub fn refuse(&mut self, clock: Timestamp, key: Key, left: Left) {
        if self.refused < REFUSED && !self.all.contains_key(&key.guid) {
            self.put(key, seconds(clock).saturating_add(HOUR.as_secs() as u32), left, false);
        }
    }

    /// One that left before the last start, and is on the disk until then.
    pub fn restore(&mut self, key: Key, left: Left, until: Timestamp, horizon: Timestamp) {
        self.put(key, seconds(until), left, true);
        if left == Left::Expired && key.date_time >= horizon {
            self.all.entry(key.guid).and_modify(|absent| absent.left = None);
        }
    }

    /// Records not older than this may come again.
    pub fn release(&mut self, horizon: Timestamp) {
        let spared = |absent: &&mut Absent| absent.left == Some(Left::Expired) && absent.date_time >= horizon;
        self.all.values_mut().filter(spared).for_each(|absent| absent.left = None);
    }

    /// What the disk is to do next; `held` says whether a record is held, or on its way, again.
    pub fn poll_fact(&mut self, now: Tick, clock: Timestamp, held: impl Fn(&Guid) -> bool) -> Option<Fact> {
        if self.told.is_some() || self.paused > now {
            return None;
        }
        let batch = self.next_leaving(held).or_else(|| self.next_deleted(clock))?;
        self.told = Some(batch.clone());
        Some(match batch {
            Batch::Left(left, until, keys) => Fact::Left(left, until, keys),
            Batch::Deleted(all) => Fact::Deleted(all.iter().map(|&(guid, absent)| absent.key(guid)).collect()),
        })
    }

    /// The disk has done so, or refused and is left alone until `again`.
    pub fn handle_cleared(&mut self, done: bool, again: Tick) {
        let Some(batch) = self.told.take().filter(|_| !done) else { return };
        self.paused = again;
        match batch {
            Batch::Left(left, until, keys) => {
                keys.iter().rev().for_each(|&key| self.leaving.push_front((left, seconds(until), key)));
            }
            Batch::Deleted(all) => all.into_iter().for_each(|(guid, absent)| self.insert(guid, absent)),
        }
    }

    /// When there is something for the disk: by its pause, or by the clock; zero: at once.
    pub fn next(&self) -> Option<(Tick, Timestamp)> {
        if self.told.is_some() {
            return None;
        }
        let at = if self.leaving.is_empty() { u64::from(self.due.first()?.0) * 1_000_000 } else { 0 };
        Some((self.paused, Timestamp(at)))
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert_eq!(self.all.len(), self.due.len());
        assert!(self.refused <= REFUSED && self.refused <= self.all.len());
    }

    fn put(&mut self, key: Key, until: u32, left: Left, kept: bool) {
        self.insert(key.guid, Absent { date_time: key.date_time, until, left: Some(left), kept });
    }

    fn insert(&mut self, guid: Guid, absent: Absent) {
        self.take(&guid);
        self.all.insert(guid, absent);
        self.due.insert((absent.until, guid));
        self.refused += usize::from(!absent.kept);
    }

    fn take(&mut self, guid: &Guid) -> Option<Absent> {
        let absent = self.all.remove(guid)?;
        self.due.remove(&(absent.until, *guid));
        self.refused -= usize::from(!absent.kept);
        Some(absent)
    }

    fn next_leaving(&mut self, held: impl Fn(&Guid) -> bool) -> Option<Batch> {
        let &(left, until, _) = self.leaving.front()?;
        let mut keys = Vec::new();
        while keys.len() < LEAVING
            && let Some((.., key)) = self.leaving.pop_front_if(|next| (next.0, next.1) == (left, until))
        {
            keys.push(key);
        }
        // What may be held again was sent again: it must not leave behind the law's back.
        keys.retain(|key| !held(&key.guid));
        Some(Batch::Left(left, Timestamp(u64::from(until) * 1_000_000), keys.into()))
    }

    fn next_deleted(&mut self, clock: Timestamp) -> Option<Batch> {
        let (now, mut all) = (seconds(clock), Vec::new());
        while all.len() < LEAVING
            && let Some(&(_, guid)) = self.due.first().filter(|(until, _)| *until <= now)
        {
            all.extend(self.take(&guid).filter(|absent| absent.kept).map(|absent| (guid, absent)));
        }
        (!all.is_empty()).then_some(Batch::Deleted(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        let mut guid = [0; 16];
        guid[..8].copy_from_slice(&number.to_be_bytes());
        Key { date_time: Timestamp(number), guid: Guid(guid) }
    }

    const CLOCK: Timestamp = Timestamp(1_000_000_000_000_000);

    fn after(span: Duration) -> Timestamp {
        Timestamp(CLOCK.0 + span.as_micros() as u64)
    }

    #[test]
    fn the_disk_moves_and_deletes_in_batches_one_at_a_time() {
        let mut gone = Gone::default();
        (0..LEAVING as u64 + 5).for_each(|n| gone.leave(CLOCK, key(n), Left::Expired));
        let mut moved = 0;
        while let Some(Fact::Left(_, until, keys)) = gone.poll_fact(Tick(0), CLOCK, |guid| *guid == key(3).guid) {
            assert_eq!(until, after(HOUR));
            moved += keys.len();
            assert!(keys.len() <= LEAVING && gone.poll_fact(Tick(0), CLOCK, |_| false).is_none(), "one at a time");
            gone.handle_cleared(true, Tick(9));
        }
        assert_eq!(moved, LEAVING + 4, "what is held again stays");
        assert!(gone.poll_fact(Tick(0), after(HOUR - Duration::from_secs(1)), |_| false).is_none(), "an hour of grace");
        assert_eq!(gone.why(&key(7).guid), Some(Left::Expired));
        assert!(
            matches!(gone.poll_fact(Tick(0), after(HOUR), |_| false), Some(Fact::Deleted(keys)) if keys.len() == LEAVING)
        );
        gone.handle_cleared(false, Tick(9));
        assert!(gone.poll_fact(Tick(8), after(HOUR), |_| false).is_none(), "the disk is left alone");
        let mut deleted = 0;
        while let Some(Fact::Deleted(keys)) = gone.poll_fact(Tick(9), after(HOUR), |_| false) {
            deleted += keys.len();
            gone.handle_cleared(true, Tick(9));
        }
        assert_eq!((deleted, gone.len(), gone.why(&key(7).guid)), (LEAVING + 5, 0, None));
        gone.check();
    }

    #[test]
    fn why_a_record_left_is_known_still_where_the_disk_does_not_delete_it() {
        let mut gone = Gone::default();
        gone.leave(CLOCK, key(1), Left::Forgotten);
        assert!(matches!(gone.poll_fact(Tick(0), after(WEEK), |_| false), Some(Fact::Left(..))));
        gone.handle_cleared(true, Tick(0));
        assert!(matches!(gone.poll_fact(Tick(0), after(WEEK), |_| false), Some(Fact::Deleted(_))));
        gone.handle_cleared(false, Tick(0));
        assert_eq!(gone.why(&key(1).guid), Some(Left::Forgotten));
    }

    #[test]
    fn what_was_refused_is_remembered_for_an_hour_and_within_bounds() {
        let mut gone = Gone::default();
        (0..REFUSED as u64 + 5).for_each(|n| gone.refuse(CLOCK, key(n), Left::Forgotten));
        assert_eq!((gone.why(&key(0).guid), gone.why(&key(REFUSED as u64).guid)), (Some(Left::Forgotten), None));
        assert_eq!(gone.len(), 0);
        gone.check();
        assert!(gone.poll_fact(Tick(0), after(HOUR), |_| false).is_none(), "there is nothing to delete");
        while gone.poll_fact(Tick(0), after(HOUR), |_| false).is_some() {}
        gone.check();
    }
}
