//! [`Node`]: one daemon in one network. It wires the parts together and does no more: what a datagram, a command or a
//! timer means is in the parts.

mod answers;

use crate::proto::fact::{Bodies, Fact, Receipt, Restored};
use crate::proto::fetches::{Arrived, Fetches};
use crate::proto::gossip::{Draft, Gossip, Guid, Invalid, Kind};
use crate::proto::ledger::Ledger;
use crate::proto::limits::{HEADER, NETWORKS, OUTBOX, PAGE, REGISTER_SIZE, TAG, TOLD_UNASKED};
use crate::proto::peers::{Errand, Peers};
use crate::proto::repairs::{Found, Repairs};
use crate::proto::seal::{Header, Verified};
use crate::proto::session::{Challenge, Registering, Registration, Sessions, Verdict};
use crate::proto::settings::Settings;
use crate::proto::stats::{Rejected, Stats};
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::{
    self, Address, Blob, Hello, Holding, Leave, LedgerState, List, Message, Name, Tell, TellMeMore,
};
use answers::{Answer, Answers};
use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the disk is left alone after it refused something.
const DISK_PAUSE: Duration = Duration::from_secs(5);
/// Peer lists are compared with one peer at most this often.
const PAGE_PEERS: Duration = Duration::from_secs(2);

/// A datagram to be sent.
#[derive(Debug)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Default for Transmit {
    fn default() -> Transmit {
        Transmit { to: SocketAddr::from(([0, 0, 0, 0], 0)), bytes: Vec::new() }
    }
}

/// When [`Node::handle_timeout`] is due, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at: Tick,
    /// Which part asked for it.
    pub why: &'static str,
}

enum To {
    Peer(Guid),
    Stranger(SocketAddr, Header),
}

/// One daemon in one network, without clock, socket, disk or randomness of its own.
///
/// - Views: [`peers`](Node::peers), [`ledger`](Node::ledger), [`stats`](Node::stats), [`settings`](Node::settings), ...
/// - The world comes in: [`handle_datagram`](Node::handle_datagram), [`handle_timeout`](Node::handle_timeout),
///   [`handle_receipt`](Node::handle_receipt), [`handle_loaded`](Node::handle_loaded).
/// - The user comes in: [`author`](Node::author) then [`learn`](Node::learn), [`register`](Node::register),
///   [`leave`](Node::leave).
/// - What it wants done: [`poll_fact`](Node::poll_fact), [`poll_transmit`](Node::poll_transmit),
///   [`poll_timeout`](Node::poll_timeout).
///
/// **After every `&mut` call: drain the facts, then the datagrams, then sleep until the wake-up.**
/// [`crate::effects::settle`] does that.
pub struct Node {
    settings: Settings,
    name: Name,
    sessions: Sessions,
    peers: Peers,
    ledger: Ledger,
    repairs: Repairs,
    fetches: Fetches,
    answers: Answers,
    outbox: VecDeque<(To, Message)>,
    facts: VecDeque<Fact>,
    stats: Stats,
    rng: ChaCha8Rng,
    last_authored: Timestamp,
    seen_at: Option<SocketAddr>,
    paged_peers: Tick,
}

impl Node {
    /// A node that knows nothing yet. The seed must never be used twice.
    ///
    /// # Panics
    /// If the node's name is none by [`crate::proto::gossip::check_name`].
    pub fn new(settings: Settings, seed: [u8; 32], now: Tick) -> Node {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut seed = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let (sessions, peers) = (seed(), seed());
        let digest_key = settings.key.digest_key();
        let (fetches, answers, outbox, facts, stats, last_authored, seen_at) = Default::default();
        Node {
            name: Name::new(&settings.node_name).expect("a node's name is checked where it is configured"),
            sessions: Sessions::new(settings.guid, settings.epoch, sessions),
            peers: Peers::new(&settings, peers, now),
            ledger: Ledger::new(&digest_key),
            repairs: Repairs::new(digest_key),
            settings,
            fetches,
            answers,
            outbox,
            facts,
            stats,
            rng,
            last_authored,
            seen_at,
            paged_peers: now,
        }
    }

    /// Takes in what the disk knew; before the first `handle_*`.
    pub fn restore(&mut self, now: Tick, restored: Restored) {
        match restored {
            Restored::Held(key) => drop(self.ledger.insert(key)),
            Restored::Partial { head, list, pieces } => {
                self.facts.extend(self.fetches.restore(head, list, &pieces));
            }
            Restored::Peer(fact) => self.peers.restore(now, fact),
        }
    }

    /// The date of the last record that this node authored: the next is later, whatever the clock says.
    pub fn restore_authored(&mut self, last: Timestamp) {
        self.last_authored = self.last_authored.max(last);
    }

    // ---- views ----

    /// Whom it knows.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// What it holds.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What it was told at the start; its GUID changes if it meets a copy of itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many nodes it has a session with.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Where the last peer that it registered with saw it.
    pub fn seen_at(&self) -> Option<SocketAddr> {
        self.seen_at
    }

    /// Whether nothing is wanted, under way, or on its way to the disk.
    pub fn is_settled(&self) -> bool {
        self.fetches.is_idle()
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        stats.requests_repeated = self.fetches.repeated;
        stats.digests_restarted = self.repairs.restarted;
        stats.answers_dropped = self.answers.dropped;
        stats.challenge_suppressed = self.sessions.suppressed();
        stats
    }

    /// Panics if an invariant is broken.
    pub fn check(&self) {
        self.sessions.check();
        self.peers.check();
        self.ledger.check();
        self.repairs.check();
        self.fetches.check();
        self.answers.check();
        assert!(self.outbox.len() <= OUTBOX);
    }

    // ---- the world comes in ----

    /// Takes a datagram. A rejected one has changed nothing but its counter, and perhaps caused a CHALLENGE.
    pub fn handle_datagram(&mut self, now: Tick, from: SocketAddr, datagram: &[u8]) -> Result<(), Rejected> {
        let taken = self.take(now, from, datagram);
        match taken {
            Ok(()) => {
                self.stats.datagrams_received += 1;
                self.stats.bytes_received += datagram.len() as u64;
            }
            Err(cause) => self.stats.reject(cause),
        }
        taken
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Tick) {
        for gone in self.peers.handle_timeout(now, self.ledger.state()) {
            self.forget_traffic(&gone);
        }
        while let Some(errand) = self.peers.poll_errand() {
            match errand {
                Errand::Hello(guid) => self.hello(now, guid, None),
                Errand::Register(addr) => {
                    let registration = self.sessions.register(now, addr);
                    self.send_register(addr, registration);
                }
            }
        }
        self.fetches.handle_timeout(now);
    }

    /// Takes the disk's word for a fact.
    pub fn handle_receipt(&mut self, now: Tick, receipt: Receipt) {
        match receipt {
            Receipt::Held(key) => {
                self.fetches.handle_settled(&key.guid);
                if self.ledger.insert(key) {
                    self.stats.records_received_new += 1;
                }
            }
            Receipt::Piece(guid, piece) => self.fetches.handle_piece_kept(&guid, piece),
            Receipt::Wrong(guid) => {
                self.stats.records_wrong += 1;
                self.fetches.condemn(guid);
            }
            Receipt::Failed(guid) => self.fetches.pause(&guid, now + DISK_PAUSE),
        }
    }

    /// The disk has read something that [`Bodies`] did not have before.
    pub fn handle_loaded(&mut self) {
        self.answers.retry();
    }

    /// A record is no longer on the disk, or was damaged there: it will be fetched again.
    pub fn handle_lost(&mut self, guid: Guid) {
        self.ledger.remove(guid);
    }

    // ---- the user comes in ----

    /// Makes a record. Keep it, then [`learn`](Node::learn) it; only then is it promised to anyone.
    pub fn author(&mut self, at: Timestamp, draft: Draft) -> Result<Gossip, Invalid> {
        let at = at.max(Timestamp(self.last_authored.0 + 1));
        let gossip = Gossip::make(Kind::Message, at, self.settings.guid, &draft.who_name, draft.msg)?;
        self.last_authored = at;
        Ok(gossip)
    }

    /// A record that this node authored is on disk: now others may have it.
    pub fn learn(&mut self, _now: Tick, gossip: &Gossip) {
        self.ledger.insert(gossip.key());
    }

    /// Registers with the node at this address: a few times, or, as a seed, for ever.
    pub fn register(&mut self, now: Tick, addr: SocketAddr, seed: bool) {
        self.peers.hint(now, addr, None, seed);
        self.handle_timeout(now);
    }

    /// Says goodbye to all who listen.
    pub fn leave(&mut self, _now: Tick, restarting: bool) {
        let listening: Vec<Guid> =
            self.peers.iter().filter(|(_, peer)| peer.reach.answers()).map(|(&guid, _)| guid).collect();
        for guid in listening {
            self.send(guid, Message::Leave(Leave { restarting }));
        }
    }

    // ---- what the node wants done ----

    /// The next fact to keep.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// Packs the next datagram into `out`; false if there is none.
    pub fn poll_transmit(&mut self, now: Tick, bodies: &impl Bodies, out: &mut Transmit) -> bool {
        let room = self.settings.max_datagram - HEADER - TAG;
        loop {
            let (to, message) = if let Some(next) = self.outbox.pop_front() {
                next
            } else if let Some((peer, ask)) = self.poll_ask(now) {
                (To::Peer(peer), Message::TellMeMore(ask))
            } else if let Some((peer, answer)) = self.answers.poll(bodies, &self.ledger, room) {
                (To::Peer(peer), answer)
            } else {
                return false;
            };
            let (addr, header) = match to {
                To::Stranger(addr, header) => (addr, header),
                To::Peer(guid) => match self.sessions.header(now, guid, message.kind()) {
                    Some(addressed) => addressed,
                    None => continue,
                },
            };
            self.settings.key.seal(&header, &mut out.bytes, |bytes| message.encode(bytes));
            out.to = addr;
            assert!(out.bytes.len() <= self.settings.max_datagram, "a {} fits a datagram", message.kind());
            self.count_sent(&message, out.bytes.len());
            return true;
        }
    }

    /// When the node has something to do on its own.
    pub fn poll_timeout(&self, now: Tick) -> Wake {
        let wakes = [
            Wake { at: self.peers.poll_timeout(), why: "peers" },
            Wake { at: self.repairs.poll_timeout(|peer| self.fetches.has_room(peer)), why: "repairs" },
            Wake { at: self.fetches.poll_timeout(now), why: "fetches" },
        ];
        wakes.into_iter().min_by_key(|wake| wake.at).unwrap_or(Wake { at: Tick::NEVER, why: "nothing" })
    }

    // ---- how datagrams are taken ----

    fn take(&mut self, now: Tick, from: SocketAddr, datagram: &[u8]) -> Result<(), Rejected> {
        let verified = self.settings.key.open(datagram)?;
        let header = *verified.header();
        if matches!(header.kind, wire::REGISTER | wire::CHALLENGE | wire::REGISTERED) {
            return self.take_handshake(now, from, &verified, datagram.len());
        }
        let peer = match self.sessions.accept(now, from, &header, datagram.len()) {
            Verdict::Accepted(peer) => peer,
            Verdict::Moved(peer, challenge) => {
                self.challenge(from, challenge);
                peer
            }
            Verdict::Challenge(challenge) => {
                self.challenge(from, challenge);
                return Err(Rejected::Session);
            }
            Verdict::Rejected(cause) => return Err(cause),
        };
        let message = Message::decode(&verified)?;
        if !self.peers.heard(now, &peer) {
            return Err(Rejected::Budget);
        }
        match message {
            Message::Hello(hello) => self.take_hello(now, peer, hello),
            Message::HelloBack(hello) => self.take_hello_back(now, peer, hello),
            Message::DidYouHere(digest) => {
                self.stats.did_you_here_received += 1;
                let found = self.repairs.handle_digest(now, peer, &digest, self.ledger.sketch());
                self.take_found(now, peer, found);
            }
            Message::Symbols(symbols) => {
                let found = self.repairs.handle_symbols(now, peer, symbols, self.ledger.sketch());
                self.take_found(now, peer, found);
            }
            Message::Holding(holding) => {
                self.repairs.handle_page(now, peer, &holding);
                self.want(peer, &holding.guids);
            }
            Message::TellMeMore(ask) => self.take_ask(peer, ask),
            Message::Tell(tell) => self.take_tell(now, peer, tell),
            Message::Leave(leave) => {
                self.peers.left(now, &peer, leave.restarting);
                self.forget_traffic(&peer);
                self.sessions.remove(now, peer);
            }
            Message::Register(_) | Message::Challenge(_) | Message::Registered(_) => return Err(Rejected::Kind),
        }
        Ok(())
    }

    fn take_handshake(
        &mut self,
        now: Tick,
        from: SocketAddr,
        verified: &Verified<'_>,
        len: usize,
    ) -> Result<(), Rejected> {
        let header = verified.header();
        if header.src_session == self.sessions.own() {
            return Err(Rejected::OwnEcho);
        }
        match Message::decode(verified)? {
            Message::Register(register) => {
                let (guid, epoch, cookie) = (register.guid, register.epoch, register.cookie);
                match self.sessions.handle_register(now, from, header, len, guid, epoch, cookie) {
                    Registering::Challenge(challenge) => self.challenge(from, challenge),
                    Registering::Installed(installed) => {
                        self.meet(now, guid, &register.name, from, installed.new);
                        let registered = wire::Registered {
                            echo: header.counter,
                            guid: self.settings.guid,
                            name: self.name.clone(),
                            epoch: self.sessions.epoch(),
                            seen: Address(from),
                            state: self.ledger.state(),
                        };
                        self.send(guid, Message::Registered(registered));
                    }
                    Registering::Clone => self.take_new_identity(now),
                    Registering::Rejected(cause) => {
                        // A copy of us with the lesser right finds that out when we register with it. One teller tells
                        // of all copies, lest somebody who pretends to be many has us look for all of them.
                        if cause == Rejected::Order && guid == self.settings.guid {
                            self.peers.hint(now, from, Some(guid), false);
                        } else if cause == Rejected::Order && self.sessions.addr(guid).is_some_and(|addr| addr != from)
                        {
                            // Another one, which has the better right to its GUID, can find out nowhere but here.
                            let card = wire::Card { guid, addr: Address(from), name: register.name };
                            let hello = self.make_hello(now.0, None, vec![card]);
                            self.send(guid, Message::Hello(hello));
                        }
                        return Err(cause);
                    }
                }
            }
            Message::Challenge(challenge) => {
                let (echo, cookie) = (challenge.echo, challenge.cookie);
                let registration = self.sessions.handle_challenge(now, from, header, echo, cookie)?;
                self.send_register(from, registration);
            }
            Message::Registered(registered) => {
                let (echo, guid, epoch) = (registered.echo, registered.guid, registered.epoch);
                let installed = self.sessions.handle_registered(now, from, header, echo, guid, epoch)?;
                self.seen_at = Some(registered.seen.0);
                self.meet(now, guid, &registered.name, from, installed.new);
                self.peers.holds(&guid, registered.state);
                self.compare(now, guid, registered.state);
                // A newcomer asks for the peer list at once.
                self.hello(now, guid, Some(Guid::default()));
            }
            _ => return Err(Rejected::Kind),
        }
        Ok(())
    }

    fn meet(&mut self, now: Tick, guid: Guid, name: &Name, addr: SocketAddr, new: bool) {
        if new {
            self.stats.sessions_opened += 1;
            self.forget_traffic(&guid);
        }
        let at = self.wall(now);
        if let Some(fact) = self.peers.met(now, guid, name.as_str(), addr, at) {
            self.facts.push_back(Fact::Peer(fact));
        }
    }

    /// Somebody lives under our GUID, with the better right to it.
    fn take_new_identity(&mut self, now: Tick) {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        let guid = Guid::random(bytes);
        self.settings.guid = guid;
        self.sessions.renew(guid, self.sessions.epoch());
        self.peers.rename(guid);
        self.facts.push_back(Fact::Identity(guid));
        let addrs: Vec<SocketAddr> = self.peers.iter().map(|(_, peer)| peer.addr).collect();
        addrs.into_iter().for_each(|addr| self.peers.hint(now, addr, None, false));
    }

    fn take_hello(&mut self, now: Tick, peer: Guid, hello: Hello) {
        self.peers.holds(&peer, hello.state);
        self.peers.told(now, peer, &hello.cards);
        let cards = hello.page_after.map(|after| self.peers.cards(peer, after)).unwrap_or_default();
        let back = self.make_hello(hello.stamp, None, cards);
        self.send(peer, Message::HelloBack(back));
    }

    fn take_hello_back(&mut self, now: Tick, peer: Guid, hello: Hello) {
        self.peers.answered(now, &peer, Tick(hello.stamp));
        self.peers.holds(&peer, hello.state);
        self.peers.told(now, peer, &hello.cards);
        self.compare(now, peer, hello.state);
        if hello.peers_hash != self.peers.hash() {
            if let Some(last) = hello.cards.last() {
                self.hello(now, peer, Some(last.guid));
            } else if now.since(self.paged_peers) >= PAGE_PEERS {
                self.paged_peers = now;
                self.hello(now, peer, Some(Guid::default()));
            }
        }
    }

    /// Sends our digest to a peer that holds something else than we, if none passed lately.
    fn compare(&mut self, now: Tick, peer: Guid, theirs: LedgerState) {
        let ours = self.ledger.state();
        if theirs != ours && self.repairs.begin(now, peer, self.pause()) {
            let digest = Repairs::digest(self.ledger.sketch());
            self.send(peer, Message::DidYouHere(digest));
        }
    }

    /// How long what a digest sets off is given before the next.
    fn pause(&self) -> Duration {
        self.settings.gossip_timer.clamp(Duration::from_millis(300), Duration::from_secs(1)) * 9 / 10
    }

    fn take_found(&mut self, now: Tick, peer: Guid, found: Found) {
        let (guids, large) = match found {
            Found::Nothing => return,
            Found::Difference(guids) => (guids, false),
            Found::Large(guids) => (guids, true),
        };
        self.stats.differences_found += guids.len() as u64;
        let (ours, theirs): (Vec<Guid>, Vec<Guid>) = guids.into_iter().partition(|guid| self.ledger.contains(guid));
        self.want(peer, &theirs);
        if ours.len() <= TOLD_UNASKED {
            ours.into_iter().for_each(|guid| self.answers.push(peer, Answer::Record(guid)));
        } else {
            for guids in ours.chunks(PAGE) {
                let (answer, page, next, last) = Default::default();
                let holding = Holding { answer, page, next, last, guids: List::new(guids.to_vec()) };
                self.send(peer, Message::Holding(holding));
            }
        }
        if large {
            self.stats.digests_paged += 1;
            if self.repairs.answer(now, peer, self.pause()) {
                let digest = Repairs::digest(self.ledger.sketch());
                self.send(peer, Message::DidYouHere(digest));
            }
        } else {
            self.stats.digests_decoded += 1;
        }
    }

    fn want(&mut self, peer: Guid, guids: &[Guid]) {
        for guid in guids.iter().filter(|guid| !self.ledger.contains(guid)) {
            self.fetches.want(*guid, peer);
        }
    }

    fn take_ask(&mut self, peer: Guid, ask: TellMeMore) {
        ask.guids.iter().for_each(|&guid| self.answers.push(peer, Answer::Record(guid)));
        ask.pieces.iter().for_each(|piece| self.answers.push_piece(peer, piece));
        if let Some(symbols) = &ask.symbols {
            self.answers.push_symbols(peer, symbols);
        }
        if let Some(page) = &ask.page {
            self.answers.push_page(peer, page);
        }
    }

    fn take_tell(&mut self, now: Tick, peer: Guid, tell: Tell) {
        for record in tell.records {
            let guid = record.guid;
            if self.is_here(&guid) {
                self.stats.records_received_duplicate += 1;
                continue;
            }
            match record.verify() {
                Ok(gossip) => self.facts.extend(self.fetches.handle_record(now, peer, gossip)),
                Err(_) => self.refuse(now, peer, guid),
            }
        }
        for head in tell.heads {
            let guid = head.guid;
            match head.verify() {
                Ok(_) if self.is_here(&guid) => self.stats.records_received_duplicate += 1,
                Ok(head) => self.facts.extend(self.fetches.handle_head(now, peer, guid, head)),
                Err(_) => self.refuse(now, peer, guid),
            }
        }
        for fragment in tell.fragments {
            let wire::Fragment { guid, piece, index, bytes: Blob(bytes) } = fragment;
            self.stats.fragments_received += 1;
            match self.fetches.handle_fragment(now, peer, guid, piece, index, &bytes) {
                Arrived::Nothing => {}
                Arrived::Unwanted => self.stats.fragments_unwanted += 1,
                Arrived::Wrong => self.stats.pieces_wrong += 1,
                Arrived::Fact(fact) => self.facts.push_back(fact),
                Arrived::Record(_) => unreachable!("fetches makes a fact of it"),
            }
        }
        for guid in tell.lacking {
            self.fetches.handle_lacking(now, peer, guid);
        }
    }

    fn is_here(&self, guid: &Guid) -> bool {
        self.ledger.contains(guid)
    }

    /// What a peer sent under this name is not what the name says.
    fn refuse(&mut self, now: Tick, peer: Guid, guid: Guid) {
        self.stats.records_wrong += 1;
        self.fetches.handle_lacking(now, peer, guid);
    }

    // ---- how datagrams are made ----

    fn poll_ask(&mut self, now: Tick) -> Option<(Guid, TellMeMore)> {
        let room = |peer: &Guid| self.fetches.has_room(peer);
        let symbols = self.repairs.poll_ask(now, room, |peer| self.peers.rtt(peer));
        symbols.or_else(|| self.fetches.poll_ask(now))
    }

    fn hello(&mut self, now: Tick, to: Guid, page_after: Option<Guid>) {
        let hello = self.make_hello(now.0, page_after, Vec::new());
        self.send(to, Message::Hello(hello));
    }

    fn make_hello(&self, stamp: u64, page_after: Option<Guid>, cards: Vec<wire::Card>) -> Hello {
        let networks = self.settings.other_networks.iter().take(NETWORKS).filter_map(|name| Name::new(name)).collect();
        let (state, peers_hash) = (self.ledger.state(), self.peers.hash());
        Hello { stamp, state, peers_hash, page_after, networks: List::new(networks), cards: List::new(cards) }
    }

    fn challenge(&mut self, to: SocketAddr, challenge: Challenge) {
        let Challenge { dst_session, cookie, echo } = challenge;
        let header = Header { kind: wire::CHALLENGE, src_session: self.sessions.own(), dst_session, counter: 0 };
        self.push(To::Stranger(to, header), Message::Challenge(wire::Challenge { cookie, echo }));
    }

    fn send_register(&mut self, to: SocketAddr, registration: Registration) {
        let Registration { dst_session, counter, cookie } = registration;
        let header = Header { kind: wire::REGISTER, src_session: self.sessions.own(), dst_session, counter };
        let fields = HEADER + TAG + 16 + 2 + self.name.as_str().len() + 8 + 16 + 2;
        let register = wire::Register {
            guid: self.settings.guid,
            name: self.name.clone(),
            epoch: self.sessions.epoch(),
            cookie,
            padding: Blob(Bytes::from(vec![0; REGISTER_SIZE - fields])),
        };
        self.push(To::Stranger(to, header), Message::Register(register));
    }

    fn send(&mut self, to: Guid, message: Message) {
        self.push(To::Peer(to), message);
    }

    /// Queues a small message. Where too many are queued the newest is dropped: all of them are repeated or repaired.
    fn push(&mut self, to: To, message: Message) {
        if self.outbox.len() < OUTBOX {
            self.outbox.push_back((to, message));
        }
    }

    fn forget_traffic(&mut self, peer: &Guid) {
        self.repairs.forget(peer);
        self.fetches.forget(peer);
        self.answers.forget(peer);
    }

    fn wall(&self, now: Tick) -> Timestamp {
        Timestamp(self.settings.started.0.saturating_add(now.0))
    }

    fn count_sent(&mut self, message: &Message, len: usize) {
        self.stats.datagrams_sent += 1;
        self.stats.bytes_sent += len as u64;
        match message {
            Message::Register(_) => self.stats.register_sent += 1,
            Message::Challenge(_) => self.stats.challenge_sent += 1,
            Message::Hello(_) | Message::HelloBack(_) => self.stats.hello_sent += 1,
            Message::DidYouHere(_) => self.stats.did_you_here_sent += 1,
            Message::TellMeMore(_) => self.stats.tell_me_more_sent += 1,
            Message::Tell(_) => self.stats.tell_sent += 1,
            Message::Symbols(_) => self.stats.symbols_sent += 1,
            Message::Holding(_) => self.stats.holding_sent += 1,
            Message::Registered(_) | Message::Leave(_) => {}
        }
    }
}
