//! [`Cookies`]: proof that a peer receives at the address that it sends from, without remembering anybody.

use crate::proto::limits::COOKIE_SECRET;
use crate::proto::time::Tick;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::{IpAddr, SocketAddr};

/// A CHALLENGE carries it, the REGISTER that answers brings it back.
pub type Cookie = [u8; 16];

/// Makes cookies and knows them again (RFC 9147, section 5.1; WireGuard's "cookie reply").
///
/// The secret of each [`COOKIE_SECRET`] is the number of that span under one key that never leaves this process, so
/// there is nothing to rotate. Spans start at fixed ticks: a cookie counts in its own span and in the next, and no
/// secret that stood idle keeps an old cookie alive for longer than a tombstone stands.
#[derive(Debug)]
pub(super) struct Cookies {
    mac: Hmac<Sha256>,
}

impl Cookies {
    pub(super) fn new(key: [u8; 32]) -> Cookies {
        Cookies { mac: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length") }
    }

    /// The cookie for who calls itself `session` at `from`.
    pub(super) fn make(&self, now: Tick, from: SocketAddr, session: u64) -> Cookie {
        let mut cookie = [0; 16];
        cookie.copy_from_slice(&self.mac(span(now), from, session).finalize().into_bytes()[..16]);
        cookie
    }

    /// Whether we gave this cookie to this session at this address, lately. Takes the same time wherever it differs.
    pub(super) fn valid(&self, now: Tick, from: SocketAddr, session: u64, cookie: &Cookie) -> bool {
        let is_of = |span| self.mac(span, from, session).verify_truncated_left(cookie).is_ok();
        is_of(span(now)) || span(now).checked_sub(1).is_some_and(is_of)
    }

    fn mac(&self, span: u64, from: SocketAddr, session: u64) -> Hmac<Sha256> {
        let ip = match from.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        (self.mac.clone().chain_update(span.to_le_bytes()).chain_update(ip.octets()))
            .chain_update(from.port().to_le_bytes())
            .chain_update(session.to_le_bytes())
    }
}

fn span(now: Tick) -> u64 {
    now.since(Tick(0)).as_secs() / COOKIE_SECRET.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(addr: &str) -> SocketAddr {
        addr.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_for_one_address_and_one_session() {
        let (cookies, now) = (Cookies::new([1; 32]), Tick(5));
        let cookie = cookies.make(now, at("10.0.0.1:7000"), 9);
        assert!(cookies.valid(now, at("10.0.0.1:7000"), 9, &cookie));
        assert!(!cookies.valid(now, at("10.0.0.1:7001"), 9, &cookie));
        assert!(!cookies.valid(now, at("10.0.0.2:7000"), 9, &cookie));
        assert!(!cookies.valid(now, at("10.0.0.1:7000"), 8, &cookie));
        assert!(!cookies.valid(now, at("10.0.0.1:7000"), 9, &[0; 16]));
        assert!(!Cookies::new([2; 32]).valid(now, at("10.0.0.1:7000"), 9, &cookie));
    }

    #[test]
    fn a_cookie_lives_for_one_to_two_spans() {
        let cookies = Cookies::new([1; 32]);
        for made in [0, 1, 60, 119, 120, 1000] {
            let made = Tick(0) + Duration::from_secs(made);
            let cookie = cookies.make(made, at("[fe80::1]:7000"), 9);
            let lives = |span| cookies.valid(made + span, at("[fe80::1]:7000"), 9, &cookie);
            assert!(lives(COOKIE_SECRET), "made at {made:?}");
            assert!(!lives(COOKIE_SECRET * 2), "made at {made:?}");
        }
    }
}
