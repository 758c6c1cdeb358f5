//! [`Cluster`]: temporary daemons on loopback, in a network that is no other's.

use crate::api::{Draft, RegisterRequest, WaitQuery};
use crate::cli::failure::{Exit, Failure};
use crate::cli::random::random;
use crate::cli::running::Running;
use crate::cli::temporary;
use crate::client::{Client, ClientError};
use crate::config::{Home, Listen, Network, ServerFile};
use crate::daemon::Refusal;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// How the directories begin that nodes keep their files in.
pub const PREFIX: &str = "gossip-bench-";
/// How long nodes may take to meet, and to agree.
pub const PATIENCE: Duration = Duration::from_secs(50);

/// Between two looks at how far it is.
const GLANCE: Duration = Duration::from_millis(200);
/// Bytes that come in within [`PATIENCE`] though nothing happens, at most.
const NOISE: u64 = 1 << 20;

/// See the module.
pub struct Cluster {
    /// They.
    pub nodes: Vec<Running>,
    place: TempDir,
    network: Network,
}

impl Cluster {
    /// No nodes yet.
    pub fn new() -> Result<Cluster, Failure> {
        Ok(Cluster { nodes: Vec::new(), place: temporary::directory(PREFIX)?, network: temporary::network("bench-")? })
    }

    /// Nodes that know each other.
    pub async fn of(count: usize) -> Result<Cluster, Failure> {
        let mut cluster = Cluster::new()?;
        for _ in 0..count {
            cluster.start().await?;
        }
        cluster.meet().await?;
        Ok(cluster)
    }

    /// Where they keep their files.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// One node more, which knows nobody.
    pub async fn start(&mut self) -> Result<(), Failure> {
        let home = self.home()?;
        self.nodes.push(Running::start(home).await?);
        Ok(())
    }

    /// A home in this network, of a node that was never started.
    pub fn home(&self) -> Result<Home, Failure> {
        home_in(self.place(), self.network.clone())
    }

    /// Each registers with the first, and all hear of all.
    pub async fn meet(&self) -> Result<(), Failure> {
        let Some((first, others)) = self.nodes.split_first() else { return Ok(()) };
        for node in others {
            let request = RegisterRequest { address: first.address.to_string(), timeout_ms: 10_000 };
            node.handle.register(None, request).await.map_err(refused)?;
        }
        let others = others.len() as u64;
        for node in &self.nodes {
            let timeout_ms = PATIENCE.as_millis() as u64;
            let query = WaitQuery { peers: Some(others), timeout_ms, ..WaitQuery::default() };
            let waited = node.handle.wait(query).await.map_err(refused)?;
            if !waited.holds {
                return Err(Failure::new(Exit::Timeout, "the temporary nodes did not meet in time")
                    .why(format!("one reaches {} of {others} others", waited.reachable_peers)));
            }
        }
        Ok(())
    }

    /// Waits until all hold so many records.
    pub async fn hold(&self, records: u64) -> Result<(), Failure> {
        for node in &self.nodes {
            all_here(node, records, |_, _| ()).await?;
        }
        Ok(())
    }

    /// Calls one of them as anybody would.
    pub fn client(&self, number: usize) -> Option<Client> {
        self.nodes.get(number).map(|node| Client::new(node.home.control_socket(), None))
    }

    /// Stops them all; their files go with them.
    pub async fn stop(self) -> Result<(), Failure> {
        temporary::stop(self.nodes.into_iter()).await
    }
}

/// Waits until a daemon holds so many records, for as long as more arrives; `progress` hears of the records and bytes so
/// far.
pub async fn all_here(node: &Running, records: u64, mut progress: impl FnMut(u64, u64)) -> Result<(), Failure> {
    let (mut before, mut moved) = ((0, 0), Instant::now());
    loop {
        let timeout_ms = GLANCE.as_millis() as u64;
        let query = WaitQuery { gossip: Some(records), timeout_ms, ..WaitQuery::default() };
        if node.handle.wait(query).await.map_err(refused)?.holds {
            return Ok(());
        }
        let status = node.handle.status(None, 1).await.map_err(refused)?;
        let (complete, come) =
            (status.gossip.complete, status.stats.get("bytes_received").copied().unwrap_or_default());
        progress(complete, come);
        if complete > before.0 || come > before.1 + NOISE {
            (before, moved) = ((complete, come), Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            return Err(Failure::new(Exit::Timeout, "nothing more arrives")
                .why(format!("a temporary node holds {complete} records of {records}")));
        }
    }
}

/// A home below `place` for a new node on loopback, which looks for nobody and has no page.
pub fn home_in(place: &Path, network: Network) -> Result<Home, Failure> {
    let name = format!("bench-{:08x}", u32::from_be_bytes(random()?));
    let apart = |file: &mut ServerFile| {
        file.discovery = Some(false);
        file.http.listen = Some(Listen::Off);
    };
    Ok(temporary::home(place.join(&name), &name, network, apart)?.0)
}

/// Messages of so many bytes, each unlike the others.
pub fn drafts(first: u64, count: u64, size: usize) -> Vec<Draft> {
    (first..first + count).map(|number| Draft { msg: text(number, size), who_name: None }).collect()
}

/// A message of so many bytes: its number, and words.
pub fn text(number: u64, size: usize) -> String {
    let mut text = format!("{number} ");
    while text.len() < size {
        text.push_str("the printer works again and paper is in ");
    }
    text.truncate(size);
    text
}

/// Has a daemon store all of them in one commit.
pub async fn store(client: &Client, drafts: &[Draft]) -> Result<(), Failure> {
    let outcomes = client.batch(drafts).await.map_err(called)?;
    match outcomes.into_iter().find(|outcome| outcome.status != 201) {
        None => Ok(()),
        Some(outcome) => Err(Failure::new(Exit::Refused, "a message was not taken")
            .why(outcome.detail.unwrap_or_else(|| outcome.status.to_string()))),
    }
}

/// The same for messages with these numbers, so many in one commit; `progress` hears of the next number.
pub async fn store_all(
    client: &Client,
    numbers: Range<u64>,
    size: usize,
    batch: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), Failure> {
    let mut next = numbers.start;
    while next < numbers.end {
        let count = batch.min(numbers.end - next);
        store(client, &drafts(next, count, size)).await?;
        next += count;
        progress(next);
    }
    Ok(())
}

/// A refusal of a daemon in this process.
pub fn refused(refusal: Refusal) -> Failure {
    Failure::new(Exit::No, "a temporary daemon did not do its part").why(refusal.to_string())
}

/// A call that came to nothing.
pub fn called(error: ClientError) -> Failure {
    Failure::new(Exit::No, "the daemon did not do its part").why(error.to_string())
}
