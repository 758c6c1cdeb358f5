//! [`Watch`]: who holds whom for dead, and since when; taken from what nodes say of their peers.

use super::host_set::HostSet;
use crate::proto::gossip::Guid;
use crate::proto::peers::Reach;
use crate::proto::time::Tick;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What became known of a host that fell silent.
#[derive(Debug, Default)]
pub struct Fall {
    /// When it fell.
    pub at: Tick,
    /// When somebody first suspected it.
    pub suspected: Option<Tick>,
    /// When somebody first held it for dead.
    pub declared: Option<Tick>,
    /// When nobody was left who believed that it lives.
    pub known: Option<Tick>,
    unaware: HostSet,
}

impl Fall {
    /// How many still believe that it lives.
    pub fn unaware(&self) -> usize {
        self.unaware.len()
    }

    /// The time from its fall until one of the moments above.
    pub fn until(&self, moment: Option<Tick>) -> Option<Duration> {
        moment.map(|moment| moment.since(self.at))
    }
}

/// Follows what nodes say of each other.
#[derive(Debug, Default)]
pub struct Watch {
    /// How often a node suspected one that was up.
    pub suspicions: u64,
    /// How often a node held one for dead that was up.
    pub declarations: u64,
    accused: HostSet,
    numbers: HashMap<Guid, usize>,
    falls: BTreeMap<usize, Fall>,
}

impl Watch {
    /// The hosts that fell.
    pub fn falls(&self) -> impl Iterator<Item = &Fall> {
        self.falls.values()
    }

    /// How many hosts were held for dead while they were up.
    pub fn accused(&self) -> usize {
        self.accused.len()
    }

    /// Counts false alarms from here on.
    pub fn forget_alarms(&mut self) {
        (self.suspicions, self.declarations, self.accused) = Default::default();
    }

    pub(super) fn number(&mut self, guid: Guid, host: usize) {
        self.numbers.insert(guid, host);
    }

    pub(super) fn host(&self, guid: &Guid) -> Option<usize> {
        self.numbers.get(guid).copied()
    }

    /// A host fell silent. `unaware`: those who believe that it lives, and are to notice.
    pub(super) fn fell(&mut self, at: Tick, host: usize, unaware: HostSet) {
        self.falls.insert(host, Fall { at, unaware, ..Fall::default() });
    }

    /// It is up again.
    pub(super) fn rose(&mut self, host: usize) {
        self.falls.remove(&host);
    }

    /// `witness` reaches `host` in another way than before. `up`: it is up, and has been for so long that whatever was
    /// said of it before has been taken back.
    pub(super) fn note(&mut self, now: Tick, witness: usize, host: usize, reach: Reach, up: bool) {
        let Some(fall) = self.falls.get_mut(&host) else {
            match reach {
                Reach::Suspect if up => self.suspicions += 1,
                Reach::Unreachable if up => {
                    self.declarations += 1;
                    self.accused.insert(host);
                }
                _ => {}
            }
            return;
        };
        match reach {
            Reach::Reachable => {
                fall.unaware.insert(witness);
            }
            Reach::Suspect => drop(fall.suspected.get_or_insert(now)),
            Reach::Unreachable | Reach::Left => {
                fall.suspected.get_or_insert(now);
                fall.declared.get_or_insert(now);
                if fall.unaware.remove(witness) && fall.unaware.len() == 0 {
                    fall.known = Some(now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_is_known_when_all_who_were_to_notice_have() {
        let mut watch = Watch::default();
        watch.fell(Tick(100), 7, [1, 2].into_iter().collect());
        watch.note(Tick(200), 1, 7, Reach::Suspect, false);
        watch.note(Tick(300), 1, 7, Reach::Unreachable, false);
        watch.note(Tick(350), 1, 7, Reach::Reachable, false);
        watch.note(Tick(400), 2, 7, Reach::Unreachable, false);
        assert_eq!(watch.falls().map(|fall| (fall.known, fall.unaware())).collect::<Vec<_>>(), [(None, 1)]);
        watch.note(Tick(500), 1, 7, Reach::Unreachable, false);
        let fall = watch.falls().next().unwrap();
        assert_eq!((fall.suspected, fall.declared, fall.known), (Some(Tick(200)), Some(Tick(300)), Some(Tick(500))));
        assert_eq!(fall.until(fall.known), Some(Duration::from_micros(400)));
        assert_eq!((watch.suspicions, watch.declarations), (0, 0));
    }

    #[test]
    fn an_alarm_is_false_only_about_who_is_up() {
        let mut watch = Watch::default();
        watch.note(Tick(1), 0, 3, Reach::Suspect, true);
        watch.note(Tick(2), 0, 3, Reach::Unreachable, true);
        watch.note(Tick(3), 1, 3, Reach::Unreachable, true);
        watch.note(Tick(3), 1, 4, Reach::Unreachable, false);
        assert_eq!((watch.suspicions, watch.declarations, watch.accused()), (1, 2, 1));
    }
}
