//! [`Sessions`]: who may talk to us. The handshake (REGISTER, CHALLENGE, REGISTERED), cookies, the order of epochs,
//! counters, replay windows, tombstones, eviction and roaming. It knows headers and plain fields, never bodies: what a
//! datagram says, and whether its kind has a place here, is for `wire` and `node`.
//!
//! ```text
//! A                                                   B
//! | REGISTER    to session 0, counter a1             |  nothing remembered
//! |------------------------------------------------->|
//! |           CHALLENGE   to A, echo a1, cookie      |  nothing remembered
//! |<-------------------------------------------------|
//! | REGISTER    to B, counter a2, cookie             |  B installs A, floor a2
//! |------------------------------------------------->|
//! |           REGISTERED  to B's A, counter b, echo a2  A installs B, floor b
//! |<-------------------------------------------------|
//! ```
//!
//! The ideas are WireGuard's (Donenfeld, NDSS 2017, sections 5.3 and 5.4), without its clock and without anything on
//! disk but the epoch: every datagram names the *receiver's* session, which is random at every start, so recordings
//! mean nothing to anyone else or after a restart, and any restart costs an active pair one round trip. Each rule has a
//! name in [`Rule`], and `session/replay.rs` shows which attack gets through without it.

mod cookie;
mod echo;
#[cfg(test)]
mod replay;
mod table;
mod tombstones;
mod window;

pub use self::cookie::Cookie;

use self::cookie::Cookies;
use self::echo::{Pending, Sent};
use self::table::{Entry, Table};
use self::tombstones::{Tombstones, Trace};
use self::window::Window;
use crate::proto::gossip::Guid;
use crate::proto::limits::{CHALLENGES_PER_SECOND, COUNTER_LEAP, MIN_CHALLENGED, SESSIONS, TOMBSTONE, TOMBSTONES};
use crate::proto::seal::Header;
use crate::proto::stats::Rejected;
use crate::proto::time::Tick;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Our session and those of all peers that completed a handshake. All of it comes after the MAC was verified; every
/// method that takes a datagram leaves no trace of one that it rejects.
///
/// - Views: [`own`](Sessions::own), [`epoch`](Sessions::epoch), [`addr`](Sessions::addr),
///   [`last_heard`](Sessions::last_heard), [`contains`](Sessions::contains), [`len`](Sessions::len),
///   [`suppressed`](Sessions::suppressed).
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
    cookies: Cookies,
    table: Table,
    tombstones: Tombstones,
    pending: Pending,
    /// No datagram to a session that has no entry had a higher counter. New entries start above it, so a pair of
    /// sessions never sees a counter twice, whoever forgot whom in between.
    tx_floor: u64,
    challenges: Bucket,
    suppressed: u64,
    #[cfg(test)]
    lacking: Option<Rule>,
}

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

/// What a REGISTER to send has in its header, and its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The receiver's session; 0 in a first REGISTER.
    pub dst_session: u64,
    /// To be echoed by the answer.
    pub counter: u64,
    /// The receiver's own cookie; zero in a first REGISTER.
    pub cookie: Cookie,
}

/// A session was installed: its peer is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// False if this very session was live before: the peer only renewed it, or moved.
    pub new: bool,
}

/// What to do with a datagram of an established kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is fresh and from this peer: process it. Answers go to [`Sessions::addr`], never to where it came from.
    Accepted(Guid),
    /// The same, but it came from another address than the peer's. Nothing goes there but this CHALLENGE, and the
    /// peer's address stays, until a REGISTER comes from there with the cookie.
    Moved(Guid, Challenge),
    /// It does not belong to a session: send this to where it came from, and drop it.
    Challenge(Challenge),
    /// Drop it in silence.
    Rejected(Rejected),
}

/// What to do with a REGISTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registering {
    /// Send this to where it came from; remember nothing.
    Challenge(Challenge),
    /// Answer REGISTERED, with the REGISTER's counter as its echo and a header of [`Sessions::header`].
    Installed(Installed),
    /// It has our own GUID and the better right to it: we are a copy and must take a new one.
    Clone,
    /// Drop it in silence.
    Rejected(Rejected),
}

/// The rules without which recordings get through, strangers are served, or peers lose each other. In tests one of
/// them can be taken away, to see that it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A session replaces another of its GUID only if it is the later one, or the other is long silent.
    Order,
    /// Later means: of a higher epoch.
    Epoch,
    /// An evicted session still orders its successors.
    Tombstone,
    /// What the handshake's counter leaves below it counts as seen.
    Floor,
    /// A datagram that names another receiver is not ours.
    Destination,
    /// REGISTERED counts only as the answer to a REGISTER.
    RegisteredEcho,
    /// CHALLENGE counts only as the answer to what we sent.
    ChallengeEcho,
    /// Counters never start again, whatever was evicted.
    TxFloor,
    /// Whoever registers receives at its address.
    Cookie,
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
            cookies: Cookies::new(key),
            table: Table::default(),
            tombstones: Tombstones::default(),
            pending: Pending::default(),
            tx_floor: 0,
            challenges: Bucket::default(),
            suppressed: 0,
            #[cfg(test)]
            lacking: None,
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

    /// Starts over with a new session, and no peers: after a resume, or as another node when we were a copy. `epoch`
    /// must be higher than the last one unless `guid` is new. Tombstones go too: they guard against recordings that
    /// name the session which ends here.
    pub fn renew(&mut self, guid: Guid, epoch: u64) {
        (self.guid, self.epoch, self.own) = (guid, epoch, session_id(&mut self.rng));
        self.table = Table::default();
        self.tombstones = Tombstones::default();
        self.pending = Pending::default();
    }

    /// The first REGISTER to an address.
    pub fn register(&mut self, now: Tick, to: SocketAddr) -> Registration {
        self.registration(now, to, 0, [0; 16])
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
            return match self.challenge(now, from, header, len) {
                Some(challenge) => Verdict::Challenge(challenge),
                None => Verdict::Rejected(Rejected::Session),
            };
        };
        if !entry.window.accept(header.counter) {
            return Verdict::Rejected(Rejected::Replay);
        }
        let (guid, moved) = (entry.guid, entry.addr != from);
        self.table.hear(session, now);
        match moved.then(|| self.challenge(now, from, header, len)).flatten() {
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
            return match self.challenge(now, from, header, len) {
                Some(challenge) => Registering::Challenge(challenge),
                None => Registering::Rejected(Rejected::Session),
            };
        }
        if !self.cookies.valid(now, from, header.src_session, &cookie) && !self.lacks(Rule::Cookie) {
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
        let registered = self.pending.take(now, from, echo).is_some();
        // A peer that restarted, or forgot us, challenges whatever we send next: that is how we notice.
        if !registered && !self.challenged(now, from, echo) && !self.lacks(Rule::ChallengeEcho) {
            return Err(Rejected::Echo);
        }
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
        let asked = self.pending.take(now, from, echo);
        if asked != Some(header.src_session) && !self.lacks(Rule::RegisteredEcho) {
            return Err(Rejected::Echo);
        }
        self.install(now, from, header, guid, epoch)
    }

    /// Where a peer receives.
    pub fn addr(&self, guid: Guid) -> Option<SocketAddr> {
        self.entry(guid).map(|entry| entry.addr)
    }

    /// When a fresh datagram of a peer came last.
    pub fn last_heard(&self, guid: Guid) -> Option<Tick> {
        self.entry(guid).map(|entry| entry.heard)
    }

    /// Whether we have a session with this peer.
    pub fn contains(&self, guid: Guid) -> bool {
        self.entry(guid).is_some()
    }

    /// How many sessions there are, our own not counted.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// CHALLENGEs that were not sent since there had been too many in a second.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
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
        assert_ne!(self.own, 0);
        assert!(self.table.get(self.own).is_none() && !self.contains(self.guid), "no session with ourselves");
        assert!(self.tombstones.guids().all(|guid| !self.contains(guid)), "nobody is both live and buried");
    }

    /// The install rule. What it rejects changes nothing.
    fn install(
        &mut self,
        now: Tick,
        from: SocketAddr,
        header: &Header,
        guid: Guid,
        epoch: u64,
    ) -> Result<Installed, Rejected> {
        let (session, counter) = (header.src_session, header.counter);
        if guid == self.guid {
            return Err(Rejected::Order);
        }
        // Sessions are random: only a peer who lies has another one's.
        if session == 0 || self.table.get(session).is_some_and(|entry| entry.guid != guid) {
            return Err(Rejected::Session);
        }
        self.tombstones.expire(now);
        let live = self.table.session(guid);
        let last = self.entry(guid).zip(live).map(|(entry, session)| entry.trace(session));
        let last = last.or_else(|| self.tombstones.get(guid));
        if last.is_some_and(|last| !self.follows(now, header, epoch, &last)) {
            return Err(Rejected::Order);
        }
        if let Some(leaver) = self.leaver(guid, from.ip()) {
            let own = usize::from(self.tombstones.get(guid).is_some());
            if self.tombstones.len() - own >= TOMBSTONES {
                return Err(Rejected::Full);
            }
            self.tombstones.remove(guid);
            self.evict(now, leaver);
        }
        self.tombstones.remove(guid);
        let floor = last.filter(|last| last.session == session).map_or(counter, |last| last.top.max(counter));
        let window = Window::new(if self.lacks(Rule::Floor) { 0 } else { floor });
        let old = live.and_then(|live| self.table.remove(live));
        let sent = match old {
            Some(mut old) if live == Some(session) => {
                if old.addr != from {
                    old.sent.forget(now);
                }
                old.sent
            }
            old => {
                self.fold(old.as_ref());
                Sent::new(self.tx_floor)
            }
        };
        self.table.insert(session, Entry::new(now, guid, from, epoch, window, sent));
        Ok(Installed { new: live != Some(session) })
    }

    /// Whether the session that `header` and `epoch` describe comes after the `last` one that its GUID had with us.
    fn follows(&self, now: Tick, header: &Header, epoch: u64, last: &Trace) -> bool {
        let newer = header.counter > last.top;
        if self.lacks(Rule::Epoch) {
            return header.src_session != last.session || newer;
        }
        epoch > last.epoch
            || (header.src_session == last.session && newer)
            || now.since(last.heard) >= TOMBSTONE
            || self.lacks(Rule::Order)
    }

    /// Who must go so that `guid` may live at `ip`: the most silent one there if it is crowded, or of all.
    fn leaver(&self, guid: Guid, ip: IpAddr) -> Option<u64> {
        match self.entry(guid) {
            Some(entry) if entry.addr.ip() == ip => None,
            Some(_) => self.table.most_silent_in_crowd(ip),
            None => (self.table.most_silent_in_crowd(ip))
                .or_else(|| self.table.most_silent().filter(|_| self.table.len() >= SESSIONS)),
        }
    }

    fn evict(&mut self, now: Tick, session: u64) {
        let Some(entry) = self.table.remove(session) else { return };
        if !self.lacks(Rule::TxFloor) {
            self.fold(Some(&entry));
        }
        if !self.lacks(Rule::Tombstone) {
            self.tombstones.insert(now, entry.guid, entry.trace(session));
        }
    }

    fn fold(&mut self, gone: Option<&Entry>) {
        self.tx_floor = gone.map_or(self.tx_floor, |gone| self.tx_floor.max(gone.sent.last()));
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

    /// A REGISTER's counter is above all that its receiver saw of us: it becomes the floor of the receiver's window.
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

    /// Nothing shorter than a CHALLENGE is answered by one, and not too many are.
    fn challenge(&mut self, now: Tick, from: SocketAddr, header: &Header, len: usize) -> Option<Challenge> {
        if len < MIN_CHALLENGED {
            return None;
        }
        if !self.challenges.take(now) {
            self.suppressed += 1;
            return None;
        }
        let cookie = self.cookies.make(now, from, header.src_session);
        Some(Challenge { dst_session: header.src_session, cookie, echo: header.counter })
    }

    #[cfg(test)]
    fn lacks(&self, rule: Rule) -> bool {
        self.lacking == Some(rule)
    }

    #[cfg(not(test))]
    const fn lacks(&self, _: Rule) -> bool {
        false
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

#[cfg(test)]
mod tests;
