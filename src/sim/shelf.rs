//! [`Shelf`]: one copy of each record, for the disks of all nodes.

use crate::proto::gossip::{Guid, Head};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A record as disks share it.
pub(super) type Shelved = Arc<(Head, Bytes)>;

/// See the module. Equal GUIDs are equal bytes, whoever came first.
#[derive(Default)]
pub(super) struct Shelf(Mutex<BTreeMap<Guid, Shelved>>);

impl Shelf {
    pub(super) fn put(&self, guid: Guid, head: Head, msg: Bytes) -> Shelved {
        let mut shelved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelved.entry(guid).or_insert_with(|| Arc::new((head, msg))).clone()
    }
}
