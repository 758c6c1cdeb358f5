//! [`Cache`]: a node's view of the disk: what waits to be committed or was read lately, within a bound. What is not
//! here is asked of the store's reader; the node tries again when it has come.

use crate::proto::fact::{Bodies, Body, Fact, LIST, Record};
use crate::proto::gossip::{Gossip, Guid, Key};
use crate::proto::limits::{PARTIALS, PIECE};
use crate::proto::unordered::Unordered;
use crate::store::{Load, Loaded};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes kept at most.
const BYTES: usize = 16 << 20;
/// What an entry costs beside its bytes, for as long as it stands in the order.
const OVERHEAD: usize = 256;

/// See the module.
#[derive(Default)]
pub struct Cache {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: Unordered<Load, Loaded>,
    /// In the order in which they came, those that went since among them.
    order: VecDeque<Load>,
    /// Of all entries, and of all that stand in the order.
    bytes: usize,
    /// Long records that were begun lately, the newest last.
    partials: VecDeque<Key>,
    /// Asked of the reader, or to be.
    missing: Unordered<Load, ()>,
    fresh: Vec<Load>,
}

impl Cache {
    /// Keeps what is on its way to the disk: it will be asked for before it is there.
    pub fn keep(&self, fact: &Fact) {
        match fact {
            Fact::Gossip(gossip) => self.keep_gossip(gossip),
            Fact::Partial(guid, head) => {
                let mut inner = self.inner.borrow_mut();
                if inner.partials.len() >= 2 * PARTIALS {
                    inner.partials.pop_front();
                }
                inner.partials.push_back(Key { date_time: head.date_time(), guid: *guid });
            }
            Fact::List(guid, bytes) => self.keep_piece(guid, LIST, bytes),
            Fact::Piece(guid, index, bytes) => self.keep_piece(guid, *index, bytes),
            Fact::Abandoned(_) | Fact::Peer(_) | Fact::Forgotten(_) | Fact::Reach(_) | Fact::Identity(_) => {}
            Fact::Left(..) | Fact::Deleted(_) | Fact::Silence(..) => {}
        }
    }

    fn keep_piece(&self, guid: &Guid, index: u16, bytes: &Bytes) {
        let key = self.inner.borrow().partials.iter().rev().find(|key| key.guid == *guid).copied();
        if let Some(key) = key {
            self.insert(Load::Piece(key, index), Loaded::Piece(bytes.clone()));
        }
    }

    /// The same, for a record authored here.
    pub fn keep_gossip(&self, gossip: &Gossip) {
        if gossip.msg().len() <= PIECE {
            let record = Record { head: gossip.head().clone(), msg: Some(gossip.msg().clone()) };
            self.insert(Load::Record(gossip.key()), Loaded::Record(Arc::new(record)));
        }
    }

    /// Takes what the reader read.
    pub fn insert(&self, load: Load, loaded: Loaded) {
        let mut inner = self.inner.borrow_mut();
        inner.missing.remove(&load);
        inner.bytes += size(&loaded);
        match inner.entries.insert(load, loaded) {
            Some(before) => inner.bytes -= size(&before),
            None => {
                inner.order.push_back(load);
                inner.bytes += OVERHEAD;
            }
        }
        while inner.bytes > BYTES {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.bytes -= OVERHEAD;
            inner.drop_entry(&oldest);
        }
    }

    /// What is missing and not asked for yet. `ask` says whether the reader takes it; what it does not take is asked
    /// for when it is missed again. False if there was such.
    pub fn ask(&self, mut ask: impl FnMut(Load) -> bool) -> bool {
        let mut inner = self.inner.borrow_mut();
        let mut all = true;
        for load in std::mem::take(&mut inner.fresh) {
            if !ask(load) {
                inner.missing.remove(&load);
                all = false;
            }
        }
        all
    }

    fn look<T>(&self, load: Load, here: impl FnOnce(&Loaded) -> Option<T>) -> Body<T> {
        let mut inner = self.inner.borrow_mut();
        let found = match inner.entries.get(&load) {
            Some(loaded) => here(loaded).map_or(Body::Gone, Body::Here),
            None => {
                if inner.missing.insert(load, ()).is_none() {
                    inner.fresh.push(load);
                }
                return Body::NotYet;
            }
        };
        // A page, or an absence, is true only for a moment.
        if matches!(load, Load::Page { .. }) || matches!(found, Body::Gone) {
            inner.drop_entry(&load);
        }
        found
    }
}

impl Inner {
    fn drop_entry(&mut self, load: &Load) {
        if let Some(gone) = self.entries.remove(load) {
            self.bytes -= size(&gone);
        }
    }
}

fn size(loaded: &Loaded) -> usize {
    match loaded {
        Loaded::Record(record) => record.msg.as_ref().map_or(0, Bytes::len),
        Loaded::Piece(bytes) => bytes.len(),
        Loaded::Page(keys) => size_of_val::<[Key]>(keys),
        Loaded::Gone | Loaded::Bad(_) => 0,
    }
}

impl Bodies for Cache {
    fn record(&self, key: Key) -> Body<Arc<Record>> {
        self.look(Load::Record(key), |loaded| match loaded {
            Loaded::Record(record) => Some(record.clone()),
            _ => None,
        })
    }

    fn piece(&self, key: Key, index: u16) -> Body<Bytes> {
        // A record of one piece may still be on its way to the disk.
        if let (0, Some(Loaded::Record(record))) = (index, self.inner.borrow().entries.get(&Load::Record(key)))
            && let Some(msg) = &record.msg
        {
            return Body::Here(msg.clone());
        }
        self.look(Load::Piece(key, index), |loaded| match loaded {
            Loaded::Piece(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>> {
        self.look(Load::Page { after, limit }, |loaded| match loaded {
            Loaded::Page(keys) => Some(keys.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::Kind;
    use crate::proto::time::Timestamp;

    fn gossip(number: u64) -> Gossip {
        let msg = Bytes::from(vec![b'x'; PIECE]);
        Gossip::make(Kind::Message, Timestamp(number), Guid([1; 16]), "dove", msg).unwrap()
    }

    #[test]
    fn what_is_missed_is_asked_for_once_and_found_when_it_came() {
        let cache = Cache::default();
        let key = gossip(1).key();
        let mut asked = Vec::new();
        assert!(matches!(cache.record(key), Body::NotYet));
        assert!(matches!(cache.record(key), Body::NotYet));
        let all = cache.ask(|load| {
            asked.push(load);
            true
        });
        assert_eq!((asked, all), (vec![Load::Record(key)], true));
        cache.keep_gossip(&gossip(1));
        assert!(matches!(cache.record(key), Body::Here(_)));
    }

    #[test]
    fn what_the_reader_refused_is_asked_for_again() {
        let cache = Cache::default();
        let key = gossip(1).key();
        for _ in 0..2 {
            let mut asked = 0;
            assert!(matches!(cache.record(key), Body::NotYet));
            let all = cache.ask(|_| {
                asked += 1;
                false
            });
            assert_eq!((asked, all), (1, false));
        }
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest() {
        let cache = Cache::default();
        for number in 0..1000 {
            cache.keep_gossip(&gossip(number));
        }
        assert!(cache.inner.borrow().bytes <= BYTES);
        assert!(matches!(cache.record(gossip(0).key()), Body::NotYet));
        assert!(matches!(cache.record(gossip(999).key()), Body::Here(_)));
    }

    #[test]
    fn pages_that_were_looked_at_leave_nothing_behind() {
        let cache = Cache::default();
        let keys: Arc<[Key]> = vec![Key::default(); 1120].into();
        for number in 0..2000 {
            let after = gossip(number).key();
            cache.insert(Load::Page { after, limit: 1120 }, Loaded::Page(keys.clone()));
            assert!(matches!(cache.page(after, 1120), Body::Here(_)));
        }
        cache.keep_gossip(&gossip(1));
        assert!(matches!(cache.record(gossip(1).key()), Body::Here(_)), "there is room for it");
        let inner = cache.inner.borrow();
        assert_eq!(inner.bytes, PIECE + OVERHEAD * inner.order.len());
    }

    #[test]
    fn of_many_long_records_those_begun_last_are_known() {
        let (cache, head) = (Cache::default(), gossip(1).head().clone());
        let begin = |first: u8| cache.keep(&Fact::Partial(Guid([first; 16]), head.clone()));
        (0..2 * PARTIALS).for_each(|number| begin(1 + (number % 255) as u8));
        begin(0);
        begin(7);
        let key = Key { date_time: head.date_time(), guid: Guid([0; 16]) };
        cache.keep(&Fact::Piece(key.guid, 3, Bytes::from_static(b"coo")));
        assert!(matches!(cache.piece(key, 3), Body::Here(_)));
    }

    #[test]
    fn an_absence_is_not_kept() {
        let cache = Cache::default();
        let key = gossip(1).key();
        cache.insert(Load::Record(key), Loaded::Gone);
        assert!(matches!(cache.record(key), Body::Gone));
        assert!(matches!(cache.record(key), Body::NotYet));
    }
}
