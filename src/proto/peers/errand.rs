//! [`Errand`]: what [`Peers`](super::Peers) wants sent; the node knows how.

use crate::proto::gossip::Guid;
use crate::proto::wire::{CardAsk, HelloFor};
use std::net::SocketAddr;

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proto) enum Errand {
    /// A first REGISTER to this address.
    Register(SocketAddr),
    /// A HELLO to this peer, or a REGISTER where there is no session.
    Hello(Guid),
    /// The same, and it is to send its list of a part of the ring.
    Ask(Guid, CardAsk),
    /// News to this peer, in a HELLO_BACK that answers nothing.
    Tell(Guid),
    /// A HELLO_FOR to this peer.
    For(Guid, HelloFor),
}
