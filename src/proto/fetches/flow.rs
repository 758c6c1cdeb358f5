//! [`Flow`]: how much may be under way from one peer: a window in datagrams, as TCP would have it (RFC 5681).

use crate::proto::gossip::Guid;
use crate::proto::rtt::Rtt;
use crate::proto::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// Bursts without feedback stay below what a default socket buffer holds (92 datagrams).
const FIRST_WINDOW: usize = 64;
/// As many as one ask names at once: where half of all asks are in vain by no fault of the pace, few at a time take for ever.
const LEAST_WINDOW: usize = 16;
const MOST_WINDOW: usize = 512;
/// As much is asked for at once, where so much is wanted and half of the window allows it: one by one as the window
/// opens, asking would cost as many datagrams as answering.
const BATCH: usize = 16;

/// What is under way from one peer, and what waits.
pub struct Flow {
    /// Wanted GUIDs to be asked of it.
    pub queue: VecDeque<Guid>,
    /// Answers that we wait for.
    pub in_flight: usize,
    /// From asking to answer, disks included.
    rtt: Rtt,
    /// Whose turn it is: parts of long MSGs, or records.
    pub pieces_next: bool,
    window: usize,
    threshold: usize,
    /// Answers since the window grew last, beyond the threshold.
    credit: usize,
    /// Losses before this belong to one event.
    recovering: Tick,
    /// Such events since the last sample of a round-trip time. Without this, where a round trip takes longer than the
    /// timeout, everything would be asked twice, and no answer ever be a sample (RFC 6298, section 5).
    silences: u32,
    /// When the last sample was taken: answers that come in one datagram are one.
    sampled: Tick,
}

impl Default for Flow {
    fn default() -> Flow {
        let (queue, in_flight, rtt, pieces_next, credit, recovering, silences, sampled) = Default::default();
        let (window, threshold) = (FIRST_WINDOW, MOST_WINDOW);
        Flow { queue, in_flight, rtt, pieces_next, window, threshold, credit, recovering, silences, sampled }
    }
}

impl Flow {
    /// How long greetings take: better than nothing, while nothing was answered yet.
    pub fn suggest(&mut self, rtt: Rtt) {
        if self.rtt.smoothed().is_none() {
            self.rtt = rtt;
        }
    }

    /// How many more answers may be asked for.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.in_flight)
    }

    /// How long to wait for an answer to what was asked so often in vain.
    pub fn timeout(&self, tries: u32) -> Duration {
        self.rtt.timeout(tries.max(self.silences))
    }

    /// How much room there must be to ask for any of so many. Never more than half of the window, which is open again
    /// when that much was answered or lost.
    pub fn batch(&self, wanted: usize) -> usize {
        BATCH.min(self.window / 2).min(wanted)
    }

    /// An answer came; `rtt` is how long that took, where it was asked for only once.
    pub fn answered(&mut self, now: Tick, rtt: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(rtt) = rtt {
            let queueing = self.rtt.smoothed().is_some_and(|usual| rtt > usual * 4 + Duration::from_millis(20));
            if self.sampled < now {
                self.rtt.sample(rtt);
            }
            (self.silences, self.sampled) = (0, now);
            if queueing {
                return;
            }
        }
        if self.recovering > now {
            return;
        }
        self.credit += if self.window < self.threshold { self.window } else { 1 };
        if self.credit >= self.window {
            self.credit = 0;
            self.window = (self.window + 1).min(MOST_WINDOW);
        }
    }

    /// `count` answers did not come. The window is halved once a round trip, however many that were.
    pub fn lost(&mut self, now: Tick, count: usize) {
        self.in_flight = self.in_flight.saturating_sub(count);
        if self.recovering <= now {
            self.window = (self.window / 2).max(LEAST_WINDOW);
            self.threshold = self.window;
            self.credit = 0;
            self.recovering = now + self.timeout(0);
            self.silences += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_with_answers_and_is_halved_once_by_a_burst_of_losses() {
        let mut flow = Flow { in_flight: 64, ..Flow::default() };
        assert_eq!(flow.room(), 0);
        for _ in 0..64 {
            flow.answered(Tick(1000), Some(Duration::from_millis(1)));
        }
        assert_eq!(flow.room(), 128, "it doubles in a round trip at first");
        flow.in_flight = 50;
        flow.lost(Tick(2000), 10);
        flow.lost(Tick(2001), 40);
        assert_eq!((flow.in_flight, flow.room()), (0, 64));
        flow.in_flight = 64;
        for _ in 0..64 {
            flow.answered(Tick(1_000_000), None);
        }
        assert_eq!(flow.room(), 65, "then by one a round trip");
    }

    #[test]
    fn the_window_never_closes() {
        let mut flow = Flow::default();
        for second in 0..100 {
            flow.lost(Tick(second * 10_000_000), 1);
        }
        assert_eq!(flow.room(), LEAST_WINDOW);
    }
}
