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
    /// Such events since answers last came in the time that they take. Without this, where a round trip takes longer than
    /// the timeout, everything would be asked twice, and no answer ever be a sample (RFC 6298, section 5).
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

    /// An answer came, so long after it was asked for: `first`, or again.
    pub fn answered(&mut self, now: Tick, after: Duration, first: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if first {
            let queueing = self.rtt.smoothed().is_some_and(|usual| after > usual * 4 + Duration::from_millis(20));
            if self.sampled < now {
                self.rtt.sample(after);
            }
            (self.silences, self.sampled) = (0, now);
            if queueing {
                return;
            }
        } else if self.rtt.is_usual(after) {
            // It answers the last ask, and no earlier one: datagrams are lost, but nobody is silent.
            self.silences = 0;
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
            flow.answered(Tick(1000), Duration::from_millis(1), true);
        }
        assert_eq!(flow.room(), 128, "it doubles in a round trip at first");
        flow.in_flight = 50;
        flow.lost(Tick(2000), 10);
        flow.lost(Tick(2001), 40);
        assert_eq!((flow.in_flight, flow.room()), (0, 64));
        flow.in_flight = 64;
        for _ in 0..64 {
            flow.answered(Tick(1_000_000), Duration::from_secs(1), false);
        }
        assert_eq!(flow.room(), 65, "then by one a round trip");
    }

    /// Each third answer is lost and asked for again, for ever: that is no reason to wait longer and longer.
    #[test]
    fn answers_to_what_was_asked_again_end_a_silence_where_they_come_in_their_time() {
        let (trip, mut now) = (Duration::from_millis(2), Tick(0));
        let mut flow = Flow::default();
        for _ in 0..20 {
            now = now + trip;
            flow.answered(now, trip, true);
        }
        let usual = flow.timeout(0);
        for _ in 0..20 {
            now = now + flow.timeout(0);
            flow.lost(now, 1);
            now = now + trip;
            flow.answered(now, trip, false);
        }
        assert_eq!(flow.timeout(0), usual);
    }

    /// The way has become longer than the timeout: all is asked for again before its answer can come, until the timeout
    /// has grown beyond the way.
    #[test]
    fn answers_that_come_out_of_their_time_end_no_silence() {
        let mut flow = Flow::default();
        for millisecond in 0..20 {
            flow.answered(Tick(millisecond * 1000), Duration::from_millis(1), true);
        }
        let (way, mut now) = (Duration::from_millis(300), Tick(1_000_000));
        while flow.timeout(0) < way {
            let before = flow.timeout(0);
            now = now + before;
            flow.lost(now, 1);
            flow.answered(now + before / 2, before / 2, false);
            assert!(flow.timeout(0) > before);
        }
        flow.answered(now, way, true);
        assert!(flow.timeout(0) >= way);
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
