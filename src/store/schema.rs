//! What `gossip.db` looks like, and how a connection to it is opened and looked over.
//!
//! `application_id` says that the file is ours, `user_version` which schema it has. A kind of record that is added to
//! the protocol needs a new schema version, since an older program takes records that it cannot read for damaged.

use super::{aside, network, requests, search};
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;

/// The schema that this program writes.
pub(super) const VERSION: i64 = 3;
/// "goss" in ASCII.
const APPLICATION: i64 = 0x676f_7373;
/// Bytes of a page. [`pages`](super::pages) counts on it.
pub(super) const PAGE: usize = 4096;
/// Schema versions above this are no versions but damage.
const PLAUSIBLE: i64 = 1000;

/// All times are microseconds since 1970; those from 2^63 on are negative numbers, and newer than all others. `pieces`
/// is NULL where MSG is one piece; `msg` is NULL where it is more, and then lies in `piece` under `body`. The row 65535
/// of a body is the list of the hashes of its pieces.
const SCHEMA: &str = "
    CREATE TABLE network (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,
        count INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE gossip (
        id INTEGER PRIMARY KEY, network INTEGER NOT NULL, date_time INTEGER NOT NULL, guid BLOB NOT NULL,
        kind INTEGER NOT NULL, origin BLOB NOT NULL, who_name TEXT NOT NULL, len INTEGER NOT NULL, sha2 BLOB NOT NULL,
        pieces BLOB, msg TEXT, body INTEGER
    );
    CREATE TABLE partial (
        body INTEGER PRIMARY KEY, network INTEGER NOT NULL, date_time INTEGER NOT NULL, guid BLOB NOT NULL,
        kind INTEGER NOT NULL, origin BLOB NOT NULL, who_name TEXT NOT NULL, len INTEGER NOT NULL, sha2 BLOB NOT NULL,
        pieces BLOB, UNIQUE (network, guid)
    );
    CREATE TABLE piece (body INTEGER NOT NULL, idx INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (body, idx));
    CREATE TABLE peer (
        network INTEGER NOT NULL, guid BLOB NOT NULL, name TEXT NOT NULL, addr TEXT NOT NULL,
        last_update INTEGER NOT NULL, UNIQUE (network, guid)
    );
";

/// What version 2 added: the index of words, and the requests that may come again. Neither is salvaged: the one is made
/// anew, and of the other nobody needs more than a day.
const ADDED_BY_2: [&str; 2] = [search::SCHEMA, requests::SCHEMA];

/// What version 3 added: records of other kinds than messages, what left the network (see `aside`), and an index from
/// which a start can read all that a node keeps in mind of a record.
const ADDED_BY_3: [&str; 2] = [KEYS, aside::SCHEMA];

/// A record's kind and origin follow from its GUID, so the first three columns alone are unique, too.
const KEYS: &str = "
    DROP INDEX IF EXISTS gossip_key;
    CREATE UNIQUE INDEX gossip_key ON gossip (network, date_time, guid, kind, origin);
    CREATE INDEX gossip_decree ON gossip (network) WHERE kind <> 0;
";

/// What an existing file turned out to be.
pub(super) enum Opened {
    /// Ours and, as far as was looked, whole.
    Whole(Connection),
    /// Damaged, and why we think so.
    Damaged(String),
    /// Made by a newer program.
    Newer(i64),
}

/// Whether an error says that the file is damaged, as opposed to full, locked or out of reach.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    // No statement of ours wrote a value of another type than it reads.
    matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..))
        || is_short_read(error)
        || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) && !search::is_index_damage(error)
}

/// Opens a file that may be written; an empty one becomes a store.
pub(super) fn open(path: &Path) -> rusqlite::Result<Opened> {
    try_open(path)
        .or_else(|error| if is_surroundings(&error) { Err(error) } else { Ok(Opened::Damaged(error.to_string())) })
}

/// Whether an error on opening is none of the file's content. All others are: a few bytes changed in the header or
/// the schema can make a file look read-only, of another format, or without some table.
fn is_surroundings(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::*;
    matches!(
        error.sqlite_error_code(),
        Some(
            SystemIoFailure
                | DiskFull
                | CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | PermissionDenied
                | OutOfMemory
                | FileLockingProtocolFailed
        )
    ) && !is_short_read(error)
}

/// Whether the file ended where there was to be more of it.
fn is_short_read(error: &rusqlite::Error) -> bool {
    is_code(error, rusqlite::ffi::SQLITE_IOERR_SHORT_READ)
}

/// Whether the disk did not say that it has what was written.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    is_code(error, rusqlite::ffi::SQLITE_IOERR_FSYNC)
}

fn is_code(error: &rusqlite::Error, extended: i32) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == extended)
}

/// A connection to a file that is there, which may write.
pub(super) fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn try_open(path: &Path) -> rusqlite::Result<Opened> {
    let mut db = open_file(path)?;
    db.pragma_update(None, "page_size", PAGE as i64)?;
    db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |row| row.get::<_, i64>(0))?;
    db.set_prepared_statement_cache_capacity(64);
    let number = |db: &Connection, name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0 {
        let made = db.transaction()?;
        made.execute_batch(SCHEMA)?;
        add(&made, 1)?;
        made.pragma_update(None, "application_id", APPLICATION)?;
        made.pragma_update(None, "user_version", VERSION)?;
        made.commit()?;
        return Ok(Opened::Whole(db));
    }
    let version = number(&db, "user_version")?;
    if number(&db, "application_id")? != APPLICATION || !(1..PLAUSIBLE).contains(&version) {
        return Ok(Opened::Damaged("it is not marked as a store of gossip-node".to_owned()));
    }
    if version > VERSION {
        return Ok(Opened::Newer(version));
    }
    if number(&db, "page_size")? != PAGE as i64 {
        return Ok(Opened::Damaged("its pages have a size that we did not choose".to_owned()));
    }
    // With another encoding every text would be misread, and every record taken for damaged.
    let encoding: String = db.pragma_query_value(None, "encoding", |row| row.get(0))?;
    if encoding != "UTF-8" || number(&db, "auto_vacuum")? != 0 {
        return Ok(Opened::Damaged("its header has settings that we did not make".to_owned()));
    }
    if let Some(why) = look_over(&db, version)? {
        return Ok(Opened::Damaged(why));
    }
    if version < VERSION {
        let made = db.transaction()?;
        add(&made, version)?;
        made.pragma_update(None, "user_version", VERSION)?;
        made.commit()?;
    }
    Ok(Opened::Whole(db))
}

/// What was added after this version.
fn add(db: &Connection, version: i64) -> rusqlite::Result<()> {
    let added = [(2, ADDED_BY_2), (3, ADDED_BY_3)].into_iter().filter(|(by, _)| *by > version);
    added.flat_map(|(_, added)| added).try_for_each(|added| db.execute_batch(added))
}

/// Counts the keys, which visits each of their pages (0.02 s for a million records), and reads the small tables. What
/// this does not see is met when it is used.
fn look_over(db: &Connection, version: i64) -> rusqlite::Result<Option<String>> {
    let pair = |sql: &str| db.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let mut counted = 0_i64;
    let mut networks = db.prepare("SELECT id, count, name, typeof(bytes + epoch) FROM network")?;
    let mut rows = networks.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(2)?);
        if !network::is_id_of(id, &name) {
            return Ok(Some("it has a network under another's number".to_owned()));
        }
        counted = counted.saturating_add(row.get(1)?);
    }
    let keys: i64 = db.query_row("SELECT count(*) FROM gossip INDEXED BY gossip_key", [], |row| row.get(0))?;
    if keys != counted {
        return Ok(Some(format!("it has {keys} keys of records, and {counted} were counted")));
    }
    pair("SELECT count(*), ifnull(sum(length(guid) + length(who_name) + length(sha2)), 0) FROM partial")?;
    pair("SELECT count(*), ifnull(sum(length(guid) + length(name) + length(addr) + last_update & 0), 0) FROM peer")?;
    // All columns that statements name exist.
    let added = [(2, "request"), (2, "search"), (3, "aside"), (3, "silence")];
    let added = added.iter().filter(|(by, _)| *by <= version).map(|(_, table)| table);
    for table in ["gossip", "partial", "piece", "peer", "network"].iter().chain(added) {
        let names: Vec<String> = db
            .prepare("SELECT name FROM pragma_table_info(?1)")?
            .query_map(params![table], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let columns = match *table {
            "gossip" => 12,
            "partial" => 10,
            "piece" => 3,
            "search" => 1,
            "aside" | "silence" => 4,
            _ => 5,
        };
        if names.len() != columns {
            return Ok(Some(format!("its table {table} has {} columns instead of {columns}", names.len())));
        }
    }
    Ok(None)
}

/// Another connection to an open store, for reading only.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}
