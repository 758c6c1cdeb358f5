//! What [`Peers`](crate::proto::peers::Peers) wants sent, and what HELLO and HELLO_FOR tell it.

use super::Node;
use crate::proto::beacon::Standing;
use crate::proto::beyond::Beyond;
use crate::proto::gossip::Guid;
use crate::proto::limits::{HEADER, MAX_DATAGRAM, MAX_NAME, MIN_MAX_BODY, NETWORKS, TAG};
use crate::proto::peers::Errand;
use crate::proto::seal::KeyId;
use crate::proto::time::Tick;
use crate::proto::wire::{Blob, Card, CardAsk, CardPage, Claim, Hello, Message, Name, Nodes, Update};
use std::net::SocketAddr;
use std::time::Duration;

/// The stamp of a HELLO_BACK that answers nothing: it only tells news.
const NO_ANSWER: u64 = u64::MAX;

impl Node {
    /// What this node's beacons say of it: its GUID and the epoch of its run.
    pub fn run(&self) -> (Guid, u64) {
        (self.settings.guid, self.sessions.epoch())
    }

    /// How this node stands to one whose beacon it heard. Who has started again since we last met is not known, nor is who
    /// counts as dead; whom others named is, as long as it counts as alive.
    pub fn standing(&self, guid: Guid, epoch: u64) -> Standing {
        let alive = self.peers.peer(&guid).is_some_and(|peer| peer.reach.answers());
        let known = alive && self.sessions.epoch_of(guid).is_none_or(|last| last >= epoch);
        Standing { known, nodes: self.peers.live() + 1 }
    }

    /// Answers a beacon that came from there: with one REGISTER, and no more if nobody answers that.
    pub fn answer_beacon(&mut self, now: Tick, addr: SocketAddr) {
        self.register_with(now, addr);
    }

    /// Does what the peers' part wants done; after everything that may have changed it.
    pub(super) fn run_errands(&mut self, now: Tick) {
        while let Some(gone) = self.peers.poll_gone() {
            self.forget_traffic(now, &gone);
            self.sessions.remove(now, gone);
        }
        while let Some(fact) = self.peers.poll_fact() {
            self.facts.push_back(fact);
        }
        while let Some(errand) = self.peers.poll_errand() {
            match errand {
                Errand::Register(addr) => self.register_with(now, addr),
                Errand::Hello(guid) => self.hello(now, guid, None),
                Errand::Ask(guid, ask) => self.hello(now, guid, Some(ask)),
                Errand::Tell(guid) if self.sessions.contains(guid) => self.tell_news(now, guid, Vec::new()),
                Errand::Tell(_) => {}
                Errand::For(guid, errand) => self.send(guid, Message::HelloFor(errand)),
            }
        }
    }

    /// Greets a peer; where there is no session with it, registers with it, which is a greeting too.
    pub(super) fn hello(&mut self, now: Tick, to: Guid, page_ask: Option<CardAsk>) {
        if self.sessions.contains(to) {
            let hello = self.make_hello(now, to, Hello { stamp: now.0, page_ask, ..Hello::default() }, Vec::new());
            self.send(to, Message::Hello(hello));
        } else if let Some(addr) = self.peers.addr(&to) {
            self.register_with(now, addr);
        }
    }

    /// Greets a peer at once, if it is said with a datagram of so many bytes; [`pong`](Node::pong) then tells how long its
    /// answer took.
    pub fn ping(&mut self, now: Tick, peer: Guid, size: Option<usize>) {
        self.pings.ask(now, peer);
        match size {
            Some(size) if self.sessions.contains(peer) => {
                let hello = self.hello_of(now, Hello { stamp: now.0, ..Hello::default() });
                let padding = size.min(MAX_DATAGRAM).saturating_sub(HEADER + TAG + said(&hello));
                self.send(peer, Message::Hello(padded(hello, padding)));
            }
            _ => self.hello(now, peer, None),
        }
    }

    /// Drops a peer that does not answer; false if it answers or is not known. Others may name it again.
    pub fn forget(&mut self, now: Tick, peer: &Guid) -> bool {
        let forgotten = self.peers.forget(peer);
        self.run_errands(now);
        forgotten
    }

    /// By how many milliseconds this node's clock is ahead of most clocks of those that it reaches, and how many they are:
    /// the median; of two the lesser difference, and none where one is ahead and one behind.
    pub fn clock_ahead(&self) -> Option<(i64, usize)> {
        let reached = self.peers.iter().filter(|(_, peer)| peer.reach.answers());
        let mut all: Vec<i64> = reached.filter_map(|(_, peer)| peer.clock_ahead).map(|ahead| -ahead).collect();
        all.sort_unstable();
        let median = match all[..] {
            // Of two, each may be the one that is wrong: what holds of both holds.
            [low, high] if low.signum() != high.signum() => 0,
            [low, high] => {
                if low.abs() < high.abs() {
                    low
                } else {
                    high
                }
            }
            _ => *all.get(all.len() / 2)?,
        };
        Some((median, all.len()))
    }

    /// How long a peer took to answer the last [`ping`](Node::ping), if it has.
    pub fn pong(&self, peer: &Guid) -> Option<Duration> {
        self.pings.took(peer)
    }

    /// A HELLO or HELLO_BACK, of which the stamp and what is asked for or told of lists are given, with what this node says
    /// in each and as much news as there is room for; `newer` is what the receiver should know and does not.
    pub(super) fn make_hello(&mut self, now: Tick, to: Guid, given: Hello, newer: Vec<Update>) -> Hello {
        let (ask, page) =
            (given.page_ask.as_ref().map_or(0, CardAsk::size), given.page.as_ref().map_or(0, CardPage::size));
        let taken = Hello::EMPTY + NETWORKS * (2 + MAX_NAME) + ask + page;
        let updates = self.peers.news_for(&to, newer, MIN_MAX_BODY.saturating_sub(taken) / Update::SIZE);
        self.hello_of(now, Hello { updates, ..given })
    }

    pub(super) fn hello_of(&mut self, now: Tick, given: Hello) -> Hello {
        Hello {
            state: self.ledger.state(),
            horizon: self.retention.horizon(),
            list: self.peers.list(),
            incarnation: self.peers.incarnation(),
            health: self.peers.health(),
            clock: self.wall(now),
            networks: self.beyond.names(),
            ..given
        }
    }

    /// Tells a peer news that it did not ask for.
    fn tell_news(&mut self, now: Tick, to: Guid, newer: Vec<Update>) {
        let hello = self.make_hello(now, to, Hello { stamp: NO_ANSWER, ..Hello::default() }, newer);
        self.send(to, Message::HelloBack(hello));
    }

    /// What HELLO and HELLO_BACK say alike. Returns what the peer should know and does not.
    fn note_hello(&mut self, now: Tick, peer: Guid, claim: Claim, hello: &Hello) -> Vec<Update> {
        self.peers.holds(&peer, claim);
        self.follow_horizon(now, peer, hello.horizon);
        if self.ledger.equals(claim) {
            self.receipts.equals(now, peer);
        }
        self.peers.belongs(&peer, &hello.networks);
        if let Some(ask) = self.beyond.named(now, &hello.networks) {
            self.send(peer, Message::Nodes(ask));
        }
        self.peers.incarnate(now, &peer, hello.incarnation);
        let newer = self.peers.hear(now, peer, &hello.updates);
        if let Some(page) = &hello.page {
            self.peers.told(now, peer, page);
        }
        newer
    }

    pub(super) fn take_hello(&mut self, now: Tick, peer: Guid, key: KeyId, hello: Hello) {
        let newer = self.note_hello(now, peer, Claim { key, state: hello.state }, &hello);
        if !hello.padding.0.is_empty() {
            // Somebody tries how long a datagram may be, there and back: the answer says nothing else, and is no longer.
            let back = self.hello_of(now, Hello { stamp: hello.stamp, ..Hello::default() });
            let padding = (hello.padding.0.len() + said(&hello)).saturating_sub(said(&back));
            self.send(peer, Message::HelloBack(padded(back, padding)));
            return;
        }
        let mut pages = hello.page_ask.map(|ask| self.peers.pages(peer, &ask)).unwrap_or_default().into_iter();
        let back = Hello { stamp: hello.stamp, page: pages.next(), ..Hello::default() };
        let back = self.make_hello(now, peer, back, newer);
        self.send(peer, Message::HelloBack(back));
        for page in pages {
            let more = Hello { stamp: NO_ANSWER, page: Some(page), ..Hello::default() };
            let more = self.make_hello(now, peer, more, Vec::new());
            self.send(peer, Message::HelloBack(more));
        }
    }

    pub(super) fn take_hello_back(&mut self, now: Tick, peer: Guid, key: KeyId, hello: Hello) {
        let (ours, trip) = (self.wall(now), now.since(Tick(hello.stamp)));
        let halfway = ours.0.saturating_sub(trip.as_micros() as u64 / 2);
        let ahead = i64::try_from(i128::from(hello.clock.0) - i128::from(halfway)).unwrap_or(i64::MAX);
        self.peers.answered(now, &peer, Tick(hello.stamp), ahead);
        self.pings.answer(now, &peer, Tick(hello.stamp));
        if let Some(trip) = self.peers.rtt(&peer).smoothed() {
            self.rumors.handle_trip(trip);
        }
        let claim = Claim { key, state: hello.state };
        let newer = self.note_hello(now, peer, claim, &hello);
        if !newer.is_empty() {
            self.tell_news(now, peer, newer);
        }
        // Whoever asked compares, lest both sides send a digest for the same difference.
        if hello.stamp != NO_ANSWER {
            self.compare(now, peer, claim);
        }
        self.peers.compare_list(now, &peer, hello.list);
    }

    /// Tells peers of other networks from now on; each with the nodes that are in it.
    pub fn share(&mut self, networks: impl IntoIterator<Item = (Name, Vec<Card>)>) {
        self.beyond.share(networks);
    }

    /// What peers tell of other networks.
    pub fn beyond(&self) -> &Beyond {
        &self.beyond
    }

    pub(super) fn take_nodes(&mut self, now: Tick, peer: Guid, nodes: Nodes) {
        if let Some(nodes) = self.beyond.take(now, nodes) {
            self.send(peer, Message::Nodes(nodes));
        }
    }
}

/// Bytes of a body that has neither updates nor pages nor padding.
fn said(hello: &Hello) -> usize {
    Hello::EMPTY + hello.networks.iter().map(|name| 2 + name.as_str().len()).sum::<usize>()
}

fn padded(hello: Hello, padding: usize) -> Hello {
    Hello { padding: Blob(vec![0; padding].into()), ..hello }
}
