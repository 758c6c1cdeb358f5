//! What the disk knows: records listed and read, beside the task.

use super::handle::Handle;
use super::meant::begun;
use super::receipts::Holders;
use super::refusal::Refusal;
use super::view;
use crate::api::{self, PAGE};
use crate::proto::gossip::{Guid, Key};
use crate::proto::time::Timestamp;
use crate::store::{Cursor, Indexed, ListFilter, MATCHES, Order, Page, Row, START, Store, Words};
use bytes::Bytes;
use std::time::Duration;

/// How long peers may take to say that they hold a record which somebody reads.
const ASKING: Duration = Duration::from_millis(250);
/// Records in a list unless the query says otherwise.
const LISTED: u64 = 50;
/// Fewest hex digits that name a record.
const LEAST_PREFIX: usize = 6;

const _: () = assert!(api::LISTED_MSG == START, "lists repeat what the store reads for them");

/// Records that were listed.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// They.
    pub gossip: Vec<api::Gossip>,
    /// What to say for `cursor` to go on, if this is a page and there may be more.
    pub next: Option<String>,
    /// How far the index of words is, if words were searched.
    pub indexed: Option<Indexed>,
}

impl Handle {
    /// Records that match: a page of them, or the newest; see [`api::ListQuery`].
    pub async fn list(&self, query: api::ListQuery) -> Result<Listed, Refusal> {
        let id = self.networks[self.network(query.network.as_deref())?].id;
        let limit = query.limit.unwrap_or(LISTED) as usize;
        let [since, until] = [&query.since, &query.until].map(|time| time.as_deref().map(parse_time).transpose());
        let text = query.q.as_deref().filter(|q| !q.trim().is_empty());
        let words = text.map(Words::new);
        if let Some(None) = words {
            // No record has a word that is none.
            return Ok(Listed { indexed: Some(Indexed::default()), ..Listed::default() });
        }
        let words = words.flatten();
        let (who, grep, searched) = (query.who, query.grep, words.is_some());
        let filter =
            ListFilter { limit, since: since?, until: until?, who, words, grep, include_incomplete: !searched };
        let (after, order) = (parse_cursor(query.cursor.as_deref(), searched)?, query.order);
        if order.is_some() && !(1..=PAGE).contains(&limit) {
            return Err(Refusal::Invalid(format!("limit: a page has 1 to {PAGE} records, not {limit}")));
        }
        if order.is_none() && after.is_some() {
            return Err(Refusal::Invalid("cursor goes with order".to_owned()));
        }
        let read = move |store: &Store| {
            let page = match order {
                None => Page { rows: store.list(id, &filter)?, next: None },
                Some(api::Order::Newest) => store.page(id, &filter, Order::Newest, after)?,
                Some(api::Order::Oldest) => store.page(id, &filter, Order::Oldest, after)?,
            };
            Ok((page, searched.then(|| store.indexed()).transpose()?))
        };
        let (page, indexed) = self.read_store(read).await?;
        let next = page.next.map(|cursor| cursor.to_string());
        Ok(Listed { gossip: page.rows.iter().map(view::gossip).collect(), next, indexed })
    }

    /// A record by GUID or unique prefix of it; `msg` is there whenever the record is complete.
    pub async fn read(&self, network: Option<&str>, guid: &str) -> Result<api::Gossip, Refusal> {
        let index = self.network(network)?;
        let (id, key) = (self.networks[index].id, self.find(index, guid).await?);
        let row = self.read_store(move |store| store.row(id, key)).await?;
        let row = row.ok_or_else(|| Refusal::NotFound(format!("record {} is no longer here", key.guid)))?;
        let mut gossip = view::gossip(&row);
        if row.complete && gossip.msg.is_none() {
            let msg = self.read_store(move |store| store.msg(id, key)).await?;
            gossip.msg = msg.map(|msg| String::from_utf8_lossy(&msg).into_owned());
        }
        gossip.held_by = Some(match row.complete {
            true => self.wait_held(index, key.guid, Holders::All, ASKING).await?,
            false => self.held_by(index, key.guid).await?,
        });
        Ok(gossip)
    }

    /// A complete record and its MSG, for who knows its name.
    pub(crate) async fn whole(&self, network: usize, guid: Guid) -> Result<Option<(Row, Bytes)>, Refusal> {
        let id = self.networks[network].id;
        let Some(key) = self.look(network, move |member, _| member.node.ledger().key(guid)).await? else {
            return Ok(None);
        };
        let read = move |store: &Store| {
            let Some(row) = store.row(id, key)?.filter(|row| row.complete) else { return Ok(None) };
            Ok(store.msg(id, key)?.map(|msg| (row, msg)))
        };
        self.read_store(read).await
    }

    /// A page of complete records with their MSGs, which has at most `most` bytes of these and one more.
    pub(crate) async fn wholes(
        &self,
        network: usize,
        filter: ListFilter,
        order: Order,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<(Vec<(Row, Bytes)>, Option<Cursor>), Refusal> {
        let id = self.networks[network].id;
        let read = move |store: &Store| {
            let page = store.page(id, &filter, order, after)?;
            let (mut wholes, mut size) = (Vec::new(), 0);
            for row in page.rows.into_iter().filter(|row| row.complete) {
                let key = row.key();
                let msg = match row.msg() {
                    Some(msg) => Some(msg.clone()),
                    None => store.msg(id, key)?,
                };
                size += msg.as_ref().map_or(0, Bytes::len);
                wholes.extend(msg.map(|msg| (row, msg)));
                if size > most {
                    return Ok((wholes, Some(Cursor::Key(key))));
                }
            }
            Ok((wholes, page.next))
        };
        self.read_store(read).await
    }

    /// MSG alone, byte for byte.
    pub async fn msg(&self, network: Option<&str>, guid: &str) -> Result<Bytes, Refusal> {
        let index = self.network(network)?;
        let (id, key) = (self.networks[index].id, self.find(index, guid).await?);
        let msg = self.read_store(move |store| store.msg(id, key)).await?;
        msg.ok_or_else(|| Refusal::NotFound(format!("the MSG of {} is not complete yet", key.guid)))
    }

    pub(super) async fn find(&self, network: usize, guid: &str) -> Result<Key, Refusal> {
        let Some(span) = begun(guid, LEAST_PREFIX) else {
            let rule = format!("{guid:?} is no GUID, nor {LEAST_PREFIX} or more hex digits that one begins with");
            return Err(Refusal::Invalid(rule));
        };
        // The node knows where each record stands; only what begins a GUID, or is not complete, has to be looked for.
        let first = *span.start();
        if span.end() == &first
            && let Some(key) = self.look(network, move |member, _| member.node.ledger().key(first)).await?
        {
            return Ok(key);
        }
        let (id, wanted) = (self.networks[network].id, span.clone());
        let found = self.read_store(move |store| store.find(id, &wanted)).await?;
        match found[..] {
            [key] => Ok(key),
            [] => {
                let gone = self.why_gone(network, span).await?;
                Err(Refusal::NotFound(gone.unwrap_or_else(|| format!("no record's GUID begins with {guid}"))))
            }
            _ => {
                let more = if found.len() >= MATCHES { " or more" } else { "" };
                let count = found.len();
                Err(Refusal::Invalid(format!("{count}{more} records' GUIDs begin with {guid}: give more digits")))
            }
        }
    }
}

/// A cursor of a search goes on with that search alone, and another with no search.
fn parse_cursor(cursor: Option<&str>, searched: bool) -> Result<Option<Cursor>, Refusal> {
    let Some(text) = cursor else { return Ok(None) };
    let fits = |cursor: &Cursor| matches!(cursor, Cursor::Row(_)) == searched;
    let wrong = || Refusal::Invalid(format!("cursor: {text:?} is none that a page of this list gave"));
    text.parse().ok().filter(fits).map(Some).ok_or_else(wrong)
}

fn parse_time(text: &str) -> Result<Timestamp, Refusal> {
    let time = text.parse::<jiff::Timestamp>();
    let time = time.map_err(|error| Refusal::Invalid(format!("{text:?} is no RFC 3339 time: {error}")))?;
    Ok(Timestamp(u64::try_from(time.as_microsecond()).unwrap_or(0)))
}
