//! [`Disk`]: a disk that takes its time, loses at a crash what it had not committed, and may be full.

use crate::proto::fact::{Bodies, Body, Fact, LIST, PeerFact, Receipt, Record, Restored};
use crate::proto::gossip::{Gossip, Guid, Hash, Head, Key, piece_list};
use crate::proto::limits::PIECE;
use crate::proto::time::{Tick, Timestamp};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// What a read is for: the first try answers [`Body::NotYet`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Record(Guid),
    Piece(Guid, u16),
    Page(Key),
}

#[derive(Clone, Default)]
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
#[derive(Clone, Default)]
pub struct Disk {
    records: BTreeMap<Key, (Head, Bytes)>,
    names: BTreeMap<Guid, Key>,
    partials: BTreeMap<Guid, Partial>,
    peers: BTreeMap<Guid, PeerFact>,
    epoch: u64,
    last_authored: Timestamp,
    pending: VecDeque<(Tick, Fact, bool)>,
    /// Records that wait to be committed, so that they can be passed on before.
    fresh: BTreeMap<Guid, Gossip>,
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
        if let Fact::Gossip(gossip) = &fact {
            self.cached.borrow_mut().insert(Read::Record(gossip.guid()));
            self.fresh.insert(gossip.guid(), gossip.clone());
        }
        self.pending.push_back((now + self.commit, fact, authored));
    }

    /// When the next commit is due.
    pub fn due(&self) -> Tick {
        self.pending.front().map_or(Tick::NEVER, |pending| pending.0)
    }

    /// Commits what is due. Each receipt says whether its record was created here.
    pub fn commit(&mut self, now: Tick) -> Vec<(Receipt, bool)> {
        let mut receipts = Vec::new();
        while self.due() <= now {
            let Some((_, fact, authored)) = self.pending.pop_front() else { break };
            if let Fact::Gossip(gossip) = &fact {
                self.fresh.remove(&gossip.guid());
            }
            if self.full {
                self.refused += 1;
                let guid = match &fact {
                    Fact::Gossip(gossip) => Some(gossip.guid()),
                    Fact::Piece(guid, ..) | Fact::Partial(guid, _) | Fact::List(guid, _) => Some(*guid),
                    _ => None,
                };
                receipts.extend(guid.map(|guid| (Receipt::Failed(guid), authored)));
                continue;
            }
            receipts.extend(self.write(fact, authored).into_iter().map(|receipt| (receipt, authored)));
        }
        receipts
    }

    fn write(&mut self, fact: Fact, authored: bool) -> Vec<Receipt> {
        match fact {
            Fact::Gossip(gossip) => {
                if authored {
                    self.last_authored = self.last_authored.max(gossip.head().date_time());
                }
                self.insert(gossip.key(), gossip.head().clone(), gossip.msg().clone());
                return vec![Receipt::Held(gossip.key())];
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
                            self.insert(key, head, msg);
                            Receipt::Held(key)
                        }
                        false => Receipt::Wrong(guid),
                    });
                }
                return receipts;
            }
            Fact::Abandoned(guid) => drop(self.partials.remove(&guid)),
            Fact::Peer(fact) => drop(self.peers.insert(fact.guid, fact)),
            Fact::Identity(_) | Fact::Reach(_) => {}
        }
        Vec::new()
    }

    fn insert(&mut self, key: Key, head: Head, msg: Bytes) {
        self.names.insert(key.guid, key);
        self.records.insert(key, (head, msg));
    }

    /// The power fails: what was not committed is gone.
    pub fn crash(&mut self) {
        self.lost += self.pending.len() as u64;
        self.pending.clear();
        self.fresh.clear();
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
        let held = self.records.keys().map(|&key| Restored::Held(key));
        let partials = self.partials.values().filter_map(|partial| {
            let (head, list) = (partial.head.clone()?, partial.list.clone());
            Some(Restored::Partial { head, list, pieces: partial.pieces.keys().copied().collect() })
        });
        held.chain(partials).chain(self.peers.values().cloned().map(Restored::Peer)).collect()
    }

    /// The date of the last record created here.
    pub fn last_authored(&self) -> Timestamp {
        self.last_authored
    }

    /// The record of this name, if it is committed.
    pub fn gossip(&self, guid: Guid) -> Option<Gossip> {
        let (head, msg) = self.records.get(self.names.get(&guid)?)?;
        Gossip::new(head.clone(), msg.clone()).ok()
    }

    /// The names of all records committed.
    pub fn guids(&self) -> BTreeSet<Guid> {
        self.names.keys().copied().collect()
    }

    /// Whether something must be read for the node.
    pub fn has_missed(&self) -> bool {
        !self.missed.borrow().is_empty() && self.reads != Reads::Never
    }

    /// Reads what was missed.
    pub fn read(&mut self) {
        let mut cached = self.cached.borrow_mut();
        if cached.len() > 1000 {
            cached.clear();
        }
        cached.append(&mut self.missed.borrow_mut());
    }

    fn read_from(&self, bytes: &Bytes) -> Bytes {
        match self.reads {
            Reads::Wrong => bytes.iter().map(|byte| byte ^ 1).collect(),
            _ => bytes.clone(),
        }
    }

    /// A part of a record that is not complete yet, or not committed.
    fn passing(&self, guid: &Guid, index: u16) -> Option<Bytes> {
        if let Some(gossip) = self.fresh.get(guid).filter(|gossip| index == 0 && gossip.msg().len() <= PIECE) {
            return Some(gossip.msg().clone());
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

impl Bodies for Disk {
    fn record(&self, key: Key) -> Body<Arc<Record>> {
        if !self.cached(Read::Record(key.guid)) {
            return Body::NotYet;
        }
        match self.records.get(&key) {
            Some(_) if self.reads == Reads::Gone => Body::Gone,
            Some((head, msg)) => {
                let msg = self.read_from(msg);
                let msg = (msg.len() <= PIECE).then(|| msg.clone());
                Body::Here(Arc::new(Record { head: head.clone(), msg }))
            }
            None => self.fresh.get(&key.guid).map_or(Body::Gone, |gossip| {
                let msg = (gossip.msg().len() <= PIECE).then(|| gossip.msg().clone());
                Body::Here(Arc::new(Record { head: gossip.head().clone(), msg }))
            }),
        }
    }

    fn piece(&self, key: Key, index: u16) -> Body<Bytes> {
        if let Some(bytes) = self.passing(&key.guid, index) {
            return Body::Here(self.read_from(&bytes));
        }
        if !self.cached(Read::Piece(key.guid, index)) {
            return Body::NotYet;
        }
        let Some((_, msg)) = self.records.get(&key) else { return Body::Gone };
        if self.reads == Reads::Gone {
            return Body::Gone;
        }
        if index == LIST {
            return Body::Here(self.read_from(&piece_list(msg).into()));
        }
        let msg = self.read_from(msg);
        let at = usize::from(index) * PIECE;
        if at < msg.len() { Body::Here(msg.slice(at..msg.len().min(at + PIECE))) } else { Body::Gone }
    }

    fn page(&self, after: Key, limit: usize) -> Body<Arc<[Key]>> {
        if !self.cached(Read::Page(after)) {
            return Body::NotYet;
        }
        let behind = self.records.range((Bound::Excluded(after), Bound::Unbounded));
        Body::Here(behind.take(limit).map(|(&key, _)| key).collect())
    }
}
