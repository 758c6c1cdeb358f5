//! `gossip-node bench sync`: how fast a new node gets what it lacks: many records, or long ones.

use super::cluster::{Cluster, PREFIX, all_here, called, home_in, refused, store_all, text};
use super::ingest::{bare, blocking};
use super::report::{Report, Row};
use crate::api::RegisterRequest;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::running::Running;
use crate::cli::temporary;
use crate::config::ServerFile;
use crate::display;
use crate::probes;
use crate::proto::limits::MAX_MSG;
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// Records in one commit.
const BATCH: usize = 1000;
const LONGEST: u64 = MAX_MSG as u64;

/// How fast a new node gets what it lacks
#[derive(Args, Debug)]
#[command(after_help = "\
With --home a temporary node joins that daemon's network, fetches all that it holds, and leaves.

  gossip-node bench sync
  gossip-node bench sync --records 200000
  gossip-node bench sync --bytes 16MiB --json")]
pub struct Sync {
    /// How many messages [default: 50000, and then 64 MiB in messages of 16 MiB]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: Option<u32>,
    /// Bytes of each of them
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    size: u32,
    /// How many bytes in long messages instead
    #[arg(long, value_name = "SIZE", conflicts_with = "records", value_parser = size)]
    bytes: Option<u64>,
}

impl Sync {
    /// Has a new node fetch.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let mut report = Report::default();
        if context.home_said {
            self.joined(context, &mut report).await?;
            return Ok(report);
        }
        if self.bytes.is_none() {
            self.many(context, self.records.unwrap_or(50_000), &mut report).await?;
        }
        if self.records.is_none() {
            long(context, self.bytes.unwrap_or(4 * LONGEST), &mut report).await?;
        }
        Ok(report)
    }

    async fn many(&self, context: &Context, records: u32, report: &mut Report) -> Result<(), Failure> {
        let (mut cluster, size) = (Cluster::of(1).await?, self.size as usize);
        let progress = context.progress("stored");
        if let Some(client) = cluster.client(0) {
            let stored = |next| progress.set(next, next * size as u64);
            store_all(&client, 0..u64::from(records), size, BATCH as u64, stored).await?;
        }
        drop(progress);
        let bare = bare(cluster.place(), size, BATCH, (records as usize).min(100_000)).await?;
        let took = fetched(context, &mut cluster, records.into()).await?;
        let name = format!("{records} records of {size} B");
        report.add(Row::new(name, f64::from(records) / took.as_secs_f64(), "records/s").beside(bare).at_least(0.5));
        cluster.stop().await
    }

    /// A node that joins the network of a daemon that runs.
    async fn joined(&self, context: &Context, report: &mut Report) -> Result<(), Failure> {
        let status = context.client().status(1).await.map_err(context.explain())?;
        let file = ServerFile::read(&context.home.server_json())?.file;
        let name = &status.network.network_name;
        let network = file.networks.iter().find(|network| network.network_name == *name).cloned();
        let network = network.ok_or_else(|| Failure::new(Exit::NotFound, "server.json has no such network"))?;
        let (records, size) = (status.gossip.complete, status.gossip.bytes);
        if records == 0 {
            return Err(Failure::new(Exit::No, "the network holds nothing yet").hint("gossip-node bench ingest"));
        }
        let place = temporary::directory(PREFIX)?;
        let home = home_in(place.path(), network)?;
        ServerFile::amend::<_, Failure>(&home.server_json(), |mine| {
            mine.ip = file.ip;
            Ok(())
        })?;
        let each = usize::try_from(size / records).unwrap_or(1).clamp(1, 16_000);
        let bare = bare(place.path(), each, BATCH, usize::try_from(records).unwrap_or(1).min(100_000)).await?;
        let running = Running::start(home).await?;
        let ip = if file.ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { file.ip };
        let began = Instant::now();
        meet(&running, SocketAddr::new(ip, status.network.port)).await?;
        let took = took(context, &running, records, began).await;
        running.stop().await?;
        let name = format!("all {records} records of {name}, {}", display::bytes(size));
        report.add(Row::new(name, records as f64 / took?.as_secs_f64(), "records/s").beside(bare));
        Ok(())
    }
}

/// Long messages, which are fetched piece by piece.
async fn long(context: &Context, size: u64, report: &mut Report) -> Result<(), Failure> {
    let mut cluster = Cluster::of(1).await?;
    let (mut records, mut left) = (0, size);
    let progress = context.progress("stored");
    if let Some(client) = cluster.client(0) {
        while left > 0 {
            let some = left.min(LONGEST);
            let msg = text(records, usize::try_from(some).unwrap_or(usize::MAX)).into();
            client.add(None, msg).await.map_err(called)?;
            (records, left) = (records + 1, left - some);
            progress.set(records, size - left);
        }
    }
    drop(progress);
    let bare = blocking(|| {
        let runs = probes::flood_in_runs(1200, Duration::from_millis(250))?.rate() * 1200.0;
        Ok(probes::hashing().min(runs) / f64::from(1 << 20))
    });
    let bare = bare.await?;
    let took = fetched(context, &mut cluster, records).await?;
    let rate = size as f64 / took.as_secs_f64() / f64::from(1 << 20);
    let name = format!("{} in long messages", display::bytes(size));
    report.add(Row::new(name, rate, "MiB/s").beside(bare).at_least(0.5));
    cluster.stop().await
}

/// How long a new node takes from its first datagram until it holds so many.
async fn fetched(context: &Context, cluster: &mut Cluster, records: u64) -> Result<Duration, Failure> {
    cluster.start().await?;
    let [first, .., new] = &cluster.nodes[..] else { return Ok(Duration::ZERO) };
    let began = Instant::now();
    meet(new, first.address).await?;
    took(context, new, records, began).await
}

async fn meet(new: &Running, address: SocketAddr) -> Result<(), Failure> {
    let request = RegisterRequest { address: address.to_string(), timeout_ms: 10_000 };
    new.handle.register(None, request).await.map(drop).map_err(refused)
}

/// How long it took since `began` until all were there.
async fn took(context: &Context, new: &Running, records: u64, began: Instant) -> Result<Duration, Failure> {
    let progress = context.progress("fetched");
    all_here(new, records, |complete, come| progress.set(complete, come)).await?;
    Ok(began.elapsed())
}

/// `1000`, `64KiB` or `16MiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err("say how many bytes, as 1000, 64KiB or 16MiB".into()),
    };
    let size = digits.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|size| (1..=1 << 34).contains(size)).ok_or_else(|| "say from 1 byte to 16GiB".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_do() {
        assert_eq!((size("1000"), size("64KiB"), size("16MiB")), (Ok(1000), Ok(65_536), Ok(16 << 20)));
        for text in ["", "0", "MiB", "1.5MiB", "-1", "17GiB", "99999999999999999999", "1 mile"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
