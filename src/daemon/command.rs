//! [`Command`]: what the daemon's task is asked for.

use super::engine::Look;
use super::refusal::Refusal;
use crate::api;
use crate::proto::gossip::Gossip;
use crate::store::Request;
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// See the module. Networks are numbered as in `server.json`.
pub enum Command {
    /// Creates records, in one commit.
    Add {
        /// Where.
        network: usize,
        /// They.
        all: Vec<Adding>,
        /// Answered once they are on disk: one by one, in their order.
        made: Made,
    },
    /// Registers with an address.
    Register {
        /// Where; everywhere if `None`.
        network: Option<usize>,
        /// With whom.
        addr: SocketAddr,
        /// Whether to go on for ever.
        seed: bool,
        /// Answered once it has.
        reply: Option<oneshot::Sender<api::Registered>>,
    },
    /// Looks at a node, or tells it something small.
    Look {
        /// At which.
        network: usize,
        /// What is done there, at once.
        look: Look,
    },
}

/// A record to be created.
pub struct Adding {
    /// Who says it; the node's name if nobody.
    pub who_name: Option<String>,
    /// What is said.
    pub msg: Bytes,
    /// The request that it comes of, if that may come again.
    pub request: Option<Request>,
}

/// Who waits for records to be created, and the room that they take until they are on disk, whether or not somebody still
/// waits.
pub struct Made {
    /// Who waits.
    pub reply: oneshot::Sender<Vec<Result<Gossip, Refusal>>>,
    /// Room for all their bytes.
    pub _room: OwnedSemaphorePermit,
}
