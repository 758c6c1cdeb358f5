//! `gossip-node bench restart`: what many messages cost a daemon that holds them: memory, and the time until it answers
//! again after a SIGKILL.

use super::cluster::{Cluster, PATIENCE, called, store_all};
use super::idle::resident;
use super::report::{Report, Row, millis};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::client::Client;
use crate::config::Home;
use clap::Args;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Records in one commit.
const BATCH: u64 = 4000;
/// Between two tries to reach it.
const GLANCE: Duration = Duration::from_millis(1);
/// So many are to take no more than is said of them.
const MILLION: u32 = 1_000_000;

/// What many messages cost a daemon that holds them
#[derive(Args, Debug)]
#[command(after_help = "\
A temporary daemon, a process of its own, stores them, is killed (SIGKILL), and starts again.

  gossip-node bench restart
  gossip-node bench restart --records 100000 --json")]
pub struct Restart {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = MILLION, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// Bytes of each
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    size: u32,
}

/// A daemon in a process of its own, which ends with this value, though not where this process is killed.
struct Killable {
    process: Child,
    client: Client,
}

impl Restart {
    /// Stores, kills, and starts again.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let (cluster, records) = (Cluster::new()?, u64::from(self.records));
        let home = cluster.home()?;
        let (first, empty_start) = Killable::start(&home).await?;
        let empty = first.resident();
        let progress = context.progress("stored");
        let stored = |next| progress.set(next, next * u64::from(self.size));
        store_all(&first.client, 0..records, self.size as usize, BATCH, stored).await?;
        drop(progress);
        let written = first.resident();
        first.kill().await?;
        let spinner = context.spinner("starting again");
        let (second, took) = Killable::start(&home).await?;
        let held = second.client.status(1).await.map_err(called)?.gossip.complete;
        let restored = second.resident();
        second.kill().await?;
        drop(spinner);
        if held != records {
            return Err(Failure::new(Exit::No, format!("{held} messages of {records} are there after the restart")));
        }
        let most = self.records <= MILLION;
        let mut report = Report::default();
        for (when, resident) in [("written", written), ("read again", restored)] {
            let name = format!("memory for {records} messages, {when}, above an empty daemon");
            let row = Row::new(name, (resident - empty).max(0.0), "MiB");
            report.add(if most { row.not_above(96.0) } else { row });
        }
        let row = Row::time("from a start after SIGKILL to an answer", took).beside(millis(empty_start));
        report.add(if most { row.not_above(500.0) } else { row });
        Ok(report)
    }
}

impl Killable {
    /// Starts it; says how long it took until it answered.
    async fn start(home: &Home) -> Result<(Killable, Duration), Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::No, "cannot start a daemon").why(error.to_string());
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("run").arg("--home").arg(home.dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().map_err(failed)?;
        let client = Client::new(home.control_socket(), None);
        while client.status(1).await.is_err() {
            if process.try_wait().map_err(failed)?.is_some() || began.elapsed() > PATIENCE {
                return Err(Failure::new(Exit::No, "a temporary daemon did not start"));
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok((Killable { process, client }, began.elapsed()))
    }

    /// MiB that it has in memory.
    fn resident(&self) -> f64 {
        self.process.id().map_or(0.0, |pid| resident(&pid.to_string()))
    }

    async fn kill(mut self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::No, "cannot kill a daemon").why(error.to_string());
        self.process.kill().await.map_err(failed)
    }
}
