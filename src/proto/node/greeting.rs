//! HELLO and HELLO_BACK: what a node says in them, and what it learns.

use super::Node;
use crate::proto::gossip::Guid;
use crate::proto::limits::{HEADER, MAX_DATAGRAM, MAX_NAME, MIN_MAX_BODY, NETWORKS, TAG};
use crate::proto::seal::KeyId;
use crate::proto::time::Tick;
use crate::proto::wire::{Blob, CardAsk, CardPage, Claim, Hello, Message, Update};
use std::time::Duration;

/// The stamp of a HELLO_BACK that answers nothing: it only tells news.
const NO_ANSWER: u64 = u64::MAX;

impl Node {
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
    pub(super) fn tell_news(&mut self, now: Tick, to: Guid, newer: Vec<Update>) {
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
}

/// Bytes of a body that has neither updates nor pages nor padding.
fn said(hello: &Hello) -> usize {
    Hello::EMPTY + hello.networks.iter().map(|name| 2 + name.as_str().len()).sum::<usize>()
}

fn padded(hello: Hello, padding: usize) -> Hello {
    Hello { padding: Blob(vec![0; padding].into()), ..hello }
}
