//! [`Decoder`]: finds the items in which two sets differ from the XOR of their symbols. It sees the difference alone:
//! which side has an item is for its owner to look up, and so is what to ask for when the symbols were too few.

use crate::proto::gossip::Guid;
use crate::proto::limits::MAX_PREFIX;
use crate::proto::sketch::Symbol;
use crate::proto::sketch::mapping::{Indices, Item};
use siphasher::sip128::SipHasher24;
use std::fmt;

/// Peels items off the symbols of a difference: a symbol that holds one item shows it by its checksum; taken off all
/// its other symbols, it may leave more such.
///
/// Symbols come from a peer, who may have made them up. One rule keeps that harmless: *an item may only be taken off
/// symbols that are not zero*, since a zero symbol holds nothing. An honest difference cannot break it but by a
/// collision of 63-bit keyed checksums. Each item taken off leaves for good a zero where it was found, so there are
/// never more items than symbols, no item is found twice, and work and memory are bounded by the number of symbols. Who
/// breaks the rule has [failed](Decoder::is_failed).
pub struct Decoder {
    hasher: SipHasher24,
    symbols: Vec<Symbol>,
    /// Symbols that are not zero.
    live: usize,
    peeled: Vec<Guid>,
    /// For each peeled item, where it goes in symbols that have not come yet.
    walks: Vec<Walk>,
    /// Odd symbols that are yet to be looked at, each once.
    waiting: Vec<usize>,
    is_waiting: Vec<bool>,
    failed: bool,
}

struct Walk {
    symbol: Symbol,
    indices: Indices,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("symbols", &self.symbols.len())
            .field("peeled", &self.peeled.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder without any symbols yet.
    pub fn new(key: &[u8; 16]) -> Decoder {
        Decoder::with(SipHasher24::new_with_key(key))
    }

    pub(super) fn with(hasher: SipHasher24) -> Decoder {
        Decoder {
            hasher,
            symbols: Vec::new(),
            live: 0,
            peeled: Vec::new(),
            walks: Vec::new(),
            waiting: Vec::new(),
            is_waiting: Vec::new(),
            failed: false,
        }
    }

    /// Takes the symbols that follow those that came before, each the XOR of both sides', and peels as far as it gets.
    /// Symbols beyond [`MAX_PREFIX`] are not looked at. A call passes over all items peeled so far: hand over all
    /// symbols that are there at once.
    pub fn extend(&mut self, difference: impl IntoIterator<Item = Symbol>) {
        if self.failed {
            return;
        }
        let start = self.symbols.len();
        self.symbols.extend(difference.into_iter().take(MAX_PREFIX.saturating_sub(start)));
        self.is_waiting.resize(self.symbols.len(), false);
        self.live += self.symbols[start..].iter().filter(|symbol| !symbol.is_zero()).count();
        for n in 0..self.walks.len() {
            if !self.take_off(n) {
                self.failed = true;
                return;
            }
        }
        for index in start..self.symbols.len() {
            if self.symbols[index].is_odd() && !self.is_waiting[index] {
                self.is_waiting[index] = true;
                self.waiting.push(index);
            }
        }
        self.peel();
    }

    /// All symbols are accounted for: [`Decoder::peeled`] is the whole difference.
    pub fn is_done(&self) -> bool {
        !self.failed && self.live == 0 && !self.symbols.is_empty()
    }

    /// The symbols are no difference of two sets: more of them are of no use.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    /// How many symbols came.
    pub fn symbols(&self) -> usize {
        self.symbols.len()
    }

    /// The items found, in the order in which they were found, none twice. Each stands behind a keyed checksum of 63
    /// bits, so these count even where the rest is stuck or failed.
    pub fn peeled(&self) -> &[Guid] {
        &self.peeled
    }

    fn peel(&mut self) {
        while let Some(index) = self.waiting.pop() {
            self.is_waiting[index] = false;
            let symbol = self.symbols[index];
            if !symbol.is_odd() {
                continue;
            }
            let item = Item::new(&self.hasher, Guid(symbol.sum));
            if item.symbol() != symbol {
                continue;
            }
            self.walks.push(Walk { symbol, indices: item.indices() });
            // An item that is not mapped to the symbol that showed it leaves that symbol as it was.
            if !self.take_off(self.walks.len() - 1) || !self.symbols[index].is_zero() {
                self.failed = true;
                return;
            }
            self.peeled.push(Guid(symbol.sum));
        }
    }

    /// Takes a peeled item off those of its symbols off which it was not taken yet; false if one of them is zero.
    fn take_off(&mut self, n: usize) -> bool {
        let Walk { symbol: item, indices } = &mut self.walks[n];
        while let Some(index) = indices.below(self.symbols.len()) {
            let symbol = &mut self.symbols[index];
            if symbol.is_zero() {
                return false;
            }
            *symbol ^= *item;
            if symbol.is_zero() {
                self.live -= 1;
            } else if symbol.is_odd() && !self.is_waiting[index] {
                self.is_waiting[index] = true;
                self.waiting.push(index);
            }
        }
        true
    }
}
