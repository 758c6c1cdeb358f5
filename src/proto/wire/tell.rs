//! [`Tell`]: whole records, heads of longer ones, and parts of MSGs, each of which stands alone and is verified by whoever
//! takes it.

use super::codec::{Blob, BlobIn, Item, List, Name, NameIn};
use crate::proto::gossip::{Gossip, Guid, Hash, Head, Invalid, Kind};
use crate::proto::limits::{FRAGMENT, GUIDS_PER_ASK, MAX_DATAGRAM};
use crate::proto::time::Timestamp;
use bincode::{Decode, Encode};
use bytes::Bytes;
use std::sync::Arc;

/// A whole record that fits a datagram. SHA2, length and piece list follow from MSG.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Record<N = Name, M = Blob<MAX_DATAGRAM>> {
    /// Its name, so that damage is found.
    pub guid: Guid,
    pub(super) kind: u8,
    pub(super) date_time: u64,
    pub(super) origin: Guid,
    pub(super) who_name: N,
    pub(super) msg: M,
}

/// The same as it lies in a datagram: most that come are known already.
pub type RecordIn<'a> = Record<NameIn<'a>, BlobIn<'a, MAX_DATAGRAM>>;

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
            who_name: Name(head.shared_name()),
            msg: Blob(msg),
        }
    }
}

impl<N: Into<Arc<str>>, M: Into<Bytes>> Record<N, M> {
    /// The record, if it is what its name says.
    pub fn verify(self) -> Result<Gossip, Invalid> {
        let (kind, at) = (Kind::try_from(self.kind)?, Timestamp(self.date_time));
        let gossip = Gossip::make(kind, at, self.origin, self.who_name, self.msg.into())?;
        if gossip.guid() == self.guid { Ok(gossip) } else { Err(Invalid::Mismatch) }
    }
}

/// The head of a record that fits no datagram.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeadTold {
    /// Its name, so that damage is found.
    pub guid: Guid,
    pub(super) kind: u8,
    pub(super) date_time: u64,
    pub(super) origin: Guid,
    pub(super) who_name: Name,
    pub(super) len: u32,
    pub(super) sha2: Hash,
    pub(super) pieces: Hash,
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
            who_name: Name(head.shared_name()),
            len: head.len() as u32,
            sha2: *head.sha2(),
            pieces: *head.pieces(),
        }
    }

    /// The head, if it is what its name says.
    pub fn verify(self) -> Result<Head, Invalid> {
        let (kind, at) = (Kind::try_from(self.kind)?, Timestamp(self.date_time));
        let head = Head::new(kind, at, self.origin, self.who_name.0, self.len, self.sha2, self.pieces)?;
        if head.guid() == self.guid { Ok(head) } else { Err(Invalid::Mismatch) }
    }
}

/// A part of a long MSG.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fragment<B = Blob<FRAGMENT>> {
    /// Which record.
    pub guid: Guid,
    /// Which piece, or [`crate::proto::fact::LIST`].
    pub piece: u16,
    /// Which fragment of the piece.
    pub index: u8,
    /// Its bytes.
    pub bytes: B,
}

/// The same as it lies in a datagram.
pub type FragmentIn<'a> = Fragment<BlobIn<'a, FRAGMENT>>;

impl Fragment {
    /// Bytes that a fragment takes in a [`Tell`].
    pub fn size(bytes: usize) -> usize {
        16 + 2 + 1 + 2 + bytes
    }
}

/// Records, heads and parts of MSGs, as many as fit; each stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TellOf<R: Item, F: Item> {
    /// Whole records.
    pub records: List<R, 32>,
    /// Heads of longer ones.
    pub heads: List<HeadTold, 16>,
    /// Parts of MSGs.
    pub fragments: List<F, 8>,
    /// Asked for, but not held (any more, or completely).
    pub lacking: List<Guid, GUIDS_PER_ASK>,
}

/// As it is sent.
pub type Tell = TellOf<Record, Fragment>;

/// As it lies in a datagram.
pub type TellIn<'a> = TellOf<RecordIn<'a>, FragmentIn<'a>>;

impl<R: Item, F: Item> Default for TellOf<R, F> {
    fn default() -> Self {
        let (records, heads, fragments, lacking) = (List::default(), List::default(), List::default(), List::default());
        TellOf { records, heads, fragments, lacking }
    }
}

impl Tell {
    /// Bytes of one that says nothing.
    pub const EMPTY: usize = 8;
}
