//! The one thread that writes: it takes what is queued, commits it in groups, and answers with receipts.
//!
//! An error of the disk rolls a group back and fails every fact in it; the next group tries again. That is sound after
//! a failed fsync too: SQLite appends to the WAL behind the last commit that it knows, so what may not have reached the
//! disk is written anew before it is synced again.

use super::batch::Batch;
use super::mending::{Mended, Mending};
use super::queue::Job;
use super::spare::Spare;
use super::{NetworkId, Shared, search};
use crate::proto::fact::{Fact, Receipt};
use crate::proto::gossip::Guid;
use rusqlite::TransactionBehavior;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the disk rests after a commit while facts gather for the next: as long as the commit took, at least and at
/// most. So a fact that comes after a rest is committed at once, and a slow disk has time to breathe.
const REST: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What the writer did.
#[derive(Debug)]
pub enum Written {
    /// It committed, or could not: receipts in the order of the facts.
    Receipts(Vec<(NetworkId, Receipt)>),
    /// It deleted records that were damaged: they are to be fetched again.
    Lost(Vec<(NetworkId, Guid)>),
    /// It salvaged a damaged store: what was held before and is not now is to be fetched again.
    Mended(Mended),
}

/// Called after all that the writer does, in the order in which it did it.
pub type OnWritten = Box<dyn Fn(Written) + Send>;

/// The writer's thread.
#[expect(clippy::disallowed_methods, reason = "how long facts wait follows from how fast the disk is")]
pub(super) fn run(shared: &Shared, on_written: &OnWritten) {
    let mut rested = Instant::now();
    let mut mending = Mending::new(rested);
    let mut spare = Spare::new(rested);
    while let Some(group) = shared.queue.next(rested, spare.next) {
        shared.log.wait();
        let began = Instant::now();
        if group.is_empty() {
            let more = index(shared);
            spare.used(began, Instant::now(), more, shared.answered.load(Ordering::Relaxed));
            continue;
        }
        let mut done = commit(shared, &group, on_written);
        if done.as_ref().is_err_and(search::is_index_damage) {
            // No record is to wait for the index of words, nor to be lost with it.
            let _ = commit(shared, &[(NetworkId(0), Job::Reindex)], on_written);
            done = commit(shared, &group, on_written);
        }
        if let Some(mended) = mending.mend(shared) {
            on_written(Written::Mended(mended));
            // Nobody waits in vain because of what is whole again.
            if done.is_err() {
                done = commit(shared, &group, on_written);
            }
        }
        let ended = Instant::now();
        rested = ended + ended.duration_since(began).clamp(REST.0, REST.1);
        spare.busy(ended);
        let receipts = match done {
            Ok(receipts) => {
                shared.succeeded();
                receipts
            }
            Err(error) => {
                if search::is_index_damage(&error) {
                    shared.queue.push(NetworkId(0), Job::Reindex);
                }
                let failed = |(network, job): &(NetworkId, Job)| {
                    failures(job).into_iter().map(|failed| (*network, failed)).collect::<Vec<_>>()
                };
                group.iter().flat_map(failed).collect()
            }
        };
        if !receipts.is_empty() {
            on_written(Written::Receipts(receipts));
        }
    }
}

/// Indexes some rows more; says whether there may be more to do. A disk that refuses is tried again after the next
/// commit.
fn index(shared: &Shared) -> bool {
    let more = search::index(&mut shared.db());
    more.unwrap_or_else(|error| {
        shared.failed(&error);
        if search::is_index_damage(&error) {
            shared.queue.push(NetworkId(0), Job::Reindex);
        }
        false
    })
}

/// What is answered when nothing of a job was kept. An ABANDONED that failed only leaves rubbish for the next start.
fn failures(job: &Job) -> Vec<Receipt> {
    match job {
        Job::Author(all) => all.iter().map(|one| Receipt::Failed(one.gossip.guid())).collect(),
        Job::Fact(Fact::Gossip(gossip)) => vec![Receipt::Failed(gossip.guid())],
        Job::Fact(Fact::Partial(guid, _) | Fact::List(guid, _) | Fact::Piece(guid, _, _)) => {
            vec![Receipt::Failed(*guid)]
        }
        Job::Fact(Fact::Left(..) | Fact::Deleted(_)) => vec![Receipt::Cleared(false)],
        Job::Fact(Fact::Abandoned(_) | Fact::Peer(_) | Fact::Forgotten(_) | Fact::Identity(_))
        | Job::Fact(Fact::Reach(_) | Fact::Silence(..))
        | Job::Condemn(_)
        | Job::Reindex
        | Job::Mend => Vec::new(),
    }
}

fn commit(
    shared: &Shared,
    group: &[(NetworkId, Job)],
    on_written: &OnWritten,
) -> rusqlite::Result<Vec<(NetworkId, Receipt)>> {
    let mut db = shared.db();
    let mut commit = || {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::new(&transaction)?;
        for (network, job) in group {
            batch.apply(*network, job)?;
        }
        let lost = std::mem::take(&mut batch.lost);
        let receipts = batch.finish()?;
        transaction.commit()?;
        // What was deleted first may be held anew.
        if !lost.is_empty() {
            on_written(Written::Lost(lost));
        }
        Ok(receipts)
    };
    commit().inspect_err(|error| shared.failed(error))
}
