//! [`Handle`]: how others reach a running daemon. What the disk knows is read beside the task; what the node knows is
//! asked of it.

use super::view::{self, View};
use crate::api;
use crate::config::ServerFile;
use crate::proto::gossip::{Key, check_name};
use crate::proto::limits::MAX_MSG;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Timestamp;
use crate::store::{ListFilter, MATCHES, NetworkId, Store, StoreError};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Kibibytes of MSG that may be on their way from callers to the disk.
const ADDING: usize = 64 << 10;
/// Between two looks at the node while somebody waits for a state of it.
const GLANCE: Duration = Duration::from_millis(20);
/// Fewest hex digits that name a record.
const LEAST_PREFIX: usize = 6;

/// What the daemon says no to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// No such record or network.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Not in time.
    #[error("{0}")]
    Timeout(String),
    /// The disk refuses, or the daemon is stopping.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::Unavailable(error.to_string())
    }
}

/// What the task is asked for. Networks are numbered as in `server.json`.
pub enum Command {
    /// Creates a record.
    Add {
        /// Where.
        network: usize,
        /// Who says it; the node's name if nobody.
        who_name: Option<String>,
        /// What is said.
        msg: Bytes,
        /// Answered once it is on disk.
        reply: oneshot::Sender<Result<api::Added, Refusal>>,
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
    /// Looks at a node.
    View {
        /// At which.
        network: usize,
        /// Answered at once.
        reply: oneshot::Sender<View>,
    },
}

/// A way to a running daemon: cheap to clone, never blocks the node.
#[derive(Clone)]
pub struct Handle {
    file: Arc<ServerFile>,
    addr: SocketAddr,
    networks: Arc<Vec<(String, NetworkId)>>,
    commands: mpsc::Sender<Command>,
    changes: watch::Receiver<u64>,
    stop: Arc<watch::Sender<bool>>,
    store: Arc<Store>,
    adding: Arc<Semaphore>,
}

impl Handle {
    pub(super) fn new(
        file: Arc<ServerFile>,
        addr: SocketAddr,
        networks: Vec<(String, NetworkId)>,
        commands: mpsc::Sender<Command>,
        changes: watch::Receiver<u64>,
        stop: watch::Sender<bool>,
        store: Arc<Store>,
    ) -> Handle {
        let adding = Arc::new(Semaphore::new(ADDING));
        Handle { file, addr, networks: Arc::new(networks), commands, changes, stop: Arc::new(stop), store, adding }
    }

    /// This daemon.
    pub fn node(&self) -> api::NodeInfo {
        api::NodeInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            pid: std::process::id(),
            networks: self.networks.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Creates a record; answers once it is on disk. `network` may be `None` where there is only one.
    pub async fn add(
        &self,
        network: Option<&str>,
        who_name: Option<String>,
        msg: Bytes,
    ) -> Result<api::Added, Refusal> {
        let network = self.network(network)?;
        if msg.is_empty() || msg.len() > MAX_MSG {
            let len = msg.len();
            return Err(Refusal::Invalid(format!("a MSG has 1 byte to 16 MiB ({MAX_MSG} bytes), not {len}")));
        }
        if who_name.as_deref().is_some_and(|who_name| !check_name(who_name)) {
            let rule = "who_name must be 1 to 64 bytes of text without control or bidirectional characters";
            return Err(Refusal::Invalid(rule.to_owned()));
        }
        let kibibytes = msg.len().div_ceil(1 << 10) as u32;
        let room = self.adding.acquire_many(kibibytes).await.map_err(|_| stopping())?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Add { network, who_name, msg, reply }).await?;
        let added = answer.await.map_err(|_| stopping())?;
        drop(room);
        added
    }

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
        Ok(gossip)
    }

    /// MSG alone, byte for byte.
    pub async fn msg(&self, network: Option<&str>, guid: &str) -> Result<Bytes, Refusal> {
        let id = self.id(network)?;
        let key = self.find(id, guid).await?;
        let msg = self.read_store(move |store| store.msg(id, key)).await?;
        msg.ok_or_else(|| Refusal::NotFound(format!("the MSG of {} is not complete yet", key.guid)))
    }

    /// NETWORK_STATUS.
    pub async fn status_network(&self, network: Option<&str>) -> Result<api::NetworkStatus, Refusal> {
        Ok(self.view(self.network(network)?).await?.network)
    }

    /// GOSSIP_STATUS with the newest `limit` records; 0 is all.
    pub async fn status_gossip(&self, network: Option<&str>, limit: u64) -> Result<api::GossipStatus, Refusal> {
        Ok(self.status(network, limit).await?.gossip)
    }

    /// Both, and the counters.
    pub async fn status(&self, network: Option<&str>, limit: u64) -> Result<api::Status, Refusal> {
        let index = self.network(network)?;
        let id = self.networks[index].1;
        let view = self.view(index).await?;
        let filter = ListFilter { limit: limit as usize, include_incomplete: true, ..ListFilter::default() };
        let read = move |store: &Store| Ok((store.totals(id)?, store.list(id, &filter)?));
        let (totals, rows) = self.read_store(read).await?;
        let gossip = api::GossipStatus {
            network_name: view.network.network_name.clone(),
            count: totals.complete + totals.incomplete,
            complete: totals.complete,
            incomplete: totals.incomplete,
            bytes: totals.bytes,
            root: view.network.root.clone(),
            reachable_peers: view.reachable,
            in_sync_peers: view.in_sync,
            gossip: rows.iter().map(view::state).collect(),
        };
        Ok(api::Status { network: view.network, gossip, stats: view.stats })
    }

    /// Registers with another node and waits for its answer.
    pub async fn register(
        &self,
        network: Option<&str>,
        request: api::RegisterRequest,
    ) -> Result<api::Registered, Refusal> {
        let network = self.network(network)?;
        let addr = self.look_up(&request.address).await.map_err(Refusal::Invalid)?;
        if self.is_own(addr) {
            return Err(Refusal::Invalid(format!("{addr} is this very node: name another one")));
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Register { network: Some(network), addr, seed: false, reply: Some(reply) };
        self.send(command).await?;
        let limit = Duration::from_millis(request.timeout_ms);
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|_| stopping()),
            Err(_) => Err(Refusal::Timeout(format!(
                "no answer from {addr}: it is unreachable, or has another network name or another password"
            ))),
        }
    }

    /// Waits until all that is asked holds, or the time is over.
    pub async fn wait(&self, query: api::WaitQuery) -> Result<api::Waited, Refusal> {
        let network = self.network(query.network.as_deref())?;
        let mut changes = self.changes.clone();
        let over = tokio::time::sleep(Duration::from_millis(query.timeout_ms));
        tokio::pin!(over);
        loop {
            changes.mark_unchanged();
            let view = self.view(network).await?;
            let in_sync = view.reachable > 0 && view.reachable == view.in_sync;
            let (reachable_peers, gossip_count) = (view.reachable, view.network.gossip_count);
            let holds = query.peers.is_none_or(|peers| reachable_peers >= peers)
                && query.gossip.is_none_or(|gossip| gossip_count >= gossip)
                && (in_sync || !query.in_sync);
            if holds || over.is_elapsed() {
                return Ok(api::Waited { holds, reachable_peers, gossip_count, in_sync });
            }
            let changed = async {
                tokio::time::sleep(GLANCE).await;
                changes.changed().await
            };
            tokio::select! {
                changed = changed => changed.map_err(|_| stopping())?,
                () = &mut over => {}
            }
        }
    }

    /// Asks the daemon to say goodbye and stop; [`super::Daemon::stopped`] then returns.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Has every network register with a seed, for ever.
    pub(super) async fn plant(&self, seed: &str) -> Result<(), String> {
        let addr = self.look_up(seed).await?;
        // One list of seeds may serve all hosts, the seeds themselves among them.
        if self.is_own(addr) {
            return Ok(());
        }
        let command = Command::Register { network: None, addr, seed: true, reply: None };
        self.send(command).await.map_err(|refusal| refusal.to_string())
    }

    /// The first address of HOST:PORT that our socket can send to.
    async fn look_up(&self, address: &str) -> Result<SocketAddr, String> {
        let found = tokio::net::lookup_host(address).await;
        let mut found = found.map_err(|error| format!("{address:?} is no HOST:PORT that can be looked up: {error}"))?;
        let fits = found.find(|addr| addr.is_ipv4() == self.file.ip.is_ipv4() && addr.port() != 0);
        fits.ok_or_else(|| format!("{address:?} has no address that a node bound to {} can reach", self.file.ip))
    }

    fn is_own(&self, addr: SocketAddr) -> bool {
        let any = self.addr.ip().is_unspecified() && addr.ip().is_loopback();
        addr == self.addr || any && addr.port() == self.addr.port()
    }

    fn network(&self, name: Option<&str>) -> Result<usize, Refusal> {
        let names = || self.networks.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => self.networks.iter().position(|(known, _)| known == name).ok_or_else(|| {
                Refusal::NotFound(format!("this daemon is not in the network {name:?} but in: {}", names()))
            }),
            None if self.networks.len() == 1 => Ok(0),
            None => Err(Refusal::Invalid(format!("this daemon is in several networks; name one of: {}", names()))),
        }
    }

    fn id(&self, name: Option<&str>) -> Result<NetworkId, Refusal> {
        self.network(name).map(|index| self.networks[index].1)
    }

    async fn find(&self, id: NetworkId, guid: &str) -> Result<Key, Refusal> {
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

    async fn view(&self, network: usize) -> Result<View, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::View { network, reply }).await?;
        answer.await.map_err(|_| stopping())
    }

    async fn send(&self, command: Command) -> Result<(), Refusal> {
        self.commands.send(command).await.map_err(|_| stopping())
    }

    async fn read_store<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || read(&store)).await;
        Ok(read.map_err(|error| Refusal::Unavailable(error.to_string()))??)
    }
}

fn stopping() -> Refusal {
    Refusal::Unavailable("the daemon is stopping".to_owned())
}

fn parse_time(text: &str) -> Result<Timestamp, Refusal> {
    let time = text.parse::<jiff::Timestamp>();
    let time = time.map_err(|error| Refusal::Invalid(format!("{text:?} is no RFC 3339 time: {error}")))?;
    Ok(Timestamp(u64::try_from(time.as_microsecond()).unwrap_or(0)))
}
