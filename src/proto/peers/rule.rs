//! [`Rule`]: the rules of the failure detector by name.

use super::Peers;
use crate::proto::rule::can_lack;

/// The rules without which live peers count as dead, or dead ones as alive. In tests one of them can be taken away, to
/// see that it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Who did not answer is suspected before it counts as dead.
    Suspicion,
    /// A later incarnation outdoes what was said of an earlier one, and nothing else does.
    Incarnation,
    /// What another says makes nobody alive: a handshake does, or three who say it.
    OwnEars,
}

can_lack!(Peers);
