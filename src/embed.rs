//! A node inside a program of yours: [`Daemon`] starts it, [`Handle`] is what you do with it. Socket, disk and task are
//! those of [`crate::daemon`]; here is only what makes them pleasant to hold.
//!
//! ```
//! use gossip_node::{Daemon, Since};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let daemon = Daemon::builder()
//!     .network("home")
//!     .password("correct horse battery staple")
//!     .bind(([127, 0, 0, 1], 0))
//!     .in_memory()
//!     .start()
//!     .await?;
//! let gossip = daemon.handle();
//! let guid = gossip.add("the backup is done").await?;       // on disk when this returns
//! assert_eq!(gossip.get(guid).await?.unwrap().msg, "the backup is done");
//!
//! let mut arriving = gossip.subscribe(Since::All).await?;
//! let received = arriving.next().await.unwrap()?;           // this node's own, and all that others say
//! assert_eq!(received.record.guid, guid);
//! daemon.leave().await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod handle;
mod record;
mod subscription;

pub use builder::{BuildError, Builder};
pub use handle::{Error, Handle, Listed, Query};
pub use record::Record;
pub use subscription::{Cursor, NoCursor, Received, Since, Subscription};

use crate::api;
use crate::daemon;
use std::io;
use std::net::SocketAddr;
use tokio::task::JoinHandle;

/// A node that runs in this process, on a thread of its own, as long as the tokio runtime that it was started in. There may
/// be several in one process, each with its own home and address.
///
/// When it is dropped, it says goodbye, closes the store, frees port and home, and ends by itself within about half a
/// second; [`leave`](Daemon::leave) does the same and waits for it.
#[derive(Debug)]
#[must_use = "the node stops when this is dropped"]
pub struct Daemon {
    handle: Handle,
    addr: SocketAddr,
    ended: Option<JoinHandle<io::Result<()>>>,
}

impl Daemon {
    /// Says how a node is to be, and starts it.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Takes over a daemon, and what is to go when it has ended.
    fn keep(daemon: daemon::Daemon, handle: Handle, with: impl Send + 'static) -> Daemon {
        let addr = daemon.addr();
        let control = daemon.handle();
        let asked = control.asked_to_leave();
        let ended = tokio::spawn(async move {
            let stopped = daemon.stopped();
            tokio::pin!(stopped);
            let ended = tokio::select! {
                ended = &mut stopped => ended,
                () = asked => {
                    control.stop();
                    stopped.await
                }
            };
            drop(with);
            ended
        });
        Daemon { handle, addr, ended: Some(ended) }
    }

    /// How to use it, in its first network: cheap to clone, good from any task.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The same in another of its networks.
    ///
    /// # Errors
    /// When it is not in that network.
    pub fn network(&self, name: &str) -> Result<Handle, Error> {
        Handle::new(self.handle.control().clone(), name)
    }

    /// The UDP address that it receives at (port 0 resolved): others register with it.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Says goodbye, so that the others know at once, closes the store, and returns when port and home are free.
    ///
    /// # Errors
    /// When the task ended badly: what [`Handle::add`] had answered is on disk all the same.
    pub async fn leave(mut self) -> Result<api::Left, Error> {
        let left = self.handle.leave().await;
        self.stopped().await?;
        left
    }

    /// Returns when it has stopped, because somebody called [`Handle::leave`] or because its socket failed; at once where
    /// that was told before. Who waits no longer, as in a `select!`, may wait again.
    ///
    /// # Errors
    /// What ended it, if nobody asked for that.
    pub async fn stopped(&mut self) -> Result<(), Error> {
        let Some(ended) = &mut self.ended else { return Ok(()) };
        let how = ended.await;
        self.ended = None;
        Ok(how.map_err(io::Error::other)??)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.handle.control().stop();
    }
}
