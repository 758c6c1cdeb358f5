//! [`Rate`]: how much a node sent in the last seconds, from samples of its counters.

use crate::api;
use crate::proto::stats::Stats;
use crate::proto::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// What the mean is of.
const SPAN: Duration = Duration::from_secs(10);
/// Between two samples, so that no more than this is missed of the span.
const STEP: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Tick,
    datagrams: u64,
    bytes: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Rate {
    samples: VecDeque<Sample>,
}

impl Rate {
    /// Takes a sample, before the node sends anything more.
    pub fn sample(&mut self, now: Tick, stats: impl FnOnce() -> Stats) {
        if self.samples.back().is_some_and(|last| now.since(last.at) < STEP) {
            return;
        }
        while self.samples.front().is_some_and(|first| now.since(first.at) > SPAN) {
            self.samples.pop_front();
        }
        let stats = stats();
        self.samples.push_back(Sample { at: now, datagrams: stats.datagrams_sent, bytes: stats.bytes_sent });
    }

    /// The mean of the last ten seconds. All that was sent since a sample was sent after it, and nothing is sent
    /// without a sample shortly before: so where the oldest sample is young, what came before it was silence.
    pub fn mean(&self, now: Tick, stats: &Stats) -> api::SendRate {
        let span = now.since(Tick(0)).min(SPAN).max(STEP).as_secs_f64();
        let first = self.samples.iter().find(|sample| now.since(sample.at) <= SPAN);
        let sent = first.map_or((0, 0), |first| {
            (stats.datagrams_sent.saturating_sub(first.datagrams), stats.bytes_sent.saturating_sub(first.bytes))
        });
        let round = |value: f64| (value * 10.0).round() / 10.0;
        api::SendRate {
            datagrams_per_s: round(sent.0 as f64 / span),
            bytes_per_s: round(sent.1 as f64 / span),
            seconds: round(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(datagrams_sent: u64) -> Stats {
        let mut stats = Stats::default();
        (stats.datagrams_sent, stats.bytes_sent) = (datagrams_sent, datagrams_sent * 100);
        stats
    }

    #[test]
    fn a_steady_sender_has_its_rate_and_a_silent_one_none() {
        let mut rate = Rate::default();
        for sent in 0..1000 {
            let now = Tick(sent * 20_000);
            rate.sample(now, || stats(sent));
            assert!(rate.samples.len() <= 42);
        }
        let mean = rate.mean(Tick(20_000_000), &stats(1000));
        assert!((48.0..=51.0).contains(&mean.datagrams_per_s), "{mean:?}");
        assert!((mean.bytes_per_s - mean.datagrams_per_s * 100.0).abs() < 1.0 && mean.seconds == 10.0, "{mean:?}");
        assert_eq!(rate.mean(Tick(40_000_000), &stats(1000)).datagrams_per_s, 0.0);
    }

    #[test]
    fn what_was_sent_after_a_long_silence_is_of_the_whole_span() {
        let mut rate = Rate::default();
        rate.sample(Tick(0), || stats(0));
        rate.sample(Tick(3_600_000_000), || stats(50));
        assert_eq!(rate.mean(Tick(3_601_000_000), &stats(70)).datagrams_per_s, 2.0);
    }

    #[test]
    fn a_young_node_has_the_mean_of_its_life() {
        let mut rate = Rate::default();
        rate.sample(Tick(0), || stats(0));
        let mean = rate.mean(Tick(2_000_000), &stats(20));
        assert_eq!((mean.datagrams_per_s, mean.seconds), (10.0, 2.0));
    }
}
