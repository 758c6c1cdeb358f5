//! [`Sessions`]: who may talk to us. The handshake (REGISTER, CHALLENGE, REGISTERED), cookies, the order of epochs,
//! counters, replay windows, tombstones, eviction and roaming. It knows headers and plain fields, never bodies: what a
//! datagram says, and whether its kind has a place here, is for `wire` and `node`.
//!
//! The ideas are WireGuard's (Donenfeld, NDSS 2017, sections 5.3 and 5.4), without its clock and without anything on
//! disk but the epoch: every datagram names the *receiver's* session, which is random at every start, so recordings
//! mean nothing to anyone else or after a restart, and any restart costs an active pair one round trip. Each rule has a
//! name in `session/rule.rs`, and `session/replay.rs` shows which attack gets through without it.

mod challenge;
mod cookie;
mod echo;
mod install;
mod jar;
#[cfg(test)]
mod replay;
mod rule;
mod table;
mod tombstones;
mod verdict;
mod window;

pub use self::challenge::Challenge;
pub use self::cookie::Cookie;
pub use self::verdict::{Installed, Registering, Registration, Verdict};

use self::challenge::Challenges;
use self::echo::Pending;
use self::jar::Jar;
use self::rule::Rule;
use self::table::{Entry, Table};
use self::tombstones::Tombstones;
use crate::proto::gossip::Guid;
use crate::proto::limits::{COUNTER_LEAP, TOMBSTONES};
use crate::proto::seal::Header;
use crate::proto::stats::Rejected;
use crate::proto::time::Tick;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::net::SocketAddr;

/// Our session and those of all peers that completed a handshake. All of it comes after the MAC was verified; a
/// datagram that is rejected or challenged changes no session.
///
/// - Views: [`own`](Sessions::own), [`epoch`](Sessions::epoch), [`epoch_of`](Sessions::epoch_of), [`addr`](Sessions::addr),
///   [`contains`](Sessions::contains), [`len`](Sessions::len), [`suppressed`](Sessions::suppressed).
/// - Datagrams in: [`accept`](Sessions::accept) and `handle_*`.
/// - Datagrams out: [`register`](Sessions::register), [`header`](Sessions::header).
/// - Commands: [`renew`](Sessions::renew), [`remove`](Sessions::remove).
///
/// There are no timers: what is too old is dropped when it is next looked at.
#[derive(Debug)]
pub struct Sessions {
    guid: Guid,
    epoch: u64,
    own: u64,
    rng: ChaCha8Rng,
    table: Table,
    tombstones: Tombstones,
    pending: Pending,
    jar: Jar,
    /// No datagram to a session that has no entry had a higher counter. New entries start above it, so a pair of
    /// sessions never sees a counter twice, whoever forgot whom in between.
    tx_floor: u64,
    challenges: Challenges,
    #[cfg(test)]
    lacking: Option<Rule>,
}

impl Sessions {
    /// For the node `guid`, in the `epoch` that it persisted for this start. The seed makes the session's id and the
    /// cookies' key: never use one twice.
    pub fn new(guid: Guid, epoch: u64, seed: [u8; 32]) -> Sessions {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Sessions {
            guid,
            epoch,
            own: session_id(&mut rng),
            rng,
            table: Table::default(),
            tombstones: Tombstones::default(),
            pending: Pending::default(),
            jar: Jar::default(),
            tx_floor: 0,
            challenges: Challenges::new(key),
            #[cfg(test)]
            lacking: tests::lacking(),
        }
    }

    /// Our session's id.
    pub fn own(&self) -> u64 {
        self.own
    }

    /// Our epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch of the session that a peer has with us.
    pub fn epoch_of(&self, guid: Guid) -> Option<u64> {
        self.entry(guid).map(|entry| entry.epoch)
    }

    /// Whether this is the session that a peer has with us.
    pub fn is_of(&self, session: u64, guid: Guid) -> bool {
        self.table.session(guid) == Some(session)
    }

    /// Starts over with a new session, and no peers: after a resume, or as another node when we were a copy. `epoch`
    /// must be higher than the last one unless `guid` is new. Tombstones go too: they guard against recordings that
    /// name the session which ends here.
    pub fn renew(&mut self, guid: Guid, epoch: u64) {
        (self.guid, self.epoch, self.own) = (guid, epoch, session_id(&mut self.rng));
        self.table = Table::default();
        self.tombstones = Tombstones::default();
        (self.pending, self.jar) = Default::default();
    }

    /// A REGISTER to an address: the first one, or where an earlier one brought a CHALLENGE and nothing came of it, the
    /// one that answers that.
    pub fn register(&mut self, now: Tick, to: SocketAddr) -> Registration {
        let (session, cookie) = self.jar.fresh(now, to).unwrap_or((0, [0; 16]));
        self.registration(now, to, session, cookie)
    }

    /// The header of the next datagram to a peer, and the peer's address. `None`: no session, [`Sessions::register`].
    pub fn header(&mut self, now: Tick, to: Guid, kind: u8) -> Option<(SocketAddr, Header)> {
        let session = self.table.session(to)?;
        let entry = self.table.get_mut(session)?;
        let counter = entry.sent.next(now);
        Some((entry.addr, Header { kind, src_session: self.own, dst_session: session, counter }))
    }

    /// Judges a datagram of any kind but REGISTER, CHALLENGE and REGISTERED; `len` is the whole datagram's.
    pub fn accept(&mut self, now: Tick, from: SocketAddr, header: &Header, len: usize) -> Verdict {
        let session = header.src_session;
        if session == self.own {
            return Verdict::Rejected(Rejected::OwnEcho);
        }
        let entry = self.is_ours(header).then(|| self.table.get_mut(session)).flatten();
        let leap = |entry: &Entry| header.counter > entry.window.top().saturating_add(COUNTER_LEAP);
        let Some(entry) = entry.filter(|entry| !leap(entry)) else {
            return match self.challenges.make(now, from, header, len) {
                Some(challenge) => Verdict::Challenge(challenge),
                None => Verdict::Rejected(Rejected::Session),
            };
        };
        if !entry.window.accept(header.counter) {
            return Verdict::Rejected(Rejected::Replay);
        }
        let (guid, moved) = (entry.guid, entry.addr != from);
        if entry.hear(now) {
            self.table.refile(session, now);
        }
        match moved.then(|| self.challenges.make(now, from, header, len)).flatten() {
            Some(challenge) => Verdict::Moved(guid, challenge),
            None => Verdict::Accepted(guid),
        }
    }

    /// Judges a REGISTER. One with our own GUID and the lesser right to it is rejected for its [`Rejected::Order`]: its
    /// sender finds out when we register with it.
    #[expect(clippy::too_many_arguments, reason = "a datagram's header, its fields, and where and when it came")]
    pub fn handle_register(
        &mut self,
        now: Tick,
        from: SocketAddr,
        header: &Header,
        len: usize,
        guid: Guid,
        epoch: u64,
        cookie: Cookie,
    ) -> Registering {
        if header.src_session == self.own {
            return Registering::Rejected(Rejected::OwnEcho);
        }
        if header.dst_session == 0 || !self.is_ours(header) {
            return match self.challenges.make(now, from, header, len) {
                Some(challenge) => Registering::Challenge(challenge),
                None => Registering::Rejected(Rejected::Session),
            };
        }
        if !self.challenges.valid(now, from, header.src_session, &cookie) && !self.lacks(Rule::Cookie) {
            return Registering::Rejected(Rejected::Cookie);
        }
        if guid == self.guid && (epoch, header.src_session) > (self.epoch, self.own) {
            return Registering::Clone;
        }
        match self.install(now, from, header, guid, epoch) {
            Ok(installed) => Registering::Installed(installed),
            Err(cause) => Registering::Rejected(cause),
        }
    }

    /// Judges a CHALLENGE. It changes nothing but which REGISTER may be answered: the one to be sent now, to `from`.
    pub fn handle_challenge(
        &mut self,
        now: Tick,
        from: SocketAddr,
        header: &Header,
        echo: u64,
        cookie: Cookie,
    ) -> Result<Registration, Rejected> {
        self.check_answer(header)?;
        let registered = self.pending.take(now, from, echo, None);
        // A peer that restarted, or forgot us, challenges whatever we send next: that is how we notice.
        if !registered && !self.challenged(now, from, echo) && !self.lacks(Rule::ChallengeEcho) {
            return Err(Rejected::Echo);
        }
        self.jar.keep(now, from, header.src_session, cookie);
        Ok(self.registration(now, from, header.src_session, cookie))
    }

    /// Judges a REGISTERED: it must come from the address and the session that the REGISTER went to.
    pub fn handle_registered(
        &mut self,
        now: Tick,
        from: SocketAddr,
        header: &Header,
        echo: u64,
        guid: Guid,
        epoch: u64,
    ) -> Result<Installed, Rejected> {
        self.check_answer(header)?;
        let asked = self.pending.take(now, from, echo, Some(header.src_session));
        if !asked && !self.lacks(Rule::RegisteredEcho) {
            return Err(Rejected::Echo);
        }
        self.jar.spend(&from);
        self.install(now, from, header, guid, epoch)
    }

    /// Where a peer receives.
    pub fn addr(&self, guid: Guid) -> Option<SocketAddr> {
        self.entry(guid).map(|entry| entry.addr)
    }

    /// Whether we have a session with this peer.
    pub fn contains(&self, guid: Guid) -> bool {
        self.entry(guid).is_some()
    }

    /// How many sessions there are, our own not counted.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// CHALLENGEs that were not sent since there had been too many in a second.
    pub fn suppressed(&self) -> u64 {
        self.challenges.suppressed()
    }

    /// Evicts a session and leaves a tombstone. False, and nothing done, if there is none, or while no tombstone is
    /// free: the session then goes when it is the most silent one.
    pub fn remove(&mut self, now: Tick, guid: Guid) -> bool {
        self.tombstones.expire(now);
        let Some(session) = self.table.session(guid) else { return false };
        let free = self.tombstones.len() < TOMBSTONES;
        if free {
            self.evict(now, session);
        }
        free
    }

    /// Panics if an invariant is broken.
    pub fn check(&self) {
        self.table.check();
        self.tombstones.check();
        self.pending.check();
        self.jar.check();
        assert_ne!(self.own, 0);
        assert!(self.table.get(self.own).is_none() && !self.contains(self.guid), "no session with ourselves");
        assert!(self.tombstones.guids().all(|guid| !self.contains(guid)), "nobody is both live and buried");
    }

    fn entry(&self, guid: Guid) -> Option<&Entry> {
        self.table.get(self.table.session(guid)?)
    }

    fn is_ours(&self, header: &Header) -> bool {
        header.dst_session == self.own || self.lacks(Rule::Destination)
    }

    /// CHALLENGE and REGISTERED are never answered with a CHALLENGE, or two nodes could go on for ever.
    fn check_answer(&self, header: &Header) -> Result<(), Rejected> {
        match header {
            header if header.src_session == self.own => Err(Rejected::OwnEcho),
            header if header.src_session == 0 || !self.is_ours(header) => Err(Rejected::Session),
            _ => Ok(()),
        }
    }

    /// Whether `echo` names an ordinary datagram that we sent to `from` lately, and an answer is due.
    fn challenged(&mut self, now: Tick, from: SocketAddr, echo: u64) -> bool {
        let sessions: Vec<u64> = self.table.at(from).collect();
        sessions.into_iter().any(|session| self.table.get_mut(session).is_some_and(|e| e.sent.answer(now, echo)))
    }

    /// A REGISTER's counter is above all that its receiver saw of us: it becomes the floor of the receiver's window, unless
    /// that has this very session already.
    fn registration(&mut self, now: Tick, to: SocketAddr, dst_session: u64, cookie: Cookie) -> Registration {
        let counter = match self.table.get_mut(dst_session) {
            Some(entry) => entry.sent.next(now),
            None => {
                self.tx_floor += 1;
                self.tx_floor
            }
        };
        self.pending.push(now, to, counter, dst_session);
        Registration { dst_session, counter, cookie }
    }
}

/// A session's id: random, and never the 0 that stands for none.
fn session_id(rng: &mut ChaCha8Rng) -> u64 {
    loop {
        let id = rng.next_u64();
        if id != 0 {
            return id;
        }
    }
}

#[cfg(test)]
pub(crate) use {rule::Rule as SessionRule, tests::lack};
#[cfg(test)]
mod tests;
