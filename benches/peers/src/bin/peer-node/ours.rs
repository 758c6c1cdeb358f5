//! [`Ours`]: the release build of `gossip-node run`, told what to do through its control socket as anybody would; and
//! [`Embedded`]: the same as a library with its records in memory, as the other libraries have theirs.
//!
//! While it is watched, it is told of each record as any follower is; otherwise it is asked to say when it holds so many,
//! which it looks at each 20 ms. That is what a joiner's and a load's times may be too long by.
//!
//! Default: what `init` writes. Best: `profile` is `fast`. All find each other by themselves; no address is told to any.

use crate::held::{Held, now, text};
use crate::node::{Later, Node, PORT, Place, Wrong, number};
use gossip_node::api::{Draft, Event, Peer, Reach, WaitQuery, Waited};
use gossip_node::client::Client;
use gossip_node::config::{Home, Network, Profile, ServerFile};
use gossip_node::daemon::New;
use gossip_node::proto::gossip::Guid;
use gossip_node::proto::seal::Secret;
use gossip_node::{Daemon, Handle, Since};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Records in one call.
const BATCH: u64 = 4000;

/// See the module.
pub struct Ours {
    client: Client,
    daemon: Child,
    watching: Watching,
}

/// Who counts what is told, while it is.
#[derive(Default)]
struct Watching(Mutex<Option<(Held, JoinHandle<()>)>>);

/// What was told so far.
struct Count {
    count: u64,
    held: Held,
}

impl Watching {
    fn held(&self) -> Option<Held> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner()).as_ref().map(|(held, _)| held.clone())
    }

    /// Begins with what is held; `follow` counts all that comes.
    fn begin<F: Future<Output = ()> + Send + 'static>(&self, count: u64, follow: impl FnOnce(Count) -> F) {
        let held = Held::new();
        held.set(count);
        let following = tokio::spawn(follow(Count { count, held: held.clone() }));
        self.replace(Some((held, following)));
    }

    fn replace(&self, by: Option<(Held, JoinHandle<()>)>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(|poison| poison.into_inner()), by);
        if let Some((_, following)) = before {
            following.abort();
        }
    }

    /// When so many are held: told by who counts, or else `waited` for, which is refused where that is not in time; then
    /// `status` says how many there are.
    async fn when<E>(
        &self,
        count: u64,
        patience: Duration,
        waited: impl Future<Output = Result<Waited, E>>,
        status: impl Future<Output = Result<u64, Wrong>>,
    ) -> Result<(u64, u64), Wrong> {
        if let Some(held) = self.held() {
            return held.when(count, patience).await;
        }
        let waited = waited.await;
        let at = now();
        Ok((if waited.is_ok() { count } else { status.await? }, at))
    }
}

impl Count {
    fn one_more(&mut self) {
        self.count += 1;
        self.held.set(self.count);
    }
}

impl Ours {
    /// Writes `server.json` and starts the daemon.
    pub async fn start(place: &Place) -> Result<Ours, Wrong> {
        let home = Home::new(place.home.clone());
        home.create()?;
        let mut guid = [0; 16];
        guid.fill(place.number);
        let mut file = ServerFile::new(Guid::random(guid), &format!("node-{}", place.number));
        (file.ip, file.port) = (place.ip(), PORT);
        if place.best {
            file.profile = Profile::Fast;
        }
        file.networks.push(Network::new("peers", Secret([7; 32])));
        file.save(&home.server_json())?;
        let program = std::env::var("GOSSIP_NODE")?;
        let mut daemon = Command::new(program);
        daemon.arg("--home").arg(&place.home).arg("run").stdin(Stdio::null()).stdout(Stdio::null());
        let log = std::fs::File::create(place.home.join("said"))?;
        let daemon = daemon.stderr(log).kill_on_drop(true).spawn()?;
        let client = Client::new(home.control_socket(), None);
        for _ in 0..2000 {
            if client.node().await.is_ok() {
                return Ok(Ours { client, daemon, watching: Watching::default() });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(std::fs::read_to_string(place.home.join("said"))?.into())
    }
}

impl Node for Ours {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            if count == 1 {
                self.client.add(None, text(first, size).into()).await?;
                return Ok(());
            }
            let mut next = first;
            while next < first + count {
                let batch = BATCH.min(first + count - next);
                let draft = |number| Draft { msg: text(number, size), who_name: None };
                let drafts: Vec<Draft> = (next..next + batch).map(draft).collect();
                let outcomes = self.client.batch(&drafts).await?;
                if let Some(outcome) = outcomes.iter().find(|outcome| outcome.status != 201) {
                    return Err(format!("{outcome:?}").into());
                }
                next += batch;
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        Box::pin(async move {
            let status = async { Ok(self.client.status_network().await?.gossip_count) };
            self.watching.when(count, patience, self.client.wait(until(count, patience)), status).await
        })
    }

    fn watch(&self, on: bool) -> Later<'_, ()> {
        Box::pin(async move {
            if !on {
                self.watching.replace(None);
                return Ok(());
            }
            let mut events = self.client.events(Some("new"), None).await?;
            let count = self.client.status_network().await?.gossip_count;
            self.watching.begin(count, |mut count| async move {
                while let Ok(Some((_, event))) = events.next().await {
                    if let Event::Gossip(_) = event {
                        count.one_more();
                    }
                }
            });
            Ok(())
        })
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move { Ok(alive(&self.client.peers().await?)) })
    }

    fn pid(&self) -> u32 {
        self.daemon.id().unwrap_or_default()
    }
}

/// See the module.
pub struct Embedded {
    handle: Handle,
    _daemon: Daemon,
    watching: Watching,
}

impl Embedded {
    /// Builds it.
    pub async fn start(place: &Place) -> Result<Embedded, Wrong> {
        let fast = place.best;
        let builder = Daemon::builder().network("peers").key(Secret([7; 32])).in_memory().bind(place.addr());
        let builder = builder.name(format!("node-{}", place.number)).configure(move |file| {
            if fast {
                file.profile = Profile::Fast;
            }
        });
        let daemon = builder.start().await?;
        Ok(Embedded { handle: daemon.handle(), _daemon: daemon, watching: Watching::default() })
    }
}

impl Node for Embedded {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            if count == 1 {
                self.handle.add(text(first, size)).await?;
                return Ok(());
            }
            let mut next = first;
            while next < first + count {
                let batch = BATCH.min(first + count - next);
                let new = |number| New { who_name: None, msg: text(number, size).into() };
                let outcomes = self.handle.control().add_all(None, (next..next + batch).map(new).collect()).await?;
                outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
                next += batch;
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        Box::pin(async move {
            let status = async { Ok(self.handle.control().status_network(None).await?.gossip_count) };
            self.watching.when(count, patience, self.handle.control().wait(until(count, patience)), status).await
        })
    }

    fn watch(&self, on: bool) -> Later<'_, ()> {
        Box::pin(async move {
            if !on {
                self.watching.replace(None);
                return Ok(());
            }
            let mut arriving = self.handle.subscribe(Since::Now).await?;
            let count = self.handle.control().status_network(None).await?.gossip_count;
            self.watching.begin(count, |mut count| async move {
                while let Some(Ok(_)) = arriving.next().await {
                    count.one_more();
                }
            });
            Ok(())
        })
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move { Ok(alive(&self.handle.peers().await?)) })
    }
}

fn until(count: u64, patience: Duration) -> WaitQuery {
    WaitQuery { gossip: Some(count), timeout_ms: patience.as_millis() as u64, ..WaitQuery::default() }
}

/// A suspect is not given up yet.
fn alive(peers: &[Peer]) -> Vec<u8> {
    let alive = peers.iter().filter(|peer| matches!(peer.reach, Reach::Reachable | Reach::Suspect));
    alive.filter_map(|peer| number(peer.ip.parse().ok()?)).collect()
}
