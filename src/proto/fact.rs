//! What passes between a node and the disk: [`Fact`] goes out to be kept, [`Receipt`] comes back when it is,
//! [`Restored`] comes in at the start, and [`Bodies`] is the read-only view of what the disk has.

use crate::proto::gossip::{Gossip, Guid, Head, Key, Line, piece_list};
use crate::proto::limits::PIECE;
use crate::proto::peers::{Reach, Reason};
use crate::proto::retention::{Left, Silence};
use crate::proto::time::Timestamp;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// Something to keep. Facts are committed in the order in which they are made.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A complete record that another node sent, of at most one piece; or one that was imported or decreed here. Answered by
    /// [`Receipt::Held`].
    Gossip(Gossip),
    /// A long record begun: its head is known, its MSG is not.
    Partial(Guid, Head),
    /// The piece list of a long record (32 bytes a piece), verified against its head.
    List(Guid, Bytes),
    /// One piece of a long record, verified against its list. Answered by [`Receipt::Piece`]; the last one also by
    /// [`Receipt::Held`] or, if the whole does not match the head, by [`Receipt::Wrong`].
    Piece(Guid, u16, Bytes),
    /// A long record given up: forget what was kept of it.
    Abandoned(Guid),
    /// These records left the network and are to be put aside until they are deleted, at about this time. Answered by
    /// [`Receipt::Cleared`].
    Left(Left, Timestamp, Arc<[Key]>),
    /// Records put aside are to be deleted. Answered by [`Receipt::Cleared`].
    Deleted(Arc<[Key]>),
    /// A node is not reached since so long, or is again.
    Silence(Guid, Option<Silence>),
    /// A peer that this node met.
    Peer(PeerFact),
    /// A peer that need not be remembered any more.
    Forgotten(Guid),
    /// Somebody is reached in another way than before. For those who watch; nothing to keep.
    Reach(ReachFact),
    /// This node took another GUID, since a copy of it is alive.
    Identity(Guid),
}

/// What is worth remembering of a peer over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFact {
    /// The peer's GUID.
    pub guid: Guid,
    /// Its name.
    pub name: Box<str>,
    /// Where it was last heard.
    pub addr: SocketAddr,
    /// When, by our wall clock.
    pub last_update: Timestamp,
}

/// How a peer is reached from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachFact {
    /// The peer's GUID.
    pub guid: Guid,
    /// Its name, as far as it is known.
    pub name: Box<str>,
    /// Where it is reached.
    pub addr: SocketAddr,
    /// How it is reached now.
    pub reach: Reach,
    /// Why.
    pub reason: Reason,
}

/// What a disk says of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The complete record is on disk.
    Held(Line),
    /// The piece is on disk.
    Piece(Guid, u16),
    /// The whole of a long record does not match its head; all of it was deleted.
    Wrong(Guid),
    /// The disk refused the record or a piece of it (it may be full): nothing was kept of this fact.
    Failed(Guid),
    /// Records were put aside or deleted; false: the disk refused.
    Cleared(bool),
}

impl Receipt {
    /// Whether a record is held by it.
    pub fn is_held(&self) -> bool {
        matches!(self, Receipt::Held(_))
    }
}

/// What a disk knew when the node started.
#[derive(Clone, Debug)]
pub enum Restored {
    /// A complete record. Decrees come before messages.
    Held(Line),
    /// A record that was put aside, why, and until when.
    Gone(Key, Left, Timestamp),
    /// A long record begun before.
    Partial {
        /// Its head.
        head: Head,
        /// Its piece list, if that had come.
        list: Option<Bytes>,
        /// The pieces that are here.
        pieces: Vec<u16>,
    },
    /// A peer met before.
    Peer(PeerFact),
    /// A node that was not reached.
    Silence(Guid, Silence),
}

/// A record as the disk has it.
#[derive(Clone, Debug)]
pub struct Record {
    /// All but MSG.
    pub head: Head,
    /// MSG where it is one piece; a longer one is read piece by piece.
    pub msg: Option<Bytes>,
}

impl Record {
    /// Of a MSG that is all here.
    pub fn new(head: &Head, msg: &Bytes) -> Record {
        Record { head: head.clone(), msg: (msg.len() <= PIECE).then(|| msg.clone()) }
    }
}

/// An answer of [`Bodies`].
#[derive(Clone, Debug)]
pub enum Body<T> {
    /// Here it is.
    Here(T),
    /// It is being read; `Node::handle_loaded` says when it is worth asking again.
    NotYet,
    /// It is not there, or could not be read.
    Gone,
}

/// Index of the piece list among the pieces of a long record.
pub const LIST: u16 = u16::MAX;

/// What [`Bodies::piece`] gives of a MSG that is all here.
pub fn piece_of(msg: &Bytes, index: u16) -> Body<Bytes> {
    if index == LIST {
        return Body::Here(piece_list(msg).into());
    }
    let at = usize::from(index) * PIECE;
    if at < msg.len() { Body::Here(msg.slice(at..msg.len().min(at + PIECE))) } else { Body::Gone }
}

/// The disk as a node sees it while it packs a datagram. Nothing here waits.
pub trait Bodies {
    /// A complete record.
    fn record(&self, key: Key) -> Body<Arc<Record>>;
    /// A piece of a long record, or its piece list ([`LIST`]): of one that is not complete, what came so far.
    fn piece(&self, key: Key, index: u16) -> Body<Bytes>;
    /// The first `limit` keys after `after`, in order.
    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>>;
}
