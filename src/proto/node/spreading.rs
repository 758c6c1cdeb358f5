//! What the node does about fresh records: passes rumours on, answers them, pulls what did not come by itself, and keeps
//! account of who holds what.

use super::Node;
use super::accepting::Came;
use crate::proto::gossip::{Gossip, Guid, Head, Key};
use crate::proto::limits::{HEADER, MAX_PIECES, TAG};
use crate::proto::peers::Peers;
use crate::proto::ring::{Range, place};
use crate::proto::rtt::Rtt;
use crate::proto::rumors::{Learnt, Rumors, Ways};
use crate::proto::session::Sessions;
use crate::proto::time::Tick;
use crate::proto::wire::{Heard, Parts, PieceAsk, RumorIn};
use std::time::Duration;

/// A record learnt less than this ago may still be on its way to others: digests leave it to the rumours.
const YOUNG: Duration = Duration::from_secs(1);
/// Random peers looked at to find one with a session.
const DRAWS: usize = 8;

/// Of those who are asked for a record and have no session yet, so many are greeted at once: others may be known to hold it
/// before it is their turn.
const GREETED: usize = 64;

/// How far a record has come, as far as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Reachable peers that are known to hold it on disk.
    pub known: usize,
    /// Reachable peers.
    pub reachable: usize,
}

/// Peers and sessions as rumours see them.
pub(super) struct Known<'a> {
    pub(super) peers: &'a Peers,
    pub(super) sessions: &'a Sessions,
}

impl Ways for Known<'_> {
    fn ring(&self, range: Range) -> impl Iterator<Item = (u64, Guid)> {
        self.peers.ring(range)
    }

    fn rtt(&self, peer: &Guid) -> Rtt {
        self.peers.rtt(peer)
    }

    fn met(&self, peer: &Guid) -> bool {
        self.sessions.contains(*peer)
    }

    fn live(&self) -> usize {
        self.peers.live()
    }
}

/// Peers and sessions of a node, as rumours see them; the rest of the node stays free to be changed.
macro_rules! ways {
    ($node:ident) => {
        &$crate::proto::node::spreading::Known { peers: &$node.peers, sessions: &$node.sessions }
    };
}
pub(super) use ways;

impl Node {
    /// Takes a rule away.
    #[cfg(test)]
    pub(crate) fn spread_without(&mut self, rule: crate::proto::rumors::Rule) {
        self.rumors.take_away(rule);
    }

    pub(super) fn take_rumor(&mut self, now: Tick, peer: Guid, rumor: RumorIn<'_>) {
        for guid in rumor.got.iter() {
            self.rumors.handle_acknowledged(now, peer, guid);
        }
        for pushed in rumor.records {
            let guid = pushed.what.guid;
            if self.knows(&guid) {
                self.stats.records_received_duplicate += 1;
                self.rumors.again(now, guid, pushed.range, ways!(self));
                self.rumors.acknowledge(now, peer, guid, ways!(self));
                continue;
            }
            match self.accept(now, peer, guid, pushed.what.verify()) {
                Came::Refused => self.rumors.acknowledge(now, peer, guid, ways!(self)),
                Came::New(key) => {
                    let learnt = Learnt { key, hops: pushed.hops, long: false, head: None };
                    self.learn_rumor(now, peer, learnt, pushed.range);
                }
                // What the disk cannot take now is not acknowledged: its range goes to somebody else.
                Came::Wrong | Came::Passed => {}
            }
        }
        for pushed in rumor.heads {
            let guid = pushed.what.guid;
            // One that is under way since before the last start was told to nobody yet.
            let is_long = self.fetches.is_partial(&guid) || self.fetches.is_parked(&guid);
            let is_told = is_long && self.rumors.learnt_at(&guid).is_some();
            if self.knows(&guid) || is_told {
                self.rumors.again(now, guid, pushed.range, ways!(self));
                self.rumors.acknowledge(now, peer, guid, ways!(self));
                continue;
            }
            let head = pushed.what.verify();
            match self.accept_head(now, peer, guid, &head) {
                Came::Refused => self.rumors.acknowledge(now, peer, guid, ways!(self)),
                Came::New(key) => {
                    let learnt = Learnt { key, hops: pushed.hops, long: true, head: head.ok() };
                    self.learn_rumor(now, peer, learnt, pushed.range);
                }
                Came::Wrong | Came::Passed => {}
            }
        }
    }

    fn learn_rumor(&mut self, now: Tick, from: Guid, learnt: Learnt, range: Range) {
        let guid = learnt.key.guid;
        self.stats.count_hops(learnt.hops);
        self.rumors.learnt(now, learnt, Some(range), ways!(self));
        self.rumors.acknowledge(now, from, guid, ways!(self));
    }

    /// A peer asks for parts of a long MSG. Of one that is itself under way here, it gets what is here, and hears of
    /// the rest when it comes.
    pub(super) fn take_piece_ask(&mut self, now: Tick, peer: Guid, ask: &PieceAsk) {
        if let Some((_, parts)) = self.fetches.parts(&ask.guid).filter(|_| !self.ledger.contains(&ask.guid)) {
            self.receipts.asked(peer, ask.guid);
            if !parts.contains(ask.piece) {
                self.rumors.tell_parts(now, peer, parts);
                return;
            }
        } else if self.fetches.is_parked(&ask.guid) {
            // It waits for a place among those that are under way: nothing of it is here, and something will be.
            self.receipts.asked(peer, ask.guid);
            return;
        }
        self.answers.push_piece(peer, ask);
    }

    /// Something of a long record was verified: those who wait for it hear of it.
    pub(super) fn tell_followers(&mut self, now: Tick, guid: Guid) {
        let parts = match self.fetches.parts(&guid) {
            Some((_, parts)) => parts,
            // A record of one piece is whole with it.
            None => Parts { guid, list: true, pieces: [u64::MAX; MAX_PIECES / 64] },
        };
        for peer in self.receipts.askers(&guid).collect::<Vec<_>>() {
            self.rumors.tell_parts(now, peer, parts);
        }
    }

    pub(super) fn take_heard(&mut self, now: Tick, peer: Guid, heard: Heard) {
        for guid in heard.got.iter() {
            self.rumors.handle_acknowledged(now, peer, guid);
        }
        for parts in heard.parts.iter() {
            self.fetches.handle_parts(peer, parts);
        }
        for &guid in heard.holds.iter() {
            if self.ledger.contains(&guid) {
                self.receipts.note(now, peer, &guid);
            } else {
                self.expect(now, peer, guid);
            }
        }
        for &guid in heard.asks.iter() {
            if self.ledger.contains(&guid) {
                self.rumors.tell_holding(now, peer, guid);
            } else if self.retention.gone.why(&guid).is_none() {
                self.receipts.asked(peer, guid);
                self.expect(now, peer, guid);
            }
        }
    }

    /// A peer holds what we lack: it may be on its way here, and is pulled if it does not come.
    pub(super) fn expect(&mut self, now: Tick, peer: Guid, guid: Guid) {
        if self.fetches.is_known(&guid) || self.retention.gone.why(&guid).is_some() {
            return;
        }
        if self.fetches.is_partial(&guid) || !self.rumors.expect_record(now, guid, peer, ways!(self)) {
            self.want(peer, &[guid]);
        }
    }

    /// Whether a record is held, or on its way to the disk.
    pub(super) fn knows(&self, guid: &Guid) -> bool {
        self.ledger.contains(guid) || self.fetches.is_known(guid)
    }

    /// Whether a record that we hold, and a peer lacks, is probably on its way to it: it is new, and was told when that
    /// peer had been met.
    pub(super) fn is_young(&self, now: Tick, peer: &Guid, guid: &Guid) -> bool {
        // Of one whose handshake was forgotten it is only known that it was long ago.
        let met = self.peers.peer(peer).and_then(|peer| peer.met.or(peer.heard.map(|_| Tick(0)))).unwrap_or(now);
        self.rumors.learnt_at(guid).is_some_and(|learnt| learnt >= met && now.since(learnt) < YOUNG)
    }

    /// A record was fetched: it is not pushed on, but a range that comes late is served.
    pub(super) fn learn_fetched(&mut self, now: Tick, key: Key, head: Option<Head>) {
        if self.rumors.learnt_at(&key.guid).is_none() {
            let learnt = Learnt { key, hops: 0, long: head.is_some(), head };
            self.rumors.learnt(now, learnt, None, ways!(self));
        }
    }

    /// A record authored here is on disk.
    pub(super) fn spread_own(&mut self, now: Tick, gossip: &Gossip) {
        // Who is alone has nobody to tell: whoever comes compares what both hold.
        if self.peers.live() > 0 {
            let all = Range::all_but(place(&self.settings.guid));
            let room = self.settings.max_datagram - HEADER - TAG;
            let long = !Rumors::fits(gossip.head(), room);
            let learnt = Learnt { key: gossip.key(), hops: 0, long, head: None };
            self.rumors.learnt(now, learnt, Some(all), ways!(self));
        }
        self.hold(now, gossip.guid());
    }

    /// A record is on disk and in the ledger.
    pub(super) fn hold(&mut self, now: Tick, guid: Guid) {
        self.rumors.held(now, guid);
        for peer in self.receipts.hold(now, guid) {
            self.rumors.tell_holding(now, peer, guid);
        }
    }

    pub(super) fn spread_timeout(&mut self, now: Tick) {
        self.rumors.handle_timeout(now, ways!(self));
        while let Some(peer) = self.rumors.poll_doubted() {
            self.peers.doubt(now, &peer);
        }
        while let Some((guid, holders)) = self.rumors.poll_ripe(now) {
            if !self.ledger.contains(&guid) && !self.fetches.is_known(&guid) {
                self.rumors.trouble(now);
                // Some may be gone since they said so.
                for holder in holders.into_iter().filter(|holder| self.sessions.contains(*holder)).collect::<Vec<_>>() {
                    self.want(holder, &[guid]);
                }
            }
        }
        if self.rumors.has_news(now) {
            let drawn = (0..DRAWS).find_map(|_| self.peers.random().filter(|peer| self.sessions.contains(*peer)));
            self.rumors.announce(now, drawn);
        }
        while let Some(guid) = self.receipts.poll_watched(now) {
            self.ask_around(now, guid);
        }
        while let Some(peer) = self.rumors.poll_stranger(now, ways!(self)) {
            if let Some(addr) = self.peers.addr(&peer) {
                self.register_with(now, addr);
            }
        }
    }

    /// Asks everybody who is not known to hold a record whether he does.
    fn ask_around(&mut self, now: Tick, guid: Guid) {
        let Spread { known, reachable } = self.spread(&guid);
        if self.ledger.contains(&guid) && self.receipts.suffice(&guid, known, reachable) {
            return;
        }
        let unknown: Vec<Guid> = self.peers.others().filter(|peer| !self.receipts.knows(&guid, peer)).collect();
        let (met, strange): (Vec<Guid>, Vec<Guid>) =
            unknown.into_iter().partition(|peer| self.sessions.contains(*peer));
        for peer in met.into_iter().chain(strange.into_iter().take(GREETED)) {
            self.rumors.ask_holding(now, peer, guid, ways!(self));
        }
    }

    /// Asks all reachable peers whether they hold this record, again and again, until so many do (or all of them), or
    /// `span` is over.
    pub fn watch(&mut self, now: Tick, guid: Guid, span: Duration, wanted: Option<usize>) {
        self.receipts.watch(now, guid, span, wanted);
        self.spread_timeout(now);
    }

    /// Who is known to hold a record that this node holds.
    pub fn spread(&self, guid: &Guid) -> Spread {
        let mut spread = Spread::default();
        for peer in self.peers.others() {
            spread.reachable += 1;
            spread.known += usize::from(self.receipts.knows(guid, &peer));
        }
        spread
    }

    /// The reachable peers that are known to hold a record that this node holds, and how long after this node each said so,
    /// which is later than when it was so; `None` where it said so long after, as when it was asked.
    pub fn holders(&self, guid: &Guid) -> Vec<(Guid, Option<Duration>)> {
        let known = self.peers.others().filter(|peer| self.receipts.knows(guid, peer));
        known.map(|peer| (peer, self.receipts.after(guid, &peer))).collect()
    }

    pub(super) fn forget_rumors(&mut self, now: Tick, peer: &Guid) {
        self.rumors.forget(now, peer, ways!(self));
        self.receipts.forget(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::Memory;
    use crate::proto::fact::PeerFact;
    use crate::proto::gossip::Draft;
    use crate::proto::seal::{NetworkKey, Secret};
    use crate::proto::settings::Settings;
    use crate::proto::time::Timestamp;

    #[test]
    fn who_is_alone_keeps_no_rumours() {
        let key = NetworkKey::new(&Secret::derive("alone", b"correct horse battery staple"));
        let mut node = Node::new(Settings::new(Guid([255; 16]), "somebody", key), [1; 32], Tick(0));
        let say = |node: &mut Node, at: u64| {
            let draft = Draft { who_name: "dove".to_owned(), msg: "coo".into() };
            let gossip = node.author(Timestamp(at), draft).unwrap();
            node.learn(Tick(0), &gossip);
            (node.ledger().contains(&gossip.guid()), node.rumors.learnt_at(&gossip.guid()).is_some())
        };
        assert_eq!(say(&mut node, 1), (true, false));
        let (guid, addr) = (Guid::random([7; 16]), ([192, 0, 2, 1], 1).into());
        let peer = PeerFact { guid, name: "another".into(), addr, last_update: Timestamp(1) };
        node.acquaint(Tick(0), ([192, 0, 2, 2], 1).into(), [(&peer, 1)].into_iter());
        assert_eq!(say(&mut node, 2), (true, true));
    }

    #[test]
    fn who_waits_for_a_record_greets_some_strangers_at_a_time() {
        let key = NetworkKey::new(&Secret::derive("waiting", b"correct horse battery staple"));
        let mut node = Node::new(Settings::new(Guid([255; 16]), "somebody", key), [1; 32], Tick(0));
        let stranger = |number: u16| PeerFact {
            guid: Guid::random(std::array::from_fn(|byte| (number >> (byte % 2 * 8)) as u8)),
            name: "stranger".into(),
            addr: ([192, 0, 2, 1], number + 1).into(),
            last_update: Timestamp(1),
        };
        let mut strangers: Vec<PeerFact> = (0..1000).map(stranger).collect();
        strangers.sort_by_key(|stranger| place(&stranger.guid));
        node.acquaint(Tick(0), ([192, 0, 2, 2], 1).into(), strangers.iter().map(|stranger| (stranger, 1)));
        let greet = |node: &mut Node| {
            let mut greeted = 0;
            Memory::default().settle(node, Tick(0), |_| greeted += 1);
            greeted
        };
        let before = greet(&mut node);
        node.watch(Tick(0), Guid([9; 16]), Duration::from_secs(1), None);
        let after = greet(&mut node);
        assert!(before < GREETED && (1..=GREETED + 1).contains(&after), "{before}, then {after}");
    }
}
