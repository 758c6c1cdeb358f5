//! [`Rumors`]: fresh records pushed down a tree that is computed from the peer list: range delegation (El-Ansary et al.
//! 2003, Kadcast 2019) with acknowledgements.
//!
//! A record travels with a [`Range`] of the ring. Who receives it cuts the range into parts and sends the record to the
//! first live peer of each, with the rest of the part. Every hop is acknowledged; after two silences the rest of the part
//! goes to the next peer in it, while the silent one still gets the record alone. What went wrong lately is watched: in
//! such times a node also *announces* what it holds to one random peer after another (see `news`).
//!
//! All of this may fail at any time: the next digest finds the gap. So queues are bounded, and what is too much is
//! dropped. Only names wait here; bytes are read when a datagram is packed.

mod acquaintances;
mod delegation;
mod lane;
mod news;
mod outgoing;
mod recent;
mod rule;
mod table;
#[cfg(test)]
mod tests;

use crate::proto::gossip::{Guid, Head, Key};
use crate::proto::limits::{LANES, RUMOR_AGE, RUMORS_PER_LANE};
use crate::proto::ring::{Range, place};
use crate::proto::rtt::Rtt;
use crate::proto::settings::{Pace, Settings, Timing};
use crate::proto::time::Tick;
use crate::proto::wire::Parts;
use acquaintances::Near;
use lane::Lane;
use news::News;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use recent::{Fresh, Recent};
pub(crate) use rule::Rule;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use table::Table;

/// Timeouts until the next send, after so many silences: 1, 1, 2, 2, 3, 3.
const fn patience(silences: u32) -> u32 {
    if silences < 4 { 1 + silences / 2 } else { 3 }
}

/// Answers that a handshake takes before what waits for it can go.
const HANDSHAKE: u32 = 2;

/// What rumours need to know of others, as the node knows it.
pub trait Ways {
    /// The live peers in a part of the ring, in its order.
    fn ring(&self, range: Range) -> impl Iterator<Item = (u64, Guid)>;
    /// Round-trip times to a peer.
    fn rtt(&self, peer: &Guid) -> Rtt;
    /// Whether there is a session with a peer.
    fn met(&self, peer: &Guid) -> bool;
    /// How many peers are live.
    fn live(&self) -> usize;
}

/// A record that came for the first time.
pub struct Learnt {
    /// Where it stands.
    pub key: Key,
    /// Through how many nodes it came, its origin included; 0 if it was made here, or fetched.
    pub hops: u8,
    /// Whether it fits no datagram.
    pub long: bool,
    /// Its head, where only that has come so far.
    pub head: Option<Head>,
}

/// See the module.
pub struct Rumors {
    me: u64,
    fan: usize,
    timing: Timing,
    recent: Recent,
    /// Each in a box: half of a B-tree's room is empty.
    lanes: BTreeMap<Guid, Box<Lane>>,
    /// Lanes that have something to send, and rumours that wait to be acknowledged: when, peer, record.
    due: BTreeSet<(Tick, Guid)>,
    deadlines: BTreeSet<(Tick, Guid, Guid)>,
    /// Peers with whom a session is wanted.
    strangers: BTreeSet<Guid>,
    /// Peers that may be gone.
    doubted: BTreeSet<Guid>,
    table: Table,
    /// When the next session is to be opened beforehand.
    next_acquaintance: Tick,
    near: Near,
    news: News,
    /// Of all peers together: better than nothing where one was never sent to.
    rtt: Rtt,
    rng: ChaCha8Rng,
    #[cfg(test)]
    lacking: Option<Rule>,
    /// Rumours sent again after silence.
    pub repeated: u64,
}

impl Rumors {
    /// No news yet.
    pub fn new(settings: &Settings, seed: [u8; 32], now: Tick) -> Rumors {
        let (recent, lanes, due, deadlines, strangers, doubted, table) = Default::default();
        Rumors {
            me: place(&settings.guid),
            fan: settings.pace.gossip_max_peer_count.max(2),
            timing: settings.pace.timing,
            recent,
            lanes,
            due,
            deadlines,
            strangers,
            doubted,
            table,
            next_acquaintance: now,
            near: Near::default(),
            news: News::default(),
            rtt: Rtt::default(),
            rng: ChaCha8Rng::from_seed(seed),
            #[cfg(test)]
            lacking: None,
            repeated: 0,
        }
    }

    /// From now on it goes at this pace; a table that was drawn for another fan serves its time.
    pub fn adjust(&mut self, pace: Pace) {
        self.fan = pace.gossip_max_peer_count.max(2);
        self.timing = pace.timing;
    }

    /// This node took another GUID.
    pub fn rename(&mut self, me: Guid) {
        self.me = place(&me);
    }

    /// A record came for the first time. With a range it was pushed, and is passed on; without one it was fetched.
    pub fn learnt(&mut self, now: Tick, learnt: Learnt, range: Option<Range>, ways: &impl Ways) {
        let served = range.is_some_and(|range| !range.is_empty());
        let Learnt { key, hops, long, head } = learnt;
        let fresh = Fresh { key, learnt: now, hops, served, long, head: head.map(Box::new) };
        self.recent.insert(fresh);
        if let Some(range) = range {
            self.delegate(now, key.guid, range, ways);
        }
    }

    /// A record came again, with a range. If that is the first, it must still be served: whoever sent it relies on us.
    pub fn again(&mut self, now: Tick, guid: Guid, range: Range, ways: &impl Ways) {
        let obeyed = !self.lacks(Rule::LateRange);
        let Some(fresh) = self.recent.get_mut(&guid) else { return };
        let late = !fresh.served && !range.is_empty() && now.since(fresh.learnt) < RUMOR_AGE;
        if late && obeyed {
            fresh.served = true;
            self.news.trouble(now);
            self.delegate(now, guid, range, ways);
        }
    }

    /// Since when it is known, if that is less than 30 s ago.
    pub fn learnt_at(&self, guid: &Guid) -> Option<Tick> {
        self.recent.get(guid).map(|fresh| fresh.learnt)
    }

    /// Where a record learnt lately stands.
    pub fn key(&self, guid: &Guid) -> Option<Key> {
        self.recent.get(guid).map(|fresh| fresh.key)
    }

    /// Acknowledges a rumour to who sent it.
    pub fn acknowledge(&mut self, now: Tick, peer: Guid, guid: Guid, ways: &impl Ways) {
        if !self.lacks(Rule::Acknowledgement) {
            // Waiting for company costs half a round trip at most.
            let window = (ways.rtt(&peer).smoothed().unwrap_or_default() / 2).min(self.timing.heard_gap);
            self.with_lane(now, peer, |lane| lane.got(now + window, guid));
        }
    }

    /// Tells a peer that this record is held.
    pub fn tell_holding(&mut self, now: Tick, peer: Guid, guid: Guid) {
        self.with_lane(now, peer, |lane| lane.holds(guid));
    }

    /// Tells a peer which parts of a long record can be had here.
    pub fn tell_parts(&mut self, now: Tick, peer: Guid, parts: Parts) {
        self.with_lane(now, peer, |lane| lane.parts(parts));
    }

    /// Asks a peer whether it holds this record.
    pub fn ask_holding(&mut self, now: Tick, peer: Guid, guid: Guid, ways: &impl Ways) {
        if ways.met(&peer) {
            self.with_lane(now, peer, |lane| lane.asks(guid));
        } else {
            self.strangers.insert(peer);
        }
    }

    /// A peer acknowledged a rumour.
    pub fn handle_acknowledged(&mut self, now: Tick, peer: Guid, guid: &Guid) {
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        lane.silent_until = Tick::default();
        let Some(parcel) = lane.parcels.remove(guid) else { return };
        if let Some((sent, deadline)) = parcel.sent {
            self.deadlines.remove(&(deadline, peer, *guid));
            if parcel.silences == 0 {
                lane.rtt.sample(now.since(sent));
                self.rtt.sample(now.since(sent));
            }
        } else {
            lane.queue.retain(|queued| queued != guid);
        }
        self.schedule(peer);
    }

    /// So long it takes a peer, as far as is known, to answer something else.
    pub fn handle_trip(&mut self, took: Duration) {
        self.rtt.sample(took);
    }

    /// Something came from a peer: it is not silent.
    pub fn heard(&mut self, peer: &Guid) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.silent_until = Tick::default();
        }
    }

    /// There is a new session with a peer: what waited for it, or went by an older one, can go.
    pub fn met(&mut self, peer: Guid) {
        self.strangers.remove(&peer);
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        for (&guid, parcel) in &mut lane.parcels {
            if let Some((_, deadline)) = parcel.sent.take() {
                self.deadlines.remove(&(deadline, peer, guid));
                lane.queue.push_back(guid);
            }
        }
        self.schedule(peer);
    }

    /// A peer is gone: what was on its way to it goes to others.
    pub fn forget(&mut self, now: Tick, peer: &Guid, ways: &impl Ways) {
        self.strangers.remove(peer);
        let Some(lane) = self.lanes.remove(peer) else { return };
        self.due.remove(&(lane.due, *peer));
        self.reassign(now, *peer, lane.parcels, ways);
    }

    /// A record is held no more: it goes to nobody.
    pub fn drop_record(&mut self, guid: &Guid) {
        if !self.recent.remove(guid) {
            return;
        }
        let carrying: Vec<Guid> =
            self.lanes.iter().filter(|(_, lane)| lane.parcels.contains_key(guid)).map(|(&peer, _)| peer).collect();
        for peer in carrying {
            let Some(lane) = self.lanes.get_mut(&peer) else { continue };
            match lane.parcels.remove(guid).and_then(|parcel| parcel.sent) {
                Some((_, deadline)) => drop(self.deadlines.remove(&(deadline, peer, *guid))),
                None => lane.queue.retain(|queued| queued != guid),
            }
            self.schedule(peer);
        }
    }

    /// A peer that acknowledges nothing: it may be gone.
    pub fn poll_doubted(&mut self) -> Option<Guid> {
        self.doubted.pop_first()
    }

    /// Counts silences, and does what follows from them.
    pub fn handle_timeout(&mut self, now: Tick, ways: &impl Ways) {
        self.keep_acquainted(now, ways);
        while let Some(&(deadline, peer, guid)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            self.count_silence(now, peer, guid, ways);
        }
    }

    /// When that is next.
    pub fn poll_timeout(&self) -> Tick {
        let silence = self.deadlines.first().map_or(Tick::NEVER, |&(deadline, ..)| deadline);
        let send = self.due.first().map_or(Tick::NEVER, |&(due, _)| due);
        // A handshake does not wait.
        let stranger = if self.strangers.is_empty() { Tick::NEVER } else { Tick::default() };
        silence.min(send).min(self.next_acquaintance).min(stranger).min(self.poll_news())
    }

    /// Peers of whom something is kept.
    pub fn peers(&self) -> impl Iterator<Item = &Guid> {
        self.lanes.keys()
    }

    /// Panics if a bound is broken, or if something would wait for ever.
    pub fn check(&self) {
        self.recent.check();
        assert!(self.lanes.len() <= LANES);
        let waiting = |lane: &Lane| lane.parcels.values().filter(|parcel| parcel.sent.is_some()).count();
        assert_eq!(self.deadlines.len(), self.lanes.values().map(|lane| waiting(lane)).sum::<usize>());
        for (peer, lane) in &self.lanes {
            assert!(lane.parcels.len() <= RUMORS_PER_LANE);
            assert_eq!(lane.due != Tick::NEVER, self.due.contains(&(lane.due, *peer)));
            let queued = lane.parcels.values().filter(|parcel| parcel.sent.is_none()).count();
            assert_eq!(lane.queue.len(), queued, "what was not sent waits to be");
        }
        self.news.check();
    }

    /// How long an acknowledgement may take before that counts as a silence.
    fn timeout(&self, peer: &Guid, silences: u32, ways: &impl Ways) -> Duration {
        self.once(peer, ways).max(self.timing.rumor_timeout) * patience(silences)
    }

    /// The same for the handshake that must come first: nobody keeps that waiting for company.
    fn handshake_timeout(&self, peer: &Guid, silences: u32, ways: &impl Ways) -> Duration {
        (self.once(peer, ways) * HANDSHAKE).max(self.timing.rumor_timeout) * patience(silences)
    }

    fn once(&self, peer: &Guid, ways: &impl Ways) -> Duration {
        let own = self.lanes.get(peer).and_then(|lane| lane.rtt.patience());
        let trip = ways.rtt(peer).patience().or_else(|| self.rtt.patience()).unwrap_or(self.rtt.timeout(0));
        // Acknowledgements wait for company; those that came have shown how long. Where all trips took the same so far, the
        // next may still take a little longer.
        own.unwrap_or_default().max(trip + trip / 8 + self.timing.heard_gap)
    }

    /// The lane to a peer; none where too many are in use.
    fn lane(&mut self, now: Tick, peer: Guid) -> Option<&mut Lane> {
        if !self.lanes.contains_key(&peer) {
            if self.lanes.len() >= LANES {
                let idle = self.lanes.iter().find(|(_, lane)| lane.is_idle(now)).map(|(&idle, _)| idle)?;
                self.lanes.remove(&idle);
            }
            self.lanes.insert(peer, Box::new(Lane::new()));
        }
        self.lanes.get_mut(&peer).map(Box::as_mut)
    }

    fn with_lane(&mut self, now: Tick, peer: Guid, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lane(now, peer) {
            change(lane);
            self.schedule(peer);
        }
    }

    /// Notes when a lane has something to send.
    fn schedule(&mut self, peer: Guid) {
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        let wants = lane.wants();
        if wants == lane.due {
            return;
        }
        self.due.remove(&(lane.due, peer));
        lane.due = wants;
        if wants != Tick::NEVER {
            self.due.insert((wants, peer));
        }
    }
}
