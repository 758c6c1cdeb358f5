//! [`Record`]: a record as a program has it: complete, with its MSG as text.

use super::Error;
use crate::proto::gossip::{Guid, Hash};
use crate::proto::time::Timestamp;
use crate::store::Row;
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A record: immutable, complete, the same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Its name, which follows from all the rest.
    pub guid: Guid,
    /// When it was created, by its creator's clock: microseconds since 1970.
    pub date_time: Timestamp,
    /// Who says it, 1 to 64 bytes; any member may say anything under any name.
    pub who_name: String,
    /// The node on which it was created.
    pub origin: Guid,
    /// SHA-256 of `msg`.
    pub sha2: Hash,
    /// What is said: 1 byte to 16 MiB of text.
    pub msg: String,
}

impl Record {
    pub(super) fn new((row, msg): (Row, Bytes)) -> Record {
        let (guid, head) = (row.guid, row.head);
        let (date_time, who_name, origin) = (head.date_time(), head.who_name().to_owned(), head.origin());
        // All of it is UTF-8, or it were no record; what rots on the disk is found where it is read to be sent.
        let msg =
            String::from_utf8(msg.into()).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into());
        Record { guid, date_time, who_name, origin, sha2: *head.sha2(), msg }
    }

    /// MSG read as JSON, as [`add_json`](super::Handle::add_json) wrote it.
    ///
    /// # Errors
    /// When it is none of this type: other programs may say other things in the same network.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.msg).map_err(Error::payload)
    }
}
