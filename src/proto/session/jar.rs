//! [`Jar`]: cookies that others gave us. A handshake that lost a datagram goes on from the CHALLENGE that came, not from its
//! beginning: two datagrams have to come through then, not four.

use super::Cookie;
use crate::proto::limits::{FRESH_COOKIE, PENDING_REGISTERS};
use crate::proto::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// The last cookie from each address, while it is fresh; where there are too many, the oldest goes.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: BTreeMap<SocketAddr, (Tick, u64, Cookie)>,
    ages: VecDeque<(Tick, SocketAddr)>,
}

impl Jar {
    /// The session at this address gave us a cookie.
    pub(super) fn keep(&mut self, now: Tick, from: SocketAddr, session: u64, cookie: Cookie) {
        self.expire(now);
        if self.ages.len() >= PENDING_REGISTERS
            && let Some((at, addr)) = self.ages.pop_front()
        {
            self.drop_of(at, &addr);
        }
        self.ages.push_back((now, from));
        self.cookies.insert(from, (now, session, cookie));
    }

    /// Which session is at this address, and the cookie that it gave us.
    pub(super) fn fresh(&self, now: Tick, at: SocketAddr) -> Option<(u64, Cookie)> {
        let (since, session, cookie) = *self.cookies.get(&at)?;
        (now.since(since) < FRESH_COOKIE).then_some((session, cookie))
    }

    /// It served its purpose.
    pub(super) fn spend(&mut self, from: &SocketAddr) {
        self.cookies.remove(from);
    }

    fn expire(&mut self, now: Tick) {
        while let Some((at, addr)) = self.ages.pop_front_if(|(at, _)| now.since(*at) >= FRESH_COOKIE) {
            self.drop_of(at, &addr);
        }
    }

    /// Drops the cookie that came then, not a later one.
    fn drop_of(&mut self, at: Tick, addr: &SocketAddr) {
        if self.cookies.get(addr).is_some_and(|(since, ..)| *since == at) {
            self.cookies.remove(addr);
        }
    }

    pub(super) fn check(&self) {
        assert!(self.cookies.len() <= self.ages.len() && self.ages.len() <= PENDING_REGISTERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u32) -> SocketAddr {
        SocketAddr::from((n.to_be_bytes(), 7000))
    }

    #[test]
    fn a_cookie_is_of_use_once_and_not_for_long_and_there_are_not_too_many() {
        let mut jar = Jar::default();
        jar.keep(Tick(0), addr(1), 5, [1; 16]);
        jar.keep(Tick(7), addr(1), 6, [2; 16]);
        assert_eq!(jar.fresh(Tick(8), addr(1)), Some((6, [2; 16])));
        assert_eq!(jar.fresh(Tick(0) + FRESH_COOKIE + FRESH_COOKIE, addr(1)), None);
        jar.spend(&addr(1));
        assert_eq!(jar.fresh(Tick(8), addr(1)), None);
        for n in 0..3 * PENDING_REGISTERS as u32 {
            jar.keep(Tick(9), addr(n), 7, [3; 16]);
            jar.check();
        }
        assert_eq!((jar.fresh(Tick(9), addr(0)), jar.cookies.len()), (None, PENDING_REGISTERS));
        jar.keep(Tick(9) + FRESH_COOKIE, addr(0), 7, [3; 16]);
        assert_eq!((jar.ages.len(), jar.cookies.len()), (1, 1));
    }
}
