//! [`Events`]: a network's events one by one, for one who follows. Nothing is kept for who does not ask: records are read
//! from the store in the order of their arrival, a page at a time, and what happened to peers is kept once for all.

use super::handle::Handle;
use super::member::Member;
use super::news::{Latest, Since};
use super::refusal::Refusal;
use super::view::{self, View};
use crate::api;
use crate::proto::gossip::Guid;
use crate::store::{Arrivals, NetworkId, Place};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Rows that are read at once.
const PAGE: usize = 64;
/// So many rows behind, who does not keep a backlog goes on with the newest.
const FAR_BEHIND: i64 = 1000;
/// What may be asked for; a snapshot and a reset always come.
const KINDS: [&str; 6] = ["gossip", "peer", "fetch", "warning", "metrics", "traffic"];
/// Those of them that a backlog is kept of.
const LASTING: [&str; 2] = ["gossip", "peer"];

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
    kinds: BTreeSet<&'static str>,
    backlog: api::Backlog,
    news: watch::Receiver<Latest>,
    live: Option<broadcast::Receiver<Arc<api::Event>>>,
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
        let id = self.networks[network].id;
        let last = match last {
            None => None,
            Some(text) => {
                let wrong = || Refusal::Invalid(format!("the Last-Event-ID {text:?} is none that this daemon gave"));
                Some(text.parse::<Cursor>().map_err(|()| wrong())?)
            }
        };
        let begins = query.from.is_some() || last.is_some();
        let backlog = query.backlog.unwrap_or(if begins { api::Backlog::Keep } else { api::Backlog::Skip });
        let kinds = kinds(query.kinds.as_deref(), backlog)?;
        let (cursor, stale) = match last {
            Some(cursor) => (cursor, false),
            None => {
                let place = match query.from.as_deref() {
                    None | Some("new") => self.read_store(|store| store.last_place()).await?,
                    Some("all") => Place::default(),
                    Some(guid) => {
                        let key = self.find(network, guid).await?;
                        let place = self.read_store(move |store| store.place(id, key)).await?;
                        let wait = || Refusal::Invalid(format!("{} is not complete yet", key.guid));
                        place.ok_or_else(wait)?
                    }
                };
                (Cursor { run: 0, peers: 0, place }, true)
            }
        };
        let (handle, news, ready, read_to) = (self.clone(), self.news(network), VecDeque::new(), None);
        let live = kinds.iter().any(|kind| !LASTING.contains(kind)).then(|| self.pulse(network));
        let _place = permit;
        Ok(Events { handle, network, id, cursor, kinds, backlog, news, live, read_to, stale, ready, _place })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("network", &self.network).field("cursor", &self.cursor).finish_non_exhaustive()
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
            self.look_at_samples();
            let latest = *self.news.borrow_and_update();
            if let Err(refusal) = self.look(latest).await {
                return Some(Err(refusal));
            }
            if self.ready.is_empty() && self.read_to == Some(latest.records) {
                let stop = self.handle.stopped();
                let sample = tokio::select! {
                    changed = self.news.changed() => changed.ok().map(|()| None)?,
                    sample = next_sample(&mut self.live) => Some(sample),
                    () = stop => return None,
                };
                sample.into_iter().for_each(|sample| self.sampled(&sample));
            }
        }
    }

    async fn look(&mut self, latest: Latest) -> Result<(), Refusal> {
        if !self.stale && (self.cursor.peers != latest.peers || self.read_to.is_none()) {
            self.look_at_peers().await?;
        }
        if self.stale {
            self.look_at_all().await?;
        } else if !self.kinds.contains("gossip") {
            self.read_to = Some(latest.records);
        } else if self.read_to != Some(latest.records) {
            self.look_at_records(latest).await?;
        }
        Ok(())
    }

    /// Takes the samples that came while something else was told.
    fn look_at_samples(&mut self) {
        let waiting = |live: &mut Option<broadcast::Receiver<_>>| live.as_mut()?.try_recv().ok();
        while let Some(sample) = waiting(&mut self.live) {
            self.sampled(&sample);
        }
    }

    fn sampled(&mut self, sample: &api::Event) {
        if self.kinds.contains(sample.name()) {
            self.ready.push_back((self.cursor, sample.clone()));
        }
    }

    async fn look_at_peers(&mut self) -> Result<(), Refusal> {
        let Cursor { run, peers, .. } = self.cursor;
        let since = self.handle.look(self.network, move |member, _| (member.news.since(run, peers), member.news.run()));
        match since.await? {
            (Since::Events(events), _) => {
                for event in events {
                    self.cursor.peers += 1;
                    if self.kinds.contains("peer") {
                        self.ready.push_back((self.cursor, api::Event::Peer(event)));
                    }
                }
            }
            // A daemon that started again has a snapshot to tell, and nobody missed anything by then.
            (Since::Forgotten, now) if now != run => self.stale = true,
            (Since::Forgotten, _) => {
                let reason = "more happened to peers than is kept for who is slow: what follows is how they are now";
                self.reset("peer", reason, None);
            }
        }
        Ok(())
    }

    async fn look_at_all(&mut self) -> Result<(), Refusal> {
        let look = |member: &mut Member, moment| {
            (View::new(member, moment).network, member.news.run(), member.news.latest().peers)
        };
        let (network, run, peers) = self.handle.look(self.network, look).await?;
        (self.cursor.run, self.cursor.peers, self.stale) = (run, peers, false);
        self.ready.push_back((self.cursor, api::Event::Snapshot(network)));
        Ok(())
    }

    async fn look_at_records(&mut self, latest: Latest) -> Result<(), Refusal> {
        let (id, place) = (self.id, self.cursor.place);
        let behind = if self.backlog == api::Backlog::Keep { i64::MAX } else { FAR_BEHIND };
        match self.handle.read_store(move |store| store.arrived(id, place, PAGE, behind)).await? {
            Arrivals::Page { rows, next, more } => {
                for (place, row) in rows {
                    self.cursor.place = place;
                    self.ready.push_back((self.cursor, api::Event::Gossip(view::gossip(&row))));
                }
                self.cursor.place = next;
                self.read_to = (!more).then_some(latest.records);
            }
            Arrivals::Behind { rows, last } => {
                (self.cursor.place, self.read_to) = (last, Some(latest.records));
                // Rows of other networks are among them.
                let skipped = (self.handle.count() == 1).then_some(rows);
                self.reset("gossip", "more records arrived than are kept for who is slow: list shows them", skipped);
            }
            Arrivals::Lost => {
                self.cursor.place = self.handle.read_store(|store| store.last_place()).await?;
                self.read_to = Some(latest.records);
                let reason = "the store was mended, and its records have another order now: what came meanwhile is not told, list shows all";
                self.reset("gossip", reason, None);
            }
        }
        Ok(())
    }

    fn reset(&mut self, of: &str, reason: &str, skipped: Option<u64>) {
        let reset = api::Reset { of: of.to_owned(), reason: reason.to_owned(), skipped };
        self.ready.push_back((self.cursor, api::Event::Reset(reset)));
        self.stale = true;
    }
}

/// The next sample, however many were missed; never, where none are wanted.
async fn next_sample(live: &mut Option<broadcast::Receiver<Arc<api::Event>>>) -> Arc<api::Event> {
    while let Some(samples) = live {
        match samples.recv().await {
            Ok(sample) => return sample,
            Err(RecvError::Lagged(_)) => (),
            Err(RecvError::Closed) => break,
        }
    }
    std::future::pending().await
}

/// Which events are asked for.
fn kinds(asked: Option<&str>, backlog: api::Backlog) -> Result<BTreeSet<&'static str>, Refusal> {
    match (asked, backlog) {
        (None, api::Backlog::Keep) => Ok(LASTING.into()),
        (None, api::Backlog::Skip) => Ok(KINDS.into()),
        (Some(asked), _) => {
            let known = |name: &str| KINDS.into_iter().find(|kind| *kind == name);
            let wrong = |name| Refusal::Invalid(format!("kinds: {name:?} is none of {}", KINDS.join(", ")));
            asked.split(',').map(|name| known(name).ok_or_else(|| wrong(name))).collect()
        }
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
