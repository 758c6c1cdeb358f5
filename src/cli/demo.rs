//! `gossip-node demo`: a cluster in one process, on loopback, with temporary homes. Its nodes are real daemons with real
//! sockets, so that a second terminal can talk to any of them.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::init::random;
use super::run::log_to_stderr;
use super::running::{Running, Signals};
use super::ui::Page;
use crate::api::{NetworkStatus, RegisterRequest, WaitQuery};
use crate::config::{Home, Listen, Network, ServerFile};
use crate::daemon::Refusal;
use crate::display::{counted, display_line, short, table};
use crate::proto::gossip::Guid;
use crate::proto::seal::Secret;
use clap::Args;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long the nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the nodes are looked at once the demo stays up.
const LOOK: Duration = Duration::from_millis(250);
const NETWORK: &str = "demo";

/// Watch a cluster of nodes in one process agree.
#[derive(Args, Debug)]
#[command(after_help = "  gossip-node demo --nodes 7\n  gossip-node demo --once --json")]
pub struct Demo {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=64))]
    nodes: u16,
    /// How many records to write, through all nodes in turn
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,
    /// Exit after the table: with 0 if all nodes are equal, with 1 if they are not within 30 s
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        log_to_stderr("warn");
        let mut signals = Signals::take()?;
        let place = tempfile::Builder::new()
            .prefix("gossip-demo-")
            .tempdir()
            .map_err(|error| Failure::new(Exit::No, "cannot make a temporary directory").why(error.to_string()))?;
        let mut cluster = Cluster { nodes: Vec::new(), context: context.clone(), started: Instant::now() };
        let shown = tokio::select! {
            shown = self.show(&mut cluster, place.path()) => shown,
            _ = signals.first() => if self.once { Err(Failure::new(Exit::No, "interrupted")) } else { Ok(()) },
        };
        signals.now_kill();
        let stopped = cluster.stop().await;
        shown.and(stopped)
    }

    async fn show(&self, cluster: &mut Cluster, place: &Path) -> Result<(), Failure> {
        cluster.start(self.nodes, place).await?;
        cluster.register_all().await?;
        cluster.write(self.records).await?;
        let equal = cluster.agree(self.records.into()).await?;
        cluster.print_table().await?;
        if self.once {
            return if equal { Ok(()) } else { Err(not_equal()) };
        }
        cluster.invite();
        cluster.watch().await
    }
}

fn not_equal() -> Failure {
    Failure::new(Exit::No, "the nodes are not equal")
        .why(format!("they did not agree within {} s", PATIENCE.as_secs()))
        .hint("is the host very busy? GOSSIP_NODE_LOG=debug shows what they do")
}

fn failed(what: &str) -> impl Fn(Refusal) -> Failure {
    move |refusal| Failure::new(Exit::No, what).why(refusal.to_string())
}

struct Node {
    name: String,
    running: Running,
}

struct Cluster {
    nodes: Vec<Node>,
    context: Context,
    started: Instant,
}

impl Cluster {
    /// One line of what happens. For programs it is talk.
    fn event(&self, text: &str) -> Result<(), Failure> {
        let line = format!("{:>8.3} s  {}", self.started.elapsed().as_secs_f64(), display_line(text));
        if self.context.json {
            self.context.note(&line);
            return Ok(());
        }
        self.context.print(&format!("{line}\n"))
    }

    async fn start(&mut self, count: u16, place: &Path) -> Result<(), Failure> {
        // Nobody types this network's password, so its key is drawn.
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(&random()?);
        secret[16..].copy_from_slice(&random()?);
        for number in 1..=count {
            let name = format!("node-{number}");
            let home = Home::new(place.join(number.to_string()));
            home.create().map_err(|error| Failure::new(Exit::No, "cannot make a home").why(error.to_string()))?;
            let mut file = ServerFile::new(Guid::random(random()?), &name);
            (file.ip, file.port) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
            file.gossip_timer = Duration::from_millis(200);
            // One page shows all of them.
            file.http.listen = (number > 1).then_some(Listen::Off);
            file.networks.push(Network { network_name: NETWORK.into(), network_key: Secret(secret) });
            file.save(&home.server_json())?;
            let running = Running::start(home).await?;
            self.event(&format!("{name} is up at {}", running.address))?;
            self.nodes.push(Node { name, running });
        }
        Ok(())
    }

    /// Each node meets the first; the others they learn from it.
    async fn register_all(&self) -> Result<(), Failure> {
        let Some((first, others)) = self.nodes.split_first() else { return Ok(()) };
        for node in others {
            let address = first.running.address.to_string();
            let request = RegisterRequest { address, timeout_ms: 10_000 };
            let what = format!("{} did not register with {}", node.name, first.name);
            let registered = node.running.handle.register(None, request).await.map_err(failed(&what))?;
            self.event(&format!("{} registered with {}", node.name, registered.name))?;
        }
        Ok(())
    }

    async fn write(&self, records: u32) -> Result<(), Failure> {
        for (number, node) in (1..=records).zip(self.nodes.iter().cycle()) {
            let msg = format!("record {number} of {records}, written on {}", node.name);
            let added = node.running.handle.add(None, None, msg.into()).await;
            let added = added.map_err(failed(&format!("{} did not take a record", node.name)))?;
            self.event(&format!("{} added record {number}: {}", node.name, short(&added.guid)))?;
        }
        Ok(())
    }

    /// Waits until every node reaches all others and holds `records`, and all are equal.
    async fn agree(&self, records: u64) -> Result<bool, Failure> {
        let deadline = Instant::now() + PATIENCE;
        for node in &self.nodes {
            let left = deadline.saturating_duration_since(Instant::now());
            let query = WaitQuery {
                network: None,
                peers: Some(self.nodes.len() as u64 - 1),
                gossip: Some(records),
                in_sync: true,
                timeout_ms: u64::try_from(left.as_millis()).unwrap_or(0),
            };
            match node.running.handle.wait(query).await {
                Ok(waited) if waited.holds => self.event(&format!("{} is in sync with all others", node.name))?,
                Ok(_) | Err(Refusal::Timeout(_)) => self.event(&format!("{} is not in sync in time", node.name))?,
                Err(refusal) => return Err(failed(&format!("{} cannot wait", node.name))(refusal)),
            }
        }
        let statuses = self.statuses().await?;
        Ok(all_equal(&statuses) && statuses.iter().all(|status| status.gossip_count == records))
    }

    async fn statuses(&self) -> Result<Vec<NetworkStatus>, Failure> {
        let mut statuses = Vec::new();
        for node in &self.nodes {
            let status = node.running.handle.status_network(None).await;
            statuses.push(status.map_err(failed(&format!("{} has no status", node.name)))?);
        }
        Ok(statuses)
    }

    async fn print_table(&self) -> Result<(), Failure> {
        let statuses = self.statuses().await?;
        let first = statuses.first().map(|status| (status.root.clone(), status.gossip_count));
        let is_equal = |status: &NetworkStatus| first.as_ref().is_some_and(|(root, _)| *root == status.root);
        if self.context.json {
            let node = |(node, status): (&Node, &NetworkStatus)| {
                serde_json::json!({
                    "node_guid": status.node_guid,
                    "node_name": node.name,
                    "ip": node.running.address.ip(),
                    "port": node.running.address.port(),
                    "home": node.running.home.dir(),
                    "gossip_count": status.gossip_count,
                    "root": status.root,
                    "equal": is_equal(status),
                })
            };
            let nodes: Vec<_> = self.nodes.iter().zip(&statuses).map(node).collect();
            let (equal, page) = (all_equal(&statuses), self.page().map(Page::with_token));
            return self.context.print_json(
                &serde_json::json!({ "network_name": NETWORK, "nodes": nodes, "equal": equal, "page": page }),
            );
        }
        let rows = self.nodes.iter().zip(&statuses).map(|(node, status)| {
            let (count, root) = (status.gossip_count.to_string(), status.root.chars().take(16).collect());
            let equal = if is_equal(status) { "equal" } else { "not equal" };
            vec![node.name.clone(), node.running.address.to_string(), count, root, equal.into()]
        });
        self.context.print(&format!("\n{}\n", table(&["NODE", "ADDRESS", "RECORDS", "ROOT", "EQUAL"], rows)))
    }

    /// Where the page of the first node is, if it has one.
    fn page(&self) -> Option<&Page> {
        self.nodes.first()?.running.page.as_ref()
    }

    /// Tells how to talk to the nodes.
    fn invite(&self) {
        let context = &self.context;
        if let Some(page) = self.page() {
            context.note(&format!("The page of the first node: {}", page.with_token()));
        }
        context.note("The cluster stays up until Ctrl-C. In a second terminal:");
        for (node, command) in self.nodes.iter().zip(["status", "add 'hello'", "list"]) {
            context.note(&format!("  gossip-node {command} --home {}", node.running.home.dir().display()));
        }
        if let Some(last) = self.nodes.last() {
            context.note(&format!("Homes: one for each node, up to {}", last.running.home.dir().display()));
        }
    }

    /// Tells when the nodes come to differ and when they agree again. Ends only with an error.
    async fn watch(&self) -> Result<(), Failure> {
        let state = |statuses: &[NetworkStatus]| {
            let root = statuses.first().map(|status| status.root.clone());
            all_equal(statuses).then_some(root).flatten()
        };
        let mut before = state(&self.statuses().await?);
        loop {
            tokio::time::sleep(LOOK).await;
            let statuses = self.statuses().await?;
            let after = state(&statuses);
            if after == before {
                continue;
            }
            match (&after, statuses.first()) {
                (Some(root), Some(first)) => {
                    let records = counted(first.gossip_count, "record");
                    self.event(&format!("all {} nodes hold {records}, root {}", self.nodes.len(), short(root)))?;
                }
                _ => self.event("the nodes differ")?,
            }
            before = after;
        }
    }

    async fn stop(self) -> Result<(), Failure> {
        let nodes = self.nodes.into_iter().map(|node| tokio::spawn(node.running.stop()));
        let mut result = Ok(());
        for stopping in nodes.collect::<Vec<_>>() {
            let stopped = stopping.await.unwrap_or_else(|error| Err(Failure::new(Exit::No, error.to_string())));
            result = result.and(stopped);
        }
        result
    }
}

fn all_equal(statuses: &[NetworkStatus]) -> bool {
    statuses.windows(2).all(|pair| pair[0].root == pair[1].root && pair[0].gossip_count == pair[1].gossip_count)
}
