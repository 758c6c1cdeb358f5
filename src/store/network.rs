//! Networks in the store. A network's id follows from its name, so that records whose network's row was damaged are
//! found again when the daemon asks for that network.

use super::NetworkId;
use crate::proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

/// Ids that are tried one after the other where names collide (31 bits, and a handful of names).
const TRIES: i64 = 16;

fn first_id(name: &str) -> i64 {
    let hash = Sha256::digest(name.as_bytes());
    i64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1)
}

/// Whether [`id`] may have given this id to this name.
pub(super) fn is_id_of(id: i64, name: &str) -> bool {
    name == unnamed(id) || (first_id(name)..first_id(name) + TRIES).contains(&id)
}

/// The name of a network whose own is not known (yet). No network is called so: names have no control characters.
fn unnamed(id: i64) -> String {
    format!("\u{0}{id}")
}

/// The id of a network, which is added if it is new.
pub(super) fn id(db: &Connection, name: &str) -> rusqlite::Result<NetworkId> {
    let found = db.prepare_cached("SELECT id FROM network WHERE name = ?1")?.query_row([name], |row| row.get(0));
    if let Some(id) = found.optional()? {
        return Ok(NetworkId(id));
    }
    for id in first_id(name)..first_id(name) + TRIES {
        if add(db, id, name)? {
            return Ok(NetworkId(id));
        }
    }
    Err(rusqlite::Error::InvalidParameterName(format!("{TRIES} networks have names like {name:?}")))
}

/// Adds a network, or names one that had none; `false` if the id is another's.
pub(super) fn add(db: &Connection, id: i64, name: &str) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO network (id, name) VALUES (?1, ?2)
               ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name = ?3";
    Ok(db.prepare_cached(sql)?.execute(params![id, name, unnamed(id)])? == 1)
}

/// Makes sure that there is a row for totals.
pub(super) fn add_unnamed(db: &Connection, network: NetworkId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO network (id, name) VALUES (?1, ?2)")?
        .execute(params![network.0, unnamed(network.0)])
        .map(drop)
}

pub(super) fn raise_epoch(db: &Connection, id: i64, epoch: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE network SET epoch = max(epoch, ?2) WHERE id = ?1")?.execute(params![id, epoch]).map(drop)
}

/// The network's name and its next epoch: above all before, and not below the clock. It is on disk when this returns.
pub(super) fn next_epoch(db: &Connection, network: NetworkId, clock: Timestamp) -> rusqlite::Result<(String, u64)> {
    let clock = i64::try_from(clock.0).unwrap_or(i64::MAX);
    // One more than the last integer would be a fraction.
    let sql = "UPDATE network SET epoch = max(min(epoch, ?3) + 1, ?2) WHERE id = ?1 RETURNING name, epoch";
    // Read to its end, since only then the statement commits.
    let epochs = db
        .prepare_cached(sql)?
        .query_map(params![network.0, clock, i64::MAX - 1], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    epochs.into_iter().next().ok_or(rusqlite::Error::QueryReturnedNoRows)
}
