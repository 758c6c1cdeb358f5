//! What left a network by its law: put aside first, and deleted later. A record is put aside by moving its row to the
//! network's shadow, a network of its own that nobody asks for: so no list, page, search or start meets it, whatever it
//! looks for, and a move rewrites one row. `aside` says why, and until when it stays.

use super::{NetworkId, network, rows, search};
use crate::proto::fact::Restored;
use crate::proto::gossip::{Guid, Key};
use crate::proto::retention::{Left, Silence};
use crate::proto::time::Timestamp;
use rows::date;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

pub(super) const SCHEMA: &str = "
    CREATE TABLE aside (
        row INTEGER PRIMARY KEY, network INTEGER NOT NULL, why INTEGER NOT NULL, until INTEGER NOT NULL
    );
    CREATE TABLE silence (
        network INTEGER NOT NULL, guid BLOB NOT NULL, lasted INTEGER NOT NULL, knew INTEGER NOT NULL,
        UNIQUE (network, guid)
    );
";

/// A network's shadow. The ids of networks are not negative.
pub(super) fn of(network: NetworkId) -> NetworkId {
    NetworkId(!network.0)
}

/// What was moved or deleted.
#[derive(Default)]
pub(super) struct Moved {
    pub count: i64,
    pub bytes: i64,
    /// Older copies that had been put aside before.
    pub replaced: i64,
    pub replaced_bytes: i64,
}

struct Found {
    id: i64,
    len: i64,
    body: Option<i64>,
}

fn find(db: &Connection, network: NetworkId, key: &Key) -> rusqlite::Result<Option<Found>> {
    let sql = "SELECT id, len, body FROM gossip INDEXED BY gossip_key
               WHERE network = ?1 AND date_time = ?2 AND guid = ?3";
    let found = db.prepare_cached(sql)?.query_row(params![network.0, date(key.date_time), key.guid.0], |row| {
        let len = row.get_ref(1)?.as_i64().unwrap_or(0);
        Ok(Found { id: row.get(0)?, len, body: row.get_ref(2)?.as_i64().ok() })
    });
    found.optional()
}

/// Puts records aside; those that are not here are passed over.
pub(super) fn put(
    db: &Connection,
    network: NetworkId,
    left: Left,
    until: Timestamp,
    keys: &[Key],
) -> rusqlite::Result<Moved> {
    let (mut moved, shadow) = (Moved::default(), of(network));
    network::add_unnamed(db, shadow)?;
    for key in keys {
        let Some(found) = find(db, network, key)? else { continue };
        if let Some(older) = find(db, shadow, key)? {
            rows::delete(db, older.id, older.body)?;
            moved.replaced += 1;
            moved.replaced_bytes += older.len;
        }
        db.prepare_cached("UPDATE gossip SET network = ?2 WHERE id = ?1")?.execute(params![found.id, shadow.0])?;
        let sql = "INSERT OR REPLACE INTO aside (row, network, why, until) VALUES (?1, ?2, ?3, ?4)";
        db.prepare_cached(sql)?.execute(params![found.id, shadow.0, left as i64, date(until)])?;
        search::forget(db, found.id)?;
        moved.count += 1;
        moved.bytes += found.len;
    }
    Ok(moved)
}

/// Deletes records that were put aside. Of the last row only what it said goes: the next record would take its number, and
/// pass for it where somebody follows. Its rest goes when it is met again, as after each start, and is the last no more.
pub(super) fn delete(db: &Connection, network: NetworkId, keys: &[Key]) -> rusqlite::Result<Moved> {
    let last = rows::last(db)?;
    let mut deleted = Moved::default();
    for key in keys {
        let Some(found) = find(db, of(network), key)? else { continue };
        if Some(found.id) == last {
            let sql = "UPDATE gossip SET who_name = '', msg = '', body = NULL WHERE id = ?1";
            db.prepare_cached(sql)?.execute([found.id])?;
            rows::delete_pieces(db, found.body)?;
            continue;
        }
        rows::delete(db, found.id, found.body)?;
        deleted.count += 1;
        deleted.bytes += found.len;
    }
    Ok(deleted)
}

/// Keeps the number of the last row, whose record goes: the next would take it, and pass for it where somebody follows.
/// What stands there instead is aside like all that left, until it is met again and no longer the last.
pub(super) fn keep_place(db: &Connection, network: NetworkId, row: i64) -> rusqlite::Result<()> {
    let shadow = of(network);
    network::add_unnamed(db, shadow)?;
    // The row's number makes its key unique.
    let sql = "INSERT INTO gossip (id, network, date_time, guid, kind, origin, who_name, len, sha2)
               VALUES (?1, ?2, ?1, zeroblob(16), 0, zeroblob(16), '', 0, zeroblob(32))";
    db.prepare_cached(sql)?.execute(params![row, shadow.0])?;
    let sql = "INSERT OR REPLACE INTO aside (row, network, why, until) VALUES (?1, ?2, ?3, 0)";
    db.prepare_cached(sql)?.execute(params![row, shadow.0, Left::Expired as i64]).map(drop)
}

/// Tells of all that is aside. After a salvage nobody knows why it is: then it is deleted soon, and the law says again
/// what must not come back.
pub(super) fn restore(db: &Connection, network: NetworkId, each: &mut dyn FnMut(Restored)) -> rusqlite::Result<()> {
    let sql = "SELECT date_time, guid, why, until FROM gossip INDEXED BY gossip_key
               LEFT JOIN aside ON aside.row = gossip.id WHERE gossip.network = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query([of(network).0])?;
    while let Some(row) = found.next()? {
        let Ok(key) = rows::key(row) else { continue };
        let why: Option<i64> = row.get_ref(2)?.as_i64().ok();
        let left = if why == Some(Left::Forgotten as i64) { Left::Forgotten } else { Left::Expired };
        each(Restored::Gone(key, left, rows::timestamp(row.get_ref(3)?.as_i64().unwrap_or(0))));
    }
    Ok(())
}

/// Tells of the nodes that were not reached.
pub(super) fn restore_silences(
    db: &Connection,
    network: NetworkId,
    each: &mut dyn FnMut(Restored),
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("SELECT guid, lasted, knew FROM silence WHERE network = ?1 ORDER BY guid")?;
    let mut found = statement.query([network.0])?;
    while let Some(row) = found.next()? {
        if let (Ok(guid), Ok(lasted), Ok(knew)) = (row.get(0), row.get::<_, i64>(1), row.get(2)) {
            let silence = Silence { lasted: Duration::from_micros(lasted.max(0).unsigned_abs()), knew };
            each(Restored::Silence(Guid(guid), silence));
        }
    }
    Ok(())
}

/// A node is not reached since so long, or is again.
pub(super) fn keep_silence(
    db: &Connection,
    network: NetworkId,
    guid: Guid,
    silence: Option<Silence>,
) -> rusqlite::Result<()> {
    let Some(Silence { lasted, knew }) = silence else {
        let sql = "DELETE FROM silence WHERE network = ?1 AND guid = ?2";
        return db.prepare_cached(sql)?.execute(params![network.0, guid.0]).map(drop);
    };
    let lasted = i64::try_from(lasted.as_micros()).unwrap_or(i64::MAX);
    let sql = "INSERT OR REPLACE INTO silence (network, guid, lasted, knew) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![network.0, guid.0, lasted, knew]).map(drop)
}
