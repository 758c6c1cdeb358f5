//! What people ask of a store: single records and totals; what they list is in `lists`. Each blocks its caller, sees a snapshot, and
//! never keeps the writer waiting.

use super::queue::Job;
use super::rows::{self, HEAD, Stored, date};
use super::{NetworkId, Store, StoreError, aside};
use crate::proto::fact::{LIST, PeerFact, Restored};
use crate::proto::gossip::{Gossip, Guid, Hash, Head, Key, Kind, Line};
use crate::proto::limits::PEERS;
use crate::proto::time::Timestamp;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Bytes of MSG in a [`Row`].
pub const START: usize = 4 << 10;
/// Matches that [`Store::find`] returns at most.
pub const MATCHES: usize = 16;

/// A record as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub guid: Guid,
    /// All but MSG.
    pub head: Head,
    /// Whether all of MSG is here.
    pub complete: bool,
    /// Bytes of MSG that are here.
    pub received: u64,
    /// The first [`START`] bytes of MSG, cut between characters; `None` while it is incomplete.
    pub start: Option<Bytes>,
}

impl Row {
    /// Where it stands in a ledger.
    pub fn key(&self) -> Key {
        Key { date_time: self.head.date_time(), guid: self.guid }
    }

    /// MSG, if `start` is all of it.
    pub fn msg(&self) -> Option<&Bytes> {
        self.start.as_ref().filter(|start| start.len() == self.head.len())
    }
}

/// How much a network has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that are complete.
    pub complete: u64,
    /// Long records of which pieces are missing.
    pub incomplete: u64,
    /// Bytes of the MSGs of complete records.
    pub bytes: u64,
}

impl Store {
    /// Gives a node what the disk knew: keys in order, long records begun, peers. A million keys take about 0.3 s.
    ///
    /// Where this fails by damage ([`StoreError::is_damage`]), open the store again: that salvages it.
    pub fn restore(&self, network: NetworkId, each: &mut dyn FnMut(Restored)) -> Result<(), StoreError> {
        self.shared.reading(|db| restore(db, network, each))
    }

    /// One record, complete or not.
    pub fn row(&self, network: NetworkId, key: Key) -> Result<Option<Row>, StoreError> {
        let mut bad = Vec::new();
        let row = self.shared.reading(|db| {
            let sql =
                format!("SELECT {HEAD}, msg, body FROM gossip WHERE network = ?1 AND date_time = ?2 AND guid = ?3");
            let found = db
                .prepare_cached(&sql)?
                .query_row(params![network.0, date(key.date_time), key.guid.0], |row| {
                    complete_row(db, row, None, &mut bad)
                })
                .optional()?;
            match found.flatten() {
                Some(row) => Ok(Some(row)),
                None => Ok(partials(db, network)?.into_iter().find(|row| row.key() == key)),
            }
        })?;
        self.condemn(network, &bad);
        Ok(row)
    }

    /// All of a complete record's MSG, verified. `None`: not here, not complete, or found damaged just now: then
    /// the writer looks again.
    pub fn msg(&self, network: NetworkId, key: Key) -> Result<Option<Bytes>, StoreError> {
        let found = self.shared.reading(|db| {
            let Some(stored) = Stored::read(db, network, key)? else { return Ok(None) };
            Ok(Some(stored.whole(db)?.map(|(_, msg)| msg)))
        })?;
        if let Some(None) = found {
            self.condemn(network, &[key]);
        }
        Ok(found.flatten())
    }

    /// These were found damaged: the writer deletes those that are, and says so.
    pub(super) fn condemn(&self, network: NetworkId, bad: &[Key]) {
        bad.iter().for_each(|key| self.shared.queue.push(network, Job::Condemn(*key)));
    }

    /// Up to [`MATCHES`] records, complete or not, whose GUIDs are in this span. Reads all keys: about 0.1 s for a million.
    pub fn find(&self, network: NetworkId, span: &RangeInclusive<Guid>) -> Result<Vec<Key>, StoreError> {
        let (low, high) = (span.start().0, span.end().0);
        self.shared.reading(|db| {
            let mut found = Vec::new();
            for sql in [
                "SELECT date_time, guid FROM gossip INDEXED BY gossip_key
                 WHERE network = ?1 AND guid BETWEEN ?2 AND ?3 LIMIT ?4",
                "SELECT date_time, guid FROM partial WHERE network = ?1 AND guid BETWEEN ?2 AND ?3 LIMIT ?4",
            ] {
                let mut statement = db.prepare_cached(sql)?;
                let keys = statement.query_map(params![network.0, low, high, MATCHES as i64], rows::key)?;
                found.extend(keys.collect::<Result<Vec<Key>, _>>()?);
            }
            found.sort();
            found.truncate(MATCHES);
            Ok(found)
        })
    }

    /// How much the network has; cheap.
    pub fn totals(&self, network: NetworkId) -> Result<Totals, StoreError> {
        self.shared.reading(|db| {
            let sql =
                "SELECT count, bytes, (SELECT count(*) FROM partial WHERE network = ?1) FROM network WHERE id = ?1";
            let totals = db.prepare_cached(sql)?.query_row([network.0], |row| {
                let number = |at| row.get::<_, i64>(at).map(|number| number.max(0) as u64);
                Ok(Totals { complete: number(0)?, bytes: number(1)?, incomplete: number(2)? })
            });
            Ok(totals.optional()?.unwrap_or_default())
        })
    }
}

/// All that the disk knows of a network.
pub(super) fn restore(db: &Connection, network: NetworkId, each: &mut dyn FnMut(Restored)) -> rusqlite::Result<()> {
    let decrees = decrees(db, network)?;
    decrees.iter().for_each(|line| each(Restored::Held(*line)));
    let (mut newest, mut keys, mut in_order) = (None, 0, true);
    lines(db, network, &mut |key, held| {
        in_order &= newest < Some(key);
        newest = Some(key);
        keys += 1;
        if let Some((Kind::Message, origin)) = held {
            each(Restored::Held(Line { key, origin, decree: None }));
        }
    })?;
    let counted = db.query_row("SELECT count FROM network WHERE id = ?1", [network.0], |row| row.get(0));
    if !in_order || counted.optional()?.unwrap_or(0) != keys {
        return Err(damage(format!("{keys} keys do not make sense")));
    }
    aside::restore(db, network, each)?;
    restore_partials(db, network, each)?;
    restore_peers(db, network, each)?;
    aside::restore_silences(db, network, each)
}

fn damage(why: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(why))
}

/// The decrees among the records held. A damaged one is left out, and comes back from others.
fn decrees(db: &Connection, network: NetworkId) -> rusqlite::Result<Vec<Line>> {
    let sql = format!("SELECT {HEAD}, msg FROM gossip INDEXED BY gossip_decree WHERE network = ?1 AND kind <> 0");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query([network.0])?;
    let mut decrees = Vec::new();
    while let Some(row) = found.next()? {
        let msg = rows::bytes(row.get_ref(8)?).map(Bytes::copy_from_slice);
        let record = rows::head(row, 0).zip(msg).and_then(|((_, head), msg)| Gossip::new(head, msg).ok());
        decrees.extend(record.map(|record| record.line()));
    }
    Ok(decrees)
}

/// Each key with kind and origin, in order, from the covering index alone.
fn lines(db: &Connection, network: NetworkId, each: &mut dyn FnMut(Key, Option<(Kind, Guid)>)) -> rusqlite::Result<()> {
    for (first, last) in rows::spans(Timestamp(0), rows::LATEST) {
        let mut statement = db.prepare_cached(
            "SELECT date_time, guid, kind, origin, network FROM gossip INDEXED BY gossip_key
             WHERE network = ?1 AND date_time BETWEEN ?2 AND ?3 ORDER BY date_time, guid",
        )?;
        let mut found = statement.query(params![network.0, first, last])?;
        while let Some(row) = found.next()? {
            // One that is out of its place ends a walk from the other side, and hides all behind it.
            if row.get_ref(4)?.as_i64() != Ok(network.0) {
                return Err(damage("a key of another network is among those of this one".to_owned()));
            }
            // A GUID of another length is damage; it is left out, and its record comes back from others.
            if let Ok(key) = rows::key(row) {
                let kind = row.get_ref(2)?.as_i64().ok().and_then(|kind| u8::try_from(kind).ok());
                let origin = row.get_ref(3)?.as_blob().ok().and_then(|origin| origin.try_into().ok());
                each(key, kind.and_then(|kind| Kind::try_from(kind).ok()).zip(origin.map(Guid)));
            }
        }
    }
    Ok(())
}

fn restore_partials(db: &Connection, network: NetworkId, each: &mut dyn FnMut(Restored)) -> rusqlite::Result<()> {
    let sql = format!("SELECT body, {HEAD} FROM partial WHERE network = ?1 ORDER BY body");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query([network.0])?;
    while let Some(row) = found.next()? {
        let body = row.get(0)?;
        // A damaged head is passed over; the record is fetched again, and what comes replaces it.
        let Some((_, head)) = rows::head(row, 1) else { continue };
        let (pieces, has_list) = rows::pieces_here(db, body)?;
        let list = if has_list { rows::piece(db, body, LIST)? } else { None };
        each(Restored::Partial { head, list, pieces });
    }
    Ok(())
}

fn restore_peers(db: &Connection, network: NetworkId, each: &mut dyn FnMut(Restored)) -> rusqlite::Result<()> {
    let sql = "SELECT guid, name, addr, last_update FROM peer WHERE network = ?1 ORDER BY last_update DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![network.0, PEERS as i64])?;
    while let Some(row) = found.next()? {
        let peer = || {
            Some(PeerFact {
                guid: Guid(row.get(0).ok()?),
                name: row.get(1).ok()?,
                addr: row.get_ref(2).ok()?.as_str().ok()?.parse().ok()?,
                last_update: rows::timestamp(row.get(3).ok()?),
            })
        };
        peer().map(Restored::Peer).into_iter().for_each(&mut *each);
    }
    Ok(())
}

/// A row of `SELECT {HEAD}, msg, body`, verified as far as it is read; `None` if it does not contain `grep`, or is damaged:
/// then its key is added to `bad`.
pub(super) fn complete_row(
    db: &Connection,
    row: &SqlRow<'_>,
    grep: Option<&str>,
    bad: &mut Vec<Key>,
) -> rusqlite::Result<Option<Row>> {
    let Some((guid, head, msg)) = verified(db, row, grep.is_some())? else {
        bad.extend(rows::key(row).ok());
        return Ok(None);
    };
    if grep.is_some_and(|grep| !contains(&msg, grep.as_bytes())) {
        return Ok(None);
    }
    let start = Some(Bytes::copy_from_slice(cut(&msg)));
    Ok(Some(Row { guid, received: head.len() as u64, complete: true, head, start }))
}

/// GUID, head and MSG of a row.
type Verified<'a> = (Guid, Head, Cow<'a, [u8]>);

/// Such a row, of a long MSG the first piece unless all of it is wanted; `None` if it is damaged.
fn verified<'a>(db: &Connection, row: &'a SqlRow<'_>, all: bool) -> rusqlite::Result<Option<Verified<'a>>> {
    let Some((guid, head)) = rows::head(row, 0) else { return Ok(None) };
    let matches = |msg: &[u8]| msg.len() == head.len() && <Hash>::from(Sha256::digest(msg)) == *head.sha2();
    let msg = match (rows::bytes(row.get_ref(8)?), row.get_ref(9)?.as_i64()) {
        (Some(msg), _) => Some(Cow::Borrowed(msg)).filter(|msg| matches(msg)),
        (None, Ok(body)) if all => Some(rows::whole_msg(db, body, &head)?).filter(|msg| matches(msg)).map(owned),
        (None, Ok(body)) => rows::verified_piece(db, body, &head, 0)?.map(owned),
        _ => None,
    };
    Ok(msg.map(|msg| (guid, head, msg)))
}

fn owned<'a>(bytes: Bytes) -> Cow<'a, [u8]> {
    Cow::Owned(bytes.into())
}

/// The first [`START`] bytes, without a character that would be cut in two.
fn cut(msg: &[u8]) -> &[u8] {
    let Some(start) = msg.get(..START) else { return msg };
    if msg.len() == START {
        return msg;
    }
    let whole = start.iter().rposition(|byte| byte & 0xC0 != 0x80).filter(|last| {
        let width = match start[*last] {
            0xF0.. => 4,
            0xE0.. => 3,
            0xC0.. => 2,
            _ => 1,
        };
        last + width > START
    });
    &start[..whole.unwrap_or(START)]
}

/// Whether `text` contains `part`; the case of ASCII letters does not matter.
fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return true };
    let mut at = text;
    while let Some(found) = at.iter().position(|byte| byte.eq_ignore_ascii_case(first)) {
        at = &at[found + 1..];
        if at.get(..rest.len()).is_some_and(|next| next.eq_ignore_ascii_case(rest)) {
            return true;
        }
    }
    false
}

pub(super) fn partials(db: &Connection, network: NetworkId) -> rusqlite::Result<Vec<Row>> {
    let sql = format!("SELECT body, {HEAD} FROM partial WHERE network = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query([network.0])?;
    let mut partials = Vec::new();
    while let Some(row) = found.next()? {
        let Some((guid, head)) = rows::head(row, 1) else { continue };
        let (pieces, _) = rows::pieces_here(db, row.get(0)?)?;
        let received = pieces.iter().map(|index| head.piece_len(usize::from(*index)) as u64).sum();
        partials.push(Row { guid, head, complete: false, received, start: None });
    }
    partials.sort_by_key(Row::key);
    Ok(partials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_never_cut_inside_a_character() {
        for (character, width) in [("a", 1), ("ä", 2), ("€", 3), ("🕊", 4)] {
            for shift in 0..4 {
                let msg = "x".repeat(shift) + &character.repeat(START);
                let start = cut(msg.as_bytes());
                assert!(std::str::from_utf8(start).is_ok(), "{character} {shift}");
                assert!(start.len() <= START && start.len() + width > START);
            }
        }
        assert_eq!(cut(&[b'a'; START]).len(), START);
        assert_eq!(cut("ä".repeat(START / 2).as_bytes()).len(), START);
    }

    #[test]
    fn the_case_of_ascii_does_not_matter_in_a_search() {
        for (text, part, there) in [
            ("Hello World", "o wOR", true),
            ("aab", "ab", true),
            ("Straße", "STRASSE", false),
            ("Ärger", "ärger", false),
            ("ärger", "ÄRGER".to_lowercase().as_str(), true),
            ("abc", "abcd", false),
            ("abc", "", true),
        ] {
            assert_eq!(contains(text.as_bytes(), part.as_bytes()), there, "{text} {part}");
        }
    }
}
