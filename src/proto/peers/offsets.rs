//! [`Offsets`]: how a peer's wall clock differs from ours, as HELLO shows it: its answer carries its clock, and was on
//! its way for half of the round trip, give or take the other half. So of the last few the one with the shortest trip is
//! believed, as in NTP's clock filter (RFC 5905, section 10). No decision of the protocol comes of it: it is shown.

use std::time::Duration;

/// Samples that are kept: twelve bytes each.
const SAMPLES: usize = 4;

/// The round trip of a sample that there is not.
const NONE: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offsets {
    /// Milliseconds by which its clock is ahead; the newest first.
    ahead: [i64; SAMPLES],
    /// Microseconds of the round trips.
    trips: [u32; SAMPLES],
}

impl Default for Offsets {
    fn default() -> Offsets {
        Offsets { ahead: [0; SAMPLES], trips: [NONE; SAMPLES] }
    }
}

impl Offsets {
    /// It answered after this round trip, in the middle of which its clock was ahead of ours by so many microseconds.
    pub(super) fn sample(&mut self, ahead: i64, trip: Duration) {
        self.ahead.rotate_right(1);
        self.trips.rotate_right(1);
        // Rounded, not cut.
        self.ahead[0] = ahead.saturating_add(ahead.signum().saturating_mul(500)) / 1000;
        self.trips[0] = u32::try_from(trip.as_micros()).unwrap_or(NONE).min(NONE - 1);
    }

    /// By how many milliseconds its clock is ahead of ours.
    pub(super) fn best(&self) -> Option<i64> {
        let best = self.trips.iter().zip(&self.ahead).min_by_key(|(trip, _)| **trip);
        best.filter(|(trip, _)| **trip != NONE).map(|(_, ahead)| *ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_of_the_last_few_trips_is_believed() {
        let mut offsets = Offsets::default();
        assert_eq!(offsets.best(), None);
        for (ahead, trip, best) in [
            (2_000_400, 900, 2000),
            (2_040_000, 90_000, 2000),
            (-1_999_600, 100, -2000),
            (1, 500, -2000),
            (1, 500, -2000),
            (1, 500, -2000),
            (1, 500, 0),
            // Decades.
            (1_262_304_000_000_000, 1, 1_262_304_000_000),
            (i64::MAX, 1, i64::MAX / 1000),
            (i64::MIN, 0, i64::MIN / 1000),
        ] {
            offsets.sample(ahead, Duration::from_micros(trip));
            assert_eq!(offsets.best(), Some(best), "{ahead} {trip}");
        }
    }
}
