//! What always holds of fetches: bounds, windows that know what is under way, and nobody who waits for nothing.

use super::Fetches;
use crate::proto::gossip::Guid;
use crate::proto::limits::{ARRIVING, CONDEMNED, WANTED};
use std::collections::BTreeSet;

impl Fetches {
    /// Panics if a bound is broken, or if something would wait for ever.
    pub fn check(&self) {
        assert!(self.wants.len() <= WANTED && self.condemned.len() <= CONDEMNED);
        assert!(self.arriving_bytes <= ARRIVING);
        assert_eq!(self.arriving_bytes, self.arriving.sorted().into_iter().map(|(_, size)| size).sum::<usize>());
        assert!(self.parked.iter().all(|guid| self.wants.get(guid).is_some_and(|want| want.long)));
        let wants = self.wants.sorted();
        let asked = wants.iter().filter_map(|(_, want)| want.asked);
        assert_eq!(self.deadlines.len(), asked.clone().count());
        let long = wants.iter().filter(|(_, want)| want.long).count();
        assert_eq!(self.unparked, long - self.parked.len(), "those that wait for a place are counted");
        let mut under_way = self.partials.under_way();
        asked.for_each(|asked| *under_way.entry(asked.peer).or_default() += 1);
        for (peer, flow) in &self.flows {
            assert_eq!(flow.in_flight, under_way.remove(peer).unwrap_or(0), "a window knows what is under way");
            assert_eq!(self.waiting.contains(peer), !flow.queue.is_empty());
        }
        assert!(under_way.is_empty(), "all that is under way has a window");
        let holders = wants.iter().flat_map(|(_, want)| &want.holders).chain(self.partials.holders());
        holders.for_each(|holder| assert!(self.flows.contains_key(holder), "every holder has a window"));
        let queued: BTreeSet<(&Guid, Guid)> =
            self.flows.iter().flat_map(|(peer, flow)| flow.queue.iter().map(move |&guid| (peer, guid))).collect();
        for &(guid, want) in wants.iter().filter(|(guid, want)| want.asked.is_none() && !self.parked.contains(guid)) {
            assert!(want.holders.iter().any(|holder| queued.contains(&(holder, guid))), "every wish will be asked for");
        }
        self.partials.check();
    }
}
