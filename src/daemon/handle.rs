//! [`Handle`]: how others reach a running daemon. What the disk knows is read beside the task; what the node knows is
//! asked of it.

use super::bounds::Bounds;
use super::command::Command;
use super::engine::{Look, Moment};
use super::live::Pulse;
use super::member::Member;
use super::news::Latest;
use super::refusal::{Refusal, stopping};
use super::reload::InForce;
use super::view::{self, View};
use crate::api;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Timestamp;
use crate::store::{ListFilter, NetworkId, Store, StoreError};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

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
    /// Whether somebody asked it to leave, and said that it comes back at once.
    pub(super) leave: Arc<watch::Sender<Option<bool>>>,
    /// What became of the goodbye.
    pub(super) farewell: watch::Receiver<Option<api::Left>>,
    pub(super) store: Arc<Store>,
    pub(super) bounds: Arc<Bounds>,
    pub(super) http: Arc<OnceLock<SocketAddr>>,
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
            _ if self.networks.is_empty() => {
                Err(Refusal::NotFound("this node is in no network: `gossip-node network add` adds one".to_owned()))
            }
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
