//! [`Incoming`]: a [`Message`] as a node reads it, where it lies in its datagram.

use super::{Message, RUMOR, RumorIn, TELL, TellIn, whole};
use crate::proto::seal::Verified;
use crate::proto::stats::Rejected;

/// A message that came. What comes most, and most of it twice, is not copied out of its datagram before it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// TELL.
    Tell(TellIn<'a>),
    /// RUMOR.
    Rumor(RumorIn<'a>),
    /// Any other.
    Other(Message),
}

impl<'a> Incoming<'a> {
    /// The body of an authentic datagram, as [`Message::decode`] takes it.
    #[inline]
    pub fn decode(datagram: &'a Verified<'_>) -> Result<Incoming<'a>, Rejected> {
        match datagram.header().kind {
            TELL => whole(datagram.body()).map(Incoming::Tell),
            RUMOR => whole(datagram.body()).map(Incoming::Rumor),
            _ => Message::decode(datagram).map(Incoming::Other),
        }
    }
}
