//! [`Roster`]: whom a host knows from before, in a network that is up for long.

use crate::proto::fact::PeerFact;
use std::sync::Arc;

/// All hosts of a network, of which each knows those that come 1, 2, 4, 8, ... places behind it: few, and yet all are
/// a few steps from each other.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) all: Arc<[PeerFact]>,
    /// Whose roster it is.
    pub(super) own: usize,
}

impl Roster {
    pub(super) fn known(&self) -> impl Iterator<Item = &PeerFact> {
        let steps = (0..usize::BITS).map(|bit| 1 << bit).take_while(|&step: &usize| step < self.all.len());
        steps.map(|step| &self.all[(self.own + step) % self.all.len()])
    }
}
