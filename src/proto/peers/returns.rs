//! [`Returns`]: dead peers of whom others say that they are back. They are registered with, a few at a time; who is named
//! by as many as a newcomer has to be is listed again before its turn comes, or after a long split of a large network
//! everybody would have to shake hands with everybody.

use super::marks::Marks;
use super::plain::Plain;
use super::sorted::Sorted;
use crate::proto::limits::VOUCHES;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// One that was announced. After a split half of a network is, to each of the other half.
#[derive(Debug)]
struct Return {
    /// The incarnation in which it is back.
    incarnation: u32,
    /// The marks of the addresses of those who say so.
    tellers: Marks<VOUCHES>,
}

/// Dead peers that may be back, by place.
#[derive(Debug, Default)]
pub(super) struct Returns {
    announced: Sorted<Return>,
    /// Those with whom this node did not register yet.
    untried: BTreeSet<u64>,
}

impl Returns {
    /// It was known before this node's last start: it is tried, whatever others say.
    pub(super) fn remember(&mut self, place: u64) {
        self.untried.insert(place);
    }

    /// Somebody says that it is back in this incarnation. Returns how many say so, at most [`VOUCHES`].
    pub(super) fn announce(&mut self, place: u64, incarnation: u32, from: SocketAddr) -> usize {
        let fresh = || Return { incarnation, tellers: Marks::default() };
        let mut is_new = self.announced.insert(place, fresh());
        let Some(back) = self.announced.get_mut(place) else { return 0 };
        if back.incarnation < incarnation {
            (*back, is_new) = (fresh(), true);
        }
        if is_new {
            self.untried.insert(place);
        }
        if back.incarnation > incarnation {
            return 0;
        }
        back.tellers.insert(Plain::new(from).mark());
        back.tellers.len()
    }

    /// The incarnation in which it was said to be back.
    pub(super) fn incarnation(&self, place: u64) -> Option<u32> {
        self.announced.get(place).map(|back| back.incarnation)
    }

    /// Whether it is still to be tried.
    pub(super) fn is_untried(&self, place: u64) -> bool {
        self.untried.contains(&place)
    }

    /// How many are still to be tried.
    pub(super) fn untried(&self) -> usize {
        self.untried.len()
    }

    /// The next to try, from a place on.
    pub(super) fn pop(&mut self, from: u64) -> Option<u64> {
        let next = self.untried.range(from..).next().or(self.untried.first()).copied()?;
        self.untried.remove(&next);
        Some(next)
    }

    /// It is back, or dead again, or nobody we know any more.
    pub(super) fn end(&mut self, place: u64) {
        self.announced.remove(place);
        self.untried.remove(&place);
    }

    /// All of them.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        self.announced.iter().map(|(place, _)| place).chain(self.untried.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_counts_once_and_a_later_incarnation_begins_anew() {
        let mut returns = Returns::default();
        let from = |n: u8| SocketAddr::from(([10, 0, 0, n], 7000));
        let counts = [(5, 1), (5, 1), (5, 2), (4, 3), (6, 1), (5, 3), (6, 2), (6, 3), (6, 4)];
        let counts = counts.map(|(incarnation, n)| returns.announce(9, incarnation, from(n)));
        assert_eq!(counts, [1, 1, 2, 0, 1, 0, 2, 3, 3]);
        assert_eq!((returns.incarnation(9), returns.pop(0), returns.pop(0)), (Some(6), Some(9), None));
        returns.remember(8);
        assert_eq!(returns.places().collect::<Vec<_>>(), [9, 8]);
        returns.end(9);
        assert_eq!((returns.incarnation(9), returns.pop(9)), (None, Some(8)), "around the end of the ring");
    }
}
