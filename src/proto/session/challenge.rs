//! [`Challenges`]: who is asked to prove that it receives at its address, and how often.

use super::cookie::{Cookie, Cookies};
use crate::proto::limits::{CHALLENGES_PER_SECOND, MIN_CHALLENGED};
use crate::proto::seal::Header;
use crate::proto::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// An answer of 0 bytes of memory: prove that you receive at this address. Its header has this `dst_session`, our own
/// session and counter 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whom it is for: the `src_session` of what it answers.
    pub dst_session: u64,
    /// To be brought back in a REGISTER.
    pub cookie: Cookie,
    /// The counter of what it answers.
    pub echo: u64,
}

/// Makes CHALLENGEs and knows their cookies again. It remembers how many there were, and nobody.
#[derive(Debug)]
pub(super) struct Challenges {
    cookies: Cookies,
    bucket: Bucket,
    suppressed: u64,
}

impl Challenges {
    pub(super) fn new(key: [u8; 32]) -> Challenges {
        Challenges { cookies: Cookies::new(key), bucket: Bucket::default(), suppressed: 0 }
    }

    /// Nothing shorter than a CHALLENGE is answered by one, and not too many are.
    pub(super) fn make(&mut self, now: Tick, from: SocketAddr, header: &Header, len: usize) -> Option<Challenge> {
        if len < MIN_CHALLENGED {
            return None;
        }
        if !self.bucket.take(now) {
            self.suppressed += 1;
            return None;
        }
        let cookie = self.cookies.make(now, from, header.src_session);
        Some(Challenge { dst_session: header.src_session, cookie, echo: header.counter })
    }

    /// Whether we gave this cookie to this session at this address, lately.
    pub(super) fn valid(&self, now: Tick, from: SocketAddr, session: u64, cookie: &Cookie) -> bool {
        self.cookies.valid(now, from, session, cookie)
    }

    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

/// A token bucket that holds a second's worth, as one number: the time at which it will be full again (the generic
/// cell rate algorithm, ITU-T I.371).
#[derive(Debug, Default)]
struct Bucket {
    full: Tick,
}

impl Bucket {
    fn take(&mut self, now: Tick) -> bool {
        let full = self.full.max(now) + Duration::from_secs(1) / CHALLENGES_PER_SECOND;
        let granted = full.since(now) <= Duration::from_secs(1);
        if granted {
            self.full = full;
        }
        granted
    }
}
