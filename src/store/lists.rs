//! Records as people list them: by date, page by page from either end, or by the words in them, in the order of arrival.
//! A page costs the same wherever it is: it begins where an index says, and looks at no more rows than it may.

use super::queries::{Row, complete_row, partials};
use super::rows::{self, HEAD, date};
use super::search::{self, Words};
use super::{NetworkId, Store, StoreError};
use crate::proto::gossip::{Guid, Key};
use crate::proto::time::Timestamp;
use rusqlite::{Connection, Row as SqlRow, params};
use std::fmt;
use std::str::FromStr;

/// What one page may cost: rows looked at and, where their text is looked at too, KiB of that.
const COST: usize = 20_000;
/// An end of a page: a date, and the GUID in it; both ends lie outside.
type Bound = (Timestamp, Vec<u8>);
/// Behind every GUID of a date.
const LAST_GUID: [u8; 17] = [0xFF; 17];

/// Which records [`Store::list`] and [`Store::page`] return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// At most so many; 0 is all.
    pub limit: usize,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Not newer than this.
    pub until: Option<Timestamp>,
    /// Only by this WHO_NAME.
    pub who: Option<String>,
    /// Only those whose MSG has all of these words, as far as they are in the index; see [`Words`].
    pub words: Option<Words>,
    /// Only those whose MSG contains this (case matters not for ASCII).
    pub grep: Option<String>,
    /// Incomplete long records too, of which nothing is known to have words or to contain anything.
    pub include_incomplete: bool,
}

/// From which end a page goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the newest back.
    Newest,
    /// From the oldest on.
    Oldest,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// At this record.
    Key(Key),
    /// At the record in this row, where words are searched.
    Row(i64),
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cursor::Key(key) => write!(f, "{:x}.{}", key.date_time.0, key.guid),
            Cursor::Row(row) => write!(f, "{row}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let Some((date, guid)) = text.split_once('.') else { return text.parse().map(Cursor::Row).map_err(drop) };
        let date_time = Timestamp(u64::from_str_radix(date, 16).map_err(drop)?);
        Ok(Cursor::Key(Key { date_time, guid: guid.parse::<Guid>().map_err(drop)? }))
    }
}

/// Some of the records that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// They, in order.
    pub rows: Vec<Row>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

impl Store {
    /// The newest records that match, oldest first.
    pub fn list(&self, network: NetworkId, filter: &ListFilter) -> Result<Vec<Row>, StoreError> {
        let limit = if filter.limit == 0 { usize::MAX - 1 } else { filter.limit };
        let filter = ListFilter { limit, ..filter.clone() };
        let mut rows = self.listing(network, &filter, Order::Newest, None, usize::MAX)?.rows;
        rows.sort_by_key(Row::key);
        Ok(rows)
    }

    /// The next `filter.limit` records that match behind `after`, or fewer where few of many do. A cursor goes on only
    /// where it came from: with or without words.
    pub fn page(
        &self,
        network: NetworkId,
        filter: &ListFilter,
        order: Order,
        after: Option<Cursor>,
    ) -> Result<Page, StoreError> {
        self.listing(network, filter, order, after, COST)
    }

    fn listing(
        &self,
        network: NetworkId,
        filter: &ListFilter,
        order: Order,
        after: Option<Cursor>,
        cost: usize,
    ) -> Result<Page, StoreError> {
        let mut list = Listing { filter, order, cost, rows: Vec::new(), bad: Vec::new(), stopped: None };
        let read = self.shared.reading(|db| match &filter.words {
            Some(words) => list.by_words(db, network, words, after),
            None => list.by_date(db, network, after),
        });
        if let Err(error) = read {
            self.check_index(&error);
            return Err(error);
        }
        self.condemn(network, &list.bad);
        Ok(list.into_page())
    }
}

/// A list under way.
struct Listing<'a> {
    filter: &'a ListFilter,
    order: Order,
    /// What it may still cost.
    cost: usize,
    rows: Vec<(Cursor, Row)>,
    /// Records that are damaged.
    bad: Vec<Key>,
    /// Where it ended early.
    stopped: Option<Cursor>,
}

impl Listing<'_> {
    fn by_words(
        &mut self,
        db: &Connection,
        network: NetworkId,
        words: &Words,
        after: Option<Cursor>,
    ) -> rusqlite::Result<()> {
        let after = match after {
            Some(Cursor::Row(row)) => Some(row),
            _ => None,
        };
        let sql = search::select(&format!("{HEAD}, msg, body, gossip.id, gossip.network"), self.order == Order::Newest);
        let mut statement = db.prepare_cached(&sql)?;
        let end = if self.order == Order::Newest { i64::MAX } else { 0 };
        let mut found = statement.query(params![words.as_match(), after.unwrap_or(end)])?;
        while let Some(row) = found.next()? {
            let at = Cursor::Row(row.get(10)?);
            let is_ours = row.get::<_, i64>(11)? == network.0;
            if !self.take(db, row, at, is_ours && self.fits_date(rows::timestamp(row.get(0)?)))? {
                break;
            }
        }
        Ok(())
    }

    fn by_date(&mut self, db: &Connection, network: NetworkId, after: Option<Cursor>) -> rusqlite::Result<()> {
        let after = match after {
            Some(Cursor::Key(key)) => Some(key),
            _ => None,
        };
        let (first, last) = (self.filter.since.unwrap_or_default(), self.filter.until.unwrap_or(rows::LATEST));
        let bound = |key: Key| -> Bound { (key.date_time, key.guid.0.to_vec()) };
        // The one end is given by the cursor, if there is one, and lies outside of the page.
        let (mut low, mut high) = ((first, Vec::new()), (last, LAST_GUID.to_vec()));
        match (self.order, after) {
            (Order::Newest, Some(key)) => high = high.min(bound(key)),
            (Order::Oldest, Some(key)) => low = low.max(bound(key)),
            (_, None) => (),
        }
        if low >= high {
            return Ok(());
        }
        let newest = self.order == Order::Newest;
        let mut spans = rows::spans(low.0, high.0);
        if newest {
            spans.reverse();
        }
        let sql = format!(
            "SELECT {HEAD}, msg, body FROM gossip INDEXED BY gossip_key
             WHERE network = ?1 AND (date_time, guid) > (?2, ?3) AND (date_time, guid) < (?4, ?5)
             ORDER BY date_time {0}, guid {0}",
            if newest { "DESC" } else { "ASC" }
        );
        'spans: for (from, to) in spans {
            let low_guid = if from == date(low.0) { &low.1[..] } else { &[] };
            let high_guid = if to == date(high.0) { &high.1[..] } else { &LAST_GUID };
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params![network.0, from, low_guid, to, high_guid])?;
            while let Some(row) = found.next()? {
                // A GUID of another length is damage.
                let at = rows::key(row).map(Cursor::Key);
                if let Ok(at) = at
                    && !self.take(db, row, at, true)?
                {
                    break 'spans;
                }
            }
        }
        self.add_partials(db, network, (&low, &high))
    }

    /// Takes a row if it matches; false: that is enough.
    fn take(&mut self, db: &Connection, row: &SqlRow<'_>, at: Cursor, fits: bool) -> rusqlite::Result<bool> {
        let grep = self.filter.grep.as_deref().filter(|grep| !grep.is_empty());
        let looked_at = if grep.is_some() { row.get_ref(5)?.as_i64().unwrap_or(0).max(0) as usize >> 10 } else { 0 };
        let who = self.filter.who.as_deref();
        if fits && who.is_none_or(|who| row.get_ref(4).is_ok_and(|name| name.as_bytes() == Ok(who.as_bytes()))) {
            self.rows.extend(complete_row(db, row, grep, &mut self.bad)?.map(|row| (at, row)));
        }
        self.cost = self.cost.saturating_sub(1 + looked_at);
        if self.cost == 0 {
            self.stopped = Some(at);
        }
        // One more than wanted tells that there is more.
        Ok(self.cost > 0 && self.rows.len() <= self.filter.limit)
    }

    fn fits_date(&self, at: Timestamp) -> bool {
        self.filter.since.is_none_or(|since| at >= since) && self.filter.until.is_none_or(|until| at <= until)
    }

    /// Long records that are not complete, from that part which was looked at.
    fn add_partials(
        &mut self,
        db: &Connection,
        network: NetworkId,
        (low, high): (&Bound, &Bound),
    ) -> rusqlite::Result<()> {
        if !self.filter.include_incomplete || self.filter.grep.is_some() {
            return Ok(());
        }
        let seen = |key: Key| match (self.stopped, self.order) {
            (Some(Cursor::Key(end)), Order::Newest) => key >= end,
            (Some(Cursor::Key(end)), Order::Oldest) => key <= end,
            _ => true,
        };
        let who = self.filter.who.as_deref();
        let begun = partials(db, network)?.into_iter().filter(|row| {
            let key = (row.head.date_time(), row.guid.0.to_vec());
            key > *low && key < *high && seen(row.key()) && who.is_none_or(|who| row.head.who_name() == who)
        });
        let begun: Vec<_> = begun.map(|row| (Cursor::Key(row.key()), row)).collect();
        self.rows.extend(begun);
        self.rows.sort_by_key(|(_, row)| row.key());
        if self.order == Order::Newest {
            self.rows.reverse();
        }
        Ok(())
    }

    fn into_page(mut self) -> Page {
        let more = self.rows.len() > self.filter.limit;
        self.rows.truncate(self.filter.limit);
        let last = self.rows.last().map(|(at, _)| *at);
        let next = if more { last } else { self.stopped };
        Page { rows: self.rows.into_iter().map(|(_, row)| row).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        for cursor in [
            Cursor::Row(7),
            Cursor::Key(Key { date_time: Timestamp(u64::MAX), guid: Guid([0xAB; 16]) }),
            Cursor::Key(Key::default()),
        ] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "x", "1.", ".1", "1.2", "xyz.abababab-abab-abab-abab-abababababab"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
