//! [`Rule`]: the rules of sessions by name.

use super::Sessions;
use crate::proto::rule::can_lack;

/// The rules without which recordings get through, strangers are served, or peers lose each other. In tests one of
/// them can be taken away, to see that it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A session replaces another of its GUID only if it is the later one, or the other is long silent.
    Order,
    /// Later means: of a higher epoch.
    Epoch,
    /// An evicted session still orders its successors.
    Tombstone,
    /// What the handshake's counter leaves below it counts as seen.
    Floor,
    /// A datagram that names another receiver is not ours.
    Destination,
    /// REGISTERED counts only as the answer to a REGISTER.
    RegisteredEcho,
    /// CHALLENGE counts only as the answer to what we sent.
    ChallengeEcho,
    /// Counters never start again, whatever was evicted.
    TxFloor,
    /// Whoever registers receives at its address.
    Cookie,
}

can_lack!(Sessions);
