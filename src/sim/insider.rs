//! [`Insider`]: somebody who knows the key, opens a session by the rules, and then says whatever he likes.

use super::Network;
use crate::proto::gossip::Guid;
use crate::proto::keyring::Keyring;
use crate::proto::seal::Header;
use crate::proto::stats::Rejected;
use crate::proto::wire::{Message, Name, REGISTER, Register, Registered};
use bytes::BytesMut;
use std::net::SocketAddr;

/// One who talks to one node of a simulated network by hand.
#[derive(Debug)]
pub struct Insider {
    /// Its GUID.
    pub guid: Guid,
    /// Where it is.
    pub addr: SocketAddr,
    /// Orders its sessions.
    pub epoch: u64,
    /// The counter of the last datagram.
    pub counter: u64,
    /// The first seals, all open.
    pub keys: Keyring,
    victim: usize,
    session: u64,
    theirs: u64,
}

impl Insider {
    /// Insider number `n`, whom `victim` does not know yet.
    pub fn new(net: &mut Network, victim: usize, n: u16) -> Insider {
        net.capture = true;
        let mut guid = Guid([0xee; 16]);
        guid.0[..2].copy_from_slice(&n.to_be_bytes());
        let addr = SocketAddr::from(([10, 66, (n >> 8) as u8, n as u8], 6666));
        let keys = Keyring::from(net.keys(victim).primary().clone());
        Insider { guid, addr, epoch: 1, counter: 0, keys, victim, session: 0x6666_0000 + u64::from(n), theirs: 0 }
    }

    /// The same, with a session.
    pub fn met(net: &mut Network, victim: usize, n: u16) -> Insider {
        let mut insider = Insider::new(net, victim, n);
        insider.register(net).expect("the handshake is by the rules");
        insider
    }

    /// REGISTER, CHALLENGE, REGISTER with its cookie, REGISTERED.
    pub fn register(&mut self, net: &mut Network) -> Result<Registered, Rejected> {
        let name = Name::new("mallory").expect("a name by the rules");
        let mut register = Register {
            guid: self.guid,
            padding: Register::fill(&name),
            name,
            epoch: self.epoch,
            incarnation: 1,
            cookie: [0; 16],
        };
        self.theirs = 0;
        self.tell(net, &Message::Register(register.clone()))?;
        for (header, message) in self.hear(net) {
            if let Message::Challenge(challenge) = message {
                (self.theirs, register.cookie) = (header.src_session, challenge.cookie);
            }
        }
        self.tell(net, &Message::Register(register))?;
        let registered = self.hear(net).into_iter().find_map(|(_, message)| match message {
            Message::Registered(registered) => Some(registered),
            _ => None,
        });
        registered.ok_or(Rejected::Session)
    }

    /// Sends a message in the session.
    pub fn tell(&mut self, net: &mut Network, message: &Message) -> Result<(), Rejected> {
        let mut body = BytesMut::new();
        message.encode(&mut body);
        self.tell_bytes(net, message.kind(), &body)
    }

    /// Sends any bytes in the session.
    pub fn tell_bytes(&mut self, net: &mut Network, kind: u8, body: &[u8]) -> Result<(), Rejected> {
        self.counter += 1;
        let dst_session = if kind == REGISTER && self.theirs == 0 { 0 } else { self.theirs };
        let header = Header { kind, src_session: self.session, dst_session, counter: self.counter };
        let mut datagram = BytesMut::new();
        self.keys.primary().seal(&header, &mut datagram, |out| out.extend_from_slice(body));
        net.inject(self.victim, self.addr, &datagram)
    }

    /// Whether the node has dropped the session, as it does at a LEAVE.
    pub fn is_out(&self, net: &Network) -> bool {
        net.node(self.victim).peers().peer(&self.guid).is_none_or(|peer| !peer.reach.answers())
    }

    /// What the victim sent to the insider since the last time. What others said is forgotten.
    pub fn hear(&mut self, net: &mut Network) -> Vec<(Header, Message)> {
        let victim = net.addr(self.victim);
        let heard = std::mem::take(&mut net.captured).into_iter();
        let heard = heard.filter(|(from, to, _)| *from == victim && *to == self.addr);
        let open = |(_, _, bytes): (SocketAddr, SocketAddr, Vec<u8>)| {
            // What is sealed with a key that the insider does not have says nothing to it.
            let datagram = self.keys.open(&bytes).ok()?;
            Some((*datagram.header(), Message::decode(&datagram).expect("nodes send what decodes")))
        };
        heard.filter_map(open).collect()
    }

    /// Lets a round-trip's time pass and answers every HELLO, so as to stay a reachable peer.
    pub fn attend(&mut self, net: &mut Network) -> Vec<Message> {
        net.run(std::time::Duration::from_millis(20));
        let heard: Vec<Message> = self.hear(net).into_iter().map(|(_, message)| message).collect();
        for message in &heard {
            if let Message::Hello(hello) = message {
                let _ = self.tell(net, &Message::HelloBack(hello.clone()));
            }
        }
        heard
    }
}
