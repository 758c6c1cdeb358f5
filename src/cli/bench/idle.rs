//! `gossip-node bench idle`: what nodes cost that have nothing to say.

use super::cluster::{Cluster, refused};
use super::report::{Report, Row};
use crate::api::Status;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::process::memory;
use clap::Args;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long nodes that just met have to say what they know.
const SETTLING: Duration = Duration::from_secs(3);

/// What nodes cost that have nothing to say
#[derive(Args, Debug)]
#[command(after_help = "\
Temporary nodes share one process, whose cost is divided; with --home it is that daemon's.

  gossip-node bench idle
  gossip-node bench idle --nodes 5 --for 5s --json")]
pub struct Idle {
    /// How many temporary nodes
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// How long to look
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = crate::config::parse_duration)]
    lasting: Duration,
}

/// Counters of the nodes, and what their process used.
struct Look {
    at: Instant,
    datagrams: u64,
    bytes: u64,
    cpu: BTreeMap<String, u64>,
}

impl Idle {
    /// Looks twice.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let lasting = self.lasting.max(Duration::from_millis(10));
        let mut report = Report::default();
        if context.home_said {
            let client = context.client();
            let process = client.node().await.map_err(context.explain())?.pid.to_string();
            let spinner = context.spinner("watching");
            let before = Look::at(&process, &[client.status(1).await.map_err(context.explain())?]);
            tokio::time::sleep(lasting).await;
            let after = Look::at(&process, &[client.status(1).await.map_err(context.explain())?]);
            drop(spinner);
            cost(&mut report, &before, &after, 1.0);
            report.add(Row::new("resident memory, a node", resident(&process), "MiB"));
            return Ok(report);
        }
        let empty = resident("self");
        let spinner = context.spinner("temporary nodes meet");
        let cluster = Cluster::of(self.nodes.into()).await?;
        tokio::time::sleep(SETTLING.min(lasting)).await;
        drop(spinner);
        let spinner = context.spinner(format!("watching {} nodes", self.nodes));
        let before = Look::at("self", &statuses(&cluster).await?);
        tokio::time::sleep(lasting).await;
        let after = Look::at("self", &statuses(&cluster).await?);
        drop(spinner);
        let nodes = f64::from(self.nodes);
        cost(&mut report, &before, &after, nodes);
        report.add(Row::new("resident memory, a node", (resident("self") - empty).max(0.0) / nodes, "MiB"));
        cluster.stop().await?;
        Ok(report)
    }
}

fn cost(report: &mut Report, before: &Look, after: &Look, nodes: f64) {
    let seconds = (after.at - before.at).as_secs_f64() * nodes;
    let a_second = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
    report.add(Row::new("datagrams sent, a node", a_second(before.datagrams, after.datagrams), "datagrams/s"));
    report.add(Row::new("bytes sent, a node", a_second(before.bytes, after.bytes), "B/s").not_above(1000.0));
    let used = |(thread, ns): (&String, &u64)| ns.saturating_sub(before.cpu.get(thread).copied().unwrap_or_default());
    let cpu = after.cpu.iter().map(used).sum::<u64>() as f64 / 1e9 / seconds * 100.0;
    report.add(Row::new("of a core, a node", cpu, "%").not_above(0.2));
}

async fn statuses(cluster: &Cluster) -> Result<Vec<Status>, Failure> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        all.push(node.handle.status(None, 1).await.map_err(refused)?);
    }
    Ok(all)
}

impl Look {
    fn at(process: &str, statuses: &[Status]) -> Look {
        let sum = |name| statuses.iter().filter_map(|status| status.stats.get(name)).sum();
        let (datagrams, bytes) = (sum("datagrams_sent"), sum("bytes_sent"));
        Look { at: Instant::now(), datagrams, bytes, cpu: processor_time(process).unwrap_or_default() }
    }
}

/// Nanoseconds on a processor, by thread.
fn processor_time(process: &str) -> std::io::Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?;
        // A thread may have ended since.
        let Ok(used) = std::fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let used = used.split(' ').next().and_then(|used| used.parse().ok()).unwrap_or_default();
        all.insert(thread.file_name().to_string_lossy().into_owned(), used);
    }
    Ok(all)
}

/// MiB that a process has in memory.
pub fn resident(process: &str) -> f64 {
    memory(process, "VmRSS").unwrap_or_default() as f64 / f64::from(1 << 20)
}
