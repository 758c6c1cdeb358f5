//! [`Former`]: who was dead for so long that it left the list. Of the latest some are tried for ever, each now and then: so
//! a split heals however long it lasts, and what is kept of those who never come back is bounded.

use crate::proto::gossip::Guid;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// How many are tried.
const FORMER: usize = 64;
/// Turns, of a gossip timer each, of which one is theirs.
const TURNS: u8 = 60;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// Whose turn it is comes first.
    all: VecDeque<(Guid, SocketAddr)>,
    turn: u8,
}

impl Former {
    /// One left the list. Returns whom that makes too many.
    pub(super) fn add(&mut self, guid: Guid, addr: SocketAddr) -> Option<Guid> {
        self.remove(&guid);
        self.all.push_back((guid, addr));
        if self.all.len() > FORMER { self.all.pop_front().map(|(guid, _)| guid) } else { None }
    }

    /// It is on the list again, or nobody wants to know of it.
    pub(super) fn remove(&mut self, guid: &Guid) {
        self.all.retain(|(former, _)| former != guid);
    }

    /// A turn: whom to try, if it is theirs.
    pub(super) fn turn(&mut self) -> Option<SocketAddr> {
        self.turn = (self.turn + 1) % TURNS;
        if self.turn > 0 || self.all.is_empty() {
            return None;
        }
        self.all.rotate_left(1);
        self.all.back().map(|&(_, addr)| addr)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn check(&self) {
        assert!(self.all.len() <= FORMER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_turn_and_the_first_to_come_is_the_first_to_go() {
        let (addr, mut former) = (|n: u16| SocketAddr::from(([10, 0, 0, 1], n)), Former::default());
        let guid = |n: u16| Guid([n as u8; 16]);
        for n in 0..FORMER as u16 + 2 {
            assert_eq!(former.add(guid(n), addr(n)), (n as usize).checked_sub(FORMER).map(|over| guid(over as u16)));
            former.check();
        }
        (4..FORMER as u16 + 2).for_each(|n| former.remove(&guid(n)));
        assert_eq!(former.add(guid(2), addr(9)), None, "it was there, and is elsewhere now");
        let tried: Vec<_> = (0..3 * u32::from(TURNS)).filter_map(|_| former.turn()).collect();
        assert_eq!(tried, [addr(3), addr(9), addr(3)]);
    }
}
