//! `gossip-node keys`: changing a network's password without an outage. The other password is accepted on every node, then
//! used on every node, then the old one is removed; each step at any time and in any order of nodes. Where no daemon runs,
//! `server.json` is changed for its next start.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::password::Source;
use crate::api::{Key, KeyUser, Keys as Ring, NewKey};
use crate::client::ClientError;
use crate::config::{HomeLock, Network, RingKey, ServerFile};
use crate::display::{display_line, local_time, rfc3339, table};
use crate::proto::keyring::KeyError;
use crate::proto::seal::{KeyId, NetworkKey, Secret};
use crate::proto::time::Timestamp;
use clap::{Args, Subcommand};

/// Change the network's password without an outage.
#[derive(Args, Debug)]
#[command(after_help = "\
On every node the new password is added; then, on every node, its key is used; then, on every node, the old key is
removed, which is refused while somebody still uses it. Without --password-file, `add` asks.

  gossip-node keys add --password-file new.txt
  gossip-node keys use
  gossip-node keys remove
  gossip-node keys list --json | jq -r '.keys[] | select(.primary) | .key_id'")]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Accept another password
    #[command(after_help = "  gossip-node keys add --password-file next.txt")]
    Add {
        #[command(flatten)]
        source: Source,
    },
    /// Seal with a key that is accepted
    #[command(after_help = "  gossip-node keys use")]
    Use {
        /// The beginning of its key_id [default: the only other one]
        #[arg(value_name = "KEY_ID")]
        key: Option<String>,
    },
    /// Accept a key no longer
    #[command(after_help = "  gossip-node keys remove")]
    Remove {
        /// The beginning of its key_id [default: the only other one]
        #[arg(value_name = "KEY_ID")]
        key: Option<String>,
        /// Even where a peer still uses it
        #[arg(long)]
        force: bool,
    },
    /// Show the keys, and which peer uses which
    #[command(after_help = "  gossip-node keys list")]
    List,
}

impl Keys {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let ring = match client.keys().await {
            Err(ClientError::NoDaemon { .. }) => return self.offline(context),
            ring => ring.map_err(context.explain())?,
        };
        let network = ring.network_name.clone();
        let (ring, hint) = match self.what {
            What::List => (ring, None),
            What::Add { source } => {
                let password = source.password(context, &network)?;
                let why = "the daemon takes passwords of text (UTF-8); stop it to add another kind";
                let text = std::str::from_utf8(password.as_bytes());
                let text = text.map_err(|_| Failure::new(Exit::Refused, "the password is no text").why(why))?;
                let new = NewKey { password: text.to_owned() };
                (client.add_key(&new).await.map_err(context.explain())?, Some(ADDED))
            }
            What::Use { key } => {
                let key = named(&ring, key.as_deref())?;
                (client.use_key(&key).await.map_err(context.explain())?, Some(USED))
            }
            What::Remove { key, force } => {
                let key = named(&ring, key.as_deref())?;
                (client.remove_key(&key, force).await.map_err(context.explain())?, None)
            }
        };
        show(context, &ring, hint)
    }

    /// The same on the file.
    fn offline(self, context: &Context) -> Result<(), Failure> {
        let path = context.home.server_json();
        // Before the lock, which would make its file in whatever directory this is.
        let file = ServerFile::read(&path)?.file;
        let network = context.one_network(&file)?;
        let hint = "the daemon is not running: it holds from its next start on";
        // Locked for as long as that takes: a daemon is not to wait for a person.
        let change = |change: &mut dyn FnMut(&mut Network) -> Result<(), Failure>| {
            let _lock = lock(context)?;
            ServerFile::amend(&path, |file| {
                let gone = || Failure::new(Exit::NotFound, format!("no network {network:?} is in server.json"));
                let network = file.network_mut(&network).ok_or_else(gone)?;
                change(network)?;
                Ok::<Ring, Failure>(shown(network))
            })
        };
        let ring = match self.what {
            What::List => {
                let _lock = lock(context)?;
                let found = file.networks.iter().find(|other| other.network_name == network);
                return show(context, &found.map(shown).unwrap_or_else(|| empty(&network)), Some(hint));
            }
            What::Add { source } => {
                let password = source.password(context, &network)?;
                let key = RingKey { network_key: Secret::derive(&network, password.as_bytes()), added: Some(now()) };
                change(&mut |network| Ok(network.add_key(key.clone())?))?
            }
            What::Use { key } => change(&mut |network| {
                let id = parsed(&named(&shown(network), key.as_deref())?)?;
                Ok(network.use_key(id)?)
            })?,
            What::Remove { key, force } => change(&mut |network| {
                let id = parsed(&named(&shown(network), key.as_deref())?)?;
                if !force {
                    return Err(Failure::new(Exit::Refused, "nobody knows who still uses this key")
                        .why("the daemon, which knows, is not running")
                        .hint("start it first, or say --force"));
                }
                Ok(network.remove_key(id)?)
            })?,
        };
        show(context, &ring, Some(hint))
    }
}

const ADDED: &str = "Next: the same on every other node, then `gossip-node keys use` on each.";
const USED: &str =
    "Next: the same on every other node, then `gossip-node keys remove` on each. Whoever has not added this password
does not hear this node from now on: `gossip-node keys use` with the other key undoes it.";

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        let exit = if error == KeyError::Unknown { Exit::NotFound } else { Exit::Refused };
        let failure = Failure::new(exit, error.to_string());
        match error {
            KeyError::Primary => failure.hint("use another one first: gossip-node keys use"),
            KeyError::Full => failure.hint("remove one first: gossip-node keys remove"),
            KeyError::Known | KeyError::Unknown => failure.hint("see gossip-node keys list"),
        }
    }
}

/// Keeps daemons out of the home while its file is changed.
fn lock(context: &Context) -> Result<HomeLock, Failure> {
    context.home.lock_exclusive().map_err(|error| {
        Failure::new(Exit::NoDaemon, "a gossip-node has this home and does not answer")
            .why(error.to_string())
            .hint("wait until it has started, or stop it")
    })
}

/// The one key that somebody means; where nobody says, the only one that is not the primary.
fn named(ring: &Ring, key: Option<&str>) -> Result<String, Failure> {
    let key_ids = |keys: &[&Key]| keys.iter().map(|key| key.key_id.as_str()).collect::<Vec<&str>>().join(", ");
    let others: Vec<&Key> = ring.keys.iter().filter(|other| !other.primary).collect();
    let meant: Vec<&Key> = match key {
        Some(key) => ring.keys.iter().filter(|other| other.key_id.starts_with(&key.to_ascii_lowercase())).collect(),
        None => others,
    };
    match (&meant[..], key) {
        ([one], _) => Ok(one.key_id.clone()),
        ([], Some(key)) => {
            Err(Failure::new(Exit::NotFound, format!("no key {key:?} is in the ring"))
                .hint("see gossip-node keys list"))
        }
        ([], None) => Err(Failure::new(Exit::NotFound, "the network has one key, which is in use")
            .hint("add another password first: gossip-node keys add")),
        (several, _) => Err(Failure::new(Exit::Usage, "say which key").why(format!("there are {}", key_ids(several)))),
    }
}

fn parsed(key: &str) -> Result<KeyId, Failure> {
    key.parse().map_err(|_| Failure::new(Exit::Usage, "a key is named by 8 hex digits"))
}

fn now() -> Timestamp {
    Timestamp(u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default())
}

/// The ring of a network whose daemon does not run.
fn shown(network: &Network) -> Ring {
    let key = |(index, key): (usize, RingKey)| Key {
        key_id: NetworkKey::new(&key.network_key).key_id().to_string(),
        primary: index == 0,
        ready: true,
        added: key.added.map(rfc3339),
        used_by: Vec::new(),
    };
    Ring { keys: network.ring().enumerate().map(key).collect(), ..empty(&network.network_name) }
}

fn empty(network: &str) -> Ring {
    Ring { network_name: network.to_owned(), keys: Vec::new(), unknown: Vec::new() }
}

fn show(context: &Context, ring: &Ring, hint: Option<&str>) -> Result<(), Failure> {
    if context.json {
        return context.print_json(ring);
    }
    context.print(&text(ring))?;
    hint.into_iter().for_each(|hint| context.note(hint));
    Ok(())
}

fn text(ring: &Ring) -> String {
    let mut text = format!("keys of {}\n\n", display_line(&ring.network_name));
    let row = |key: &Key| {
        let role = match (key.primary, key.ready) {
            (true, _) => "seals and opens",
            (false, true) => "opens",
            (false, false) => "opens; being prepared",
        };
        let added = key.added.as_ref().map_or("-".to_owned(), |added| local_time(added));
        vec![key.key_id.clone(), role.to_owned(), added, users(&key.used_by)]
    };
    text.push_str(&table(&["KEY_ID", "WHAT IT DOES", "ADDED", "PEERS THAT USE IT"], ring.keys.iter().map(row)));
    if !ring.unknown.is_empty() {
        text.push_str(&format!("\n  not known of: {}\n", display_line(&users(&ring.unknown))));
    }
    text
}

/// Some names, and how many more.
fn users(users: &[KeyUser]) -> String {
    const SHOWN: usize = 6;
    if users.is_empty() {
        return "-".to_owned();
    }
    let name = |user: &KeyUser| if user.name.is_empty() { user.guid.clone() } else { user.name.clone() };
    let mut text = users.iter().take(SHOWN).map(name).collect::<Vec<String>>().join(", ");
    if users.len() > SHOWN {
        text.push_str(&format!(" and {} more", users.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_id: &str, primary: bool, users: &[&str]) -> Key {
        let user = |name: &&str| KeyUser { guid: "g".into(), name: (*name).into(), last_update: None };
        let used_by = users.iter().map(user).collect();
        Key { key_id: key_id.into(), primary, ready: primary, added: None, used_by }
    }

    fn ring(keys: Vec<Key>) -> Ring {
        Ring { keys, ..empty("home") }
    }

    #[test]
    fn where_there_is_one_other_key_nobody_has_to_name_it() {
        let two = ring(vec![key("aaaa0000", true, &[]), key("bbbb0000", false, &[])]);
        assert_eq!(named(&two, None).unwrap(), "bbbb0000");
        assert_eq!(named(&two, Some("AA")).unwrap(), "aaaa0000");
        assert!(named(&two, Some("c")).is_err() && named(&ring(vec![key("aaaa0000", true, &[])]), None).is_err());
        let three = ring(vec![key("aaaa0000", true, &[]), key("ab000000", false, &[]), key("ac000000", false, &[])]);
        assert!(named(&three, None).is_err() && named(&three, Some("a")).is_err());
        assert_eq!(named(&three, Some("ab")).unwrap(), "ab000000");
    }

    #[test]
    fn a_ring_is_a_table_that_says_who_uses_what() {
        let names = ["nas\u{1b}[2J", "b", "c", "d", "e", "f", "g", "h"];
        let text = text(&ring(vec![key("aaaa0000", true, &names), key("bbbb0000", false, &[])]));
        assert!(text.contains("seals and opens") && text.contains("being prepared") && text.contains("and 2 more"));
        assert!(!text.contains('\u{1b}'));
    }
}
