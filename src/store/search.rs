//! The index of words in MSGs: filled by the writer while it has nothing else to do, a little at a time, in the order of
//! the rows. What is behind it is found a moment later; if it is damaged it is made anew, and no record is in danger.
//!
//! It is an FTS5 table without content: words by row number. How far it has come is its own highest row number.

use super::queue::Job;
use super::rows::{self, bytes};
use super::{NetworkId, Store, StoreError};
use rusqlite::{Connection, params};

/// Bytes of a MSG that are indexed: its first piece.
const TEXT: usize = crate::proto::limits::PIECE;
/// Rows and bytes of one batch at most, unless one MSG has more.
const ROWS: i64 = 256;
const BYTES: usize = 512 << 10;
/// Words that are searched for at most; the rest is ignored.
const WORDS: usize = 32;

/// The index.
pub(super) const SCHEMA: &str = "
    CREATE VIRTUAL TABLE search USING fts5 (
        words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
    );
";

/// Words to search for, all of which a MSG must have: `word`, `begin*`, `\"a phrase\"`. Whatever else somebody writes is
/// taken for words, too: there is no wrong way to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(String);

impl Words {
    /// Reads what somebody wants to find; `None` if there is no word in it.
    pub fn new(text: &str) -> Option<Words> {
        let (mut terms, mut rest) = (Vec::new(), text.trim_start());
        while !rest.is_empty() && terms.len() < WORDS {
            let (term, behind) = match rest.strip_prefix('"') {
                Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
                None => rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len())),
            };
            let is_prefix = term.ends_with('*') || behind.starts_with('*');
            if term.contains(char::is_alphanumeric) {
                terms.push(format!("\"{}\"{}", term.replace(['"', '\0'], " "), if is_prefix { "*" } else { "" }));
            }
            rest = behind.trim_start_matches('*').trim_start();
        }
        (!terms.is_empty()).then(|| Words(terms.join(" ")))
    }

    /// As FTS5 reads it.
    pub(super) fn as_match(&self) -> &str {
        &self.0
    }
}

/// How far the index is, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// The last row that is in it.
    pub done: u64,
    /// The last row that there is.
    pub all: u64,
}

impl Store {
    /// How far the index of words is.
    pub fn indexed(&self) -> Result<Indexed, StoreError> {
        self.shared.reading(|db| {
            let sql = "SELECT ifnull((SELECT max(id) FROM search_docsize), 0), ifnull((SELECT max(id) FROM gossip), 0)";
            db.prepare_cached(sql)?.query_row([], |row| {
                let number = |at| row.get::<_, i64>(at).map(|number| number.max(0) as u64);
                Ok(Indexed { done: number(0)?, all: number(1)? })
            })
        })
    }

    /// Has a damaged index made anew.
    pub(super) fn check_index(&self, error: &StoreError) {
        if let StoreError::Sqlite(error) = error
            && is_index_damage(error)
        {
            self.shared.queue.push(NetworkId(0), Job::Reindex);
        }
    }
}

/// Whether an error says that the index is damaged, as opposed to the records.
pub(super) fn is_index_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CORRUPT_VTAB)
}

/// Rows of `gossip` with words, on from a row number, or back.
pub(super) fn select(columns: &str, back: bool) -> String {
    let (than, order) = if back { ("<", "DESC") } else { (">", "ASC") };
    format!(
        "SELECT {columns} FROM search CROSS JOIN gossip ON gossip.id = search.rowid
         WHERE search MATCH ?1 AND search.rowid {than} ?2 ORDER BY search.rowid {order}"
    )
}

/// Indexes some rows more; says whether there may be more to do.
pub(super) fn index(db: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = db.transaction()?;
    let (mut count, mut size) = (0, 0);
    {
        let mut rows = transaction.prepare_cached(
            "SELECT id, msg, body, network FROM gossip WHERE id > ifnull((SELECT max(id) FROM search_docsize), 0)
             ORDER BY id LIMIT ?1",
        )?;
        let mut insert = transaction.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
        let mut found = rows.query([ROWS])?;
        // The rows were chosen when the statement began: what it inserts does not move it.
        while size < BYTES
            && let Some(row) = found.next()?
        {
            if row.get::<_, i64>(3)? < 0 {
                // What was put aside is not to be found, but the row counts as done.
                insert.execute(params![row.get::<_, i64>(0)?, ""])?;
                count += 1;
                continue;
            }
            let long = match row.get_ref(2)?.as_i64() {
                Ok(body) => rows::piece(&transaction, body, 0)?,
                Err(_) => None,
            };
            let msg = long.as_deref().or(bytes(row.get_ref(1)?)).unwrap_or_default();
            let text = String::from_utf8_lossy(msg.get(..TEXT).unwrap_or(msg));
            insert.execute(params![row.get::<_, i64>(0)?, text])?;
            (count, size) = (count + 1, size + msg.len());
        }
    }
    transaction.commit()?;
    Ok(count == ROWS || size >= BYTES)
}

/// A record's row is deleted. A damaged index is no reason to keep a damaged record.
pub(super) fn forget(db: &Connection, row: i64) -> rusqlite::Result<()> {
    let forgotten = db.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([row]);
    forgotten.map(drop).or_else(|error| if is_index_damage(&error) { Ok(()) } else { Err(error) })
}

/// Begins anew.
pub(super) fn rebuild(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("DROP TABLE search;")?;
    db.execute_batch(SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_somebody_writes_is_taken_for_words() {
        for (text, found) in [
            ("printer", "\"printer\""),
            ("  Printer  pap*", "\"Printer\" \"pap*\"*"),
            ("\"out of paper\" now", "\"out of paper\" \"now\""),
            ("\"out of pap\"*", "\"out of pap\"*"),
            ("a\"b", "\"a\" \"b\""),
            ("a\0b", "\"a b\""),
            ("NOT msg:x (y OR", "\"NOT\" \"msg:x\" \"(y\" \"OR\""),
            ("x ^ - * \" ' ;", "\"x\""),
        ] {
            assert_eq!(Words::new(text).map(|words| words.0).as_deref(), Some(found), "{text}");
        }
        for text in ["", "  ", "* - \"\"", "\"...\""] {
            assert_eq!(Words::new(text), None, "{text}");
        }
    }
}
