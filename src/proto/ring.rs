//! [`Range`]: a part of the ring on which all nodes of a network stand, each at [`place`] of its GUID. The ring is the
//! same whatever key or view a node has; records are handed down along it (see `rumors`), and lists of peers are paged
//! by it.

use crate::proto::gossip::Guid;
use sha2::{Digest, Sha256};

/// Where a node stands: the first 8 bytes of SHA-256 of its GUID, so that nobody's GUID puts him next to another by
/// chance or by convenience.
pub fn place(guid: &Guid) -> u64 {
    let hash: [u8; 32] = Sha256::digest(guid.0).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The places from `from` up to, and without, `to`, around the ring's end where `to` is less. Equal ends: no place at
/// all; there is no range of all places, since whoever gives one away stands on the ring himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first place.
    pub from: u64,
    /// The place behind the last.
    pub to: u64,
}

impl Range {
    /// No place.
    pub const EMPTY: Range = Range { from: 0, to: 0 };

    /// All places but this one.
    pub fn all_but(place: u64) -> Range {
        Range { from: place.wrapping_add(1), to: place }
    }

    /// Whether there is no place in it.
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// How many places there are in it.
    pub fn len(&self) -> u64 {
        self.to.wrapping_sub(self.from)
    }

    /// Whether a place is in it.
    pub fn contains(&self, place: u64) -> bool {
        place.wrapping_sub(self.from) < self.len()
    }

    /// The part of it behind a place in it.
    pub fn behind(&self, place: u64) -> Range {
        Range { from: place.wrapping_add(1), to: self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_around_the_end_and_never_names_its_own_end() {
        let range = Range { from: u64::MAX - 1, to: 2 };
        assert_eq!(range.len(), 4);
        for (place, within) in [(u64::MAX - 2, false), (u64::MAX - 1, true), (u64::MAX, true), (1, true), (2, false)] {
            assert_eq!(range.contains(place), within, "{place}");
        }
        assert_eq!(range.behind(u64::MAX), Range { from: 0, to: 2 });
        assert!(range.behind(1).is_empty());
        assert_eq!(Range::all_but(7).len(), u64::MAX);
        assert!(!Range::all_but(7).contains(7) && Range::all_but(7).contains(6) && Range::all_but(7).contains(8));
        assert!(!Range::EMPTY.contains(0));
    }

    #[test]
    fn places_are_frozen() {
        assert_eq!(place(&Guid([0; 16])), 0x374708fff7719dd5);
    }
}
