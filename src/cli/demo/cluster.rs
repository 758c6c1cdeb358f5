//! [`Cluster`]: the nodes of a demonstration, what is done with them, and what is told of it.

use super::chaos::Chaos;
use crate::api::{NetworkStatus, RegisterRequest, WaitQuery};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::running::Running;
use crate::cli::temporary;
use crate::cli::typed::program;
use crate::cli::ui::Page;
use crate::config::{Home, Listen, ServerFile};
use crate::daemon::{Handle, Refusal};
use crate::display::{counted, display_line, quoted, short, table};
use crate::proto::gossip::Guid;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long the nodes may take to agree.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often the nodes are looked at once the demo stays up.
const LOOK: Duration = Duration::from_millis(250);

fn failed(what: &str) -> impl Fn(Refusal) -> Failure {
    move |refusal| Failure::new(Exit::No, what).why(refusal.to_string())
}

/// A node of the cluster, which may be dead for a while.
pub struct Node {
    pub(super) name: String,
    pub(super) guid: Guid,
    pub(super) home: Home,
    pub(super) address: SocketAddr,
    pub(super) running: Option<Running>,
}

/// See the module.
pub struct Cluster {
    nodes: Vec<Node>,
    context: Context,
    network: String,
    started: Instant,
    chaos: Option<Chaos>,
}

impl Cluster {
    /// No nodes yet.
    pub fn new(context: Context, chaos: bool) -> Cluster {
        let (nodes, network, chaos) = (Vec::new(), String::new(), chaos.then(Chaos::default));
        Cluster { nodes, context, network, started: Instant::now(), chaos }
    }

    /// One line of what happens. For programs it is talk.
    fn event(&self, text: &str) -> Result<(), Failure> {
        let line = format!("{:>8.3} s  {}", self.started.elapsed().as_secs_f64(), display_line(text));
        if self.context.json {
            self.context.note(&line);
            return Ok(());
        }
        self.context.print(&format!("{line}\n"))
    }

    /// Those that are not dead, and how to reach each.
    fn living(&self) -> impl Iterator<Item = (&Node, &Handle)> + Clone {
        self.nodes.iter().filter_map(|node| Some((node, &node.running.as_ref()?.handle)))
    }

    /// Starts so many nodes.
    pub async fn start(&mut self, count: u16, place: &Path) -> Result<(), Failure> {
        let network = temporary::network("demo-")?;
        self.network.clone_from(&network.network_name);
        for number in 1..=count {
            let name = format!("node-{number}");
            let more = |file: &mut ServerFile| {
                file.gossip_timer = Duration::from_millis(200);
                // One page shows all of them.
                file.http.listen = (number > 1).then_some(Listen::Off);
            };
            let (home, mut file) = temporary::home(place.join(number.to_string()), &name, network.clone(), more)?;
            let amid = self.chaos.as_ref().map(Chaos::amid).unwrap_or_default();
            let running = Running::start_amid(home.clone(), amid).await?;
            let address = running.address;
            // One that dies comes back where the others know it.
            file.port = address.port();
            file.save(&home.server_json())?;
            self.event(&format!("{name} is up at {address}"))?;
            self.nodes.push(Node { name, guid: file.node_guid, home, address, running: Some(running) });
        }
        self.chaos.iter().for_each(|chaos| chaos.cast(&self.nodes));
        Ok(())
    }

    /// Each node meets the first; the others they learn from it.
    pub async fn register_all(&self) -> Result<(), Failure> {
        let Some(first) = self.nodes.first() else { return Ok(()) };
        for (node, handle) in self.living().skip(1) {
            let request = RegisterRequest { address: first.address.to_string(), timeout_ms: 10_000 };
            let what = format!("{} did not register with {}", node.name, first.name);
            let registered = handle.register(None, request).await.map_err(failed(&what))?;
            self.event(&format!("{} registered with {}", node.name, registered.name))?;
        }
        Ok(())
    }

    /// Has so many records written, by all nodes in turn.
    pub async fn write(&self, records: u32) -> Result<(), Failure> {
        for (number, (node, handle)) in (1..=records).zip(self.living().cycle()) {
            let msg = format!("record {number} of {records}, written on {}", node.name);
            let added = handle.add(None, None, msg.into()).await;
            let added = added.map_err(failed(&format!("{} did not take a record", node.name)))?;
            self.event(&format!("{} added record {number}: {}", node.name, short(&added.guid)))?;
        }
        Ok(())
    }

    /// Waits until every node reaches all others and holds `records`, and all are equal.
    pub async fn agree(&self, records: u64) -> Result<bool, Failure> {
        let deadline = Instant::now() + PATIENCE;
        for (node, handle) in self.living() {
            let left = deadline.saturating_duration_since(Instant::now());
            let query = WaitQuery {
                network: None,
                peers: Some(self.nodes.len() as u64 - 1),
                gossip: Some(records),
                in_sync: true,
                timeout_ms: u64::try_from(left.as_millis()).unwrap_or(0),
            };
            match handle.wait(query).await {
                Ok(waited) if waited.holds => self.event(&format!("{} is in sync with all others", node.name))?,
                Ok(_) => self.event(&format!("{} is not in sync in time", node.name))?,
                Err(refusal) => return Err(failed(&format!("{} cannot wait", node.name))(refusal)),
            }
        }
        let statuses = self.statuses().await?;
        Ok(all_equal(&statuses) && statuses.iter().all(|status| status.gossip_count == records))
    }

    async fn statuses(&self) -> Result<Vec<NetworkStatus>, Failure> {
        let mut statuses = Vec::new();
        for (node, handle) in self.living() {
            let status = handle.status_network(None).await;
            statuses.push(status.map_err(failed(&format!("{} has no status", node.name)))?);
        }
        Ok(statuses)
    }

    /// Shows what each holds.
    pub async fn print_table(&self) -> Result<(), Failure> {
        let statuses = self.statuses().await?;
        let first = statuses.first().map(|status| (status.root.clone(), status.gossip_count));
        let is_equal = |status: &NetworkStatus| first.as_ref().is_some_and(|(root, _)| *root == status.root);
        if self.context.json {
            let node = |((node, _), status): ((&Node, &Handle), &NetworkStatus)| {
                serde_json::json!({
                    "node_guid": status.node_guid,
                    "node_name": node.name,
                    "ip": node.address.ip(),
                    "port": node.address.port(),
                    "home": node.home.dir(),
                    "gossip_count": status.gossip_count,
                    "root": status.root,
                    "equal": is_equal(status),
                })
            };
            let nodes: Vec<_> = self.living().zip(&statuses).map(node).collect();
            let (equal, page) = (all_equal(&statuses), self.page().map(Page::with_token));
            return self.context.print_json(
                &serde_json::json!({ "network_name": self.network, "nodes": nodes, "equal": equal, "page": page }),
            );
        }
        let rows = self.living().zip(&statuses).map(|((node, _), status)| {
            let (count, root) = (status.gossip_count.to_string(), status.root.chars().take(16).collect());
            let equal = if is_equal(status) { "equal" } else { "not equal" };
            vec![node.name.clone(), node.address.to_string(), count, root, equal.into()]
        });
        self.context.print(&format!("\n{}\n", table(&["NODE", "ADDRESS", "RECORDS", "ROOT", "EQUAL"], rows)))
    }

    /// Where the page of the first node is, if it has one.
    fn page(&self) -> Option<&Page> {
        self.nodes.first()?.running.as_ref()?.page.as_ref()
    }

    /// Tells how to talk to the nodes.
    pub fn invite(&self) {
        let context = &self.context;
        if let Some(page) = self.page() {
            context.note(&format!("The page of the first node: {}", page.with_token()));
        }
        context.note("The cluster stays up until Ctrl-C. In a second terminal:");
        let program = program();
        for (node, command) in self.nodes.iter().zip(["status", "add 'hello'", "list"]) {
            context.note(&format!("  {program} {command} --home {}", quoted(node.home.dir().display())));
        }
        if let Some(last) = self.nodes.last() {
            context.note(&format!("Homes: one for each node, up to {}", last.home.dir().display()));
        }
    }

    /// Tells when the nodes come to differ and when they agree again, and does to them what the stage wants. Ends only
    /// with an error.
    pub async fn watch(&mut self) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let statuses = self.statuses().await?;
            let after = statuses.first().filter(|_| all_equal(&statuses)).map(|status| status.root.clone());
            if before.is_some() && before.as_ref() != Some(&after) {
                match (&after, statuses.first()) {
                    (Some(root), Some(first)) => {
                        let (nodes, records) = (statuses.len(), counted(first.gossip_count, "record"));
                        self.event(&format!("all {nodes} nodes hold {records}, root {}", short(root)))?;
                    }
                    _ => self.event("the nodes differ")?,
                }
            }
            before = Some(after);
            let Some(chaos) = &mut self.chaos else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            if tokio::time::timeout(LOOK, chaos.changed()).await.is_ok() {
                for event in chaos.befall(&mut self.nodes).await? {
                    self.event(&event)?;
                }
            }
        }
    }

    /// Stops all that run.
    pub async fn stop(self) -> Result<(), Failure> {
        temporary::stop(self.nodes.into_iter().filter_map(|node| node.running)).await
    }
}

fn all_equal(statuses: &[NetworkStatus]) -> bool {
    statuses.windows(2).all(|pair| pair[0].root == pair[1].root && pair[0].gossip_count == pair[1].gossip_count)
}
