//! [`Rule`]: the rules of spreading by name.

use super::Rumors;
use crate::proto::rule::can_lack;

/// The rules without which records do not come to everybody before the next digest. In tests one of them can be taken
/// away, to see that it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Every hop is acknowledged, and what is not is sent again.
    Acknowledgement,
    /// Who has a record already still serves the first range that comes for it.
    LateRange,
}

impl Rumors {
    #[cfg(test)]
    pub(crate) fn take_away(&mut self, rule: Rule) {
        self.lacking = Some(rule);
    }
}

can_lack!(Rumors);
