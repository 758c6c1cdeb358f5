//! [`Schedule`]: when a node's own beacons are due: often at first, seldom after.

use crate::proto::time::Tick;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::time::Duration;

/// The first leaves within this time: hosts that start together do not speak together.
const SPREAD: Duration = Duration::from_millis(200);
/// Between the first two; then twice that, and so on.
const FIRST_GAP: Duration = Duration::from_secs(1);
const MOST_GAP: Duration = Duration::from_secs(30);
/// Each gap is that, times something of this.
const JITTER: std::ops::Range<f64> = 0.8..1.2;

#[derive(Debug)]
pub(super) struct Schedule {
    next: Tick,
    gap: Duration,
}

impl Schedule {
    /// From the beginning.
    pub(super) fn start(now: Tick, rng: &mut ChaCha8Rng) -> Schedule {
        Schedule { next: now + SPREAD.mul_f64(rng.random_range(0.0..1.0)), gap: FIRST_GAP }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Tick {
        self.next
    }

    /// Whether one is due; the next is later.
    pub(super) fn due(&mut self, now: Tick, rng: &mut ChaCha8Rng) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + self.gap.mul_f64(rng.random_range(JITTER));
            self.gap = (self.gap * 2).min(MOST_GAP);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn gaps_double_from_one_second_to_thirty_and_no_two_nodes_keep_step() {
        let gaps = |seed| {
            let mut rng = ChaCha8Rng::from_seed([seed; 32]);
            let mut schedule = Schedule::start(Tick(7), &mut rng);
            assert!(schedule.next() < Tick(7) + SPREAD && !schedule.due(Tick(6), &mut rng));
            let gaps = (0..9).map(|_| {
                let now = schedule.next();
                assert!(schedule.due(now, &mut rng) && !schedule.due(now, &mut rng));
                schedule.next().since(now).as_secs_f64()
            });
            gaps.collect::<Vec<f64>>()
        };
        for (gap, wanted) in gaps(1).into_iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]) {
            assert!((wanted * 0.8..wanted * 1.2).contains(&gap), "{gap} for {wanted}");
        }
        assert_ne!(gaps(1), gaps(2));
    }
}
