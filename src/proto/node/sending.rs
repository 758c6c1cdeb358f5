//! How datagrams leave: which of what waits is next, to whom, under which key and session.

use super::Node;
use super::spreading::ways;
use crate::proto::fact::Bodies;
use crate::proto::gossip::Guid;
use crate::proto::keyring::Keyring;
use crate::proto::limits::{HEADER, MAX_DATAGRAM, TAG};
use crate::proto::seal::{Header, KeyId, NetworkKey};
use crate::proto::time::Tick;
use crate::proto::wire::Message;
use bytes::BytesMut;
use std::net::SocketAddr;

/// A datagram to be sent.
#[derive(Debug)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: BytesMut,
}

impl Default for Transmit {
    fn default() -> Transmit {
        Transmit { to: SocketAddr::from(([0, 0, 0, 0], 0)), bytes: BytesMut::new() }
    }
}

/// To whom something goes.
pub(super) enum To {
    Peer(Guid),
    /// What only makes sense under this key, whichever is the primary by then.
    Under(KeyId, Guid),
    Stranger(SocketAddr, Header),
}

impl To {
    pub(super) fn peer(peer: Guid, key: Option<KeyId>) -> To {
        key.map_or(To::Peer(peer), |key| To::Under(key, peer))
    }

    /// What seals it; none where it was for a key that is gone.
    pub(super) fn key<'a>(&self, keys: &'a Keyring) -> Option<&'a NetworkKey> {
        match self {
            To::Under(key, _) => keys.key(*key),
            To::Peer(_) | To::Stranger(..) => Some(keys.primary()),
        }
    }
}

impl Node {
    /// Packs the next datagram into `out`; false if there is none.
    pub fn poll_transmit(&mut self, now: Tick, bodies: &impl Bodies, out: &mut Transmit) -> bool {
        let room = self.settings.max_datagram - HEADER - TAG;
        loop {
            let (to, message) = if let Some(next) = self.outbox.pop_front() {
                next
            } else if let Some((peer, message)) = self.rumors.poll(now, bodies, room, ways!(self)) {
                (To::Peer(peer), message)
            } else if let Some((peer, key, ask)) = self.poll_ask(now) {
                (To::peer(peer, key), Message::TellMeMore(ask))
            } else if let Some((peer, key, answer)) = self.poll_answer(bodies, room) {
                (To::peer(peer, key), answer)
            } else {
                return false;
            };
            let Some(key) = to.key(&self.settings.keys) else { continue };
            let (addr, header) = match to {
                To::Stranger(addr, header) => (addr, header),
                To::Peer(guid) | To::Under(_, guid) => match self.sessions.header(now, guid, message.kind()) {
                    Some(addressed) => addressed,
                    None => continue,
                },
            };
            key.seal(&header, &mut out.bytes, |bytes| message.encode(bytes));
            out.to = addr;
            // Only where somebody tries how long a datagram may be, it may be longer than is known to pass.
            let most = if message.is_padded() { MAX_DATAGRAM } else { self.settings.max_datagram };
            assert!(out.bytes.len() <= most, "a {} fits a datagram", message.kind());
            self.count_sent(&message, out.bytes.len());
            return true;
        }
    }
}
