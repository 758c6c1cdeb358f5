//! The control API's server: where it listens, and the way from a request to its answer. What is asked and answered is
//! in `routes`, and what the answers are is the daemon's business: they come from a [`Handle`].

mod events;
mod problem;
mod routes;
mod stage;

pub use stage::Stage;

use crate::api;
use crate::config::{Home, HomeLock};
use crate::daemon::Handle;
use axum::{Extension, Router};
use std::future::{Future, IntoFuture};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::net::UnixListener;
use tower_http::catch_panic::CatchPanicLayer;

/// How long requests under way may take once the server stops: see [`serve`].
const GRACE: Duration = Duration::from_secs(2);

/// Opens the home's control socket for its owner alone. It is closed to others before it listens, so there is no moment
/// at which somebody else could connect.
pub fn bind(home: &Home, lock: &HomeLock) -> io::Result<UnixListener> {
    let path = home.prepare_control_socket(lock)?;
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&path)?)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    home.link_control_socket(&path)?;
    UnixListener::from_std(OwnedFd::from(socket).into())
}

/// Serves the API until `shutdown`; requests under way then get two seconds to end. A demonstration has a `stage`.
pub async fn serve(
    handle: Handle,
    stage: Option<Stage>,
    listener: UnixListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let signal = async move {
        shutdown.await;
        let _ = stopping.send(());
    };
    let serve = axum::serve(listener, router(handle, stage)).with_graceful_shutdown(signal).into_future();
    let grace = async move {
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = serve => served,
        () = grace => Ok(()),
    }
}

/// The API's routes with their guards.
pub fn router(handle: Handle, stage: Option<Stage>) -> Router {
    Router::new()
        .nest(api::PREFIX, routes::routes())
        .fallback(routes::nothing_here)
        .method_not_allowed_fallback(routes::wrong_method)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(Extension(stage))
        .with_state(handle)
}
