//! [`Clock`]: the daemon's clocks: the monotonic one, and the wall clock that it is compared with.

use crate::proto::time::{Tick, Timestamp};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// So far the wall clock and ours may drift apart.
const STEP: Duration = Duration::from_secs(1);
/// So far ahead a timer is set at most: what is later is set anew by then.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// A monotonic clock, and where the wall clock stands to it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// What the wall clock said when it began, or would have said by how it goes now.
    pub wall: Timestamp,
}

impl Clock {
    /// Both, as they are now.
    #[expect(clippy::disallowed_methods, reason = "the daemon owns the clocks")]
    pub fn start() -> Clock {
        Clock { began: Instant::now(), wall: wall_clock() }
    }

    /// The time since it began.
    pub fn now(&self) -> Tick {
        Tick(self.began.elapsed().as_micros() as u64)
    }

    /// When a timer for this tick is to go off.
    pub fn instant(&self, at: Tick) -> Instant {
        self.began + Duration::from_micros(at.min(self.now() + AHEAD).0)
    }

    /// The wall clock says this. It may have been set since, or have gone on while this one stood, as where a laptop slept;
    /// of less than a step nothing is made, or the date of one thing would be another one each time that it is shown.
    pub fn compare(&mut self, wall: Timestamp) {
        let began = wall.0.saturating_sub(self.now().0);
        if began.abs_diff(self.wall.0) > STEP.as_micros() as u64 {
            self.wall = Timestamp(began);
        }
    }

    /// What the wall clock would have said at a tick, or will say, if it always goes as it does now: where this host slept,
    /// what was before that is dated later by as long.
    pub fn date(&self, tick: Tick) -> Timestamp {
        Timestamp(self.wall.0.saturating_add(tick.0))
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the daemon owns the clocks")]
pub fn wall_clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_wall_clock_as_it_is_now() {
        let mut clock = Clock::start();
        let (first, tick) = (clock.wall, Tick(5));
        clock.compare(Timestamp(wall_clock().0 + 100_000));
        assert_eq!(clock.date(tick), Timestamp(first.0 + 5), "a drift changes no date");
        const NIGHT: u64 = 8 * 3_600_000_000;
        clock.compare(Timestamp(wall_clock().0 + NIGHT));
        let night = wall_clock().0 + NIGHT;
        assert!(clock.date(clock.now()).0.abs_diff(night) < 1_000_000, "it slept, or was set");
        clock.compare(Timestamp(0));
        assert_eq!(clock.date(tick), Timestamp(5), "no time is before 1970");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how long it is until a timer goes off")]
    fn a_timer_lies_ahead_however_long_the_daemon_has_run() {
        for days in [0, 1, 300, 20_000] {
            let began = Instant::now().checked_sub(days * AHEAD).unwrap();
            let clock = Clock { began, wall: Timestamp(0) };
            let until = |at| clock.instant(at).saturating_duration_since(Instant::now());
            assert!(until(Tick::NEVER) > AHEAD / 2, "after {days} days: {:?}", until(Tick::NEVER));
            let soon = until(clock.now() + STEP);
            assert!(soon > Duration::ZERO && soon <= STEP, "after {days} days: {soon:?}");
        }
    }
}
