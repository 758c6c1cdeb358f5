//! [`Node`]: one daemon in one network. It wires the parts together and does no more: what a datagram, a command or a
//! timer means is in the parts.

mod accepting;
mod adjusting;
mod answers;
mod beyond;
mod greeting;
mod keys;
mod knowing;
mod leaving;
mod making;
mod retaining;
mod sending;
mod spreading;
mod taking;

use crate::proto::beyond::Beyond;
use crate::proto::fact::{Fact, PeerFact, Receipt, Restored};
use crate::proto::fetches::Fetches;
use crate::proto::gossip::{Draft, Gossip, Guid, Head, Invalid, Kind};
use crate::proto::ledger::Ledger;
use crate::proto::limits::OUTBOX;
use crate::proto::peers::Peers;
use crate::proto::pings::Pings;
use crate::proto::receipts::Receipts;
use crate::proto::repairs::Repairs;
use crate::proto::retention::Retention;
use crate::proto::rumors::Rumors;
use crate::proto::seal::KeyId;
use crate::proto::session::Sessions;
use crate::proto::settings::Settings;
use crate::proto::stats::{Rejected, Stats};
use crate::proto::time::{Tick, Timestamp};
use crate::proto::versions::Versions;
use crate::proto::wire::{Claim, Message, Name};
use answers::Answers;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use retaining::Upkeep;
use sending::To;
pub use sending::Transmit;
pub use spreading::Spread;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the disk is left alone after it refused something.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// When [`Node::handle_timeout`] is due, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at: Tick,
    /// Which part asked for it.
    pub why: &'static str,
}

/// One daemon in one network, without clock, socket, disk or randomness of its own.
///
/// - Views: [`peers`](Node::peers), [`ledger`](Node::ledger), [`stats`](Node::stats), [`settings`](Node::settings), ...
/// - The world comes in: [`handle_datagram`](Node::handle_datagram), [`handle_timeout`](Node::handle_timeout),
///   [`handle_receipt`](Node::handle_receipt), [`handle_loaded`](Node::handle_loaded).
/// - The user comes in: [`author`](Node::author) then [`learn`](Node::learn), [`register`](Node::register),
///   [`leave`](Node::leave).
/// - What it wants done: [`poll_fact`](Node::poll_fact), [`poll_transmit`](Node::poll_transmit),
///   [`poll_timeout`](Node::poll_timeout).
///
/// **After every `&mut` call: drain the facts, then the datagrams, then sleep until the wake-up.**
/// [`crate::effects::settle`] does that.
pub struct Node {
    settings: Settings,
    name: Name,
    sessions: Sessions,
    peers: Peers,
    ledger: Ledger,
    repairs: Repairs,
    fetches: Fetches,
    rumors: Rumors,
    receipts: Receipts,
    pings: Pings,
    retention: Retention,
    versions: Versions,
    beyond: Beyond,
    answers: Answers,
    outbox: VecDeque<(To, Message)>,
    facts: VecDeque<Fact>,
    stats: Stats,
    rng: ChaCha8Rng,
    last_authored: Timestamp,
    seen_at: Option<SocketAddr>,
    last_digest: Option<Tick>,
    /// Before that, nobody is told of copies of other nodes.
    next_copy: Tick,
    upkeep: Upkeep,
    /// The primary to be, as soon as its sketch is whole.
    next_key: Option<KeyId>,
    next_build: Tick,
    leaving: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("settings", &self.settings)
            .field("ledger", &self.ledger)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A node that knows nothing yet. The seed must never be used twice.
    ///
    /// # Panics
    /// If the node's name is none by [`crate::proto::gossip::check_name`].
    pub fn new(settings: Settings, seed: [u8; 32], now: Tick) -> Node {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut seed = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let (sessions, peers, rumors) = (seed(), seed(), seed());
        let mut ledger = Ledger::new(settings.keys.primary());
        settings.keys.iter().skip(1).for_each(|key| ledger.begin(key));
        let (repairs, fetches, receipts, beyond, pings, answers, outbox, facts, stats, last_authored, seen_at) =
            Default::default();
        let (retention, upkeep) = (Retention::default(), Upkeep::new(now, settings.started));
        Node {
            name: Name::new(&settings.node_name).expect("a node's name is checked where it is configured"),
            sessions: Sessions::new(settings.guid, settings.epoch, sessions),
            peers: Peers::new(&settings, peers, now),
            ledger,
            repairs,
            rumors: Rumors::new(&settings, rumors, now),
            settings,
            fetches,
            receipts,
            pings,
            retention,
            versions: Versions::default(),
            beyond,
            answers,
            outbox,
            facts,
            stats,
            rng,
            last_authored,
            seen_at,
            last_digest: None,
            next_copy: Tick(0),
            upkeep,
            next_key: None,
            next_build: now,
            leaving: false,
        }
    }

    /// Takes in what the disk knew; before the first `handle_*`.
    pub fn restore(&mut self, now: Tick, restored: Restored) {
        match restored {
            Restored::Held(line) => self.restore_held(now, line),
            Restored::Gone(key, left, until) => {
                self.retention.gone.restore(key, left, until, self.retention.horizon());
            }
            Restored::Silence(guid, silence) => self.retention.silences.restore(guid, silence),
            Restored::Partial { head, list, pieces } => {
                self.facts.extend(self.fetches.restore(head, list, &pieces));
            }
            Restored::Peer(fact) => self.peers.restore(now, fact),
        }
    }

    /// Lists nodes, each in its incarnation, as if others had named them long ago: in a simulation, what a network knew
    /// that is up for long, down to where this node is. They come in the ring's order.
    pub fn acquaint<'a>(&mut self, now: Tick, own: SocketAddr, others: impl Iterator<Item = (&'a PeerFact, u32)>) {
        self.peers.acquaint(now, own, others);
    }

    /// The date of the last record that this node authored: the next is later, whatever the clock says.
    pub fn restore_authored(&mut self, last: Timestamp) {
        self.last_authored = self.last_authored.max(last);
    }

    // ---- views ----

    /// Whom it knows.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// What it holds.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What it was told at the start; its GUID changes if it meets a copy of itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How long the network keeps what, and what left it.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Who seems to speak another version of the protocol.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// How many nodes it has a session with.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Where the last peer that it registered with saw it.
    pub fn seen_at(&self) -> Option<SocketAddr> {
        self.seen_at
    }

    /// Long records under way, each with how many bytes of it are here.
    pub fn fetching(&self) -> impl Iterator<Item = (Guid, &Head, usize)> {
        self.fetches.under_way()
    }

    /// Whether nothing is wanted, under way, or on its way to the disk.
    pub fn is_settled(&self) -> bool {
        self.fetches.is_idle()
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        stats.requests_repeated = self.fetches.repeated;
        stats.rumors_repeated = self.rumors.repeated;
        stats.digests_restarted = self.repairs.restarted;
        stats.answers_dropped = self.answers.dropped;
        stats.challenge_suppressed = self.sessions.suppressed();
        stats
    }

    /// Panics if an invariant is broken.
    pub fn check(&self) {
        self.sessions.check();
        self.peers.check();
        self.ledger.check();
        self.repairs.check();
        self.fetches.check();
        self.answers.check();
        self.rumors.check();
        self.receipts.check();
        self.pings.check();
        self.retention.check();
        self.beyond.check();
        assert!(self.outbox.len() <= OUTBOX);
        let busy = self.repairs.peers().chain(self.fetches.peers()).chain(self.answers.peers());
        let busy = busy.chain(self.rumors.peers()).chain(self.receipts.peers());
        busy.for_each(|peer| assert!(self.peers.peer(peer).is_some(), "nothing is kept for who is not known"));
    }

    // ---- the world comes in ----

    /// Takes a datagram. A rejected one has changed nothing but its counter, and perhaps caused a CHALLENGE.
    pub fn handle_datagram(&mut self, now: Tick, from: SocketAddr, datagram: &[u8]) -> Result<(), Rejected> {
        let taken = self.take(now, from, datagram);
        self.run_errands(now);
        match taken {
            Ok(()) => {
                self.stats.datagrams_received += 1;
                self.stats.bytes_received += datagram.len() as u64;
            }
            Err(cause) => {
                if cause == Rejected::Version {
                    self.versions.note(now, from, datagram, &self.settings.keys);
                }
                self.stats.reject(cause);
            }
        }
        taken
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Tick) {
        self.retain(now);
        self.build_sketches(now);
        let claims: Vec<Claim> = self.ledger.claims().collect();
        self.peers.handle_timeout(now, &claims);
        self.run_errands(now);
        self.fetches.handle_timeout(now);
        self.spread_timeout(now);
        self.run_errands(now);
    }

    /// Takes the disk's word for a fact.
    pub fn handle_receipt(&mut self, now: Tick, receipt: Receipt) {
        match receipt {
            Receipt::Held(line) => self.handle_held(now, line),
            Receipt::Piece(guid, piece) => self.fetches.handle_piece_kept(&guid, piece),
            Receipt::Wrong(guid) => {
                self.stats.records_wrong += 1;
                self.fetches.condemn(guid);
                // Nobody is to have of it what came.
                self.rumors.drop_record(&guid);
                self.receipts.drop_record(&guid);
            }
            Receipt::Failed(guid) => {
                self.withdraw(now, &guid);
                self.fetches.pause(&guid, now + DISK_PAUSE);
            }
            Receipt::Cleared(done) => self.retention.gone.handle_cleared(done, now + DISK_PAUSE),
        }
    }

    /// The disk has read something that [`Bodies`](crate::proto::fact::Bodies) did not have before.
    pub fn handle_loaded(&mut self) {
        self.answers.retry();
        self.rumors.retry();
    }

    /// A record is no longer on the disk, or was damaged there: it will be fetched again.
    pub fn handle_lost(&mut self, guid: Guid) {
        self.ledger.remove(guid);
    }

    /// The disk was salvaged, and knows of nobody's silence any more: it is told anew.
    pub fn handle_mended(&mut self) {
        self.retention.silences.tell_anew();
    }

    // ---- the user comes in ----

    /// Makes a record. Keep it, then [`learn`](Node::learn) it; only then is it promised to anyone.
    pub fn author(&mut self, at: Timestamp, draft: Draft) -> Result<Gossip, Invalid> {
        let at = at.max(self.least_date());
        let gossip = Gossip::make(Kind::Message, at, self.settings.guid, draft.who_name, draft.msg)?;
        // Where it was forgotten until the end of time: what would leave at once is not to be promised. Disks count to 2^63 - 1.
        if at.0 >= i64::MAX as u64 || self.retention.verdict(&gossip.line()).is_some() {
            return Err(Invalid::Forgotten);
        }
        self.last_authored = at;
        Ok(gossip)
    }

    /// A record that this node authored is on disk: now others may have it.
    pub fn learn(&mut self, now: Tick, gossip: &Gossip) {
        if self.take_in(now, gossip.line()) {
            self.spread_own(now, gossip);
        }
    }

    /// Registers with the node at this address: a few times, or, as a seed, for ever.
    pub fn register(&mut self, now: Tick, addr: SocketAddr, seed: bool) {
        self.peers.hint(now, addr, None, seed);
        self.handle_timeout(now);
    }

    // ---- what the node wants done ----

    /// The next fact to keep.
    pub fn poll_fact(&mut self, now: Tick) -> Option<Fact> {
        self.enforce(now);
        self.facts.pop_front().or_else(|| self.poll_clearing(now))
    }

    /// When the node has something to do on its own.
    pub fn poll_timeout(&self, now: Tick) -> Wake {
        let wakes = [
            Wake { at: self.peers.poll_timeout(), why: "peers" },
            Wake { at: self.repairs.poll_timeout(|peer| self.fetches.has_room(peer)), why: "repairs" },
            Wake { at: self.fetches.poll_timeout(now), why: "fetches" },
            Wake { at: self.rumors.poll_timeout(), why: "rumours" },
            Wake { at: self.receipts.poll_timeout(), why: "receipts" },
            Wake { at: self.poll_retention(now), why: "retention" },
            Wake { at: self.next_step(), why: "keys" },
        ];
        wakes.into_iter().min_by_key(|wake| wake.at).unwrap_or(Wake { at: Tick::NEVER, why: "nothing" })
    }

    /// Nothing goes to this peer any more, or comes from it.
    fn forget_traffic(&mut self, now: Tick, peer: &Guid) {
        self.forget_rumors(now, peer);
        self.forget_asks(peer);
    }

    fn forget_asks(&mut self, peer: &Guid) {
        self.repairs.forget(peer);
        self.fetches.forget(peer);
        self.answers.forget(peer);
    }
}
