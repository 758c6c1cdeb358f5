//! [`Message`]: what a datagram's body says, and the only user of bincode (2.0.1, fixed-width little-endian integers,
//! its own derives). `decode` takes only a [`Verified`] datagram, checks the whole body, and allocates nothing that the
//! bytes at hand do not pay for.
//!
//! [`proto`](crate::proto) says of each kind which fields it has; every type here has them in that order, and nothing else.

mod codec;
mod hello;
mod incoming;
mod rumor;
mod tell;

pub use codec::{Address, Blob, BlobIn, List, Name, NameIn};
pub use hello::{Card, CardAsk, CardPage, Hello, HelloFor, ListState, Nodes, ProbeWord, Update, Word};
pub use incoming::Incoming;
pub use rumor::{Heard, Parts, Pushed, Rumor, RumorIn, RumorOf};
pub use tell::{Fragment, FragmentIn, HeadTold, Record, RecordIn, Tell, TellIn, TellOf};

use crate::proto::gossip::{Guid, Key};
use crate::proto::limits::{
    DECODE, DIGEST_SYMBOLS, ESTIMATORS, GUIDS_PER_ASK, HEADER, MORE_SYMBOLS, PAGE, PIECES_PER_ASK, REGISTER_SIZE, TAG,
};
use crate::proto::seal::{KeyId, Verified};
use crate::proto::sketch::Symbol;
use crate::proto::stats::Rejected;
use crate::proto::time::Timestamp;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use bytes::{Bytes, BytesMut};
use codec::{Item, borrow, fixed};

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Fixint,
    bincode::config::Limit<DECODE>,
> = bincode::config::standard().with_fixed_int_encoding().with_limit::<DECODE>();

macro_rules! items {
    ($($item:ty = $size:expr,)*) => { $(impl Item for $item { const SIZE: usize = $size; })* };
}

impl<N, M> Item for Record<N, M> {
    const SIZE: usize = 46;
}

impl<B> Item for Fragment<B> {
    const SIZE: usize = 21;
}

impl<T: Item> Item for Pushed<T> {
    const SIZE: usize = Pushed::<T>::FRAME + T::SIZE;
}

items! {
    u8 = 1, u32 = 4, Guid = 16, Symbol = 24, Name = 3, Card = 41, Update = 43, PieceAsk = 26, HeadTold = 112,
    Parts = 49,
}

impl Encode for Guid {
    #[inline]
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        encoder.writer().write(&self.0)
    }
}

impl<C> Decode<C> for Guid {
    #[inline]
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        fixed(decoder).map(Guid)
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
borrow! { Guid; Key; Symbol; }

/// First contact: opens a session. Without a cookie it is answered by a [`Challenge`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Register {
    /// Who registers.
    pub guid: Guid,
    /// Its name.
    pub name: Name,
    /// Orders the sessions of one GUID.
    pub epoch: u64,
    /// Orders what is said of its node.
    pub incarnation: u32,
    /// From the [`Challenge`]; zero at first.
    pub cookie: [u8; 16],
    /// Makes the datagram [`REGISTER_SIZE`] bytes long.
    pub padding: Blob<{ REGISTER_SIZE }>,
}

impl Register {
    /// The padding of a node with this name.
    pub fn fill(name: &Name) -> Blob<{ REGISTER_SIZE }> {
        let fields = HEADER + TAG + 16 + 2 + name.as_str().len() + 8 + 4 + 16 + 2;
        Blob(Bytes::from(vec![0; REGISTER_SIZE - fields]))
    }
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

/// What a node says that it holds, and the key that its root is made with: that of the datagram which says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key.
    pub key: KeyId,
    /// What it holds.
    pub state: LedgerState,
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
    /// Orders what is said of its node.
    pub incarnation: u32,
    /// Where the answering node saw the asking one.
    pub seen: Address,
    /// What it holds.
    pub state: LedgerState,
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
pub enum Message {
    Register(Register),
    Challenge(Challenge),
    Registered(Registered),
    Hello(Hello),
    HelloBack(Hello),
    HelloFor(HelloFor),
    // It is ten times as long as the others, which are queued.
    DidYouHere(Box<DidYouHere>),
    TellMeMore(TellMeMore),
    Tell(Tell),
    Rumor(Rumor),
    Heard(Heard),
    Leave(Leave),
    Symbols(Symbols),
    Holding(Holding),
    Nodes(Nodes),
}

impl Message {
    /// Whether it is as long as somebody wants to try.
    pub fn is_padded(&self) -> bool {
        matches!(self, Message::Hello(hello) | Message::HelloBack(hello) if !hello.padding.0.is_empty())
    }
}

macro_rules! kinds {
    ($($kind:literal $said:ident = $name:ident($body:ty),)*) => {
        $(
            #[doc = concat!("Kind of ", stringify!($said), ".")]
            pub const $said: u8 = $kind;
        )*

        impl Message {
            /// The kinds by name, from 1 on.
            pub const NAMES: [&str; [$($kind),*].len()] = [$(stringify!($said)),*];

            /// Its kind by name.
            pub fn name(&self) -> &'static str {
                match self { $(Message::$name(_) => stringify!($said),)* }
            }

            /// What its header says that it is.
            pub fn kind(&self) -> u8 {
                match self { $(Message::$name(_) => $kind,)* }
            }

            /// Appends the body.
            pub fn encode(&self, out: &mut BytesMut) {
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
    1 REGISTER = Register(Register),
    2 CHALLENGE = Challenge(Challenge),
    3 REGISTERED = Registered(Registered),
    4 HELLO = Hello(Hello),
    5 HELLO_BACK = HelloBack(Hello),
    6 HELLO_FOR = HelloFor(HelloFor),
    7 DID_YOU_HERE = DidYouHere(Box<DidYouHere>),
    8 TELL_ME_MORE = TellMeMore(TellMeMore),
    9 TELL = Tell(Tell),
    10 RUMOR = Rumor(Rumor),
    11 HEARD = Heard(Heard),
    12 LEAVE = Leave(Leave),
    13 SYMBOLS = Symbols(Symbols),
    14 HOLDING = Holding(Holding),
    15 NODES = Nodes(Nodes),
}

/// Whether a datagram of this kind pushes records, or acknowledges what was pushed.
pub fn is_rumor(kind: u8) -> bool {
    matches!(kind, RUMOR | HEARD)
}

/// Whether a datagram of this kind finds out what somebody lacks, or brings it.
pub fn is_repair(kind: u8) -> bool {
    matches!(kind, DID_YOU_HERE | TELL_ME_MORE | TELL | SYMBOLS | HOLDING)
}

fn append<T: Encode>(body: &T, out: &mut BytesMut) {
    struct Tail<'a>(&'a mut BytesMut);
    impl Writer for Tail<'_> {
        #[inline]
        fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let written = bincode::encode_into_writer(body, Tail(out), CONFIG);
    written.expect("memory takes everything, and every count fits its u16");
}

#[inline]
fn whole<'a, T: BorrowDecode<'a, ()>>(body: &'a [u8]) -> Result<T, Rejected> {
    let (message, consumed) = bincode::borrow_decode_from_slice(body, CONFIG).map_err(|_| Rejected::Body)?;
    if consumed == body.len() { Ok(message) } else { Err(Rejected::Body) }
}

#[cfg(test)]
mod tests;
