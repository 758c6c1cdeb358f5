//! [`Hints`]: addresses that are registered with and have not answered: seeds, for ever, and what others name, a few
//! times. A node that enough others name counts as a peer though it was not met yet.

use super::marks::Marks;
use super::plain::Plain;
use crate::proto::gossip::Guid;
use crate::proto::limits::{HINTS, HINTS_PER_TELLER, HINTS_PER_TURN, VOUCHES};
use crate::proto::time::Tick;
use crate::proto::unordered::Unordered;
use rand::{Rng, RngExt};
use siphasher::sip::SipHasher24;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

/// REGISTERs to an address that was only named to us.
const TRIES: u8 = 7;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const MOST_RETRY: Duration = Duration::from_secs(30);
/// A seed is looked for more often: one that starts late shall not be met much later.
const MOST_SEED_RETRY: Duration = Duration::from_secs(5);
/// Who is named is left to be named by others too, before it is tried: pages are asked of several peers at once.
const DELAY: (u64, u64) = (1000, 3000);
/// The longer, the more are waiting for that: where thousands join at once, they are named sooner than they are tried.
const DELAY_PER_HINT: Duration = Duration::from_millis(3);
/// Between two turns in which hints are tried.
const TURN: Duration = Duration::from_millis(20);

/// What is known of an address to try.
#[derive(Clone, Copy, Debug, Default)]
struct Hint {
    /// Who is there, where somebody said so or it was met, and the marks of the addresses of those who said it.
    guid: Option<Guid>,
    tellers: Marks<VOUCHES>,
    /// On whose account it is; nobody's: this node's user.
    account: Option<Account>,
    seed: bool,
    tries: u8,
    at: Tick,
}

/// A teller's hash: two that share one share what room there is for each.
type Account = u32;

fn account(teller: &Guid) -> Account {
    SipHasher24::new().hash(&teller.0) as u32
}

// With their addresses 4,096 places are 320 KiB.
const _: () = assert!(size_of::<(Plain, Hint)>() <= 80);

/// Hints by address, and when each is due.
#[derive(Debug, Default)]
pub(super) struct Hints {
    hints: Unordered<Plain, Hint>,
    /// The soonest first. One of another time than the hint's own is out of date: most who are named are met, or named
    /// again, long before they are due.
    due: BinaryHeap<Reverse<(Tick, Plain)>>,
    accounts: BTreeMap<Account, u32>,
    turn: Tick,
}

impl Hints {
    /// The user names an address, or the seed that it is.
    pub(super) fn ask(&mut self, now: Tick, addr: SocketAddr, seed: bool) {
        let addr = Plain::new(addr);
        let before = self.remove(&addr);
        let seed = seed || before.is_some_and(|hint| hint.seed);
        self.insert(addr, Hint { seed, at: now, ..Hint::default() });
        self.turn = self.turn.min(now);
    }

    /// A peer at `from` names a node; it is tried from `at` on. Returns how many have named it so far, or none where no
    /// room is left for it.
    pub(super) fn tell(
        &mut self,
        at: Tick,
        addr: SocketAddr,
        guid: Option<Guid>,
        teller: Guid,
        from: SocketAddr,
    ) -> Option<usize> {
        let (addr, from) = (Plain::new(addr), Plain::new(from).mark());
        if let Some(hint) = self.hints.get_mut(&addr) {
            hint.guid = hint.guid.or(guid);
            if hint.guid != guid {
                return None;
            }
            hint.tellers.insert(from);
            return Some(hint.tellers.len());
        }
        let account = account(&teller);
        let told = self.accounts.get(&account).copied().unwrap_or_default();
        if self.hints.len() >= HINTS || told as usize >= HINTS_PER_TELLER {
            return None;
        }
        let mut hint = Hint { guid, account: Some(account), at, ..Hint::default() };
        hint.tellers.insert(from);
        self.insert(addr, hint);
        Some(1)
    }

    /// This one answers there: no more to be tried, but a seed stays one.
    pub(super) fn settle(&mut self, addr: &SocketAddr, guid: Guid) {
        let addr = Plain::new(*addr);
        match self.hints.get_mut(&addr) {
            Some(hint) if hint.seed => hint.guid = Some(guid),
            Some(_) => drop(self.remove(&addr)),
            None => {}
        }
    }

    /// The user takes back that there is a seed.
    pub(super) fn dismiss(&mut self, addr: &SocketAddr) {
        let addr = Plain::new(*addr);
        if self.hints.get(&addr).is_some_and(|hint| hint.seed) {
            self.remove(&addr);
        }
    }

    /// Addresses to try now, but for seeds at which one `is_live`. What was tried often enough goes.
    pub(super) fn due(&mut self, now: Tick, is_live: impl Fn(&Guid, &SocketAddr) -> bool) -> Vec<SocketAddr> {
        let mut due = Vec::new();
        if self.turn > now {
            return due;
        }
        while due.len() < HINTS_PER_TURN
            && let Some(&Reverse((at, addr))) = self.due.peek().filter(|Reverse((at, _))| *at <= now)
        {
            self.due.pop();
            let Some(hint) = self.hints.get_mut(&addr).filter(|hint| hint.at == at) else { continue };
            let to = addr.addr();
            // A user's REGISTER is sent even to a peer that is met; a seed rests while it is.
            if !(hint.seed && hint.tries > 0 && hint.guid.is_some_and(|guid| is_live(&guid, &to))) {
                due.push(to);
            }
            let most = if hint.seed { MOST_SEED_RETRY } else { MOST_RETRY };
            hint.at = now + (FIRST_RETRY * (1 << hint.tries.min(8))).min(most);
            hint.tries = hint.tries.saturating_add(1);
            if hint.seed || hint.tries < TRIES {
                self.due.push(Reverse((hint.at, addr)));
            } else {
                self.remove(&addr);
            }
        }
        self.turn = if due.len() < HINTS_PER_TURN { now } else { now + TURN };
        due
    }

    /// When that is next, or sooner.
    pub(super) fn next(&self) -> Tick {
        self.due.peek().map_or(Tick::NEVER, |Reverse((at, _))| (*at).max(self.turn))
    }

    /// How long one that is named from now on waits until it is tried.
    pub(super) fn delay(&self, rng: &mut impl Rng) -> Duration {
        let (least, most) = DELAY;
        Duration::from_millis(rng.random_range(least..most)) + DELAY_PER_HINT * self.hints.len() as u32
    }

    pub(super) fn check(&self) {
        let due: BTreeSet<(Tick, Plain)> = self.due.iter().map(|Reverse(due)| *due).collect();
        let hints = self.hints.sorted();
        assert!(hints.iter().all(|(addr, hint)| due.contains(&(hint.at, *addr))));
        assert!(self.due.len() <= most_due(hints.len()));
        let told = hints.iter().filter(|(_, hint)| hint.account.is_some()).count();
        assert!(told <= HINTS && told == self.accounts.values().sum::<u32>() as usize);
        assert!(self.accounts.values().all(|&hints| 0 < hints && hints as usize <= HINTS_PER_TELLER));
    }

    fn insert(&mut self, addr: Plain, hint: Hint) {
        if let Some(account) = hint.account {
            *self.accounts.entry(account).or_default() += 1;
        }
        self.due.push(Reverse((hint.at, addr)));
        self.hints.insert(addr, hint);
        self.tidy();
    }

    fn remove(&mut self, addr: &Plain) -> Option<Hint> {
        let hint = self.hints.remove(addr)?;
        if let Some(account) = hint.account
            && let Some(hints) = self.accounts.get_mut(&account)
        {
            *hints -= 1;
            if *hints == 0 {
                self.accounts.remove(&account);
            }
        }
        // There were thousands, where thousands joined at once.
        if self.hints.len() <= self.hints.capacity() / 4 {
            self.hints.shrink_to(self.hints.len() * 2);
        }
        self.tidy();
        Some(hint)
    }

    /// Drops times that are out of date, or stand there twice, where they are many, or nobody is to be woken for them.
    fn tidy(&mut self) {
        let Hints { hints, due, .. } = self;
        if hints.is_empty() || due.len() > most_due(hints.len()) {
            let mut times = std::mem::take(due).into_vec();
            times.retain(|Reverse((at, addr))| hints.get(addr).is_some_and(|hint| hint.at == *at));
            times.sort_unstable();
            times.dedup();
            times.shrink_to(2 * hints.len());
            *due = times.into();
        }
    }
}

/// How many times are kept, those that are out of date among them, where there are so many hints.
fn most_due(hints: usize) -> usize {
    hints + hints / 2 + 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const TELLER: Guid = Guid([1; 16]);

    fn addr(n: u32) -> SocketAddr {
        SocketAddr::from((n.to_be_bytes(), 7000))
    }

    #[test]
    fn hints_are_bounded_by_teller_and_in_all() {
        let mut hints = Hints::default();
        for teller in 0..100 {
            for n in 0..200 {
                let kept = hints.tell(Tick(0), addr(1000 * teller + n), None, Guid([teller as u8; 16]), addr(teller));
                assert_eq!(kept.is_some(), n < HINTS_PER_TELLER as u32 && teller < (HINTS / HINTS_PER_TELLER) as u32);
            }
        }
        hints.check();
        let (mut tried, mut now) = (0, Tick(0));
        while hints.next() != Tick::NEVER {
            now = now.max(hints.next());
            tried += hints.due(now, |_, _| false).len();
            hints.check();
        }
        assert_eq!(tried, HINTS * usize::from(TRIES));
    }

    #[test]
    fn whatever_goes_the_others_are_found_where_they_are() {
        let mut hints = Hints::default();
        for n in 0..100 {
            hints.tell(Tick(u64::from(n % 7)), addr(n), Some(Guid([n as u8; 16])), TELLER, addr(1));
        }
        for n in (0..100).filter(|n| n % 3 > 0) {
            hints.settle(&addr(n), Guid([n as u8; 16]));
            hints.check();
        }
        let mut left: Vec<SocketAddr> = hints.due(Tick(6), |_, _| false);
        left.sort_unstable();
        assert_eq!(left, (0..100).step_by(3).map(addr).collect::<Vec<_>>());
        (0..100).for_each(|n| hints.settle(&addr(n), Guid([n as u8; 16])));
        hints.check();
        assert_eq!(
            (hints.hints.capacity(), hints.due.capacity(), hints.next()),
            (0, 0, Tick::NEVER),
            "thousands leave no room behind"
        );
    }

    #[test]
    fn who_asks_again_and_again_at_one_time_leaves_one_time_behind() {
        let mut hints = Hints::default();
        hints.ask(Tick(0), addr(1), true);
        for _ in 0..200 {
            hints.ask(Tick(5), addr(2), false);
            hints.check();
        }
        assert_eq!(hints.due(Tick(5), |_, _| false), [addr(1), addr(2)]);
    }

    #[test]
    fn a_seed_is_tried_for_ever_and_rests_while_it_is_met() {
        let mut hints = Hints::default();
        hints.ask(Tick(0), addr(1), true);
        let mut now = Tick(0);
        for _ in 0..50 {
            now = hints.next();
            assert_eq!(hints.due(now, |_, _| false).len(), 1);
        }
        let met = Guid([1; 16]);
        hints.settle(&addr(1), met);
        let is_met = |guid: &Guid, at: &SocketAddr| (guid, at) == (&met, &addr(1));
        assert_eq!(hints.due(now + MOST_SEED_RETRY, is_met), []);
        now = hints.next();
        assert_eq!(hints.due(now, |_, _| false), [addr(1)], "it is not there any more");
        assert!(hints.next() <= now + MOST_SEED_RETRY);
    }

    #[test]
    fn a_seed_that_is_taken_back_is_tried_no_more_and_what_others_name_is() {
        let mut hints = Hints::default();
        hints.ask(Tick(0), addr(1), true);
        hints.tell(Tick(0), addr(2), None, Guid([1; 16]), addr(9));
        hints.due(Tick(0), |_, _| false);
        hints.dismiss(&addr(1));
        hints.dismiss(&addr(2));
        hints.check();
        assert_eq!(hints.due(Tick(60_000_000), |_, _| false), [addr(2)]);
    }

    #[test]
    fn three_tellers_are_three_only_from_three_addresses_for_one_guid() {
        let mut hints = Hints::default();
        let mut tell =
            |guid: u8, from: u32| hints.tell(Tick(0), addr(9), Some(Guid([guid; 16])), Guid([1; 16]), addr(from));
        assert_eq!(
            [tell(5, 1), tell(5, 1), tell(6, 2), tell(5, 2), tell(5, 3)],
            [Some(1), Some(1), None, Some(2), Some(3)]
        );
    }
}
