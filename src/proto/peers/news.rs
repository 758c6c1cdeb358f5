//! [`News`]: what this node passes on of others, each piece a few times (Das, Gupta, Motivala: *SWIM*, DSN 2002, section
//! 4.1). What was sent least goes first, then what this node found out or has to say of itself, then the newest.

use crate::proto::gossip::Guid;
use crate::proto::limits::{NEWS, UPDATES};
use crate::proto::wire::{Update, Word};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Of a suspicion several accusers are passed on, since each shortens it; of anything else only the last word.
type Key = (Guid, u32);
type Rank = (u32, bool, Reverse<u64>, Key);

#[derive(Debug)]
struct Item {
    update: Update,
    rank: Rank,
}

/// Updates under way. Where there are too many, what was sent most often goes: pages of the list repair that.
#[derive(Debug, Default)]
pub(super) struct News {
    items: BTreeMap<Key, Item>,
    ranks: BTreeSet<Rank>,
    last: u64,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
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
            && let Some(&(.., most)) = self.ranks.last()
        {
            self.remove(&most);
        }
        self.last += 1;
        let rank = (0, !own, Reverse(self.last), key);
        self.ranks.insert(rank);
        self.items.insert(key, Item { update, rank });
    }

    /// The next pieces, at most so many; each is sent `times` in all.
    pub(super) fn take(&mut self, most: usize, times: u32, into: &mut Vec<Update>) {
        let room = most.min(UPDATES.saturating_sub(into.len()));
        let next: Vec<Rank> = self.ranks.iter().take(room).copied().collect();
        for rank in next {
            let (sent, own, age, key) = rank;
            let Some(item) = self.items.get_mut(&key) else { continue };
            into.push(item.update);
            self.ranks.remove(&rank);
            if sent + 1 >= times {
                self.items.remove(&key);
            } else {
                item.rank = (sent + 1, own, age, key);
                self.ranks.insert(item.rank);
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
