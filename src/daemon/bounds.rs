//! [`Bounds`]: what is bounded for all callers together.

use super::handle::Handle;
use super::refusal::{Refusal, stopping};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Kibibytes of MSG that may be on their way from callers to the disk.
pub(super) const ADDING: usize = 64 << 10;
/// Kibibytes of bodies that may be on their way in.
const ARRIVING: usize = 128 << 10;
/// Who may follow events at once.
const FOLLOWERS: usize = 64;

/// See the module.
pub(super) struct Bounds {
    /// KiB of MSG on their way to the disk.
    pub adding: Arc<Semaphore>,
    /// KiB of bodies on their way in.
    pub arriving: Arc<Semaphore>,
    following: Arc<Semaphore>,
    /// Named requests under way, by network.
    pub requests: Mutex<BTreeSet<(usize, String)>>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (adding, arriving, following) = (semaphore(ADDING), semaphore(ARRIVING), semaphore(FOLLOWERS));
        Bounds { adding, arriving, following, requests: Mutex::default() }
    }
}

impl Handle {
    /// Room for a body of so many bytes, for as long as the answer lives.
    pub async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.bounds.arriving, ARRIVING, bytes).await
    }

    /// Room for records of so many bytes until they are on disk, though who brought them goes away meanwhile.
    pub(super) async fn adding(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.bounds.adding, ADDING, bytes).await
    }

    /// A place among those who follow.
    pub(super) fn follow(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let full = || Refusal::Unavailable(format!("{FOLLOWERS} others follow its events already: end one of them"));
        self.bounds.following.clone().try_acquire_owned().map_err(|_| full())
    }
}

/// So many bytes of the KiB that all callers share, or all of them where they are fewer.
async fn take(shared: &Arc<Semaphore>, all: usize, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let kibibytes = u32::try_from(bytes.div_ceil(1 << 10).min(all)).unwrap_or(u32::MAX);
    shared.clone().acquire_many_owned(kibibytes).await.map_err(|_| stopping())
}
