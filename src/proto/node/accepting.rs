//! [`Came`]: what a record that a peer sent turns out to be, whichever way it came.

use super::Node;
use crate::proto::gossip::{Gossip, Guid, Head, Invalid, Key};
use crate::proto::time::Tick;

/// See the module.
pub(super) enum Came {
    /// Not what its name says.
    Wrong,
    /// What the network's law does not let in.
    Refused,
    /// Known, or there is no place for it now.
    Passed,
    /// New, and on its way to the disk.
    New(Key),
}

impl Node {
    /// A whole record.
    pub(super) fn accept(&mut self, now: Tick, peer: Guid, guid: Guid, record: Result<Gossip, Invalid>) -> Came {
        let Ok(gossip) = record else { return self.wrong(now, peer, guid) };
        if self.refuses(now, &gossip.line()) {
            return Came::Refused;
        }
        let key = gossip.key();
        let fact = self.fetches.handle_record(now, peer, gossip);
        let came = if fact.is_some() { Came::New(key) } else { Came::Passed };
        self.facts.extend(fact);
        came
    }

    /// The head of a long one.
    pub(super) fn accept_head(&mut self, now: Tick, peer: Guid, guid: Guid, head: &Result<Head, Invalid>) -> Came {
        let Ok(head) = head else { return self.wrong(now, peer, guid) };
        if head.line(guid).is_some_and(|line| self.refuses(now, &line)) {
            return Came::Refused;
        }
        let Some(facts) = self.fetches.handle_head(now, peer, guid, head.clone()) else { return Came::Passed };
        self.facts.extend(facts);
        Came::New(Key { date_time: head.date_time(), guid })
    }

    fn wrong(&mut self, now: Tick, peer: Guid, guid: Guid) -> Came {
        self.stats.records_wrong += 1;
        self.fetches.handle_lacking(now, peer, guid);
        Came::Wrong
    }
}
