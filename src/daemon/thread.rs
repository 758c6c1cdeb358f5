//! [`Thread`]: the thread that the engine has for itself, with a runtime of its own. Among the tasks of a runtime with
//! several workers it would move from one to another, and each move costs the wake-up of a core: an answer to a datagram
//! takes half to two thirds of that time here.

use std::io;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::oneshot;

/// A thread that is about to begin.
pub struct Thread {
    runtime: Runtime,
}

impl Thread {
    /// With nothing to do so far.
    ///
    /// # Errors
    /// When the system has no descriptors left for another runtime.
    pub fn new() -> io::Result<Thread> {
        Ok(Thread { runtime: Builder::new_current_thread().enable_io().enable_time().build()? })
    }

    /// Sockets that are made until the guard is dropped wake this thread.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Begins. What is returned says how `work` ended.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn run<W>(self, work: W) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<W>>
    where
        W: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (ended, end) = oneshot::channel();
        let work = move || drop(ended.send(self.runtime.block_on(work)));
        std::thread::Builder::new().name("gossip-engine".to_owned()).spawn(work)?;
        Ok(async { end.await.map_err(|_| io::Error::other("the daemon's thread panicked"))? })
    }
}
