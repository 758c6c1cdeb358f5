//! `gossip-node bench spread`: how many records a second reach all nodes and their disks, and how soon one does.

use super::cluster::{Cluster, PATIENCE, called, refused, store_all, text};
use super::ingest::{bare, syncs};
use super::report::{Report, Row, millis};
use crate::api::{Backlog, Event, EventsQuery, WaitQuery};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::client::Client;
use crate::daemon::Events;
use crate::probes::quantile;
use clap::Args;
use std::time::Duration;
use tokio::time::Instant;

/// Messages in one commit.
const BATCH: u64 = 250;

/// How many messages a second reach all nodes, and how soon one does
#[derive(Args, Debug)]
#[command(after_help = "\
All nodes write at once; a message counts when it is on the disk of every node. With --home its daemon
writes alone and the nodes are those that it reaches, and the messages are in the network for good.

  gossip-node bench spread
  gossip-node bench spread --nodes 5 --records 10000 --json")]
pub struct Spread {
    /// How many temporary nodes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=64))]
    nodes: u16,
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// Bytes of each
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    size: u32,
    /// How many more to write one by one, to learn how soon each is everywhere
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    singles: u32,
}

impl Spread {
    /// Spreads them.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        if context.home_said {
            return self.through(context).await;
        }
        let spinner = context.spinner("temporary nodes meet");
        let cluster = Cluster::of(self.nodes.into()).await?;
        drop(spinner);
        let bare = bare(cluster.place(), self.size as usize, BATCH as usize, 20_000).await?;
        let spinner = context.spinner(format!("{} nodes write {} messages", self.nodes, self.records));
        let began = Instant::now();
        let writing: Vec<_> = (0..self.nodes).filter_map(|node| self.writer(&cluster, node)).collect();
        for writing in writing {
            writing.await.map_err(|error| Failure::new(Exit::No, error.to_string()))??;
        }
        let written = began.elapsed();
        cluster.hold(self.records.into()).await?;
        let took = began.elapsed();
        drop(spinner);
        let mut report = Report::default();
        let row = Row::new(format!("until all {} hold all", self.nodes), self.rate(took), "records/s").beside(bare);
        report.add(if self.nodes == 3 && self.size == 200 { row.not_below(10_000.0) } else { row });
        report.add(Row::new("until the writers are done", self.rate(written), "records/s"));
        let spinner = context.spinner("one message at a time");
        let soon = self.singles(&cluster).await?;
        let sync = quantile(&syncs(cluster.place()).await?, 0.5).unwrap_or_default();
        drop(spinner);
        latencies(&mut report, soon, sync);
        cluster.stop().await?;
        Ok(report)
    }

    fn rate(&self, took: Duration) -> f64 {
        f64::from(self.records) / took.as_secs_f64()
    }

    /// Has one of them write its share.
    fn writer(&self, cluster: &Cluster, node: u16) -> Option<tokio::task::JoinHandle<Result<(), Failure>>> {
        let client = cluster.client(node.into())?;
        let (all, nodes, node) = (u64::from(self.records), u64::from(self.nodes), u64::from(node));
        let (first, end) = (all * node / nodes, all * (node + 1) / nodes);
        Some(tokio::spawn(write(client, first, end, self.size as usize)))
    }

    /// How long each of some messages takes from the call to the last node.
    async fn singles(&self, cluster: &Cluster) -> Result<Vec<Duration>, Failure> {
        let (Some(client), others) = (cluster.client(0), cluster.nodes.get(1..).unwrap_or_default()) else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        for node in others {
            let query = EventsQuery {
                from: Some("new".into()),
                backlog: Some(Backlog::Keep),
                kinds: Some("gossip".into()),
                ..EventsQuery::default()
            };
            events.push(node.handle.events(query, None).await.map_err(refused)?);
        }
        let mut all = Vec::new();
        for number in 0..u64::from(self.singles) {
            let began = Instant::now();
            let adding = tokio::spawn({
                let (client, msg) = (client.clone(), text(number, self.size as usize).into());
                async move { client.add(None, msg).await }
            });
            for events in &mut events {
                arrival(events).await?;
            }
            all.push(began.elapsed());
            adding.await.map_err(|error| Failure::new(Exit::No, error.to_string()))?.map_err(called)?;
        }
        Ok(all)
    }

    /// The same through a daemon that runs, to all that it reaches.
    async fn through(&self, context: &Context) -> Result<Report, Failure> {
        let client = context.client();
        let status = client.status(1).await.map_err(context.explain())?;
        let peers = status.gossip.reachable_peers;
        if peers == 0 {
            return Err(Failure::new(Exit::No, "this node reaches nobody").hint("see: gossip-node peers"));
        }
        let bare = bare(context.home.dir(), self.size as usize, BATCH as usize, 20_000).await?;
        let spinner = context.spinner(format!("{} messages to {peers} peers", self.records));
        let began = Instant::now();
        write(client.clone(), 0, self.records.into(), self.size as usize).await?;
        let timeout_ms = PATIENCE.as_millis() as u64;
        let query = WaitQuery { network: None, peers: None, gossip: None, in_sync: true, timeout_ms };
        client.wait(query).await.map_err(called)?;
        let took = began.elapsed();
        drop(spinner);
        let mut report = Report::default();
        report.add(Row::new(format!("until {peers} peers hold all"), self.rate(took), "records/s").beside(bare));
        let spinner = context.spinner("one message at a time");
        let (mut soon, mut late) = (Vec::new(), 0_u32);
        for number in 0..u64::from(self.singles) {
            let began = Instant::now();
            let added = client.add(None, text(number, self.size as usize).into()).await.map_err(called)?;
            let adding = began.elapsed();
            let holders = client.holders(&added.guid).await.map_err(called)?;
            match holders.last_after_ms.filter(|_| holders.known >= peers) {
                Some(last) => soon.push(adding + Duration::from_secs_f64(last.max(0.0) / 1000.0)),
                None => late += 1,
            }
        }
        let sync = quantile(&syncs(context.home.dir()).await?, 0.5).unwrap_or_default();
        drop(spinner);
        latencies(&mut report, soon, sync);
        if late > 0 {
            report.add(Row::new("not known to be everywhere within a second", late.into(), "messages"));
        }
        Ok(report)
    }
}

/// Writes those from `first` to before `end`.
async fn write(client: Client, first: u64, end: u64, size: usize) -> Result<(), Failure> {
    store_all(&client, first..end, size, BATCH, |_| ()).await
}

/// Waits for the next record.
async fn arrival(events: &mut Events) -> Result<(), Failure> {
    let next = async {
        loop {
            match events.next().await {
                Some(Ok((_, Event::Gossip(_)))) => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(refusal)) => return Err(refused(refusal)),
                None => return Err(Failure::new(Exit::No, "a temporary daemon stopped")),
            }
        }
    };
    let late = |_| Failure::new(Exit::Timeout, "a message did not arrive in time");
    tokio::time::timeout(PATIENCE, next).await.map_err(late)?
}

/// The figures of single messages, if there are any. Two disks take each, one after the other.
fn latencies(report: &mut Report, mut soon: Vec<Duration>, sync: Duration) {
    soon.sort_unstable();
    for (name, share) in [("add to the last node, p50", 0.5), ("add to the last node, p99", 0.99)] {
        if let Some(time) = quantile(&soon, share) {
            report.add(Row::time(name, time).beside(2.0 * millis(sync)));
        }
    }
    if let Some(time) = soon.last() {
        report.add(Row::time("add to the last node, max", *time));
    }
}
