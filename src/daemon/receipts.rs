//! Who holds a record: asked of the node, and waited for.

use super::handle::Handle;
use super::refusal::Refusal;
use crate::api;
use crate::proto::gossip::Guid;
use std::time::Duration;

/// How long peers may take to say that they hold a record.
const ASKING: Duration = Duration::from_secs(1);

/// How many reachable peers are to hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holders {
    /// All of them.
    All,
    /// So many.
    Count(u64),
}

impl std::str::FromStr for Holders {
    type Err = String;

    fn from_str(text: &str) -> Result<Holders, String> {
        match text {
            "all" => Ok(Holders::All),
            text => text.parse().map(Holders::Count).map_err(|_| format!("{text:?} is neither a number nor all")),
        }
    }
}

impl Holders {
    /// So many; none: all.
    fn wanted(self) -> Option<usize> {
        match self {
            Holders::All => None,
            Holders::Count(count) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
        }
    }

    pub(super) fn suffice(self, held_by: api::HeldBy) -> bool {
        match self {
            Holders::All => held_by.known >= held_by.reachable,
            Holders::Count(count) => held_by.known >= count,
        }
    }
}

impl Handle {
    /// Who is known to hold a record.
    pub(super) async fn held_by(&self, network: usize, guid: Guid) -> Result<api::HeldBy, Refusal> {
        self.look(network, move |member, _| {
            let spread = member.node.spread(&guid);
            api::HeldBy { known: spread.known as u64, reachable: spread.reachable as u64 }
        })
        .await
    }

    /// Which peers are known to hold a record, after all were asked.
    pub async fn holders(&self, network: Option<&str>, guid: &str) -> Result<api::Holders, Refusal> {
        let index = self.network(network)?;
        let guid = self.find(index, guid).await?.guid;
        let held_by = self.wait_held(index, guid, Holders::All, ASKING).await?;
        self.look(index, move |member, _| {
            let peers = member.node.peers();
            let named = |guid: &Guid| peers.peer(guid).map(|peer| peer.name.to_owned()).unwrap_or_default();
            let shown = |(guid, after): (Guid, Option<Duration>)| api::Holder {
                guid: guid.to_string(),
                name: named(&guid),
                after_ms: after.map(|after| after.as_secs_f64() * 1000.0),
            };
            let holders: Vec<api::Holder> = member.node.holders(&guid).into_iter().map(shown).collect();
            let last_after_ms = holders.iter().filter_map(|holder| holder.after_ms).max_by(f64::total_cmp);
            let known = holders.len() as u64;
            api::Holders { guid: guid.to_string(), known, reachable: held_by.reachable, last_after_ms, holders }
        })
        .await
    }

    /// Asks who holds a record until as many do as are wanted, or the time is over.
    pub(super) async fn wait_held(
        &self,
        network: usize,
        guid: Guid,
        holders: Holders,
        timeout: Duration,
    ) -> Result<api::HeldBy, Refusal> {
        let mut waiting = self.wait_up_to(timeout);
        self.look(network, move |member, moment| {
            member.node.watch(moment.now, guid, timeout, holders.wanted());
            member.touch();
        })
        .await?;
        loop {
            waiting.look();
            let held_by = self.held_by(network, guid).await?;
            if holders.suffice(held_by) || waiting.is_over() {
                return Ok(held_by);
            }
            waiting.change().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_says_a_number_or_all() {
        assert_eq!("all".parse(), Ok(Holders::All));
        assert_eq!("3".parse(), Ok(Holders::Count(3)));
        for text in ["", "ALL", "-1", "3.5", "most"] {
            assert!(text.parse::<Holders>().is_err(), "{text}");
        }
        let held_by = |known, reachable| api::HeldBy { known, reachable };
        assert!(Holders::All.suffice(held_by(0, 0)) && Holders::All.suffice(held_by(4, 4)));
        assert!(!Holders::All.suffice(held_by(3, 4)));
        assert!(Holders::Count(3).suffice(held_by(3, 4)) && !Holders::Count(5).suffice(held_by(4, 4)));
    }
}
