//! [`Answers`]: what peers asked for and did not get yet. Intents only: a datagram is packed when the driver asks for
//! one, so queues stay small, hold nothing twice, and wait for no disk.

use crate::proto::fact::{Bodies, Body, LIST};
use crate::proto::fetches::Fetches;
use crate::proto::gossip::{Guid, Key};
use crate::proto::ledger::Ledger;
use crate::proto::limits::{ANSWERS, ANSWERS_PER_PEER, FRAGMENT, FRAGMENTS, PAGE, PAGES_PER_ASK};
use crate::proto::repairs::Repairs;
use crate::proto::rumors::Rumors;
use crate::proto::seal::KeyId;
use crate::proto::sketch::Sketch;
use crate::proto::unordered::Unordered;
use crate::proto::wire::{Fragment, HeadTold, Holding, List, Message, PageAsk, PieceAsk, Record, SymbolsAsk, Tell};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// One thing to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// A whole record, or its head.
    Record(Guid),
    /// One fragment of a piece.
    Fragment(Guid, u16, u8),
    /// More symbols of a digest.
    Symbols {
        /// Under the key that they were asked under.
        key: KeyId,
        /// Of the set at this change.
        change: u64,
        /// The first chunk.
        first: u32,
        /// Bit i: chunk `first + i`.
        chunks: u64,
    },
    /// Pages of the ledger.
    Page {
        /// Repeated in the answer.
        id: u32,
        /// The span begins behind this.
        after: Key,
        /// How many.
        pages: u8,
    },
}

/// Where answers come from.
pub struct Shelf<'a, B> {
    /// What can be read.
    pub bodies: &'a B,
    /// What is held.
    pub ledger: &'a Ledger,
    /// What is on its way to the disk.
    pub rumors: &'a Rumors,
    /// What is still being fetched.
    pub fetches: &'a Fetches,
}

impl<B> Shelf<'_, B> {
    fn key(&self, guid: Guid) -> Option<Key> {
        let arriving = || self.fetches.is_known(&guid).then(|| self.rumors.key(&guid)).flatten();
        let partial = || self.fetches.parts(&guid).map(|(key, _)| key);
        self.ledger.key(guid).or_else(arriving).or_else(partial)
    }
}

/// Answers that are read come in the order in which they were asked for: where so many of those that wait are not here yet,
/// those behind them are not either.
const MISSES: usize = 16;

#[derive(Default)]
struct Queue {
    ready: VecDeque<Answer>,
    /// Those whose bytes are being read, in the order in which they were asked for, and where the record of each stands.
    waiting: VecDeque<(Answer, Option<Key>)>,
    /// Which of them is tried next, while some may be here now.
    retry: Option<usize>,
    /// Both, so that nothing is queued twice.
    queued: Unordered<Answer, ()>,
}

impl Queue {
    /// What to try next: what was waited for comes first.
    fn front(&self) -> Option<(Answer, Option<Key>)> {
        match self.retry {
            Some(at) => self.waiting.get(at).copied(),
            None => self.ready.front().map(|&answer| (answer, None)),
        }
    }

    /// That was answered.
    fn done(&mut self, answer: &Answer) {
        self.queued.remove(answer);
        match self.retry {
            Some(at) => {
                self.waiting.remove(at);
                self.retry = (at < self.waiting.len()).then_some(at);
            }
            None => drop(self.ready.pop_front()),
        }
    }

    /// That is not here yet.
    fn not_yet(&mut self, answer: Answer, key: Option<Key>) {
        match self.retry {
            Some(at) => self.retry = (at + 1 < self.waiting.len().min(MISSES)).then_some(at + 1),
            None => {
                self.ready.pop_front();
                self.waiting.push_back((answer, key));
            }
        }
    }
}

/// What to make of one answer.
enum Step {
    Packed,
    Full,
    /// It is being read, from where the record stands.
    NotYet(Option<Key>),
}

/// Answers by peer, served in turn.
#[derive(Default)]
pub struct Answers {
    queues: BTreeMap<Guid, Queue>,
    /// How many are in all queues.
    queued: usize,
    turn: Guid,
    /// A train of whole datagrams for one peer, made at once, and the key that they are for where that matters.
    train: VecDeque<(Guid, Option<KeyId>, Message)>,
    /// Answers dropped since a queue was full; they will be asked for again.
    pub dropped: u64,
}

impl Answers {
    /// Queues an answer for a peer, unless it is queued already or too much is.
    pub fn push(&mut self, peer: Guid, answer: Answer) {
        if self.queued >= ANSWERS {
            self.dropped += 1;
            return;
        }
        let queue = self.queues.entry(peer).or_default();
        if queue.queued.len() >= ANSWERS_PER_PEER {
            self.dropped += 1;
        } else if queue.queued.insert(answer, ()).is_none() {
            queue.ready.push_back(answer);
            self.queued += 1;
        }
    }

    /// Queues every fragment that a peer asked for.
    pub fn push_piece(&mut self, peer: Guid, ask: &PieceAsk) {
        for index in (0..FRAGMENTS as u8).filter(|index| ask.fragments >> index & 1 == 1) {
            self.push(peer, Answer::Fragment(ask.guid, ask.piece, index));
        }
    }

    /// Queues the symbols that a peer asked for.
    pub fn push_symbols(&mut self, peer: Guid, key: KeyId, ask: &SymbolsAsk) {
        self.push(peer, Answer::Symbols { key, change: ask.change, first: ask.first, chunks: ask.chunks });
    }

    /// Queues the pages that a peer asked for.
    pub fn push_page(&mut self, peer: Guid, ask: &PageAsk) {
        self.push(peer, Answer::Page { id: ask.id, after: ask.after, pages: ask.pages });
    }

    /// Something was read: what waits is worth another try.
    pub fn retry(&mut self) {
        self.queues.values_mut().for_each(|queue| queue.retry = (!queue.waiting.is_empty()).then_some(0));
    }

    /// Nothing more goes to this peer.
    pub fn forget(&mut self, peer: &Guid) {
        self.queued -= self.queues.remove(peer).map_or(0, |queue| queue.queued.len());
        self.train.retain(|(to, ..)| to != peer);
    }

    /// The next datagram of answers, at most `room` bytes of body, and the key that it is for where that matters.
    pub fn poll(&mut self, shelf: &Shelf<'_, impl Bodies>, room: usize) -> Option<(Guid, Option<KeyId>, Message)> {
        loop {
            if let Some(next) = self.train.pop_front() {
                return Some(next);
            }
            let behind = (Bound::Excluded(self.turn), Bound::Unbounded);
            let ready = |(_, queue): &(&Guid, &mut Queue)| queue.retry.is_some() || !queue.ready.is_empty();
            let next = self.queues.range_mut(behind).find(ready).map(|(&peer, _)| peer);
            let peer = next.or_else(|| self.queues.iter_mut().find(ready).map(|(&peer, _)| peer))?;
            self.turn = peer;
            if let Some(message) = self.pack(peer, shelf, room) {
                return Some((peer, None, message));
            }
        }
    }

    /// Peers who wait for something.
    pub fn peers(&self) -> impl Iterator<Item = &Guid> {
        self.queues.keys()
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.queued <= ANSWERS);
        assert_eq!(self.queued, self.queues.values().map(|queue| queue.queued.len()).sum::<usize>());
        for queue in self.queues.values() {
            assert!(queue.queued.len() <= ANSWERS_PER_PEER);
            assert_eq!(queue.queued.len(), queue.ready.len() + queue.waiting.len());
        }
    }

    fn pack(&mut self, peer: Guid, shelf: &Shelf<'_, impl Bodies>, room: usize) -> Option<Message> {
        let queue = self.queues.get_mut(&peer)?;
        let before = queue.queued.len();
        let (mut tell, mut left) = (Tell::default(), room.saturating_sub(Tell::EMPTY));
        while let Some((answer, key)) = queue.front() {
            let key = |guid| key.or_else(|| shelf.key(guid));
            let step = match answer {
                Answer::Record(guid) => pack_record((guid, key(guid)), shelf.bodies, &mut tell, &mut left, room),
                Answer::Fragment(guid, piece, index) => {
                    pack_fragment((guid, key(guid)), (piece, index), shelf, &mut tell, &mut left)
                }
                _ if tell != Tell::default() => Step::Full,
                Answer::Symbols { key, change, first, chunks } => {
                    let sketch = shelf.ledger.sketch_under(key);
                    let symbols = sketch.map(|sketch| symbols(sketch, change, first, chunks)).unwrap_or_default();
                    self.train.extend(symbols.into_iter().map(|message| (peer, Some(key), message)));
                    Step::Packed
                }
                Answer::Page { id, after, pages } => match page(shelf.bodies, id, after, pages) {
                    Some(pages) => {
                        self.train.extend(pages.into_iter().map(|message| (peer, None, message)));
                        Step::Packed
                    }
                    None => Step::NotYet(None),
                },
            };
            match step {
                Step::Full => break,
                Step::Packed => queue.done(&answer),
                Step::NotYet(key) => queue.not_yet(answer, key),
            }
            if !self.train.is_empty() {
                break;
            }
        }
        self.queued -= before - queue.queued.len();
        if queue.queued.is_empty() {
            self.queues.remove(&peer);
        }
        (tell != Tell::default()).then_some(Message::Tell(tell))
    }
}

fn pack_record(
    (guid, key): (Guid, Option<Key>),
    bodies: &impl Bodies,
    tell: &mut Tell,
    left: &mut usize,
    room: usize,
) -> Step {
    let record = match key.map(|key| bodies.record(key)) {
        Some(Body::Here(record)) => record,
        Some(Body::NotYet) => return Step::NotYet(key),
        Some(Body::Gone) | None => return pack_lacking(guid, tell, left),
    };
    let name = record.head.who_name().len();
    let whole = record.msg.as_ref().filter(|msg| Record::size(name, msg.len()) + Tell::EMPTY <= room);
    let size = whole.map_or(HeadTold::size(name), |msg| Record::size(name, msg.len()));
    if size > *left || tell.records.is_full() || tell.heads.is_full() {
        return Step::Full;
    }
    *left -= size;
    match whole {
        Some(msg) => tell.records.push(Record::of(guid, &record.head, msg.clone())),
        None => tell.heads.push(HeadTold::of(guid, &record.head)),
    }
    Step::Packed
}

fn pack_fragment(
    (guid, key): (Guid, Option<Key>),
    (piece, index): (u16, u8),
    shelf: &Shelf<'_, impl Bodies>,
    tell: &mut Tell,
    left: &mut usize,
) -> Step {
    let bytes = match key.map(|key| shelf.bodies.piece(key, piece)) {
        Some(Body::Here(bytes)) => bytes,
        Some(Body::NotYet) => return Step::NotYet(key),
        // It was here while the record was under way. Who asked will ask again.
        Some(Body::Gone) if !shelf.ledger.contains(&guid) => return Step::Packed,
        Some(Body::Gone) | None => return pack_lacking(guid, tell, left),
    };
    let at = usize::from(index) * FRAGMENT;
    if at >= bytes.len() {
        return Step::Packed;
    }
    let bytes: Bytes = bytes.slice(at..bytes.len().min(at + FRAGMENT));
    let size = Fragment::size(bytes.len());
    if size > *left || tell.fragments.is_full() {
        return Step::Full;
    }
    *left -= size;
    tell.fragments.push(Fragment { guid, piece, index, bytes: crate::proto::wire::Blob(bytes) });
    Step::Packed
}

fn pack_lacking(guid: Guid, tell: &mut Tell, left: &mut usize) -> Step {
    if tell.lacking.contains(&guid) {
        return Step::Packed;
    }
    if *left < 16 || tell.lacking.is_full() {
        return Step::Full;
    }
    *left -= 16;
    tell.lacking.push(guid);
    Step::Packed
}

/// The chunks asked for; a new digest where the ledger has moved too far.
fn symbols(sketch: &Sketch, change: u64, first: u32, chunks: u64) -> Vec<Message> {
    if chunks == 0 {
        return Vec::new();
    }
    match Repairs::more(sketch, change, first, chunks) {
        Some(symbols) => symbols.into_iter().map(Message::Symbols).collect(),
        None => vec![Message::DidYouHere(Box::new(Repairs::digest(sketch)))],
    }
}

/// The pages asked for; `None` while they are being read.
fn page(bodies: &impl Bodies, id: u32, after: Key, pages: u8) -> Option<Vec<Message>> {
    let pages = usize::from(pages).min(PAGES_PER_ASK);
    let keys = match bodies.page(after, pages * PAGE) {
        Body::Here(keys) => keys,
        Body::NotYet => return None,
        Body::Gone => return Some(Vec::new()),
    };
    let ends = keys.len() < pages * PAGE;
    let count = keys.len().div_ceil(PAGE).max(1);
    let page = |page: usize| {
        let keys = keys.chunks(PAGE).nth(page).unwrap_or_default();
        let next = keys.last().copied().unwrap_or(after);
        let guids = List::new(keys.iter().map(|key| key.guid).collect());
        Message::Holding(Holding { answer: id, page: page as u8, next, last: ends && page + 1 == count, guids })
    };
    Some((0..count).map(page).collect())
}

const _: () = assert!(PAGES_PER_ASK <= u8::MAX as usize && LIST as usize >= crate::proto::limits::MAX_PIECES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_ask_so_much_waits_for_an_answer_and_no_more() {
        let (mut answers, peers) = (Answers::default(), (ANSWERS / ANSWERS_PER_PEER) as u8 + 1);
        for peer in 1..=peers {
            for number in 0..ANSWERS_PER_PEER as u128 {
                answers.push(Guid([peer; 16]), Answer::Record(Guid(number.to_be_bytes())));
            }
            answers.check();
        }
        assert_eq!((answers.queued, answers.dropped), (ANSWERS, ANSWERS_PER_PEER as u64));
        answers.forget(&Guid([1; 16]));
        answers.push(Guid([peers; 16]), Answer::Record(Guid([7; 16])));
        answers.check();
        assert_eq!(answers.queued, ANSWERS - ANSWERS_PER_PEER + 1);
    }
}
