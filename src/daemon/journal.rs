//! [`Journal`]: the last lines of this process's log, for who looks at them from afar. Whoever sets up logging puts lines
//! in; a process has one log, so there is one journal.

use crate::api;
use crate::display::{display_safe, rfc3339};
use crate::proto::time::Timestamp;
use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tracing::Level;

/// Lines that are kept.
pub const LINES: usize = 1000;
/// Longest text of a line, in characters.
const TEXT: usize = 1000;

/// See the module.
#[derive(Debug, Default)]
pub struct Journal {
    /// Which run of the process it is of: the time at which it began, in microseconds.
    run: u64,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<(Level, api::LogLine)>,
    /// The number of the last line.
    last: u64,
}

static JOURNAL: LazyLock<Journal> = LazyLock::new(|| Journal { run: super::wall_clock().0, ..Journal::default() });

impl Journal {
    /// This process's.
    pub fn of_process() -> &'static Journal {
        &JOURNAL
    }

    /// Adds a line of this moment.
    pub fn note(&self, level: Level, target: &str, text: &str) {
        self.add(super::wall_clock(), level, target, text);
    }

    /// Adds a line; for one too many, the oldest goes. What strangers sent may be part of it, so it is made safe.
    fn add(&self, at: Timestamp, level: Level, target: &str, text: &str) {
        let text: String = display_safe(text).chars().take(TEXT).collect();
        let mut ring = self.ring();
        ring.last += 1;
        let (seq, name) = (ring.last, level.as_str().to_ascii_lowercase());
        let line = api::LogLine { seq, at: rfc3339(at), level: name, target: target.to_owned(), text };
        ring.lines.push_back((level, line));
        if ring.lines.len() > LINES {
            ring.lines.pop_front();
        }
    }

    /// The number of the last line.
    pub fn last(&self) -> u64 {
        self.ring().last
    }

    /// Lines behind number `after` that are at this level or worse, oldest first, and the number to go on with.
    pub fn after(&self, after: u64, level: Level) -> api::Log {
        let ring = self.ring();
        let kept = ring.lines.iter().filter(|(of, line)| line.seq > after && *of <= level);
        api::Log { lines: kept.map(|(_, line)| line.clone()).collect(), next: ring.last, run: self.run }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Each change to it is complete when it is made.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_by_level_and_made_safe() {
        let journal = Journal::default();
        journal.add(Timestamp(0), Level::WARN, "gossip_node", "evil \u{1b}[2J");
        let log = journal.after(0, Level::INFO);
        assert_eq!((log.next, log.lines[0].text.as_str(), log.lines[0].level.as_str()), (1, "evil \\u{1b}[2J", "warn"));
        for _ in 0..2 * LINES {
            journal.add(Timestamp(0), Level::INFO, "gossip_node", &"x".repeat(2 * TEXT));
        }
        let log = journal.after(0, Level::INFO);
        assert_eq!((log.lines.len(), log.next), (LINES, journal.last()));
        assert_eq!((log.lines[0].seq, log.lines[0].text.len()), (LINES as u64 + 2, TEXT));
        assert_eq!(journal.after(log.next - 1, Level::INFO).lines.len(), 1);
        assert!(journal.after(0, Level::WARN).lines.is_empty());
    }
}
