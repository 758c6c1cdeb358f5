//! [`Repairs`]: digests compared, differences found (anti-entropy). It works on sketches and GUIDs alone: what is held,
//! what is told and what is fetched is for others.
//!
//! A digest settles small differences at once. A larger one begins a *round*: more coded symbols of the set as it was
//! are asked for until all of them peel. Where that would cost more than the list, the other's ledger is *paged*.
//! Both are bounded in number and time; one that is dropped is begun again by the next digest.

use crate::proto::gossip::{Guid, Key};
use crate::proto::limits::{DIGEST_SYMBOLS, MORE_SYMBOLS, PAGES_PER_ASK, REPAIRS, SYMBOLS_PER_ASK, UNDO};
use crate::proto::rtt::Rtt;
use crate::proto::seal::KeyId;
use crate::proto::sketch::{Decoder, Sketch, Symbol, difference, estimate, more_symbols_wanted, symbols_wanted};
use crate::proto::time::Tick;
use crate::proto::wire::{DidYouHere, Holding, List, PageAsk, Symbols, SymbolsAsk, TellMeMore};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Silences after which a round or a paging is dropped.
const TRIES: u32 = 6;
/// Ledgers paged at once.
const PAGINGS: usize = 2;
/// Silences after which a round or a paging gives its place to another.
const PATIENCE: u32 = 2;
/// Times that a round may begin again, since the set had moved too far, before the ledger is paged instead.
const RESTARTS: u8 = 2;
/// A change number that no ledger has: asking for it is asking for a new digest.
const NO_CHANGE: u64 = u64::MAX;

/// What a digest or more symbols of it showed.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet.
    Nothing,
    /// All GUIDs that only one of both sides held.
    Difference(Vec<Guid>),
    /// Some of them, where any could be read; the rest is paged.
    Large(Vec<Guid>),
}

#[derive(Debug)]
struct Round {
    /// Both sets' changes and symbols are those of the sketches under this key.
    key: KeyId,
    theirs: u64,
    ours: u64,
    reach: usize,
    decoder: Decoder,
    /// Chunks that came before their turn.
    early: BTreeMap<u16, Symbols>,
    /// Our own symbols for the chunks asked for, and the index of the first: rewound once for all of them.
    rewound: (usize, Vec<Symbol>),
    /// The next chunk to be peeled, the end of those asked for, and of those wanted.
    next: u16,
    asked: u16,
    upto: u16,
    restarts: u8,
    ask: Ask,
}

#[derive(Debug)]
struct Paging {
    id: u32,
    after: Key,
    ask: Ask,
}

/// When to ask, and how often it was in vain.
#[derive(Debug)]
struct Ask {
    at: Tick,
    tries: u32,
}

/// The rounds and pagings under way.
#[derive(Debug, Default)]
pub struct Repairs {
    rounds: BTreeMap<Guid, Round>,
    pagings: BTreeMap<Guid, Paging>,
    /// When a digest last came from a peer, and when one last went to it.
    received: BTreeMap<Guid, Tick>,
    sent: BTreeMap<Guid, Tick>,
    last_id: u32,
    /// Rounds begun again since one of the sets had moved too far.
    pub restarted: u64,
}

impl Repairs {
    /// Whether a digest to this peer makes sense now; if so, it counts as sent. The last one, either way, must be
    /// `pause` ago, so that what it set off can be over.
    pub fn begin(&mut self, now: Tick, peer: Guid, pause: Duration) -> bool {
        let busy = self.rounds.contains_key(&peer) || self.pagings.contains_key(&peer);
        let received = self.received.get(&peer).is_none_or(|&last| now.since(last) >= pause);
        !busy && received && self.answer(now, peer, pause)
    }

    /// Whether a digest makes sense as the answer to one that was too different; if so, it counts as sent.
    pub fn answer(&mut self, now: Tick, peer: Guid, pause: Duration) -> bool {
        let due = self.sent.get(&peer).is_none_or(|&last| now.since(last) >= pause);
        if due {
            self.sent.insert(peer, now);
        }
        due
    }

    /// Our digest as it is now.
    pub fn digest(sketch: &Sketch) -> DidYouHere {
        let change = sketch.change();
        let mut root = [0; 8];
        root.copy_from_slice(&sketch.root()[..8]);
        let mut symbols = [Default::default(); DIGEST_SYMBOLS];
        let first = sketch.symbols_at(change, 0..DIGEST_SYMBOLS).expect("the set as it is now can always be shown");
        symbols.copy_from_slice(&first);
        let estimator = sketch.estimator_at(change).expect("the set as it is now can always be shown");
        DidYouHere { change, count: sketch.count() as u32, root, prefix: sketch.prefix() as u32, symbols, estimator }
    }

    /// Chunks of the symbols behind our digest of the set at a change: bit i of `chunks` is chunk `first + i`. None
    /// where the set has moved too far since, and only a new digest helps.
    pub fn more(sketch: &Sketch, change: u64, first: u32, chunks: u64) -> Option<Vec<Symbols>> {
        let asked = (0..64).filter(|bit| chunks >> bit & 1 == 1).map(|bit| first.saturating_add(bit));
        let asked: Vec<u16> = asked.filter_map(|chunk| u16::try_from(chunk).ok()).collect();
        let start = |chunk: u16| (DIGEST_SYMBOLS + usize::from(chunk) * MORE_SYMBOLS).min(sketch.prefix());
        let end = |chunk: u16| (start(chunk) + MORE_SYMBOLS).min(sketch.prefix());
        let low = asked.first().map_or(0, |&chunk| start(chunk));
        let high = asked.last().map_or(0, |&chunk| end(chunk));
        // Rewound in one pass, as that costs the same for one chunk as for all.
        let all = sketch.symbols_at(change, low..high)?;
        let chunk_of = |chunk| {
            let symbols = all.get(start(chunk) - low..end(chunk) - low)?;
            Some(Symbols { change, chunk, symbols: List::new(symbols.to_vec()) })
        };
        Some(asked.into_iter().filter_map(chunk_of).collect())
    }

    /// Compares a peer's digest with our set; `sketch` is ours under the key that the digest came under, and so many
    /// records are to come from this peer already. Where those are more than can be undone, the set will have moved too
    /// far before a round is over, and none is begun.
    pub fn handle_digest(
        &mut self,
        now: Tick,
        peer: Guid,
        key: KeyId,
        digest: &DidYouHere,
        sketch: &Sketch,
        coming: usize,
    ) -> Found {
        self.received.insert(peer, now);
        // What is under way under another key is of no use to this one, nor is it a round begun again.
        if self.rounds.get(&peer).is_some_and(|round| round.key != key) {
            self.rounds.remove(&peer);
        }
        if self.rounds.get(&peer).is_some_and(|round| round.outlives(digest)) {
            return Found::Nothing;
        }
        let restarts = self.rounds.remove(&peer).map_or(0, |round| round.restarts + 1);
        self.restarted += u64::from(restarts > 0);
        let ours = Repairs::digest(sketch);
        if (ours.root, ours.count) == (digest.root, digest.count) {
            return Found::Nothing;
        }
        let mut decoder = sketch.decoder();
        decoder.extend(difference(&ours.symbols, &digest.symbols));
        if decoder.is_done() {
            return Found::Difference(decoder.peeled().to_vec());
        }
        let size = estimate(&ours.estimator, &digest.estimator);
        let larger = u64::from(ours.count.max(digest.count));
        let reach = sketch.prefix().min(digest.prefix as usize);
        let symbols = symbols_wanted(size);
        if size * 20 > larger * 9 || symbols > reach || restarts > RESTARTS {
            let found = decoder.peeled().to_vec();
            if digest.count > 0 {
                self.page(now, peer);
            }
            return Found::Large(found);
        }
        if coming > UNDO {
            return Found::Nothing;
        }
        if self.rounds.len() >= REPAIRS {
            yield_place(&mut self.rounds, |round| round.ask.tries);
        }
        if self.rounds.len() < REPAIRS {
            let upto = chunks_of(symbols).max(1);
            let (theirs, ours, ask) = (digest.change, ours.change, Ask { at: now, tries: 0 });
            let (early, rewound, next, asked) = Default::default();
            let round = Round { key, theirs, ours, reach, decoder, early, rewound, next, asked, upto, restarts, ask };
            self.rounds.insert(peer, round);
        }
        Found::Nothing
    }

    /// Takes more symbols of a digest; `sketch` is ours under the key that they came under.
    pub fn handle_symbols(&mut self, now: Tick, peer: Guid, key: KeyId, symbols: Symbols, sketch: &Sketch) -> Found {
        let Some(round) = self.rounds.get_mut(&peer).filter(|round| round.key == key) else { return Found::Nothing };
        if symbols.change != round.theirs || symbols.chunk < round.next || symbols.chunk >= round.asked {
            return Found::Nothing;
        }
        round.early.insert(symbols.chunk, symbols);
        round.ask.tries = 0;
        let first = DIGEST_SYMBOLS + usize::from(round.next) * MORE_SYMBOLS;
        let mut run = Vec::new();
        while let Some(symbols) = round.early.remove(&round.next) {
            round.next += 1;
            let short = symbols.symbols.len() < MORE_SYMBOLS;
            run.extend(symbols.symbols);
            if short {
                // Their prefix ends here, whatever their digest said.
                round.reach = round.reach.min(first + run.len());
                break;
            }
        }
        let last = first + run.len() >= round.reach;
        run.truncate(round.reach.saturating_sub(first));
        if run.is_empty() && !last {
            return Found::Nothing;
        }
        let Some(ours) = round.ours(sketch, first..first + run.len()) else {
            // Our own set has moved too far since: ask for a new digest.
            round.theirs = NO_CHANGE;
            round.ask = Ask { at: now, tries: 0 };
            return Found::Nothing;
        };
        let difference: Vec<Symbol> = difference(ours, &run).collect();
        round.decoder.extend(difference);
        if round.decoder.is_done() {
            let found = round.decoder.peeled().to_vec();
            self.rounds.remove(&peer);
            return Found::Difference(found);
        }
        if last || round.decoder.is_failed() {
            let found = round.decoder.peeled().to_vec();
            self.rounds.remove(&peer);
            self.page(now, peer);
            return Found::Large(found);
        }
        if round.next >= round.asked {
            round.ask.at = now;
        }
        if round.next == round.upto {
            let symbols = more_symbols_wanted(DIGEST_SYMBOLS + usize::from(round.upto) * MORE_SYMBOLS);
            round.upto = chunks_of(symbols).max(round.upto + 1).min(chunks_of(round.reach));
        }
        Found::Nothing
    }

    /// Takes a page of a peer's ledger, if we asked for it: where to ask on.
    pub fn handle_page(&mut self, now: Tick, peer: Guid, page: &Holding) {
        let Some(paging) = self.pagings.get_mut(&peer).filter(|paging| paging.id == page.answer) else { return };
        paging.after = paging.after.max(page.next);
        paging.ask.tries = 0;
        if page.last {
            self.pagings.remove(&peer);
            self.received.insert(peer, now);
        } else if usize::from(page.page) + 1 == PAGES_PER_ASK {
            paging.ask.at = now;
        }
    }

    /// What to ask next, and under which key where that matters. `room` says whether there is any for more GUIDs wanted
    /// of a peer.
    pub fn poll_ask(
        &mut self,
        now: Tick,
        room: impl Fn(&Guid) -> bool,
        rtt: impl Fn(&Guid) -> Rtt,
    ) -> Option<(Guid, Option<KeyId>, TellMeMore)> {
        self.rounds.retain(|_, round| round.ask.at > now || round.ask.tries < TRIES);
        self.pagings.retain(|_, paging| paging.ask.at > now || paging.ask.tries < TRIES);
        if let Some((&peer, round)) = self.rounds.iter_mut().find(|(_, round)| round.ask.at <= now) {
            let symbols = Some(round.ask_for());
            round.ask.again(now, rtt(&peer));
            return Some((peer, Some(round.key), TellMeMore { symbols, ..Default::default() }));
        }
        let (&peer, paging) = self.pagings.iter_mut().find(|(peer, paging)| paging.ask.at <= now && room(peer))?;
        // Late pages of the span before must not be taken for the end of the next.
        self.last_id = self.last_id.wrapping_add(1).max(1);
        paging.id = self.last_id;
        let page = Some(PageAsk { id: paging.id, after: paging.after, pages: PAGES_PER_ASK as u8 });
        paging.ask.again(now, rtt(&peer));
        Some((peer, None, TellMeMore { page, ..Default::default() }))
    }

    /// When there is something to ask again.
    pub fn poll_timeout(&self, room: impl Fn(&Guid) -> bool) -> Tick {
        let rounds = self.rounds.values().map(|round| round.ask.at);
        let pagings = self.pagings.iter().filter(|(peer, _)| room(peer)).map(|(_, paging)| paging.ask.at);
        rounds.chain(pagings).min().unwrap_or(Tick::NEVER)
    }

    /// Drops what is under way with a peer that is gone.
    pub fn forget(&mut self, peer: &Guid) {
        self.rounds.remove(peer);
        self.pagings.remove(peer);
        self.received.remove(peer);
        self.sent.remove(peer);
    }

    /// Drops what is under way under a key that is gone.
    pub fn forget_key(&mut self, key: KeyId) {
        self.rounds.retain(|_, round| round.key != key);
    }

    /// Peers of whom something is kept.
    pub fn peers(&self) -> impl Iterator<Item = &Guid> {
        self.rounds.keys().chain(self.pagings.keys()).chain(self.received.keys()).chain(self.sent.keys())
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.rounds.len() <= REPAIRS && self.pagings.len() <= PAGINGS);
    }

    fn page(&mut self, now: Tick, peer: Guid) {
        if self.pagings.len() >= PAGINGS {
            yield_place(&mut self.pagings, |paging| paging.ask.tries);
        }
        if self.pagings.len() < PAGINGS {
            self.pagings.entry(peer).or_insert(Paging { id: 0, after: Key::default(), ask: Ask { at: now, tries: 0 } });
        }
    }
}

/// How many chunks there are behind a digest before so many symbols are here.
fn chunks_of(symbols: usize) -> u16 {
    symbols.saturating_sub(DIGEST_SYMBOLS).div_ceil(MORE_SYMBOLS) as u16
}

/// Of those who did not answer for a while, the most silent one goes.
fn yield_place<T>(all: &mut BTreeMap<Guid, T>, silences: impl Fn(&T) -> u32) {
    let most = all.iter().map(|(&peer, one)| (silences(one), peer)).max();
    if let Some((_, peer)) = most.filter(|&(silences, _)| silences >= PATIENCE) {
        all.remove(&peer);
    }
}

impl Round {
    /// Whether a newer digest is of no use, as the other side can still undo what changed since the one at work.
    fn outlives(&self, digest: &DidYouHere) -> bool {
        digest.change.checked_sub(self.theirs).is_some_and(|changes| changes <= UNDO as u64)
    }

    /// Our symbols of a range as they were when the round began; none where that cannot be undone any more.
    fn ours(&mut self, sketch: &Sketch, range: Range<usize>) -> Option<&[Symbol]> {
        let (start, kept) = &self.rewound;
        if range.start < *start || range.end > start + kept.len() {
            let asked = (DIGEST_SYMBOLS + usize::from(self.asked) * MORE_SYMBOLS).min(sketch.prefix());
            self.rewound = (range.start, sketch.symbols_at(self.ours, range.start..range.end.max(asked))?);
        }
        let (start, kept) = &self.rewound;
        kept.get(range.start - start..range.end - start)
    }

    /// The chunks that are missing, as many as one ask can name.
    fn ask_for(&mut self) -> SymbolsAsk {
        if self.theirs == NO_CHANGE {
            return SymbolsAsk { change: NO_CHANGE, first: 0, chunks: 1 };
        }
        self.asked = self.upto.min(self.next + SYMBOLS_PER_ASK as u16);
        let missing = (self.next..self.asked).filter(|chunk| !self.early.contains_key(chunk));
        let chunks = missing.fold(0, |bits: u64, chunk| bits | 1 << (chunk - self.next));
        SymbolsAsk { change: self.theirs, first: self.next.into(), chunks }
    }
}

impl Ask {
    fn again(&mut self, now: Tick, rtt: Rtt) {
        self.at = now + rtt.timeout(self.tries);
        self.tries += 1;
    }
}
