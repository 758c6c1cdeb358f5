//! [`Offsets`]: how a peer's wall clock differs from ours, as HELLO shows it: its answer carries its clock, and was on
//! its way for half of the round trip, give or take the other half. So of the last few the one with the shortest trip is
//! believed, as in NTP's clock filter (RFC 5905, section 10). No decision of the protocol comes of it: it is shown.

use std::time::Duration;

/// Samples that are kept: eight bytes each.
const SAMPLES: usize = 4;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offsets {
    /// Milliseconds by which its clock is ahead, and microseconds of the round trip; the newest first.
    samples: [Option<(i32, u32)>; SAMPLES],
}

impl Offsets {
    /// It answered after this round trip, in the middle of which its clock was ahead of ours by so many microseconds.
    pub(super) fn sample(&mut self, ahead: i64, trip: Duration) {
        self.samples.rotate_right(1);
        // Rounded, not cut; who is wrong by more than three weeks is wrong by about that.
        let millis = ahead.saturating_add(ahead.signum().saturating_mul(500)) / 1000;
        let millis = millis.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        self.samples[0] = Some((millis, u32::try_from(trip.as_micros()).unwrap_or(u32::MAX)));
    }

    /// By how many milliseconds its clock is ahead of ours.
    pub(super) fn best(&self) -> Option<i64> {
        self.samples.iter().flatten().min_by_key(|(_, trip)| *trip).map(|&(ahead, _)| ahead.into())
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
            (i64::MAX, 1, i32::MAX.into()),
            (i64::MIN, 0, i32::MIN.into()),
        ] {
            offsets.sample(ahead, Duration::from_micros(trip));
            assert_eq!(offsets.best(), Some(best), "{ahead} {trip}");
        }
    }
}
