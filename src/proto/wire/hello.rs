//! [`Hello`]: probe and peer exchange, and what it is made of: [`Update`]s about single nodes, [`Card`]s that list them.

use super::codec::{Address, Blob, List, Name};
use super::{LedgerState, borrow};
use crate::proto::gossip::Guid;
use crate::proto::limits::{CARDS, KNOWN, MAX_DATAGRAM, NETWORKS, UPDATES};
use crate::proto::ring::Range;
use crate::proto::time::Timestamp;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

/// A node as one node describes it to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Card {
    /// Its GUID.
    pub guid: Guid,
    /// Where its datagrams come from.
    pub addr: Address,
    /// Its incarnation.
    pub incarnation: u32,
    /// Its name.
    pub name: Name,
}

/// What is said of a node. On the wire it is one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Word {
    /// It is alive.
    Alive = 0,
    /// It did not answer a probe.
    Suspect = 1,
    /// It did not answer for so long that it counts as dead.
    Dead = 2,
    /// It said goodbye.
    Left = 3,
    /// It said goodbye, and that it will be back at once.
    Restarting = 4,
}

impl Encode for Word {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (*self as u8).encode(encoder)
    }
}

impl<C> Decode<C> for Word {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let words = [Word::Alive, Word::Suspect, Word::Dead, Word::Left, Word::Restarting];
        let word = words.get(usize::from(u8::decode(decoder)?));
        word.copied().ok_or(DecodeError::Other("not a word"))
    }
}

/// What a node heard of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Update {
    /// Of whom.
    pub guid: Guid,
    /// Where it is reached.
    pub addr: Address,
    /// The incarnation of which this is said.
    pub incarnation: u32,
    /// What is said.
    pub word: Word,
    /// By whom it was found out first: the first 4 bytes of that node's place on the ring; counts for suspicions alone.
    pub accuser: u32,
}

/// How many nodes a node knows to be alive, itself included, and a hash of (GUID, incarnation, address) of all of them:
/// equal views are equal lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ListState {
    /// How many.
    pub count: u32,
    /// Sum of their hashes.
    pub hash: u64,
}

/// Asks for those whom a node lists as alive in a part of the ring, and the asker does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CardAsk {
    /// That part.
    pub range: Range,
    /// Whom the asker lists there itself: the lower half of the hash of each (GUID, incarnation, address).
    pub known: List<u32, KNOWN>,
}

/// A page of a node's list: all that it has in `range` and the asker does not, where `range` begins at the part asked for,
/// or at the end of the page before it, and ends since the page is full or all is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CardPage {
    /// The part of the ring that it covers.
    pub range: Range,
    /// Those who stand there, in the ring's order.
    pub cards: List<Card, CARDS>,
    /// Whom the asker lists in all of the part and this node does not; in the first page, where this node knows.
    pub strange: List<u32, KNOWN>,
}

/// Probe and peer exchange; HELLO and HELLO_BACK have the same body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// HELLO: the sender's clock. HELLO_BACK: the stamp of the HELLO that it answers.
    pub stamp: u64,
    /// What the sender holds.
    pub state: LedgerState,
    /// Records older than this are forgotten; 0: none are.
    pub horizon: Timestamp,
    /// Whom the sender knows to be alive.
    pub list: ListState,
    /// The sender's incarnation.
    pub incarnation: u32,
    /// Its local health: 0 is well, up to 7.
    pub health: u8,
    /// Its wall clock.
    pub clock: Timestamp,
    /// What it heard of others lately.
    pub updates: List<Update, UPDATES>,
    /// "Send me your cards of this part of the ring."
    pub page_ask: Option<CardAsk>,
    /// Such a page.
    pub page: Option<CardPage>,
    /// Other networks that the sender is in.
    pub networks: List<Name, NETWORKS>,
    /// Makes the datagram as long as somebody wants to try; empty else.
    pub padding: Blob<MAX_DATAGRAM>,
}

/// Nodes of another network that the sender is in too: asked for, or named. It is for people alone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Nodes {
    /// That network.
    pub network: Name,
    /// Those behind this GUID, in the order of GUIDs.
    pub after: Guid,
    /// Whether they are asked for.
    pub ask: bool,
    /// Whether these are the last.
    pub last: bool,
    /// They; their incarnations mean nothing.
    pub cards: List<Card, CARDS>,
}

/// What a [`HelloFor`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ProbeWord {
    /// "Probe this node for me."
    Probe = 0,
    /// "It answered me."
    Answered = 1,
    /// "It did not answer me, yet I am here."
    Silent = 2,
}

impl Encode for ProbeWord {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (*self as u8).encode(encoder)
    }
}

impl<C> Decode<C> for ProbeWord {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let errands = [ProbeWord::Probe, ProbeWord::Answered, ProbeWord::Silent];
        errands.get(usize::from(u8::decode(decoder)?)).copied().ok_or(DecodeError::Other("not an errand"))
    }
}

/// An indirect probe, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HelloFor {
    /// Repeated in the answer.
    pub stamp: u64,
    /// Whom to probe.
    pub guid: Guid,
    /// Where it is reached.
    pub addr: Address,
    /// What is said.
    pub errand: ProbeWord,
}

impl Encode for Range {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.from, self.to).encode(encoder)
    }
}

impl<C> Decode<C> for Range {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (from, to) = <(u64, u64)>::decode(decoder)?;
        Ok(Range { from, to })
    }
}

impl Encode for Timestamp {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Timestamp {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        u64::decode(decoder).map(Timestamp)
    }
}

borrow! { Word; ProbeWord; Range; Timestamp; }

impl Hello {
    /// Bytes of a `Hello` that says nothing of others.
    pub const EMPTY: usize = 8 + 24 + 8 + 12 + 4 + 1 + 8 + 2 + 1 + 1 + 2 + 2;
}

impl Nodes {
    /// Bytes of one that names nobody, of a network without a name.
    pub const EMPTY: usize = 2 + 16 + 1 + 1 + 2;
}

impl Update {
    /// Bytes of an update.
    pub const SIZE: usize = 16 + 18 + 4 + 1 + 4;
}

impl CardPage {
    /// Bytes that a page of nobody adds to a [`Hello`].
    pub const EMPTY: usize = 16 + 2 + 2;

    /// Bytes that it adds to a [`Hello`].
    pub fn size(&self) -> usize {
        let cards = self.cards.iter().map(|card| Card::size(card.name.as_str().len()));
        CardPage::EMPTY + cards.sum::<usize>() + 4 * self.strange.len()
    }
}

impl CardAsk {
    /// Bytes that it adds to a [`Hello`].
    pub fn size(&self) -> usize {
        16 + 2 + 4 * self.known.len()
    }
}

impl Card {
    /// Bytes of a card with a name of so many bytes.
    pub fn size(name: usize) -> usize {
        16 + 18 + 4 + 2 + name
    }
}
