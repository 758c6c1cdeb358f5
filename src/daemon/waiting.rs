//! [`Waiting`]: somebody who waits until something is as it is wanted, and looks again whenever it may have changed.

use super::handle::Handle;
use super::refusal::{Refusal, stopping};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two looks, at least.
const GLANCE: Duration = Duration::from_millis(5);

impl Handle {
    /// Somebody waits for so long until something is as it is wanted.
    pub(super) fn wait_up_to(&self, timeout: Duration) -> Waiting {
        let looked = Instant::now();
        Waiting { changes: self.changes(), looked, over: Box::pin(tokio::time::sleep(timeout)) }
    }
}

/// See the module.
pub(super) struct Waiting {
    changes: watch::Receiver<u64>,
    looked: Instant,
    over: Pin<Box<tokio::time::Sleep>>,
}

impl Waiting {
    /// What changes from here on is worth another look.
    pub(super) fn look(&mut self) {
        self.changes.mark_unchanged();
        self.looked = Instant::now();
    }

    /// Whether the last look was the last.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_elapsed()
    }

    /// Returns when something may have changed, but not at once after the last look, or when the time is over.
    pub(super) async fn change(&mut self) -> Result<(), Refusal> {
        let Waiting { changes, looked, over } = self;
        let changed = async {
            changes.changed().await?;
            tokio::time::sleep_until(*looked + GLANCE).await;
            Ok::<_, watch::error::RecvError>(())
        };
        tokio::select! {
            changed = changed => changed.map_err(|_| stopping()),
            () = over => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::WaitQuery;

    #[tokio::test]
    async fn who_waits_does_not_wake_himself() {
        let (_daemon, handle) = Handle::alone().await;
        handle.wait(WaitQuery::default()).await.unwrap();
        let before = *handle.changes().borrow();
        let waited = handle.wait(WaitQuery { peers: Some(1), timeout_ms: 1000, ..WaitQuery::default() }).await.unwrap();
        let changes = *handle.changes().borrow() - before;
        assert!(!waited.holds && changes < 50, "{changes} changes in a second in which nothing happened");
    }
}
