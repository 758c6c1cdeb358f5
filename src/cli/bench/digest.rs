//! `gossip-node bench digest`: what it costs two nodes to find and mend few differences in many records.

use super::cluster::{Cluster, PATIENCE, refused, store_all};
use super::report::{Report, Row};
use crate::api::{RegisterRequest, Status};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::running::Running;
use clap::Args;
use std::time::Duration;
use tokio::time::Instant;

/// Records in one commit.
const BATCH: u64 = 2000;
/// Between two looks at the roots.
const GLANCE: Duration = Duration::from_micros(500);
/// What two nodes say to mend a difference: all but the handshake and who else is there.
const MENDING: [&str; 6] =
    ["did_you_here_sent", "symbols_sent", "holding_sent", "tell_me_more_sent", "tell_sent", "rumor_sent"];

/// What few differences in many messages cost
#[derive(Args, Debug)]
#[command(after_help = "\
Two temporary nodes hold the same messages, then one of them some more; they meet, and are equal.

  gossip-node bench digest
  gossip-node bench digest --records 200000 --differences 100 --json")]
pub struct Digest {
    /// How many messages both hold
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// How many more one of them holds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    differences: u32,
    /// Bytes of each
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    size: u32,
}

impl Digest {
    /// Has two nodes differ, and meet.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let spinner = context.spinner(format!("two nodes hold {} messages", self.records));
        let (cluster, size) = (Cluster::new()?, self.size as usize);
        let homes = [cluster.home()?, cluster.home()?];
        let [one, other] = &homes;
        let first = Running::start(one.clone()).await?;
        let client = crate::client::Client::new(one.control_socket(), None);
        let (records, all) = (u64::from(self.records), u64::from(self.records) + u64::from(self.differences));
        store_all(&client, 0..records, size, BATCH, |_| ()).await?;
        first.stop().await?;
        std::fs::copy(one.gossip_db(), other.gossip_db())
            .map_err(|error| Failure::new(Exit::No, "cannot copy the store").why(error.to_string()))?;
        let first = Running::start(one.clone()).await?;
        store_all(&client, records..all, size, BATCH, |_| ()).await?;
        let second = Running::start(other.clone()).await?;
        let met = meet(&first, &second).await;
        let stopped = (first.stop().await, second.stop().await);
        let (took, statuses) = met?;
        stopped.0.and(stopped.1)?;
        drop(spinner);
        Ok(self.report(took, &statuses))
    }

    fn report(&self, took: Duration, statuses: &[Status]) -> Report {
        let count = |status: &Status, name: &str| status.stats.get(name).copied().unwrap_or_default();
        let said = |status: &Status| MENDING.iter().map(|name| count(status, name)).sum::<u64>() as f64;
        let most = statuses.iter().map(said).fold(0.0, f64::max);
        let bytes: u64 = statuses.iter().map(|status| count(status, "bytes_sent")).sum();
        let mut report = Report::default();
        let what = format!("{} differences in {}", self.differences, self.records);
        let (time, each_way) = (Row::time(format!("{what}, from the first datagram"), took), "datagrams each way");
        let datagrams = Row::new("without the handshake", most, each_way);
        let few = self.differences <= 10;
        report.add(if few { time.not_above(5.0) } else { time });
        report.add(if few { datagrams.not_above(3.0) } else { datagrams });
        report.add(Row::new("in all, both ways", bytes as f64, "B").beside(f64::from(self.differences * self.size)));
        report
    }
}

/// How long two nodes that never met take until their roots are equal, and how they are then.
async fn meet(first: &Running, second: &Running) -> Result<(Duration, [Status; 2]), Failure> {
    let (handle, address) = (second.handle.clone(), first.address.to_string());
    let began = Instant::now();
    let meeting =
        tokio::spawn(async move { handle.register(None, RegisterRequest { address, timeout_ms: 10_000 }).await });
    let wanted = first.handle.status_network(None).await.map_err(refused)?.root;
    while second.handle.status_network(None).await.map_err(refused)?.root != wanted {
        if began.elapsed() > PATIENCE {
            return Err(Failure::new(Exit::Timeout, "they are not equal in time"));
        }
        tokio::time::sleep(GLANCE).await;
    }
    let took = began.elapsed();
    let statuses =
        [first.handle.status(None, 1).await.map_err(refused)?, second.handle.status(None, 1).await.map_err(refused)?];
    meeting.await.map_err(|error| Failure::new(Exit::No, error.to_string()))?.map_err(refused)?;
    Ok((took, statuses))
}
