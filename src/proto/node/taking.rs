//! What a datagram means, once it is known to be authentic: which part of the node it is for.

use super::Node;
use super::accepting::Came;
use super::answers::Answer;
use crate::proto::fact::Fact;
use crate::proto::fetches::Arrived;
use crate::proto::gossip::Guid;
use crate::proto::limits::{CHALLENGE_GAP, PAGE, TOLD_UNASKED};
use crate::proto::peers::Met;
use crate::proto::repairs::Found;
use crate::proto::seal::{KeyId, Verified};
use crate::proto::session::{Registering, Verdict};
use crate::proto::stats::Rejected;
use crate::proto::time::Tick;
use crate::proto::wire::{
    self, Address, BlobIn, CardPage, Claim, Hello, Holding, Incoming, List, Message, Name, TellIn, TellMeMore,
};
use rand::Rng;
use std::net::SocketAddr;
use std::time::Duration;

/// Between two digests while rumours flow.
const IN_FLOW: Duration = Duration::from_secs(5);
/// While so much is still to come from a peer, another digest shows little news.
const BUSY: Duration = Duration::from_secs(3);

impl Node {
    pub(super) fn take(&mut self, now: Tick, from: SocketAddr, datagram: &[u8]) -> Result<(), Rejected> {
        let verified = self.settings.keys.open(datagram)?;
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
        let message = Incoming::decode(&verified)?;
        let key = verified.key();
        // Where symbols are asked for, the other side says under which key.
        let chosen = !matches!(header.kind, wire::DID_YOU_HERE | wire::TELL_ME_MORE | wire::SYMBOLS);
        let at = self.wall(now);
        self.peers.heard(now, &peer, datagram.len(), chosen.then_some(key), at)?;
        self.rumors.heard(&peer);
        match message {
            Incoming::Tell(tell) => self.take_tell(now, peer, tell),
            Incoming::Rumor(rumor) => self.take_rumor(now, peer, rumor),
            Incoming::Other(message) => return self.take_message(now, peer, key, message),
        }
        Ok(())
    }

    /// Any message from a peer but those that carry records.
    fn take_message(&mut self, now: Tick, peer: Guid, key: KeyId, message: Message) -> Result<(), Rejected> {
        match message {
            Message::Hello(hello) => self.take_hello(now, peer, key, hello),
            Message::HelloBack(hello) => self.take_hello_back(now, peer, key, hello),
            Message::DidYouHere(digest) => {
                self.stats.did_you_here_received += 1;
                if let Some(sketch) = self.ledger.sketch_under(key) {
                    let found = self.repairs.handle_digest(now, peer, key, &digest, sketch, self.fetches.coming(&peer));
                    self.take_found(now, peer, found);
                }
            }
            Message::Symbols(symbols) => {
                if let Some(sketch) = self.ledger.sketch_under(key) {
                    let found = self.repairs.handle_symbols(now, peer, key, symbols, sketch);
                    self.take_found(now, peer, found);
                }
            }
            Message::Holding(holding) => {
                self.repairs.handle_page(now, peer, &holding);
                self.want(peer, &holding.guids);
            }
            Message::TellMeMore(ask) => self.take_ask(now, peer, key, ask),
            Message::HelloFor(errand) => self.peers.take_errand(now, peer, errand),
            Message::Heard(heard) => self.take_heard(now, peer, heard),
            Message::Nodes(nodes) => self.take_nodes(now, peer, nodes),
            Message::Leave(leave) => {
                self.peers.left(now, &peer, leave.restarting);
            }
            Message::Register(_) | Message::Challenge(_) | Message::Registered(_) => return Err(Rejected::Kind),
            Message::Tell(_) | Message::Rumor(_) => return Err(Rejected::Kind),
        }
        Ok(())
    }

    pub(super) fn take_handshake(
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
            Message::Register(_) if self.leaving => return Err(Rejected::Kind),
            Message::Register(register) => {
                let (guid, epoch, cookie) = (register.guid, register.epoch, register.cookie);
                match self.sessions.handle_register(now, from, header, len, guid, epoch, cookie) {
                    Registering::Challenge(challenge) => self.challenge(from, challenge),
                    Registering::Installed(installed) => {
                        self.meet(now, guid, &register.name, register.incarnation, from, installed.new);
                        let registered = wire::Registered {
                            echo: header.counter,
                            guid: self.settings.guid,
                            name: self.name.clone(),
                            epoch: self.sessions.epoch(),
                            incarnation: self.peers.incarnation(),
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
                        } else if cause == Rejected::Order
                            && self.next_copy <= now
                            && self.sessions.addr(guid).is_some_and(|addr| addr != from)
                            && !self.sessions.is_of(header.src_session, guid)
                        {
                            // Another one, which has the better right to its GUID, can find out nowhere but here. Anybody
                            // can repeat what a node said where it was before: that costs us little, and no news.
                            self.next_copy = now + CHALLENGE_GAP;
                            let card = wire::Card { guid, addr: Address(from), incarnation: 0, name: register.name };
                            let page = Some(CardPage { cards: List::new(vec![card]), ..CardPage::default() });
                            let hello = self.hello_of(now, Hello { stamp: now.0, page, ..Hello::default() });
                            self.send(guid, Message::Hello(hello));
                        }
                        return Err(cause);
                    }
                }
            }
            Message::Challenge(challenge) => {
                let (echo, cookie) = (challenge.echo, challenge.cookie);
                let registration = self.sessions.handle_challenge(now, from, header, echo, cookie)?;
                if self.leaving {
                    return Err(Rejected::Echo);
                }
                self.peers.challenged(now, from);
                self.send_register(from, registration);
            }
            Message::Registered(registered) => {
                let (echo, guid, epoch) = (registered.echo, registered.guid, registered.epoch);
                let installed = self.sessions.handle_registered(now, from, header, echo, guid, epoch)?;
                self.seen_at = Some(registered.seen.0);
                self.peers.seen_at(registered.seen.0);
                self.meet(now, guid, &registered.name, registered.incarnation, from, installed.new);
                let claim = Claim { key: verified.key(), state: registered.state };
                self.peers.holds(&guid, claim);
                self.peers.join(guid);
                self.compare(now, guid, claim);
            }
            _ => return Err(Rejected::Kind),
        }
        Ok(())
    }

    pub(super) fn meet(&mut self, now: Tick, guid: Guid, name: &Name, incarnation: u32, addr: SocketAddr, new: bool) {
        if new {
            self.stats.sessions_opened += 1;
            self.forget_asks(&guid);
        }
        let at = self.wall(now);
        self.peers.met(now, Met { guid, name: name.as_str(), addr, incarnation }, at);
        if new {
            self.rumors.met(guid);
        }
    }

    /// Somebody lives under our GUID, with the better right to it.
    pub(super) fn take_new_identity(&mut self, now: Tick) {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        let guid = Guid::random(bytes);
        self.settings.guid = guid;
        self.sessions.renew(guid, self.sessions.epoch());
        self.peers.rename(guid);
        self.rumors.rename(guid);
        self.facts.push_back(Fact::Identity(guid));
        let addrs: Vec<SocketAddr> = self.peers.iter().map(|(_, peer)| peer.addr).collect();
        addrs.into_iter().for_each(|addr| self.peers.hint(now, addr, None, false));
    }

    /// Sends our digest to a peer that holds something else than we, if none passed lately. While rumours flow and all
    /// are acknowledged, what differs is most likely on its way, and digests are rare.
    pub(super) fn compare(&mut self, now: Tick, peer: Guid, theirs: Claim) {
        if !self.differs(theirs)
            || (self.rumors.is_flowing(now) && self.last_digest.is_some_and(|last| now.since(last) < IN_FLOW))
        {
            return;
        }
        if self.repairs.begin(now, peer, self.pause(&peer)) {
            self.last_digest = Some(now);
            self.send_digest(peer);
        }
    }

    /// Whether a claim is of another set. Under a key whose sketch is not whole nothing is known of it.
    fn differs(&self, theirs: Claim) -> bool {
        self.ledger.sketch_under(theirs.key).is_some() && !self.ledger.equals(theirs)
    }

    /// How long what a digest sets off is given before the next: some round trips, and some more while there is still
    /// something to come.
    pub(super) fn pause(&self, peer: &Guid) -> Duration {
        let timer = self.settings.pace.gossip_timer.clamp(Duration::from_millis(300), Duration::from_secs(1)) * 9 / 10;
        let trips = self.peers.rtt(peer).smoothed().map_or(timer, |rtt| (rtt * 3).min(Duration::from_secs(5)));
        if self.fetches.is_busy_with(peer) { timer.max(trips).max(BUSY) } else { timer.max(trips) }
    }

    pub(super) fn take_found(&mut self, now: Tick, peer: Guid, found: Found) {
        let (guids, large) = match found {
            Found::Nothing => return,
            Found::Difference(guids) => (guids, false),
            Found::Large(guids) => (guids, true),
        };
        self.stats.differences_found += guids.len() as u64;
        let (ours, theirs): (Vec<Guid>, Vec<Guid>) = guids.into_iter().partition(|guid| self.ledger.contains(guid));
        // What it counts as too old it does not want to hear of.
        let horizon = self.peers.peer(&peer).map(|peer| peer.horizon).unwrap_or_default();
        let recent = |guid: &Guid| self.ledger.key(*guid).is_some_and(|key| key.date_time >= horizon);
        let ours: Vec<Guid> = ours.into_iter().filter(recent).collect();
        let (young, ours): (Vec<Guid>, Vec<Guid>) = ours.into_iter().partition(|guid| self.is_young(now, &peer, guid));
        if !ours.is_empty() {
            self.rumors.trouble(now);
        }
        young.into_iter().for_each(|guid| self.rumors.tell_holding(now, peer, guid));
        if theirs.len() <= TOLD_UNASKED {
            theirs.into_iter().for_each(|guid| self.expect(now, peer, guid));
        } else {
            self.want(peer, &theirs);
        }
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
            if self.repairs.answer(now, peer, self.pause(&peer)) {
                self.send_digest(peer);
            }
        } else {
            self.stats.digests_decoded += 1;
        }
    }

    pub(super) fn want(&mut self, peer: Guid, guids: &[Guid]) {
        let gone = &self.retention.gone;
        for guid in guids.iter().filter(|guid| !self.ledger.contains(guid) && gone.why(guid).is_none()) {
            self.fetches.want(*guid, peer);
        }
    }

    pub(super) fn take_ask(&mut self, now: Tick, peer: Guid, key: KeyId, ask: TellMeMore) {
        ask.guids.iter().for_each(|&guid| self.answers.push(peer, Answer::Record(guid)));
        ask.pieces.iter().for_each(|piece| self.take_piece_ask(now, peer, piece));
        if let Some(symbols) = &ask.symbols {
            self.answers.push_symbols(peer, key, symbols);
        }
        if let Some(page) = &ask.page {
            self.answers.push_page(peer, page);
        }
    }

    pub(super) fn take_tell(&mut self, now: Tick, peer: Guid, tell: TellIn<'_>) {
        for record in tell.records {
            let guid = record.guid;
            // What is wanted is not held, which is told sooner.
            if !self.fetches.is_wanted(&guid) && self.ledger.contains(&guid) {
                self.stats.records_received_duplicate += 1;
                continue;
            }
            if let Came::New(key) = self.accept(now, peer, guid, record.verify()) {
                self.learn_fetched(now, key, None);
            }
        }
        for head in tell.heads {
            let guid = head.guid;
            let head = head.verify();
            if head.is_ok() && self.ledger.contains(&guid) {
                self.stats.records_received_duplicate += 1;
            } else if let Came::New(key) = self.accept_head(now, peer, guid, &head) {
                self.learn_fetched(now, key, head.ok());
            }
        }
        for fragment in tell.fragments {
            let wire::Fragment { guid, piece, index, bytes: BlobIn(bytes) } = fragment;
            self.stats.fragments_received += 1;
            match self.fetches.handle_fragment(now, peer, guid, piece, index, bytes) {
                Arrived::Nothing => {}
                Arrived::Unwanted => self.stats.fragments_unwanted += 1,
                Arrived::Wrong => self.stats.pieces_wrong += 1,
                Arrived::Fact(fact) => {
                    self.facts.push_back(fact);
                    self.tell_followers(now, guid);
                }
            }
        }
        for guid in tell.lacking {
            self.fetches.handle_lacking(now, peer, guid);
        }
    }
}
