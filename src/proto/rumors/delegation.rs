//! Who is handed what: a range is cut into parts, each part is handed to its first live peer, and what that peer does not
//! acknowledge goes to the next.

use super::lane::Parcel;
use super::{Rumors, Ways};
use crate::proto::gossip::Guid;
use crate::proto::limits::RUMORS_PER_LANE;
use crate::proto::ring::Range;
use crate::proto::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silences after which a rumour's range goes to somebody else.
const DELEGATED: u32 = 2;
/// Silences after which the detector is told.
const DOUBTED: u32 = 4;
/// Times that a rumour is sent to one peer.
const SENDS: u32 = 6;
/// How long a peer that acknowledged none of these gets no rumours, unless it is heard of.
const SILENCE: Duration = Duration::from_secs(10);
/// Children of a node where a record fits no datagram: nobody uploads to more than these at a time.
const LONG_FAN: usize = 2;

impl Rumors {
    /// Cuts a range into parts and hands each to its first live peer.
    pub(super) fn delegate(&mut self, now: Tick, guid: Guid, range: Range, ways: &impl Ways) {
        if range.is_empty() {
            return;
        }
        if self.table.is_old(now) {
            self.draw_table(now, ways);
        }
        let long = self.recent.get(&guid).is_some_and(|fresh| fresh.long);
        let fan = if long { LONG_FAN } else { self.fan };
        let most = fan * (fan + 1);
        let few: Vec<u64> = ways.ring(range).take(most + 1).map(|(place, _)| place).collect();
        let parts: Vec<Range> = match few.len() {
            // Each is a leaf.
            count if count <= fan => {
                few.into_iter().map(|place| Range { from: place, to: place.wrapping_add(1) }).collect()
            }
            // Each head will have leaves only.
            count if count <= most => {
                let size = count.div_ceil(fan);
                let part = |index: usize, first: u64| Range {
                    from: first,
                    to: few.get((index + 1) * size).copied().unwrap_or(range.to),
                };
                few.iter().step_by(size).enumerate().map(|(index, &first)| part(index, first)).collect()
            }
            _ => self.table.cut(self.me, range, fan),
        };
        parts.into_iter().for_each(|part| self.hand(now, guid, part, ways));
    }

    /// Hands a part to the first live peer in it that is not silent. Silent ones get the record alone, and once.
    pub(super) fn hand(&mut self, now: Tick, guid: Guid, part: Range, ways: &impl Ways) {
        if part.is_empty() {
            return;
        }
        for (place, peer) in ways.ring(part) {
            let is_silent = self.lanes.get(&peer).is_some_and(|lane| lane.silent_until > now);
            if !is_silent {
                return self.push(now, peer, guid, part.behind(place), 0, ways);
            }
            if ways.met(&peer) {
                self.push(now, peer, guid, Range::EMPTY, SENDS - 1, ways);
            }
        }
    }

    /// Queues a rumour for a peer. Dropped where too many are under way: announcements and digests speak of it.
    fn push(&mut self, now: Tick, peer: Guid, guid: Guid, range: Range, silences: u32, ways: &impl Ways) {
        let timeout = self.handshake_timeout(&peer, 0, ways);
        let met = ways.met(&peer);
        let Some(lane) = self.lane(now, peer) else { return };
        if let Some(parcel) = lane.parcels.get_mut(&guid) {
            // It was to get it alone, as another's leaf or after silences; now it is to serve a range.
            if parcel.range.is_empty() {
                parcel.range = range;
            }
            return;
        }
        if lane.parcels.len() >= RUMORS_PER_LANE {
            return;
        }
        if met {
            lane.parcels.insert(guid, Parcel { range, silences, sent: None });
            lane.queue.push_back(guid);
            self.schedule(peer);
        } else {
            // Whoever does not even answer the handshake is silent too.
            let deadline = now + timeout;
            lane.parcels.insert(guid, Parcel { range, silences, sent: Some((now, deadline)) });
            self.deadlines.insert((deadline, peer, guid));
            self.strangers.insert(peer);
        }
    }

    pub(super) fn count_silence(&mut self, now: Tick, peer: Guid, guid: Guid, ways: &impl Ways) {
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        let Some(parcel) = lane.parcels.get_mut(&guid) else { return };
        (parcel.silences, parcel.sent) = (parcel.silences + 1, None);
        lane.queue.push_back(guid);
        let (silences, range) = (parcel.silences, parcel.range);
        self.news.trouble(now);
        self.repeated += 1;
        if silences >= SENDS {
            lane.silent_until = now + SILENCE;
            self.abandon(now, peer, ways);
            return;
        }
        if silences + 1 == DELEGATED {
            // Who may have to serve the range shall not need a handshake then.
            let heir = ways.ring(range).next().map(|(_, heir)| heir);
            self.strangers.extend(heir.filter(|heir| !ways.met(heir)));
        }
        if silences == DELEGATED {
            parcel.range = Range::EMPTY;
            self.hand(now, guid, range, ways);
        }
        if silences == DOUBTED {
            self.doubted.insert(peer);
        }
        if !ways.met(&peer) {
            self.strangers.insert(peer);
        }
        self.schedule(peer);
    }

    /// Takes everything from a silent peer: ranges go to others.
    fn abandon(&mut self, now: Tick, peer: Guid, ways: &impl Ways) {
        let Some(lane) = self.lanes.get_mut(&peer) else { return };
        lane.queue.clear();
        let parcels = std::mem::take(&mut lane.parcels);
        self.reassign(now, peer, parcels, ways);
        self.schedule(peer);
    }

    /// What was on its way to a peer is no longer awaited; its ranges go to others.
    pub(super) fn reassign(&mut self, now: Tick, peer: Guid, parcels: BTreeMap<Guid, Parcel>, ways: &impl Ways) {
        for (guid, parcel) in parcels {
            if let Some((_, deadline)) = parcel.sent {
                self.deadlines.remove(&(deadline, peer, guid));
            }
            self.hand(now, guid, parcel.range, ways);
        }
    }
}
