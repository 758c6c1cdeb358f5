//! [`Table`]: at which distances from itself on the ring a node cuts a range. Drawn at random, and kept for a while: whom
//! a node passes records on to is random, yet few at a time, so that records share datagrams and sessions.

use crate::proto::ring::Range;
use crate::proto::time::Tick;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::collections::VecDeque;

/// Ring distances, four a level: `R/5^l * (i + jitter) / 5` for i in 1..=4, where R is the whole ring and 5 the fan-out.
#[derive(Default)]
pub(super) struct Table {
    /// In order, without repetition.
    distances: Vec<u64>,
    /// Those that take their place when there are sessions with their peers.
    next: Vec<u64>,
    /// Levels drawn: as many as the number of live peers asked for.
    levels: u32,
    until: Tick,
    /// Of these, those whose peers may need a session, farthest first, and how often that was tried.
    fresh: VecDeque<(u64, u32)>,
}

/// How many times so many nodes can be divided by the fan-out.
fn levels(live: usize, fan: usize) -> u32 {
    let (mut levels, mut left) = (0, live);
    while left > 1 {
        (levels, left) = (levels + 1, left / fan.max(2));
    }
    levels
}

impl Table {
    /// Whether the network has grown or shrunk too much for it.
    pub(super) fn fits(&self, live: usize, fan: usize) -> bool {
        levels(live, fan) == self.levels
    }

    /// Whether it has served its time.
    pub(super) fn is_old(&self, now: Tick) -> bool {
        now >= self.until
    }

    /// Draws new distances.
    pub(super) fn draw(&mut self, (live, fan): (usize, usize), until: Tick, rng: &mut ChaCha8Rng) {
        let (mut distances, mut span) = (Vec::new(), f64::from(u32::MAX) * f64::from(u32::MAX));
        self.levels = levels(live, fan);
        for _ in 0..self.levels {
            for part in 1..fan {
                let jitter: f64 = rng.random_range(-0.5..0.5);
                distances.push((span * (part as f64 + jitter) / fan as f64) as u64);
            }
            span /= fan as f64;
        }
        distances.sort_unstable();
        distances.dedup();
        self.fresh = distances.iter().rev().map(|&distance| (distance, 0)).collect();
        if self.distances.is_empty() {
            self.distances = distances.clone();
        }
        (self.next, self.until) = (distances, until);
    }

    /// The next distance whose peer may need a session, and how often that was tried.
    pub(super) fn next_fresh(&mut self) -> Option<(u64, u32)> {
        let fresh = self.fresh.pop_front();
        if fresh.is_none() && !self.next.is_empty() {
            self.distances = std::mem::take(&mut self.next);
        }
        fresh
    }

    /// Its turn comes again after the others': the handshake may be lost.
    pub(super) fn try_again(&mut self, distance: u64, tries: u32) {
        self.fresh.push_back((distance, tries));
    }

    /// Cuts a range, as seen from `me`, into at most `fan` parts: each cut is the distance nearest to where an equal cut
    /// would be.
    pub(super) fn cut(&self, me: u64, range: Range, fan: usize) -> Vec<Range> {
        let (from, len) = (range.from.wrapping_sub(me), range.len());
        let end = from.saturating_add(len);
        let mut cuts = vec![from];
        for part in 1..fan as u64 {
            let ideal = from.saturating_add(len / fan as u64 * part);
            let last = cuts.last().copied().unwrap_or(from);
            let index = self.distances.partition_point(|&distance| distance < ideal);
            let near = [index.checked_sub(1), Some(index)].into_iter().flatten();
            let near = near.filter_map(|index| self.distances.get(index).copied());
            let cut = near.filter(|&at| at > last && at < end).min_by_key(|&at| at.abs_diff(ideal));
            cuts.extend(cut);
        }
        let ends = cuts.iter().skip(1).copied().chain([from.wrapping_add(len)]);
        let part = |(from, to): (&u64, u64)| Range { from: me.wrapping_add(*from), to: me.wrapping_add(to) };
        cuts.iter().zip(ends).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn table(live: usize) -> Table {
        let (mut table, mut rng) = (Table::default(), ChaCha8Rng::seed_from_u64(7));
        table.draw((live, 5), Tick(10), &mut rng);
        table
    }

    #[test]
    fn the_parts_of_a_range_are_the_range() {
        let table = table(1000);
        for me in [0, 1, u64::MAX / 3, u64::MAX] {
            for range in [Range::all_but(me), Range { from: me.wrapping_add(1 << 40), to: me.wrapping_sub(1 << 50) }] {
                let parts = table.cut(me, range, 5);
                assert!((2..=5).contains(&parts.len()));
                assert_eq!((parts[0].from, parts[parts.len() - 1].to), (range.from, range.to));
                assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from));
                assert!(parts.iter().all(|part| part.len() < range.len() && !part.is_empty()));
            }
        }
    }

    #[test]
    fn it_names_few_peers_until_it_is_old_or_the_network_another() {
        let table = table(1000);
        assert_eq!(table.levels, 4);
        assert!(table.distances.len() <= 16 && table.fresh.len() == table.distances.len());
        assert!(!table.is_old(Tick(9)) && table.is_old(Tick(10)));
        assert!(table.fits(900, 5) && !table.fits(10_000, 5) && !table.fits(20, 5));
    }

    #[test]
    fn other_distances_count_when_their_peers_were_greeted() {
        let (mut table, mut rng) = (table(1000), ChaCha8Rng::seed_from_u64(8));
        while table.next_fresh().is_some() {}
        let before = table.distances.clone();
        table.draw((1000, 5), Tick(20), &mut rng);
        assert!(table.next_fresh().is_some());
        assert_eq!(table.distances, before);
        while table.next_fresh().is_some() {}
        assert_ne!(table.distances, before);
    }
}
