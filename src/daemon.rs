//! [`Daemon`]: the one task, on a thread of its own, that owns nodes, socket and store; [`Handle`]: how others reach it. No
//! locks, no actors: each thing that happens (datagrams, a command, a receipt of the disk, a timer) is handled, then
//! everything that it set off is settled.

mod arriving;
mod bounds;
mod cache;
mod clock;
mod command;
mod creating;
mod discovering;
mod engine;
mod events;
mod explain;
mod gauges;
mod handle;
mod heed;
mod importing;
mod journal;
mod keys;
mod leaving;
mod live;
mod loudness;
mod meant;
mod member;
mod news;
mod peering;
mod pinging;
mod rate;
mod receipts;
mod records;
mod refusal;
mod reload;
mod requests;
mod restoring;
mod retaining;
mod settings;
mod sharing;
mod splits;
mod tally;
mod thread;
mod view;
mod waiting;

pub(crate) use arriving::Arriving;
pub use creating::{BATCH, New};
pub use events::{Cursor, Events};
pub use gauges::{Gauges, StoreGauges};
pub use handle::Handle;
pub use importing::Imported;
pub use journal::{Journal, LINES};
pub use loudness::Loudness;
pub use receipts::Holders;
pub use records::Listed;
pub use refusal::Refusal;
pub use reload::ReloadError;

use crate::config::{ConfigError, Home, HomeLock, Loaded, LockError, PeerSelectType, ServerFile};
use crate::net::{Faults, Socket};
use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use crate::proto::settings::{Pace, PeerSelect, Settings};
use crate::proto::time::{Tick, Timestamp};
use crate::store::{Store, StoreError};
use clock::{Clock, wall_clock};
use discovering::Discovering;
use engine::Engine;
use handle::Known;
use live::Pulse;
use member::Member;
use reload::InForce;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use thread::Thread;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Commands that may wait for the task.
const COMMANDS: usize = 256;
/// How often the name of a seed is looked up while that fails.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(30);

/// Why a daemon did not start. Each says what, why and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another daemon has this home.
    #[error("{home} is in use by the gossip-node with pid {pid}: stop that one, or take another home")]
    Locked {
        /// The home.
        home: String,
        /// That process.
        pid: String,
    },
    /// The UDP address cannot be had.
    #[error("cannot bind UDP {addr}: {source}: take an address of this host, and a port that is free")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Anything else of the environment.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A running daemon.
pub struct Daemon {
    /// Whoever has it no more, as where nobody waited for its start to the end, cannot stop it either.
    alive: StopOnDrop,
    addr: SocketAddr,
    lock: Arc<HomeLock>,
    task: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Daemon {
    /// Starts a daemon in its home: takes the home's lock, opens the store, binds the socket, starts the task. Needs a
    /// tokio runtime, with which it ends. The control API is served beside it, by a `crate::http::Server`.
    pub async fn start(home: Home) -> Result<Daemon, StartError> {
        Daemon::start_amid(home, None).await
    }

    /// The same with faults between it and other nodes: for demonstrations.
    pub(crate) async fn start_amid(home: Home, faults: Option<watch::Receiver<Faults>>) -> Result<Daemon, StartError> {
        let what = format!("cannot start in {}", home.dir().display());
        let started = tokio::task::spawn_blocking(move || Prepared::prepare(home)?.start(faults)).await;
        started.map_err(|error| StartError::Io { what, source: io::Error::other(error) })?
    }

    /// How to reach it.
    pub fn handle(&self) -> Handle {
        self.alive.0.clone()
    }

    /// The UDP address in use (port 0 resolved).
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The home's lock, which is held as long as anyone holds it.
    pub fn lock(&self) -> Arc<HomeLock> {
        self.lock.clone()
    }

    /// Waits until the daemon has stopped (after [`Handle::stop`]): goodbye said, store closed.
    pub async fn stopped(self) -> io::Result<()> {
        let Daemon { task, alive: _alive, .. } = self;
        task.await.map_err(io::Error::other)?
    }
}

/// All that a daemon needs, read from its home.
struct Prepared {
    home: Home,
    lock: HomeLock,
    loaded: Loaded,
    store: Store,
    members: Vec<Member>,
    clock: Clock,
}

impl Prepared {
    fn prepare(home: Home) -> Result<Prepared, StartError> {
        // Before the lock, which would make its file in whatever directory this is.
        let loaded = ServerFile::load(&home.server_json())?;
        let lock = lock(&home)?;
        loaded.notes.iter().for_each(|note| tracing::warn!("{note}"));
        Loudness::of_process().configure(loaded.file.log.as_ref());
        let file = &loaded.file;
        let io = |what: &str| {
            let what = format!("cannot {what} {}", home.gossip_db().display());
            move |error: StoreError| StartError::Io { what, source: io::Error::other(error) }
        };
        let clock = Clock::start();
        let restore = || {
            let store = Store::open(&home.gossip_db())?;
            store.notes().iter().for_each(|note| tracing::warn!("{note}"));
            let members = file.networks.iter().map(|network| member(file, network, &store, clock));
            let members = members.collect::<Result<Vec<Member>, StoreError>>()?;
            Ok((store, members))
        };
        // Damage that is met only while all is read is salvaged by opening the store once more.
        let restored = restore().or_else(|error: StoreError| if error.is_damage() { restore() } else { Err(error) });
        let (store, members) = restored.map_err(io("read"))?;
        Ok(Prepared { home, lock, loaded, store, members, clock })
    }

    fn start(self, faults: Option<watch::Receiver<Faults>>) -> Result<Daemon, StartError> {
        let Prepared { home, lock, loaded, store, mut members, clock } = self;
        let file = &loaded.file;
        let addr = SocketAddr::new(file.ip, file.port);
        let thread = Thread::new().map_err(no_thread)?;
        let bound = bind(addr, &thread).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (addr, mut socket) = bound.map_err(|source| StartError::Bind { addr, source })?;
        faults.into_iter().for_each(|faults| socket.suffer(faults));
        let discovering = Discovering::new(file, addr, clock, &mut members);
        let (events, incoming) = mpsc::unbounded_channel();
        let (receipts, loads) = (events.clone(), events);
        let on_written = move |written| drop(receipts.send(engine::Event::Written(written)));
        let on_loaded = move |loaded| drop(loads.send(engine::Event::Loaded(loaded)));
        let threads = store.spawn(Box::new(on_written), Box::new(on_loaded));
        threads.map_err(|source| StartError::Io { what: "cannot start the store's threads".to_owned(), source })?;
        let (commands, taken) = mpsc::channel(COMMANDS);
        let (changed, changes) = watch::channel(0);
        let (stop, stopping) = watch::channel(false);
        let (left, farewell) = watch::channel(None);
        let (store, seeds) = (Arc::new(store), file.seeds.clone());
        let share_at = if members.len() > 1 && file.share_networks { Tick(0) } else { Tick::NEVER };
        let in_force = Arc::new(InForce::new(home.server_json(), loaded));
        let known = |member: &Member| {
            let (name, news, pulse) = (member.name.clone(), member.news.subscribe(), Arc::new(Pulse::default()));
            Known { name, id: member.id, news, pulse }
        };
        let networks: Vec<Known> = members.iter().map(known).collect();
        let pulses: Vec<Arc<Pulse>> = networks.iter().map(|known| known.pulse.clone()).collect();
        let (http, leave) = (Arc::<OnceLock<SocketAddr>>::default(), Arc::new(watch::Sender::new(None)));
        let engine = Engine {
            in_force: in_force.clone(),
            addr,
            socket,
            store: store.clone(),
            members,
            clock,
            changed,
            wake: Tick::NEVER,
            share_at,
            http: http.clone(),
            leave: leave.clone(),
            farewell: left,
        };
        let (networks, stop, bounds, started) = (Arc::new(networks), Arc::new(stop), Arc::default(), clock.wall);
        let handle =
            Handle { in_force, addr, started, networks, commands, changes, stop, leave, farewell, store, bounds, http };
        let lock = Arc::new(lock);
        let locked = lock.clone();
        let ended = thread.run(async move {
            // Whoever has this home next finds its store closed.
            let _locked = locked;
            engine.run(taken, incoming, stopping).await
        });
        let ended = ended.map_err(no_thread)?;
        let alive = StopOnDrop(handle.clone());
        let task = tokio::spawn(async move {
            let _alive = alive;
            ended.await
        });
        for (network, pulse) in pulses.into_iter().enumerate() {
            tokio::spawn(live::run(handle.clone(), network, pulse));
        }
        if let Some(discovering) = discovering {
            tokio::spawn(discovering.run(handle.clone()));
        }
        for seed in seeds {
            tokio::spawn(plant(handle.clone(), seed));
        }
        Ok(Daemon { alive: StopOnDrop(handle), addr, lock, task })
    }
}

/// Ends a daemon together with what has this: its owner, and the runtime that it was started in.
struct StopOnDrop(Handle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The socket, which wakes this thread.
fn bind(addr: SocketAddr, thread: &Thread) -> io::Result<Socket> {
    let _guard = thread.enter();
    let (socket, granted) = Socket::bind(addr)?;
    if let Some(granted) = granted {
        tracing::info!(
            "the kernel grants a receive buffer of {granted} bytes, less than the 4 MiB asked for: bursts may be lost and repaired; raise it with `sysctl net.core.rmem_max=4194304`"
        );
    }
    Ok(socket)
}

fn no_thread(source: io::Error) -> StartError {
    StartError::Io { what: "cannot start the daemon's thread".to_owned(), source }
}

/// Keeps every other daemon out of a home.
pub(crate) fn lock(home: &Home) -> Result<HomeLock, StartError> {
    let dir = home.dir().display().to_string();
    home.lock_exclusive().map_err(|error| match error {
        LockError::Held { pid } => StartError::Locked { home: dir, pid },
        LockError::Io(source) => StartError::Io { what: format!("cannot lock {dir}"), source },
    })
}

/// One network's node, with all that the store knows of it.
fn member(
    file: &ServerFile,
    network: &crate::config::Network,
    store: &Store,
    clock: Clock,
) -> Result<Member, StoreError> {
    let id = store.network(&network.network_name)?;
    let epoch = store.next_epoch(id, clock.wall)?;
    let settings = Settings {
        epoch,
        started: clock.wall,
        pace: pace(file),
        max_datagram: file.max_datagram,
        terms: network.terms(),
        ..Settings::new(file.node_guid, &file.node_name, network.keyring())
    };
    #[expect(clippy::disallowed_methods, reason = "the daemon owns the randomness")]
    let seed = rand::random();
    let now = clock.now();
    let mut node = Node::new(settings, seed, now);
    restoring::restore(store, id, &mut node, now)?;
    // The epoch is later than all that was authored before.
    node.restore_authored(Timestamp(epoch));
    Ok(Member::new(network.network_name.clone(), id, node, network.ring().collect()))
}

/// What of a file may change while a node runs.
fn pace(file: &ServerFile) -> Pace {
    Pace {
        gossip_timer: file.gossip_timer,
        gossip_max_peer_count: file.gossip_max_peer_count,
        peer_select: match file.peer_select_type {
            PeerSelectType::Random => PeerSelect::Random,
            PeerSelectType::OldestFirst => PeerSelect::OldestFirst,
            PeerSelectType::Both => PeerSelect::Both,
        },
        timing: file.timing.timing(file.profile, file.gossip_timer),
    }
}

/// A copy of this node is alive: from now on it has another GUID, which `server.json` must know.
fn rename(in_force: &Arc<InForce>, guid: Guid) {
    tracing::warn!(%guid, "another node has this node's GUID (a copied home?): this one takes a new GUID and keeps its records");
    let in_force = in_force.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = in_force.rename(guid) {
            tracing::error!("the new GUID is not saved, so the next start will meet the copy again: {error}");
        }
    });
}

/// Looks a seed's name up until that succeeds, then has every network register there; unless it is taken back meanwhile.
async fn plant(handle: Handle, seed: String) {
    while let Err(error) = handle.plant(&seed).await {
        if handle.is_stopping() || !handle.file().seeds.contains(&seed) {
            return;
        }
        tracing::warn!(%seed, "cannot look the seed up: {error}");
        tokio::time::sleep(LOOK_UP_AGAIN).await;
    }
}
