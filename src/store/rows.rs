//! Rows of `gossip` and `partial` as heads, with the check that every reader makes: the GUID follows from the row.

use crate::proto::fact::LIST;
use crate::proto::gossip::{Guid, Hash, Head, Key, Kind, piece_list};
use crate::proto::time::Timestamp;
use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, ToSql, params, params_from_iter};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

use super::{NetworkId, search};

/// The columns of a head, in the order in which [`head`] wants them.
pub(super) const HEAD: &str = "date_time, guid, kind, origin, who_name, len, sha2, pieces";

/// A date as SQLite keeps it: the same bits.
pub(super) fn date(at: Timestamp) -> i64 {
    at.0 as i64
}

/// [`date`]'s inverse.
pub(super) fn timestamp(date: i64) -> Timestamp {
    Timestamp(date as u64)
}

/// The latest date that can be kept.
pub(super) const LATEST: Timestamp = Timestamp(u64::MAX);

/// The ranges of `date_time` that hold all dates from `first` to `last`, oldest first. There may be two, since the dates
/// from 2^63 on, which nobody needs and anybody may send, are negative in SQLite.
pub(super) fn spans(first: Timestamp, last: Timestamp) -> Vec<(i64, i64)> {
    match (date(first), date(last)) {
        (early, late) if early >= 0 && late < 0 => vec![(early, i64::MAX), (i64::MIN, late)],
        span => vec![span],
    }
}

fn array<const N: usize>(value: ValueRef<'_>) -> Option<[u8; N]> {
    value.as_blob().ok()?.try_into().ok()
}

/// What the columns `network` and [`HEAD`] take: [`head_of`]'s inverse.
pub(super) fn head_values<'a>(network: NetworkId, guid: &'a Guid, head: &'a Head) -> [ToSqlOutput<'a>; 9] {
    let int = |int: i64| ToSqlOutput::from(int);
    let blob = |bytes: &'a [u8]| ToSqlOutput::Borrowed(ValueRef::Blob(bytes));
    let pieces = if head.piece_count() > 1 { ValueRef::Blob(head.pieces()) } else { ValueRef::Null };
    [
        int(network.0),
        int(date(head.date_time())),
        blob(&guid.0),
        int(head.kind() as i64),
        ToSqlOutput::Owned(Value::Blob(head.origin().0.to_vec())),
        ToSqlOutput::Borrowed(ValueRef::Text(head.who_name().as_bytes())),
        int(head.len() as i64),
        blob(head.sha2()),
        ToSqlOutput::Borrowed(pieces),
    ]
}

/// Adds a complete record, unless one is there under its key: for [`insert`].
pub(super) static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO gossip (network, {HEAD}, msg, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO NOTHING"
    )
});

/// Adds a record whose MSG is text, or lies in the pieces of `body`; says whether it is new.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    network: NetworkId,
    guid: &Guid,
    head: &Head,
    msg: Option<&Bytes>,
    body: Option<i64>,
) -> rusqlite::Result<bool> {
    let msg = ToSqlOutput::Borrowed(msg.map_or(ValueRef::Null, |msg| ValueRef::Text(msg)));
    let values = head_values(network, guid, head).into_iter().chain([msg, body.to_sql()?]);
    Ok(statement.execute(params_from_iter(values))? == 1)
}

/// The number of the last row.
pub(super) fn last(db: &Connection) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT max(id) FROM gossip")?.query_row([], |row| row.get(0))
}

/// Deletes a complete record's row, and what belongs to it.
pub(super) fn delete(db: &Connection, id: i64, body: Option<i64>) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM gossip WHERE id = ?1")?.execute([id])?;
    db.prepare_cached("DELETE FROM aside WHERE row = ?1")?.execute([id])?;
    search::forget(db, id)?;
    delete_pieces(db, body)
}

/// Deletes the pieces of a MSG, if it has several.
pub(super) fn delete_pieces(db: &Connection, body: Option<i64>) -> rusqlite::Result<()> {
    let Some(body) = body else { return Ok(()) };
    db.prepare_cached("DELETE FROM piece WHERE body = ?1")?.execute([body]).map(drop)
}

/// The head in columns [`HEAD`], if the GUID beside it is its own.
pub(super) fn head_of<'a>(column: impl Fn(usize) -> Option<ValueRef<'a>>) -> Option<(Guid, Head)> {
    let int = |at| column(at)?.as_i64().ok();
    let guid = Guid(array(column(1)?)?);
    let who_name = match column(4)? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?,
        _ => return None,
    };
    let pieces: Hash = match column(7)? {
        ValueRef::Null => [0; 32],
        hash => array(hash)?,
    };
    let kind = Kind::try_from(u8::try_from(int(2)?).ok()?).ok()?;
    let origin = Guid(array(column(3)?)?);
    let len = u32::try_from(int(5)?).ok()?;
    let head = Head::new(kind, timestamp(int(0)?), origin, who_name, len, array(column(6)?)?, pieces).ok()?;
    (head.guid() == guid).then_some((guid, head))
}

/// The same from a row, whose columns [`HEAD`] begin at `first`.
pub(super) fn head(row: &Row<'_>, first: usize) -> Option<(Guid, Head)> {
    head_of(|at| row.get_ref(first + at).ok())
}

/// A key from two columns.
pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key { date_time: timestamp(row.get(0)?), guid: Guid(row.get(1)?) })
}

/// The bytes of a text or blob.
pub(super) fn bytes(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// The row of a record, and all rows from one on in the order of their keys: for [`Stored::of`].
static READ: LazyLock<[String; 2]> = LazyLock::new(|| {
    let select = format!("SELECT id, body, msg, {HEAD} FROM gossip INDEXED BY gossip_key WHERE network = ?1");
    [
        format!("{select} AND date_time = ?2 AND guid = ?3"),
        // Not ORDER BY: who walks looks at each row, and SQLite would prepare the statement anew whenever it is bound.
        format!("{select} AND (date_time, guid) >= (?2, ?3)"),
    ]
});

/// A complete record as it lies in the file.
pub(super) struct Stored {
    pub id: i64,
    /// Where the pieces of its MSG are, if it has several.
    pub body: Option<i64>,
    /// `len` as the row says, be it true or not.
    pub len: i64,
    /// `None`: the row is not what its key says.
    pub head: Option<Head>,
    /// MSG of one piece, not verified.
    pub msg: Option<Bytes>,
}

impl Stored {
    /// The row of a record.
    pub fn read(db: &Connection, network: NetworkId, key: Key) -> rusqlite::Result<Option<Stored>> {
        let values = params![network.0, date(key.date_time), key.guid.0];
        db.prepare_cached(&READ[0])?.query_row(values, |row| Stored::of(row, key)).optional()
    }

    /// The rows of records, none where one is not there. Where keys stand one behind the other in the index, as those do
    /// that a new node asks for, only the first is searched for.
    pub fn read_run(
        db: &Connection,
        network: NetworkId,
        keys: &[Key],
        each: &mut dyn FnMut(Option<Stored>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (mut statement, mut left) = (db.prepare_cached(&READ[1])?, keys);
        while let Some((first, behind)) = left.split_first() {
            let mut rows = statement.query(params![network.0, date(first.date_time), first.guid.0])?;
            each(Stored::next(&mut rows, *first)?)?;
            left = behind;
            while let Some((next, behind)) = left.split_first()
                && let Some(stored) = Stored::next(&mut rows, *next)?
            {
                each(Some(stored))?;
                left = behind;
            }
        }
        Ok(())
    }

    /// The next row, if it has this key.
    fn next(rows: &mut Rows<'_>, key: Key) -> rusqlite::Result<Option<Stored>> {
        let Some(row) = rows.next()? else { return Ok(None) };
        let stands = (row.get_ref(3)?.as_i64(), row.get_ref(4)?.as_blob());
        let is_it = stands == (Ok(date(key.date_time)), Ok(&key.guid.0[..]));
        is_it.then(|| Stored::of(row, key)).transpose()
    }

    fn of(row: &Row<'_>, key: Key) -> rusqlite::Result<Stored> {
        let head = head(row, 3).filter(|(guid, head)| (*guid, head.date_time()) == (key.guid, key.date_time));
        let msg = bytes(row.get_ref(2)?).map(Bytes::copy_from_slice);
        let body = row.get_ref(1)?.as_i64().ok();
        let len = row.get_ref(8)?.as_i64().unwrap_or(0);
        Ok(Stored { id: row.get(0)?, body, len, head: head.map(|(_, head)| head), msg })
    }

    /// What is here of a record that is not complete.
    pub fn read_partial(db: &Connection, network: NetworkId, key: Key) -> rusqlite::Result<Option<Stored>> {
        let sql = format!("SELECT body, {HEAD} FROM partial WHERE network = ?1 AND guid = ?2");
        db.prepare_cached(&sql)?
            .query_row(params![network.0, key.guid.0], |row| {
                let body: i64 = row.get(0)?;
                let head = head(row, 1).filter(|(guid, _)| *guid == key.guid).map(|(_, head)| head);
                let len = head.as_ref().map_or(0, |head| head.len() as i64);
                Ok(Stored { id: body, body: Some(body), len, head, msg: None })
            })
            .optional()
    }

    /// Its head, which is what its name says, and a MSG that matches it; `None` if any part is missing or wrong.
    pub fn whole(self, db: &Connection) -> rusqlite::Result<Option<(Head, Bytes)>> {
        let Some(head) = self.head else { return Ok(None) };
        let msg = match (self.body, self.msg) {
            (None, Some(msg)) => msg,
            (Some(body), None) => whole_msg(db, body, &head)?,
            _ => return Ok(None),
        };
        Ok(head.check(&msg).is_ok().then_some((head, msg)))
    }

    /// One piece of MSG, or the list of their hashes; `None` if it is missing or wrong.
    pub fn piece(&self, db: &Connection, index: u16) -> rusqlite::Result<Option<Bytes>> {
        let (Some(head), Some(body)) = (&self.head, self.body) else { return Ok(None) };
        verified_piece(db, body, head, index)
    }
}

/// One piece of a MSG, or the list of their hashes; `None` if it is missing or wrong.
pub(super) fn verified_piece(db: &Connection, body: i64, head: &Head, index: u16) -> rusqlite::Result<Option<Bytes>> {
    let list = piece(db, body, LIST)?.filter(|list| <Hash>::from(Sha256::digest(list)) == *head.pieces());
    let (Some(list), false) = (&list, index == LIST) else { return Ok(list) };
    let expected = list.chunks_exact(32).nth(usize::from(index));
    let found = piece(db, body, index)?;
    Ok(found.filter(|bytes| expected == Some(Sha256::digest(bytes).as_slice())))
}

/// One row of `piece`, not verified.
pub(super) fn piece(db: &Connection, body: i64, index: u16) -> rusqlite::Result<Option<Bytes>> {
    db.prepare_cached("SELECT bytes FROM piece WHERE body = ?1 AND idx = ?2")?
        .query_row(params![body, index], |row| Ok(bytes(row.get_ref(0)?).map(Bytes::copy_from_slice)))
        .optional()
        .map(Option::flatten)
}

/// Puts a piece, or the list of their hashes, in its place.
pub(super) fn keep_piece(db: &Connection, body: i64, index: u16, bytes: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO piece (body, idx, bytes) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![body, index, bytes]).map(drop)
}

/// Makes the list of a whole MSG what follows from its pieces: it is no part of the whole, and may be what was wrong.
pub(super) fn keep_list(db: &Connection, body: i64, head: &Head, msg: &[u8]) -> rusqlite::Result<()> {
    match verified_piece(db, body, head, LIST)? {
        Some(_) => Ok(()),
        None => keep_piece(db, body, LIST, &piece_list(msg)),
    }
}

/// All pieces of a MSG joined, not verified. Never longer than a MSG that matches `head` would be.
pub(super) fn whole_msg(db: &Connection, body: i64, head: &Head) -> rusqlite::Result<Bytes> {
    let mut msg = Vec::with_capacity(head.len());
    let mut statement = db.prepare_cached("SELECT bytes FROM piece WHERE body = ?1 AND idx < ?2 ORDER BY idx")?;
    let mut rows = statement.query(params![body, head.piece_count() as i64])?;
    while let Some(row) = rows.next()? {
        let room = head.len() - msg.len();
        let piece = bytes(row.get_ref(0)?).unwrap_or_default();
        msg.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
    Ok(Bytes::from(msg))
}

/// How many pieces of a body are here.
pub(super) fn count_pieces(db: &Connection, body: i64) -> rusqlite::Result<usize> {
    let sql = "SELECT count(*) FROM piece WHERE body = ?1 AND idx < ?2";
    db.prepare_cached(sql)?.query_row(params![body, LIST], |row| Ok(row.get::<_, u32>(0)? as usize))
}

/// Which pieces of a body are here, and whether the list is.
pub(super) fn pieces_here(db: &Connection, body: i64) -> rusqlite::Result<(Vec<u16>, bool)> {
    let mut statement = db.prepare_cached("SELECT idx FROM piece WHERE body = ?1 ORDER BY idx")?;
    let mut pieces = statement.query_map([body], |row| row.get(0))?.collect::<Result<Vec<u16>, _>>()?;
    let list = pieces.pop_if(|last| *last == LIST).is_some();
    Ok((pieces, list))
}
