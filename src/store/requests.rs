//! Requests that may come again: what a caller named one, what was asked, and which record came of it. Kept with the
//! record in one commit, so that a request repeated after a crash is known, too.

use super::rows::{self, date};
use super::{NetworkId, Store, StoreError};
use crate::proto::gossip::{Guid, Hash, Key};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// Requests that are kept at most: about 100 MB where each is named by a UUID, twice that by the longest names; for one more,
/// the oldest goes.
const KEPT: i64 = 1 << 19;
/// Of the oldest so many are looked at for each new one: more than one, so that those too old get fewer.
const OLDEST: i64 = 4;

pub(super) const SCHEMA: &str = "
    CREATE TABLE request (
        network INTEGER NOT NULL, name TEXT NOT NULL, asked BLOB NOT NULL, date_time INTEGER NOT NULL,
        guid BLOB NOT NULL, UNIQUE (network, name)
    );
";

/// A request that may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What its caller calls it.
    pub name: String,
    /// A hash of what is asked.
    pub asked: Hash,
}

impl Request {
    /// How long it is known.
    pub const KNOWN: Duration = Duration::from_secs(24 * 3600);
}

impl Store {
    /// What was asked under this name, and the record that came of it; none where that is not here any more.
    pub fn requested(&self, network: NetworkId, name: &str) -> Result<Option<(Hash, Key)>, StoreError> {
        let sql = "SELECT date_time, guid, asked FROM request WHERE network = ?1 AND name = ?2 AND EXISTS (
                       SELECT 1 FROM gossip INDEXED BY gossip_key WHERE gossip.network = request.network
                       AND gossip.date_time = request.date_time AND gossip.guid = request.guid)";
        self.shared.reading(|db| {
            let found = db.prepare_cached(sql)?.query_row(params![network.0, name], |row| {
                let key = Key { date_time: rows::timestamp(row.get(0)?), guid: Guid(row.get(1)?) };
                Ok((row.get(2)?, key))
            });
            found.optional()
        })
    }
}

/// Keeps a request with the record that came of it.
pub(super) fn keep(db: &Connection, network: NetworkId, request: &Request, key: Key) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO request (network, name, asked, date_time, guid) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        network.0,
        request.name,
        request.asked,
        date(key.date_time),
        key.guid.0
    ])?;
    let known = key.date_time - Request::KNOWN;
    let sql = "DELETE FROM request WHERE rowid IN (SELECT rowid FROM request ORDER BY rowid LIMIT ?1)
               AND (date_time < ?2 OR rowid <= (SELECT max(rowid) FROM request) - ?3)";
    db.prepare_cached(sql)?.execute(params![OLDEST, date(known), KEPT]).map(drop)
}
