//! What the disk knows: records listed and read, beside the task.

use super::handle::{Handle, Refusal};
use super::receipts::Holders;
use super::view;
use crate::api;
use crate::proto::gossip::Key;
use crate::proto::time::Timestamp;
use crate::store::{ListFilter, MATCHES, NetworkId};
use bytes::Bytes;
use std::time::Duration;

/// How long peers may take to say that they hold a record which somebody reads.
const ASKING: Duration = Duration::from_millis(250);
/// Fewest hex digits that name a record.
const LEAST_PREFIX: usize = 6;

impl Handle {
    /// The newest records that match, oldest first.
    pub async fn list(&self, query: api::ListQuery) -> Result<Vec<api::Gossip>, Refusal> {
        let id = self.id(query.network.as_deref())?;
        let since = query.since.as_deref().map(parse_time).transpose()?;
        let limit = query.limit.unwrap_or(50) as usize;
        let filter = ListFilter { limit, since, who: query.who, grep: query.grep, include_incomplete: true };
        let rows = self.read_store(move |store| store.list(id, &filter)).await?;
        Ok(rows.iter().map(view::gossip).collect())
    }

    /// A record by GUID or unique prefix of it; `msg` is there whenever the record is complete.
    pub async fn read(&self, network: Option<&str>, guid: &str) -> Result<api::Gossip, Refusal> {
        let id = self.id(network)?;
        let key = self.find(id, guid).await?;
        let row = self.read_store(move |store| store.row(id, key)).await?;
        let row = row.ok_or_else(|| Refusal::NotFound(format!("record {} is no longer here", key.guid)))?;
        let mut gossip = view::gossip(&row);
        if row.complete && gossip.msg.is_none() {
            let msg = self.read_store(move |store| store.msg(id, key)).await?;
            gossip.msg = msg.map(|msg| String::from_utf8_lossy(&msg).into_owned());
        }
        let (index, guid) = (self.network(network)?, key.guid);
        gossip.held_by = Some(match row.complete {
            true => self.wait_held(index, guid, Holders::All, ASKING).await?,
            false => self.held_by(index, guid).await?,
        });
        Ok(gossip)
    }

    /// MSG alone, byte for byte.
    pub async fn msg(&self, network: Option<&str>, guid: &str) -> Result<Bytes, Refusal> {
        let id = self.id(network)?;
        let key = self.find(id, guid).await?;
        let msg = self.read_store(move |store| store.msg(id, key)).await?;
        msg.ok_or_else(|| Refusal::NotFound(format!("the MSG of {} is not complete yet", key.guid)))
    }

    pub(super) async fn find(&self, id: NetworkId, guid: &str) -> Result<Key, Refusal> {
        let digits: String = guid.chars().filter(|&c| c != '-').collect();
        if digits.len() < LEAST_PREFIX || digits.len() > 32 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            let rule = format!("{guid:?} is no GUID, nor {LEAST_PREFIX} or more hex digits that one begins with");
            return Err(Refusal::Invalid(rule));
        }
        let found = self.read_store(move |store| store.find(id, &digits)).await?;
        match found[..] {
            [key] => Ok(key),
            [] => Err(Refusal::NotFound(format!("no record's GUID begins with {guid}"))),
            _ => {
                let more = if found.len() >= MATCHES { " or more" } else { "" };
                let count = found.len();
                Err(Refusal::Invalid(format!("{count}{more} records' GUIDs begin with {guid}: give more digits")))
            }
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, Refusal> {
    let time = text.parse::<jiff::Timestamp>();
    let time = time.map_err(|error| Refusal::Invalid(format!("{text:?} is no RFC 3339 time: {error}")))?;
    Ok(Timestamp(u64::try_from(time.as_microsecond()).unwrap_or(0)))
}
