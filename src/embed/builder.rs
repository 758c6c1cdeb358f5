//! [`Builder`]: how a node is to be, said by a program instead of `server.json`.

use super::{Daemon, Handle};
use crate::config::{ConfigError, Home, Network, RingKey, ServerFile, node_name};
use crate::daemon::{self, StartError};
use crate::proto::gossip::Guid;
use crate::proto::seal::{NetworkKey, Secret};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// Where files are memory, on hosts that have such a place.
const MEMORY: &str = "/dev/shm";

/// Says how a node is to be: [`Daemon::builder`]. A network with its password or key and a place for its records are
/// needed; all else has the daemon's own defaults.
///
/// ```no_run
/// # async fn start() -> Result<(), gossip_node::BuildError> {
/// let daemon = gossip_node::Daemon::builder()
///     .network("home")
///     .password(std::fs::read("password").unwrap())
///     .name("billing-1")
///     .home("/var/lib/billing/gossip")
///     .seed("10.0.0.7:6884")
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    networks: Vec<(String, Option<Access>)>,
    /// A password or a key without a network before it.
    stray: bool,
    place: Option<Place>,
    bind: Option<SocketAddr>,
    name: Option<String>,
    seeds: Vec<String>,
    discovery: Option<bool>,
    configure: Vec<Configure>,
}

struct Configure(Box<dyn FnOnce(&mut ServerFile) + Send>);

impl std::fmt::Debug for Configure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Configure(..)")
    }
}

enum Access {
    Password(Zeroizing<Vec<u8>>),
    Key(Secret),
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access(..)")
    }
}

#[derive(Debug)]
enum Place {
    Home(PathBuf),
    Memory,
}

/// Why a node was not built. Each says what, why and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Something that is needed was not said.
    #[error("{0}")]
    Incomplete(String),
    /// The home has this network with another key.
    #[error(
        "the home {home} has another key for the network {network:?}: give the password that it was made with, or change it in all nodes (`gossip-node keys`)"
    )]
    OtherKey {
        /// Which home.
        home: String,
        /// Which network.
        network: String,
    },
    /// What was said, or what the home's `server.json` says, is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The home cannot be made.
    #[error("cannot make the home {home}: {source}")]
    Home {
        /// Which.
        home: String,
        /// What the system says.
        source: io::Error,
    },
    /// It did not start: the home is in use, the address cannot be had, the disk refuses.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Builder {
    /// A network to be in; its [`password`](Builder::password) or [`key`](Builder::key) follows. Up to 8: one after the
    /// other, each with its own. [`Daemon::handle`] is about the first.
    pub fn network(mut self, name: impl Into<String>) -> Builder {
        self.networks.push((name.into(), None));
        self
    }

    /// The password of the network that was named last. A key is made of it by Argon2id (0.2 s, 64 MiB).
    pub fn password(self, password: impl Into<Vec<u8>>) -> Builder {
        self.access(Access::Password(Zeroizing::new(password.into())))
    }

    /// The key of the network that was named last, as [`Secret::derive`] makes it of name and password.
    pub fn key(self, key: Secret) -> Builder {
        self.access(Access::Key(key))
    }

    fn access(mut self, access: Access) -> Builder {
        match self.networks.last_mut() {
            Some((_, said)) => *said = Some(access),
            None => self.stray = true,
        }
        self
    }

    /// The directory of its `server.json` and its records, made if it is not there. One home is one node; a home that the
    /// command line made will do, and what its `server.json` says holds where the builder says nothing.
    pub fn home(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.place = Some(Place::Home(dir.into()));
        self
    }

    /// Keeps records in memory, for tests and caches: the node begins with none each time, and is sent all by the others.
    /// They are in a directory of `/dev/shm` where there is one (in the temporary directory where not), which is removed when
    /// the node ends. Only a process that is killed leaves it behind.
    pub fn in_memory(mut self) -> Builder {
        self.place = Some(Place::Memory);
        self
    }

    /// The UDP address to receive at; port 0 takes any. 0.0.0.0:6884 if nothing is said.
    pub fn bind(mut self, addr: impl Into<SocketAddr>) -> Builder {
        self.bind = Some(addr.into());
        self
    }

    /// Its name among people, 1 to 64 bytes; the host's if nothing is said.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// HOST:PORT of a node to register with at every start; may be said up to 256 times. One that lives is enough.
    pub fn seed(mut self, seed: impl Into<String>) -> Builder {
        self.seeds.push(seed.into());
        self
    }

    /// Whether nodes of the same network on this LAN are found by themselves; yes, unless it is bound to a loopback address.
    pub fn discovery(mut self, discovery: bool) -> Builder {
        self.discovery = Some(discovery);
        self
    }

    /// Changes anything else of its `server.json`, after all that the other methods said.
    ///
    /// ```
    /// use gossip_node::config::Profile;
    ///
    /// gossip_node::Daemon::builder().configure(|file| file.profile = Profile::Fast);
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut ServerFile) + Send + 'static) -> Builder {
        self.configure.push(Configure(Box::new(change)));
        self
    }

    /// Starts it, on a thread of its own. It ends with the tokio runtime that this is called in, which serves its handles.
    ///
    /// # Errors
    /// See [`BuildError`]; nothing runs then, and no port and no home is taken.
    pub async fn start(self) -> Result<Daemon, BuildError> {
        let made = tokio::task::spawn_blocking(move || self.make()).await;
        let failed = |error| StartError::Io { what: "cannot start".to_owned(), source: io::Error::other(error) };
        let (home, memory, network) = made.map_err(failed)??;
        let daemon = daemon::Daemon::start(home).await?;
        match Handle::new(daemon.handle(), &network) {
            Ok(handle) => Ok(Daemon::keep(daemon, handle, memory)),
            Err(error) => {
                daemon.handle().stop();
                let _ = daemon.stopped().await;
                Err(BuildError::Incomplete(error.to_string()))
            }
        }
    }

    /// Makes the home and its `server.json`.
    fn make(self) -> Result<(Home, Option<TempDir>, String), BuildError> {
        let missing = |what: &str| BuildError::Incomplete(what.to_owned());
        let Some((first, _)) = self.networks.first() else {
            return Err(missing("say which network to be in: .network(\"home\").password(..)"));
        };
        if self.stray {
            return Err(missing("a password or key belongs to the network before it: .network(\"home\").password(..)"));
        }
        let first = first.clone();
        let (dir, memory) = match self.place {
            None => return Err(missing("say where its records are to be: .home(dir) or .in_memory()")),
            Some(Place::Home(dir)) => (dir, None),
            Some(Place::Memory) => {
                let made = tempfile::Builder::new().prefix("gossip-node-").tempdir_in(MEMORY);
                let made = made.or_else(|_| tempfile::Builder::new().prefix("gossip-node-").tempdir());
                let memory = made.map_err(|source| BuildError::Home { home: "in memory".to_owned(), source })?;
                (memory.path().join("home"), Some(memory))
            }
        };
        let home = Home::new(dir);
        let shown = home.dir().display().to_string();
        home.create().map_err(|source| BuildError::Home { home: shown.clone(), source })?;
        // Nobody's file is changed under a node that runs.
        let _lock = daemon::lock(&home)?;
        let path = home.server_json();
        let before = if path.exists() { Some(ServerFile::load(&path)?.file) } else { None };
        #[expect(clippy::disallowed_methods, reason = "a node's name is drawn once")]
        let drawn = || ServerFile::new(Guid::random(rand::random()), &node_name());
        let mut file = before.clone().unwrap_or_else(drawn);
        for (name, access) in self.networks {
            let key = match access {
                None => return Err(BuildError::Incomplete(format!("the network {name:?} has no password and no key"))),
                Some(Access::Password(password)) if password.is_empty() => {
                    return Err(BuildError::Incomplete(format!("the password of the network {name:?} is empty")));
                }
                Some(Access::Password(password)) => Secret::derive(&name, &password),
                Some(Access::Key(key)) => key,
            };
            let is_it = |other: RingKey| other.key_id() == NetworkKey::new(&key).key_id();
            match file.networks.iter().find(|network| network.network_name == name) {
                None => file.networks.push(Network::new(name, key)),
                // A key that was changed since is in the ring, or has been given up.
                Some(network) if network.ring().any(is_it) => {}
                Some(_) => return Err(BuildError::OtherKey { home: shown, network: name }),
            }
        }
        self.bind.into_iter().for_each(|bind| (file.ip, file.port) = (bind.ip(), bind.port()));
        self.name.into_iter().for_each(|name| file.node_name = name);
        self.discovery.into_iter().for_each(|discovery| file.discovery = Some(discovery));
        if !self.seeds.is_empty() {
            file.seeds = self.seeds;
        }
        self.configure.into_iter().for_each(|Configure(change)| change(&mut file));
        if file.network_mut(&first).is_none() {
            return Err(BuildError::Incomplete(format!(
                "configure(..) leaves no network {first:?}, which was said first"
            )));
        }
        if before.as_ref() != Some(&file) {
            file.save(&path)?;
        }
        Ok((home, memory, first))
    }
}
