//! [`Queue`]: what waits for the writer, and when enough of it does to be worth a commit.

use super::{Authored, NetworkId};
use crate::proto::fact::Fact;
use crate::proto::gossip::Key;
use crate::proto::limits::FACT_OVERHEAD;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many jobs do not wait.
const ENOUGH_JOBS: usize = 256;
/// So many bytes do not wait. Of what somebody waits for, a commit takes no more: it would keep the first of them waiting,
/// and then all that is done with them comes at once, while the disk rests.
const ENOUGH_BYTES: usize = 512 << 10;
/// How long facts that can wait do so for others, to be committed with them: nobody acts on them, and the disk would
/// rest after their commit while records wait.
const LAZY: Duration = Duration::from_millis(50);
/// Jobs of one commit at most, so that nobody waits long for its receipt. What is authored together is one, however many
/// records it has: what they take is bounded by their bytes.
const GROUP: usize = 4096;
/// Bytes of one commit at most, unless one job has more.
const GROUP_BYTES: usize = 16 << 20;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Fact(Fact),
    /// Somebody waits for these: one commit for all of them.
    Author(Vec<Authored>),
    /// A reader found this record damaged: delete it if it is.
    Condemn(Key),
    /// The index of words is damaged: make it anew.
    Reindex,
    /// The store is damaged: salvage it.
    Mend,
}

impl Job {
    /// Whether it may wait for others: who is known to whom.
    fn is_lazy(&self) -> bool {
        matches!(self, Job::Fact(Fact::Peer(_) | Fact::Forgotten(_)))
    }

    fn bytes(&self) -> usize {
        FACT_OVERHEAD
            + match self {
                Job::Author(all) => all.iter().map(|one| FACT_OVERHEAD + one.gossip.msg().len()).sum(),
                Job::Fact(Fact::Gossip(gossip)) => gossip.msg().len(),
                Job::Fact(Fact::List(_, bytes) | Fact::Piece(_, _, bytes)) => bytes.len(),
                Job::Fact(Fact::Left(_, _, keys) | Fact::Deleted(keys)) => keys.len() * size_of::<Key>(),
                Job::Fact(_) | Job::Condemn(_) | Job::Reindex | Job::Mend => 0,
            }
    }
}

/// What waits for the writer. The core bounds what it has under way (see `limits`), so nothing is dropped here.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<(NetworkId, Job)>,
    /// Of what is queued.
    bytes: usize,
    /// Of the group being committed.
    in_flight: usize,
    /// Jobs that may wait for others.
    lazy: usize,
    /// Jobs that somebody waits for: each has records that were authored.
    urgent: usize,
    closing: bool,
}

impl State {
    /// Whether all that is queued may wait.
    fn can_wait(&self) -> bool {
        self.lazy == self.jobs.len() && !self.due()
    }

    fn due(&self) -> bool {
        self.closing || self.urgent > 0 || self.jobs.len() >= ENOUGH_JOBS || self.bytes >= ENOUGH_BYTES
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, network: NetworkId, job: Job) {
        let mut state = self.lock();
        state.bytes += job.bytes();
        state.urgent += usize::from(matches!(job, Job::Author(_)));
        let (could_wait, lazy) = (state.can_wait(), job.is_lazy());
        state.lazy += usize::from(lazy);
        state.jobs.push_back((network, job));
        if state.jobs.len() == 1 || could_wait && !lazy || state.due() {
            self.changed.notify_one();
        }
    }

    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Bytes that wait for a commit or are in one.
    pub fn bytes(&self) -> usize {
        let state = self.lock();
        state.bytes + state.in_flight
    }

    /// Waits for a group that is due, or may be committed from `rested` on; where none comes until `idle`, it is empty.
    /// `None`: closed, and nothing is left.
    #[expect(clippy::disallowed_methods, reason = "how long facts wait follows from how fast the disk is")]
    pub fn next(&self, rested: Instant, idle: Option<Instant>) -> Option<Vec<(NetworkId, Job)>> {
        let mut state = self.lock();
        state.in_flight = 0;
        let nothing = |state: &mut State| state.jobs.is_empty() && !state.closing;
        let state = match idle {
            None => self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner),
            Some(idle) => {
                let until = idle.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout_while(state, until, nothing);
                let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                if waited.timed_out() {
                    return Some(Vec::new());
                }
                state
            }
        };
        let lazy = self.changed.wait_timeout_while(state, LAZY, |state| state.can_wait());
        let state = lazy.unwrap_or_else(PoisonError::into_inner).0;
        let rest = rested.saturating_duration_since(Instant::now());
        let gather = self.changed.wait_timeout_while(state, rest, |state| !state.due());
        let mut state = gather.unwrap_or_else(PoisonError::into_inner).0;
        let (mut group, mut authored) = (Vec::new(), 0);
        while let Some((network, job)) = state.jobs.pop_front() {
            let bytes = job.bytes();
            let (urgent, before) = (matches!(job, Job::Author(_)), authored);
            authored += if urgent { bytes } else { 0 };
            let is_full = group.len() >= GROUP || state.in_flight + bytes > GROUP_BYTES;
            if !group.is_empty() && is_full || urgent && before > 0 && authored > ENOUGH_BYTES {
                state.jobs.push_front((network, job));
                break;
            }
            state.in_flight += bytes;
            state.bytes -= bytes;
            state.urgent -= usize::from(urgent);
            state.lazy -= usize::from(job.is_lazy());
            group.push((network, job));
        }
        (!group.is_empty()).then_some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::{Gossip, Guid, Kind};
    use crate::proto::time::Timestamp;
    use bytes::Bytes;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "nothing is waited for")]
    fn a_commit_takes_what_is_worth_one_of_what_somebody_waits_for() {
        let queue = Queue::default();
        let authored = |count: u64| {
            let msg = Bytes::from_static(&[b'x'; 200]);
            let gossip = |at| Gossip::make(Kind::Message, Timestamp(at), Guid([1; 16]), "dove", msg.clone()).unwrap();
            Job::Author((0..count).map(|at| gossip(at).into()).collect())
        };
        for count in [1000, 1000].into_iter().chain([1; 50]) {
            queue.push(NetworkId(1), authored(count));
        }
        let groups = [(); 2].map(|()| queue.next(Instant::now(), None).map(|group| group.len()));
        assert_eq!((groups, queue.bytes() > 0), ([Some(1), Some(51)], true));
        // What nobody waits for keeps nobody waiting.
        let fetched = Job::Fact(Fact::List(Guid([2; 16]), Bytes::from(vec![0; ENOUGH_BYTES])));
        [fetched, authored(1)].into_iter().for_each(|job| queue.push(NetworkId(1), job));
        assert_eq!(queue.next(Instant::now(), None).map(|group| group.len()), Some(2));
        queue.close();
        assert!(queue.next(Instant::now(), None).is_none() && queue.bytes() == 0);
    }
}
