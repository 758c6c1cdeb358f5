//! [`Disk`]: a disk that takes its time, loses at a crash what it had not committed, and may be full.

use super::roster::Roster;
use super::shelf::{Shelf, Shelved};
use crate::proto::decree::Decree;
use crate::proto::fact::{Bodies, Body, Fact, LIST, PeerFact, Receipt, Record, Restored, piece_of};
use crate::proto::gossip::{Gossip, Guid, Hash, Head, Key, Kind, Line};
use crate::proto::retention::{Left, Silence};
use crate::proto::time::{Tick, Timestamp};
use bytes::Bytes;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// What a read is for: the first try answers [`Body::NotYet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Record(Guid),
    Piece(Guid, u16),
    Page(Key),
}

#[derive(Clone, Debug, Default)]
struct Partial {
    head: Option<Head>,
    list: Option<Bytes>,
    pieces: BTreeMap<u16, Bytes>,
}

/// What reading from a disk gives. A node on a disk that is not sound does what a peer would that means harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// What was written.
    #[default]
    Sound,
    /// Nothing, ever.
    Never,
    /// That there is nothing.
    Gone,
    /// Something else.
    Wrong,
}

/// The disk of one simulated node.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    records: BTreeMap<Key, Shelved>,
    names: BTreeMap<Guid, Key>,
    partials: BTreeMap<Guid, Partial>,
    /// Records that left, why, and until when they stay.
    aside: BTreeMap<Key, (Left, Timestamp)>,
    silences: BTreeMap<Guid, Silence>,
    peers: BTreeMap<Guid, PeerFact>,
    /// Peers known from before. A disk that has such a roster keeps no peers of its own.
    pub(super) roster: Option<Roster>,
    /// Records that wait for their commit: they can be read from memory.
    arriving: BTreeMap<Key, Arc<Record>>,
    epoch: u64,
    last_authored: Timestamp,
    pending: VecDeque<(Tick, Fact, bool)>,
    cached: RefCell<BTreeSet<Read>>,
    missed: RefCell<BTreeSet<Read>>,
    /// From taking a fact to its commit.
    pub commit: Duration,
    /// What reading gives.
    pub reads: Reads,
    /// Whether it refuses everything.
    pub full: bool,
    /// Facts lost at crashes: proof that the fault was seen.
    pub lost: u64,
    /// Facts refused since it was full.
    pub refused: u64,
}

impl Disk {
    /// An empty one that commits after this time.
    pub fn new(commit: Duration) -> Disk {
        Disk { commit, ..Disk::default() }
    }

    /// Takes a fact; it counts once its commit is due. `authored`: it was created here.
    pub fn keep(&mut self, now: Tick, fact: Fact, authored: bool) {
        if self.roster.is_some() && matches!(fact, Fact::Peer(_)) {
            return;
        }
        if let Fact::Gossip(gossip) = &fact {
            self.arriving.insert(gossip.key(), Arc::new(Record::new(gossip.head(), gossip.msg())));
        }
        self.pending.push_back((now + self.commit, fact, authored));
    }

    /// When the next commit is due.
    pub fn due(&self) -> Tick {
        self.pending.front().map_or(Tick::NEVER, |pending| pending.0)
    }

    /// Commits what is due. Each receipt says whether its record was created here.
    pub(super) fn commit(&mut self, now: Tick, shelf: &Shelf) -> Vec<(Receipt, bool)> {
        let mut receipts = Vec::new();
        while self.due() <= now {
            let Some((_, fact, authored)) = self.pending.pop_front() else { break };
            if let Fact::Gossip(gossip) = &fact {
                self.arriving.remove(&gossip.key());
            }
            if self.full {
                self.refused += 1;
                let guid = match &fact {
                    Fact::Gossip(gossip) => Some(gossip.guid()),
                    Fact::Piece(guid, ..) | Fact::Partial(guid, _) | Fact::List(guid, _) => Some(*guid),
                    Fact::Left(..) | Fact::Deleted(_) => {
                        receipts.push((Receipt::Cleared(false), authored));
                        None
                    }
                    _ => None,
                };
                receipts.extend(guid.map(|guid| (Receipt::Failed(guid), authored)));
                continue;
            }
            receipts.extend(self.write(fact, authored, shelf).into_iter().map(|receipt| (receipt, authored)));
        }
        receipts
    }

    fn write(&mut self, fact: Fact, authored: bool, shelf: &Shelf) -> Vec<Receipt> {
        match fact {
            Fact::Gossip(gossip) => {
                if authored {
                    self.last_authored = self.last_authored.max(gossip.head().date_time());
                }
                self.insert(gossip.key(), gossip.head().clone(), gossip.msg().clone(), shelf);
                return vec![Receipt::Held(gossip.line())];
            }
            Fact::Partial(guid, head) => self.partials.entry(guid).or_default().head = Some(head),
            Fact::List(guid, list) => self.partials.entry(guid).or_default().list = Some(list),
            Fact::Piece(guid, index, bytes) => {
                let partial = self.partials.entry(guid).or_default();
                partial.pieces.insert(index, bytes);
                let mut receipts = vec![Receipt::Piece(guid, index)];
                let whole = partial.head.as_ref().is_some_and(|head| head.piece_count() == partial.pieces.len());
                if whole && let Some(Partial { head: Some(head), pieces, .. }) = self.partials.remove(&guid) {
                    let msg = Bytes::from(pieces.into_values().collect::<Vec<_>>().concat());
                    receipts.push(match <Hash>::from(Sha256::digest(&msg)) == *head.sha2() {
                        true => {
                            let key = Key { date_time: head.date_time(), guid };
                            let line = line(key, &head, &msg);
                            self.insert(key, head, msg, shelf);
                            Receipt::Held(line)
                        }
                        false => Receipt::Wrong(guid),
                    });
                }
                return receipts;
            }
            Fact::Abandoned(guid) => drop(self.partials.remove(&guid)),
            Fact::Left(left, until, keys) => {
                for key in keys.iter().filter(|key| self.records.remove(key).is_some()) {
                    self.names.remove(&key.guid);
                    self.aside.insert(*key, (left, until));
                }
                return vec![Receipt::Cleared(true)];
            }
            Fact::Deleted(keys) => {
                self.aside.retain(|key, _| !keys.contains(key));
                return vec![Receipt::Cleared(true)];
            }
            Fact::Silence(guid, None) => {
                self.silences.remove(&guid);
            }
            Fact::Silence(guid, Some(silence)) => {
                self.silences.insert(guid, silence);
            }
            Fact::Peer(fact) => drop(self.peers.insert(fact.guid, fact)),
            Fact::Forgotten(guid) => drop(self.peers.remove(&guid)),
            Fact::Identity(_) | Fact::Reach(_) => {}
        }
        Vec::new()
    }

    fn insert(&mut self, key: Key, head: Head, msg: Bytes, shelf: &Shelf) {
        let shelved = shelf.put(key.guid, head, msg);
        self.names.insert(key.guid, key);
        self.records.insert(key, shelved);
        // What was just written is in memory.
        self.make_room();
        self.cached.borrow_mut().insert(Read::Record(key.guid));
    }

    fn make_room(&self) {
        let mut cached = self.cached.borrow_mut();
        if cached.len() > 1000 {
            cached.clear();
        }
    }

    /// Commits only so many of what waits, and tells nobody. Returns how many there were.
    pub(super) fn tear(&mut self, kept: usize, shelf: &Shelf) -> usize {
        let kept = kept.min(self.pending.len()) * usize::from(!self.full);
        let torn: Vec<_> = self.pending.drain(..kept).collect();
        for (_, fact, authored) in torn {
            self.write(fact, authored, shelf);
        }
        kept
    }

    /// Damage: each record and peer is lost with this probability, and `all` that is neither. Returns how many records.
    pub(super) fn corrupt(&mut self, share: f64, all: bool, rng: &mut ChaCha8Rng) -> u64 {
        let before = self.records.len();
        self.records.retain(|_, _| !rng.random_bool(share));
        self.names.retain(|_, key| self.records.contains_key(key));
        self.peers.retain(|_, _| !rng.random_bool(share));
        if all {
            self.partials.clear();
            self.silences.clear();
            (self.epoch, self.last_authored) = Default::default();
        }
        (before - self.records.len()) as u64
    }

    /// Damage to one record.
    pub(super) fn lose(&mut self, key: Key) {
        self.records.remove(&key);
        self.names.remove(&key.guid);
    }

    /// The power fails: what was not committed is gone.
    pub fn crash(&mut self) {
        self.lost += self.pending.len() as u64;
        self.pending.clear();
        self.arriving.clear();
        self.cached.borrow_mut().clear();
        self.missed.borrow_mut().clear();
    }

    /// The epoch of the next start.
    pub fn next_epoch(&mut self, clock: Timestamp) -> u64 {
        self.epoch = (self.epoch + 1).max(clock.0);
        self.epoch
    }

    /// All that a starting node is told.
    pub fn restore(&self) -> Vec<Restored> {
        let lines = self.records.iter().map(|(&key, record)| line(key, &record.0, &record.1));
        let (decrees, messages): (Vec<Line>, Vec<Line>) = lines.partition(|line| line.decree.is_some());
        let gone = self.aside.iter().map(|(&key, &(left, until))| Restored::Gone(key, left, until));
        let held = decrees.into_iter().chain(messages).map(Restored::Held).chain(gone);
        let partials = self.partials.values().filter_map(|partial| {
            let (head, list) = (partial.head.clone()?, partial.list.clone());
            Some(Restored::Partial { head, list, pieces: partial.pieces.keys().copied().collect() })
        });
        let peers = self.peers.values().chain(self.roster.iter().flat_map(Roster::known));
        let silences = self.silences.iter().map(|(&guid, &silence)| Restored::Silence(guid, silence));
        held.chain(partials).chain(peers.cloned().map(Restored::Peer)).chain(silences).collect()
    }

    /// The date of the last record created here.
    pub fn last_authored(&self) -> Timestamp {
        self.last_authored
    }

    /// The record of this name, if it is committed.
    pub fn gossip(&self, guid: Guid) -> Option<Gossip> {
        let (head, msg) = self.records.get(self.names.get(&guid)?)?.as_ref();
        Gossip::new(head.clone(), msg.clone()).ok()
    }

    /// The names of all records committed.
    pub fn guids(&self) -> BTreeSet<Guid> {
        self.names.keys().copied().collect()
    }

    /// The names of records that left and are not deleted yet.
    pub fn aside(&self) -> BTreeSet<Guid> {
        self.aside.keys().map(|key| key.guid).collect()
    }

    /// Whether something must be read for the node.
    pub fn has_missed(&self) -> bool {
        !self.missed.borrow().is_empty() && self.reads != Reads::Never
    }

    /// Reads what was missed.
    pub fn read(&mut self) {
        self.make_room();
        self.cached.borrow_mut().append(&mut self.missed.borrow_mut());
    }

    fn read_from(&self, bytes: &Bytes) -> Bytes {
        match self.reads {
            Reads::Wrong => bytes.iter().map(|byte| byte ^ 1).collect(),
            _ => bytes.clone(),
        }
    }

    /// A part of a record that is not complete yet, or not committed.
    fn passing(&self, key: &Key, index: u16) -> Option<Bytes> {
        let guid = &key.guid;
        if let (0, Some(record)) = (index, self.arriving.get(key)) {
            return record.msg.clone();
        }
        let pending = self.pending.iter().find_map(|(_, fact, _)| match fact {
            Fact::Piece(of, piece, bytes) if (of, *piece) == (guid, index) => Some(bytes.clone()),
            Fact::List(of, bytes) if of == guid && index == LIST => Some(bytes.clone()),
            _ => None,
        });
        pending.or_else(|| {
            let partial = self.partials.get(guid)?;
            if index == LIST { partial.list.clone() } else { partial.pieces.get(&index).cloned() }
        })
    }

    fn cached(&self, read: Read) -> bool {
        let here = self.reads != Reads::Never && self.cached.borrow().contains(&read);
        if !here {
            self.missed.borrow_mut().insert(read);
        }
        here
    }
}

fn line(key: Key, head: &Head, msg: &[u8]) -> Line {
    let decree = (head.kind() != Kind::Message).then(|| Decree::read(head.kind(), key.date_time, msg).ok());
    Line { key, origin: head.origin(), decree: decree.flatten() }
}

impl Bodies for Disk {
    fn record(&self, key: Key) -> Body<Arc<Record>> {
        if let Some(record) = self.arriving.get(&key) {
            return Body::Here(record.clone());
        }
        if !self.cached(Read::Record(key.guid)) {
            return Body::NotYet;
        }
        match self.records.get(&key) {
            Some(_) if self.reads == Reads::Gone => Body::Gone,
            Some(shelved) => {
                let (head, msg) = shelved.as_ref();
                Body::Here(Arc::new(Record::new(head, &self.read_from(msg))))
            }
            None => Body::Gone,
        }
    }

    fn piece(&self, key: Key, index: u16) -> Body<Bytes> {
        if let Some(bytes) = self.passing(&key, index) {
            return Body::Here(self.read_from(&bytes));
        }
        if !self.cached(Read::Piece(key.guid, index)) {
            return Body::NotYet;
        }
        let Some((_, msg)) = self.records.get(&key).map(Arc::as_ref) else { return Body::Gone };
        if self.reads == Reads::Gone {
            return Body::Gone;
        }
        match piece_of(msg, index) {
            Body::Here(bytes) => Body::Here(self.read_from(&bytes)),
            other => other,
        }
    }

    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>> {
        if !self.cached(Read::Page(after)) {
            return Body::NotYet;
        }
        let behind = self.records.range((Bound::Excluded(after), Bound::Unbounded));
        Body::Here(behind.take(limit).map(|(&key, _)| key).collect())
    }
}
