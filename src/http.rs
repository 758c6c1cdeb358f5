//! The control API's server: where it listens, and the way from a request to its answer. Who may ask is for `guards` to
//! say, what can be asked is in `routes`, and what the answers are is the daemon's business: they come from a [`Handle`].

mod body;
mod create;
#[cfg(test)]
mod described;
mod door;
mod events;
pub(crate) mod exposition;
mod gossip;
mod guards;
mod health;
mod import;
mod keys;
mod lines;
mod metrics;
mod node;
mod openapi;
mod page;
mod peers;
mod places;
mod problem;
mod retention;
mod routes;
mod stage;

pub use stage::Stage;

use crate::config::{ConfigError, Home, HomeLock, HttpFile, Listen, Token, host_name};
use crate::daemon::Handle;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use door::Door;
use guards::{Guards, Hosts, guard};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

/// How long requests under way may take once the server stops: see [`Server::serve`].
const GRACE: Duration = Duration::from_secs(2);

/// The control API's listeners, open and not yet served.
#[derive(Debug)]
pub struct Server {
    socket: UnixListener,
    tcp: Option<(TcpListener, SocketAddr, Guards)>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Not on the control socket.
    #[error("cannot open the control socket {}: {source}", path.display())]
    Socket {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not on the TCP address that was asked for.
    #[error("cannot listen on TCP {addr}: {source}")]
    Tcp {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The token's file is not as it must be.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Server {
    /// Opens the control socket and what `http` says, for the daemon that has the home's lock.
    pub async fn bind(home: &Home, lock: &HomeLock, http: &HttpFile) -> Result<Server, BindError> {
        let tcp = match bind_tcp(http.listen).await? {
            None => None,
            Some((listener, addr)) => {
                let guards = Guards::new(Hosts::new(host_name()), Token::load_or_make(home, lock)?);
                Some((listener, addr, guards))
            }
        };
        let failed = |source| BindError::Socket { path: home.control_socket(), source };
        Ok(Server { socket: bind_socket(home, lock).map_err(failed)?, tcp })
    }

    /// The TCP address in use, if any (port 0 resolved).
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|(_, addr, _)| *addr)
    }

    /// Serves the API until `shutdown`; requests under way then get two seconds to end. A demonstration has a `stage`.
    pub async fn serve(self, handle: Handle, stage: Option<Stage>, shutdown: impl Future<Output = ()> + Send) {
        let (stop, stopping) = watch::channel(false);
        let socket = Door::Socket(self.socket).serve(router(handle.clone(), stage.clone(), None), stopping.clone());
        let tcp = async {
            if let Some((listener, _, guards)) = self.tcp {
                Door::Tcp(listener).serve(router(handle, stage, Some(guards)), stopping).await;
            }
        };
        let grace = async {
            shutdown.await;
            stop.send_replace(true);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            _ = async { tokio::join!(socket, tcp) } => (),
            () = grace => (),
        }
    }
}

/// Opens the home's control socket for its owner alone. It is closed to others before it listens, so there is no moment
/// at which somebody else could connect.
fn bind_socket(home: &Home, lock: &HomeLock) -> io::Result<UnixListener> {
    let path = home.prepare_control_socket(lock)?;
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&path)?)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    home.link_control_socket(&path)?;
    UnixListener::from_std(OwnedFd::from(socket).into())
}

/// Listens where it was asked for, or fails; if nobody asked, where it can.
async fn bind_tcp(listen: Option<Listen>) -> Result<Option<(TcpListener, SocketAddr)>, BindError> {
    let bound = async |addr| {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    match listen {
        Some(Listen::Off) => Ok(None),
        Some(Listen::At(addr)) => {
            let listening = bound(addr).await.map_err(|source| BindError::Tcp { addr, source })?;
            if !addr.ip().to_canonical().is_loopback() {
                tracing::warn!(
                    "http.listen is {addr}: who reaches it can load the page, who has the token can do all, and who \
                     listens on the way can read both the token and the messages; http.listen=127.0.0.1:8684 ends that"
                );
            }
            Ok(Some(listening))
        }
        None => {
            let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
            let listening = match bound(HttpFile::DEFAULT).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => bound(any).await,
                listening => listening,
            };
            // Nobody asked for it: no reason not to run.
            let failed = |error: &io::Error| tracing::warn!("there is no page: cannot listen on loopback TCP: {error}");
            Ok(listening.inspect_err(failed).ok())
        }
    }
}

/// The API's routes behind its guards; without any, those for the home's owner.
fn router(handle: Handle, stage: Option<Stage>, guards: Option<Guards>) -> Router {
    Router::new()
        .merge(routes::routes())
        .merge(openapi::routes())
        .merge(health::routes())
        .merge(page::routes())
        .fallback(routes::nothing_here)
        .method_not_allowed_fallback(routes::wrong_method)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(Extension(stage))
        .layer(from_fn_with_state((guards.map(Arc::new), handle.clone()), guard))
        .with_state(handle)
}
