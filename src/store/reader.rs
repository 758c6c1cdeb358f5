//! The thread that reads what a node sends on: records, pieces and pages of keys, verified again each time, since a
//! disk may have changed them. A damaged record is the writer's to see to.

use super::queue::Job;
use super::rows::{self, Stored};
use super::{NetworkId, Shared};
use crate::proto::fact::Record;
use crate::proto::gossip::Key;
use bytes::Bytes;
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

/// Keys in one page at most.
const PAGE: usize = 4096;
/// What is read in one snapshot, and answered at once, at most: half a millisecond's work, counted in records.
const TOGETHER: usize = 256;
/// As many records as a piece or a page counts.
const LONG: usize = 32;

/// Called with answers, one or more at once.
pub type OnLoaded = Box<dyn Fn(Vec<(NetworkId, Load, Loaded)>) + Send>;

/// Something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Load {
    /// A complete record.
    Record(Key),
    /// A piece of a long record, complete or not; [`LIST`](crate::proto::fact::LIST) is the list of their hashes.
    Piece(Key, u16),
    /// The first `limit` keys after `after`.
    Page {
        /// Where to begin; not part of the answer.
        after: Key,
        /// How many, at most 4,096.
        limit: usize,
    },
}

impl Load {
    fn record(&self) -> Option<Key> {
        if let Load::Record(key) = self { Some(*key) } else { None }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// The record.
    Record(Arc<Record>),
    /// The piece, or the list.
    Piece(Bytes),
    /// The keys, in order.
    Page(Arc<[Key]>),
    /// It is not there, or could not be read just now.
    Gone,
    /// This record was found damaged. The writer looks again: it deletes and reports what is lost, and mends what is not.
    Bad(Key),
}

/// What the reader's thread is asked for.
#[derive(Debug)]
pub(super) enum Ask {
    Load(NetworkId, Load),
    Stop,
}

/// The reader's thread.
pub(super) fn run(shared: &Shared, asks: &Receiver<Ask>, on_loaded: OnLoaded) {
    while let Ok(ask) = asks.recv() {
        let (mut loads, mut work) = (Vec::new(), 0);
        let mut next = Some(ask);
        while let Some(Ask::Load(network, load)) = next {
            loads.push((network, load));
            work += if matches!(load, Load::Record(_)) { 1 } else { LONG };
            next = if work < TOGETHER { asks.try_recv().ok() } else { None };
        }
        answer(shared, &loads, &on_loaded);
        if let Some(Ask::Stop) = next {
            break;
        }
    }
}

/// Reads in one snapshot; where that fails, one by one.
fn answer(shared: &Shared, loads: &[(NetworkId, Load)], on_loaded: &OnLoaded) {
    if loads.is_empty() {
        return;
    }
    shared.answered.fetch_add(1, Ordering::Relaxed);
    let all: Vec<_> = match (shared.reading(|db| read(db, loads)), loads) {
        (Ok(all), _) => all,
        (Err(_), &[(network, load)]) => vec![(network, load, Loaded::Gone)],
        (Err(_), _) => return loads.chunks(1).for_each(|load| answer(shared, load, on_loaded)),
    };
    for (network, _, loaded) in &all {
        if let Loaded::Bad(key) = loaded {
            shared.queue.push(*network, Job::Condemn(*key));
        }
    }
    on_loaded(all);
}

/// What was asked for, in that order; records one behind the other are read as they lie there.
fn read(db: &Connection, loads: &[(NetworkId, Load)]) -> rusqlite::Result<Vec<(NetworkId, Load, Loaded)>> {
    let mut all = Vec::with_capacity(loads.len());
    let is_run = |(one, load): &(NetworkId, Load), (other, next): &(NetworkId, Load)| {
        one == other && load.record().is_some() && next.record().is_some()
    };
    for run in loads.chunk_by(is_run) {
        let (network, load) = run[0];
        let loaded = match load {
            Load::Record(_) => records(db, network, run.iter().filter_map(|(_, load)| load.record()).collect())?,
            Load::Piece(key, index) => vec![piece(db, network, key, index)?],
            Load::Page { after, limit } => vec![Loaded::Page(page(db, network, after, limit)?.into())],
        };
        all.extend(run.iter().zip(loaded).map(|(&(network, load), loaded)| (network, load, loaded)));
    }
    Ok(all)
}

fn records(db: &Connection, network: NetworkId, keys: Vec<Key>) -> rusqlite::Result<Vec<Loaded>> {
    let mut all = Vec::with_capacity(keys.len());
    Stored::read_run(db, network, &keys, &mut |stored| {
        let key = keys[all.len()];
        all.push(stored.map_or(Ok(Loaded::Gone), |stored| record(db, key, stored))?);
        Ok(())
    })?;
    Ok(all)
}

fn record(db: &Connection, key: Key, stored: Stored) -> rusqlite::Result<Loaded> {
    if let (Some(head), Some(_)) = (&stored.head, stored.body)
        && head.piece_count() > 1
    {
        return Ok(Loaded::Record(Arc::new(Record { head: head.clone(), msg: None })));
    }
    let whole = stored.whole(db)?.map(|(head, msg)| Record { head, msg: Some(msg) });
    Ok(whole.map_or(Loaded::Bad(key), |record| Loaded::Record(Arc::new(record))))
}

fn piece(db: &Connection, network: NetworkId, key: Key, index: u16) -> rusqlite::Result<Loaded> {
    let Some(stored) = Stored::read(db, network, key)? else {
        let partial = Stored::read_partial(db, network, key)?;
        let found = partial.map(|partial| partial.piece(db, index)).transpose()?.flatten();
        return Ok(found.map_or(Loaded::Gone, Loaded::Piece));
    };
    let count = stored.head.as_ref().map_or(0, |head| head.piece_count());
    if count == 1 {
        return Ok(match stored.whole(db)? {
            Some((_, msg)) if index == 0 => Loaded::Piece(msg),
            Some(_) => Loaded::Gone,
            None => Loaded::Bad(key),
        });
    }
    if count > 1 && index != crate::proto::fact::LIST && usize::from(index) >= count {
        return Ok(Loaded::Gone);
    }
    Ok(stored.piece(db, index)?.map_or(Loaded::Bad(key), Loaded::Piece))
}

/// Up to `limit` keys after `after` in order, from the covering index alone.
fn page(db: &Connection, network: NetworkId, after: Key, limit: usize) -> rusqlite::Result<Vec<Key>> {
    let (mut keys, mut guid, limit) = (Vec::new(), &after.guid.0[..], limit.min(PAGE));
    for (first, last) in rows::spans(after.date_time, rows::LATEST) {
        let mut statement = db.prepare_cached(
            "SELECT date_time, guid FROM gossip INDEXED BY gossip_key
             WHERE network = ?1 AND (date_time, guid) > (?2, ?3) AND date_time <= ?4
             ORDER BY date_time, guid LIMIT ?5",
        )?;
        let mut found = statement.query(params![network.0, first, guid, last, (limit - keys.len()) as i64])?;
        while let Some(row) = found.next()? {
            // A GUID of another length is damage; it is left out, and its record comes back from others.
            keys.extend(rows::key(row).ok());
        }
        // Before all GUIDs of a date: the empty blob.
        guid = &[];
    }
    Ok(keys)
}
