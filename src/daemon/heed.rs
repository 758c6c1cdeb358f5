//! [`Heed`]: what people should be told once when it begins, and not each time that it shows: a clock that is wrong, a
//! neighbour with another version of the protocol, a disk that refuses.

use crate::proto::fact::{ReachFact, Receipt};
use crate::proto::node::Node;
use crate::proto::peers::Reach;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Tick;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// A clock is doubtful where it differs by more milliseconds than this.
pub const DOUBTFUL_MS: u64 = 2000;

/// See the module.
#[derive(Debug, Default)]
pub struct Heed {
    next: Tick,
    last: Tick,
    clock: bool,
    refused: bool,
}

impl Heed {
    /// Looks, and says what is new.
    pub fn look(&mut self, now: Tick, network: &str, node: &Node) {
        if self.next > now {
            return;
        }
        let ahead = node.clock_ahead().filter(|(ahead, _)| ahead.unsigned_abs() > DOUBTFUL_MS);
        if let (Some((ahead, peers)), false) = (ahead, self.clock) {
            let (seconds, way) = (ahead.unsigned_abs() as f64 / 1000.0, if ahead > 0 { "ahead" } else { "behind" });
            tracing::warn!(
                %network,
                "this host's clock is {seconds:.1} s {way} of most of {peers} peers: is it set right (NTP)?"
            );
        }
        self.clock = ahead.is_some();
        for (addr, foreign) in node.versions().iter(now).filter(|(_, foreign)| foreign.since >= self.last) {
            tracing::warn!(
                %network, %addr,
                "a neighbour seems to speak version {} of the protocol, and this node speaks {PROTOCOL_VERSION}: \
                 nothing is exchanged until both run the same (a hint: it cannot be verified)",
                foreign.version
            );
        }
        (self.last, self.next) = (now, now + LOOK);
    }

    /// The disk keeps something or does not, and `why` if it cannot: pieces of what was given up fail without a reason.
    pub fn receive(&mut self, network: &str, receipt: Receipt, why: impl FnOnce() -> Option<String>) {
        match receipt {
            Receipt::Held(_) | Receipt::Piece(..) => self.refused = false,
            Receipt::Failed(_) if !self.refused => {
                let Some(why) = why() else { return };
                self.refused = true;
                tracing::warn!(%network, "the disk takes no records ({why}): this node only reads until it does");
            }
            _ => {}
        }
    }
}

/// A peer is reached in another way. Who is only late is told to those who want to know all.
pub fn reached(network: &str, ReachFact { name, addr, reach, reason, .. }: &ReachFact) {
    match reach {
        Reach::Reachable => tracing::info!(%network, "{name} at {addr} is reachable: {reason}"),
        Reach::Suspect => tracing::debug!(%network, "{name} at {addr} is suspect: {reason}"),
        Reach::Unreachable => tracing::info!(%network, "{name} at {addr} is unreachable: {reason}"),
        Reach::Left => tracing::info!(%network, "{name} at {addr} left: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::Guid;

    #[test]
    fn a_disk_that_refuses_is_told_of_once_until_it_takes_something_again() {
        let (mut heed, guid, told) = (Heed::default(), Guid([1; 16]), std::cell::Cell::new(0));
        let full = || {
            told.set(told.get() + 1);
            Some("full".to_owned())
        };
        heed.receive("home", Receipt::Failed(guid), || None);
        assert!(!heed.refused, "the piece of a record that was given up");
        (0..3).for_each(|_| heed.receive("home", Receipt::Failed(guid), full));
        assert_eq!(told.get(), 1);
        heed.receive("home", Receipt::Piece(guid, 0), full);
        heed.receive("home", Receipt::Failed(guid), full);
        assert_eq!(told.get(), 2);
    }
}
