//! What [`Sessions`](super::Sessions) says about a datagram, and what it wants sent.

use super::{Challenge, Cookie};
use crate::proto::gossip::Guid;
use crate::proto::stats::Rejected;

/// What a REGISTER to send has in its header, and its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The receiver's session; 0 in a first REGISTER.
    pub dst_session: u64,
    /// To be echoed by the answer.
    pub counter: u64,
    /// The receiver's own cookie; zero in a first REGISTER.
    pub cookie: Cookie,
}

/// A session was installed: its peer is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// False if this very session was live before: the peer only renewed it, or moved.
    pub new: bool,
}

/// What to do with a datagram of an established kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is fresh and from this peer: process it. Answers go to [`addr`](super::Sessions::addr), never to where it
    /// came from.
    Accepted(Guid),
    /// The same, but it came from another address than the peer's. Nothing goes there but this CHALLENGE, and the
    /// peer's address stays, until a REGISTER comes from there with the cookie.
    Moved(Guid, Challenge),
    /// It does not belong to a session: send this to where it came from, and drop it.
    Challenge(Challenge),
    /// Drop it in silence.
    Rejected(Rejected),
}

/// What to do with a REGISTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registering {
    /// Send this to where it came from; remember nothing.
    Challenge(Challenge),
    /// Answer REGISTERED, with the REGISTER's counter as its echo and a header of
    /// [`header`](super::Sessions::header).
    Installed(Installed),
    /// It has our own GUID and the better right to it: we are a copy and must take a new one.
    Clone,
    /// Drop it in silence.
    Rejected(Rejected),
}
