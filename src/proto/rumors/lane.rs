//! [`Lane`]: what is on its way to one peer: rumours that wait or were not acknowledged yet, and what HEARD will say.

use crate::proto::gossip::Guid;
use crate::proto::limits::{HEARD, MIN_MAX_BODY};
use crate::proto::ring::Range;
use crate::proto::rtt::Rtt;
use crate::proto::time::Tick;
use crate::proto::wire::{Heard, List, Parts};
use std::collections::{BTreeMap, VecDeque};

/// Records of whose parts one HEARD speaks.
const PARTS: usize = 8;

/// A rumour for one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    /// What the peer is to serve.
    pub(super) range: Range,
    /// How often it stayed unacknowledged.
    pub(super) silences: u32,
    /// When it was sent last, and when that counts as a silence. Neither while it waits to be sent.
    pub(super) sent: Option<(Tick, Tick)>,
}

/// What is on its way to one peer.
#[derive(Default)]
pub(super) struct Lane {
    /// Those to be sent, in order; all of them are among `parcels`.
    pub(super) queue: VecDeque<Guid>,
    pub(super) parcels: BTreeMap<Guid, Parcel>,
    /// What HEARD will say.
    got: Vec<Guid>,
    holds: Vec<Guid>,
    asks: Vec<Guid>,
    parts: Vec<Parts>,
    /// When acknowledgements must go.
    got_by: Tick,
    /// Before this no RUMOR, and no HEARD.
    pub(super) records_at: Tick,
    pub(super) heard_at: Tick,
    /// It did not acknowledge what was sent six times: no rumours until then.
    pub(super) silent_until: Tick,
    /// Whether the next rumour's bytes are being read.
    pub(super) waits_for_disk: bool,
    /// When it is in the queue of lanes that have something to send.
    pub(super) due: Tick,
    /// From sending to acknowledgement.
    pub(super) rtt: Rtt,
}

fn add(guids: &mut Vec<Guid>, guid: Guid) {
    // What is too much is not said: rumours are sent again, and asked for again.
    if guids.len() < 16 * HEARD && !guids.contains(&guid) {
        guids.push(guid);
    }
}

fn take<T>(all: &mut Vec<T>, most: usize) -> Vec<T> {
    let count = all.len().min(most);
    all.drain(..count).collect()
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane { due: Tick::NEVER, ..Lane::default() }
    }

    /// Acknowledgements wait until `by` for company: another one, or a rumour that goes the same way.
    pub(super) fn got(&mut self, by: Tick, guid: Guid) {
        if self.got.is_empty() {
            self.got_by = by;
        }
        add(&mut self.got, guid);
    }

    pub(super) fn holds(&mut self, guid: Guid) {
        add(&mut self.holds, guid);
    }

    pub(super) fn asks(&mut self, guid: Guid) {
        add(&mut self.asks, guid);
    }

    /// What is said of a record replaces what was to be said before.
    pub(super) fn parts(&mut self, parts: Parts) {
        if let Some(other) = self.parts.iter_mut().find(|other| other.guid == parts.guid) {
            *other = parts;
        } else if self.parts.len() < HEARD {
            self.parts.push(parts);
        }
    }

    /// Acknowledgements that fit so many bytes.
    pub(super) fn take_got(&mut self, room: usize) -> Vec<Guid> {
        take(&mut self.got, (room / 16).min(HEARD))
    }

    /// All that there is to say, as far as it fits a datagram.
    pub(super) fn take_heard(&mut self) -> Heard {
        let parts = List::new(take(&mut self.parts, PARTS));
        let room = (MIN_MAX_BODY - Heard::EMPTY - parts.len() * Parts::SIZE) / 16;
        let got = take(&mut self.got, room.min(HEARD));
        let holds = take(&mut self.holds, room.min(HEARD) - got.len());
        let asks = take(&mut self.asks, room.min(HEARD) - got.len() - holds.len());
        Heard { got: List::new(got), holds: List::new(holds), asks: List::new(asks), parts }
    }

    pub(super) fn has_words(&self) -> bool {
        !(self.got.is_empty() && self.holds.is_empty() && self.asks.is_empty() && self.parts.is_empty())
    }

    /// When there is something to send.
    pub(super) fn wants(&self) -> Tick {
        let records = if self.queue.is_empty() || self.waits_for_disk { Tick::NEVER } else { self.records_at };
        records.min(self.words_at())
    }

    /// When there is something to say.
    pub(super) fn words_at(&self) -> Tick {
        let got = match self.got.len() {
            0 => Tick::NEVER,
            HEARD.. => self.heard_at,
            _ => self.got_by.max(self.heard_at),
        };
        let prompt = !(self.holds.is_empty() && self.asks.is_empty() && self.parts.is_empty());
        got.min(if prompt { self.heard_at } else { Tick::NEVER })
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self, now: Tick) -> bool {
        self.parcels.is_empty() && !self.has_words() && self.silent_until <= now && self.records_at <= now
    }
}
