//! Records in the order in which they arrived here, for those who follow: who says where it stands goes on from there
//! and misses none, however slow it is and however long it was away. Each query sees a snapshot and reads one page.

use super::queries::{Row, complete_row};
use super::rows::{HEAD, date};
use super::{NetworkId, Store, StoreError};
use crate::proto::gossip::{Guid, Key};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

/// A place in the order of arrival: behind the record in this row. The record's GUID tells whether the row is still the
/// one that it was; where a damaged store is salvaged rows get other numbers, behind all that there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The row; 0 is before all.
    pub row: i64,
    /// What it holds, in whichever network.
    pub guid: Guid,
}

/// What [`Store::arrived`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Records that arrived later, each with its place.
    Page {
        /// In order.
        rows: Vec<(Place, Row)>,
        /// Where to go on.
        next: Place,
        /// Whether there may be more.
        more: bool,
    },
    /// So many rows are behind it that who asked wants none of them.
    Behind {
        /// About how many.
        rows: u64,
        /// The place behind all of them.
        last: Place,
    },
    /// The order is another one than when the place was given.
    Lost,
}

impl Store {
    /// The place behind all that is here.
    pub fn last_place(&self) -> Result<Place, StoreError> {
        self.shared.reading(last_place)
    }

    /// The place behind a complete record.
    pub fn place(&self, network: NetworkId, key: Key) -> Result<Option<Place>, StoreError> {
        let sql =
            "SELECT id, guid FROM gossip INDEXED BY gossip_key WHERE network = ?1 AND date_time = ?2 AND guid = ?3";
        self.shared.reading(|db| {
            let place = db
                .prepare_cached(sql)?
                .query_row(params![network.0, date(key.date_time), key.guid.0], |row| place_of(row, 0));
            place.optional()
        })
    }

    /// What arrived in a network after `after`: one page, of which at most `limit` rows are read; none where more than
    /// `behind` are.
    pub fn arrived(&self, network: NetworkId, after: Place, limit: usize, behind: i64) -> Result<Arrivals, StoreError> {
        let mut bad = Vec::new();
        let arrivals = self.shared.reading(|db| {
            let Some(after) = found_again(db, after)? else { return Ok(Arrivals::Lost) };
            let last = last_place(db)?;
            let rows = last.row.saturating_sub(after.row);
            if rows > behind {
                // Some numbers have no row.
                let sql = "SELECT sum(count) FROM network";
                let all: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                return Ok(Arrivals::Behind { rows: rows.min(all).unsigned_abs(), last });
            }
            let sql =
                format!("SELECT {HEAD}, msg, body, id, guid, network FROM gossip WHERE id > ?1 ORDER BY id LIMIT ?2");
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params![after.row, limit.min(i64::MAX as usize) as i64])?;
            let (mut rows, mut next, mut read) = (Vec::new(), after, 0);
            while let Some(row) = found.next()? {
                (next, read) = (place_of(row, 10)?, read + 1);
                // A damaged row is passed over: its record is fetched again and arrives once more.
                if row.get::<_, i64>(12)? == network.0
                    && let Some(whole) = complete_row(db, row, None, &mut bad)?
                {
                    rows.push((next, whole));
                }
            }
            Ok(Arrivals::Page { rows, next, more: read == limit })
        })?;
        self.condemn(network, &bad);
        Ok(arrivals)
    }
}

fn last_place(db: &Connection) -> rusqlite::Result<Place> {
    let sql = "SELECT id, guid FROM gossip ORDER BY id DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([], |row| place_of(row, 0)).optional()?.unwrap_or_default())
}

/// Row and GUID in two columns. A GUID of another length is damage, and no place that anybody was given.
fn place_of(row: &SqlRow<'_>, first: usize) -> rusqlite::Result<Place> {
    Ok(Place { row: row.get(first)?, guid: Guid(row.get(first + 1).unwrap_or_default()) })
}

/// The same place in the rows as they are now; `None` if another record has the row, or none can have had it.
fn found_again(db: &Connection, place: Place) -> rusqlite::Result<Option<Place>> {
    if place.row <= 0 {
        return Ok(Some(Place::default()));
    }
    let sql = "SELECT id, guid FROM gossip WHERE id = ?1";
    let now = db.prepare_cached(sql)?.query_row([place.row], |row| place_of(row, 0)).optional()?;
    Ok(match now {
        // It keeps the number of what was there.
        Some(now) if now.guid == Guid::default() => Some(place),
        Some(now) => (now == place).then_some(place),
        // Its record left, or was damaged. The last row is never taken away: there is none behind it but in another store.
        None => (place.row < last_place(db)?.row).then_some(place),
    })
}
