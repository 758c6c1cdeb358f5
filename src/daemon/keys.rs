//! The keys of a daemon's networks: which there are, who still seals with which, and their change while it runs. What is
//! changed is in `server.json` before the node knows of it, so no crash takes it back.

use super::engine::Moment;
use super::handle::{Handle, to_the_end};
use super::member::Member;
use super::refusal::{Refusal, stopping};
use super::wall_clock;
use crate::api;
use crate::config::{ConfigError, Network, RingKey};
use crate::display::rfc3339;
use crate::proto::keyring::KeyError;
use crate::proto::limits::DEAD;
use crate::proto::peers::Peer;
use crate::proto::seal::{KeyId, NetworkKey, Secret};
use std::time::Duration;
use zeroize::Zeroizing;

/// Between two looks at a sketch that is being built.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a key may take until it is used: a sketch of many millions of records.
const BUILDING: Duration = Duration::from_secs(30);

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Refusal {
        match error {
            KeyError::Unknown => Refusal::NotFound(error.to_string()),
            KeyError::Known | KeyError::Full => Refusal::Conflict(error.to_string()),
            KeyError::Primary => Refusal::InUse(error.to_string()),
        }
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Refusal {
        Refusal::Unavailable(format!("server.json was not changed: {error}"))
    }
}

impl Handle {
    /// The keys of a network.
    pub async fn keys(&self, network: Option<&str>) -> Result<api::Keys, Refusal> {
        self.look(self.network(network)?, shown).await
    }

    /// Accepts the key of another password.
    pub async fn add_key(&self, network: Option<&str>, password: Zeroizing<Vec<u8>>) -> Result<api::Keys, Refusal> {
        let index = self.network(network)?;
        if password.is_empty() {
            return Err(Refusal::Invalid("the password is empty: everybody could join".to_owned()));
        }
        let name = self.networks[index].name.clone();
        let derived = tokio::task::spawn_blocking(move || Secret::derive(&name, &password)).await;
        let key = RingKey { network_key: derived.map_err(|_| stopping())?, added: Some(wall_clock()) };
        let opened = NetworkKey::new(&key.network_key);
        let tell = move |member: &mut Member, moment: Moment| member.node.add_key(moment.now, &opened);
        self.change(index, move |network| network.add_key(key), tell).await?;
        tracing::info!(network = %self.networks[index].name, "another key is accepted");
        self.keys(network).await
    }

    /// Seals with a key of the ring: answers when its sketch is whole and it does.
    pub async fn use_key(&self, network: Option<&str>, key: KeyId) -> Result<api::Keys, Refusal> {
        let index = self.network(network)?;
        self.change(index, move |network| network.use_key(key), move |member, _| member.node.use_key(key)).await?;
        let used = async {
            while self.look(index, |member, _| member.node.settings().keys.primary().key_id()).await? != key {
                tokio::time::sleep(GLANCE).await;
            }
            tracing::info!(network = %self.networks[index].name, %key, "a key is used");
            self.keys(network).await
        };
        let late = || Refusal::Timeout("the digests under the key are still being made: it is used after".to_owned());
        tokio::time::timeout(BUILDING, used).await.unwrap_or_else(|_| Err(late()))
    }

    /// Accepts a key no longer. Refused while a peer may still seal with it, unless that is `forced`.
    pub async fn remove_key(&self, network: Option<&str>, key: KeyId, forced: bool) -> Result<api::Keys, Refusal> {
        let index = self.network(network)?;
        let keys = self.keys(network).await?;
        let id = key.to_string();
        let found = keys.keys.iter().find(|other| other.key_id == id).ok_or(KeyError::Unknown)?;
        if found.primary {
            return Err(KeyError::Primary.into());
        }
        if !forced && let Some(why) = still_used(found, &keys.unknown) {
            return Err(Refusal::InUse(why));
        }
        let tell = move |member: &mut Member, _: Moment| member.node.remove_key(key);
        self.change(index, move |network| network.remove_key(key), tell).await?;
        tracing::info!(network = %self.networks[index].name, %key, "a key is accepted no longer");
        self.keys(network).await
    }

    /// Changes what `server.json` says of a network's keys, and then what its node and the daemon's other parts know of them:
    /// one change after the other, and each to its end, so that all of them know the same.
    async fn change(
        &self,
        index: usize,
        change: impl FnOnce(&mut Network) -> Result<(), KeyError> + Send + 'static,
        tell: impl FnOnce(&mut Member, Moment) -> Result<(), KeyError> + Send + 'static,
    ) -> Result<(), Refusal> {
        let handle = self.clone();
        let changing = async move {
            let _turn = handle.in_force.turn().await;
            handle.lives()?;
            let (in_force, name) = (handle.in_force.clone(), handle.networks[index].name.clone());
            let amended = tokio::task::spawn_blocking(move || in_force.amend_ring(&name, change));
            let ring = amended.await.map_err(|_| stopping())??;
            let tell = move |member: &mut Member, moment: Moment| {
                member.ring.send_replace(ring);
                member.touch();
                tell(member, moment)
            };
            handle.look(index, tell).await
        };
        match to_the_end(changing).await? {
            // The file and the node differ only where somebody changed the file by hand.
            Err(error) => Err(Refusal::Conflict(format!(
                "{error}: server.json says otherwise since it was changed by hand; it holds from the next start on"
            ))),
            Ok(()) => Ok(()),
        }
    }
}

/// Why a key cannot go yet, if it cannot.
fn still_used(key: &api::Key, unknown: &[api::KeyUser]) -> Option<String> {
    let names = |users: &[api::KeyUser]| {
        let shown: Vec<&str> = users.iter().take(3).map(|user| user.name.as_str()).collect();
        let more = users.len() - shown.len();
        shown.join(", ") + &if more > 0 { format!(" and {more} others") } else { String::new() }
    };
    if !key.used_by.is_empty() {
        return Some(format!("{} last used this key, and would be shut out", names(&key.used_by)));
    }
    (!unknown.is_empty()).then(|| format!("of {} it is not known which key they use", names(unknown)))
}

/// The keys of a member, and who seals with which.
fn shown(member: &mut Member, moment: Moment) -> api::Keys {
    let (node, ring) = (&member.node, member.ring.borrow());
    let keyring = &node.settings().keys;
    let recent = |peer: &Peer<'_>| {
        let (last, now) = (peer.last_heard(|heard| moment.wall(heard)), moment.wall(moment.now));
        peer.reach.answers() || last.is_some_and(|last| now.0.saturating_sub(last.0) < DEAD.as_micros() as u64)
    };
    let user = |key: Option<KeyId>| {
        let users = node.peers().iter().filter(|(_, peer)| peer.key == key && recent(peer));
        let user = |(guid, peer): (crate::proto::gossip::Guid, Peer<'_>)| {
            let last_update = peer.last_heard(|heard| moment.wall(heard)).map(rfc3339);
            api::KeyUser { guid: guid.to_string(), name: peer.name.to_owned(), last_update }
        };
        let mut users: Vec<api::KeyUser> = users.map(user).collect();
        users.sort_by(|a, b| (&a.name, &a.guid).cmp(&(&b.name, &b.guid)));
        users
    };
    let added = |id: KeyId| ring.iter().find(|key| key.key_id() == id).and_then(|key| key.added).map(rfc3339);
    let key = |key: &NetworkKey| api::Key {
        key_id: key.key_id().to_string(),
        primary: key.key_id() == keyring.primary().key_id(),
        ready: node.ledger().sketch_under(key.key_id()).is_some(),
        added: added(key.key_id()),
        used_by: user(Some(key.key_id())),
    };
    api::Keys { network_name: member.name.clone(), keys: keyring.iter().map(key).collect(), unknown: user(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerFile;

    #[tokio::test]
    async fn a_change_of_keys_is_made_to_its_end_though_who_asked_hangs_up() {
        let dir = tempfile::tempdir().unwrap();
        let builder = crate::Daemon::builder().network("home").key(Secret([7; 32])).bind(([127, 0, 0, 1], 0));
        let daemon = builder.home(dir.path()).start().await.unwrap();
        let handle = daemon.handle().control().clone();
        handle.add_key(None, Zeroizing::new(b"another".to_vec())).await.unwrap();
        let key = NetworkKey::new(&Secret::derive("home", b"another")).key_id();

        // It has begun, and no more.
        tokio::select! {
            biased;
            used = handle.use_key(None, key) => panic!("at once: {used:?}"),
            () = std::future::ready(()) => {}
        }
        let used = async {
            while !handle.keys(None).await.unwrap().keys.iter().any(|of| of.primary && of.key_id == key.to_string()) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(BUILDING, used).await.expect("it goes on by itself");
        let file = ServerFile::load(&dir.path().join("server.json")).unwrap().file;
        assert_eq!(file.networks[0].ring().next().unwrap().key_id(), key);
    }
}
