//! [`Waiting`]: somebody who waits until something is as it is wanted, and looks again whenever it may have changed.

use super::handle::{Handle, Refusal, stopping};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::watch;

impl Handle {
    /// Somebody waits for so long until something is as it is wanted.
    pub(super) fn wait_up_to(&self, timeout: Duration) -> Waiting {
        Waiting { changes: self.changes(), over: Box::pin(tokio::time::sleep(timeout)) }
    }
}

/// See the module.
pub(super) struct Waiting {
    changes: watch::Receiver<u64>,
    over: Pin<Box<tokio::time::Sleep>>,
}

impl Waiting {
    /// What changes from here on is worth another look.
    pub(super) fn look(&mut self) {
        self.changes.mark_unchanged();
    }

    /// Whether the last look was the last.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_elapsed()
    }

    /// Returns when something may have changed, not before a `glance` has passed, or when the time is over.
    pub(super) async fn change(&mut self, glance: Duration) -> Result<(), Refusal> {
        let Waiting { changes, over } = self;
        let changed = async {
            tokio::time::sleep(glance).await;
            changes.changed().await
        };
        tokio::select! {
            changed = changed => changed.map_err(|_| stopping()),
            () = over => Ok(()),
        }
    }
}
