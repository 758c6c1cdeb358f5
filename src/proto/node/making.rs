//! How datagrams are made: asks and handshakes, and the queue of small messages.

use super::answers::Shelf;
use super::{Node, To};
use crate::proto::fact::Bodies;
use crate::proto::fetches::Fetches;
use crate::proto::gossip::Guid;
use crate::proto::limits::{HEADER, OUTBOX, REGISTER_SIZE, TAG};
use crate::proto::repairs::Repairs;
use crate::proto::seal::{Header, KeyId};
use crate::proto::session::{Challenge, Registration};
use crate::proto::time::Tick;
use crate::proto::wire::{self, Blob, Message, TellMeMore};
use bytes::Bytes;
use std::net::SocketAddr;

impl Node {
    pub(super) fn poll_ask(&mut self, now: Tick) -> Option<(Guid, Option<KeyId>, TellMeMore)> {
        let room = |peer: &Guid| self.fetches.has_room(peer);
        let symbols = self.repairs.poll_ask(now, room, |peer| self.peers.rtt(peer));
        let wanted = |fetches: &mut Fetches| fetches.poll_ask(now, |peer| self.peers.rtt(peer));
        symbols.or_else(|| wanted(&mut self.fetches).map(|(peer, ask)| (peer, None, ask)))
    }

    pub(super) fn poll_answer(&mut self, bodies: &impl Bodies, room: usize) -> Option<(Guid, Option<KeyId>, Message)> {
        let Node { answers, ledger, rumors, fetches, .. } = self;
        answers.poll(&Shelf { bodies, ledger, rumors, fetches }, room)
    }

    pub(super) fn send_digest(&mut self, to: Guid) {
        let digest = Repairs::digest(self.ledger.sketch());
        self.send(to, Message::DidYouHere(Box::new(digest)));
    }

    pub(super) fn challenge(&mut self, to: SocketAddr, challenge: Challenge) {
        let Challenge { dst_session, cookie, echo } = challenge;
        let header = Header { kind: wire::CHALLENGE, src_session: self.sessions.own(), dst_session, counter: 0 };
        self.push(To::Stranger(to, header), Message::Challenge(wire::Challenge { cookie, echo }));
    }

    pub(super) fn send_register(&mut self, to: SocketAddr, registration: Registration) {
        if self.leaving {
            return;
        }
        let Registration { dst_session, counter, cookie } = registration;
        let header = Header { kind: wire::REGISTER, src_session: self.sessions.own(), dst_session, counter };
        let fields = HEADER + TAG + 16 + 2 + self.name.as_str().len() + 8 + 4 + 16 + 2;
        let register = wire::Register {
            guid: self.settings.guid,
            name: self.name.clone(),
            epoch: self.sessions.epoch(),
            incarnation: self.peers.incarnation(),
            cookie,
            padding: Blob(Bytes::from(vec![0; REGISTER_SIZE - fields])),
        };
        self.push(To::Stranger(to, header), Message::Register(register));
    }

    pub(super) fn send(&mut self, to: Guid, message: Message) {
        self.push(To::Peer(to), message);
    }

    /// Queues a small message. Where too many are queued the newest is dropped: all of them are repeated or repaired.
    pub(super) fn push(&mut self, to: To, message: Message) {
        if self.outbox.len() < OUTBOX {
            self.outbox.push_back((to, message));
        }
    }

    pub(super) fn count_sent(&mut self, message: &Message, len: usize) {
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
            Message::Rumor(_) => self.stats.rumor_sent += 1,
            Message::Heard(_) => self.stats.heard_sent += 1,
            Message::HelloFor(_) => self.stats.hello_for_sent += 1,
            Message::Registered(_) | Message::Leave(_) | Message::Nodes(_) => {}
        }
    }
}
