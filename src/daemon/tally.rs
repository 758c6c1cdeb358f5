//! [`Tally`]: with whom a node talks, datagram by datagram, told by what lies open in each of them: so the core has
//! nothing to do for it. It counts only while somebody wants to know.

use crate::api;
use crate::proto::gossip::{Guid, Head};
use crate::proto::seal::claimed_kind;
use crate::proto::wire::{is_repair, is_rumor};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Addresses that are told apart between two looks; peers seldom have as many.
const ADDRESSES: usize = 1024;
/// Long records begun that are kept until somebody looks.
const BEGUN: usize = 16;

/// A long record that is begun: its name, who says it, bytes of MSG.
pub type Begun = (Guid, String, usize);

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    is_wanted: bool,
    counts: BTreeMap<SocketAddr, api::Span>,
    begun: Vec<Begun>,
}

impl Tally {
    /// A datagram came, and was understood.
    pub fn received(&mut self, from: SocketAddr, datagram: &[u8]) {
        if let Some(span) = self.span(from) {
            let api::Span { rumors_in, repairs_in, hellos_in, .. } = span;
            *by_kind(datagram, [rumors_in, repairs_in, hellos_in]) += 1;
        }
    }

    /// A datagram went out.
    pub fn sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(span) = self.span(to) {
            let api::Span { rumors_out, repairs_out, hellos_out, .. } = span;
            *by_kind(datagram, [rumors_out, repairs_out, hellos_out]) += 1;
        }
    }

    /// A long record is begun.
    pub fn begun(&mut self, guid: Guid, head: &Head) {
        if self.is_wanted && self.begun.len() < BEGUN {
            self.begun.push((guid, head.who_name().to_owned(), head.len()));
        }
    }

    /// What was counted since the last look. From here on it counts.
    pub fn take(&mut self) -> (BTreeMap<SocketAddr, api::Span>, Vec<Begun>) {
        self.is_wanted = true;
        (std::mem::take(&mut self.counts), std::mem::take(&mut self.begun))
    }

    /// From here on it does not count.
    pub fn rest(&mut self) {
        *self = Tally::default();
    }

    fn span(&mut self, addr: SocketAddr) -> Option<&mut api::Span> {
        if !self.is_wanted || (self.counts.len() >= ADDRESSES && !self.counts.contains_key(&addr)) {
            return None;
        }
        Some(self.counts.entry(addr).or_default())
    }
}

/// Sorts a datagram by its kind.
fn by_kind<'a>(datagram: &[u8], [rumors, repairs, others]: [&'a mut u64; 3]) -> &'a mut u64 {
    match claimed_kind(datagram) {
        Some(kind) if is_rumor(kind) => rumors,
        Some(kind) if is_repair(kind) => repairs,
        _ => others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_counted_by_peer_way_and_kind_while_somebody_looks() {
        let (mut tally, peer) = (Tally::default(), SocketAddr::from(([192, 0, 2, 1], 6884)));
        let datagram = |kind| [0x67, 1, kind, 0];
        tally.received(peer, &datagram(10));
        assert!(tally.take().0.is_empty(), "nobody looked before");
        for kind in 1..=14 {
            tally.received(peer, &datagram(kind));
            tally.sent(peer, &datagram(kind));
            tally.sent(peer, &datagram(kind));
        }
        let counts = tally.take().0;
        let expected = api::Span {
            rumors_out: 4,
            rumors_in: 2,
            repairs_out: 10,
            repairs_in: 5,
            hellos_out: 14,
            hellos_in: 7,
            ..Default::default()
        };
        assert_eq!(counts[&peer], expected);
        tally.rest();
        tally.sent(peer, &datagram(1));
        assert!(tally.take().0.is_empty());
        (0..2 * ADDRESSES as u16).for_each(|port| tally.sent(SocketAddr::from(([192, 0, 2, 1], port)), &datagram(1)));
        assert_eq!(tally.take().0.len(), ADDRESSES);
    }
}
