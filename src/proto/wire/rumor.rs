//! [`Rumor`]: fresh records on their way down the tree. [`Heard`]: what came, what is held, and who asks.

use super::codec::{Item, List};
use super::tell::{HeadTold, Record, RecordIn};
use crate::proto::fact::LIST;
use crate::proto::gossip::Guid;
use crate::proto::limits::{HEARD, MAX_PIECES};
use crate::proto::ring::Range;
use bincode::{Decode, Encode};

/// A fresh record, or the head of one that fits no datagram, with the part of the ring that its receiver is to serve.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pushed<T> {
    /// Whom the receiver is to pass it on to; empty: nobody.
    pub range: Range,
    /// How many nodes it went through, its origin included.
    pub hops: u8,
    /// What is pushed.
    pub what: T,
}

impl<T> Pushed<T> {
    /// Bytes that it takes beside what is pushed.
    pub const FRAME: usize = 16 + 1;
}

/// Fresh records, each to be acknowledged by [`Heard::got`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RumorOf<R: Item> {
    /// What the sender got from the receiver: acknowledgements that ride along.
    pub got: List<Guid, HEARD>,
    /// Whole records.
    pub records: List<Pushed<R>, 32>,
    /// Heads of longer ones; their MSGs are to be had from the sender.
    pub heads: List<Pushed<HeadTold>, 8>,
}

/// As it is sent.
pub type Rumor = RumorOf<Record>;

/// As it lies in a datagram.
pub type RumorIn<'a> = RumorOf<RecordIn<'a>>;

impl<R: Item> Default for RumorOf<R> {
    fn default() -> Self {
        RumorOf { got: List::default(), records: List::default(), heads: List::default() }
    }
}

impl Rumor {
    /// Bytes of one that says nothing.
    pub const EMPTY: usize = 6;
}

/// Which parts of a long MSG the sender has verified, while others are still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Parts {
    /// Of which record.
    pub guid: Guid,
    /// Whether it has the list of the pieces.
    pub list: bool,
    /// Bit `i % 64` of word `i / 64`: it has piece `i`.
    pub pieces: [u64; MAX_PIECES / 64],
}

impl Parts {
    /// Bytes that it takes.
    pub const SIZE: usize = 16 + 1 + MAX_PIECES / 8;

    /// Adds a piece, or the list.
    pub fn insert(&mut self, piece: u16) {
        match self.pieces.get_mut(usize::from(piece / 64)) {
            Some(word) => *word |= 1 << (piece % 64),
            None => self.list = self.list || piece == LIST,
        }
    }

    /// Whether this piece, or the list, is among them.
    pub fn contains(&self, piece: u16) -> bool {
        match self.pieces.get(usize::from(piece / 64)) {
            Some(word) => word >> (piece % 64) & 1 == 1,
            None => self.list && piece == LIST,
        }
    }
}

/// Acknowledges rumours, and speaks of who holds what. All lists together take one datagram, or at most [`HEARD`] GUIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Heard {
    /// These rumours came; whether they are on disk is not said.
    pub got: List<Guid, HEARD>,
    /// These records are held: on disk.
    pub holds: List<Guid, HEARD>,
    /// "Do you hold these? Say so when you do."
    pub asks: List<Guid, HEARD>,
    /// Parts of long MSGs are here that the receiver asked for.
    pub parts: List<Parts, 8>,
}

impl Heard {
    /// Bytes of a `Heard` that says nothing.
    pub const EMPTY: usize = 8;
}
