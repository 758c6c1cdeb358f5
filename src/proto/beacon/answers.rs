//! [`Answers`]: to whom a daemon answered lately, so that beacons which somebody replays make it send next to nothing.

use super::Ignored;
use super::rule::Rule;
use crate::proto::limits::{BEACON_ANSWER_GAP, BEACON_ANSWERS};
use crate::proto::time::Tick;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// The rate in which is answered, whatever the network.
const SECOND: Duration = Duration::from_secs(1);

/// The answers of the last [`BEACON_ANSWER_GAP`], oldest first; there are at most [`BEACON_ANSWERS`] for each second of it.
#[derive(Debug, Default)]
pub struct Answers {
    answered: VecDeque<(Tick, IpAddr)>,
    #[cfg(test)]
    pub(super) lacking: Option<Rule>,
}

impl Answers {
    /// Notes an answer, if one may be sent.
    pub(super) fn admit(&mut self, now: Tick, source: IpAddr) -> Result<(), Ignored> {
        while self.answered.front().is_some_and(|&(at, _)| now.since(at) >= BEACON_ANSWER_GAP) {
            self.answered.pop_front();
        }
        let recent = self.answered.iter().rev().take_while(|&&(at, _)| now.since(at) < SECOND).count();
        if recent >= BEACON_ANSWERS && !self.lacks(Rule::Budget) {
            return Err(Ignored::Budget);
        }
        if self.answered.iter().any(|&(_, other)| other == source) && !self.lacks(Rule::Source) {
            return Err(Ignored::Source);
        }
        self.answered.push_back((now, source));
        Ok(())
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.answered.len()
    }
}
