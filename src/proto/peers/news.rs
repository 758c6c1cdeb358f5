//! [`News`]: what this node passes on of others, each piece a few times (Das, Gupta, Motivala: *SWIM*, DSN 2002, section
//! 4.1). What was sent least goes first, then what this node found out or has to say of itself, then the newest.

use crate::proto::gossip::Guid;
use crate::proto::limits::{NEWS, UPDATES};
use crate::proto::wire::{Update, Word};
use std::collections::BTreeMap;

/// Of a suspicion several accusers are passed on, since each shortens it; of anything else only the last word.
type Key = (Guid, u32);

/// The less, the sooner it goes: how often it was sent, whether it is somebody else's, and its age, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u64);

const SENT: u64 = 1 << 56;
const OTHERS: u64 = 1 << 55;

impl Rank {
    fn new(own: bool, number: u64) -> Rank {
        Rank(if own { 0 } else { OTHERS } | (OTHERS - 1 - number % OTHERS))
    }

    fn sent(self) -> u32 {
        (self.0 / SENT) as u32
    }

    fn again(self) -> Rank {
        Rank(self.0.saturating_add(SENT))
    }
}

#[derive(Debug)]
struct Item {
    update: Update,
    rank: Rank,
}

/// Updates under way. Where there are too many, what was sent most often goes: pages of the list repair that.
#[derive(Debug, Default)]
pub(super) struct News {
    items: BTreeMap<Key, Item>,
    ranks: BTreeMap<Rank, Key>,
    last: u64,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Passes this on from now on. What was said before of the same node ends with it.
    pub(super) fn push(&mut self, update: Update, own: bool) {
        let suspicion = update.word == Word::Suspect;
        let key = (update.guid, if suspicion { update.accuser } else { 0 });
        let stale: Vec<Key> = (self.items.range((update.guid, 0)..=(update.guid, u32::MAX)))
            .filter(|(_, item)| {
                !suspicion || item.update.word != Word::Suspect || item.update.incarnation != update.incarnation
            })
            .map(|(&key, _)| key)
            .chain([key])
            .collect();
        stale.iter().for_each(|key| self.remove(key));
        if self.items.len() >= NEWS
            && let Some((_, most)) = self.ranks.pop_last()
        {
            self.items.remove(&most);
        }
        self.last += 1;
        let rank = Rank::new(own, self.last);
        self.ranks.insert(rank, key);
        self.items.insert(key, Item { update, rank });
    }

    /// The next pieces, at most so many; each is sent `times` in all.
    pub(super) fn take(&mut self, most: usize, times: u32, into: &mut Vec<Update>) {
        let room = most.min(UPDATES.saturating_sub(into.len()));
        let next: Vec<(Rank, Key)> = std::iter::from_fn(|| self.ranks.pop_first()).take(room).collect();
        for (rank, key) in next {
            let Some(item) = self.items.get_mut(&key) else { continue };
            into.push(item.update);
            if rank.sent() + 1 >= times {
                self.items.remove(&key);
            } else {
                item.rank = rank.again();
                self.ranks.insert(item.rank, key);
            }
        }
    }

    pub(super) fn check(&self) {
        assert!(self.items.len() <= NEWS && self.items.len() == self.ranks.len());
    }

    fn remove(&mut self, key: &Key) {
        if let Some(item) = self.items.remove(key) {
            self.ranks.remove(&item.rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::wire::Address;

    fn update(n: u8, word: Word, accuser: u32) -> Update {
        let addr = Address("10.0.0.1:7000".parse().unwrap());
        Update { guid: Guid([n; 16]), addr, incarnation: 1, word, accuser }
    }

    fn take(news: &mut News, most: usize) -> Vec<(u8, Word, u32)> {
        let mut taken = Vec::new();
        news.take(most, 3, &mut taken);
        news.check();
        taken.iter().map(|update| (update.guid.0[0], update.word, update.accuser)).collect()
    }

    #[test]
    fn what_was_sent_least_goes_first_and_each_goes_a_few_times() {
        let mut news = News::default();
        news.push(update(1, Word::Alive, 0), false);
        assert_eq!(take(&mut news, 1), [(1, Word::Alive, 0)]);
        news.push(update(2, Word::Alive, 0), false);
        news.push(update(3, Word::Alive, 0), true);
        assert_eq!(take(&mut news, 2), [(3, Word::Alive, 0), (2, Word::Alive, 0)]);
        assert_eq!(take(&mut news, 9).len() + take(&mut news, 9).len(), 6);
        assert!(news.is_empty());
    }

    #[test]
    fn the_last_word_holds_and_accusers_stand_side_by_side() {
        let mut news = News::default();
        news.push(update(1, Word::Alive, 0), false);
        news.push(update(1, Word::Suspect, 5), false);
        news.push(update(1, Word::Suspect, 6), false);
        news.push(update(1, Word::Suspect, 6), false);
        assert_eq!(take(&mut news, 9), [(1, Word::Suspect, 6), (1, Word::Suspect, 5)]);
        news.push(update(1, Word::Dead, 6), false);
        assert_eq!(take(&mut news, 9), [(1, Word::Dead, 6)]);
        for n in 0..3 * NEWS {
            let guid = Guid(std::array::from_fn(|i| (n >> (8 * (i % 3))) as u8));
            news.push(Update { guid, ..update(0, Word::Alive, 0) }, false);
            news.check();
        }
        assert_eq!(news.items.len(), NEWS);
    }
}
