//! `gossip-node bench udp`: what the sockets can do without us, and what is left of it with all that a datagram needs.

use super::cluster::{Cluster, refused};
use super::no_probe;
use super::report::{Report, Row, millis};
use crate::api::PingQuery;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::probes::{self, quantile};
use clap::Args;
use std::time::Duration;

/// How often each is measured; the best counts.
const ROUNDS: u32 = 5;

/// What the sockets of this machine can do
#[derive(Args, Debug)]
#[command(after_help = "\
  gossip-node bench udp
  gossip-node bench udp --size 64 --for 100ms --json")]
pub struct Udp {
    /// Bytes of each datagram
    #[arg(long, value_name = "BYTES", default_value_t = 1200, value_parser = clap::value_parser!(u16).range(16..=1472))]
    size: u16,
    /// How long to send in each of five rounds
    #[arg(long = "for", value_name = "DURATION", default_value = "250ms", value_parser = crate::config::parse_duration)]
    lasting: Duration,
    /// How many round trips
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    trips: u32,
}

impl Udp {
    /// Floods, and pings.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let (size, lasting, trips) = (usize::from(self.size), self.lasting.min(Duration::from_secs(4)), self.trips);
        let mut report = Report::default();
        let spinner = context.spinner("sending datagrams on loopback");
        let best = |measure: fn(usize, Duration) -> std::io::Result<probes::Datagrams>| {
            let blocking = tokio::task::spawn_blocking(move || {
                let rounds = (0..ROUNDS).map(|_| measure(size, lasting).map(|datagrams| datagrams.rate()));
                rounds.collect::<Result<Vec<f64>, _>>()
            });
            async {
                let rates = blocking.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                rates.map(|rates| rates.into_iter().fold(0.0, f64::max)).map_err(no_probe)
            }
        };
        let plain = best(probes::flood).await?;
        report.add(Row::new(format!("plain datagrams of {size} B"), plain, "datagrams/s"));
        let runs = best(probes::flood_in_runs).await?;
        report.add(Row::new("the same in runs (GSO and GRO)", runs, "datagrams/s").beside(plain));
        drop(spinner);
        let spinner = context.spinner("round trips");
        let echo = tokio::task::spawn_blocking(move || probes::echo(64, trips as usize)).await;
        let echo = echo.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(no_probe)?;
        let (p50, p99) = (quantile(&echo, 0.5).unwrap_or_default(), quantile(&echo, 0.99).unwrap_or_default());
        report.add(Row::time("bare echo between two threads, p50", p50));
        report.add(Row::time("bare echo between two threads, p99", p99));
        let mut pings = pings(trips).await?;
        drop(spinner);
        pings.sort_by(f64::total_cmp);
        let ping = quantile(&pings, 0.5).unwrap_or_default();
        report.add(Row::new("HELLO to HELLO_BACK, p50", ping, "ms").beside(millis(p50)).at_most(3.0));
        Ok(report)
    }
}

/// What one daemon measures when it greets another, in milliseconds.
async fn pings(count: u32) -> Result<Vec<f64>, Failure> {
    let cluster = Cluster::of(2).await?;
    let mut all = Vec::new();
    if let [one, other] = &cluster.nodes[..] {
        let peer = other.address.to_string();
        for _ in 0..count {
            let query = PingQuery { network: None, size: None, timeout_ms: Some(1000) };
            all.push(one.handle.ping(query, &peer).await.map_err(refused)?.rtt_ms);
        }
    }
    cluster.stop().await?;
    Ok(all)
}
