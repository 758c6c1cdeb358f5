//! [`Rule`]: the rules of answering by name.

use super::{Answers, Beacons};
use crate::proto::rule::can_lack;

/// The rules without which recordings of beacons make nodes send, or beacons set off a storm. In tests one of them can be
/// taken away, to see that it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// What comes from beyond the link is not answered.
    OnLink,
    /// Our own beacon is not answered.
    Own,
    /// Each beacon counts once, and none after a later one of its node.
    Fresh,
    /// Whom we know is not answered.
    Known,
    /// Of many nodes, few answer.
    Few,
    /// A source is answered once in a while.
    Source,
    /// So many are answered in a second.
    Budget,
}

can_lack!(Answers, Beacons);
