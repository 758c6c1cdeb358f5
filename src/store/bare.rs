//! What SQLite alone makes of the rows that a store writes, in batches, on the same disk and with the same care: what a
//! store is held against.

use super::rows::HEAD;
use super::schema::{self, Opened};
use rusqlite::params;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long SQLite takes to commit so many records of `size` bytes, `batch` in each transaction, to a new file at `path`.
#[expect(clippy::disallowed_methods, reason = "it measures")]
pub fn insert(path: &Path, records: usize, size: usize, batch: usize) -> io::Result<Duration> {
    super::create_private(path)?;
    let Opened::Whole(mut db) = schema::open(path).map_err(io::Error::other)? else {
        return Err(io::Error::other("there is a file already"));
    };
    let msg = "x".repeat(size);
    let sql = format!(
        "INSERT INTO gossip (network, {HEAD}, msg) VALUES (1, ?1, ?2, 0, ?3, 'bare', ?4, ?5, NULL, ?6)
         ON CONFLICT DO NOTHING"
    );
    let began = Instant::now();
    let mut insert = || {
        let mut next = 0;
        while next < records {
            let transaction = db.transaction()?;
            let mut insert = transaction.prepare_cached(&sql)?;
            for number in next..records.min(next + batch.max(1)) {
                // Keys as a node makes them: in the order of time, and otherwise as good as random.
                let guid = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes();
                insert.execute(params![number as i64, guid, [7_u8; 16], size as i64, [9_u8; 32], msg])?;
            }
            drop(insert);
            transaction.commit()?;
            next += batch.max(1);
        }
        Ok::<_, rusqlite::Error>(())
    };
    insert().map_err(io::Error::other)?;
    Ok(began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_rows_are_there_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bare.db");
        assert!(!insert(&path, 25, 100, 10).unwrap().is_zero());
        let count =
            |db: rusqlite::Connection| db.query_row("SELECT count(*) FROM gossip", [], |row| row.get::<_, i64>(0));
        assert_eq!(count(schema::open_reader(&path).unwrap()).unwrap(), 25);
    }
}
