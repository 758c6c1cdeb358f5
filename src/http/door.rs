//! [`Door`]: a listener, and the way of its connections to the routes. It bounds how many there are, how long a request's
//! head may take and how long it may be.

use super::guards::Caller;
use super::places::Places;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tower_service::Service;

/// Connections over TCP, and on the control socket. Together they leave a third of the usual 1,024 file descriptors.
const PLACES: (usize, usize) = (200, 500);
/// A request's head takes no longer; nor does a connection wait longer for the next.
const HEAD: Duration = Duration::from_secs(10);
/// The longest head that is read at all, and so what a connection of a stranger takes in memory; what is shorter and still
/// too long is told so.
const HEAD_BYTES: usize = 32 << 10;
/// How long to wait where the system gives no more connections.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Door {
    /// For the home's owner.
    Socket(UnixListener),
    /// For who has the token.
    Tcp(TcpListener),
}

impl Door {
    /// Serves `router` to all who come, until `stopping`; then returns when those under way have been answered.
    pub(super) async fn serve(self, router: Router, stopping: watch::Receiver<bool>) {
        let mut places = Places::new(match self {
            Door::Tcp(_) => PLACES.0,
            Door::Socket(_) => PLACES.1,
        });
        let mut stop = stopping.clone();
        let come_in = async {
            loop {
                places.room().await;
                if let Err(error) = self.let_in(&mut places, &router, &stopping).await {
                    // Theirs, if one went away before it was let in; ours, if there are no file descriptors left.
                    tracing::debug!(%error, "accepting a connection");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        };
        tokio::select! {
            () = come_in => (),
            _ = stop.wait_for(|&stop| stop) => (),
        }
        drop(self);
        places.emptied().await;
    }

    async fn let_in(&self, places: &mut Places, router: &Router, stopping: &watch::Receiver<bool>) -> io::Result<()> {
        let (router, stopping) = (router.clone(), stopping.clone());
        match self {
            Door::Socket(listener) => {
                let (stream, _) = listener.accept().await?;
                places.take(|seat| converse(stream, Caller::owner(seat), router, stopping));
            }
            Door::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let local = stream.local_addr()?;
                places.take(|seat| converse(stream, Caller::stranger(seat, from.ip(), local.ip()), router, stopping));
            }
        }
        Ok(())
    }
}

/// Answers the requests of one connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(caller.clone());
        router.clone().call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    // How a connection ends is the other side's affair.
    tokio::select! {
        _ = &mut connection => return,
        _ = stopping.wait_for(|&stop| stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
