//! What can be had of a long record that is still under way: here, for those to whom its head was passed on; and of
//! holders who do not have all of it themselves. So a long MSG is on its way through the whole tree at once.

use super::flow::Flow;
use super::partials::{Partial, Partials};
use crate::proto::fact::LIST;
use crate::proto::gossip::{Guid, Hash, Head, Key};
use crate::proto::wire::Parts;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

impl Partial {
    pub(super) fn new(head: Head, holders: Vec<Guid>) -> Partial {
        let (list, kept, restored, limits, given_up) = Default::default();
        let verified = Parts { guid: head.guid(), ..Parts::default() };
        Partial { head, holders, list, kept, restored, verified, limits, given_up }
    }

    /// What is wanted of it now: its pieces, or first the list by which they are verified.
    pub(super) fn wanted(&self) -> RangeInclusive<u16> {
        match self.head.piece_count() {
            count @ 1.. if count == 1 || self.list.is_some() => 0..=count as u16 - 1,
            _ => LIST..=LIST,
        }
    }

    /// Bytes of a piece, or of the list.
    pub(super) fn len_of(&self, piece: u16) -> usize {
        match piece {
            LIST => self.head.piece_count() * size_of::<Hash>(),
            _ => self.head.piece_len(piece.into()),
        }
    }

    /// Whether a holder has this piece, as far as it said.
    pub(super) fn has(&self, holder: &Guid, piece: u16) -> bool {
        self.limits.get(holder).is_none_or(|parts| parts.contains(piece))
    }
}

impl Partials {
    /// What of a record under way was verified here, and where it stands.
    pub fn parts(&self, guid: &Guid) -> Option<(Key, Parts)> {
        let partial = self.partials.get(guid)?;
        Some((Key { date_time: partial.head.date_time(), guid: *guid }, partial.verified))
    }

    /// A holder said what it has so far: what else is asked of it will not come now.
    pub fn handle_parts(&mut self, peer: Guid, parts: &Parts, flows: &mut BTreeMap<Guid, Flow>) {
        let Some(partial) = self.partials.get_mut(&parts.guid) else { return };
        if !partial.holders.contains(&peer) {
            if partial.holders.len() >= super::HOLDERS {
                return;
            }
            partial.holders.push(peer);
            flows.entry(peer).or_default();
        }
        partial.limits.insert(peer, *parts);
        self.assignable = true;
        let lacking = |piece: u16| !parts.contains(piece);
        let places: Vec<_> = self.slabs.of(peer).map(|(place, _)| place).collect();
        for place in places.into_iter().filter(|place| place.0 == parts.guid && lacking(place.1)) {
            self.slabs.remove(&place, flows);
        }
    }
}
