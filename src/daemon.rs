//! Daemon and Handle (being written)
#![allow(missing_docs, unused)]
use crate::api;
use bytes::Bytes;

/// What the daemon says no to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// No such record or network.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense (bad text, bad address, ambiguous prefix, several networks and none named ...).
    #[error("{0}")]
    Invalid(String),
    /// Not in time.
    #[error("{0}")]
    Timeout(String),
    /// The disk refuses (full, broken) or the daemon is stopping.
    #[error("{0}")]
    Unavailable(String),
}

/// How others reach a running daemon: cheap to clone, never blocks the node.
#[derive(Clone)]
pub struct Handle {}

impl Handle {
    pub fn node(&self) -> api::NodeInfo {
        todo!()
    }
    /// `network` None: the only one; with several networks `Refusal::Invalid` names them.
    pub async fn add(
        &self,
        network: Option<&str>,
        who_name: Option<String>,
        msg: Bytes,
    ) -> Result<api::Added, Refusal> {
        todo!()
    }
    pub async fn list(&self, query: api::ListQuery) -> Result<Vec<api::Gossip>, Refusal> {
        todo!()
    }
    /// By GUID or unique prefix of 6 or more hex digits (hyphens do not matter). `msg` is always there when complete.
    pub async fn read(&self, network: Option<&str>, guid: &str) -> Result<api::Gossip, Refusal> {
        todo!()
    }
    /// MSG alone, byte for byte.
    pub async fn msg(&self, network: Option<&str>, guid: &str) -> Result<Bytes, Refusal> {
        todo!()
    }
    pub async fn status_network(&self, network: Option<&str>) -> Result<api::NetworkStatus, Refusal> {
        todo!()
    }
    pub async fn status_gossip(&self, network: Option<&str>, limit: u64) -> Result<api::GossipStatus, Refusal> {
        todo!()
    }
    pub async fn status(&self, network: Option<&str>, limit: u64) -> Result<api::Status, Refusal> {
        todo!()
    }
    pub async fn register(
        &self,
        network: Option<&str>,
        request: api::RegisterRequest,
    ) -> Result<api::Registered, Refusal> {
        todo!()
    }
    pub async fn wait(&self, query: api::WaitQuery) -> Result<api::Waited, Refusal> {
        todo!()
    }
    /// Asks the daemon to say LEAVE and stop; `Daemon::stopped` then returns.
    pub fn stop(&self) {
        todo!()
    }
}

/// A running daemon: one task that owns nodes, socket and store.
pub struct Daemon {}

/// Why a daemon did not start. Each says what, why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon has this home.
    #[error("{home} is in use by the gossip-node with pid {pid}")]
    Locked { home: String, pid: String },
    /// The UDP address cannot be had.
    #[error("cannot bind UDP {addr}: {source}")]
    Bind { addr: std::net::SocketAddr, source: std::io::Error },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The store or anything else of the environment.
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

impl Daemon {
    /// Starts a daemon in its home: takes the home's lock, opens the store, binds the socket, starts the task.
    /// Needs a tokio runtime. The control API is served by `crate::http::serve` beside it.
    pub async fn start(home: crate::config::Home) -> Result<Daemon, StartError> {
        crate::config::ServerFile::load(&home.server_json())?;
        todo!()
    }
    pub fn handle(&self) -> Handle {
        todo!()
    }
    /// The home's lock, which is let go when the last clone of it is: whoever serves the control socket holds one until
    /// the socket is gone, or it might take a successor's away.
    pub fn lock(&self) -> std::sync::Arc<crate::config::HomeLock> {
        todo!()
    }
    /// The UDP address in use (port 0 resolved).
    pub fn addr(&self) -> std::net::SocketAddr {
        todo!()
    }
    /// Waits until the daemon has stopped (after `Handle::stop`): goodbye sent, store closed, lock released.
    pub async fn stopped(self) -> std::io::Result<()> {
        todo!()
    }
}
