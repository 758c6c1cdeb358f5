//! What we sent lately: an answer counts only if it names the counter of such a datagram. [`Pending`] remembers each
//! REGISTER, [`Sent`] the ordinary datagrams to one peer, roughly.

use crate::proto::limits::{CHALLENGE_GAP, ECHO, PENDING_REGISTERS};
use crate::proto::time::Tick;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// REGISTERs that wait for an answer, oldest first. A new one takes the place of the oldest when all are taken: the
/// answer to that one is then dropped, and its REGISTER repeated by who wanted it.
#[derive(Debug, Default)]
pub(super) struct Pending {
    registers: VecDeque<Asked>,
}

#[derive(Debug)]
struct Asked {
    at: Tick,
    to: SocketAddr,
    counter: u64,
    dst_session: u64,
}

impl Pending {
    pub(super) fn push(&mut self, now: Tick, to: SocketAddr, counter: u64, dst_session: u64) {
        self.expire(now);
        if self.registers.len() == PENDING_REGISTERS {
            self.registers.pop_front();
        }
        self.registers.push_back(Asked { at: now, to, counter, dst_session });
    }

    /// Whether `from` answers the REGISTER whose counter is `echo`, which counts once. Only a CHALLENGE may come from
    /// another session than the REGISTER was for, hence `session`.
    pub(super) fn take(&mut self, now: Tick, from: SocketAddr, echo: u64, session: Option<u64>) -> bool {
        self.expire(now);
        let is_answer = |asked: &Asked| {
            asked.counter == echo && asked.to == from && session.is_none_or(|session| session == asked.dst_session)
        };
        let found = self.registers.iter().position(is_answer);
        found.and_then(|at| self.registers.remove(at)).is_some()
    }

    fn expire(&mut self, now: Tick) {
        while self.registers.front().is_some_and(|asked| now.since(asked.at) > ECHO) {
            self.registers.pop_front();
        }
    }

    pub(super) fn check(&self) {
        assert!(self.registers.len() <= PENDING_REGISTERS);
        assert!(self.registers.iter().is_sorted_by_key(|asked| asked.at));
    }
}

/// The counters that we gave to datagrams for one peer.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    last: u64,
    /// Two points in time, newest first, with the last counter before each. Whatever is above a mark was sent after
    /// it, so a mark younger than [`ECHO`] proves "lately" without a list of datagrams. Marks are set half that time
    /// apart: what was sent less than half of it ago is always known again.
    marks: [(Tick, u64); 2],
    answered: Option<Tick>,
}

impl Sent {
    /// No datagram yet; the first gets `floor + 1`.
    pub(super) fn new(floor: u64) -> Sent {
        Sent { last: floor, marks: [(Tick(0), floor); 2], answered: None }
    }

    /// The last counter given.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The counter of the next datagram.
    pub(super) fn next(&mut self, now: Tick) -> u64 {
        let [newer, _] = self.marks;
        if now.since(newer.0) >= ECHO / 2 || newer.1 == self.last {
            self.marks = [(now, self.last), newer];
        }
        self.last += 1;
        self.last
    }

    /// The peer has another address now, to which nothing was sent yet.
    pub(super) fn forget(&mut self, now: Tick) {
        self.marks = [(now, self.last); 2];
    }

    /// Whether a CHALLENGE that names counter `echo` is to be answered: we sent it lately, and the last answer to this
    /// peer is [`CHALLENGE_GAP`] old. Counts as that answer.
    pub(super) fn answer(&mut self, now: Tick, echo: u64) -> bool {
        let lately = |&(at, before): &(Tick, u64)| echo > before && now.since(at) <= ECHO;
        let due = self.answered.is_none_or(|at| now.since(at) >= CHALLENGE_GAP);
        let answer = due && echo <= self.last && self.marks.iter().any(lately);
        if answer {
            self.answered = Some(now);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(ms: u64) -> Tick {
        Tick(0) + Duration::from_millis(ms)
    }

    #[test]
    fn what_was_sent_lately_is_known_and_what_was_not_is_not() {
        let sent_every = |gap: u64| {
            let mut sent = Sent::new(100);
            let times: Vec<_> = (0..60).map(|i| 7000 + i * gap).map(|at| (at, sent.next(ms(at)))).collect();
            (sent, times)
        };
        for gap in [1, 100, 1000, 2499, 2500, 4000, 6000] {
            let (sent, times) = sent_every(gap);
            let end = times[59].0;
            for wait in [0, 1, 1000, 2500, 4999, 5000, 5001, 9000] {
                for &(at, counter) in &times {
                    let (age, answer) = (end + wait - at, sent.clone().answer(ms(end + wait), counter));
                    assert!(!answer || age <= 5000, "gap {gap}: answered after {age} ms");
                    assert!(answer || age >= 2500, "gap {gap}: not answered after {age} ms");
                }
                assert!(!sent.clone().answer(ms(end + wait), sent.last() + 1));
                assert!(!sent.clone().answer(ms(end + wait), 100));
            }
        }
    }

    #[test]
    fn one_answer_a_second() {
        let mut sent = Sent::new(0);
        let (first, second) = (sent.next(ms(0)), sent.next(ms(0)));
        assert!(sent.answer(ms(1), first));
        assert!(!sent.answer(ms(1000), second));
        assert!(sent.answer(ms(1001), second));
    }

    #[test]
    fn pending_registers_are_bounded_and_count_once() {
        let mut pending = Pending::default();
        let to = "10.0.0.1:7000".parse().unwrap();
        for counter in 0..=PENDING_REGISTERS as u64 {
            pending.push(ms(0), to, counter, counter + 5);
            pending.check();
        }
        assert!(!pending.take(ms(1), to, 0, None));
        assert!(!pending.take(ms(1), "10.0.0.1:7001".parse().unwrap(), 1, None));
        assert!(!pending.take(ms(1), to, 1, Some(5)));
        assert!(pending.take(ms(1), to, 1, Some(6)));
        assert!(!pending.take(ms(1), to, 1, Some(6)));
        assert!(pending.take(ms(5000), to, 2, None));
        assert!(!pending.take(ms(5001), to, 3, None));
    }
}
