//! [`Arriving`]: a network's records one by one, whole, in the order of their arrival, for a program that goes on where it
//! stood. Nothing is kept for it: the store has all in that order, and is read a page at a time.

use super::handle::Handle;
use super::news::Latest;
use super::refusal::Refusal;
use crate::store::{Arrivals, Place, Row};
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::sync::watch;

/// Rows that are read at once.
const PAGE: usize = 64;

/// A record that arrived: complete, and on the disk.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Behind it.
    pub place: Place,
    /// All but MSG.
    pub row: Row,
    /// MSG.
    pub msg: Bytes,
}

/// See the module.
pub struct Arriving {
    handle: Handle,
    network: usize,
    news: watch::Receiver<Latest>,
    /// How far records had come when the store had no more of them.
    read_to: Option<u64>,
    /// Read, and not told yet.
    ready: VecDeque<(Place, Row)>,
    /// Behind all that was read.
    read: Place,
}

impl Handle {
    /// All that arrives in a network behind `place`; from the newest record of now on, if that is `None`.
    pub(crate) async fn arriving(&self, network: usize, place: Option<Place>) -> Result<Arriving, Refusal> {
        let place = match place {
            Some(place) => place,
            None => self.read_store(|store| store.last_place()).await?,
        };
        let (handle, news) = (self.clone(), self.news(network));
        Ok(Arriving { handle, network, news, read_to: None, ready: VecDeque::new(), read: place })
    }
}

impl Arriving {
    /// The next record; `None` when the daemon stops. May be dropped while it waits. After an error it goes on where it
    /// was. Where the order is lost, since a damaged store was mended, all begins anew: some comes again, nothing is
    /// passed over.
    pub async fn next(&mut self) -> Option<Result<Arrived, Refusal>> {
        loop {
            if self.handle.is_stopping() {
                return None;
            }
            if let Some((place, row)) = self.ready.front().cloned() {
                let msg = match row.msg() {
                    Some(msg) => Ok(Some(msg.clone())),
                    None => self.body(&row).await,
                };
                let msg = match msg {
                    Ok(msg) => msg,
                    Err(refusal) => return Some(Err(refusal)),
                };
                self.ready.pop_front();
                match msg {
                    Some(msg) => return Some(Ok(Arrived { place, row, msg })),
                    // It left meanwhile, or was damaged: then it is fetched again and arrives once more.
                    None => continue,
                }
            }
            let latest = *self.news.borrow_and_update();
            if self.read_to == Some(latest.records) {
                let stop = self.handle.stopped();
                tokio::select! {
                    changed = self.news.changed() => changed.ok()?,
                    () = stop => return None,
                }
                continue;
            }
            if let Err(refusal) = self.look(latest).await {
                return Some(Err(refusal));
            }
        }
    }

    async fn body(&self, row: &Row) -> Result<Option<Bytes>, Refusal> {
        let (id, key) = (self.handle.networks[self.network].id, row.key());
        self.handle.read_store(move |store| store.msg(id, key)).await
    }

    async fn look(&mut self, latest: Latest) -> Result<(), Refusal> {
        let (id, read) = (self.handle.networks[self.network].id, self.read);
        match self.handle.read_store(move |store| store.arrived(id, read, PAGE, i64::MAX)).await? {
            Arrivals::Page { rows, next, more } => {
                self.ready.extend(rows);
                self.read = next;
                self.read_to = (!more).then_some(latest.records);
            }
            Arrivals::Behind { .. } | Arrivals::Lost => self.read = Place::default(),
        }
        Ok(())
    }
}
