//! [`Pings`]: peers that somebody here wants an answer of, and how long it took. The round's own probes are in `peers`.

use crate::proto::gossip::Guid;
use crate::proto::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// Peers that are asked at once; for one more, the one asked longest ago goes.
const ASKED: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Pings {
    asked: BTreeMap<Guid, (Tick, Option<Duration>)>,
}

impl Pings {
    /// A peer is asked now.
    pub fn ask(&mut self, now: Tick, peer: Guid) {
        self.asked.insert(peer, (now, None));
        if self.asked.len() > ASKED {
            let oldest = self.asked.iter().min_by_key(|(_, (at, _))| *at).map(|(&peer, _)| peer);
            oldest.map(|peer| self.asked.remove(&peer));
        }
    }

    /// A peer answered what was sent at `stamp`. An answer to anything else says nothing of what was asked.
    pub fn answer(&mut self, now: Tick, peer: &Guid, stamp: Tick) {
        if let Some((at, took @ None)) = self.asked.get_mut(peer)
            && *at == stamp
            && stamp <= now
        {
            *took = Some(now.since(stamp));
        }
    }

    /// How long its answer took, if it came.
    pub fn took(&self, peer: &Guid) -> Option<Duration> {
        self.asked.get(peer)?.1
    }

    /// Panics if the bound is broken.
    pub fn check(&self) {
        assert!(self.asked.len() <= ASKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_what_was_asked_counts() {
        let (mut pings, peer) = (Pings::default(), Guid([1; 16]));
        pings.answer(Tick(5), &peer, Tick(4));
        assert_eq!(pings.took(&peer), None);
        pings.ask(Tick(10), peer);
        for stamp in [Tick(9), Tick(12), Tick(21), Tick(u64::MAX)] {
            pings.answer(Tick(20), &peer, stamp);
            assert_eq!(pings.took(&peer), None, "{stamp:?}");
        }
        pings.answer(Tick(20), &peer, Tick(10));
        pings.answer(Tick(30), &peer, Tick(10));
        assert_eq!(pings.took(&peer), Some(Duration::from_micros(10)));
        pings.ask(Tick(40), peer);
        assert_eq!(pings.took(&peer), None);
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest() {
        let mut pings = Pings::default();
        (0..200).for_each(|number| pings.ask(Tick(number), Guid([number as u8; 16])));
        pings.check();
        pings.answer(Tick(300), &Guid([0; 16]), Tick(0));
        pings.answer(Tick(300), &Guid([199; 16]), Tick(199));
        assert_eq!((pings.took(&Guid([0; 16])), pings.took(&Guid([199; 16])).is_some()), (None, true));
    }
}
