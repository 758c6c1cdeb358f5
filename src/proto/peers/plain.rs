//! [`Plain`]: an address in few bytes, for tables that have thousands.

use siphasher::sip::SipHasher24;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An address in few bytes. Of an address that has a meaning on one link only (IPv6, `fe80::/64`) this host's number of
/// the link stands where such addresses have zeros, as KAME does it: [`Plain::said`] leaves out what no other host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Plain {
    ip: [u8; 16],
    port: u16,
}

/// Where that number stands.
const LINK: std::ops::Range<usize> = 4..8;

impl Plain {
    pub(super) fn new(addr: SocketAddr) -> Plain {
        let (mut ip, link) = match addr {
            SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped().octets(), 0),
            SocketAddr::V6(v6) => (v6.ip().octets(), v6.scope_id()),
        };
        if is_of_a_link(&ip) {
            ip[LINK].copy_from_slice(&link.to_be_bytes());
        }
        Plain { ip, port: addr.port() }
    }

    pub(super) fn addr(self) -> SocketAddr {
        match Ipv6Addr::from(self.ip_said()).to_canonical() {
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.link()).into(),
            ip => SocketAddr::new(ip, self.port),
        }
    }

    /// The address as others know it: its IP, its port with the lower byte first.
    pub(super) fn said(self) -> [u8; 18] {
        let mut said = [0; 18];
        let (ip, port) = said.split_at_mut(16);
        ip.copy_from_slice(&self.ip_said());
        port.copy_from_slice(&self.port.to_le_bytes());
        said
    }

    /// What tells it from others, but for one pair in 4 billion.
    pub(super) fn mark(self) -> u32 {
        SipHasher24::new().hash(&self.said()) as u32
    }

    fn ip_said(mut self) -> [u8; 16] {
        if is_of_a_link(&self.ip) {
            self.ip[LINK].fill(0);
        }
        self.ip
    }

    fn link(self) -> u32 {
        let [.., a, b, c, d, _, _, _, _, _, _, _, _] = self.ip;
        if is_of_a_link(&self.ip) { u32::from_be_bytes([a, b, c, d]) } else { 0 }
    }
}

fn is_of_a_link(ip: &[u8; 16]) -> bool {
    ip.starts_with(&[0xfe, 0x80])
}
