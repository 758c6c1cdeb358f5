//! [`Peers`]: whom we know, and how each is doing. It decides whom to greet and with whom to register; who may talk at
//! all is for `session`.
//!
//! Each round, one HELLO probes a peer (oldest first) and, where ledgers differ, up to GOSSIP_MAX_PEER_COUNT peers are
//! greeted. A probe that stays silent is repeated; after [`PROBES`] silences the peer is unreachable and is registered
//! with again, at growing intervals, for ever. Addresses that others name are *hints*: registered with a few times
//! before they count.

mod peer;

pub use peer::{Explanation, PROBES, Peer, Reach, Reason};

use crate::proto::fact::PeerFact;
use crate::proto::gossip::Guid;
use crate::proto::limits::{
    CARDS, DATAGRAMS_PER_PEER, HINTS, HINTS_PER_TELLER, MAX_NAME, MIN_MAX_BODY, NETWORKS, PEERS,
};
use crate::proto::ring::{Range, place};
use crate::proto::rtt::Rtt;
use crate::proto::settings::{PeerSelect, Settings};
use crate::proto::time::{Tick, Timestamp};
use crate::proto::wire::{Address, Card, CardPage, Hello, LedgerState, List, ListState, Name};
use peer::{MOST_RETRY, Probe, Retry};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siphasher::sip::SipHasher24;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// REGISTERs to an address that was only named to us.
const HINT_TRIES: u32 = 6;
/// A HELLO is answered within this time or counts as lost.
const STAMP: Duration = Duration::from_secs(10);
/// Bytes of a HELLO around its cards, with all the names of networks that it may have.
const HELLO_FRAME: usize = Hello::EMPTY + 16 + CardPage::EMPTY + NETWORKS * (2 + MAX_NAME);

struct Hint {
    teller: Option<Guid>,
    seed: bool,
    retry: Retry,
}

/// Something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A first REGISTER to this address.
    Register(SocketAddr),
    /// A HELLO to this peer.
    Hello(Guid),
}

/// All nodes that we know.
pub struct Peers {
    me: Guid,
    timer: Duration,
    most: usize,
    select: PeerSelect,
    peers: BTreeMap<Guid, Peer>,
    hints: BTreeMap<SocketAddr, Hint>,
    errands: VecDeque<Errand>,
    next_round: Tick,
    rng: ChaCha8Rng,
}

impl Peers {
    /// Nobody known yet.
    pub fn new(settings: &Settings, seed: [u8; 32], now: Tick) -> Peers {
        let (peers, hints, errands) = Default::default();
        Peers {
            me: settings.guid,
            timer: settings.gossip_timer,
            most: settings.gossip_max_peer_count.max(1),
            select: settings.peer_select,
            peers,
            hints,
            errands,
            next_round: now + settings.gossip_timer,
            rng: ChaCha8Rng::from_seed(seed),
        }
    }

    /// This node took another GUID.
    pub fn rename(&mut self, me: Guid) {
        self.me = me;
        self.peers.remove(&me);
    }

    /// A peer met before the last start.
    pub fn restore(&mut self, now: Tick, fact: PeerFact) {
        if fact.guid == self.me || self.peers.len() >= PEERS {
            return;
        }
        let mut peer = Peer::new(fact.name, fact.addr, now);
        (peer.reach, peer.reason, peer.remembered) = (Reach::Unreachable, Reason::Remembered, fact.last_update);
        self.peers.insert(fact.guid, peer);
    }

    /// Registers with this address: a few times, or for ever where it is a seed.
    pub fn hint(&mut self, now: Tick, addr: SocketAddr, teller: Option<Guid>, seed: bool) {
        let retry = Retry { at: now, tries: 0 };
        if teller.is_some() {
            let of_teller = self.hints.values().filter(|hint| hint.teller == teller).count();
            let full = self.hints.len() >= HINTS || of_teller >= HINTS_PER_TELLER;
            if full || !is_fit(addr) || self.hints.contains_key(&addr) {
                return;
            }
        } else if let Some(hint) = self.hints.get_mut(&addr) {
            (hint.seed, hint.retry) = (hint.seed | seed, retry);
            return;
        }
        self.hints.insert(addr, Hint { teller, seed, retry });
    }

    /// A session with this peer was opened. Returns what to remember of it, and who is gone for it.
    pub fn met(
        &mut self,
        now: Tick,
        guid: Guid,
        name: &str,
        addr: SocketAddr,
        at: Timestamp,
    ) -> (Option<PeerFact>, Vec<Guid>) {
        let mut gone = Vec::new();
        if !self.peers.contains_key(&guid) && self.peers.len() >= PEERS {
            let stranger = self.peers.iter().find(|(_, peer)| matches!(peer.reach, Reach::Unreachable | Reach::Left));
            let Some((&stranger, _)) = stranger else { return (None, gone) };
            self.peers.remove(&stranger);
            gone.push(stranger);
        }
        if self.hints.get(&addr).is_some_and(|hint| !hint.seed) {
            self.hints.remove(&addr);
        }
        // Two GUIDs at one address: the older one is no longer there.
        for (&stale, other) in self.peers.iter_mut().filter(|(other, peer)| **other != guid && peer.addr == addr) {
            gone.push(stale);
            (other.reach, other.reason) = (Reach::Left, Reason::Goodbye(false));
        }
        let peer = self.peers.entry(guid).or_insert_with(|| Peer::new(name.into(), addr, now));
        (peer.name, peer.addr, peer.met) = (name.into(), addr, Some(now));
        peer.heard(now);
        (Some(PeerFact { guid, name: name.into(), addr, last_update: at }), gone)
    }

    /// An authentic datagram came from this peer. False if it sends too many and this one is to be dropped.
    pub fn heard(&mut self, now: Tick, guid: &Guid) -> bool {
        let Some(peer) = self.peers.get_mut(guid) else { return false };
        peer.heard(now);
        let second = now.0 / 1_000_000;
        peer.second = if peer.second.0 == second { (second, peer.second.1.saturating_add(1)) } else { (second, 1) };
        peer.second.1 <= DATAGRAMS_PER_PEER
    }

    /// It answered a HELLO that left at `sent`, by our clock.
    pub fn answered(&mut self, now: Tick, guid: &Guid, sent: Tick) {
        let Some(peer) = self.peers.get_mut(guid) else { return };
        peer.probe = None;
        // Any HELLO will do, as each carries its own stamp; a stamp of long ago is none of ours.
        if sent <= now && now.since(sent) < STAMP {
            peer.rtt.sample(now.since(sent));
        }
    }

    /// It said what it holds.
    pub fn holds(&mut self, guid: &Guid, state: LedgerState) {
        if let Some(peer) = self.peers.get_mut(guid) {
            peer.state = Some(state);
        }
    }

    /// It said in which other networks it is.
    pub fn belongs(&mut self, guid: &Guid, networks: &[Name]) {
        if let Some(peer) = self.peers.get_mut(guid) {
            peer.networks = networks.iter().map(|name| name.as_str().into()).collect();
        }
    }

    /// It said goodbye.
    pub fn left(&mut self, now: Tick, guid: &Guid, restarting: bool) {
        if let Some(peer) = self.peers.get_mut(guid) {
            (peer.reach, peer.reason, peer.probe) = (Reach::Left, Reason::Goodbye(restarting), None);
            peer.retry = Retry { at: now + MOST_RETRY, tries: 8 };
        }
    }

    /// Peers named by another peer: those we do not reach become hints. Our own GUID is named to us only where a copy
    /// of this node lives.
    pub fn told(&mut self, now: Tick, teller: Guid, cards: &[Card]) {
        let local = self.peers.get(&teller).is_some_and(|peer| peer.addr.ip().is_loopback());
        for card in cards {
            let Address(addr) = card.addr;
            let known = self.peers.get(&card.guid).is_some_and(|peer| peer.reach.answers() || peer.addr == addr);
            if !known && (local || !addr.ip().is_loopback()) {
                self.hint(now, addr, Some(teller), false);
            }
        }
    }

    /// The nodes that we reach in a part of the ring, as many as fit a HELLO; but not the one whom it is for.
    pub fn cards(&self, to: Guid, range: Range) -> CardPage {
        let answering = self.peers.iter().filter(|(guid, peer)| **guid != to && peer.reach.answers());
        let mut cards: Vec<(u64, Card)> = answering
            .filter_map(|(&guid, peer)| {
                Some((
                    place(&guid),
                    Card { guid, addr: Address(peer.addr), incarnation: 0, name: Name::new(&peer.name)? },
                ))
            })
            .filter(|(place, _)| range.contains(*place))
            .collect();
        cards.sort_by_key(|(place, _)| place.wrapping_sub(range.from));
        let mut room = MIN_MAX_BODY - HELLO_FRAME;
        let (mut page, mut end) = (Vec::new(), range.to);
        for (place, card) in cards {
            let size = Card::size(card.name.as_str().len());
            if size > room || page.len() == CARDS {
                end = place;
                break;
            }
            room -= size;
            page.push(card);
        }
        CardPage { range: Range { from: range.from, to: end }, cards: List::new(page) }
    }

    /// Equal where two nodes reach the same nodes, themselves included.
    pub fn list(&self) -> ListState {
        let answering = self.peers.iter().filter(|(_, peer)| peer.reach.answers()).map(|(guid, _)| guid);
        answering.chain([&self.me]).fold(ListState::default(), |list, guid| {
            let mut hasher = SipHasher24::new();
            hasher.write(&guid.0);
            ListState { count: list.count + 1, hash: list.hash.wrapping_add(hasher.finish()) }
        })
    }

    /// The live peers in a part of the ring, in its order.
    pub fn ring(&self, range: Range) -> impl Iterator<Item = (u64, Guid)> {
        let mut live: Vec<(u64, Guid)> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.reach.answers())
            .map(|(guid, _)| (place(guid), *guid))
            .filter(|(place, _)| range.contains(*place))
            .collect();
        live.sort_by_key(|(place, _)| place.wrapping_sub(range.from));
        live.into_iter()
    }

    /// How many peers are live.
    pub fn live(&self) -> usize {
        self.peers.values().filter(|peer| peer.reach.answers()).count()
    }

    /// A random live peer.
    pub fn random(&mut self) -> Option<Guid> {
        let live: Vec<Guid> =
            self.peers.iter().filter(|(_, peer)| peer.reach.answers()).map(|(guid, _)| *guid).collect();
        (!live.is_empty()).then(|| live[self.rng.random_range(0..live.len())])
    }

    /// Where a peer is reached.
    pub fn addr(&self, guid: &Guid) -> Option<SocketAddr> {
        self.peers.get(guid).map(|peer| peer.addr)
    }

    /// Round-trip times to a peer.
    pub fn rtt(&self, guid: &Guid) -> Rtt {
        self.peers.get(guid).map(|peer| peer.rtt).unwrap_or_default()
    }

    /// All that we know, by GUID.
    pub fn iter(&self) -> impl Iterator<Item = (&Guid, &Peer)> {
        self.peers.iter()
    }

    /// One of them.
    pub fn peer(&self, guid: &Guid) -> Option<&Peer> {
        self.peers.get(guid)
    }

    /// Why a peer is in its state.
    pub fn explain(&self, guid: &Guid) -> Option<Explanation> {
        let peer = self.peers.get(guid)?;
        let (since, evidence, next) = Default::default();
        Some(Explanation { reach: peer.reach, since, reason: peer.reason, evidence, next })
    }

    /// The next thing to send.
    pub fn poll_errand(&mut self) -> Option<Errand> {
        self.errands.pop_front()
    }

    /// Counts silences, registers again, and holds the round where it is due. Returns who became unreachable.
    pub fn handle_timeout(&mut self, now: Tick, ours: LedgerState) -> Vec<Guid> {
        let mut gone = Vec::new();
        for (&guid, peer) in &mut self.peers {
            if peer.probe.is_some_and(|probe| probe.deadline <= now) {
                if peer.missed(now) {
                    self.errands.push_back(Errand::Hello(guid));
                } else {
                    gone.push(guid);
                }
            } else if !peer.reach.answers() && peer.retry.at <= now {
                peer.retry.again(now);
                self.errands.push_back(Errand::Register(peer.addr));
            }
        }
        let met: Vec<SocketAddr> =
            self.peers.values().filter(|peer| peer.reach.answers()).map(|peer| peer.addr).collect();
        self.hints.retain(|&addr, hint| {
            if hint.retry.at <= now {
                // A user's REGISTER is sent even to a peer that is met; a seed rests while it is.
                if !(hint.seed && hint.retry.tries > 0 && met.contains(&addr)) {
                    self.errands.push_back(Errand::Register(addr));
                }
                hint.retry.again(now);
            }
            hint.seed || hint.retry.tries <= HINT_TRIES
        });
        if self.next_round <= now {
            // The jitter keeps the rounds of nodes that started together apart.
            self.next_round = now + self.timer.mul_f64(self.rng.random_range(0.9..1.1));
            self.hold_round(now, ours);
        }
        gone
    }

    /// When that is next.
    pub fn poll_timeout(&self) -> Tick {
        let probes = self.peers.values().filter_map(|peer| match peer.probe {
            Some(probe) => Some(probe.deadline),
            None if !peer.reach.answers() => Some(peer.retry.at),
            None => None,
        });
        let hints = self.hints.values().map(|hint| hint.retry.at);
        probes.chain(hints).min().unwrap_or(Tick::NEVER).min(self.next_round)
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        assert!(self.peers.len() <= PEERS && !self.peers.contains_key(&self.me));
    }

    fn hold_round(&mut self, now: Tick, ours: LedgerState) {
        let mut free: Vec<(Tick, Guid, bool)> = Vec::new();
        for (&guid, peer) in self.peers.iter().filter(|(_, peer)| peer.reach.answers() && peer.probe.is_none()) {
            free.push((peer.probed, guid, peer.state == Some(ours)));
        }
        match self.select {
            PeerSelect::Random => free.shuffle(&mut self.rng),
            PeerSelect::OldestFirst => free.sort(),
            PeerSelect::Both => {
                free.sort();
                if let Some((_, rest)) = free.split_first_mut() {
                    rest.shuffle(&mut self.rng);
                }
            }
        }
        let mut free = free.into_iter();
        let probe = free.next();
        let others = free.filter(|&(_, _, in_sync)| !in_sync).take(self.most - 1);
        for (_, guid, _) in probe.into_iter().chain(others) {
            if let Some(peer) = self.peers.get_mut(&guid) {
                peer.probed = now;
                peer.probe = Some(Probe { deadline: now + peer.patience(0), silences: 0 });
                self.errands.push_back(Errand::Hello(guid));
            }
        }
    }
}

/// Whether an address that somebody named may be sent to at all.
fn is_fit(addr: SocketAddr) -> bool {
    let broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() >= 1024 && !addr.ip().is_unspecified() && !addr.ip().is_multicast() && !broadcast
}
