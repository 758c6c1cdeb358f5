//! How rumours become datagrams: what is due for a peer is packed together, and no peer gets more than one datagram in
//! the least gap, unless it is full.

use super::recent::Fresh;
use super::{Rumors, Ways, patience};
use crate::proto::fact::{Bodies, Body};
use crate::proto::gossip::{Guid, Head};
use crate::proto::ring::Range;
use crate::proto::time::Tick;
use crate::proto::wire::{HeadTold, List, Message, Pushed, Record, Rumor};

/// Bytes kept for acknowledgements that ride along.
const ACKNOWLEDGEMENTS: usize = 3 * 16;

enum Step {
    Packed,
    Full,
    NotYet,
    Gone,
}

impl Rumors {
    /// The next datagram: at most `room` bytes of body.
    pub fn poll(&mut self, now: Tick, bodies: &impl Bodies, room: usize, ways: &impl Ways) -> Option<(Guid, Message)> {
        while let Some(&(due, peer)) = self.due.first() {
            if due > now {
                return None;
            }
            let message =
                if ways.met(&peer) { self.pack(now, peer, bodies, room, ways) } else { self.block(now, peer, ways) };
            self.schedule(peer);
            if let Some(message) = message {
                return Some((peer, message));
            }
        }
        None
    }

    /// Whether a record fits a datagram of so many bytes of body as a rumour.
    pub fn fits(head: &Head, room: usize) -> bool {
        let frame = Rumor::EMPTY + ACKNOWLEDGEMENTS + Pushed::<Record>::FRAME;
        Record::size(head.who_name().len(), head.len()) + frame <= room
    }

    /// The disk has read something: what waits for it is worth another try.
    pub fn retry(&mut self) {
        let waiting = self.lanes.iter_mut().filter(|(_, lane)| lane.waits_for_disk);
        let peers: Vec<Guid> = waiting.map(|(&peer, lane)| (lane.waits_for_disk = false, peer).1).collect();
        peers.into_iter().for_each(|peer| self.schedule(peer));
    }

    /// Nothing goes to who has no session, until it has: rumours count as unacknowledged by then, and words are dropped.
    fn block(&mut self, now: Tick, peer: Guid, ways: &impl Ways) -> Option<Message> {
        let timeout = self.handshake_timeout(&peer, 0, ways);
        let lane = self.lanes.get_mut(&peer)?;
        while lane.has_words() {
            lane.take_heard();
        }
        for guid in std::mem::take(&mut lane.queue) {
            if let Some(parcel) = lane.parcels.get_mut(&guid) {
                let deadline = now + timeout * patience(parcel.silences);
                parcel.sent = Some((now, deadline));
                self.deadlines.insert((deadline, peer, guid));
            }
        }
        self.strangers.insert(peer);
        None
    }

    fn pack(&mut self, now: Tick, peer: Guid, bodies: &impl Bodies, room: usize, ways: &impl Ways) -> Option<Message> {
        let rumor = self.pack_rumor(now, peer, bodies, room, ways);
        let (record_gap, heard_gap) = (self.timing.record_gap, self.timing.heard_gap);
        let lane = self.lanes.get_mut(&peer)?;
        if let Some((mut rumor, left)) = rumor {
            rumor.got = List::new(lane.take_got(left));
            // A full datagram says that more are to follow: these do not wait.
            lane.records_at = if lane.queue.is_empty() { now + record_gap } else { now };
            return Some(Message::Rumor(rumor));
        }
        if lane.words_at() > now {
            return None;
        }
        let heard = lane.take_heard();
        // What did not fit does not wait.
        lane.heard_at = if lane.has_words() { now } else { now + heard_gap };
        Some(Message::Heard(heard))
    }

    fn pack_rumor(
        &mut self,
        now: Tick,
        peer: Guid,
        bodies: &impl Bodies,
        room: usize,
        ways: &impl Ways,
    ) -> Option<(Rumor, usize)> {
        let (mut rumor, mut left) = (Rumor::default(), room.saturating_sub(Rumor::EMPTY + ACKNOWLEDGEMENTS));
        loop {
            let lane = self.lanes.get_mut(&peer)?;
            if lane.records_at > now {
                break;
            }
            let Some(&guid) = lane.queue.front() else { break };
            let Some(parcel) = lane.parcels.get(&guid).copied() else {
                lane.queue.pop_front();
                continue;
            };
            let step = match self.recent.get(&guid) {
                Some(fresh) => pack_one(fresh, parcel.range, bodies, &mut rumor, &mut left, room),
                None => Step::Gone,
            };
            let deadline = now + self.timeout(&peer, parcel.silences, ways);
            let lane = self.lanes.get_mut(&peer)?;
            match step {
                Step::Full => break,
                Step::NotYet => {
                    lane.waits_for_disk = true;
                    break;
                }
                Step::Gone => {
                    lane.queue.pop_front();
                    lane.parcels.remove(&guid);
                }
                Step::Packed => {
                    lane.queue.pop_front();
                    if let Some(parcel) = lane.parcels.get_mut(&guid) {
                        parcel.sent = Some((now, deadline));
                    }
                    self.deadlines.insert((deadline, peer, guid));
                }
            }
        }
        (!rumor.records.is_empty() || !rumor.heads.is_empty()).then_some((rumor, left + ACKNOWLEDGEMENTS))
    }
}

fn pack_one(
    fresh: &Fresh,
    range: Range,
    bodies: &impl Bodies,
    rumor: &mut Rumor,
    left: &mut usize,
    room: usize,
) -> Step {
    let (guid, hops) = (fresh.key.guid, fresh.hops.saturating_add(1));
    if let Some(head) = &fresh.head {
        return pack_head(guid, hops, range, head, rumor, left);
    }
    let record = match bodies.record(fresh.key) {
        Body::Here(record) => record,
        Body::NotYet => return Step::NotYet,
        Body::Gone => return Step::Gone,
    };
    let name = record.head.who_name().len();
    let frame = Pushed::<Record>::FRAME;
    let whole = record.msg.as_ref().filter(|_| Rumors::fits(&record.head, room));
    let Some(msg) = whole else { return pack_head(guid, hops, range, &record.head, rumor, left) };
    let size = Record::size(name, msg.len()) + frame;
    if size > *left || rumor.records.is_full() {
        return Step::Full;
    }
    *left -= size;
    rumor.records.push(Pushed { range, hops, what: Record::of(guid, &record.head, msg.clone()) });
    Step::Packed
}

fn pack_head(guid: Guid, hops: u8, range: Range, head: &Head, rumor: &mut Rumor, left: &mut usize) -> Step {
    let size = HeadTold::size(head.who_name().len()) + Pushed::<HeadTold>::FRAME;
    if size > *left || rumor.heads.is_full() {
        return Step::Full;
    }
    *left -= size;
    rumor.heads.push(Pushed { range, hops, what: HeadTold::of(guid, head) });
    Step::Packed
}
