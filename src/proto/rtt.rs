//! [`Rtt`]: smoothed round-trip time and the retransmission timeout that follows from it (RFC 6298).

use std::time::Duration;

const LEAST: Duration = Duration::from_millis(20);
const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(4);

/// The round-trip times of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rtt {
    smoothed: Option<Duration>,
    variance: Duration,
}

impl Rtt {
    /// Takes a sample. Never feed it the answer to something that was sent twice (Karn's algorithm).
    pub fn sample(&mut self, rtt: Duration) {
        match self.smoothed {
            None => (self.smoothed, self.variance) = (Some(rtt), rtt / 2),
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(rtt)) / 4;
                self.smoothed = Some((smoothed * 7 + rtt) / 8);
            }
        }
    }

    /// The smoothed time, if there was a sample.
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// What almost all answers stay below, by the samples alone: the smoothed time and four variances.
    pub fn patience(&self) -> Option<Duration> {
        self.smoothed.map(|smoothed| smoothed + self.variance * 4)
    }

    /// Whether an answer takes as long as most do.
    pub fn is_usual(&self, rtt: Duration) -> bool {
        self.smoothed
            .is_some_and(|smoothed| rtt >= smoothed / 2 && rtt <= smoothed + (self.variance * 4).max(smoothed / 2))
    }

    /// How long to wait for an answer before asking again, doubled for each of `tries` silences so far.
    pub fn timeout(&self, tries: u32) -> Duration {
        // Samples come in bursts, and the variance within one is no measure of that between two: hence the half.
        let margin = |smoothed: Duration| (self.variance * 4).max(smoothed / 2);
        let once = self.smoothed.map_or(FIRST, |smoothed| (smoothed + margin(smoothed)).max(LEAST));
        once.saturating_mul(1 << tries.min(6)).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_samples_and_doubles_with_silence() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(0), FIRST);
        for _ in 0..50 {
            rtt.sample(Duration::from_millis(100));
        }
        assert_eq!(rtt.smoothed(), Some(Duration::from_millis(100)));
        assert_eq!(rtt.timeout(0), Duration::from_millis(150));
        assert_eq!(rtt.timeout(1), rtt.timeout(0) * 2);
        assert_eq!(rtt.timeout(60), MOST);
    }
}
