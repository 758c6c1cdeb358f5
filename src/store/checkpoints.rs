//! The thread that copies SQLite's log into the file (a checkpoint) beside the commits. One in many waits for it, so that
//! the log can begin anew.
//!
//! SQLite syncs the file only where a copy reaches the log's end, and counts as copied what came before that. Should that
//! sync fail, then what earlier copies wrote may be lost, too, and only the log has it: so nothing more is copied until the
//! file is opened anew, and with it the log is counted from its beginning.

use super::{Shared, lock, schema};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// So many pages of the log are copied together.
const ENOUGH: u32 = 1000;
/// Pages of the log at which a commit waits until all of it is copied, so that it begins anew (16 MiB): as long as commits
/// come while it is copied, it does not.
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
    /// Of these, how many there were when copying was last tried: it may fail, and who reads may hold it back.
    tried: u32,
    /// The writer waits until copying all of it was tried.
    wanted: bool,
    ended: bool,
}

impl State {
    fn due(&self) -> bool {
        self.ended || self.wanted || self.pages.saturating_sub(self.tried) >= ENOUGH
    }
}

impl Log {
    /// Has a connection that writes leave the copying to the thread.
    pub fn attach(self: &Arc<Log>, db: &mut Connection) -> rusqlite::Result<()> {
        self.forget();
        let log = self.clone();
        db.wal_hook(Some(move |_: &mut _, pages| {
            log.grown(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }))
    }

    /// No connection writes to this log any more.
    pub fn forget(&self) {
        let mut state = lock(&self.state);
        (state.pages, state.tried) = (0, 0);
    }

    fn grown(&self, pages: u32) {
        let mut state = lock(&self.state);
        if pages < state.pages {
            // It began anew.
            state.tried = 0;
        }
        state.pages = pages;
        if state.due() {
            self.changed.notify_all();
        }
    }

    /// Waits while the log is as long as it may get: until the copying of all of it was tried. For the writer alone.
    pub fn wait(&self) {
        let mut state = lock(&self.state);
        if state.pages < MOST {
            return;
        }
        state.wanted = true;
        self.changed.notify_all();
        let waited = self.changed.wait_while(state, |state| state.wanted && !state.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether the thread has done what there is to do.
    #[cfg(test)]
    pub fn is_copied(&self) -> bool {
        let state = lock(&self.state);
        state.tried > 0 && !state.due()
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
        copy(shared);
        let mut state = lock(&log.state);
        // It may have begun anew meanwhile, or somebody have begun to wait.
        state.tried = pages.min(state.pages);
        state.wanted &= !wanted;
        log.changed.notify_all();
    }
}

/// Copies what no reader holds back.
fn copy(shared: &Shared) {
    let Ok(_gate) = shared.gate.try_read() else { return };
    if lock(&shared.trouble).unsynced {
        return;
    }
    let copied = schema::open_file(&shared.path).and_then(|db| {
        // Only the connection that writes knows whether the file is sound.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    });
    let Err(error) = copied else { return };
    let unsynced = schema::is_failed_sync(&error);
    if unsynced || schema::is_damage(&error) {
        lock(&shared.trouble).unsynced |= unsynced;
        shared.met(&error);
    }
}
