//! [`Running`]: a daemon with its control socket, as `run` and `demo` have it.

use super::failure::{Exit, Failure};
use super::spare::spare_port;
use super::typed::typed;
use super::ui::Page;
use crate::config::{Home, HomeLock};
use crate::daemon::{Daemon, Handle, StartError};
use crate::http::{BindError, Server, Stage};
use crate::net::Faults;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A daemon that runs in this process, and the server of its control API.
pub struct Running {
    /// Its home.
    pub home: Home,
    /// How to reach it.
    pub handle: Handle,
    /// Its UDP address.
    pub address: SocketAddr,
    /// Where its page is, if it has one.
    pub page: Option<Page>,
    lock: Arc<HomeLock>,
    daemon: JoinHandle<io::Result<()>>,
    server: JoinHandle<()>,
    stop_server: oneshot::Sender<()>,
}

/// What a daemon finds itself amid: nothing, unless it is part of a demonstration.
#[derive(Default)]
pub struct Amid {
    /// What happens to its datagrams.
    pub faults: Option<watch::Receiver<Faults>>,
    /// Where somebody says what is to happen.
    pub stage: Option<Stage>,
}

impl Running {
    /// Starts the daemon of `home`. When this returns it answers on its control socket.
    pub async fn start(home: Home) -> Result<Running, Failure> {
        Running::start_amid(home, Amid::default()).await
    }

    /// The same as part of a demonstration.
    pub async fn start_amid(home: Home, amid: Amid) -> Result<Running, Failure> {
        let daemon = Daemon::start_amid(home.clone(), amid.faults).await.map_err(|error| not_started(error, &home))?;
        let (handle, address, lock) = (daemon.handle(), daemon.addr(), daemon.lock());
        let bound = Server::bind(&home, &lock, &handle.file().http).await.map_err(|error| not_bound(error, &home));
        let served = bound.and_then(|server| match server.address() {
            None => Ok((server, None)),
            Some(addr) => {
                handle.served_at(addr);
                Ok((server, Page::of(addr, &home)?))
            }
        });
        let (server, page) = match served {
            Ok(served) => served,
            Err(failure) => {
                handle.stop();
                let _ = daemon.stopped().await;
                return Err(failure);
            }
        };
        let (stop_server, stop) = oneshot::channel();
        let stop = async {
            let _ = stop.await;
        };
        let server = tokio::spawn(server.serve(handle.clone(), amid.stage, stop));
        Ok(Running { home, handle, address, page, lock, daemon: tokio::spawn(daemon.stopped()), server, stop_server })
    }

    /// Returns when the daemon has stopped without having been told to.
    pub async fn ended(&mut self) -> Failure {
        let failure = Failure::new(Exit::No, "the daemon stopped by itself");
        match (&mut self.daemon).await {
            Ok(Ok(())) => failure,
            Ok(Err(error)) => failure.why(error.to_string()),
            Err(error) => failure.why(error.to_string()).hint("this is a mistake in the program; its log says more"),
        }
    }

    /// Stops gracefully: no new requests, those under way answered, goodbye said, the store closed, the home free.
    pub async fn stop(self) -> Result<(), Failure> {
        // While the lock is held: the socket's place may be a successor's as soon as it is not.
        let _ = self.home.remove_control_socket(&self.lock);
        let _ = self.stop_server.send(());
        self.handle.stop();
        let _ = self.server.await;
        drop(self.lock);
        match self.daemon.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::new(Exit::No, "the daemon did not stop well").why(error.to_string())),
            Err(error) => Err(Failure::new(Exit::No, "the daemon did not stop well").why(error.to_string())),
        }
    }
}

fn not_bound(error: BindError, home: &Home) -> Failure {
    match error {
        BindError::Socket { path, source } => {
            Failure::new(Exit::Refused, format!("cannot open the control socket {}", path.display()))
                .why(source.to_string())
        }
        BindError::Tcp { addr, source } => {
            let failure = Failure::new(Exit::Refused, format!("cannot listen on TCP {addr}")).why(source.to_string());
            let any = typed(home.dir(), None, &["config", "set", "http.listen", "null"]);
            match source.kind() {
                io::ErrorKind::AddrInUse => {
                    failure.hint(format!("another program has the port: stop it, or take any that is free: {any}"))
                }
                io::ErrorKind::AddrNotAvailable => {
                    failure.hint(format!("this host has no such address; for its own browsers: {any}"))
                }
                _ => failure,
            }
        }
        BindError::Config(error) => error.into(),
    }
}

fn not_started(error: StartError, home: &Home) -> Failure {
    match error {
        StartError::Locked { home, pid } => {
            Failure::new(Exit::Refused, format!("{home} is in use by the gossip-node with pid {pid}"))
                .hint("stop that one first, or give this one another home with --home")
        }
        StartError::Bind { addr, source } => {
            let failure = Failure::new(Exit::Refused, format!("cannot bind UDP {addr}")).why(source.to_string());
            match source.kind() {
                io::ErrorKind::AddrInUse => {
                    let other = spare_port(addr.ip()).to_string();
                    let other = typed(home.dir(), None, &["config", "set", "port", &other]);
                    failure.hint(format!("another program has the port: stop it, or take another: {other}"))
                }
                io::ErrorKind::AddrNotAvailable => failure.hint("this host has no such address; 0.0.0.0 is all it has"),
                _ => failure,
            }
        }
        StartError::Config(error) => error.into(),
        StartError::Io { what, source } => Failure::new(Exit::No, what).why(source.to_string()),
    }
}
