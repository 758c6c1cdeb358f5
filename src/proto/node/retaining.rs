//! How the network's law on what is kept is carried out: what comes is held or refused by it, and what it takes leaves
//! ledger, rumours, receipts and fetches at once, and the disk later.

use super::Node;
use crate::proto::decree::{Decree, Forget, Terms};
use crate::proto::fact::Fact;
use crate::proto::gossip::{Gossip, Guid, Invalid, Line};
use crate::proto::retention::{Left, Silences};
use crate::proto::ring::{Range, place};
use crate::proto::time::{Tick, Timestamp};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who says what no node in particular says.
const SEEDED: &str = "server.json";
/// A timer for the clock is never further away than this, as clocks are set.
const FARTHEST: Duration = Duration::from_secs(600);

/// A node that was told what the network's settings are to be looks so long for those that there are.
const LOOKING: Duration = Duration::from_secs(10);
/// Then it looks this often whether it holds all that there is.
const LOOK: Duration = Duration::from_secs(1);
/// Nodes that may forget another one by themselves one after the other, each where the one before did not; all others
/// wait together with the last.
const FORGETTERS: usize = 8;

/// What a node has to do beside answering.
pub(super) struct Upkeep {
    /// What the wall clock said last, and when.
    clock: (Tick, Timestamp),
    /// Whether the law has changed since all that is held was held against it.
    unlawful: bool,
    /// Decrees of this node that are on their way to the disk.
    decreed: BTreeMap<Guid, Gossip>,
    /// When to look whether the network has settings.
    next_look: Tick,
}

impl Upkeep {
    pub(super) fn new(now: Tick, wall: Timestamp) -> Upkeep {
        let decreed = BTreeMap::new();
        // A clock counts from the start of its process, not of its node.
        let wall = Timestamp(wall.0.saturating_add(now.0));
        Upkeep { clock: (now, wall), unlawful: false, decreed, next_look: now + LOOKING }
    }
}

impl Node {
    /// What the wall clock says now. It may jump; until it is told again it goes on as before.
    pub fn handle_clock(&mut self, now: Tick, wall: Timestamp) {
        self.upkeep.clock = (now, wall);
    }

    pub(super) fn wall(&self, now: Tick) -> Timestamp {
        let (then, wall) = self.upkeep.clock;
        Timestamp(wall.0.saturating_add(now.0.saturating_sub(then.0)))
    }

    /// The least date of what this node says next: never one that it used, nor one that the network has forgotten.
    pub(super) fn least_date(&self) -> Timestamp {
        let forgotten = self.retention.forgotten(&self.settings.guid).map_or(0, |up_to| up_to.0.saturating_add(1));
        Timestamp((self.last_authored.0.saturating_add(1)).max(forgotten).max(self.retention.horizon().0))
    }

    /// A record is on the disk: it is held from now on, unless the law has it otherwise. Whether it is new and held.
    pub(super) fn take_in(&mut self, now: Tick, line: Line) -> bool {
        let clock = self.wall(now);
        if let Some(left) = self.retention.verdict(&line) {
            if !self.ledger.contains(&line.key.guid) {
                self.retention.gone.leave(clock, line.key, left);
            }
            return false;
        }
        if !self.ledger.insert(line) {
            return false;
        }
        self.upkeep.unlawful |= self.retention.take(clock, &line);
        if let Some(Decree::Forget(Forget { origin, .. })) = line.decree {
            // Who answers was forgotten by hand, and goes on.
            self.peers.forget(&origin);
            self.facts.extend(self.retention.silences.end(&origin));
        }
        true
    }

    /// A record that the disk held. Decrees come first; which of them hold is known when all of them are here.
    pub(super) fn restore_held(&mut self, now: Tick, line: Line) {
        if line.decree.is_none() {
            self.take_in(now, line);
        } else if self.ledger.insert(line) {
            self.retention.take(self.wall(now), &line);
            self.upkeep.unlawful = true;
        }
    }

    /// Makes a record of a decree. Keep it, then [`learn`](Node::learn) it; only then is it promised to anyone. Network
    /// settings are dated after those that hold, and a forget after what it forgets, whatever the clock says.
    pub fn decree(&mut self, at: Timestamp, who_name: &str, decree: Decree) -> Result<Gossip, Invalid> {
        let least = match decree {
            Decree::Forget(forget) => forget.up_to.max(self.retention.horizon()),
            Decree::Settings(_) => {
                Timestamp(self.retention.settings().map_or(0, |key| key.date_time.0.saturating_add(1)))
            }
        };
        let msg = Bytes::from(decree.to_string());
        Gossip::make(decree.kind(), at.max(least), self.settings.guid, who_name, msg)
    }

    /// What would be forgotten with a node: the date of its newest message here, and how many there are.
    pub fn forgettable(&self, origin: &Guid) -> Option<(Timestamp, u32)> {
        Some((self.ledger.newest_of(origin)?, self.ledger.messages_of(origin)))
    }

    /// How many messages here would leave at once by other terms.
    pub fn would_leave(&self, now: Tick, terms: Terms) -> u64 {
        let oldest = terms.max_age.map_or(Timestamp(0), |age| self.wall(now) - age);
        let timeout = terms.origin_timeout.into_iter();
        let silent: BTreeSet<Guid> =
            timeout.flat_map(|timeout| self.retention.silences.longer_than(timeout)).map(|(guid, _)| guid).collect();
        let leaves = |line: &Line| line.key.date_time < oldest || silent.contains(&line.origin);
        self.ledger.lines().filter(|line| line.decree.is_none() && leaves(line)).count() as u64
    }

    /// The same for one that another node sent, or a decree that this one made.
    pub(super) fn handle_held(&mut self, now: Tick, line: Line) {
        let guid = line.key.guid;
        self.fetches.handle_settled(&guid);
        let decreed = self.upkeep.decreed.remove(&guid);
        if self.take_in(now, line) {
            match decreed {
                Some(gossip) => self.spread_own(now, &gossip),
                None => {
                    self.stats.records_received_new += 1;
                    self.hold(now, guid);
                }
            }
        } else if !self.ledger.contains(&guid) {
            self.rumors.drop_record(&guid);
        }
    }

    /// Whether a record that came is not to be held; if so it is counted, and not asked for again soon.
    pub(super) fn refuses(&mut self, now: Tick, line: &Line) -> bool {
        let Some(left) = self.retention.verdict(line) else { return false };
        match left {
            Left::Expired => self.stats.records_expired += 1,
            Left::Forgotten => self.stats.records_forgotten += 1,
        }
        self.fetches.handle_settled(&line.key.guid);
        self.retention.gone.refuse(self.wall(now), line.key, left);
        true
    }

    /// A peer said what is too old for it. What it counts as too old and we do not is not told to it.
    pub(super) fn follow_horizon(&mut self, now: Tick, peer: Guid, theirs: Timestamp) {
        self.peers.ages(&peer, theirs);
        if self.retention.adopt(self.wall(now), theirs) {
            self.upkeep.unlawful = true;
            self.enforce(now);
        }
    }

    /// Does what is due by the clock.
    pub(super) fn retain(&mut self, now: Tick) {
        self.upkeep.unlawful |= self.retention.advance(self.wall(now));
        self.enforce(now);
        self.seed_settings(now);
        self.forget_silent(now);
    }

    /// Gives the network the settings that this node was told, where it has none: once this node holds what others hold,
    /// or knows nobody. They are dated before all others and made by nobody, so that all nodes that were told the same
    /// make one and the same record.
    fn seed_settings(&mut self, now: Tick) {
        let terms = self.settings.terms;
        if terms == Terms::default() || self.upkeep.next_look > now {
            return;
        }
        self.upkeep.next_look = Tick::NEVER;
        if self.retention.settings().is_some() {
            return;
        }
        let alone = self.peers.iter().next().is_none();
        let agrees = self
            .peers
            .iter()
            .any(|(_, peer)| peer.reach.answers() && peer.state.is_some_and(|claim| self.ledger.equals(claim)));
        if !alone && !agrees {
            self.upkeep.next_look = now + LOOK;
            return;
        }
        let (decree, nobody) = (Decree::Settings(terms), Guid::default());
        let msg = Bytes::from(decree.to_string());
        self.proclaim(Gossip::make(decree.kind(), Timestamp(0), nobody, SEEDED, msg));
    }

    /// Looks who is not reached, and forgets who was not for too long: of those who notice, the first on the ring behind
    /// the silent one does so at once, the next after a look if that was in vain, and so on.
    fn forget_silent(&mut self, now: Tick) {
        let Some(timeout) = self.retention.terms().origin_timeout else {
            self.facts.extend(self.retention.silences.clear());
            return;
        };
        if self.retention.silences.next(timeout) > now {
            return;
        }
        let peers: Vec<(Guid, bool)> = self.peers.iter().map(|(guid, peer)| (guid, peer.reach.answers())).collect();
        self.facts.extend(self.retention.silences.look(now, timeout, &peers));
        let (period, me) = (Silences::period(timeout), place(&self.settings.guid));
        let over: Vec<(Guid, Duration)> = self.retention.silences.longer_than(timeout).collect();
        for (origin, longer) in over {
            let before = Range { from: place(&origin), to: me };
            let turn = self.peers.ring(before).take(FORGETTERS).count() as u32;
            let is_under_way = |gossip: &Gossip| matches!(gossip.line().decree, Some(Decree::Forget(forget)) if forget.origin == origin);
            if longer < period * 2 * turn || self.upkeep.decreed.values().any(is_under_way) {
                continue;
            }
            match self.ledger.newest_of(&origin) {
                Some(up_to) => {
                    let (at, name) = (self.wall(now), self.settings.node_name.clone());
                    let made = self.decree(at, &name, Decree::Forget(Forget { origin, up_to }));
                    self.proclaim(made);
                }
                None => {
                    // There is nothing of it to forget but itself.
                    self.peers.forget(&origin);
                    self.facts.extend(self.retention.silences.end(&origin));
                }
            }
        }
    }

    /// Has a decree of this node's own kept; it is spread when the disk has it.
    fn proclaim(&mut self, made: Result<Gossip, Invalid>) {
        let Ok(gossip) = made else { return };
        self.upkeep.decreed.insert(gossip.guid(), gossip.clone());
        self.facts.push_back(Fact::Gossip(gossip));
    }

    /// A decree of this node's own was refused by the disk: it is made again when its time comes.
    pub(super) fn withdraw(&mut self, now: Tick, guid: &Guid) {
        if self.upkeep.decreed.remove(guid).is_some() {
            self.upkeep.next_look = now + LOOKING;
        }
    }

    /// Where the law has changed, what it takes now leaves.
    pub(super) fn enforce(&mut self, now: Tick) {
        if !std::mem::take(&mut self.upkeep.unlawful) {
            return;
        }
        let clock = self.wall(now);
        let Node { ledger, fetches, retention, .. } = self;
        let leaves = |line: Line| retention.verdict(&line).map(|left| (line, left));
        let leaving: Vec<(Line, Left)> = ledger.lines().filter_map(leaves).collect();
        let under_way = fetches.under_way().filter_map(|(guid, head, _)| head.line(guid));
        let under_way: Vec<Guid> = under_way.filter_map(leaves).map(|(line, _)| line.key.guid).collect();
        for guid in under_way {
            self.facts.extend(self.fetches.abandon(&guid));
            self.rumors.drop_record(&guid);
            self.receipts.drop_record(&guid);
        }
        self.stats.records_left += leaving.len() as u64;
        let decrees_leave = leaving.iter().any(|(line, _)| line.decree.is_some());
        for (line, left) in leaving {
            let guid = line.key.guid;
            self.ledger.remove(guid);
            self.rumors.drop_record(&guid);
            self.receipts.drop_record(&guid);
            self.retention.gone.leave(clock, line.key, left);
        }
        if decrees_leave {
            self.retention.recall(self.ledger.decrees());
        }
    }

    /// The next batch of what leaves the disk.
    pub(super) fn poll_clearing(&mut self, now: Tick) -> Option<Fact> {
        let clock = self.wall(now);
        let Node { retention, ledger, fetches, .. } = self;
        retention
            .gone
            .poll_fact(now, clock, |guid| ledger.contains(guid) || fetches.is_known(guid) || fetches.is_partial(guid))
    }

    /// When there is something to do by the clock.
    pub(super) fn poll_retention(&self, now: Tick) -> Tick {
        let clock = self.wall(now);
        let tick = |at: Timestamp| now + Duration::from_micros(at.0.saturating_sub(clock.0)).min(FARTHEST);
        let step = self.retention.next_step(clock).map(tick);
        let clearing = self.retention.gone.next().map(|(paused, at)| tick(at).max(paused));
        let silences = self.retention.terms().origin_timeout.map(|timeout| self.retention.silences.next(timeout));
        let seed = (self.settings.terms != Terms::default()).then_some(self.upkeep.next_look);
        [step, clearing, silences, seed].into_iter().flatten().min().unwrap_or(Tick::NEVER)
    }
}
