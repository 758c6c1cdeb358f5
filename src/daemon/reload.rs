//! Reading `server.json` again while the daemon runs: what can be taken up is, what cannot is named, and a file that is no
//! good changes nothing.

use super::engine::Moment;
use super::handle::{Handle, to_the_end};
use super::member::Member;
use super::refusal::Refusal;
use super::{Loudness, pace, plant};
use crate::api;
use crate::config::{Change, ConfigError, Loaded, Network, RingKey, ServerFile, needs_restart};
use crate::proto::gossip::Guid;
use crate::proto::keyring::KeyError;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The configuration that is in force, and where it comes from.
pub struct InForce {
    path: PathBuf,
    loaded: RwLock<Arc<Loaded>>,
    /// Keys that differ in the file as it was read last, and hold only after a restart.
    waiting: Mutex<Vec<String>>,
    /// Where seeds were found, by name.
    seeds: Mutex<BTreeMap<String, SocketAddr>>,
    /// One reads or changes it, and tells the nodes, at a time.
    turn: tokio::sync::Mutex<()>,
}

/// Why a file was not taken up.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is no good.
    #[error("{0}; the daemon goes on as it was")]
    Config(#[from] ConfigError),
    /// The daemon is about to stop.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl InForce {
    /// What was read from `path`.
    pub fn new(path: PathBuf, loaded: Loaded) -> InForce {
        let (waiting, seeds, turn) = Default::default();
        InForce { path, loaded: RwLock::new(Arc::new(loaded)), waiting, seeds, turn }
    }

    /// It.
    pub fn loaded(&self) -> Arc<Loaded> {
        // Each change to it is complete when it is made; so it is below.
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This node has another GUID, which the file must know. What somebody has changed in it meanwhile stays.
    pub fn rename(&self, guid: Guid) -> Result<(), ConfigError> {
        let _turn = self.turn.blocking_lock();
        self.change(|loaded| loaded.file.node_guid = guid);
        ServerFile::amend(&self.path, |file| {
            file.node_guid = guid;
            Ok(())
        })
    }

    /// The ring of a network changes, in the file too. Returns what it is then.
    pub(super) fn amend_ring(
        &self,
        name: &str,
        change: impl FnOnce(&mut Network) -> Result<(), KeyError>,
    ) -> Result<Vec<RingKey>, Refusal> {
        let amended = ServerFile::amend(&self.path, |file| {
            let gone = || Refusal::Conflict(format!("server.json has no network {name:?} any more"));
            let network = file.network_mut(name).ok_or_else(gone)?;
            change(network)?;
            Ok::<Network, Refusal>(network.clone())
        })?;
        let ring = amended.ring().collect();
        self.change(|loaded| {
            if let Some(network) = loaded.file.network_mut(name) {
                let Network { network_key, added, other_keys, .. } = amended;
                (network.network_key, network.added, network.other_keys) = (network_key, added, other_keys);
            }
        });
        Ok(ring)
    }

    /// Keeps others from reading or changing it for as long as the answer lives.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A seed has this address.
    pub(super) fn planted(&self, seed: &str, addr: SocketAddr) {
        self.seeds.lock().unwrap_or_else(PoisonError::into_inner).insert(seed.to_owned(), addr);
    }

    fn uprooted(&self, seed: &str) -> Option<SocketAddr> {
        self.seeds.lock().unwrap_or_else(PoisonError::into_inner).remove(seed)
    }

    fn change(&self, change: impl FnOnce(&mut Loaded)) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut loaded));
    }
}

impl Handle {
    /// The configuration in force: `server.json` as the daemon read it last, but for what waits for a restart.
    pub fn file(&self) -> ServerFile {
        self.in_force.loaded().file.clone()
    }

    /// Names for this host, beside its own, that requests may be for.
    pub fn hosts(&self) -> Vec<String> {
        self.in_force.loaded().file.http.hosts.clone()
    }

    /// Keys that the file had otherwise when it was last read, and that wait for a restart.
    pub fn waiting(&self) -> Vec<String> {
        self.in_force.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the disk takes no records, where it does not.
    pub fn trouble(&self) -> Option<String> {
        self.store.last_error()
    }

    /// Reads `server.json` again, and takes up what can be taken up.
    pub async fn reload(&self) -> Result<api::Reloaded, ReloadError> {
        let handle = self.clone();
        to_the_end(async move { handle.read_again().await }).await
    }

    async fn read_again(&self) -> Result<api::Reloaded, ReloadError> {
        let _turn = self.in_force.turn().await;
        self.lives()?;
        let path = self.in_force.path.clone();
        let read = tokio::task::spawn_blocking(move || ServerFile::load(&path)).await;
        let read = read.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let next = read.map_err(ReloadError::Config).inspect_err(|error| tracing::error!("not reloaded: {error}"))?;
        let before = self.in_force.loaded();
        let (applied, restart): (Vec<Change>, Vec<Change>) =
            before.file.changes(&next.file).into_iter().partition(|change| !needs_restart(&change.key));
        let mut notes = next.notes;
        if before.file.log != next.file.log && Loudness::of_process().is_of_environment() {
            notes.push("log: GOSSIP_NODE_LOG of the daemon's environment goes before it".to_owned());
        }
        let names = |changes: &[Change]| changes.iter().map(|change| change.key.clone()).collect::<Vec<String>>();
        let (taken, waiting) = (names(&applied), names(&restart));
        let said = next.said.into_iter().filter(|key| !needs_restart(key));
        let said = said.chain(before.said.iter().filter(|key| needs_restart(key)).cloned()).collect();
        // The node may have got another GUID since.
        self.in_force.change(|loaded| (loaded.file, loaded.said) = (loaded.file.adopt(&next.file), said));
        self.take_up(&before.file, &next.file).await?;
        notes.iter().for_each(|note| tracing::warn!("{note}"));
        tracing::info!(applied = taken.join(", "), restart = waiting.join(", "), "server.json is read again");
        *self.in_force.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        let told = |changes: Vec<Change>| changes.into_iter().map(told).collect();
        Ok(api::Reloaded { applied: told(applied), restart: told(restart), notes })
    }

    async fn take_up(&self, before: &ServerFile, file: &ServerFile) -> Result<(), Refusal> {
        let (was, pace) = (pace(before), pace(file));
        if was != pace {
            for network in 0..self.count() {
                let adjust = move |member: &mut Member, moment: Moment| {
                    member.node.adjust(moment.now, pace);
                    member.touch();
                };
                self.look(network, adjust).await?;
            }
        }
        for gone in before.seeds.iter().filter(|seed| !file.seeds.contains(seed)) {
            self.uproot(gone).await?;
        }
        for new in file.seeds.iter().filter(|seed| !before.seeds.contains(seed)) {
            tokio::spawn(plant(self.clone(), new.clone()));
        }
        Loudness::of_process().configure(file.log.as_ref());
        Ok(())
    }

    /// A seed is none any more, unless another name leads to the same address.
    async fn uproot(&self, seed: &str) -> Result<(), Refusal> {
        let Some(addr) = self.in_force.uprooted(seed) else { return Ok(()) };
        if self.in_force.seeds.lock().unwrap_or_else(PoisonError::into_inner).values().any(|other| *other == addr) {
            return Ok(());
        }
        for network in 0..self.count() {
            let dismiss = move |member: &mut Member, moment: Moment| {
                member.node.dismiss(moment.now, addr);
                member.touch();
            };
            self.look(network, dismiss).await?;
        }
        Ok(())
    }
}

fn told(change: Change) -> api::Change {
    api::Change { key: change.key, from: change.from, to: change.to }
}
