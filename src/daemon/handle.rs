//! [`Handle`]: how others reach a running daemon. What the disk knows is read beside the task; what the node knows is
//! asked of it.

use super::engine::{Look, Moment};
use super::live::Pulse;
use super::member::Member;
use super::news::Latest;
use super::reload::InForce;
use super::view::{self, View};
use crate::api;
use crate::proto::gossip::Gossip;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Timestamp;
use crate::store::{ListFilter, NetworkId, Request, Store, StoreError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};

/// Kibibytes of MSG that may be on their way from callers to the disk.
pub(super) const ADDING: usize = 64 << 10;
/// Kibibytes of bodies that may be on their way in.
const ARRIVING: usize = 128 << 10;
/// Who may follow events at once.
const FOLLOWERS: usize = 64;

/// What the daemon says no to.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such record or network.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It does not go with how things are.
    #[error("{0}")]
    Conflict(String),
    /// It is in use still.
    #[error("{0}")]
    InUse(String),
    /// The same name was given to another request.
    #[error("{0}")]
    Different(String),
    /// Not in time.
    #[error("{0}")]
    Timeout(String),
    /// The disk refuses, or the daemon is stopping.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let what_to_do = if error.is_damage() {
            ": what is whole is being saved, the rest comes from peers; try again in a moment"
        } else {
            ""
        };
        Refusal::Unavailable(format!("{error}{what_to_do}"))
    }
}

/// What the task is asked for. Networks are numbered as in `server.json`.
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

/// A network, from outside the task.
pub struct Known {
    /// NETWORK_NAME.
    pub name: String,
    /// In the store.
    pub id: NetworkId,
    /// Tells when something happened.
    pub news: watch::Receiver<Latest>,
    /// Tells what is measured all the time.
    pub pulse: Arc<Pulse>,
}

/// A way to a running daemon: cheap to clone, never blocks the node.
#[derive(Clone)]
pub struct Handle {
    pub(super) in_force: Arc<InForce>,
    pub(super) addr: SocketAddr,
    /// When the daemon started.
    pub(super) started: Timestamp,
    pub(super) networks: Arc<Vec<Known>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) changes: watch::Receiver<u64>,
    pub(super) stop: Arc<watch::Sender<bool>>,
    /// Whether somebody asked it to leave.
    pub(super) leave: Arc<watch::Sender<bool>>,
    /// What became of the goodbye.
    pub(super) farewell: watch::Receiver<Option<api::Left>>,
    pub(super) store: Arc<Store>,
    pub(super) bounds: Arc<Bounds>,
    pub(super) http: Arc<OnceLock<SocketAddr>>,
}

/// What is bounded for all callers together.
pub(super) struct Bounds {
    /// KiB of MSG on their way to the disk.
    pub adding: Arc<Semaphore>,
    /// KiB of bodies on their way in.
    pub arriving: Arc<Semaphore>,
    following: Arc<Semaphore>,
    /// Named requests under way, by network.
    pub requests: Mutex<BTreeSet<(usize, String)>>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (adding, arriving, following) = (semaphore(ADDING), semaphore(ARRIVING), semaphore(FOLLOWERS));
        Bounds { adding, arriving, following, requests: Mutex::default() }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Handle {
    /// This daemon.
    pub fn node(&self) -> api::NodeInfo {
        api::NodeInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            pid: std::process::id(),
            networks: self.networks.iter().map(|known| known.name.clone()).collect(),
            demo: false,
            http: self.http.get().map(SocketAddr::to_string),
        }
    }

    /// Whoever serves the control API over TCP says where, once.
    pub fn served_at(&self, addr: SocketAddr) {
        // A second place would be a mistake of who calls; the first stays true.
        let _ = self.http.set(addr);
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
        let id = self.networks[index].id;
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

    /// Waits until all that is asked holds, or the time is over.
    pub async fn wait(&self, query: api::WaitQuery) -> Result<api::Waited, Refusal> {
        let network = self.network(query.network.as_deref())?;
        let mut waiting = self.wait_up_to(Duration::from_millis(query.timeout_ms));
        loop {
            waiting.look();
            let look = |member: &mut Member, _| (view::standing(&member.node), member.node.ledger().state().count);
            let ((reachable_peers, equal), gossip_count) = self.look(network, look).await?;
            let in_sync = reachable_peers > 0 && reachable_peers == equal;
            let holds = query.peers.is_none_or(|peers| reachable_peers >= peers)
                && query.gossip.is_none_or(|gossip| gossip_count >= gossip)
                && (in_sync || !query.in_sync);
            if holds || waiting.is_over() {
                return Ok(api::Waited { holds, reachable_peers, gossip_count, in_sync });
            }
            waiting.change().await?;
        }
    }

    /// Returns when the task has taken something up: it is neither stuck nor gone.
    pub async fn ready(&self) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel::<()>();
        // That it is looked at and dropped is the answer, whether or not there is a network.
        self.send(Command::Look { network: 0, look: Box::new(|_, _| drop(reply)) }).await?;
        let _ = answer.await;
        self.lives()
    }

    /// Asks the daemon to say goodbye and stop; [`super::Daemon::stopped`] then returns.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Refuses where the daemon is stopping.
    pub(crate) fn lives(&self) -> Result<(), Refusal> {
        if self.is_stopping() { Err(stopping()) } else { Ok(()) }
    }

    pub(crate) fn network(&self, name: Option<&str>) -> Result<usize, Refusal> {
        let names = || self.networks.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => self.networks.iter().position(|known| known.name == name).ok_or_else(|| {
                Refusal::NotFound(format!("this daemon is not in the network {name:?} but in: {}", names()))
            }),
            None if self.networks.len() == 1 => Ok(0),
            None => Err(Refusal::Invalid(format!("this daemon is in several networks; name one of: {}", names()))),
        }
    }

    async fn view(&self, network: usize) -> Result<View, Refusal> {
        self.look(network, |member, moment| View::new(member, moment)).await
    }

    /// Has something quick done in the task, between all else.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        network: usize,
        look: impl FnOnce(&mut Member, Moment) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        // Who asked may have gone.
        let look: Look = Box::new(move |member, moment| drop(reply.send(look(member, moment))));
        self.send(Command::Look { network, look }).await?;
        answer.await.map_err(|_| stopping())
    }

    /// Room for a body of so many bytes, for as long as the answer lives.
    pub async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.bounds.arriving, ARRIVING, bytes).await
    }

    /// Room for records of so many bytes until they are on disk, though who brought them goes away meanwhile.
    pub(super) async fn adding(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.bounds.adding, ADDING, bytes).await
    }

    /// A place among those who follow.
    pub(super) fn follow(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let full = || Refusal::Unavailable(format!("{FOLLOWERS} others follow its events already: end one of them"));
        self.bounds.following.clone().try_acquire_owned().map_err(|_| full())
    }

    /// Tells when something happens in a network.
    pub(super) fn news(&self, network: usize) -> watch::Receiver<Latest> {
        self.networks[network].news.clone()
    }

    /// What is measured of a network from here on.
    pub(super) fn pulse(&self, network: usize) -> broadcast::Receiver<Arc<api::Event>> {
        self.networks[network].pulse.look()
    }

    /// How many networks there are.
    pub(super) fn count(&self) -> usize {
        self.networks.len()
    }

    /// Tells when anything may have changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Returns when the daemon is told to stop.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|&stop| stop).await;
        }
    }

    pub(super) async fn send(&self, command: Command) -> Result<(), Refusal> {
        self.commands.send(command).await.map_err(|_| stopping())
    }

    pub(crate) async fn read_store<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || read(&store)).await;
        Ok(read.map_err(|error| Refusal::Unavailable(error.to_string()))??)
    }
}

/// So many bytes of the KiB that all callers share, or all of them where they are fewer.
async fn take(shared: &Arc<Semaphore>, all: usize, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let kibibytes = u32::try_from(bytes.div_ceil(1 << 10).min(all)).unwrap_or(u32::MAX);
    shared.clone().acquire_many_owned(kibibytes).await.map_err(|_| stopping())
}

#[cfg(test)]
impl Handle {
    /// Keeps the task from turning for so long.
    pub(crate) async fn stall(&self, span: Duration) -> Result<(), Refusal> {
        self.look(0, move |_, _| std::thread::sleep(span)).await
    }
}

/// Does all of something, though who asked for it goes away meanwhile, and with it the future that waits.
pub(super) async fn to_the_end<T: Send + 'static, E: From<Refusal> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(work).await.map_err(|error| Refusal::Unavailable(error.to_string()))?
}

pub(super) fn stopping() -> Refusal {
    Refusal::Unavailable("the daemon is stopping".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Handle {
        /// That of a daemon which knows nobody, and the daemon.
        pub(crate) async fn alone() -> (crate::Daemon, Handle) {
            let builder = crate::Daemon::builder().network("home").key(crate::proto::seal::Secret([7; 32]));
            let daemon = builder.bind(([127, 0, 0, 1], 0)).in_memory().start().await.unwrap();
            let handle = daemon.handle().control().clone();
            (daemon, handle)
        }
    }
}
