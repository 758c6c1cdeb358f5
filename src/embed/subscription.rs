//! [`Subscription`]: records as they arrive, from a place that a program may keep.

use super::{Error, Record};
use crate::daemon::Arriving;
use crate::proto::gossip::{Guid, Kind};
use crate::store::Place;
use futures_core::Stream;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A place in the order in which records arrived on one node: text of up to 60 characters (or a string in JSON), good for
/// as long as that node's home. It means nothing to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Place);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.row, self.0.guid)
    }
}

/// Some text is no [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor: it is written ROW.GUID")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        let (row, guid) = text.split_once('.').ok_or(NoCursor)?;
        let guid: Guid = guid.parse().map_err(|_| NoCursor)?;
        Ok(Cursor(Place { row: row.parse().map_err(|_| NoCursor)?, guid }))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the next record to arrive.
    Now,
    /// With the first that is here.
    All,
    /// Behind this one: where somebody stood.
    After(Cursor),
}

impl Since {
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Since::Now => None,
            Since::All => Some(Place::default()),
            Since::After(Cursor(place)) => Some(place),
        }
    }
}

/// A record that arrived, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Behind it: who keeps this when it has dealt with the record, and later begins [`Since::After`] it, misses nothing and
    /// is told nothing twice.
    pub cursor: Cursor,
    /// It.
    pub record: Record,
}

/// Records in the order in which they arrived on this node, its own too, each once. Also a `Stream`.
///
/// Nothing is kept for it but on disk: however slow it is read, it holds nobody up and misses nothing; and with the
/// [`Cursor`] of the last record that was dealt with, it goes on after a restart of the program as if there had been none.
/// Where a damaged store had to be mended the order is lost, and all comes again: records may be told twice then, never not
/// at all. Records that `max_age` or a forget took away are passed over. It ends when the node does.
#[derive(Debug)]
#[must_use = "nothing is told unless it is read"]
pub struct Subscription {
    arriving: mpsc::Receiver<Result<Received, Error>>,
}

impl Subscription {
    pub(super) fn new(mut arriving: Arriving) -> Subscription {
        // One is read ahead. Its cursor goes with it, so what nobody took is told again.
        let (told, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    next = arriving.next() => next,
                    () = told.closed() => return,
                };
                let received = match next {
                    None => return,
                    Some(Ok(arrived)) if arrived.row.head.kind() != Kind::Message => continue,
                    Some(Ok(arrived)) => {
                        let record = Record::new((arrived.row, arrived.msg));
                        Ok(Received { cursor: Cursor(arrived.place), record })
                    }
                    Some(Err(refusal)) => Err(refusal.into()),
                };
                if told.send(received).await.is_err() {
                    return;
                }
            }
        });
        Subscription { arriving: receiver }
    }

    /// The next record, as soon as there is one; `None` when the node has stopped. After an error it may be called again.
    /// May be dropped while it waits, as in `select!`.
    pub async fn next(&mut self) -> Option<Result<Received, Error>> {
        self.arriving.recv().await
    }
}

impl Stream for Subscription {
    type Item = Result<Received, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.arriving.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let cursor = Cursor(Place { row: i64::MAX, guid: Guid([0xAB; 16]) });
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!(cursor.to_string().len() <= 60);
        let json = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
        for text in ["", "1", "1.", ".", "x.abababab-abab-abab-abab-abababababab", "1.abab"] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
