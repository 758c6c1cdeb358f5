//! [`Namesakes`]: neighbours that have a network of the same name and another password: most often somebody mistyped it.

use crate::proto::limits::NAMESAKES;
use crate::proto::time::Tick;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One such neighbour. Who knows the network's name can make one up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namesake {
    /// When it was first heard.
    pub first: Tick,
    /// When it was last heard.
    pub last: Tick,
    /// How often.
    pub times: u64,
}

/// At most [`NAMESAKES`] of them; where another one is heard, the one that is silent for longest goes.
#[derive(Debug, Default)]
pub(super) struct Namesakes {
    by_address: BTreeMap<IpAddr, Namesake>,
}

impl Namesakes {
    pub(super) fn hear(&mut self, now: Tick, from: IpAddr) {
        if let Some(namesake) = self.by_address.get_mut(&from) {
            namesake.last = now;
            namesake.times += 1;
            return;
        }
        if self.by_address.len() >= NAMESAKES {
            let silent = self.by_address.iter().min_by_key(|(_, namesake)| namesake.last).map(|(&from, _)| from);
            silent.map(|silent| self.by_address.remove(&silent));
        }
        self.by_address.insert(from, Namesake { first: now, last: now, times: 1 });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, Namesake)> {
        self.by_address.iter().map(|(&from, &namesake)| (from, namesake))
    }
}
