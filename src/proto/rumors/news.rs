//! [`News`]: what this node came to hold lately, to be announced while things go wrong; and what others announced, which
//! is given a moment to come by itself before it is pulled.

use super::{Rumors, Ways};
use crate::proto::gossip::Guid;
use crate::proto::limits::{ANNOUNCED, HEARD};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long after a silence, a late range or a repair a node announces what it comes to hold. While everything is
/// acknowledged at once, announcements only say what is known.
const TROUBLE: Duration = Duration::from_secs(10);
/// What is held for longer is no news.
const NEWS: Duration = Duration::from_secs(1);
/// Rumours flow while the last record was learnt less than this ago.
const FLOW: Duration = Duration::from_secs(1);
/// Announced at once at most.
const BATCH: usize = 8 * HEARD;

/// See the module.
#[derive(Default)]
pub(super) struct News {
    /// What came to be held, and when.
    held: VecDeque<(Tick, Guid)>,
    next_announcement: Tick,
    troubled_until: Tick,
    /// Announced by a peer: when it is to be pulled.
    expected: BTreeMap<Guid, Vec<Guid>>,
    ripe: BTreeSet<(Tick, Guid)>,
}

/// Holders remembered of one expected record.
const HOLDERS: usize = 3;

impl News {
    /// Something went wrong.
    pub(super) fn trouble(&mut self, now: Tick) {
        self.troubled_until = now + TROUBLE;
    }

    fn forget_old(&mut self, now: Tick) {
        while self.held.front().is_some_and(|&(at, _)| now.since(at) >= NEWS) || self.held.len() > ANNOUNCED {
            self.held.pop_front();
        }
    }

    pub(super) fn check(&self) {
        assert!(self.held.len() <= ANNOUNCED + 1 && self.expected.len() <= ANNOUNCED);
        assert_eq!(self.expected.len(), self.ripe.len());
    }
}

impl Rumors {
    /// A record is held from now on.
    pub fn held(&mut self, now: Tick, guid: Guid) {
        if self.timing.announce > Duration::ZERO {
            self.news.forget_old(now);
            self.news.held.push_back((now, guid));
        }
    }

    /// A digest showed that something did not come by itself.
    pub fn trouble(&mut self, now: Tick) {
        self.news.trouble(now);
    }

    /// Whether records come as rumours, and nothing went wrong lately.
    pub fn is_flowing(&self, now: Tick) -> bool {
        self.news.troubled_until <= now && self.recent.last().is_some_and(|learnt| now.since(learnt) < FLOW)
    }

    /// Whether there is something to announce now.
    pub fn has_news(&mut self, now: Tick) -> bool {
        self.news.forget_old(now);
        self.news.troubled_until > now && self.news.next_announcement <= now && !self.news.held.is_empty()
    }

    /// Announces the news to this peer, who was drawn at random.
    pub fn announce(&mut self, now: Tick, peer: Option<Guid>) {
        self.news.next_announcement = now + self.timing.announce;
        let news: Vec<Guid> = self.news.held.drain(..).map(|(_, guid)| guid).rev().take(BATCH).collect();
        if let Some(peer) = peer {
            self.with_lane(now, peer, |lane| news.into_iter().for_each(|guid| lane.holds(guid)));
        }
    }

    /// A peer holds a record that we lack: it is pulled if it does not come by itself. False where it must be pulled at
    /// once, since too many are expected.
    pub fn expect_record(&mut self, now: Tick, guid: Guid, peer: Guid, ways: &impl Ways) -> bool {
        if let Some(holders) = self.news.expected.get_mut(&guid) {
            if holders.len() < HOLDERS && !holders.contains(&peer) {
                holders.push(peer);
            }
            return true;
        }
        if self.news.expected.len() >= ANNOUNCED {
            return false;
        }
        let trips = ways.rtt(&peer).smoothed().unwrap_or_default() * 3;
        self.news.expected.insert(guid, vec![peer]);
        self.news.ripe.insert((now + trips.max(self.timing.grace), guid));
        true
    }

    /// A record that was expected for long enough, and who holds it.
    pub fn poll_ripe(&mut self, now: Tick) -> Option<(Guid, Vec<Guid>)> {
        let &(at, guid) = self.news.ripe.first()?;
        if at > now {
            return None;
        }
        self.news.ripe.pop_first();
        Some((guid, self.news.expected.remove(&guid).unwrap_or_default()))
    }

    pub(super) fn poll_news(&self) -> Tick {
        let ripe = self.news.ripe.first().map_or(Tick::NEVER, |&(at, _)| at);
        let news = &self.news;
        let announces = news.held.back().is_some_and(|&(at, _)| news.troubled_until > news.next_announcement.max(at));
        ripe.min(if announces { news.next_announcement } else { Tick::NEVER })
    }
}
