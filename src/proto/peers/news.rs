//! [`News`]: what this node passes on of others, each piece a few times (Das, Gupta, Motivala: *SWIM*, DSN 2002, section
//! 4.1). What was sent least goes first, then what this node found out or has to say of itself, then the newest. Where
//! many joined at once, who is alive is not passed on any more as soon as others turn out to know (Demers et al.,
//! *Epidemic algorithms for replicated database maintenance*, PODC 1987, section 1.4: feedback and a counter).

use super::marks::Marks;
use crate::proto::gossip::Guid;
use crate::proto::limits::{NEWS, UPDATES};
use crate::proto::wire::{Update, Word};
use std::collections::BTreeMap;

/// So many others that list the same nodes as this one know who is alive, so that hardly anybody does not: pages tell him.
const AGREED: usize = 8;

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

    fn is_own(self) -> bool {
        self.0 & OTHERS == 0
    }

    fn again(self) -> Rank {
        Rank(self.0.saturating_add(SENT))
    }
}

fn key(update: &Update) -> Key {
    (update.guid, if update.word == Word::Suspect { update.accuser } else { 0 })
}

/// An update under way.
#[derive(Clone, Copy, Debug)]
struct Piece {
    update: Update,
    rank: Rank,
}

/// Updates under way, each in a slot, found by what they are about and by which goes next. Where there are too many, what
/// was sent most often goes: pages of the list repair that.
#[derive(Debug, Default)]
pub(super) struct News {
    pieces: Vec<Option<Piece>>,
    free: Vec<u32>,
    order: BTreeMap<Rank, u32>,
    nodes: BTreeMap<Key, u32>,
    last: u64,
    /// Who lists the same as we do, and so knows all of these that are alive.
    agreed: Marks<AGREED>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Passes this on from now on. What was said before of the same node ends with it.
    pub(super) fn push(&mut self, update: Update, own: bool) {
        let stays = |before: &Update| {
            let suspected = before.word == Word::Suspect && update.word == Word::Suspect;
            suspected && before.incarnation == update.incarnation && before.accuser != update.accuser
        };
        let before = self.nodes.range((update.guid, 0)..=(update.guid, u32::MAX));
        let stale = before.filter(|(_, slot)| !self.piece(**slot).is_some_and(|piece| stays(&piece.update)));
        let stale: Vec<Key> = stale.map(|(&key, _)| key).collect();
        stale.iter().for_each(|key| self.remove(key));
        if self.len() >= NEWS
            && let Some((_, &most)) = self.order.last_key_value()
            && let Some(most) = self.piece(most).map(|piece| key(&piece.update))
        {
            self.remove(&most);
        }
        if update.word == Word::Alive {
            self.agreed = Marks::default();
        }
        self.last += 1;
        let rank = Rank::new(own, self.last);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.pieces.push(None);
            self.pieces.len() as u32 - 1
        });
        self.order.insert(rank, slot);
        self.nodes.insert(key(&update), slot);
        self.pieces[slot as usize] = Some(Piece { update, rank });
    }

    /// The next pieces, at most so many; each is sent `times` in all.
    pub(super) fn take(&mut self, most: usize, times: u32, into: &mut Vec<Update>) {
        let room = most.min(UPDATES.saturating_sub(into.len()));
        let next: Vec<u32> = std::iter::from_fn(|| self.order.pop_first()).map(|(_, slot)| slot).take(room).collect();
        let mut over = Vec::new();
        for slot in next {
            let Some(piece) = &mut self.pieces[slot as usize] else { continue };
            into.push(piece.update);
            if piece.rank.sent() + 1 >= times {
                over.push(key(&piece.update));
            }
            piece.rank = piece.rank.again();
            self.order.insert(piece.rank, slot);
        }
        over.iter().for_each(|key| self.remove(key));
    }

    /// Somebody, at the address of this mark, lists the same nodes as we do, in the same incarnations.
    pub(super) fn agree(&mut self, mark: u32) {
        if self.agreed.insert(mark) && self.agreed.len() == AGREED {
            let known =
                self.pieces.iter().flatten().filter(|piece| piece.update.word == Word::Alive && !piece.rank.is_own());
            let known: Vec<Key> = known.map(|piece| key(&piece.update)).collect();
            known.iter().for_each(|key| self.remove(key));
        }
    }

    pub(super) fn check(&self) {
        assert!(self.len() <= NEWS && self.len() + self.free.len() == self.pieces.len());
        assert_eq!(self.len(), self.order.len());
        for (slot, piece) in self.pieces.iter().enumerate().filter_map(|(slot, piece)| Some((slot, piece.as_ref()?))) {
            assert_eq!(self.order.get(&piece.rank), Some(&(slot as u32)));
            assert_eq!(self.nodes.get(&key(&piece.update)), Some(&(slot as u32)));
        }
    }

    fn piece(&self, slot: u32) -> Option<&Piece> {
        self.pieces.get(slot as usize)?.as_ref()
    }

    fn remove(&mut self, about: &Key) {
        let Some(slot) = self.nodes.remove(about) else { return };
        if let Some(piece) = self.pieces[slot as usize].take() {
            self.order.remove(&piece.rank);
        }
        self.free.push(slot);
        // There were many, where many came or went at once.
        if self.is_empty() {
            (self.pieces, self.free) = Default::default();
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
        assert_eq!(news.len(), NEWS);
    }

    #[test]
    fn who_is_alive_is_passed_on_until_enough_others_know() {
        let mut news = News::default();
        let alive = |n| update(n, Word::Alive, 0);
        let agree = |news: &mut News, marks: std::ops::Range<u32>| marks.for_each(|mark| news.agree(mark));
        news.push(alive(1), false);
        (0..9).for_each(|_| agree(&mut news, 1..AGREED as u32));
        assert_eq!(news.len(), 1, "each counts once");
        news.push(alive(2), false);
        news.push(update(3, Word::Suspect, 5), false);
        news.push(alive(4), true);
        agree(&mut news, 8..AGREED as u32 + 7);
        assert_eq!(news.len(), 4, "who knew of one need not know of the next");
        agree(&mut news, 1..2);
        assert_eq!(take(&mut news, 9), [(4, Word::Alive, 0), (3, Word::Suspect, 5)]);
    }
}
