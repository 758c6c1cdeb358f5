//! [`Splits`]: who could not be reached for a while, and what it took to be alike again: kept small, for who looks later.

use super::engine::Moment;
use crate::api;
use crate::display::rfc3339;
use crate::proto::fact::ReachFact;
use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use crate::proto::peers::Reach;
use crate::proto::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Splits that are kept.
const KEPT: usize = 16;
/// Peers that are apart at once, of which it is known since when.
const APART: usize = 1024;
/// Peers of a split that are named.
const NAMED: usize = 16;
/// Who comes back within this time after another was in the same split.
const TOGETHER: Duration = Duration::from_secs(10);
/// How long it may take to be alike, before it is not told how long it took.
const PATIENCE: Duration = Duration::from_secs(300);
/// So often it is looked at how many records there are, and so many looks are kept: longer than it takes to know that
/// somebody is gone.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Splits {
    /// How many records there were, lately.
    counts: VecDeque<(Tick, u64)>,
    /// What is not dealt with yet.
    pending: Vec<(Guid, Box<str>, Reach)>,
    apart: BTreeMap<Guid, Apart>,
    healing: Option<Split>,
    past: VecDeque<Split>,
}

/// Somebody who cannot be reached.
#[derive(Debug)]
struct Apart {
    from: Tick,
    /// Records when it was last heard: both had these.
    count: u64,
}

/// A split that is over, or nearly.
#[derive(Clone, Debug)]
struct Split {
    peers: BTreeMap<Guid, Box<str>>,
    from: Tick,
    count: u64,
    to: Tick,
    /// When all were alike, and how many records there were then; not known if it took too long.
    alike: Option<(Tick, u64)>,
}

impl Splits {
    /// A peer is reached in another way.
    pub fn note(&mut self, fact: &ReachFact) {
        self.pending.push((fact.guid, fact.name.clone(), fact.reach));
    }

    /// Looks at a node, after anything happened to it.
    pub fn look(&mut self, now: Tick, node: &Node) {
        let count = node.ledger().state().count;
        for (guid, name, reach) in std::mem::take(&mut self.pending) {
            match reach {
                Reach::Unreachable => {
                    if self.apart.len() >= APART {
                        // Who is not even listed any more does not come back as one who was apart.
                        self.apart.retain(|guid, _| node.peers().peer(guid).is_some());
                    }
                    let peer = node.peers().peer(&guid).filter(|_| self.apart.len() < APART);
                    // Of one that was never heard nothing is known.
                    if let Some((from, peer)) = peer.and_then(|peer| Some((peer.heard?, peer))) {
                        let said = peer.state.map_or(0, |claim| claim.state.count.min(count));
                        self.apart.insert(guid, Apart { from, count: self.count_at(from, count).max(said) });
                    }
                }
                Reach::Reachable => self.back(now, guid, name),
                // Who said goodbye was not cut off.
                Reach::Left => drop(self.apart.remove(&guid)),
                Reach::Suspect => {}
            }
        }
        if self.counts.back().is_none_or(|(at, _)| now.since(*at) >= LOOK) {
            self.counts.push_back((now, count));
            if self.counts.len() > LOOKS {
                self.counts.pop_front();
            }
        }
        let alike = |guid: &Guid| match node.peers().peer(guid) {
            // Who is gone again has nothing more to exchange.
            Some(peer) if peer.reach == Reach::Reachable => peer.state.is_some_and(|claim| node.ledger().equals(claim)),
            _ => true,
        };
        let Some(split) = &mut self.healing else { return };
        let over = now.since(split.to) > PATIENCE;
        if over || split.peers.keys().all(alike) {
            split.alike = (!over).then_some((now, count));
            self.past.extend(self.healing.take());
            if self.past.len() > KEPT {
                self.past.pop_front();
            }
        }
    }

    /// The last splits, the latest first.
    pub fn shown(&self, moment: Moment) -> Vec<api::Split> {
        let at = |tick| rfc3339(moment.wall(tick));
        let all = self.healing.iter().chain(self.past.iter().rev());
        let shown = all.map(|split| api::Split {
            from: at(split.from),
            to: at(split.to),
            peers: split.peers.values().take(NAMED).map(|name| name.to_string()).collect(),
            peer_count: split.peers.len() as u64,
            records: split.alike.map(|(_, count)| count.saturating_sub(split.count)),
            took_ms: split.alike.map(|(at, _)| at.since(split.to).as_secs_f64() * 1000.0),
        });
        shown.collect()
    }

    /// Somebody is back. Who comes back soon after another was apart from us together with that one.
    fn back(&mut self, now: Tick, guid: Guid, name: Box<str>) {
        let Some(Apart { from, count }) = self.apart.remove(&guid) else { return };
        if self.healing.is_none() && self.past.back().is_some_and(|split| now.since(split.to) <= TOGETHER) {
            self.healing = self.past.pop_back();
        }
        let new = || Split { peers: BTreeMap::new(), from, count, to: now, alike: None };
        let split = self.healing.get_or_insert_with(new);
        split.peers.insert(guid, name);
        (split.from, split.count) = (split.from.min(from), split.count.min(count));
    }

    /// How many records there were then.
    fn count_at(&self, then: Tick, now: u64) -> u64 {
        let before = self.counts.iter().rev().find(|(at, _)| *at <= then).or(self.counts.front());
        before.map_or(now, |(_, count)| *count)
    }
}
