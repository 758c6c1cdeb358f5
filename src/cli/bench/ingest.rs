//! `gossip-node bench ingest`: how fast messages come to disk by way of the control API, one by one and in batches.

use super::cluster::{Cluster, called, drafts, store, text};
use super::no_probe;
use super::report::{Report, Row, millis};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::client::Client;
use crate::probes::{self, quantile};
use clap::Args;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// Messages unless the command line says how many: one by one, and in batches.
const RECORDS: (u32, u32) = (2000, 100_000);
/// Messages in a batch where one is wanted and none is said.
const BATCH: u32 = 1000;
/// Appends to learn how fast the disk is, before and after.
const SYNCS: usize = 200;
/// Records that bare SQLite takes.
const BARE: usize = 50_000;

/// How fast messages are stored
#[derive(Args, Debug)]
#[command(after_help = "\
What is measured stays: with --home that many messages are in the network for good.

  gossip-node bench ingest
  gossip-node bench ingest --records 5000 --size 64 --batch 500")]
pub struct Ingest {
    /// How many messages [default: 2000 one by one, 100000 in batches]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: Option<u32>,
    /// Bytes of each
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// How many in one commit
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
}

impl Ingest {
    /// Stores them.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let mut report = Report::default();
        if context.home_said {
            context.client().node().await.map_err(context.explain())?;
            let place = context.home.dir().to_owned();
            self.run(context, context.client(), &place, self.batch, &mut report).await?;
            return Ok(report);
        }
        for batch in [1, if self.batch == 1 { BATCH } else { self.batch }] {
            let cluster = Cluster::of(1).await?;
            if let Some(client) = cluster.client(0) {
                self.run(context, client, cluster.place(), batch, &mut report).await?;
            }
            cluster.stop().await?;
        }
        Ok(report)
    }

    async fn run(
        &self,
        context: &Context,
        client: Client,
        place: &Path,
        batch: u32,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let size = self.size as usize;
        let records = self.records.unwrap_or(if batch == 1 { RECORDS.0 } else { RECORDS.1 });
        let spinner = context.spinner("how fast is the disk?");
        let mut syncs = syncs(place).await?;
        drop(spinner);
        let progress = context.progress("stored");
        let began = Instant::now();
        let mut took = match batch {
            1 => one_by_one(client, records, size, progress).await?,
            _ => in_batches(client, records, size, batch, &progress).await?,
        };
        let rate = f64::from(records) / began.elapsed().as_secs_f64();
        took.sort_unstable();
        let (p50, p99) = (quantile(&took, 0.5).unwrap_or_default(), quantile(&took, 0.99).unwrap_or_default());
        let spinner = context.spinner("how fast is the disk, and SQLite alone?");
        syncs.extend(self::syncs(place).await?);
        syncs.sort_unstable();
        let sync = quantile(&syncs, 0.5).unwrap_or_default();
        let bare = bare(place, size, batch as usize, (records as usize).clamp(1, BARE)).await?;
        drop(spinner);
        if batch == 1 {
            report.add(Row::new(format!("one by one, {size} B"), rate, "records/s").beside(bare));
            report.add(Row::time("add, p50", p50).beside(millis(sync)).at_most(2.0));
            report.add(Row::time("add, p99", p99));
        } else {
            let name = format!("in batches of {batch}, {size} B");
            report.add(Row::new(name, rate, "records/s").beside(bare).at_least(0.7));
            report.add(Row::time("a batch, p50", p50));
        }
        Ok(())
    }
}

/// Adds messages one after the other with a thread that does nothing else, as the commands of one person do; says how long
/// each took.
async fn one_by_one(client: Client, records: u32, size: usize, progress: Progress) -> Result<Vec<Duration>, Failure> {
    let adding = async move {
        let mut took = Vec::new();
        for at in 0..records {
            let since = Instant::now();
            client.add(None, text(at.into(), size).into()).await.map_err(called)?;
            took.push(since.elapsed());
            progress.set(u64::from(at) + 1, (u64::from(at) + 1) * size as u64);
        }
        Ok(took)
    };
    blocking(move || Ok(Builder::new_current_thread().enable_all().build()?.block_on(adding))).await?
}

/// Adds messages in batches; says how long each batch took.
async fn in_batches(
    client: Client,
    records: u32,
    size: usize,
    batch: u32,
    progress: &Progress,
) -> Result<Vec<Duration>, Failure> {
    let (next, done) = (Cell::new(0), Cell::new(0));
    let writer = async || {
        let mut took = Vec::new();
        while next.get() < records {
            let (since, at) = (Instant::now(), next.get());
            let count = batch.min(records - at);
            next.set(at + count);
            store(&client, &drafts(at.into(), count.into(), size)).await?;
            took.push(since.elapsed());
            done.set(done.get() + count);
            progress.set(done.get().into(), u64::from(done.get()) * size as u64);
        }
        Ok::<_, Failure>(took)
    };
    // While one batch is committed another is taken in, and the third is on its way.
    let (one, two, three) = tokio::try_join!(writer(), writer(), writer())?;
    Ok([one, two, three].concat())
}

/// How long appends to the disk take, sorted.
pub async fn syncs(place: &Path) -> Result<Vec<Duration>, Failure> {
    let place = place.to_owned();
    blocking(move || probes::syncs(&place, SYNCS)).await
}

/// Records a second of SQLite alone; few where each is a commit.
pub async fn bare(place: &Path, size: usize, batch: usize, records: usize) -> Result<f64, Failure> {
    let place: PathBuf = place.to_owned();
    let records = if batch == 1 { records.min(1000) } else { records };
    blocking(move || probes::inserts(&place, records, size, batch)).await
}

/// Measures beside the runtime's threads.
pub async fn blocking<T: Send + 'static>(
    probe: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let probed = tokio::task::spawn_blocking(probe).await;
    probed.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(no_probe)
}
