//! The thread that copies SQLite's log into the file (a checkpoint), so that no commit waits for that, but where the disk
//! takes in less than is written.

use super::queue::Job;
use super::{NetworkId, Shared, lock, schema};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// So many pages of the log are copied together.
const ENOUGH: u32 = 1000;
/// Pages of the log at which a commit waits until it begins anew (16 MiB): which it does when all of it is copied.
pub(super) const MOST: u32 = 4 * ENOUGH;

/// How long the log is, and how much of it the file has.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Pages in the log.
    pages: u32,
    /// Of these, how many the file has.
    copied: u32,
    /// How often somebody wanted all of it copied, and how often that was tried since.
    wanted: u64,
    tried: u64,
    ended: bool,
}

impl State {
    fn due(&self) -> bool {
        self.ended || self.tried < self.wanted || self.pages.saturating_sub(self.copied) >= ENOUGH
    }
}

impl Log {
    /// Has a connection that writes leave the copying to the thread.
    pub fn attach(self: &Arc<Log>, db: &mut Connection) -> rusqlite::Result<()> {
        let log = self.clone();
        {
            let mut state = lock(&self.state);
            (state.pages, state.copied) = (0, 0);
        }
        db.wal_hook(Some(move |_: &mut _, pages| {
            log.grown(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }))
    }

    fn grown(&self, pages: u32) {
        let mut state = lock(&self.state);
        if pages < state.pages {
            // It began anew.
            state.copied = 0;
        }
        state.pages = pages;
        if state.due() {
            self.changed.notify_all();
        }
    }

    /// Waits while the log is as long as it may get: until the copying of all of it was tried.
    pub fn wait(&self) {
        let mut state = lock(&self.state);
        if state.pages < MOST || state.copied >= state.pages {
            return;
        }
        state.wanted += 1;
        let mine = state.wanted;
        self.changed.notify_all();
        let waited = self.changed.wait_while(state, |state| state.tried < mine && !state.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends the thread.
    pub fn end(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }
}

/// The thread. What a disk refuses is tried again when the log has grown: until then nothing is lost, as all is in the log.
pub(super) fn run(shared: &Shared) {
    let log = &shared.log;
    loop {
        let state = log.changed.wait_while(lock(&log.state), |state| !state.due());
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return;
        }
        let (wanted, pages) = (state.wanted, state.pages);
        drop(state);
        let copied = copy(shared).unwrap_or(pages);
        let mut state = lock(&log.state);
        // It may have begun anew meanwhile.
        state.copied = copied.min(state.pages);
        state.tried = wanted;
        log.changed.notify_all();
    }
}

/// Copies what no reader holds back; says how many pages of the log the file has then.
fn copy(shared: &Shared) -> Option<u32> {
    let _gate = shared.gate.try_read().ok()?;
    let copied = schema::open_file(&shared.path).and_then(|db| {
        // Only the connection that writes knows whether the file is sound.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2))
    });
    match copied {
        Ok(copied) => u32::try_from(copied).ok(),
        Err(error) => {
            if schema::is_damage(&error) {
                shared.failed(&error);
                shared.queue.push(NetworkId(0), Job::Mend);
            }
            None
        }
    }
}
