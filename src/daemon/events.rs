//! [`Events`]: a network's events one by one, for one who follows. Nothing is kept for who does not ask: records are read
//! from the store in the order of their arrival, a page at a time, and what happened to peers is kept once for all.

use super::handle::{Handle, Refusal};
use super::news::{Latest, Since};
use super::view::{self, View};
use crate::api;
use crate::proto::gossip::Guid;
use crate::store::{Arrivals, NetworkId, Place};
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Rows that are read at once.
const PAGE: usize = 64;

/// Where somebody stands in the events of a network: opaque to those who follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The daemon's run that `peers` counts in.
    run: u64,
    /// The number of the next event of peers.
    peers: u64,
    /// Behind the last record.
    place: Place,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{}.{}", self.place.row, self.run, self.peers, self.place.guid)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(());
        let row = part()?.parse().map_err(drop)?;
        let run = u64::from_str_radix(part()?, 16).map_err(drop)?;
        let peers = part()?.parse().map_err(drop)?;
        let guid: Guid = part()?.parse().map_err(drop)?;
        Ok(Cursor { run, peers, place: Place { row, guid } })
    }
}

/// The events of a network; each with the cursor behind it.
pub struct Events {
    handle: Handle,
    network: usize,
    id: NetworkId,
    cursor: Cursor,
    news: watch::Receiver<Latest>,
    /// How far records had come when the store had no more of them.
    read_to: Option<u64>,
    /// Whether a snapshot is due: where it is not known any more what happened to peers.
    stale: bool,
    ready: VecDeque<(Cursor, api::Event)>,
    _place: OwnedSemaphorePermit,
}

impl Handle {
    /// The events of a network from `query.from` on or, if there is one, behind the cursor `last`.
    pub async fn events(&self, query: api::EventsQuery, last: Option<&str>) -> Result<Events, Refusal> {
        let permit = self.follow()?;
        let network = self.network(query.network.as_deref())?;
        let id = self.id(query.network.as_deref())?;
        let last = match last {
            None => None,
            Some(text) => {
                let wrong = || Refusal::Invalid(format!("the Last-Event-ID {text:?} is none that this daemon gave"));
                Some(text.parse::<Cursor>().map_err(|()| wrong())?)
            }
        };
        let (cursor, stale) = match last {
            Some(cursor) => (cursor, false),
            None => {
                let place = match query.from.as_deref() {
                    None | Some("new") => self.read_store(|store| store.last_place()).await?,
                    Some("all") => Place::default(),
                    Some(guid) => {
                        let key = self.find(id, guid).await?;
                        let place = self.read_store(move |store| store.place(id, key)).await?;
                        let wait = || Refusal::Invalid(format!("{} is not complete yet", key.guid));
                        place.ok_or_else(wait)?
                    }
                };
                (Cursor { run: 0, peers: 0, place }, true)
            }
        };
        let (news, ready) = (self.news(network), VecDeque::new());
        let handle = self.clone();
        Ok(Events { handle, network, id, cursor, news, read_to: None, stale, ready, _place: permit })
    }
}

impl Events {
    /// The next event; `None` when the daemon stops. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Result<(Cursor, api::Event), Refusal>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(Ok(ready));
            }
            if self.handle.is_stopping() {
                return None;
            }
            let latest = *self.news.borrow_and_update();
            if let Err(refusal) = self.look(latest).await {
                return Some(Err(refusal));
            }
            if self.ready.is_empty() && self.read_to == Some(latest.records) {
                let stop = self.handle.stopped();
                tokio::select! {
                    changed = self.news.changed() => changed.ok()?,
                    () = stop => return None,
                }
            }
        }
    }

    async fn look(&mut self, latest: Latest) -> Result<(), Refusal> {
        if !self.stale && (self.cursor.peers != latest.peers || self.read_to.is_none()) {
            self.look_at_peers().await?;
        }
        if self.stale {
            self.look_at_all().await?;
        } else if self.read_to != Some(latest.records) {
            self.look_at_records(latest).await?;
        }
        Ok(())
    }

    async fn look_at_peers(&mut self) -> Result<(), Refusal> {
        let Cursor { run, peers, .. } = self.cursor;
        let since = self.handle.look(self.network, move |member, _| (member.news.since(run, peers), member.news.run()));
        match since.await? {
            (Since::Events(events, _), _) => {
                for event in events {
                    self.cursor.peers += 1;
                    self.ready.push_back((self.cursor, api::Event::Peer(event)));
                }
            }
            // A daemon that started again has a snapshot to tell, and nobody missed anything by then.
            (Since::Forgotten, now) if now != run => self.stale = true,
            (Since::Forgotten, _) => {
                self.stale = true;
                let reason = "more happened to peers than is kept for who is slow: what follows is how they are now";
                self.gap("peer", reason);
            }
        }
        Ok(())
    }

    async fn look_at_all(&mut self) -> Result<(), Refusal> {
        let look = |member: &mut super::engine::Member, moment| {
            (View::new(member, moment).network, member.news.run(), member.news.latest().peers)
        };
        let (mut network, run, peers) = self.handle.look(self.network, look).await?;
        network.http = self.handle.http();
        (self.cursor.run, self.cursor.peers, self.stale) = (run, peers, false);
        self.ready.push_back((self.cursor, api::Event::Snapshot(network)));
        Ok(())
    }

    async fn look_at_records(&mut self, latest: Latest) -> Result<(), Refusal> {
        let (id, place) = (self.id, self.cursor.place);
        match self.handle.read_store(move |store| store.arrived(id, place, PAGE)).await? {
            Arrivals::Page { rows, next, more } => {
                for (place, row) in rows {
                    self.cursor.place = place;
                    self.ready.push_back((self.cursor, api::Event::Gossip(view::gossip(&row))));
                }
                self.cursor.place = next;
                self.read_to = (!more).then_some(latest.records);
            }
            Arrivals::Lost => {
                self.cursor.place = self.handle.read_store(|store| store.last_place()).await?;
                self.read_to = Some(latest.records);
                self.gap("gossip", "the store was mended, and its records have another order now: list shows them all");
            }
        }
        Ok(())
    }

    fn gap(&mut self, of: &str, reason: &str) {
        let gap = api::Gap { of: of.to_owned(), reason: reason.to_owned() };
        self.ready.push_back((self.cursor, api::Event::Gap(gap)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let cursor = Cursor { run: u64::MAX, peers: 7, place: Place { row: 12, guid: Guid([0xAB; 16]) } };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1.2.3", "a.1.2.ab", "1.2.3.4", "1.zz.3.abababab-abab-abab-abab-abababababab"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
