//! [`Cluster`]: temporary daemons on loopback, in a network that is no other's.

use crate::api::{Draft, RegisterRequest, WaitQuery};
use crate::cli::failure::{Exit, Failure};
use crate::cli::init::random;
use crate::cli::running::Running;
use crate::client::{Client, ClientError};
use crate::config::{Home, Listen, Network, ServerFile};
use crate::daemon::Refusal;
use crate::proto::gossip::Guid;
use crate::proto::seal::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// How long nodes may take to meet, and to agree.
pub const PATIENCE: Duration = Duration::from_secs(50);

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
        let place = tempfile::Builder::new().prefix("gossip-bench-").tempdir();
        let place = place.map_err(|error| Failure::new(Exit::No, "cannot make a directory").why(error.to_string()))?;
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(&random()?);
        secret[16..].copy_from_slice(&random()?);
        let [a, b, c, d, ..] = random()?;
        let network = Network::new(format!("bench-{a:02x}{b:02x}{c:02x}{d:02x}"), Secret(secret));
        Ok(Cluster { nodes: Vec::new(), place, network })
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
        self.wait(Some(others.len() as u64), None).await
    }

    /// Waits until all reach so many peers, or hold so many records.
    pub async fn wait(&self, peers: Option<u64>, gossip: Option<u64>) -> Result<(), Failure> {
        for node in &self.nodes {
            let timeout_ms = PATIENCE.as_millis() as u64;
            let query = WaitQuery { network: None, peers, gossip, in_sync: false, timeout_ms };
            node.handle.wait(query).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Calls one of them as anybody would.
    pub fn client(&self, number: usize) -> Option<Client> {
        self.nodes.get(number).map(|node| Client::new(node.home.control_socket(), None))
    }

    /// Stops them all; their files go with them.
    pub async fn stop(self) -> Result<(), Failure> {
        let stopping: Vec<_> = self.nodes.into_iter().map(|node| tokio::spawn(node.stop())).collect();
        for stopping in stopping {
            stopping.await.map_err(|error| Failure::new(Exit::No, error.to_string()))??;
        }
        Ok(())
    }
}

/// A home below `place` for a new node on loopback, which looks for nobody and has no page.
pub fn home_in(place: &Path, network: Network) -> Result<Home, Failure> {
    let guid = Guid::random(random()?);
    let name = format!("bench-{}", &guid.to_string()[..8]);
    let home = Home::new(place.join(&name));
    home.create().map_err(|error| Failure::new(Exit::No, "cannot make a home").why(error.to_string()))?;
    let mut file = ServerFile::new(guid, &name);
    (file.ip, file.port, file.discovery) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0, Some(false));
    file.http.listen = Some(Listen::Off);
    file.networks.push(network);
    file.save(&home.server_json())?;
    Ok(home)
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
