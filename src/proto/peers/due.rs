//! What is due by time: all that peers have timers for, and the round and the news, which have no other part.

use super::favours::Favour;
use super::healing::DRAW;
use super::probing::Probe;
use super::{Errand, Peers};
use crate::proto::gossip::Guid;
use crate::proto::limits::UPDATES;
use crate::proto::settings::PeerSelect;
use crate::proto::time::Tick;
use crate::proto::wire::Claim;
use rand::RngExt;
use rand::seq::SliceRandom;
use std::net::SocketAddr;

/// Peers to whom news is told at once, and how many times as many where it fills so many datagrams.
const LISTENERS: usize = 3;
const MOST_TOLD: usize = 4;
impl Peers {
    /// Does what is due: probes, suspicions, hints, returns, pages, news, and the round, which turns to peers that hold
    /// something else than `ours`.
    pub(in crate::proto) fn handle_timeout(&mut self, now: Tick, ours: &[Claim]) {
        self.continue_probes(now);
        self.continue_favours(now);
        self.ask_questions(now);
        self.judge(now);
        let Peers { hints, table, .. } = self;
        let is_live_at = |guid: &Guid, addr: &SocketAddr| {
            table.find(guid).is_some_and(|(_, entry)| entry.reach().answers() && entry.addr() == *addr)
        };
        for addr in hints.due(now, is_live_at) {
            self.errands.push_back(Errand::Register(addr));
        }
        self.follow_returns(now);
        if self.next_draw <= now {
            self.next_draw = now + DRAW;
            self.draw_dead(now);
        }
        self.turn_pages(now);
        let (probe, round) = (self.next_probe <= now, self.next_round <= now);
        if probe {
            // The jitter keeps the rounds of nodes that started together apart.
            self.next_probe = now + self.period.mul_f64(self.rng.random_range(0.9..1.1));
            self.probe_next(now);
        }
        if round {
            let together = probe && self.period == self.timer;
            let jitter = if together { 0.0 } else { self.rng.random_range(0.9..1.1) };
            self.next_round = if together { self.next_probe } else { now + self.timer.mul_f64(jitter) };
            self.hold_round(ours);
        }
        if self.next_news <= now && !self.news.is_empty() {
            self.next_news = now + self.timing.update_gap;
            self.tell_news(now);
        }
    }

    /// When that is next.
    pub(in crate::proto) fn poll_timeout(&self) -> Tick {
        let probes = self.probes.iter().map(Probe::next);
        let favours = self.favours.iter().map(Favour::next);
        let draw = if self.table.others().is_empty() && self.former.is_empty() { Tick::NEVER } else { self.next_draw };
        let returns = if self.returns.untried() == 0 { Tick::NEVER } else { self.next_return };
        let news = if self.news.is_empty() { Tick::NEVER } else { self.next_news };
        let single =
            [self.suspicions.next(), self.hints.next(), draw, returns, news, self.questions.next(), self.pager.next()];
        let single = single.into_iter().chain([self.next_probe, self.next_round]);
        probes.chain(favours).chain(single).min().unwrap_or(Tick::NEVER)
    }

    /// Turns to peers that hold something else than `ours`, which says the same under each key; not to those who are greeted anyway.
    fn hold_round(&mut self, ours: &[Claim]) {
        let probed: Vec<Guid> = self.probes.iter().map(|probe| probe.guid).collect();
        let mut others: Vec<(Option<Tick>, Guid)> = (self.contacts.iter())
            .filter(|(_, contact)| contact.state.is_some_and(|claim| !ours.contains(&claim)))
            .filter(|(guid, _)| !probed.contains(guid) && self.is_live(guid))
            .map(|(&guid, contact)| (contact.heard, guid))
            .collect();
        match self.select {
            PeerSelect::OldestFirst => others.sort(),
            PeerSelect::Random | PeerSelect::Both => others.shuffle(&mut self.rng),
        }
        for (_, guid) in others.into_iter().take(self.most - 1) {
            self.errands.push_back(Errand::Hello(guid));
        }
    }

    fn tell_news(&mut self, now: Tick) {
        // Where much happens at once, more is told at once, or the last of it would wait for the first. Where thousands
        // join at once it is pages that tell most.
        let most = if self.is_joining(now) { 1 } else { MOST_TOLD };
        let listeners = LISTENERS * (self.news.len() / UPDATES).clamp(1, most);
        let listeners = self.some_contacts(listeners, None);
        if listeners.is_empty() {
            self.next_news = now + self.timer;
        }
        self.errands.extend(listeners.into_iter().map(Errand::Tell));
    }
}
