//! A story for each rule, told with two or three nodes on a network that loses nothing.

use super::*;
use crate::proto::limits::{CHALLENGES_PER_SECOND, COOKIE_SECRET, ECHO, FRESH_COOKIE, MIN_CHALLENGED};
use crate::proto::limits::{REGISTER_SIZE, SESSIONS, SESSIONS_PER_ADDRESS, TOMBSTONE};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static LACKING: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// The rule that nodes lack that are made on this thread.
pub(super) fn lacking() -> Option<Rule> {
    LACKING.get()
}

/// From now on they lack this one.
pub(crate) fn lack(rule: Option<Rule>) {
    LACKING.set(rule);
}

const REGISTER: u8 = 1;
const CHALLENGE: u8 = 2;
const REGISTERED: u8 = 3;
const HELLO: u8 = 4;
const LEN: usize = 200;

/// A node and where it is.
struct Host {
    guid: Guid,
    addr: SocketAddr,
    sessions: Sessions,
}

fn guid(n: u32) -> Guid {
    let mut guid = [0; 16];
    guid[..4].copy_from_slice(&n.to_be_bytes());
    Guid(guid)
}

fn seed(n: u32, epoch: u64) -> [u8; 32] {
    let mut seed = [9; 32];
    seed[..4].copy_from_slice(&n.to_le_bytes());
    seed[4..12].copy_from_slice(&epoch.to_le_bytes());
    seed
}

/// Node `n` in `epoch`, on a machine of its own.
fn host(n: u32, epoch: u64) -> Host {
    let [_, a, b, c] = n.to_be_bytes();
    let addr = ([10, a, b, c], 7000).into();
    Host { guid: guid(n), addr, sessions: Sessions::new(guid(n), epoch, seed(n, epoch)) }
}

fn s(seconds: u64) -> Tick {
    Tick(0) + Duration::from_secs(seconds)
}

impl Host {
    fn restart(&mut self) {
        let epoch = self.sessions.epoch() + 1;
        self.sessions = Sessions::new(self.guid, epoch, seed(77, epoch));
    }

    fn from(&self, kind: u8, dst_session: u64, counter: u64) -> Header {
        Header { kind, src_session: self.sessions.own(), dst_session, counter }
    }

    /// The next datagram to a peer with whom there is a session.
    fn says(&mut self, now: Tick, to: &Host) -> Header {
        self.sessions.header(now, to.guid, HELLO).expect("a session").1
    }

    fn hears(&mut self, now: Tick, from: &Host, header: &Header) -> Verdict {
        self.sessions.accept(now, from.addr, header, LEN)
    }

    fn gets_register(&mut self, now: Tick, from: &Host, register: Registration) -> Registering {
        let header = from.from(REGISTER, register.dst_session, register.counter);
        let (guid, epoch) = (from.guid, from.sessions.epoch());
        self.sessions.handle_register(now, from.addr, &header, REGISTER_SIZE, guid, epoch, register.cookie)
    }

    fn gets_challenge(&mut self, now: Tick, from: &Host, challenge: Challenge) -> Result<Registration, Rejected> {
        let header = from.from(CHALLENGE, challenge.dst_session, 0);
        self.sessions.handle_challenge(now, from.addr, &header, challenge.echo, challenge.cookie)
    }

    fn gets_registered(&mut self, now: Tick, from: &Host, header: &Header, echo: u64) -> Result<Installed, Rejected> {
        self.sessions.handle_registered(now, from.addr, header, echo, from.guid, from.sessions.epoch())
    }

    /// Answers a REGISTER that was installed.
    fn registered(&mut self, now: Tick, to: &Host) -> Header {
        self.sessions.header(now, to.guid, REGISTERED).expect("a session").1
    }

    fn challenged_by(&mut self, now: Tick, to: &mut Host) -> Registration {
        let first = self.sessions.register(now, to.addr);
        if first.dst_session == to.sessions.own() {
            return first;
        }
        let Registering::Challenge(challenge) = to.gets_register(now, self, first) else { panic!("no CHALLENGE") };
        self.gets_challenge(now, to, challenge).expect("it answers our REGISTER")
    }

    /// A whole handshake.
    fn meets(&mut self, now: Tick, to: &mut Host) {
        let register = self.challenged_by(now, to);
        self.finishes(now, to, register);
    }

    fn finishes(&mut self, now: Tick, to: &mut Host, register: Registration) {
        let Registering::Installed(_) = to.gets_register(now, self, register) else { panic!("not installed") };
        let header = to.registered(now, self);
        self.gets_registered(now, to, &header, register.counter).expect("it answers our REGISTER");
        self.talks(now, to);
        to.talks(now, self);
        self.sessions.check();
        to.sessions.check();
    }

    fn talks(&mut self, now: Tick, to: &mut Host) {
        let header = self.says(now, to);
        assert_eq!(to.hears(now, self, &header), Verdict::Accepted(self.guid));
    }
}

fn met() -> (Host, Host) {
    let (mut a, mut b) = (host(1, 1), host(2, 1));
    a.meets(s(0), &mut b);
    (a, b)
}

#[test]
fn a_handshake_installs_both_sides_and_a_first_register_nothing() {
    let (mut a, mut b) = (host(1, 1), host(2, 1));
    let register = a.challenged_by(s(0), &mut b);
    assert!(a.sessions.len() == 0 && b.sessions.len() == 0);
    assert_eq!(register.dst_session, b.sessions.own());
    assert_eq!(b.gets_register(s(0), &a, register), Registering::Installed(Installed { new: true }));
    let header = b.registered(s(0), &a);
    assert_eq!(a.gets_registered(s(0), &b, &header, register.counter), Ok(Installed { new: true }));
    a.talks(s(1), &mut b);
    b.talks(s(2), &mut a);
    assert_eq!(
        (a.sessions.addr(b.guid), a.sessions.entry(b.guid).map(|entry| entry.heard)),
        (Some(b.addr), Some(s(2)))
    );
    assert_eq!((a.sessions.len(), b.sessions.contains(a.guid)), (1, true));
    assert_eq!(a.sessions.header(s(3), guid(9), HELLO), None);
}

#[test]
fn our_own_datagrams_are_dropped_first_of_all() {
    let (mut a, mut b) = met();
    let echo = a.sessions.own();
    let header = Header { kind: HELLO, src_session: echo, dst_session: echo, counter: 1 };
    assert_eq!(a.sessions.accept(s(0), b.addr, &header, LEN), Verdict::Rejected(Rejected::OwnEcho));
    let register = a.sessions.handle_register(s(0), b.addr, &header, REGISTER_SIZE, a.guid, 9, [0; 16]);
    assert_eq!(register, Registering::Rejected(Rejected::OwnEcho));
    assert_eq!(a.sessions.handle_challenge(s(0), b.addr, &header, 1, [0; 16]), Err(Rejected::OwnEcho));
    assert_eq!(a.sessions.handle_registered(s(0), b.addr, &header, 1, b.guid, 9), Err(Rejected::OwnEcho));
    a.talks(s(0), &mut b);
}

#[test]
fn what_belongs_to_no_session_is_challenged_unless_it_is_short_or_there_is_too_much() {
    let (mut a, b) = met();
    let (own, peer) = (a.sessions.own(), b.sessions.own());
    for (src_session, dst_session) in [(peer, own ^ 1), (peer ^ 1, own), (peer ^ 1, own ^ 1), (peer, 0)] {
        let header = Header { kind: HELLO, src_session, dst_session, counter: 1000 };
        let Verdict::Challenge(challenge) = a.sessions.accept(s(9), b.addr, &header, MIN_CHALLENGED) else { panic!() };
        assert_eq!((challenge.dst_session, challenge.echo), (src_session, 1000));
        let short = a.sessions.accept(s(9), b.addr, &header, MIN_CHALLENGED - 1);
        assert_eq!(short, Verdict::Rejected(Rejected::Session));
    }
    assert_eq!(a.sessions.suppressed(), 0);
    let stale = b.from(HELLO, own ^ 1, 1000);
    let mut made = |at| (0..2000).filter(|_| matches!(a.hears(at, &b, &stale), Verdict::Challenge(_))).count();
    assert_eq!(made(s(20)), CHALLENGES_PER_SECOND as usize);
    assert_eq!(made(s(20) + Duration::from_millis(100)), CHALLENGES_PER_SECOND as usize / 10);
    assert_eq!(made(s(30)), CHALLENGES_PER_SECOND as usize);
    assert_eq!(a.sessions.suppressed(), 6000 - 2100);
    assert_eq!(a.hears(s(30), &b, &stale), Verdict::Rejected(Rejected::Session));
}

#[test]
fn a_cookie_is_for_its_address_and_session_and_grows_old() {
    let mut b = host(2, 1);
    let mut try_with = |change: fn(&mut Host, &mut Registration), wait| {
        let mut a = host(1, 1);
        let mut register = a.challenged_by(s(0), &mut b);
        change(&mut a, &mut register);
        b.gets_register(s(0) + wait, &a, register)
    };
    let refused = Registering::Rejected(Rejected::Cookie);
    assert_eq!(try_with(|_, register| register.cookie[15] ^= 1, Duration::ZERO), refused);
    assert_eq!(try_with(|a, _| a.addr.set_port(1), Duration::ZERO), refused);
    assert_eq!(try_with(|a, _| a.restart(), Duration::ZERO), refused);
    assert_eq!(try_with(|_, _| (), COOKIE_SECRET * 2), refused);
    assert_eq!(try_with(|_, _| (), COOKIE_SECRET), Registering::Installed(Installed { new: true }));
}

#[test]
fn a_challenge_counts_once_from_the_address_of_the_register_and_not_for_long() {
    let (mut a, mut b, c) = (host(1, 1), host(2, 1), host(3, 1));
    let first = a.sessions.register(s(0), b.addr);
    let Registering::Challenge(challenge) = b.gets_register(s(0), &a, first) else { panic!("no CHALLENGE") };
    let echo = Err(Rejected::Echo);
    assert_eq!(a.gets_challenge(s(0), &c, challenge), echo);
    assert_eq!(a.gets_challenge(s(0), &b, Challenge { echo: challenge.echo + 1, ..challenge }), echo);
    assert_eq!(
        a.gets_challenge(s(0), &b, Challenge { dst_session: challenge.dst_session ^ 1, ..challenge }),
        Err(Rejected::Session)
    );
    assert!(a.gets_challenge(s(0) + ECHO, &b, challenge).is_ok());
    assert_eq!(a.gets_challenge(s(0) + ECHO, &b, challenge), echo);
    let again = a.sessions.register(s(20), b.addr);
    let Registering::Challenge(challenge) = b.gets_register(s(20), &a, again) else { panic!("no CHALLENGE") };
    assert_eq!(a.gets_challenge(s(20) + ECHO + Duration::from_micros(1), &b, challenge), echo);
}

#[test]
fn a_registered_counts_once_from_the_address_and_session_of_the_register() {
    let (mut a, mut b, c) = (host(1, 1), host(2, 1), host(3, 1));
    let Registration { counter, .. } = a.challenged_by(s(0), &mut b);
    let of_b = b.from(REGISTERED, a.sessions.own(), 1);
    let of_c = c.from(REGISTERED, a.sessions.own(), 1);
    let echo = Err(Rejected::Echo);
    assert_eq!(a.gets_registered(s(0), &b, &of_b, counter + 1), echo);
    assert_eq!(a.sessions.handle_registered(s(0), c.addr, &of_b, counter, b.guid, 1), echo);
    assert_eq!(a.sessions.handle_registered(s(0), b.addr, &of_c, counter, c.guid, 1), echo);
    assert_eq!(a.gets_registered(s(6), &b, &of_b, counter), echo);
    let Registration { counter, .. } = a.challenged_by(s(10), &mut b);
    assert_eq!(a.gets_registered(s(10), &b, &of_b, counter), Ok(Installed { new: true }));
    assert_eq!(a.gets_registered(s(10), &b, &of_b, counter), echo);
    assert_eq!(a.sessions.handle_registered(s(0), b.addr, &b.from(3, 5, 1), 1, b.guid, 1), Err(Rejected::Session));
}

#[test]
fn a_peer_that_restarted_is_noticed_by_what_it_says_to_an_ordinary_datagram() {
    let (mut a, mut b) = met();
    b.restart();
    let header = a.says(s(10), &b);
    let Verdict::Challenge(challenge) = b.hears(s(10), &a, &header) else { panic!("no CHALLENGE") };
    assert_eq!(a.gets_challenge(s(10), &host(3, 1), challenge), Err(Rejected::Echo), "from another address");
    assert_eq!(a.gets_challenge(s(16), &b, challenge), Err(Rejected::Echo), "too late");
    let register = a.gets_challenge(s(10), &b, challenge).unwrap();
    assert!(a.sessions.contains(b.guid), "a CHALLENGE removes nothing");
    let header = a.says(s(10), &b);
    let Verdict::Challenge(second) = b.hears(s(10), &a, &header) else { panic!("no CHALLENGE") };
    assert_eq!(a.gets_challenge(s(10), &b, second), Err(Rejected::Echo), "one a second");
    assert!(a.gets_challenge(s(11), &b, second).is_ok());
    a.finishes(s(12), &mut b, register);
}

#[test]
fn a_peer_that_forgot_us_meets_us_again_and_no_counter_comes_twice() {
    let (mut a, mut b) = met();
    let before = (0..50).map(|_| a.says(s(1), &b)).last().unwrap();
    assert!(a.sessions.remove(s(2), b.guid) && b.sessions.remove(s(2), a.guid));
    assert!(!a.sessions.remove(s(2), b.guid));
    let register = a.challenged_by(s(3), &mut b);
    assert!(register.counter > before.counter);
    a.finishes(s(3), &mut b, register);
    assert_eq!(b.hears(s(3), &a, &before), Verdict::Rejected(Rejected::Replay));
    assert!(a.sessions.remove(s(4), b.guid));
    let header = b.says(s(4), &a);
    let Verdict::Challenge(challenge) = a.hears(s(4), &b, &header) else { panic!("no CHALLENGE") };
    let register = b.gets_challenge(s(4), &a, challenge).unwrap();
    b.finishes(s(4), &mut a, register);
}

#[test]
fn the_later_session_of_a_guid_wins_and_a_recording_of_the_earlier_one_loses() {
    let (mut a, mut b) = met();
    let old = a.challenged_by(s(1), &mut b);
    let old_a = host(1, 1);
    a.restart();
    a.meets(s(2), &mut b);
    assert_eq!(b.gets_register(s(3), &old_a, old), Registering::Rejected(Rejected::Order));
    assert!(b.sessions.remove(s(4), a.guid));
    assert_eq!(b.gets_register(s(5), &old_a, old), Registering::Rejected(Rejected::Order), "its tombstone stands");
    assert!(b.sessions.len() == 0);
}

#[test]
fn a_lower_epoch_gets_in_when_the_other_was_silent_for_long() {
    let (mut restored, mut b) = (host(1, 1), host(2, 1));
    host(1, 9).meets(s(0), &mut b);
    let register = restored.challenged_by(s(299), &mut b);
    assert_eq!(b.gets_register(s(299), &restored, register), Registering::Rejected(Rejected::Order));
    restored.meets(s(300), &mut b);
}

#[test]
fn a_handshake_that_lost_a_datagram_goes_on_from_its_challenge() {
    let (mut a, mut b) = (host(1, 1), host(2, 1));
    let lost = a.challenged_by(s(0), &mut b);
    let again = a.sessions.register(s(1), b.addr);
    assert_eq!((again.dst_session, again.cookie, again.counter), (lost.dst_session, lost.cookie, lost.counter + 1));
    a.finishes(s(1), &mut b, again);
    assert_eq!(a.sessions.register(s(2), b.addr).dst_session, 0, "it is used up");
    // Where the other has restarted in between, it asks anew.
    let old = a.challenged_by(s(3), &mut b);
    b.restart();
    let stale = a.sessions.register(s(4), b.addr);
    assert_eq!(stale.dst_session, old.dst_session);
    let Registering::Challenge(challenge) = b.gets_register(s(4), &a, stale) else { panic!("no CHALLENGE") };
    let register = a.gets_challenge(s(4), &b, challenge).unwrap();
    a.finishes(s(4), &mut b, register);
    let long_after = s(4) + FRESH_COOKIE;
    a.challenged_by(s(4), &mut b);
    assert_eq!(a.sessions.register(long_after, b.addr).dst_session, 0);
}

#[test]
fn a_register_is_a_floor_and_the_same_session_renews_only_upwards() {
    let (mut a, mut b) = met();
    let late = a.says(s(1), &b);
    assert!(b.sessions.remove(s(1), a.guid));
    let register = a.challenged_by(s(1), &mut b);
    let ahead = a.says(s(1), &b);
    assert_eq!(b.gets_register(s(1), &a, register), Registering::Installed(Installed { new: true }));
    assert_eq!(b.gets_register(s(1), &a, register), Registering::Rejected(Rejected::Order));
    assert_eq!(b.hears(s(1), &a, &late), Verdict::Rejected(Rejected::Replay));
    assert_eq!(b.hears(s(1), &a, &ahead), Verdict::Accepted(a.guid));
    assert_eq!(b.hears(s(1), &a, &ahead), Verdict::Rejected(Rejected::Replay));
}

#[test]
fn what_was_said_between_two_handshakes_that_cross_is_heard_once() {
    let (mut a, mut b) = met();
    let (said, late) = (a.says(s(1), &b), a.says(s(1), &b));
    assert_eq!(b.hears(s(1), &a, &said), Verdict::Accepted(a.guid));
    let register = a.challenged_by(s(1), &mut b);
    let ahead = a.says(s(1), &b);
    assert_eq!(b.gets_register(s(1), &a, register), Registering::Installed(Installed { new: false }));
    assert_eq!(b.gets_register(s(1), &a, register), Registering::Rejected(Rejected::Order));
    for header in [late, ahead] {
        assert_eq!(b.hears(s(1), &a, &header), Verdict::Accepted(a.guid));
    }
    assert_eq!(b.hears(s(1), &a, &said), Verdict::Rejected(Rejected::Replay));
    assert_eq!(b.hears(s(1), &a, &late), Verdict::Rejected(Rejected::Replay));
    assert_eq!(b.hears(s(1), &a, &ahead), Verdict::Rejected(Rejected::Replay));
}

#[test]
fn a_counter_that_leaps_is_not_believed_before_a_handshake() {
    let (a, mut b) = met();
    let top = a.sessions.table.get(b.sessions.own()).unwrap().sent.last();
    let leap = |by| a.from(HELLO, b.sessions.own(), top + by);
    let (far, near) = (leap(COUNTER_LEAP + 1), leap(COUNTER_LEAP));
    assert!(matches!(b.hears(s(1), &a, &far), Verdict::Challenge(_)));
    assert_eq!(b.hears(s(1), &a, &near), Verdict::Accepted(a.guid));
    assert_eq!(b.hears(s(1), &a, &near), Verdict::Rejected(Rejected::Replay));
}

#[test]
fn a_peer_that_moves_keeps_its_session_and_gets_nothing_there_before_its_cookie() {
    let (mut a, mut b) = met();
    let old = a.addr;
    a.addr = "10.9.9.9:7000".parse().unwrap();
    let header = a.says(s(1), &b);
    let Verdict::Moved(guid, challenge) = b.hears(s(1), &a, &header) else { panic!("not moved") };
    assert_eq!((guid, b.sessions.addr(a.guid)), (a.guid, Some(old)));
    assert_eq!(b.hears(s(1), &a, &header), Verdict::Rejected(Rejected::Replay));
    let short = a.says(s(1), &b);
    assert_eq!(b.sessions.accept(s(1), a.addr, &short, 50), Verdict::Accepted(a.guid), "too short to be challenged");
    assert_eq!(b.sessions.addr(a.guid), Some(old));
    let register = a.gets_challenge(s(1), &b, challenge).unwrap();
    assert_eq!(b.gets_register(s(1), &a, register), Registering::Installed(Installed { new: false }));
    assert_eq!(b.sessions.addr(a.guid), Some(a.addr));
    b.talks(s(2), &mut a);
    b.sessions.check();
}

#[test]
fn a_register_to_another_address_of_a_peer_is_above_all_that_it_saw() {
    let (mut a, mut b) = met();
    (0..100).for_each(|_| a.talks(s(1), &mut b));
    b.addr = "10.9.9.9:7000".parse().unwrap();
    let register = a.challenged_by(s(2), &mut b);
    assert_eq!(b.gets_register(s(2), &a, register), Registering::Installed(Installed { new: false }));
    // REGISTERED is lost, and still we are understood.
    a.talks(s(3), &mut b);
}

#[test]
fn of_two_copies_the_later_one_takes_a_new_name() {
    let (mut a, mut copy) = (host(1, 5), host(1, 5));
    copy.sessions = Sessions::new(copy.guid, 6, seed(8, 8));
    copy.addr = "10.9.9.9:7000".parse().unwrap();
    let register = a.challenged_by(s(0), &mut copy);
    assert_eq!(copy.gets_register(s(0), &a, register), Registering::Rejected(Rejected::Order));
    let register = copy.challenged_by(s(0), &mut a);
    assert_eq!(a.gets_register(s(0), &copy, register), Registering::Clone);
    let (old, mut b) = (a.sessions.own(), host(2, 1));
    a.meets(s(1), &mut b);
    (a.guid, a.sessions.lacking) = (guid(7), None);
    a.sessions.renew(a.guid, 7);
    assert!(a.sessions.len() == 0 && a.sessions.own() != old && a.sessions.epoch() == 7);
    a.meets(s(2), &mut b);
    copy.meets(s(2), &mut a);
}

#[test]
fn nobody_takes_the_session_of_another() {
    let (a, mut b) = met();
    let mut thief = host(3, 9);
    thief.sessions.own = a.sessions.own();
    let register = thief.challenged_by(s(1), &mut b);
    assert_eq!(b.gets_register(s(1), &thief, register), Registering::Rejected(Rejected::Session));
    (thief.sessions.own, thief.sessions.jar) = (0, Jar::default());
    let register = thief.challenged_by(s(1), &mut b);
    assert_eq!(b.gets_register(s(1), &thief, register), Registering::Rejected(Rejected::Session));
}

#[test]
fn one_address_has_so_many_sessions_and_its_most_silent_one_goes() {
    let mut b = host(2, 1);
    host(3, 1).meets(s(0), &mut b);
    let mut crowd: Vec<Host> = (100..=100 + SESSIONS_PER_ADDRESS as u32).map(|n| host(n, 1)).collect();
    for (port, a) in crowd.iter_mut().enumerate() {
        a.addr = ([10, 1, 1, 1], 1000 + port as u16).into();
    }
    let (last, others) = crowd.split_last_mut().unwrap();
    for (second, a) in others.iter_mut().enumerate() {
        a.meets(s(1 + second as u64), &mut b);
    }
    others[0].talks(s(200), &mut b);
    last.meets(s(201), &mut b);
    assert_eq!(b.sessions.len(), 1 + SESSIONS_PER_ADDRESS);
    assert!(
        b.sessions.contains(guid(3)) && b.sessions.contains(others[0].guid) && !b.sessions.contains(others[1].guid)
    );
}

#[test]
fn a_full_table_evicts_the_most_silent_while_tombstones_are_free() {
    let mut b = host(2, 1);
    let mut now = s(0);
    let arrive = |b: &mut Host, n: u32, now| {
        let mut a = host(n, 1);
        let register = a.challenged_by(now, b);
        (b.gets_register(now, &a, register), a)
    };
    for n in 0..SESSIONS as u32 {
        now = now + Duration::from_millis(2);
        assert_eq!(arrive(&mut b, 100 + n, now).0, Registering::Installed(Installed { new: true }));
    }
    let full = now + Duration::from_secs(2);
    let first = b.sessions.table.session(guid(100)).unwrap();
    let header = Header { kind: HELLO, src_session: first, dst_session: b.sessions.own(), counter: 99 };
    assert_eq!(b.sessions.accept(full, host(100, 1).addr, &header, LEN), Verdict::Accepted(guid(100)));
    for n in 0..TOMBSTONES as u32 {
        assert_eq!(
            arrive(&mut b, 1 << 20 | n, full + Duration::from_millis(2) * n).0,
            Registering::Installed(Installed { new: true })
        );
    }
    b.sessions.check();
    assert!(b.sessions.contains(guid(100)), "it spoke lately");
    assert!(!b.sessions.contains(guid(101)) && !b.sessions.contains(guid(100 + TOMBSTONES as u32)));
    assert!(b.sessions.contains(guid(101 + TOMBSTONES as u32)));
    let later = s(100);
    assert_eq!(arrive(&mut b, 2 << 20, later).0, Registering::Rejected(Rejected::Full));
    assert!(!b.sessions.remove(later, guid(100)), "no tombstone for it");
    assert!(b.sessions.contains(guid(100)));
    assert_eq!(b.sessions.len(), SESSIONS);
    assert_eq!(
        arrive(&mut b, 101, later).0,
        Registering::Rejected(Rejected::Order),
        "the buried one, in an old recording"
    );
    assert_eq!(arrive(&mut b, 2 << 20, full + TOMBSTONE).0, Registering::Installed(Installed { new: true }));
    b.sessions.check();
}
