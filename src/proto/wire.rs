//! [`Message`]: what a datagram's body says, and the only user of bincode (2.0.1, fixed-width little-endian integers,
//! its own derives). `decode` takes only a [`Verified`] datagram, checks the whole body, and allocates nothing that the
//! bytes at hand do not pay for.
//!
//! Every body is the concatenation of its fields in the order given here. A list is a `u16` count and its items, a name
//! is a `u16` count and UTF-8 (see [`check_name`]), an option is a `u8` and, behind a 1, its value; an address is 16
//! bytes of IPv6 (IPv4 mapped) and a `u16` port. Anything behind the last field makes the datagram invalid.
//!
//! | kind | message | fields |
//! |---|---|---|
//! | 1 | [`Register`] | guid 16, name, epoch 8, cookie 16, padding list of 0-bytes |
//! | 2 | [`Challenge`] | cookie 16, echo 8 |
//! | 3 | [`Registered`] | echo 8, guid 16, name, epoch 8, seen 18, state 24 |
//! | 4, 5 | [`Hello`] | stamp 8, state 24, peers_hash 8, page_after option of 16, networks list, cards list |
//! | 7 | [`DidYouHere`] | change 8, count 4, root 8, prefix 4, 44 symbols of 24, 36 counters of 2 |
//! | 8 | [`TellMeMore`] | guids list, pieces list of 26, symbols option of 20, page option of 29 |
//! | 9 | [`Tell`] | records list, heads list, fragments list, lacking list |
//! | 12 | [`Leave`] | restarting 1 |
//! | 13 | [`Symbols`] | change 8, chunk 2, symbols list |
//! | 14 | [`Holding`] | answer 4, page 1, next 24, last 1, guids list |
//!
//! 6, 10 and 11 are kept for HELLO_FOR, RUMOR and HEARD. 13 and 14 answer the two ways of asking on after a digest.

use crate::proto::gossip::{Gossip, Guid, Hash, Head, Invalid, Key, Kind, check_name};
use crate::proto::limits::{
    CARDS, DECODE, DIGEST_SYMBOLS, ESTIMATORS, FRAGMENT, GUIDS_PER_ASK, MAX_DATAGRAM, MORE_SYMBOLS, NETWORKS, PAGE,
    PIECES_PER_ASK, REGISTER_SIZE,
};
use crate::proto::seal::Verified;
use crate::proto::sketch::Symbol;
use crate::proto::stats::Rejected;
use crate::proto::time::Timestamp;
use bincode::de::{BorrowDecoder, Decoder, read::Reader};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use bytes::Bytes;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Kind of REGISTER.
pub const REGISTER: u8 = 1;
/// Kind of CHALLENGE.
pub const CHALLENGE: u8 = 2;
/// Kind of REGISTERED.
pub const REGISTERED: u8 = 3;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Fixint,
    bincode::config::Limit<DECODE>,
> = bincode::config::standard().with_fixed_int_encoding().with_limit::<DECODE>();

/// At most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// The first `MAX` items of `items`.
    pub fn new(mut items: Vec<T>) -> Self {
        items.truncate(MAX);
        List(items)
    }

    /// Adds one, unless the list is full.
    pub fn push(&mut self, item: T) {
        if self.0.len() < MAX {
            self.0.push(item);
        }
    }
}

impl<T, const MAX: usize> std::ops::Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a list may hold, and the fewest bytes that one takes on the wire: never zero, so a count is always paid for.
trait Item {
    const SIZE: usize;
}

macro_rules! items {
    ($($item:ty = $size:expr,)*) => { $(impl Item for $item { const SIZE: usize = $size; })* };
}

items! {
    u8 = 1, Guid = 16, Symbol = 24, Name = 3, Card = 37, PieceAsk = 26, Record = 46, HeadTold = 112, Fragment = 21,
}

impl<T: Encode, const MAX: usize> Encode for List<T, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u16).encode(encoder)?;
        self.0.iter().try_for_each(|item| item.encode(encoder))
    }
}

impl<C, T: Decode<C> + Item, const MAX: usize> Decode<C> for List<T, MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = usize::from(u16::decode(decoder)?);
        if count > MAX || decoder.reader().peek_read(count * T::SIZE).is_none() {
            return Err(DecodeError::Other("a count that its bytes do not cover"));
        }
        decoder.claim_container_read::<T>(count)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            decoder.unclaim_bytes_read(size_of::<T>());
            items.push(T::decode(decoder)?);
        }
        Ok(List(items))
    }
}

/// At most `MAX` bytes, read at once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Blob<const MAX: usize>(pub Bytes);

impl<const MAX: usize> Encode for Blob<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u16).encode(encoder)?;
        encoder.writer().write(&self.0)
    }
}

impl<C, const MAX: usize> Decode<C> for Blob<MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = usize::from(u16::decode(decoder)?);
        let Some(bytes) = decoder.reader().peek_read(count).filter(|_| count <= MAX).map(Bytes::copy_from_slice) else {
            return Err(DecodeError::Other("a count that its bytes do not cover"));
        };
        decoder.reader().consume(count);
        Ok(Blob(bytes))
    }
}

/// A name that [`check_name`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<str>);

impl Name {
    /// Makes one of a text, if it is a name.
    pub fn new(text: &str) -> Option<Name> {
        check_name(text).then(|| Name(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Encode for Name {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u16).encode(encoder)?;
        encoder.writer().write(self.0.as_bytes())
    }
}

impl<C> Decode<C> for Name {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let bytes = Blob::<{ crate::proto::limits::MAX_NAME }>::decode(decoder)?;
        let name = std::str::from_utf8(&bytes.0).ok().and_then(Name::new);
        name.ok_or(DecodeError::Other("not a name"))
    }
}

/// An address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Encode for Address {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let ip = match self.0.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        ip.octets().encode(encoder)?;
        self.0.port().encode(encoder)
    }
}

impl<C> Decode<C> for Address {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let ip = Ipv6Addr::from(<[u8; 16]>::decode(decoder)?).to_canonical();
        Ok(Address(SocketAddr::new(ip, u16::decode(decoder)?)))
    }
}

impl Encode for Guid {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Guid {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        <[u8; 16]>::decode(decoder).map(Guid)
    }
}

impl Encode for Key {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.date_time.0, self.guid).encode(encoder)
    }
}

impl<C> Decode<C> for Key {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (date_time, guid) = <(u64, Guid)>::decode(decoder)?;
        Ok(Key { date_time: Timestamp(date_time), guid })
    }
}

impl Encode for Symbol {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.sum, self.check).encode(encoder)
    }
}

impl<C> Decode<C> for Symbol {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (sum, check) = <([u8; 16], u64)>::decode(decoder)?;
        Ok(Symbol { sum, check })
    }
}

// The derives below make both traits, so what they contain must have both. Nothing here borrows.
macro_rules! borrow {
    ($($item:ty;)*) => { $(
        impl<'de, C> BorrowDecode<'de, C> for $item {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                Self::decode(decoder)
            }
        }
    )* };
}

borrow! { Guid; Key; Symbol; Name; Address; }

impl<'de, C, T: Decode<C> + Item, const MAX: usize> BorrowDecode<'de, C> for List<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, C, const MAX: usize> BorrowDecode<'de, C> for Blob<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// First contact: opens a session. Without a cookie it is answered by a [`Challenge`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Register {
    /// Who registers.
    pub guid: Guid,
    /// Its name.
    pub name: Name,
    /// Orders the sessions of one GUID.
    pub epoch: u64,
    /// From the [`Challenge`]; zero at first.
    pub cookie: [u8; 16],
    /// Makes the datagram [`REGISTER_SIZE`] bytes long.
    pub padding: Blob<{ REGISTER_SIZE }>,
}

/// The stateless answer to strangers who know the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Challenge {
    /// To be sent back in a [`Register`].
    pub cookie: [u8; 16],
    /// The counter of the datagram that it answers.
    pub echo: u64,
}

/// How much a node holds: equal states are equal sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LedgerState {
    /// Complete records.
    pub count: u64,
    /// Sum of their keyed hashes.
    pub root: [u8; 16],
}

/// The answer to a [`Register`] with a good cookie: both sides have the session now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Registered {
    /// The counter of the [`Register`] that it answers.
    pub echo: u64,
    /// Who answers.
    pub guid: Guid,
    /// Its name.
    pub name: Name,
    /// Orders the sessions of one GUID.
    pub epoch: u64,
    /// Where the answering node saw the asking one.
    pub seen: Address,
    /// What it holds.
    pub state: LedgerState,
}

/// A peer as one node describes it to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Card {
    /// Its GUID.
    pub guid: Guid,
    /// Where its datagrams come from.
    pub addr: Address,
    /// Its name.
    pub name: Name,
}

/// Probe and peer exchange; HELLO and HELLO_BACK have the same body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// HELLO: the sender's clock. HELLO_BACK: the stamp of the HELLO that it answers.
    pub stamp: u64,
    /// What the sender holds.
    pub state: LedgerState,
    /// Hash of the sender's list of reachable nodes, itself included.
    pub peers_hash: u64,
    /// "Send me your cards after this GUID."
    pub page_after: Option<Guid>,
    /// Other networks that the sender is in.
    pub networks: List<Name, NETWORKS>,
    /// Nodes that the sender reaches.
    pub cards: List<Card, CARDS>,
}

/// The digest of all GUIDs that a node holds: one datagram for a ledger of any size.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DidYouHere {
    /// The sender's change number of which everything here speaks.
    pub change: u64,
    /// Records held, modulo 2^32.
    pub count: u32,
    /// The first 8 bytes of the root.
    pub root: [u8; 8],
    /// How many coded symbols the sender can give.
    pub prefix: u32,
    /// The first of them.
    pub symbols: [Symbol; DIGEST_SYMBOLS],
    /// Reads the size of the difference.
    pub estimator: [i16; ESTIMATORS],
}

/// Asks for the fragments of one piece of a long MSG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PieceAsk {
    /// Which record.
    pub guid: Guid,
    /// Which piece, or [`crate::proto::fact::LIST`].
    pub piece: u16,
    /// Bit i asks for fragment i.
    pub fragments: u64,
}

/// Asks for more coded symbols of the set as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SymbolsAsk {
    /// The change number that the digest gave.
    pub change: u64,
    /// The first chunk asked; chunk k is the symbols from 44 + 47 k.
    pub first: u32,
    /// Bit i asks for chunk `first + i`.
    pub chunks: u64,
}

/// Asks for a span of the ledger, 70 GUIDs a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PageAsk {
    /// Repeated in the answer.
    pub id: u32,
    /// The span begins behind this.
    pub after: Key,
    /// How many pages.
    pub pages: u8,
}

/// Asks for what the sender lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TellMeMore {
    /// Whole records, or the heads of those that fit no datagram.
    pub guids: List<Guid, GUIDS_PER_ASK>,
    /// Parts of long MSGs.
    pub pieces: List<PieceAsk, PIECES_PER_ASK>,
    /// More symbols.
    pub symbols: Option<SymbolsAsk>,
    /// Pages of the ledger.
    pub page: Option<PageAsk>,
}

/// A whole record that fits a datagram. SHA2, length and piece list follow from MSG.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    /// Its name, so that damage is found.
    pub guid: Guid,
    kind: u8,
    date_time: u64,
    origin: Guid,
    who_name: Name,
    msg: Blob<MAX_DATAGRAM>,
}

impl Record {
    /// Bytes that a record takes in a [`Tell`].
    pub fn size(who_name: usize, msg: usize) -> usize {
        16 + 1 + 8 + 16 + 2 + who_name + 2 + msg
    }

    /// The record as it travels.
    pub fn of(guid: Guid, head: &Head, msg: Bytes) -> Record {
        Record {
            guid,
            kind: head.kind() as u8,
            date_time: head.date_time().0,
            origin: head.origin(),
            who_name: Name(head.who_name().into()),
            msg: Blob(msg),
        }
    }

    /// The record, if it is what its name says.
    pub fn verify(self) -> Result<Gossip, Invalid> {
        let at = Timestamp(self.date_time);
        let gossip = Gossip::make(Kind::try_from(self.kind)?, at, self.origin, self.who_name.as_str(), self.msg.0)?;
        if gossip.guid() == self.guid { Ok(gossip) } else { Err(Invalid::Mismatch) }
    }
}

/// The head of a record that fits no datagram.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeadTold {
    /// Its name, so that damage is found.
    pub guid: Guid,
    kind: u8,
    date_time: u64,
    origin: Guid,
    who_name: Name,
    len: u32,
    sha2: Hash,
    pieces: Hash,
}

impl HeadTold {
    /// Bytes that a head takes in a [`Tell`].
    pub fn size(who_name: usize) -> usize {
        16 + 1 + 8 + 16 + 2 + who_name + 4 + 32 + 32
    }

    /// The head as it travels.
    pub fn of(guid: Guid, head: &Head) -> HeadTold {
        HeadTold {
            guid,
            kind: head.kind() as u8,
            date_time: head.date_time().0,
            origin: head.origin(),
            who_name: Name(head.who_name().into()),
            len: head.len() as u32,
            sha2: *head.sha2(),
            pieces: *head.pieces(),
        }
    }

    /// The head, if it is what its name says.
    pub fn verify(self) -> Result<Head, Invalid> {
        let (kind, at) = (Kind::try_from(self.kind)?, Timestamp(self.date_time));
        let head = Head::new(kind, at, self.origin, self.who_name.as_str(), self.len, self.sha2, self.pieces)?;
        if head.guid() == self.guid { Ok(head) } else { Err(Invalid::Mismatch) }
    }
}

/// A part of a long MSG.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fragment {
    /// Which record.
    pub guid: Guid,
    /// Which piece, or [`crate::proto::fact::LIST`].
    pub piece: u16,
    /// Which fragment of the piece.
    pub index: u8,
    /// Its bytes.
    pub bytes: Blob<FRAGMENT>,
}

impl Fragment {
    /// Bytes that a fragment takes in a [`Tell`].
    pub fn size(bytes: usize) -> usize {
        16 + 2 + 1 + 2 + bytes
    }
}

/// Records, heads and parts of MSGs, as many as fit; each stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tell {
    /// Whole records.
    pub records: List<Record, 32>,
    /// Heads of longer ones.
    pub heads: List<HeadTold, 16>,
    /// Parts of MSGs.
    pub fragments: List<Fragment, 8>,
    /// Asked for, but not held (any more, or completely).
    pub lacking: List<Guid, GUIDS_PER_ASK>,
}

impl Tell {
    /// Bytes of a `Tell` that says nothing.
    pub const EMPTY: usize = 8;
}

/// Goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Leave {
    /// Whether it will be back at once.
    pub restarting: bool,
}

/// More coded symbols, rewound to the change number asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Symbols {
    /// That number.
    pub change: u64,
    /// Which chunk: the symbols from 44 + 47 chunk.
    pub chunk: u16,
    /// The symbols; fewer where the sender's prefix ends.
    pub symbols: List<Symbol, MORE_SYMBOLS>,
}

/// GUIDs that the sender holds: one page of its ledger, or the news of a digest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Holding {
    /// The id of the [`PageAsk`]; 0 where nobody asked.
    pub answer: u32,
    /// Which page of that answer.
    pub page: u8,
    /// The next page begins behind this.
    pub next: Key,
    /// Whether the ledger ends here.
    pub last: bool,
    /// The GUIDs.
    pub guids: List<Guid, PAGE>,
}

/// What a datagram says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented at its type")]
#[expect(clippy::large_enum_variant, reason = "lives on the stack while one datagram is handled")]
pub enum Message {
    Register(Register),
    Challenge(Challenge),
    Registered(Registered),
    Hello(Hello),
    HelloBack(Hello),
    DidYouHere(DidYouHere),
    TellMeMore(TellMeMore),
    Tell(Tell),
    Leave(Leave),
    Symbols(Symbols),
    Holding(Holding),
}

macro_rules! kinds {
    ($($kind:literal = $name:ident($body:ty),)*) => {
        impl Message {
            /// What its header says that it is.
            pub fn kind(&self) -> u8 {
                match self { $(Message::$name(_) => $kind,)* }
            }

            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self { $(Message::$name(body) => append(body, out),)* }
            }

            /// Decodes a whole authentic body.
            pub fn decode(datagram: &Verified<'_>) -> Result<Message, Rejected> {
                match datagram.header().kind {
                    $($kind => whole::<$body>(datagram.body()).map(Message::$name),)*
                    _ => Err(Rejected::Kind),
                }
            }
        }
    };
}

kinds! {
    1 = Register(Register),
    2 = Challenge(Challenge),
    3 = Registered(Registered),
    4 = Hello(Hello),
    5 = HelloBack(Hello),
    7 = DidYouHere(DidYouHere),
    8 = TellMeMore(TellMeMore),
    9 = Tell(Tell),
    12 = Leave(Leave),
    13 = Symbols(Symbols),
    14 = Holding(Holding),
}

fn append<T: Encode>(body: &T, out: &mut Vec<u8>) {
    struct Tail<'a>(&'a mut Vec<u8>);
    impl Writer for Tail<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let written = bincode::encode_into_writer(body, Tail(out), CONFIG);
    written.expect("a Vec takes everything, and every count fits its u16");
}

fn whole<T: Decode<()>>(body: &[u8]) -> Result<T, Rejected> {
    let (message, consumed) = bincode::decode_from_slice(body, CONFIG).map_err(|_| Rejected::Body)?;
    if consumed == body.len() { Ok(message) } else { Err(Rejected::Body) }
}

#[cfg(test)]
mod tests;
