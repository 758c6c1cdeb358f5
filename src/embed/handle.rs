//! [`Handle`]: what a program does with a node, in one of its networks.

use super::record::Record;
use super::subscription::{Since, Subscription};
use crate::api::{self, PAGE};
use crate::daemon::{self, Refusal};
use crate::proto::gossip::{Guid, Key, Kind};
use crate::proto::limits::MAX_MSG;
use crate::proto::time::Timestamp;
use crate::store::{Cursor, ListFilter, Order};
use serde::Serialize;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node says no: it makes no sense, it was not in time, the disk refuses, or it is stopping.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A value is no JSON, or JSON is no such value.
    #[error("a payload: {0}")]
    Payload(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its task ended badly.
    #[error("the node ended: {0}")]
    Ended(#[from] io::Error),
}

impl Error {
    pub(super) fn payload(error: serde_json::Error) -> Error {
        Error::Payload(error.into())
    }

    /// Whether it was only not in time: the same may do later.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Refused(Refusal::Timeout(_)))
    }
}

/// Which records [`Handle::list`] is to find, and from which end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// At most so many: 1 to 1,000; 50 by default.
    pub limit: usize,
    /// From the newest back, or (as by default) from the oldest on.
    pub newest_first: bool,
    /// Only by this WHO_NAME.
    pub who_name: Option<String>,
    /// Only those whose MSG contains this (case matters not for ASCII).
    pub contains: Option<String>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Not newer than this.
    pub until: Option<Timestamp>,
    /// Behind this record: [`Listed::next`] says which.
    pub after: Option<Key>,
}

impl Default for Query {
    fn default() -> Query {
        let (who_name, contains, since, until, after) = Default::default();
        Query { limit: 50, newest_first: false, who_name, contains, since, until, after }
    }
}

/// A page of records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// They, in the order of their dates. Fewer than asked for where many do not match, or where they are long (a page ends
    /// behind 16 MiB).
    pub records: Vec<Record>,
    /// What to ask for the next page, as long as there may be one.
    pub next: Option<Query>,
}

/// A way to a running node, in one network: cheap to clone, good from any task, never blocks the node. When the node has
/// stopped, all methods say so ([`Refusal::Unavailable`]).
#[derive(Clone)]
pub struct Handle {
    control: daemon::Handle,
    network: usize,
    name: Arc<str>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("network", &self.name).finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(control: daemon::Handle, name: &str) -> Result<Handle, Error> {
        let network = control.network(Some(name))?;
        Ok(Handle { control, network, name: name.into() })
    }

    /// All else that can be done: what the control API has, with its own types. It may change with any version.
    pub fn control(&self) -> &daemon::Handle {
        &self.control
    }

    /// Which network it is about.
    pub fn network_name(&self) -> &str {
        &self.name
    }

    /// Creates a record of this text (1 byte to 16 MiB of UTF-8), under the node's name; returns once it is on disk. From then on
    /// nothing takes it back: every node that lives, and is connected for long enough, gets it.
    ///
    /// # Errors
    /// When it is too long, the disk refuses, or the node is stopping. It was not created then, and nobody was sent it; but for
    /// a node that stops meanwhile, where it may have been.
    pub async fn add(&self, msg: impl Into<String>) -> Result<Guid, Error> {
        self.create(None, msg.into()).await
    }

    /// The same under a name of its own, 1 to 64 bytes.
    ///
    /// # Errors
    /// As [`add`](Handle::add), and where it is no name.
    pub async fn add_as(&self, who_name: impl Into<String>, msg: impl Into<String>) -> Result<Guid, Error> {
        self.create(Some(who_name.into()), msg.into()).await
    }

    /// Creates a record of a value, as JSON; [`Record::json`] reads it.
    ///
    /// ```
    /// # use gossip_node::{Daemon, proto::seal::Secret};
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Limit {
    ///     requests_a_second: u32,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = Daemon::builder().network("home").key(Secret([7; 32])).bind(([127, 0, 0, 1], 0));
    /// # let daemon = builder.in_memory().start().await?;
    /// # let gossip = daemon.handle();
    /// let guid = gossip.add_json(&Limit { requests_a_second: 50 }).await?;
    /// let record = gossip.get(guid).await?.unwrap();
    /// assert_eq!(record.json::<Limit>()?, Limit { requests_a_second: 50 });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`add`](Handle::add), and where the value cannot be JSON.
    pub async fn add_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<Guid, Error> {
        self.create(None, serde_json::to_string(value).map_err(Error::payload)?).await
    }

    async fn create(&self, who_name: Option<String>, msg: String) -> Result<Guid, Error> {
        let added = self.control.add(Some(&self.name), who_name, msg.into()).await?;
        let guid = added.guid.parse();
        Ok(guid.map_err(|_| Refusal::Unavailable("a GUID of ours is none".to_owned()))?)
    }

    /// A record, if it is here and complete.
    ///
    /// # Errors
    /// When the disk cannot be read, or the node has stopped.
    pub async fn get(&self, guid: Guid) -> Result<Option<Record>, Error> {
        Ok(self.control.whole(self.network, guid).await?.map(Record::new))
    }

    /// A page of records, by their dates.
    ///
    /// ```
    /// # use gossip_node::{Daemon, Query, proto::seal::Secret};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = Daemon::builder().network("home").key(Secret([7; 32])).bind(([127, 0, 0, 1], 0));
    /// # let daemon = builder.in_memory().start().await?;
    /// # let gossip = daemon.handle();
    /// # for number in 0..5 { gossip.add(number.to_string()).await?; }
    /// let mut query = Some(Query { limit: 2, ..Query::default() });
    /// let mut all = Vec::new();
    /// while let Some(page) = query {
    ///     let listed = gossip.list(page).await?;
    ///     all.extend(listed.records);
    ///     query = listed.next;
    /// }
    /// assert_eq!(all.len(), 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the limit is none, the disk cannot be read, or the node has stopped.
    pub async fn list(&self, query: Query) -> Result<Listed, Error> {
        if !(1..=PAGE).contains(&query.limit) {
            return Err(Refusal::Invalid(format!("a page has 1 to {PAGE} records, not {}", query.limit)).into());
        }
        self.control.lives()?;
        let Query { limit, who_name, contains, since, until, .. } = query.clone();
        let filter = ListFilter { limit, since, until, who: who_name, grep: contains, ..ListFilter::default() };
        let order = if query.newest_first { Order::Newest } else { Order::Oldest };
        let after = query.after.map(Cursor::Key);
        let (rows, next) = self.control.wholes(self.network, filter, order, after, MAX_MSG).await?;
        let messages = rows.into_iter().filter(|(row, _)| row.head.kind() == Kind::Message);
        let next = match next {
            Some(Cursor::Key(key)) => Some(Query { after: Some(key), ..query }),
            Some(Cursor::Row(_)) | None => None,
        };
        Ok(Listed { records: messages.map(Record::new).collect(), next })
    }

    /// All that arrives on this node from some point on, whoever created it; see [`Subscription`].
    ///
    /// # Errors
    /// When the disk cannot be read, or the node has stopped.
    pub async fn subscribe(&self, since: Since) -> Result<Subscription, Error> {
        self.control.lives()?;
        Ok(Subscription::new(self.control.arriving(self.network, since.place()).await?))
    }

    /// Who is known, and how each is doing.
    ///
    /// # Errors
    /// When the node has stopped; so it is with all below.
    pub async fn peers(&self) -> Result<Vec<api::Peer>, Error> {
        Ok(self.control.peers(Some(&self.name)).await?)
    }

    /// How things are: peers, records, counters. The newest ten records are in it.
    ///
    /// # Errors
    /// See [`peers`](Handle::peers).
    pub async fn status(&self) -> Result<api::Status, Error> {
        Ok(self.control.status(Some(&self.name), 10).await?)
    }

    /// Returns when at least one peer is reachable and all that are hold the same records as this node.
    ///
    /// # Errors
    /// When that was not so in time ([`Error::is_timeout`]).
    pub async fn wait_in_sync(&self, timeout: Duration) -> Result<(), Error> {
        let network = Some(self.name.to_string());
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let query = api::WaitQuery { network, in_sync: true, timeout_ms, ..api::WaitQuery::default() };
        let waited = self.control.wait(query).await?;
        if waited.holds {
            return Ok(());
        }
        let peers = waited.reachable_peers;
        Err(Refusal::Timeout(format!("not in sync within {timeout:?}, with {peers} reachable peers")).into())
    }

    /// Registers with another node at HOST:PORT, and returns who that is. Once is enough: what it knows of others comes
    /// with it, and is kept over restarts.
    ///
    /// # Errors
    /// When it did not answer in time, because it is not there or has another network or password.
    pub async fn register(&self, address: impl Into<String>, timeout: Duration) -> Result<api::Registered, Error> {
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let request = api::RegisterRequest { address: address.into(), timeout_ms };
        Ok(self.control.register(Some(&self.name), request).await?)
    }

    /// Has the node say goodbye, in all its networks, and stop: the others know it as left at once. Returns when it is said;
    /// [`Daemon::stopped`](super::Daemon::stopped) returns when port and home are free.
    ///
    /// # Errors
    /// When it has stopped already.
    pub async fn leave(&self) -> Result<api::Left, Error> {
        Ok(self.control.leave(false).await?)
    }
}
